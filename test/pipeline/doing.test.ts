/** What `describe()` of a run says that each stage does, at rest: the same words stand in the reports of stalls and deadlocks. */
import { describe, expect, test } from 'vitest'
import {
  alsoTo,
  balance,
  batch,
  buffer,
  channel,
  concat,
  delay,
  drain,
  fanIn,
  fanOut,
  flatMap,
  forEach,
  groupBy,
  idleTimeout,
  interleave,
  interval,
  map,
  mergeSorted,
  pipeline,
  range,
  reduce,
  route,
  sample,
  source,
  stage,
  take,
  throttle,
  unfold,
  writeTo,
  zip,
  type Run,
} from 'sluice'
import { hang, pause, script, virtualTime } from 'sluice/testing'
import { doing, soundGraph } from './support-graphs.ts'
import { naturals } from './support-sources.ts'
import { deferred, never, outcome, until } from './support-waiting.ts'

const hung = forEach(never, { name: 'hung' })
const silent = () => source(script<number>([hang()]), { name: 'silent' })
const three = () => source(script([1, 2, 3, hang()]), { name: 'three' })
const endless = (n: number) => range(n, Infinity, 1, { name: 'endless' })
const custom = (task: Parameters<typeof stage<number, number>>[1]) => stage<number, number>('custom', task)
const stuckTarget = (how: { write?: () => Promise<void>; close?: () => Promise<void> }) =>
  new WritableStream<number>(how, new CountQueuingStrategy({ highWaterMark: 1 }))

async function* hangs() {
  yield 1
  await never()
}

