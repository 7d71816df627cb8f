/**
 * `stats().bottleneck` names the stage that limits a run, and none where none does. Each pipeline has a slow spot that is at
 * least five times as slow as all else in it, and is looked at after so many of its calls, however long they took.
 */
import { describe, expect, test } from 'vitest'
import {
  balance,
  batch,
  channel,
  delay,
  drain,
  fanIn,
  fanOut,
  filter,
  flatMap,
  forEach,
  groupBy,
  interval,
  map,
  pipeline,
  range,
  reduce,
  route,
  source,
  stage,
  tap,
  throttle,
  unfold,
  writeTo,
  type Run,
  type RunOptions,
  type RunStats,
} from 'sluice'
import { naturals } from './support-sources.ts'
import { never, outcome, turns, until } from './support-waiting.ts'

const CALLS = 40
/** Milliseconds of what is slow, and of what blocks the event loop beside it. */
const SLOW = 2
const LONG = 5 * SLOW

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

function spin(ms: number): void {
  const began = performance.now()
  while (performance.now() - began < ms);
}

const endless = () => range(0, Infinity)
const cheap = (name = 'cheap') => map((n: number) => n, { name })

/** What a slow spot is made of; each use of it counts. */
interface Slow {
  /** Gives the value later, and leaves the event loop alone. */
  waits<T>(this: void, value: T): Promise<T>
  /** Gives the value at once, but for the time it takes. */
  blocks<T>(this: void, value: T): T
  /** Counts only. */
  counts(this: void): void
}

interface Startable {
  start(options?: RunOptions): Run<unknown>
}

/** The stats of a run at the moment when its slow spot has been used so many times. */
async function statsAfter(
  make: (slow: Slow) => Startable,
  options: RunOptions = {},
  calls = CALLS,
): Promise<RunStats> {
  let count = 0
  const slow: Slow = {
    waits: async (value) => (count++, await sleep(SLOW), value),
    blocks: (value) => (count++, spin(LONG), value),
    counts: () => void count++,
  }
  const run = make(slow).start(options)
  const end = outcome(run.result)
  await until(() => count >= calls)
  const stats = run.stats()
  await run.abort()
  await end
  return stats
}

const slowly = { name: 'slow' }

async function* slowValues({ waits }: Slow) {
  for (let n = 0; ; n++) yield await waits(n)
}

