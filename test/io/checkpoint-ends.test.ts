/** Jobs whose stages end early, whose parts end in the middle, and that are not what they were. */
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import {
  alsoTo,
  balance,
  concat,
  drain,
  DrainTimeoutError,
  fanIn,
  fanOut,
  first,
  forEach,
  groupBy,
  interleave,
  map,
  mergeSorted,
  pipeline,
  range,
  route,
  type Run,
  type RunOptions,
  type Sink,
  type Source,
  source,
  stage,
  take,
  zip,
} from 'sluice'
import { checkpoint, readJsonl, readLines, writeLines } from 'sluice/io'
import { progress } from 'sluice/inspect'
import { chunkSink } from '../../src/connect/chunk-sink.ts'
import { unhandledDuring } from '../pipeline/support-leaks.ts'
import { deferred } from '../pipeline/support-waiting.ts'

const top = mkdtempSync(join(tmpdir(), 'sluice-checkpoint-ends-'))
afterAll(() => rmSync(top, { recursive: true }))
let folder: string
const file = (name: string) => join(folder, name)
const text = (name: string) => readFileSync(file(name), 'utf8')
beforeEach(() => {
  folder = mkdtempSync(join(top, 'case-'))
})

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)
const turn = () => new Promise((resolve) => setImmediate(resolve))
const until = async (ready: () => boolean): Promise<void> => {
  while (!ready()) await turn()
}
/** A source that gives a number each turn of the event loop. */
const slow = (from: number, to: number): Source<number> =>
  source(async function* () {
    for (const n of numbers(from, to)) {
      await turn()
      yield n
    }
  })
const into = <T>(seen: T[]): Sink<T, void> => forEach<T>((value) => void seen.push(value))
const kept = { append: true, sync: true }

/** What a part after the last save has written when the job is killed. */
const killedBehind = (name: string, more: string): void => writeFileSync(file(name), more, { flag: 'a' })

/** A sink whose target takes longer to open than a part may take. */
const slowToOpen = <T>(seen: T[]): Sink<T, number> =>
  chunkSink<T, T, number>(
    'slow',
    {},
    {
      async open() {
        await sleep(15)
        return { write: (values) => void seen.push(...values), end: () => seen.length, abandon: () => {} }
      },
      encode: (value) => value,
    },
  )

describe('a job whose parts take longer than they may', () => {
  /** Enough for all there is to be read. */
  const MANY = 10
  const run = async (from: Source<number>): Promise<number[]> => {
    const seen: number[] = []
    let parts = 0
    const onSaved = () => {
      if (++parts > MANY) throw new Error('it goes on and on')
    }
    await checkpoint(file('job'), pipeline(from, slowToOpen(seen)), { every: 2, onSaved }).run()
    return seen
  }

  test('ends when its source has come to its end', async () => {
    expect(await run(source([1, 2, 3]))).toEqual([1, 2, 3])
  })

  test('ends when all that are merged have', async () => {
    writeFileSync(file('in.txt'), '4\n5\n')
    const lines = pipeline(readLines(file('in.txt')), map(Number))
    expect((await run(fanIn([1, 2], concat([3], lines)))).sort()).toEqual([1, 2, 3, 4, 5])
  })

  test('reads what comes behind a source that has come to its end', async () => {
    const behind = source(async function* () {
      await sleep(10)
      yield 2
    })
    expect(await run(concat([1], behind))).toEqual([1, 2])
  })
})

describe('a job of several sources', () => {
  const joined = {
    fanIn: fanIn(range(200), slow(200, 400)),
    concat: concat(slow(0, 200), slow(200, 400)),
    interleave: interleave(range(200), slow(200, 400)),
    mergeSorted: mergeSorted((a: number, b: number) => a - b, range(200), slow(200, 400)),
  }
  test.each(Object.entries(joined))('gives every value of %s once', async (_, from) => {
    const seen: number[] = []
    const { parts } = await checkpoint(file('job'), pipeline(from, into(seen)), {
      every: 1,
    }).run()
    expect(parts).toBeGreaterThan(1)
    expect(seen.sort((a, b) => a - b)).toEqual(numbers(0, 400))
  })

  test('refuses zip, which drops what has no partner at the end of a part, before anything is read', async () => {
    const seen: unknown[] = []
    const job = checkpoint(file('job'), pipeline(zip(range(3), range(3)), into(seen)))
    await expect(job.run()).rejects.toThrow('Cannot make a job of zip')
    expect([seen, readdirSync(folder)]).toEqual([[], []])
  })
})