/** The stage, a pipeline that is started with capacity 2, and what the stage does once nothing moves any more. */
const rows: [
  stage: string,
  pipe: { start(options: { capacity: number }): Run<unknown> },
  doing: string | RegExp,
][] = [
  ['silent', pipeline(silent(), drain()), 'waits for its source'],
  ['source', pipeline(source(never()), drain()), 'waits for its source'],
  ['source', pipeline(source([never()]), drain()), 'waits for its source'],
  ['endless', pipeline(endless(0), hung), 'waits for room (2 of 2)'],
  ['source', pipeline(source(naturals), hung), 'waits for room (2 of 2)'],
  ['interval', pipeline(interval(1_000), drain()), 'waits for its next tick'],
  ['unfold', pipeline(unfold(0, never), drain()), 'waits for a call of its function to return'],
  [
    'unfold',
    pipeline(
      unfold(0, (n) => [n, n + 1]),
      hung,
    ),
    'waits for room (2 of 2)',
  ],
  ['fanIn', pipeline(fanIn(silent()), drain()), 'waits for its inputs'],
  ['concat', pipeline(concat(silent()), drain()), 'waits for its inputs'],
  ['zip', pipeline(zip(silent(), endless(0)), drain()), 'waits for its inputs'],
  ['interleave', pipeline(interleave(silent(), endless(0)), drain()), 'waits for its inputs'],
  [
    'mergeSorted',
    pipeline(
      mergeSorted((a, b) => a - b, silent(), endless(0)),
      drain(),
    ),
    'waits for its inputs',
  ],
  ['fanIn', pipeline(fanIn(endless(0)), hung), 'waits for room (2 of 2)'],
  ['zip', pipeline(zip(endless(0)), hung), 'waits for room (2 of 2)'],
  [
    'map',
    pipeline(
      three(),
      map((n) => n),
      drain(),
    ),
    'waits for a value',
  ],
  ['map', pipeline(three(), map(never), drain()), 'waits for 1 call of its function to return'],
  [
    'map',
    pipeline(three(), map(never, { concurrency: 5 }), drain()),
    'waits for 3 calls of its function to return',
  ],
  [
    'map',
    pipeline(
      endless(0),
      map((n) => n),
      hung,
    ),
    'waits for room (2 of 2)',
  ],
  [
    'map',
    pipeline(
      endless(0),
      map(async (n) => n, { concurrency: 2 }),
      hung,
    ),
    'waits for room (2 of 2)',
  ],
  [
    'map',
    pipeline(
      endless(0),
      map((n) => (n === 1 ? never() : n), { concurrency: 3, ordered: false }),
      hung,
    ),
    'waits for room (2 of 2)',
  ],
  ['hung', pipeline(three(), hung), 'waits for 1 call of its function to return'],
  ['reduce', pipeline(three(), reduce(never, 0)), 'waits for 1 call of its function to return'],
  ['flatMap', pipeline(three(), flatMap(never), drain()), 'waits for 1 call of its function to return'],
  ['flatMap', pipeline(three(), flatMap(hangs), drain()), 'waits for more of what its function gave'],
  [
    'flatMap',
    pipeline(three(), flatMap(hangs, { concurrency: 5 }), drain()),
    'waits for more of what its function gave',
  ],
  [
    'flatMap',
    pipeline(
      three(),
      flatMap(() => naturals),
      hung,
    ),
    'waits for room (2 of 2)',
  ],
  ['batch', pipeline(three(), batch(10, { ms: 500 }), drain()), 'waits for a value'],
  [
    'throttle',
    pipeline(three(), throttle({ count: 1, per: 500 }), drain()),
    'waits for the time of its next value',
  ],
  ['throttle', pipeline(silent(), throttle({ count: 1, per: 500 }), drain()), 'waits for a value'],
  [
    'throttle',
    pipeline(endless(0), throttle({ count: 9, per: 1, burst: 99 }), hung),
    'waits for room (2 of 2)',
  ],
  ['delay', pipeline(three(), delay(500), drain()), 'waits for the time of its next value'],
  ['delay', pipeline(silent(), delay(500), drain()), 'waits for a value'],
  ['delay', pipeline(endless(0), delay(0), hung), 'waits for room (2 of 2)'],
  ['sample', pipeline(three(), sample(500), drain()), 'waits for the end of the interval'],
  ['sample', pipeline(silent(), sample(500), drain()), 'waits for a value'],
  ['idleTimeout', pipeline(three(), idleTimeout(500), drain()), 'waits for a value'],
  ['buffer', pipeline(three(), buffer(9, 'block'), drain()), 'waits for a value'],
  [
    'buffer',
    pipeline(source(script([1, 2, 3, 4, 5, hang()])), buffer(9, 'block'), hung),
    'waits for room (2 of 2)',
  ],
  ['buffer', pipeline(endless(0), buffer(9, 'block'), hung), 'waits for room (2 of 2)'],
  [
    'fanOut',
    pipeline(endless(0), fanOut({ fast: drain(), slow: hung })),
    'waits for branch "slow" to take a value',
  ],
  ['alsoTo', pipeline(endless(0), alsoTo(hung), drain()), 'waits for branch "sink" to take a value'],
  ['alsoTo', pipeline(endless(0), alsoTo(drain()), hung), 'waits for room (2 of 2)'],
  [
    'balance',
    pipeline(endless(0), balance(2, map(never)), drain()),
    'waits for branch "0", "1" to take a value',
  ],
  [
    'route',
    pipeline(
      endless(0),
      route((n) => (n < 1 ? 'a' : 'b'), { a: drain(), b: hung }),
    ),
    'waits for branch "b" to take a value',
  ],
  [
    'groupBy',
    pipeline(
      endless(0),
      groupBy(
        (n) => (n < 1 ? 0 : 1),
        () => map((n: number) => (n < 1 ? n : never())),
      ),
      drain(),
    ),
    'waits for branch "1" to take a value',
  ],
  [
    'groupBy',
    pipeline(
      three(),
      groupBy(never, () => map((n) => n)),
      drain(),
    ),
    'waits for 1 call of its function to return',
  ],
  ['writeTo', pipeline(three(), writeTo(stuckTarget({ write: never }))), 'waits for its target to take more'],
  ['writeTo', pipeline(range(1), writeTo(stuckTarget({ close: never }))), 'waits for its target to end'],
  [
    'custom',
    pipeline(
      three(),
      custom(async (rx) => {
        for await (const n of rx) expect(n).toBeGreaterThan(0)
      }),
      drain(),
    ),
    'waits for a value',
  ],
  [
    'custom',
    pipeline(
      endless(0),
      custom((rx, tx) => tx.sendMany(rx)),
      hung,
    ),
    'waits for room (2 of 2)',
  ],
  ['custom', pipeline(three(), custom(never), drain()), 'waits for what it has called'],
  ['drain', pipeline(three(), drain()), 'waits for a value'],
  ['drain', pipeline(range(3), stage<number, number>('custom', never), drain()), 'waits for a value'],
  ['range', pipeline(range(2), hung), 'has ended'],
  // Left, with something to wait for: nobody wants what it gives, but the run has not ended.
  [
    'map',
    pipeline(
      endless(1),
      map((n) => (n > 1 ? never() : n), { concurrency: 2 }),
      take(1),
      drain(),
    ),
    'waits for 1 call of its function to return',
  ],
  ['custom', pipeline(three(), custom(never), take(0), drain()), 'waits for its function to return'],
]

