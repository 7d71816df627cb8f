/** `stallAfter`: a warning that says what each stage waits for, when nothing has moved for that long. */
import { describe, expect, test } from 'vitest'
import {
  batch,
  channel,
  drain,
  fanIn,
  fanOut,
  forEach,
  groupBy,
  map,
  pipeline,
  range,
  source,
  stage,
  take,
  toArray,
  type ChannelOptions,
  type Run,
  type RunOptions,
  type Sender,
} from 'sluice'
import { hang, pause, script, virtualTime } from 'sluice/testing'
import { eventsDuring } from './support-events.ts'
import { warningsDuring } from './support-leaks.ts'
import { runProgram } from './support-programs.ts'
import { deferred, never, outcome, rejection, type Deferred } from './support-waiting.ts'

interface Startable {
  start(options: RunOptions): Run<unknown>
}

/** The warnings of a run that is watched while so much virtual time passes, and aborted then if it has not ended. */
async function warningsOf(pipe: Startable, ms: number, stallAfter = 100): Promise<string[]> {
  using time = virtualTime()
  return await warningsDuring(async () => {
    const run = pipe.start({ stallAfter, name: 'watched' })
    const end = outcome(run.result)
    await time.advance(ms)
    await run.abort()
    await end
  })
}

/** A run of it, and how many warnings there have been by now. */
async function watching(
  pipe: Startable,
  work: (run: Run<unknown>, stalls: () => number) => Promise<unknown>,
) {
  let count = 0
  const see = () => void count++
  process.on('warning', see)
  const run = pipe.start({ stallAfter: 100 })
  const end = outcome(run.result)
  try {
    await work(run, () => count)
  } finally {
    await run.abort()
    await end
    process.off('warning', see)
  }
}

/** Senders that send nothing any more. One that is collected closes its channel, and a warning tells of it. */
const kept: Sender<number>[] = []

function silent(options?: ChannelOptions<number>) {
  const ends = channel<number>(10, options)
  kept.push(ends[0])
  return ends
}

const silentDaemon = () => silent({ daemon: true, name: 'daemon' })

describe('a run that stalls', () => {
  test('is reported once, as soon as nothing has moved for that long, and not again while it hangs', async () => {
    using time = virtualTime()
    await watching(pipeline(range(3), map(never), drain()), async (_, stalls) => {
      await time.advance(99)
      expect(stalls()).toBe(0)
      await time.advance(26)
      expect(stalls()).toBe(1)
      await time.advance(10_000)
      expect(stalls()).toBe(1)
    })
  })

  test('is reported again when values have moved since, and then stopped', async () => {
    const gates: Deferred<void>[] = []
    const gated = map((n: number) => {
      const gate = deferred()
      gates.push(gate)
      return gate.promise.then(() => n)
    })
    using time = virtualTime()
    await watching(pipeline(range(10), gated, drain()), async (_, stalls) => {
      for (let round = 1; round <= 4; round++) {
        await time.advance(1_000)
        expect(stalls()).toBe(round)
        gates.at(-1)!.resolve()
      }
    })
  })

  test('is told to diagnostics_channel, with the same text', async () => {
    let warnings: string[] = []
    const told = await eventsDuring(async () => {
      warnings = await warningsOf(pipeline(range(3), map(never), drain()), 1_000)
    })
    const stalls = told.filter(({ event }) => event === 'run:stall')
    expect(stalls).toHaveLength(1)
    expect(warnings).toEqual([`SluiceWarning: ${stalls[0].report}`])
    expect(stalls[0].run.name).toBe('watched')
  })

  test.each([
    ['a source that never gives a value', pipeline(source(script<number>([1, hang()])), drain())],
    ['a channel that nobody sends to', pipeline(source(silent()[1]), drain())],
    ['a custom stage that hangs', pipeline(range(3), stage<number, number>('own', never), drain())],
    ['a call that hangs behind a batch', pipeline(range(30), batch(3), forEach(never))],
    ['one branch of two that hangs', pipeline(range(3000), fanOut({ a: drain(), b: forEach(never) }))],
    ['clean-up that hangs after the end of the stages', pipeline(source(hangsInReturn()), take(1), drain())],
  ])('is reported where it is %s', async (_, pipe) => {
    expect(await warningsOfHung(pipe)).toHaveLength(1)
  })

  test('is reported while a stop waits for it', async () => {
    using time = virtualTime()
    await watching(pipeline(range(3), map(never), drain()), async (run, stalls) => {
      await time.advance(0)
      void outcome(run.stop())
      await time.advance(200)
      expect(stalls()).toBe(1)
    })
  })
})

/** As `warningsOf`, of runs that may hang in their clean-up: an abort would wait for it. */
async function warningsOfHung(pipe: Startable): Promise<string[]> {
  using time = virtualTime()
  return await warningsDuring(async () => {
    const run = pipe.start({ stallAfter: 100 })
    const end = outcome(run.result)
    await time.advance(500)
    const stopped = outcome(run.stop({ deadline: 10 }))
    await time.advance(10 + 500)
    await Promise.all([stopped, end])
  })
}

