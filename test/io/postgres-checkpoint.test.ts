/** A job with a checkpoint and a table as its end: killed at any moment, it misses nothing and has nothing twice. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundledFile } from '../support/bundled-program.ts'
import { Random, seedOfRun } from '../support/random.ts'
import { killJobs, runAndKill } from './killed-jobs.ts'
import { noPostgres, postgresBin, type PostgresServer, startPostgres } from './postgres-server.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-postgres-job-'))
let server: PostgresServer
let admin: Client

beforeAll(async () => {
  if (!postgresBin) return console.warn(noPostgres)
  server = await startPostgres()
  admin = new Client(server.socket)
  await admin.connect()
}, 60_000)
afterAll(async () => {
  killJobs()
  await admin?.end()
  await server?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

const program = await bundledFile('test/io/programs/postgres-job.ts')

const run = (killAfter?: number) => runAndKill([...program, folder, JSON.stringify(server.socket)], killAfter)

const checkpointFile = join(folder, 'job.checkpoint')

/** How many parts of the job are saved, of which the first reads nothing. */
const saved = (): number =>
  existsSync(checkpointFile)
    ? (JSON.parse(readFileSync(checkpointFile, 'utf8')) as { parts: number }).parts
    : 0

/** Writes lines of which every fifth takes the place of an earlier one. Gives what the table must have in the end. */
function writeInput(length: number, random: Random): Map<number, string> {
  const last = new Map<number, string>()
  const lines = Array.from({ length }, (_, i) => {
    const id = i % 5 === 4 ? random.below(i) : i
    last.set(id, `line ${i}`)
    return `${id}\tline ${i}\n`
  })
  writeFileSync(join(folder, 'lines.txt'), lines.join(''))
  return last
}

async function expectCopied(expected: Map<number, string>) {
  const { rows } = await admin.query<{ id: number; text: string }>('SELECT id, text FROM copied')
  expect(rows).toHaveLength(expected.size)
  expect(new Map(rows.map(({ id, text }) => [id, text]))).toEqual(expected)
}

describe.runIf(postgresBin)('checkpoint() of writePostgres() with a key', () => {
  test('has each row once, as it was last, though the job is killed again and again', async () => {
    await admin.query('CREATE TABLE copied (id int PRIMARY KEY, text text)')
    const random = new Random(seedOfRun())
    const expected = writeInput(2000, random)
    const reached = [0]
    let early = ''
    while (reached.length <= 5 || early === '') {
      // On a machine that is busy it takes longer until anything has been saved.
      const most = 100 * Math.max(1, reached.length - 4)
      expect(await run(random.below(most)), 'it must be killed before its end').toBe(false)
      reached.push(saved())
      if (early === '' && reached.at(-1)! > 1) early = readFileSync(checkpointFile, 'utf8')
    }
    // It goes on each time, instead of beginning anew.
    expect(reached).toEqual([...reached].sort((a, b) => a - b))
    expect(await run()).toBe(true)
    await expectCopied(expected)
    // As if it had been killed between the commit and the saving, and long ago: rows are written twice.
    writeFileSync(checkpointFile, early)
    expect(await run()).toBe(true)
    await expectCopied(expected)
  }, 180_000)
})