describe('what a stage does, at rest', () => {
  for (const [stage, pipe, expected] of rows)
    test(`${stage} ${expected}`, async () => {
      using time = virtualTime()
      const run = pipe.start({ capacity: 2 })
      const end = outcome(run.result)
      await time.advance(100)
      soundGraph(run)
      expect(doing(run, stage)).toBe(expected)
      await run.abort()
      await end
      expect(run.describe().nodes.map((node) => node.doing)).not.toContain('is at work')
    })

  test('of a source that reads a channel names it, and where its senders were made', async () => {
    const [tx, rx] = channel<number>(3, { name: 'orders' })
    const other = tx.clone()
    using time = virtualTime()
    const run = pipeline(source(rx), drain()).start()
    const end = outcome(run.result)
    await time.advance(0)
    expect(doing(run, 'source')).toMatch(
      /^waits for channel "orders", 2 senders and 1 receiver open(\n {6}(sender|receiver) made at \S*doing\.test\.ts:\d+:\d+){3}$/,
    )
    tx.close()
    expect(doing(run, 'source')).toContain('1 receiver and 1 sender open')
    other.close()
    await end
    expect(doing(run, 'source')).toBe('has ended')
  })

  test('of a source that reads a channel with very many senders names each line that made them, once', async () => {
    const [tx, rx] = channel<number>(3, { name: 'orders' })
    const clones = Array.from({ length: 5_000 }, () => tx.clone())
    using time = virtualTime()
    const run = pipeline(source(rx), drain()).start()
    const end = outcome(run.result)
    await time.advance(0)
    const lines = doing(run, 'source')!.split('\n')
    expect(lines[0]).toBe('waits for channel "orders", 5001 senders and 1 receiver open')
    // Two that `channel` made, and the line of all clones.
    expect(lines).toHaveLength(1 + 2 + 1)
    expect(lines.at(-1)).toMatch(/^ {6}sender made at \S*doing\.test\.ts:\d+:\d+$/)
    for (const each of [tx, ...clones]) each.close()
    await end
  })

  test('changes with what it does: a sampled value waits for its time, then for room', async () => {
    using time = virtualTime()
    const input = script([1, pause(100), 2, pause(100), 3, pause(100), 4, hang()])
    const run = pipeline(source(input), sample(100), hung).start({ capacity: 1 })
    const end = outcome(run.result)
    const seen: (string | undefined)[] = []
    for (let n = 0; n < 6; n++) {
      await time.advance(n === 0 ? 50 : 100)
      seen.push(doing(run, 'sample'))
    }
    expect(seen[0]).toBe('waits for the end of the interval')
    expect(seen.at(-1)).toBe('waits for room (1 of 1)')
    expect(run.stats().stages[1].output).toEqual({ length: 1, capacity: 1 })
    await run.abort()
    await end
  })

  test('is its clean-up where that is all it still waits for', async () => {
    const gate = deferred()
    const input = {
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.resolve({ done: false as const, value: 1 }),
        return: () => gate.promise.then(() => ({ done: true as const, value: undefined })),
      }),
    }
    const run = pipeline(source(input), take(1), drain()).start()
    await until(() => doing(run, 'source') === 'waits for its clean-up')
    expect(doing(run, 'drain')).toBe('has ended')
    gate.resolve()
    await run.result
    expect(doing(run, 'source')).toBe('has ended')
  })

  test('is its calls where it was left while a branch was full', async () => {
    const gate = deferred<never>()
    const name = (n: number) => (n === 0 ? 'b' : n === 1 ? never() : 'a')
    const branches = { a: hung, b: forEach(() => gate.promise) }
    const run = pipeline(endless(0), route(name, branches, { concurrency: 2, ordered: false })).start()
    const end = outcome(run.result)
    await until(() => doing(run, 'route') === 'waits for branch "a" to take a value')
    gate.reject(new Error('boom'))
    await until(() => doing(run, 'route') === 'waits for 1 call of its function to return')
    await run.abort()
    await end
  })

  test('is to have ended where all is handed out, however full a branch is', async () => {
    const full = pipeline(batch<number>(2), hung)
    const run = pipeline(source(script([1, 2, 3])), fanOut({ full, other: drain() })).start({ capacity: 0 })
    const end = outcome(run.result)
    await until(
      () => doing(run, 'source') === 'has ended' && doing(run, 'batch') === 'waits for room (0 of 0)',
    )
    await until(() => doing(run, 'fanOut') === 'has ended' && doing(run, 'drain') === 'has ended')
    await run.abort()
    await end
  })

  test('while its own function looks, is being at work', async () => {
    const seen: (string | undefined)[] = []
    const gate = deferred()
    const run: Run<unknown> = pipeline(
      source(script([1, 2, 3])),
      map(async (n) => (await gate.promise, n), { name: 'gate' }),
      forEach(() => void seen.push(doing(run, 'forEach'))),
    ).start()
    gate.resolve()
    await run.result
    expect(seen).toHaveLength(3)
    for (const text of seen) expect(text).not.toBe('has ended')
  })
})
