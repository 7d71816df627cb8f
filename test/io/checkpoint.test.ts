import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { drain, fanIn, forEach, map, pipeline, range, type Run, type Source, source, toArray } from 'sluice'
import { checkpoint, readCsv, readJsonl, readLines, writeCsv, writeJsonl, writeLines } from 'sluice/io'
import { bundledFile } from '../support/bundled-program.ts'
import { Random, seedOfRun } from '../support/random.ts'
import { warningsDuring } from '../pipeline/support-leaks.ts'
import { deferred } from '../pipeline/support-waiting.ts'
import { killJobs, runAndKill } from './killed-jobs.ts'

const top = mkdtempSync(join(tmpdir(), 'sluice-checkpoint-'))
afterAll(() => {
  killJobs()
  rmSync(top, { recursive: true })
})
let folder: string
const file = (name: string) => join(folder, name)
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)

beforeEach(() => {
  folder = mkdtempSync(join(top, 'case-'))
})

const program = await bundledFile('test/io/programs/checkpoint-job.ts')

describe.each(['exactly once', 'at least once'])(
  'a job killed at random moments writes every value %s',
  (mode) => {
    test('through filters, batches, unordered calls and merged sources', { timeout: 180_000 }, async () => {
      // One that is out of time goes on: not where the next test is.
      const args = [...program, folder, mode]
      const random = new Random(seedOfRun())
      const lines = numbers(0, 1200).map((n) => `line ${n}`)
      writeFileSync(file('lines.txt'), `${lines.join('\n')}\n`)
      const rows = numbers(0, 600).map((n) => `${n},"a\n${n}"`)
      writeFileSync(file('rows.csv'), `id,text\n${rows.join('\n')}\n`)
      let kills = 0
      // The times grow, so that it comes to its end.
      while (!(await runAndKill(args, 10 + random.next() * 40 * 1.5 ** kills))) kills++
      const all = [
        ...lines,
        ...numbers(0, 600).map((n) => `csv ${n}`),
        ...numbers(0, 500).map((n) => `count ${n}`),
      ]
      const expected = all.filter((text) => !text.endsWith('7')).flatMap((text) => [`${text} a`, `${text} b`])
      const written = readFileSync(file('out.txt'), 'utf8').split('\n').slice(0, -1)
      expect(kills).toBeGreaterThan(3)
      if (mode === 'exactly once') expect(written.sort()).toEqual(expected.sort())
      else {
        // A line may be torn where the process was killed in its middle: it is written again.
        expect(expected.filter((text) => !written.includes(text))).toEqual([])
        expect(written.length).toBeGreaterThanOrEqual(expected.length)
      }
    })
  },
)

