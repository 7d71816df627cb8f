/** Lines are joined, looked at and cut into batches together: the file is the same as if each were written by itself. */
import { statSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { pipeline, source } from 'sluice'
import { appendLog, openLog } from 'sluice/io'
import { runProgram } from '../support/child-program.ts'
import { Random, seedOfRun } from '../support/random.ts'
import { LogFolder } from './support-log.ts'

const seed = seedOfRun()

/** What lines are made of: of one, two, three and four bytes, and what separates lines elsewhere. */
const CHARACTERS = ['a', ' ', 'é', '€', '😀', '\r', '\0', '\u2028']

function randomLine(random: Random): string {
  const plain = random.below(2) === 0
  const length = random.below(20) === 0 ? random.below(200_000) : random.below(300)
  const character = plain ? 'x' : CHARACTERS[random.below(CHARACTERS.length)]
  return `${random.below(10)}${character.repeat(length / character.length)}`.slice(random.below(2))
}

/** As lines are in a file. */
const bytesOf = (lines: readonly string[]) => Buffer.from(lines.map((line) => `${line}\n`).join(''))

describe(`random lines, seed ${seed}`, () => {
  const random = new Random(seed)
  const lines = Array.from({ length: 3000 }, () => randomLine(random))
  const limits = [{}, { count: 1 + random.below(500) }, { bytes: 1 + random.below(200_000) }]

  test.each(limits)('are in the file as they were given, in batches of %o', async (flush) => {
    using folder = new LogFolder()
    const log = await openLog(folder.file, { flush })
    const appended: Promise<void>[] = []
    for (let at = 0; at < lines.length;) {
      const end = at + random.below(800)
      appended.push(log.append(lines.slice(at, end)))
      at = end
    }
    // They may wait for a batch to be full.
    await Promise.all([...appended, log.flush()])
    const { bytes, lines: count } = await log.close()
    expect(folder.bytes().equals(bytesOf(lines))).toBe(true)
    expect({ bytes, count }).toEqual({ bytes: bytesOf(lines).length, count: lines.length })
  })

  test.each(limits)('come through a pipeline, and their bad ones are told in order: %o', async (flush) => {
    using folder = new LogFolder()
    const values: unknown[] = [...lines]
    for (let i = 0; i < 200; i++)
      values.splice(random.below(values.length), 0, [`${i}\n`, i, `${i}\ud83d`][random.below(3)])
    const good = (value: unknown) => typeof value === 'string' && !/\n|\ud83d$/.test(value)
    const [told, acknowledged] = [[] as unknown[], [] as unknown[]]
    const summary = await pipeline(
      source(values as string[]),
      appendLog(folder.file, {
        flush,
        onError: ({ value }) => void told.push(value),
        onAcknowledged: (all) => void acknowledged.push(...all),
      }),
    ).run()
    expect(folder.bytes().equals(bytesOf(lines))).toBe(true)
    expect(summary.lines).toBe(lines.length)
    expect(told).toEqual(values.filter((value) => !good(value)))
    expect(acknowledged).toEqual(lines)
  })
})

test('nothing is taken of lines of which one is none, wherever it is', async () => {
  using folder = new LogFolder()
  const log = await openLog(folder.file)
  const many = Array.from({ length: 5000 }, () => 'x'.repeat(100))
  for (const at of [0, 1, 599, 600, 4999]) {
    const lines = many.with(at, 'a\nb')
    await expect(log.append(lines)).rejects.toThrow('it has a newline inside')
    await expect(log.append(many.with(at, 5 as never))).rejects.toThrow('wanted a string, got number')
    await expect(log.append(many.with(at, '\udc00 x'))).rejects.toThrow('it holds half of a character')
  }
  await expect(log.append('a\nb')).rejects.toThrow('it has a newline inside')
  expect(await log.close()).toMatchObject({ lines: 0, bytes: 0 })
})

test('a function that makes lines is called once for each value, bad ones among them', async () => {
  using folder = new LogFolder()
  const called: number[] = []
  const line = (n: number) => {
    called.push(n)
    if (n % 3 === 0) throw new Error(`no line of ${n}`)
    return n % 5 === 0 ? 'a\nb' : String(n)
  }
  const values = Array.from({ length: 1000 }, (_, i) => i)
  const run = pipeline(source(values), appendLog(folder.file, { line, onError: 'skip' })).start()
  await run.result
  expect(called).toEqual(values)
  expect(folder.lines()).toEqual(values.filter((n) => n % 3 && n % 5).map(String))
  expect(run.stats().stages[1].failed).toBe(values.filter((n) => n % 3 === 0 || n % 5 === 0).length)
})

test('a function that makes lines is not called any more once the run is aborted', async () => {
  using folder = new LogFolder()
  const abort = new AbortController()
  const called: number[] = []
  const line = (n: number) => {
    called.push(n)
    if (n === 3) throw new Error('no line')
    return String(n)
  }
  const onError = () => {
    abort.abort(new Error('enough'))
    return new Promise<void>(() => {})
  }
  const values = Array.from({ length: 8 }, (_, i) => i)
  const sink = appendLog(folder.file, { line, onError })
  await expect(pipeline(source(values), sink).run({ signal: abort.signal })).rejects.toThrow('enough')
  expect(called).toEqual([0, 1, 2, 3])
})

/** Each has 60 MB of lines, in a process that has room for 40, and for an array of them. */
test.each([
  ['in one array', 'await log.append(new Array(600_000).fill(line))'],
  [
    'in many that nobody waits for',
    `const lines = new Array(600).fill(line)
     await Promise.all(Array.from({ length: 1000 }, () => log.append(lines)))`,
  ],
])('lines that are given together are not all in memory as text: %s', async (_, work) => {
  using folder = new LogFolder()
  const program = `
    import { openLog } from 'sluice/io'
    const line = 'x'.repeat(99)
    await using log = await openLog(${JSON.stringify(folder.file)})
    ${work}`
  const nodeArguments = ['--max-old-space-size=40']
  expect(await runProgram(program, { nodeArguments, limit: 60_000 })).toMatchObject({ code: 0 })
  expect(statSync(folder.file).size).toBe(60_000_000)
})

test('a run that is aborted while it is told of a bad line settles, though its batches are full', async () => {
  using folder = new LogFolder()
  const abort = new AbortController()
  const reason = new Error('enough')
  const flush = { count: 1 }
  const onError = () => {
    abort.abort(reason)
    return new Promise<void>(() => {})
  }
  const values = ['a', 'b', 'c', 'd', 'e', 'f\n', ...Array.from({ length: 100 }, String)]
  const run = pipeline(source(values), appendLog(folder.file, { flush, onError })).run({
    signal: abort.signal,
  })
  await expect(run).rejects.toBe(reason)
  expect('a\nb\nc\nd\ne\n'.startsWith(folder.text())).toBe(true)
  expect(folder.lines().length).toBeGreaterThanOrEqual(3)
})