describe('a job of which a stage wants no more', () => {
  const early: [string, (seen: number[]) => Sink<number, unknown>][] = [
    ['take', (seen) => pipeline(take<number>(5), into(seen))],
    ['first', () => first<number>()],
    [
      'a stage of the user',
      (seen) =>
        pipeline(
          stage<number, number>('three', async (rx, tx) => {
            let left = 3
            for await (const value of rx) {
              await tx.send(value)
              if (--left === 0) break
            }
          }),
          into(seen),
        ),
    ],
  ]
  test.each(early)('does not save a position behind what %s has dropped', async (_, sink) => {
    const seen: number[] = []
    const job = checkpoint(file('job'), pipeline(range(1000), sink(seen)))
    await expect(job.run()).rejects.toThrow('Cannot save how far the job has come: behind "range"')
    expect(JSON.parse(text('job'))).toMatchObject({ parts: 0, positions: {} })
  })

  test('goes on where that is a branch among others', async () => {
    const [all, some]: number[][] = [[], []]
    const sinks = fanOut({ all: into(all), some: pipeline(take<number>(2), into(some)) })
    await checkpoint(file('job'), pipeline(range(1000), sinks)).run()
    expect([all.length, some]).toEqual([1000, [0, 1]])
  })
})

describe('the branches of a job', () => {
  const lines = () => readLines(file('in'))
  const a = () => writeLines(file('a'), kept)
  const b = () => writeLines(file('b'), kept)
  const jobs = {
    fanOut: () => checkpoint(file('job'), pipeline(lines(), fanOut({ a: a(), b: b() }))),
    alsoTo: () => checkpoint(file('job'), pipeline(lines(), alsoTo(a()), b())),
    route: () =>
      checkpoint(
        file('job'),
        pipeline(
          lines(),
          route(() => 'a', { a: a(), none: drain() }),
        ),
      ),
    balance: () => checkpoint(file('job'), pipeline(lines(), balance(1, a()))),
  }
  test.each(Object.entries(jobs))('of %s go on where they were', async (_, job) => {
    writeFileSync(file('in'), 'one\ntwo\n')
    await job().run()
    const written = readdirSync(folder).filter((name) => name === 'a' || name === 'b')
    for (const name of ['in', ...written]) killedBehind(name, 'three\n')
    await job().run()
    await job().run()
    expect(written.map(text)).toEqual(written.map(() => 'one\ntwo\nthree\n'))
    expect(written).toContain('a')
  })

  test('are counted each by itself, and what follows them as well', async () => {
    const branch = (key: number) => map((n: number) => n + key, { name: `map ${key}` })
    const job = pipeline(
      slow(0, 300),
      groupBy((n: number) => Math.floor(n / 7) % 5, branch),
      drain(),
    )
    const run = checkpoint(file('job'), job, { every: 1 }).start()
    const { parts } = await run.result
    expect(parts).toBeGreaterThan(2)
    const stages = Object.fromEntries(run.stats().stages.map(({ name, received }) => [name, received]))
    expect(stages).toMatchObject({ source: 0, groupBy: 300, drain: 300 })
    const counted = numbers(0, 300).filter((n) => Math.floor(n / 7) % 5 === 2)
    if ('map 2' in stages) expect(stages['map 2']).toBe(counted.length)
  })
})