describe('checkpoint()', () => {
  test('goes on where it was stopped, in the middle of a file, and ends at its end', async () => {
    writeFileSync(
      file('in.jsonl'),
      numbers(0, 50_000)
        .map((n) => `{"n":${n}}\n`)
        .join(''),
    )
    const job = () =>
      checkpoint(
        file('job'),
        pipeline(readJsonl<{ n: number }>(file('in.jsonl')), writeJsonl(file('out.jsonl'), { append: true })),
        { every: 3 },
      )
    const run = job().start({ capacity: 4 })
    while ((run.stats().stages[1]?.received ?? 0) === 0) await new Promise(setImmediate)
    const { last } = await run.stop()
    expect(last.count).toBeGreaterThan(0)
    expect(readFileSync(file('out.jsonl'), 'utf8').split('\n').length).toBeLessThan(50_000)
    await job().run()
    expect(await pipeline(readJsonl(file('out.jsonl'))).run()).toEqual(numbers(0, 50_000).map((n) => ({ n })))
  })

  test('saves nothing of a part that failed, and does it again', async () => {
    writeFileSync(file('in.txt'), 'a\nb\nc\n')
    const seen: string[] = []
    let breaks = true
    const job = checkpoint(
      file('job'),
      pipeline(
        readLines(file('in.txt')),
        forEach((line) => {
          if (line === 'c' && breaks) throw new Error('broken')
          seen.push(line)
        }),
      ),
    )
    await expect(job.run()).rejects.toMatchObject({ name: 'StageError', value: 'c' })
    breaks = false
    await job.run()
    expect(seen).toEqual(['a', 'b', 'a', 'b', 'c'])
    expect(await job.run()).toMatchObject({ parts: 1 })
    expect(seen).toHaveLength(5)
  })

  test('saves nothing of a part that is aborted', async () => {
    const waits = deferred<void>()
    const job = checkpoint(
      file('job'),
      pipeline(
        range(3),
        forEach(() => waits.promise),
      ),
    )
    const run = job.start()
    while (run.describe().nodes.length === 0) await new Promise(setImmediate)
    await run.abort(new Error('enough'))
    await expect(run.result).rejects.toThrow('enough')
    waits.resolve()
    const seen: number[] = []
    await checkpoint(
      file('job'),
      pipeline(
        range(3),
        forEach((n) => void seen.push(n)),
      ),
    ).run()
    expect(seen).toEqual([0, 1, 2])
  })

  test('reads on what was added to a file that had been read, and a new file of the name from its beginning', async () => {
    const seen: string[] = []
    const job = checkpoint(
      file('job'),
      pipeline(
        readLines(file('in.txt')),
        forEach((line) => void seen.push(line)),
      ),
    )
    writeFileSync(file('in.txt'), 'a\n')
    await job.run()
    writeFileSync(file('in.txt'), 'b\n', { flag: 'a' })
    await job.run()
    expect(seen).toEqual(['a', 'b'])
    await pipeline(source(['c']), writeLines(file('in.txt'))).run()
    await job.run()
    expect(seen).toEqual(['a', 'b', 'c'])
  })

  test('reads what it gave before of any other source again, and passes it over', async () => {
    let length = 10
    const seen: number[] = []
    const job = checkpoint(
      file('job'),
      pipeline(
        fanIn(
          source(() => numbers(0, length)),
          pipeline(
            source(async function* () {
              yield* numbers(100, 100 + length)
            }),
            map((n) => n),
          ),
        ),
        forEach((n) => void seen.push(n)),
      ),
    )
    await job.run({ capacity: 3 })
    length = 15
    await job.run({ capacity: 3 })
    expect(seen.sort((a, b) => a - b)).toEqual([...numbers(0, 15), ...numbers(100, 115)])
  })

  test('keeps the header of a CSV file and the numbers of its lines', async () => {
    const rows = numbers(0, 20_000).map((n) => `${n},x`)
    writeFileSync(file('in.csv'), `id,x\n${rows.join('\n')}\nbad\n`)
    const ids: unknown[] = []
    const bad: string[] = []
    const csv = readCsv(file('in.csv'), { onError: ({ error }) => void bad.push((error as Error).message) })
    const job = checkpoint(
      file('job'),
      pipeline(
        csv,
        // The runs that are stopped come to an end long before the file does.
        forEach(async ({ id }) => {
          if (ids.push(id) % 500 === 0) await new Promise(setImmediate)
        }),
      ),
      { every: 2 },
    )
    while (ids.length < 10_000) {
      const run = job.start({ capacity: 4 })
      while ((run.stats().stages[1]?.received ?? 0) === 0) await new Promise(setImmediate)
      await run.stop()
    }
    await job.run()
    expect(ids).toEqual(numbers(0, 20_000).map(String))
    expect(bad).toEqual([`${file('in.csv')}:20002:1: the row must have 2 fields, got 1`])
  })

  test('begins a packed CSV file with its header, and adds nothing to it where nothing came', async () => {
    const output = file('rows.csv.gz')
    const rows = [{ id: 1 }, { id: 2 }]
    const job = checkpoint(
      file('checkpoint'),
      pipeline(source(rows), writeCsv(output, { append: true, sync: true })),
    )
    await job.run()
    expect(gunzipSync(readFileSync(output)).toString()).toBe('id\n1\n2\n')
    const before = readFileSync(output)
    await job.run()
    expect(readFileSync(output)).toEqual(before)
  })

  test('counts what all parts have done as one run', async () => {
    const run = checkpoint(
      file('job'),
      pipeline(
        range(1000),
        map(async (n) => (await new Promise(setImmediate), n)),
        drain(),
      ),
      { every: 1 },
    ).start()
    const { parts } = await run.result
    expect(parts).toBeGreaterThan(1)
    expect(run.stats().stages.map(({ name, received }) => [name, received])).toEqual([
      ['range', 0],
      ['map', 1000],
      ['drain', 1000],
    ])
  })

  test('refuses what cannot go on, before anything is read', async () => {
    writeFileSync(file('in.txt'), 'a\n')
    const anew = pipeline(readLines(file('in.txt')), writeLines(file('out.txt')))
    await expect(checkpoint(file('job'), anew).run()).rejects.toThrow('Cannot go on with writeLines')
    const stdin = pipeline(readLines('-'), drain())
    await expect(checkpoint(file('job'), stdin).run()).rejects.toThrow('Cannot go on with readLines')
    const rows = (function* () {
      yield 1
    })()
    await expect(checkpoint(file('job'), pipeline(source(rows), drain())).run()).rejects.toThrow(
      'Cannot go on with source "source": what it reads can be read only once',
    )
    const part = pipeline(range(1)) as never
    expect(() => checkpoint(file('job'), part)).toThrow(
      'Cannot create checkpoint: "job" must be a pipeline from a source to a sink, got "source"',
    )
    expect(() => checkpoint('', pipeline(range(1), toArray()))).toThrow('"file" must be a path, got ""')
    expect(() => checkpoint('x', pipeline(range(1), toArray()), { every: 0 })).toThrow('"every" must be')
    const job = checkpoint(file('job'), pipeline(range(1), toArray()))
    for (const signal of [0, '', 'x', {}])
      expect(() => job.start({ signal: signal as never })).toThrow(
        'Cannot run job: "signal" must be an AbortSignal, got ',
      )
    expect(() => job.start({ name: 5 as never })).toThrow('Cannot run job: "name" must be a string, got 5')
    await expect(job.run(5 as never)).rejects.toThrow('Cannot run job: "options" must be an object, got 5')
  })

  test('refuses a pipe, which nobody knows before it is opened, and reads nothing of it', async () => {
    execFileSync('mkfifo', [file('pipe')])
    const job = checkpoint(file('job'), pipeline(readLines(file('pipe')), drain()))
    await expect(job.run()).rejects.toThrow(
      `Cannot go on reading ${file('pipe')}: it is a pipe, which can be read only once`,
    )
  })

  test.each([{ capacity: -1 }, { capacity: 0.5 }, { stallAfter: -1 }])(
    'refuses wrong options of a run at once: %j',
    (options) => {
      const job = checkpoint(file('job'), pipeline(source(['a']), writeLines(file('out'), { append: true })))
      expect(() => job.start(options)).toThrow(/^Cannot run job: "(capacity|stallAfter)" must be/)
      expect(existsSync(file('job'))).toBe(false)
    },
  )

  test('a file that is no checkpoint is an error that names it', async () => {
    const job = checkpoint(file('job'), pipeline(range(1), drain()))
    writeFileSync(file('job'), 'not json')
    await expect(job.run()).rejects.toThrow(`Cannot read the checkpoint ${file('job')}: it is no JSON`)
    writeFileSync(file('job'), '{}')
    await expect(job.run()).rejects.toThrow('it is no checkpoint of this version')
    for (const positions of ['null', '[]', '{"range":null}', '{"range":3}']) {
      writeFileSync(file('job'), `{"version":1,"parts":1,"done":false,"positions":${positions}}`)
      await expect(job.run()).rejects.toThrow('it is no checkpoint of this version')
    }
  })

  test('cuts nothing off its output for a position that is none', async () => {
    writeFileSync(file('out.txt'), 'there before\n')
    const job = checkpoint(
      file('job'),
      pipeline(source(['a']), writeLines(file('out.txt'), { append: true, sync: true })),
    )
    for (const size of ['-4', '"x"', '1.5']) {
      writeFileSync(file('job'), `{"version":1,"parts":1,"positions":{"writeLines":{"size":${size}}}}`)
      await expect(job.run()).rejects.toThrow(
        `Cannot go on writing ${file('out.txt')}: the position is not one of a file`,
      )
    }
    expect(readFileSync(file('out.txt'), 'utf8')).toBe('there before\n')
  })

  test('skips nothing for a position of its source that is none', async () => {
    const job = checkpoint(file('job'), pipeline(source(['a', 'b']), toArray()))
    for (const position of ['{"skip":-4}', '{"skip":"x"}', '{"skip":1.5}', '{"skip":null}', '{"at":null}']) {
      writeFileSync(file('job'), `{"version":1,"parts":1,"positions":{"source":${position}}}`)
      await expect(job.run()).rejects.toThrow('Cannot go on with source: the position is not one of a source')
    }
  })

  test('reads what was added to each of its files, and a file that is new in front of them', async () => {
    const add = (name: string, line: string) => writeFileSync(file(name), `${line}\n`, { flag: 'a' })
    const job = checkpoint(
      file('job'),
      pipeline(readLines(file('*.log')), writeLines(file('out.txt'), { append: true, sync: true })),
    )
    for (const name of ['b.log', 'c.log']) add(name, name)
    await job.run()
    for (const name of ['a.log', 'b.log', 'c.log']) add(name, `new in ${name}`)
    await job.run()
    await job.run()
    expect(readFileSync(file('out.txt'), 'utf8').trimEnd().split('\n')).toEqual([
      'b.log',
      'c.log',
      'new in a.log',
      'new in b.log',
      'new in c.log',
    ])
  })

  test('goes on where files of its pattern that were through are gone, also the last one, or all', async () => {
    const add = (name: string) => writeFileSync(file(name), `${name}\n`)
    const job = checkpoint(
      file('job'),
      pipeline(readLines(file('*.log')), writeLines(file('out.txt'), { append: true, sync: true })),
    )
    await expect(job.run()).rejects.toThrow('no file matches')
    for (const name of ['a.log', 'b.log', 'c.log']) add(name)
    await job.run()
    rmSync(file('c.log'))
    await job.run()
    for (const name of ['a.log', 'b.log']) rmSync(file(name))
    await job.run()
    await job.run()
    add('d.log')
    await job.run()
    rmSync(file('d.log'))
    await job.run()
    expect(readFileSync(file('out.txt'), 'utf8')).toBe('a.log\nb.log\nc.log\nd.log\n')
  })

  describe('over the files that match a pattern', () => {
    const job = () =>
      checkpoint(
        file('job'),
        pipeline(readLines(file('app.log*')), writeLines(file('out.txt'), { append: true, sync: true })),
      )
    const add = (name: string, lines: string) => writeFileSync(file(name), lines, { flag: 'a' })
    const written = () => readFileSync(file('out.txt'), 'utf8').trimEnd().split('\n')

    test('goes on with each that a rotation has renamed, and reads the one that has the name now', async () => {
      add('app.log', 'two\n')
      add('app.log.1', 'one\n')
      await job().run()
      add('app.log', 'three\n')
      renameSync(file('app.log.1'), file('app.log.2'))
      renameSync(file('app.log'), file('app.log.1'))
      add('app.log', 'four\n')
      await job().run()
      expect(written()).toEqual(['two', 'one', 'four', 'three'])
    })

    test('goes on in the middle of one that was renamed since', async () => {
      const lines = numbers(0, 50_000).map(String)
      add('app.log', `${lines.join('\n')}\n`)
      const run = job().start({ capacity: 4 })
      while ((run.stats().stages[1]?.received ?? 0) === 0) await new Promise(setImmediate)
      await run.stop()
      const before = written().length
      expect(before).toBeLessThan(lines.length)
      renameSync(file('app.log'), file('app.log.1'))
      add('app.log', 'new\n')
      await job().run()
      expect(written()).toEqual([...lines.slice(0, before), 'new', ...lines.slice(before)])
    })

    test.each([['app.log'], ['app.log', 'app.log.1']])(
      'reads a new one where that is gone which it had read last: %s %s',
      async (...names) => {
        for (const name of names) add(name, `${name}\n`)
        await job().run()
        rmSync(file(names.at(-1)!))
        add('app.log.2', 'new\n')
        await job().run()
        await job().run()
        expect(written()).toEqual([...names, 'new'])
      },
    )
  })

  test('passes over nothing of what is added to a file in whose middle an earlier run had stopped', async () => {
    const text = numbers(0, 100).map((n) => `line ${n}\n`)
    writeFileSync(file('a.log'), text.join(''))
    writeFileSync(file('b.log'), 'last\n')
    const seen: string[] = []
    const job = () =>
      checkpoint(
        file('job'),
        pipeline(
          readLines(file('*.log')),
          forEach((line) => {
            seen.push(line)
            if (seen.length === 5) void run.stop()
          }),
        ),
        { every: Infinity },
      )
    const run = job().start({ capacity: 1 })
    await run.result
    expect(seen.length).toBeLessThan(100)
    await job().run()
    writeFileSync(file('a.log'), 'new\n', { flag: 'a' })
    await job().run()
    expect(seen.map((line) => `${line}\n`)).toEqual([...text, 'last\n', 'new\n'])
  })

  test.each([
    ['readLines', 'a\nb', '\nc\n\nd\n', (path: string) => readLines(path), ['a', 'b', 'c', '', 'd']],
    ['readLines, CR LF', 'a\r\nb\r', '\nc\r\n', (path: string) => readLines(path), ['a', 'b', 'c']],
    ['readJsonl', '1\n2', '\n3', (path: string) => readJsonl(path), [1, 2, 3]],
    ['readCsv of one column', 'n\n1', '\n2\n', (path: string) => readCsv(path), [{ n: '1' }, { n: '2' }]],
    ['readCsv of one column, CR LF', 'n', '\r\n1\r\n', (path: string) => readCsv(path), [{ n: '1' }]],
    ['readCsv of one column, CR', 'n\r1', '\r2\r', (path: string) => readCsv(path), [{ n: '1' }, { n: '2' }]],
  ] satisfies [string, string, string, (path: string) => Source<unknown>, unknown[]][])(
    'takes a line end that is added to a last line without one for its end, not for a line: %s',
    async (_, first, then, read, expected) => {
      writeFileSync(file('in'), first)
      const got: unknown[] = []
      const job = checkpoint(
        file('job'),
        pipeline(
          read(file('in')),
          forEach((row) => void got.push(row)),
        ),
      )
      await job.run()
      // Nothing has come.
      await job.run()
      writeFileSync(file('in'), then, { flag: 'a' })
      await job.run()
      expect(got).toEqual(expected)
    },
  )

  test('says the line of a bad row behind a line end that was added', async () => {
    writeFileSync(file('in'), 'n\n1')
    const job = checkpoint(file('job'), pipeline(readCsv(file('in'), { types: { n: 'number' } }), drain()))
    await job.run()
    writeFileSync(file('in'), '\nx\n', { flag: 'a' })
    await expect(job.run()).rejects.toThrow(`${file('in')}:3:1: column "n"`)
  })

  test('passes over nothing of the file that follows one in whose middle it had stopped', async () => {
    const lines = (name: string) => numbers(0, 100).map((n) => `${name} ${n}`)
    writeFileSync(file('a.log'), `${lines('old').join('\n')}\n`)
    let seen: string[] = []
    const start = (enough: string) => {
      const run: Run<unknown> = checkpoint(
        file('job'),
        pipeline(
          readLines(file('a.log'), { follow: true }),
          forEach((line) => {
            seen.push(line)
            if (line === enough) void run.stop()
          }),
        ),
      ).start({ capacity: 1 })
      return run.result
    }
    await start('old 5')
    expect(seen.length).toBeLessThan(100)
    rmSync(file('a.log'))
    writeFileSync(file('a.log'), `${lines('new').join('\n')}\n`)
    seen = []
    const [warning] = (await Promise.all([once(process, 'warning'), start('new 99')]))[0] as [Error]
    expect(warning.message).toContain('is gone: the new one is read from its beginning')
    expect(seen).toEqual(lines('new'))
  })

  test('that follows a file and is killed in its first part goes on with that file also where it was moved away', async () => {
    writeFileSync(file('a.log'), 'one\n')
    const seen: string[] = []
    const until = (last: string, end: (run: Run<unknown>) => Promise<unknown>) => {
      const run: Run<unknown> = checkpoint(
        file('job'),
        pipeline(
          readLines(file('a.log'), { follow: true }),
          forEach((line) => {
            seen.push(line)
            if (line === last) end(run).catch(() => {})
          }),
        ),
        { every: Infinity },
      ).start()
      return run.result
    }
    await expect(until('one', (run) => run.abort(new Error('killed')))).rejects.toThrow('killed')
    writeFileSync(file('a.log'), 'two\n', { flag: 'a' })
    renameSync(file('a.log'), file('a.log.1'))
    writeFileSync(file('a.log'), 'three\n')
    await until('three', (run) => run.stop())
    expect(seen).toEqual(['one', 'one', 'two', 'three'])
  })

  test('that follows what is no file does not say that the rest of it is gone', async () => {
    const warnings = await warningsDuring(async () => {
      const run = checkpoint(file('job'), pipeline(readLines(folder, { follow: true }), drain())).run()
      await expect(run).rejects.toThrow('it is a directory')
    })
    expect(warnings).toEqual([])
  })

  describe('that follows from the end and is killed before anything came', () => {
    const seen: unknown[] = []
    let run: Run<unknown>
    const begin = (onSaved?: () => void) => {
      const each = forEach((row) => {
        seen.push(row)
        void run.stop()
      })
      const input = readCsv(file('in.csv'), { follow: true, from: 'end', types: { n: 'number' } })
      run = checkpoint(file('job'), pipeline(input, each), onSaved && { every: 1, onSaved }).start()
      return run.result
    }
    /** It is through with a part: positions have been saved, and nothing has come. */
    const beginAndKill = () =>
      expect(begin(() => void run.abort(new Error('killed')).catch(() => {}))).rejects.toThrow('killed')
    beforeEach(() => void seen.splice(0))

    test.each<[string, (() => void) | undefined]>([
      ['is there', () => writeFileSync(file('in.csv'), 'n,s\n1,old\n')],
      ['is not there yet', undefined],
    ])('begins at the end that a file had which %s when it was started first', async (_, make) => {
      make?.()
      await beginAndKill()
      writeFileSync(file('in.csv'), make ? '2,new\n' : 'n,s\n2,new\n', { flag: 'a' })
      await begin()
      expect(seen).toEqual([{ n: 2, s: 'new' }])
    })

    test.each([
      ['there is no other one', undefined],
      ['the new one is empty', ''],
      ['the new one has other columns', 's,n\nnewer,3\n'],
    ])('knows the columns of a file that was moved away since: %s', async (_, text) => {
      writeFileSync(file('in.csv'), 'n,s\n1,old\n')
      await beginAndKill()
      writeFileSync(file('in.csv'), '2,new\n', { flag: 'a' })
      renameSync(file('in.csv'), file('in.csv.1'))
      if (text !== undefined) writeFileSync(file('in.csv'), text)
      await begin()
      expect(seen[0]).toEqual({ n: 2, s: 'new' })
    })
  })

  test('an input that was replaced before it was read to its end is an error that names it', async () => {
    writeFileSync(file('in.txt'), numbers(0, 50_000).join('\n'))
    const job = checkpoint(file('job'), pipeline(readLines(file('in.txt')), drain()), { every: 2 })
    const run = job.start({ capacity: 4 })
    while ((run.stats().stages[1]?.received ?? 0) === 0) await new Promise(setImmediate)
    await run.stop()
    await pipeline(source(['other']), writeLines(file('in.txt'))).run()
    await expect(job.run()).rejects.toThrow('another file has taken its place')
  })
})