describe('the bottleneck is', () => {
  test.each([1, 3])('an async function that works for a moment, %i at a time', async (concurrency) => {
    const quick = () => map(async (n: number) => n, { concurrency })
    const stats = await statsAfter(
      ({ counts }) => {
        const slow = map(async (n: number) => (counts(), spin(0.05), n), { ...slowly, concurrency })
        return pipeline(endless(), quick(), slow, quick(), drain())
      },
      {},
      4000,
    )
    expect(stats.bottleneck).toBe('slow')
  })

  test.each<[string, (slow: Slow) => Startable]>([
    ['a map that waits', ({ waits }) => pipeline(endless(), cheap(), map(waits, slowly), cheap(), drain())],
    ['a map that works', ({ blocks }) => pipeline(endless(), cheap(), map(blocks, slowly), cheap(), drain())],
    [
      'a filter that waits',
      ({ waits }) => pipeline(source(naturals), filter(waits, slowly), cheap(), drain()),
    ],
    ['a sink that waits', ({ waits }) => pipeline(endless(), cheap(), cheap(), forEach(waits, slowly))],
    ['a sink that works', ({ blocks }) => pipeline(endless(), cheap(), cheap(), forEach(blocks, slowly))],
    [
      'a fold',
      ({ waits }) =>
        pipeline(
          endless(),
          cheap(),
          reduce((_, n) => waits(n), 0, slowly),
        ),
    ],
    [
      'a flatMap whose iterables give their values slowly',
      (slow) =>
        pipeline(
          endless(),
          flatMap(() => slowValues(slow), slowly),
          drain(),
        ),
    ],
    [
      'a custom stage',
      ({ waits }) => {
        const own = stage<number, number>('slow', async (rx, tx) => {
          for await (const n of rx) await tx.send(await waits(n))
        })
        return pipeline(endless(), cheap(), own, cheap(), drain())
      },
    ],
    ['a source', (slow) => pipeline(source(slowValues(slow), slowly), cheap(), cheap(), drain())],
    [
      'a source that calls a function',
      ({ waits }) =>
        pipeline(
          unfold(0, async (n) => [await waits(n), n + 1] as const, slowly),
          cheap(),
          drain(),
        ),
    ],
    ['a source that is a clock', ({ counts }) => pipeline(interval(SLOW, slowly), forEach(counts))],
    [
      'a channel that is filled slowly',
      ({ waits }) => {
        const [tx, rx] = channel<number>(4)
        void (async () => {
          for (let n = 0; ; n++) await tx.send(await waits(n))
        })().catch(() => {})
        return pipeline(source(rx, slowly), cheap(), drain())
      },
    ],
    [
      'a source, though calls of a stage behind it are in flight all the time: it has room for more',
      (slow) => {
        const calls = map(async (n: number) => (await sleep(3 * SLOW), n), { concurrency: 20 })
        return pipeline(source(slowValues(slow), slowly), calls, drain())
      },
    ],
    [
      'a throttle',
      ({ counts }) => pipeline(endless(), throttle({ count: 1, per: SLOW, ...slowly }), forEach(counts)),
    ],
    [
      'a throttle before calls that are in flight all the time',
      ({ waits }) =>
        pipeline(
          endless(),
          throttle({ count: 1, per: SLOW, ...slowly }),
          map(waits, { concurrency: 20 }),
          drain(),
        ),
    ],
    [
      'a stage with too little concurrency before one with enough',
      ({ waits }) =>
        pipeline(
          endless(),
          map(waits, { concurrency: 2, ...slowly }),
          map(async (n) => (await sleep(SLOW), n), { concurrency: 20 }),
          drain(),
        ),
    ],
    [
      'a stage with too little concurrency behind one with enough',
      ({ waits }) =>
        pipeline(
          endless(),
          map(async (n) => (await sleep(SLOW), n), { concurrency: 20 }),
          map(waits, { concurrency: 2, ...slowly }),
          drain(),
        ),
    ],
    [
      'the flush of a batch',
      ({ waits }) => pipeline(endless(), cheap(), batch(100, { ms: 20 }), forEach(waits, slowly)),
    ],
    [
      'the target of a writeTo',
      ({ waits }) =>
        pipeline(endless(), cheap(), writeTo(new WritableStream({ write: waits<unknown> as never }), slowly)),
    ],
    [
      'a stage before a delay that is shorter',
      ({ waits }) => pipeline(endless(), map(waits, slowly), delay(SLOW / 5), drain()),
    ],
    [
      'a stage before a delay that is longer, but has room for more',
      ({ waits }) => pipeline(endless(), map(waits, { ...slowly, capacity: 100 }), delay(5 * SLOW), drain()),
    ],
    [
      'a delay whose channel has no room for what comes meanwhile',
      ({ counts }) => pipeline(endless(), delay(SLOW, slowly), forEach(counts)),
    ],
    [
      'a stage in the input of a fanIn',
      ({ waits }) => pipeline(fanIn(pipeline(endless(), map(waits, slowly))), cheap(), drain()),
    ],
    [
      'what is behind a fanIn, though one of its inputs has little to give',
      ({ waits }) => {
        async function* rare() {
          for (let n = 0; ; n++) {
            await sleep(5 * SLOW)
            yield n
          }
        }
        const input = pipeline(source(rare), cheap())
        return pipeline(fanIn(endless(), fanIn(input)), cheap(), map(waits, slowly), drain())
      },
    ],
    [
      'one branch of a fanOut',
      ({ waits }) =>
        pipeline(
          endless(),
          fanOut({ a: cheap(), b: map(waits, slowly), c: filter(() => false) }),
          batch(10),
          drain(),
        ),
    ],
    [
      'a sink deep in a branch',
      ({ waits }) => {
        const deep = pipeline(batch<number>(2), cheapest(), forEach(waits, slowly))
        return pipeline(endless(), fanOut({ fast: drain(), deep }))
      },
    ],
    [
      'the copies of a balance, together',
      ({ waits }) => pipeline(endless(), balance(3, map(waits, slowly)), drain()),
    ],
    [
      'the copies of a balance in a balance, together',
      ({ waits }) => pipeline(endless(), balance(2, balance(2, map(waits, slowly))), drain()),
    ],
    [
      'the copy of groupBy that gets most of the values',
      ({ waits }) => {
        const key = (n: number) => (n % 10 ? 'hot' : 'cold')
        const copies = groupBy(key, (key) =>
          map(key === 'hot' ? waits : same, { name: key === 'hot' ? 'slow' : 'cold' }),
        )
        return pipeline(endless(), copies, drain())
      },
    ],
    [
      'a branch of route that gets most of the values, though the other is as slow for each',
      ({ waits }) => {
        const name = (n: number) => (n % 10 ? 'hot' : 'cold')
        const cold = map(async (n: number) => (await sleep(SLOW), n), { name: 'cold' })
        return pipeline(endless(), route(name, { hot: map(waits, slowly), cold }), drain())
      },
    ],
  ])('%s', { retry: 2 }, async (_, make) => {
    // A small capacity: what a branch has before it at first is soon gone.
    const stats = await statsAfter(make, { capacity: 2 })
    expect(stats.bottleneck).toBe('slow')
  })

  test.each<[string, (slow: Slow) => Startable]>([
    [
      'before',
      ({ blocks }) => pipeline(endless(), map(blocks, slowly), map(briefly, { name: 'victim' }), drain()),
    ],
    [
      'behind',
      ({ blocks }) => pipeline(endless(), map(briefly, { name: 'victim' }), map(blocks, slowly), drain()),
    ],
    [
      'behind, in an async function,',
      ({ blocks }) =>
        pipeline(
          endless(),
          map(briefly, { name: 'victim' }),
          map(async (n) => blocks(n), slowly),
          drain(),
        ),
    ],
    [
      'behind, where the other has several calls in flight,',
      ({ blocks }) =>
        pipeline(endless(), map(briefly, { name: 'victim', concurrency: 3 }), map(blocks, slowly), drain()),
    ],
    [
      'in the branch beside, which takes what the other gives as slowly as it does itself,',
      ({ blocks }) =>
        pipeline(endless(), fanOut({ a: map(briefly, { name: 'victim' }), b: map(blocks, slowly) }), drain()),
    ],
  ])(
    'what keeps the event loop %s and not the stage whose calls only seem to take as long',
    { retry: 2 },
    async (_, make) => {
      expect((await statsAfter(make)).bottleneck).toBe('slow')
    },
  )

  test(
    'the slower of two whose calls are in flight all the time, while the channel between them still fills up',
    { retry: 2 },
    async () => {
      const stats = await statsAfter(({ counts }) => {
        const faster = map(async (n: number) => (await sleep(SLOW), n))
        const slower = map(async (n: number) => (await sleep(LONG), counts(), n), slowly)
        return pipeline(endless(), faster, slower, drain())
      })
      expect(stats.stages[1].busy).toBeGreaterThan(0.7)
      expect(stats.bottleneck).toBe('slow')
    },
  )
})