describe('a job that is not what it was', () => {
  test('goes on though stages have come in between', async () => {
    writeFileSync(file('in'), 'one\n')
    await checkpoint(file('job'), pipeline(readLines(file('in')), writeLines(file('out'), kept))).run()
    killedBehind('in', 'two\n')
    killedBehind('out', 'two\n')
    const upper = map((line: string) => line.toUpperCase())
    await checkpoint(file('job'), pipeline(readLines(file('in')), upper, writeLines(file('out'), kept))).run()
    expect(text('out')).toBe('one\nTWO\n')
  })

  test('reads a source that is new from its beginning', async () => {
    const seen: number[] = []
    await checkpoint(file('job'), pipeline(fanIn(range(3)), into(seen))).run()
    await checkpoint(file('job'), pipeline(fanIn(range(3), range(10, 12)), into(seen))).run()
    expect(seen).toEqual([0, 1, 2, 10, 11])
  })

  test.each(['__proto__', 'constructor', 'a / b'])('may have a source called %s', async (name) => {
    const seen: number[] = []
    const job = () => pipeline(source(numbers(0, 3 + seen.length), { name }), into(seen))
    await checkpoint(file('job'), job()).run()
    await checkpoint(file('job'), job()).run()
    expect(seen).toEqual(numbers(0, 6))
  })

  test('is refused where a source or a sink has gone, or has another name, before anything is read', async () => {
    const seen: number[] = []
    await checkpoint(file('job'), pipeline(fanIn(range(3), range(9)), drain())).run()
    const fewer = checkpoint(file('job'), pipeline(fanIn(range(20)), into(seen)))
    const missing =
      'it knows how far "fanIn / 1 / range" has come, and the pipeline has no such source or sink'
    await expect(fewer.run()).rejects.toThrow(`Cannot go on from the checkpoint ${file('job')}: ${missing}`)
    writeFileSync(file('in'), 'one\n')
    const named = (name: string) => writeLines(file('out'), { ...kept, name })
    await checkpoint(file('other'), pipeline(readLines(file('in')), named('a'))).run()
    await expect(
      checkpoint(file('other'), pipeline(readLines(file('in')), named('b'))).run(),
    ).rejects.toThrow('"a"')
    expect(seen).toEqual([])
  })
})

describe('a source that is asked while a part ends', () => {
  test('has not passed a bad row that its handler has not dealt with', async () => {
    writeFileSync(file('in'), '{"n":1}\nbad\n{"n":2}\n')
    const handled = deferred<void>()
    const told: string[] = []
    const seen: unknown[] = []
    let parts = 0
    const job = (onError: (failure: { value: unknown }) => void | Promise<void>) =>
      checkpoint(file('job'), pipeline(readJsonl(file('in'), { onError }), into(seen)), {
        every: 1,
        onSaved: () => void (seen.length > 0 && ++parts === 2 && handled.reject(new Error('not kept'))),
      })
    await expect(job(() => handled.promise).run()).rejects.toMatchObject({ cause: { message: 'not kept' } })
    await job(({ value }) => void told.push(String(value))).run()
    expect([told, seen]).toEqual([['bad'], [{ n: 1 }, { n: 2 }]])
  })
})

