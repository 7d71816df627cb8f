/** A durable log at the end of a job: every line once, whatever is killed, full or thrown away. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { map, pipeline, range } from 'sluice'
import { appendLog, checkpoint, readLines } from 'sluice/io'
import { appendTo } from '../../src/io/log/append-log.ts'
import { bundledFile } from '../support/bundled-program.ts'
import { Random, seedOfRun } from '../support/random.ts'
import { killJobs, runAndKill } from './killed-jobs.ts'
import { readLog } from './killed-lines.ts'
import { smallDisk, warningsOf } from './support-log.ts'

const top = mkdtempSync(join(tmpdir(), 'sluice-checkpoint-log-'))
afterAll(() => {
  killJobs()
  rmSync(top, { recursive: true })
})

const newFolder = (): string => {
  const folder = mkdtempSync(join(top, 'case-'))
  mkdirSync(join(folder, 'logs'))
  return folder
}
vi.setConfig({ maxConcurrency: 2 })
const until = async (ready: () => boolean): Promise<void> => {
  while (!ready()) await new Promise(setImmediate)
}
const numbers = (count: number) => Array.from({ length: count }, (_, n) => `line ${n}`)

const program = await bundledFile('test/io/programs/checkpoint-log.ts')

describe.concurrent.each([
  ['written', 'all'],
  ['synced', 'all'],
  ['written', '1'],
])('a job that is killed, into a log that is %s, of which %s old files are kept,', (level, keep) => {
  test('has every line in it once, in order', { timeout: 120_000 }, async ({ expect }) => {
    const random = new Random(seedOfRun())
    const lines = numbers(450)
    const folder = newFolder()
    writeFileSync(join(folder, 'lines.txt'), `${lines.join('\n')}\n`)
    const args = [...program, folder, level, keep]
    let kills = 0
    // The times grow, so that it comes to its end.
    while (!(await runAndKill(args, 15 + random.next() * 40 * 2 ** kills))) kills++
    expect(kills).toBeGreaterThan(2)
    const log = readLog(join(folder, 'logs'))
    expect(log.torn).toBe(0)
    if (keep === 'all') expect(log.lines).toEqual(lines)
    // What is left of it is its end.
    else expect(log.lines).toEqual(lines.slice(-log.lines.length))
    expect(log.lines.length).toBeGreaterThan(0)
  })
})

describe('a job into a log', () => {
  let folder: string
  const file = (name: string) => join(folder, name)
  beforeEach(() => {
    folder = newFolder()
  })
  const rotate = { bytes: 100, keep: 1 }

  test('goes back behind rotations, however few old files are kept, and removes them when it has saved', async () => {
    const lines = numbers(300)
    let breaks = true
    const job = checkpoint(
      file('job'),
      pipeline(
        range(300),
        map((n) => {
          if (breaks && n === 250) throw new Error('broken')
          return `line ${n}`
        }),
        appendLog(file('logs/app.log'), { rotate }),
      ),
    )
    await expect(job.run()).rejects.toThrow('broken')
    expect(readdirSync(file('logs')).length).toBeGreaterThan(10)
    breaks = false
    await job.run()
    expect(readLog(file('logs')).lines).toEqual(lines)
    // Nothing new comes: the next part only tidies up.
    await job.run()
    expect(readdirSync(file('logs'))).toHaveLength(2)
  })

  test('goes back twice to the same place, though it keeps one old file and has rotated behind it', async () => {
    const lines = numbers(60)
    let breaksAt: number | undefined
    const job = checkpoint(
      file('job'),
      pipeline(
        readLines(file('lines.txt')),
        map((line) => {
          if (breaksAt !== undefined && line === lines[breaksAt]) throw new Error('broken')
          return line
        }),
        appendLog(file('logs/app.log'), { rotate }),
      ),
    )
    writeFileSync(file('lines.txt'), `${lines.slice(0, 30).join('\n')}\n`)
    await job.run()
    const rotated = readdirSync(file('logs')).sort().at(-1)
    writeFileSync(file('lines.txt'), `${lines.join('\n')}\n`)
    breaksAt = 50
    await expect(job.run()).rejects.toThrow('broken')
    expect(readdirSync(file('logs')).sort().at(-1)! > rotated!).toBe(true)
    breaksAt = 30
    await expect(job.run()).rejects.toThrow('broken')
    breaksAt = undefined
    await job.run()
    expect(readLog(file('logs')).lines).toEqual(lines.slice(-readLog(file('logs')).lines.length))
    expect(readFileSync(file('logs/app.log'), 'utf8')).toContain(lines.at(-1))
  })

  test('waits for room beyond the end of a part, and a stop ends that', async () => {
    const disk = smallDisk(2000)
    const lines = numbers(1000)
    const sink = appendTo<string>(disk, file('logs/app.log'), { whenFull: 'wait', retry: 2 })
    const make = () =>
      checkpoint(
        file('job'),
        pipeline(
          range(1000),
          map((n) => `line ${n}`),
          sink,
        ),
        { every: 5 },
      )
    await warningsOf(async () => {
      const run = make().start()
      await until(() => disk.refused >= 10)
      disk.room += 2000
      const { refused } = disk
      await until(() => disk.refused >= refused + 10)
      await expect(run.stop()).rejects.toMatchObject({ cause: { code: 'ENOSPC' } })
      disk.room = Infinity
      await make().run()
    })
    expect(readLog(file('logs')).lines).toEqual(lines)
  })

  test('does not cut off what somebody else has written between two parts', async () => {
    const log = file('logs/app.log')
    let saved = 0
    const job = checkpoint(
      file('job'),
      pipeline(
        range(1000),
        map(async (n) => (await new Promise(setImmediate), `line ${n}`)),
        appendLog(log),
      ),
      { every: 1, onSaved: () => void (saved++ || writeFileSync(log, 'theirs\n', { flag: 'a' })) },
    )
    await expect(job.run()).rejects.toMatchObject({
      cause: { message: expect.stringContaining('somebody else writes to it') as string },
    })
    expect(readFileSync(log, 'utf8')).toMatch(/theirs\n$/)
  })
})