const same = (n: number) => Promise.resolve(n)
const briefly = async (n: number) => (await sleep(1), n)
const cheapest = () => tap<number[]>(() => {})

describe('there is no bottleneck', () => {
  test('where all stages are cheap', { retry: 2 }, async () => {
    const stats = await statsAfter(
      ({ counts }) =>
        pipeline(
          endless(),
          cheap(),
          cheap(),
          filter(() => true),
          cheap(),
          cheap(),
          cheap(),
          forEach(counts),
        ),
      {},
      500_000,
    )
    expect(stats.bottleneck).toBe(undefined)
  })

  test('where all stages are equally slow', { retry: 2 }, async () => {
    const stats = await statsAfter(
      ({ waits }) =>
        pipeline(
          endless(),
          map(waits, { name: 'a' }),
          map(waits, { name: 'b' }),
          forEach(waits, { name: 'c' }),
        ),
      { capacity: 2 },
      3 * CALLS,
    )
    expect(stats.bottleneck).toBe(undefined)
    for (const { busy } of stats.stages.slice(1)) expect(busy).toBeGreaterThan(0.7)
  })

  test('where two different branches are equally slow', { retry: 2 }, async () => {
    const stats = await statsAfter(
      ({ waits }) =>
        pipeline(endless(), fanOut({ a: map(waits, { name: 'a' }), b: map(waits, { name: 'b' }) }), drain()),
      { capacity: 2 },
      2 * CALLS,
    )
    expect(stats.bottleneck).toBe(undefined)
  })

  test(
    'where one stage was slow in the first half of the time and another in the second',
    { retry: 2 },
    async () => {
      const stats = await statsAfter(
        ({ waits }) =>
          pipeline(
            endless(),
            map((n) => (n < CALLS ? waits(n) : n), { name: 'first' }),
            map((n) => (n < CALLS ? n : waits(n)), { name: 'second' }),
            drain(),
          ),
        { capacity: 2 },
        2 * CALLS,
      )
      expect(stats.bottleneck).toBe(undefined)
      for (const { busy } of stats.stages.slice(1, 3)) expect(busy).toBeGreaterThan(0.3)
    },
  )

  test('where a run has only begun, or has not begun', async () => {
    const run = pipeline(range(3), map(never), drain()).start()
    expect(run.stats().bottleneck).toBe(undefined)
    const end = outcome(run.result)
    await run.abort()
    await end
    const aborted = pipeline(range(3), map(never), drain()).start({ signal: AbortSignal.abort() })
    await outcome(aborted.result)
    expect(aborted.stats().bottleneck).toBe(undefined)
  })
})

test('the bottleneck of a run that has ended stays what it was', { retry: 2 }, async () => {
  const slow = map(async (n: number) => (await sleep(SLOW), n), slowly)
  const run = pipeline(range(CALLS), slow, drain()).start()
  await run.result
  const stats = run.stats()
  expect(stats.bottleneck).toBe('slow')
  await turns(20)
  expect(run.stats()).toEqual(stats)
})

test('the shares of a stage never sum to more than the time, whoever keeps the event loop', async () => {
  const stats = await statsAfter(({ waits, blocks }) => {
    const work = fanOut({
      a: map(waits),
      b: map((n: number) => (n % 8 ? n : blocks(n))),
      c: balance(2, map(waits)),
    })
    return pipeline(
      endless(),
      map((n) => n),
      work,
      map((n) => n),
      drain(),
    )
  })
  for (const { busy, waitingInput, waitingOutput } of stats.stages) {
    const shares = [busy, waitingInput, waitingOutput]
    for (const share of shares) expect(share).toBeGreaterThanOrEqual(0)
    expect(shares.reduce((sum, share) => sum + share)).toBeLessThanOrEqual(1 + 1e-9)
  }
})