function hangsInReturn(): AsyncIterable<number> {
  return {
    [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: false, value: 1 }), return: never }),
  }
}

describe('a run is not reported', () => {
  test('while values come slowly, but within the time', async () => {
    const slow = script([1, pause(90), 2, pause(90), 3, pause(90), 4, pause(90), 5])
    expect(await warningsOf(pipeline(source(slow), drain()), 1_000)).toEqual([])
  })

  test('while calls take long, but not that long', async () => {
    const slow = map((n: number) => new Promise<number>((resolve) => setTimeout(resolve, 90, n)))
    expect(await warningsOf(pipeline(range(8), slow, drain()), 2_000)).toEqual([])
  })

  test('but for each pause that is too long', async () => {
    const slow = script([1, pause(300), 2, pause(90), 3, pause(300), 4, pause(90), 5])
    expect(await warningsOf(pipeline(source(slow), drain()), 2_000)).toHaveLength(2)
  })

  test.each([
    ['plain stages', (rx: Readable) => pipeline(source(rx), map(String), batch(10), drain())],
    ['a custom stage', (rx: Readable) => pipeline(source(rx), stage<number, number>('own', pass), drain())],
    ['branches', (rx: Readable) => pipeline(source(rx), fanOut({ a: drain(), b: toArray() }))],
    ['a fanIn', (rx: Readable) => pipeline(fanIn(rx, range(3)), drain())],
  ])('while it only waits for a daemon source, behind which are %s', async (_, make) => {
    const [tx, rx] = silentDaemon()
    tx.trySend(1)
    expect(await warningsOf(make(rx), 5_000)).toEqual([])
  })

  test('unless a call hangs behind the daemon source', async () => {
    for (const make of [
      (rx: Readable) => pipeline(source(rx), map(never), drain()),
      (rx: Readable) =>
        pipeline(
          source(rx),
          stage<number, number>('own', async (rx) => void (await rx.recv(), await never())),
          drain(),
        ),
      (rx: Readable) => pipeline(source(rx), fanOut({ a: drain(), b: forEach(never) })),
    ]) {
      const [tx, rx] = silentDaemon()
      tx.trySend(1)
      expect(await warningsOf(make(rx), 5_000)).toHaveLength(1)
    }
  })

  test('where nobody asked for it, or the time is endless', async () => {
    for (const stallAfter of [undefined, Infinity]) {
      using time = virtualTime()
      const warnings = await warningsDuring(async () => {
        const run = pipeline(range(3), map(never), drain()).start({ stallAfter })
        const end = rejection(run.result)
        await time.advance(100_000)
        expect(time.pending).toBe(0)
        await run.abort()
        await end
      })
      expect(warnings).toEqual([])
    }
  })
})

type Readable = ReturnType<typeof silentDaemon>[1]
const pass = async (rx: AsyncIterable<number>, tx: { send(n: number): Promise<void> }) => {
  for await (const n of rx) await tx.send(n)
}

describe('the watchdog', () => {
  test.each<[string, (pipe: Startable) => Promise<unknown>]>([
    ['its end', (pipe) => pipe.start({ stallAfter: 50 }).result],
    [
      'a failure',
      () =>
        outcome(
          pipeline(
            range(3),
            map(() => Promise.reject(new Error('no'))),
          ).run({ stallAfter: 50 }),
        ),
    ],
    ['an abort', (pipe) => endOf(pipe, (run) => run.abort())],
    ['a stop', (pipe) => endOf(pipe, (run) => run.stop())],
    [
      'a stop past its deadline',
      () => endOf(pipeline(range(3), map(never)), (run) => run.stop({ deadline: 0 })),
    ],
    [
      'an abort through its signal',
      (pipe) => outcome(pipe.start({ stallAfter: 50, signal: abortsSoon() }).result),
    ],
    [
      'a signal that had aborted before',
      (pipe) => outcome(pipe.start({ stallAfter: 50, signal: AbortSignal.abort() }).result),
    ],
  ])('is gone after %s: no timer is left', async (_, work) => {
    using time = virtualTime()
    const warnings = await warningsDuring(async () => {
      await time.runUntil(
        Promise.all([work(pipeline(range(3), map(String))), new Promise((r) => setTimeout(r, 1))]),
      )
      expect(time.pending).toBe(0)
    })
    expect(warnings).toEqual([])
  })

  test('holds no process, and keeps no deadlock from being reported', async () => {
    const { code, stdout, stderr } = await runProgram('watched-deadlock')
    expect(stdout).toBe('')
    expect(stderr).toContain('DeadlockError: Deadlock in pipeline "watched"')
    expect(stderr).not.toContain('has not moved')
    expect(code).toBe(1)
  }, 20_000)

  test('holds no process that only waits for a daemon', async () => {
    const { code, stdout, stderr } = await runProgram('watched-daemon')
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'through\n', stderr: '' })
  }, 20_000)

  test('warns in a real program while something else goes on, and takes no busy event loop for a stall', async () => {
    const { code, stdout, stderr } = await runProgram('watched')
    expect(stderr.match(/SluiceWarning/g)).toHaveLength(1)
    expect(stderr).toMatch(/Pipeline "hangs", made at \S*watched\.ts:\d+:\d+, has not moved for 50 ms:/)
    expect(stderr).toContain('stage 1 "map" waits for 1 call of its function to return')
    expect(stdout).toBe('busy: through\n')
    expect(code).toBe(0)
  }, 20_000)

  test.each([-1, NaN, '5', null, 5n, {}])(
    'refuses a stallAfter of %s before anything runs',
    async (stallAfter) => {
      const options = { stallAfter } as unknown as RunOptions
      const text = /Cannot run pipeline: "stallAfter" must be a number of milliseconds >= 0, got /
      let pulled = 0
      const pipe = pipeline(
        source([1]),
        map(() => pulled++),
      )
      expect(() => pipe.start(options)).toThrow(RangeError)
      expect(() => pipe.start(options)).toThrow(text)
      await expect(pipe.run(options)).rejects.toThrow(text)
      expect(pulled).toBe(0)
    },
  )
})