describe('a run of a job', () => {
  const never = () =>
    source(async function* () {
      yield 1
      await new Promise(() => {})
    })

  test('is stopped at once though its source gives nothing, also in its first turn', async () => {
    const seen: number[] = []
    const run = checkpoint(file('job'), pipeline(never(), into(seen)), { every: 2 }).start()
    await until(() => seen.length > 0)
    await expect(run.stop()).resolves.toBeDefined()
    const other = checkpoint(file('other'), pipeline(never(), into(seen))).start()
    await other.stop()
    expect(seen).toEqual([1])
  })

  test('rejects once where a stop has a deadline, and refuses one that is wrong', async () => {
    const rejected: unknown[] = []
    const heard = (reason: unknown): void => void rejected.push(reason)
    process.on('unhandledRejection', heard)
    try {
      let called = false
      const hangs = forEach(() => ((called = true), new Promise<void>(() => {})))
      const run = checkpoint(file('job'), pipeline(range(9), hangs)).start()
      await until(() => called)
      await expect(run.stop({ deadline: -1 })).rejects.toThrow('Cannot stop: "deadline" must be')
      await expect(run.stop({ deadline: 1 })).rejects.toThrow('Cannot drain in 1 ms')
      await turn()
      expect(rejected).toEqual([])
    } finally {
      process.off('unhandledRejection', heard)
    }
  })

  test('has ended when an abort has, whatever it was doing', async () => {
    const run = checkpoint(file('job'), pipeline(range(3), drain())).start()
    const result = run.result.catch((error: unknown) => error)
    await run.abort(new Error('enough'))
    const names = readdirSync(folder)
    await expect(result).resolves.toMatchObject({ message: 'enough' })
    await turn()
    expect(readdirSync(folder)).toEqual(names)
  })

  test('has one part where it is to be saved only at the end', async () => {
    const job = pipeline(slow(0, 50), drain())
    expect(await checkpoint(file('job'), job, { every: Infinity }).run()).toMatchObject({ parts: 1 })
  })

  test('has its file to itself, and leaves no other one', async () => {
    const job = checkpoint(file('job'), pipeline(slow(0, 5), drain()))
    const running = job.run()
    await expect(job.run()).rejects.toThrow('a job of this process is using it')
    await running
    await job.run()
    expect(readdirSync(folder)).toEqual(['job'])
    const saved = JSON.parse(readFileSync(file('job'), 'utf8')) as object
    expect(Object.keys(saved)).toEqual(['version', 'parts', 'positions'])
    // As it was written by earlier versions.
    writeFileSync(file('job'), JSON.stringify({ ...saved, done: true }))
    expect(await job.run()).toMatchObject({ parts: 1 })
    const nowhere = checkpoint(file('none/job'), pipeline(range(1), drain()))
    await expect(nowhere.run()).rejects.toThrow(
      `Cannot write the checkpoint ${file('none/job')}: ENOENT: no such folder: ${file('none')}`,
    )
  })

  test('keeps a link to its file a link, and has it to itself by each of its names', async () => {
    mkdirSync(file('elsewhere'))
    symlinkSync('elsewhere/job', file('link'))
    const job = checkpoint(file('link'), pipeline(slow(0, 5), drain()))
    await job.run()
    expect(lstatSync(file('link')).isSymbolicLink()).toBe(true)
    const running = job.run()
    const other = checkpoint(file('elsewhere/job'), pipeline(slow(0, 5), drain()))
    await expect(other.run()).rejects.toThrow('a job of this process is using it')
    expect(await running).toMatchObject({ parts: 1 })
    await other.run()
    expect(readdirSync(folder).sort()).toEqual(['elsewhere', 'link'])
    expect(readdirSync(file('elsewhere'))).toEqual(['job'])
  })

  test.each([
    ['linked/job', 'linked/job'],
    ['linked/job', 'folder/job'],
    ['dangling', 'dangling'],
    ['dangling', 'folder/target'],
    ['folder/target', 'linked/link'],
    ['near/up', 'deep/target'],
  ])(
    'has it to itself by each of its names though it came only with its first part: %s and %s',
    async (name, other) => {
      mkdirSync(file('folder'))
      symlinkSync('target', file('folder/link'))
      symlinkSync('folder', file('linked'))
      symlinkSync('folder/target', file('dangling'))
      mkdirSync(file('deep/er'), { recursive: true })
      symlinkSync('deep/er', file('near'))
      symlinkSync('../target', file('deep/er/up'))
      const saved = deferred()
      const stages = pipeline(range(Infinity), forEach(turn))
      const first = checkpoint(file(name), stages, { every: 1, onSaved: () => saved.resolve() }).start()
      await using _ = first
      const second = checkpoint(file(other), stages)
      await expect(second.run()).rejects.toThrow('a job of this process is using it')
      await saved.promise
      await expect(second.run()).rejects.toThrow('a job of this process is using it')
    },
  )

  test('has a file with a name as long as names can be', async () => {
    const name = 'x'.repeat(255)
    await checkpoint(file(name), pipeline(range(1), drain())).run()
    expect(readdirSync(folder)).toEqual([name])
  })

  test('waits for what onSaved gives, and fails with what it fails with', async () => {
    const onSaved = () => Promise.reject(new Error('not told'))
    await expect(checkpoint(file('job'), pipeline(range(1), drain()), { onSaved }).run()).rejects.toThrow(
      'not told',
    )
  })

  test.each([
    ['done in', (n: number) => n],
    ['failed after', () => Promise.reject(new Error('no'))],
  ])('is shown by progress() as any run is, and its end as it ends: %s', async (state, call) => {
    const lines: string[] = []
    const job = checkpoint(file('job'), pipeline(range(3), map(call), drain()))
    const run = job.start({ name: 'nightly' })
    progress(run, { stream: { write: (line) => lines.push(line) } })
    await run.result.catch(() => {})
    expect(lines).toEqual([expect.stringContaining(`nightly  ${state} `)])
  })

  test.each([
    ['failed after', () => Promise.reject(new Error('no'))],
    ['failed after', () => Promise.reject(undefined)],
    ['failed after', () => Promise.reject(new DrainTimeoutError(['of another run'], 1))],
    ['aborted after', (run: Run<unknown>) => run.abort(new Error('no'))],
    ['aborted after', (run: Run<unknown>) => run.stop({ deadline: 0 })],
  ])('is shown by progress() to have %s where that was so between two parts', async (state, onSaved) => {
    const lines: string[] = []
    const job = checkpoint(file('job'), pipeline(range(3), drain()), {
      onSaved: () => onSaved(run).then(() => {}),
    })
    const run: Run<unknown> = job.start({ name: 'nightly' })
    progress(run, { stream: { write: (line) => lines.push(line) } })
    await run.result.catch(() => {})
    expect(lines).toEqual([expect.stringContaining(`nightly  ${state} `)])
  })

  describe('while onSaved takes for ever', () => {
    const hung = async (options?: RunOptions) => {
      const called = deferred()
      const onSaved = () => (called.resolve(), new Promise<void>(() => {}))
      const run = checkpoint(file('job'), pipeline(range(1), drain()), { onSaved }).start(options)
      const outcome = run.result.then(String, String)
      await called.promise
      return { run, outcome }
    }

    test('an abort ends it at once, and what was saved stays', async () => {
      const { run, outcome } = await hung()
      const saved = text('job')
      await run.abort(new Error('enough'))
      expect([await outcome, text('job')]).toEqual(['Error: enough', saved])
    })

    test('the signal of its options ends it at once', async () => {
      const controller = new AbortController()
      const { outcome } = await hung({ signal: controller.signal })
      controller.abort(new Error('enough'))
      expect(await outcome).toBe('Error: enough')
    })

    test('a stop ends it past its deadline, which may be that of a later one, and names what is busy', async () => {
      const { run, outcome } = await hung()
      run.stop({ deadline: 100_000 }).catch(() => {})
      await expect(run.stop({ deadline: 1 })).rejects.toMatchObject({
        name: 'DrainTimeoutError',
        stages: ['onSaved'],
      })
      expect(await outcome).toContain('Cannot drain in 1 ms: still busy: onSaved')
    })
  })

  test.each([{}, { onSaved: () => {} }])(
    'is not late where saving outlasts the deadline of a stop',
    async (options) => {
      const run: Run<unknown> = checkpoint(
        file('job'),
        pipeline(
          range(1),
          forEach(() => {
            run.stop({ deadline: 1 }).catch(() => {})
            for (const end = performance.now() + 5; performance.now() < end;);
          }),
        ),
        options,
      ).start()
      expect(await run.result).toEqual({ parts: 1, last: undefined })
    },
  )

  test('can be aborted in onSaved, which may wait for that', async () => {
    const run: Run<unknown> = checkpoint(file('job'), pipeline(range(1), drain()), {
      onSaved: () => run.abort(new Error('enough')),
    }).start()
    await expect(run.result).rejects.toThrow('enough')
  })

  test('leaves no rejection unhandled where its source rejects before the file has been read', async () => {
    const gone = new Error('gone')
    const unhandled = await unhandledDuring(async () => {
      const promised = source(Promise.reject<number[]>(gone))
      await expect(checkpoint(file('a'), pipeline(promised, drain())).run()).rejects.toMatchObject({
        cause: gone,
      })
      const merged = fanIn(range(2), source([Promise.reject<number>(gone)]))
      await expect(checkpoint(file('b'), pipeline(merged, drain())).run()).rejects.toMatchObject({
        cause: gone,
      })
    })
    expect(unhandled).toEqual([])
  })

  test('does not cut off what another job has written to the same file', async () => {
    const job = (name: string, from: number) =>
      checkpoint(file(name), pipeline(slow(from, from + 300), map(String), writeLines(file('out'), kept)), {
        every: 1,
      })
    const results = await Promise.allSettled([job('a', 0).run(), job('b', 1000).run()])
    const reasons = results.flatMap((result) => (result.status === 'rejected' ? [String(result.reason)] : []))
    expect(reasons[0]).toContain('somebody else writes to it')
  })

  test('has written all that it says where another job begins with the same file at the same time', async () => {
    const job = (name: string) =>
      checkpoint(file(name), pipeline(source([`${name} 1`, `${name} 2`]), writeLines(file('out'), kept)))
    for (let round = 0; round < 10; round++) {
      const names = [`a${round}`, `b${round}`]
      writeFileSync(file('out'), '')
      const results = await Promise.allSettled(names.map((name) => job(name).run()))
      const done = names.filter((_, place) => results[place].status === 'fulfilled')
      for (const name of done) expect(text('out')).toContain(`${name} 1\n${name} 2\n`)
    }
  })

  test('fails where somebody else has added to its output in its last part', async () => {
    async function* lines() {
      yield 'a'
      await until(() => text('out') === 'a\n')
      writeFileSync(file('out'), 'not mine\n', { flag: 'a' })
    }
    const job = checkpoint(file('job'), pipeline(source(lines), writeLines(file('out'), kept)))
    await expect(job.run()).rejects.toThrow('somebody else writes to it')
    expect(text('out')).toBe('a\nnot mine\n')
  })
})