function abortsSoon(): AbortSignal {
  const controller = new AbortController()
  queueMicrotask(() => controller.abort())
  return controller.signal
}

async function endOf(pipe: Startable, how: (run: Run<unknown>) => Promise<unknown>): Promise<void> {
  const run = pipe.start({ stallAfter: 50 })
  const end = outcome(run.result)
  await outcome(how(run))
  await end
}

describe('the report', () => {
  test('names the pipeline, where it was made, and what each stage waits for; those that have ended are left out', async () => {
    const pipe = pipeline(
      range(2),
      map((n) => n, { name: 'first' }),
      map(never, { name: 'stuck' }),
      drain(),
    )
    const [warning] = await warningsOf(pipe, 500)
    const [title, ...lines] = warning.split('\n')
    expect(title).toMatch(
      /^SluiceWarning: Pipeline "watched", made at \S*stall\.test\.ts:\d+:\d+, has not moved for 100 ms:$/,
    )
    expect(lines).toEqual([
      '  stage 2 "stuck" waits for 1 call of its function to return',
      '  stage 3 "drain" waits for a value',
    ])
  })

  test('names the branch that is full, and stands its stages below it', async () => {
    const slow = pipeline(
      map((n: number) => n, { name: 'into', capacity: 1 }),
      forEach(never, { name: 'stuck' }),
    )
    const pipe = pipeline(range(5000), fanOut({ slow, fast: drain({ name: 'fast one' }) }, { capacity: 3 }))
    const [warning] = await warningsOf(pipe, 500)
    expect(warning.split('\n').slice(1)).toEqual([
      '  stage 0 "range" waits for room (256 of 256)',
      '  stage 1 "fanOut" waits for branch "slow" to take a value',
      '    branch "slow": stage 0 "into" waits for room (1 of 1)',
      '    branch "slow": stage 1 "stuck" waits for 1 call of its function to return',
      '    branch "fast": stage 0 "fast one" waits for a value',
    ])
  })

  test('names the stage and the branch of what hangs also where that stage, or the first of the branch, has ended', async () => {
    const inner = pipeline(
      map((n: number) => n),
      fanOut({ stuck: map(never), well: map((n: number) => n) }),
    )
    const [warning] = await warningsOf(pipeline(range(3), fanOut({ inner, well: batch(2) }), drain()), 500)
    expect(warning.split('\n').slice(1)).toEqual([
      '  stage 1 "fanOut" has ended',
      '    branch "inner": stage 1 "fanOut" has ended',
      '      branch "stuck": stage 0 "map" waits for 1 call of its function to return',
      '  stage 2 "drain" waits for a value',
    ])
  })

  test('names the channel that a source reads, with the places of its open senders', async () => {
    const [tx, rx] = channel<number>(3, { name: 'orders' })
    const other = tx.clone()
    const [warning] = await warningsOf(pipeline(source(rx), drain()), 500)
    expect(warning).toMatch(
      /stage 0 "source" waits for channel "orders", 2 senders and 1 receiver open(\n {6}\w+ made at \S*stall\.test\.ts:\d+:\d+){3}\n/,
    )
    expect(other.closed && tx.closed).toBe(true)
  })

  test('says what still hangs of a stage that was left: its clean-up', async () => {
    const [warning] = await warningsOfHung(pipeline(source(hangsInReturn()), take(1), drain()))
    expect(warning.split('\n').slice(1)).toEqual(['  stage 0 "source" waits for its clean-up'])
  })

  test('is not longer than sixty lines, however many branches there are', async () => {
    const rows = [
      [59, '  and 1 stage more'],
      [200, '  and 142 stages more'],
    ] as const
    for (const [branches, last] of rows) {
      const pipe = pipeline(
        range(branches),
        groupBy(
          (n) => n,
          () => map(never),
        ),
        drain(),
      )
      const [warning] = await warningsOf(pipe, 500)
      const lines = warning.split('\n')
      expect(lines).toHaveLength(1 + 60 + 1)
      // groupBy, the branches and the sink.
      expect(lines.at(-1)).toBe(last)
    }
  })
})
