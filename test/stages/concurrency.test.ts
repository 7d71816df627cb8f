/** What the function of a stage is called with, and how many of its calls are in flight. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import {
  type CallOptions,
  changes,
  distinct,
  dropWhile,
  filter,
  flatMap,
  forEach,
  map,
  pipeline,
  range,
  reduce,
  scan,
  source,
  take,
  takeWhile,
  tap,
} from 'sluice'
import { gauge } from 'sluice/testing'
import { warningsDuring } from '../pipeline/support-leaks.ts'
import { naturals, probe, upTo } from '../pipeline/support-sources.ts'
import { deferred, never, rejection, stable, turns, until } from '../pipeline/support-waiting.ts'
import type { StageOf } from './stage-rows.ts'

describe('the function of a stage', () => {
  const contexts: [
    string,
    (fn: (...args: [number, number, { signal: AbortSignal }]) => void) => Promise<unknown>,
  ][] = [
    [
      'map',
      (fn) =>
        pipeline(
          source([7, 8]),
          map((...args) => fn(...args)),
        ).run(),
    ],
    [
      'filter',
      (fn) =>
        pipeline(
          source([7, 8]),
          filter((value, index, context) => (fn(value, index, context), true)),
        ).run(),
    ],
    [
      'flatMap',
      (fn) =>
        pipeline(
          source([7, 8]),
          flatMap((...args) => (fn(...args), [1])),
        ).run(),
    ],
    [
      'tap',
      (fn) =>
        pipeline(
          source([7, 8]),
          tap((...args) => fn(...args)),
        ).run(),
    ],
    [
      'forEach',
      (fn) =>
        pipeline(
          source([7, 8]),
          forEach((...args) => fn(...args)),
        ).run(),
    ],
  ]

  test('may listen to its signal in any number of calls at a time, without a warning of a leak', async () => {
    const warnings = await warningsDuring(() =>
      pipeline(
        range(50),
        map((_n, _index, { signal }) => sleep(1, undefined, { signal }), { concurrency: 50 }),
      ).run(),
    )
    expect(warnings).toEqual([])
  })

  test('gets a signal where the AbortController is not that of Node, as in jsdom', async () => {
    class Foreign {
      readonly signal = { aborted: false, addEventListener: () => {}, removeEventListener: () => {} }
      abort() {
        this.signal.aborted = true
      }
    }
    vi.stubGlobal('AbortController', Foreign)
    onTestFinished(() => void vi.unstubAllGlobals())
    const aborted = map((_n, _index, { signal }) => signal.aborted)
    expect(await pipeline(source([7, 8]), aborted).run()).toEqual([false, false])
  })

  test.each(contexts)('of %s gets the value, its index and a signal', async (_name, run) => {
    const calls: unknown[] = []
    await run((value, index, { signal }) =>
      calls.push([value, index, signal instanceof AbortSignal, signal.aborted]),
    )
    expect(calls).toEqual([
      [7, 0, true, false],
      [8, 1, true, false],
    ])
  })

  test('may be async in each of them', async () => {
    const seen: number[] = []
    const out = await pipeline(
      range(6),
      filter(async (n) => (await turns(1), n % 2 === 0)),
      map(async (n) => (await turns(1), n + 1)),
      flatMap(async (n) => (await turns(1), [n, n])),
      tap(async (n) => (await turns(1), void seen.push(n))),
    ).run()
    expect(out).toEqual([1, 1, 3, 3, 5, 5])
    expect(seen).toEqual(out)
  })

  test('sees the values of a filter unchanged, and a tap changes none', async () => {
    const values = [{ n: 1 }, { n: 2 }]
    const out = await pipeline(
      source(values),
      filter(({ n }) => n > 1),
      tap(() => 'ignored'),
    ).run()
    expect(out).toHaveLength(1)
    expect(out[0]).toBe(values[1])
  })
})

describe('concurrency', () => {
  test.each([1, 2, 3, 8, 100])(
    '%i is reached where there is work, and never exceeded',
    async (concurrency) => {
      for (const ordered of [true, false]) {
        const work = gauge(async (n: number) => (await turns(1 + (n % 3)), n))
        await pipeline(range(300), map(work, { concurrency, ordered })).run({ capacity: 256 })
        expect([work.inFlight, work.greatest, work.calls]).toEqual([0, concurrency, 300])
      }
    },
  )

  test('is 1 by default, in every stage that calls a function', async () => {
    const slow = upTo(5).map(() => gauge(async (n: number) => (await turns(1), n)))
    await pipeline(
      range(20),
      map(slow[0]),
      filter(async (n) => (await slow[1](n)) >= 0),
      flatMap(async (n) => [await slow[2](n)]),
      tap(async (n) => void (await slow[3](n))),
      forEach(async (n) => void (await slow[4](n))),
    ).run()
    expect(slow.map(({ greatest }) => greatest)).toEqual([1, 1, 1, 1, 1])
  })

  test('holds for filter, flatMap, tap and forEach as for map', async () => {
    const slow = upTo(4).map(() => gauge(async (n: number) => (await turns(2), n)))
    const options = { concurrency: 3 }
    await pipeline(
      range(40),
      filter(async (n) => (await slow[0](n)) >= 0, options),
      flatMap(async (n) => [await slow[1](n)], options),
      tap(async (n) => void (await slow[2](n)), options),
      forEach(async (n) => void (await slow[3](n)), options),
    ).run()
    expect(slow.map(({ greatest }) => greatest)).toEqual([3, 3, 3, 3])
  })

  type Make = (key: (n: number) => unknown, options: CallOptions<number>) => StageOf<number, number>
  test.each<[string, number[], Make]>([
    ['takeWhile', upTo(20), takeWhile],
    ['dropWhile', [], dropWhile],
    ['distinct', upTo(20), distinct],
    ['changes', upTo(20), changes],
  ])('is one call per key at a time where %s() is ordered by a key', async (_name, expected, make) => {
    const parity = (n: number): number => n % 2
    const slow = [0, 1].map(() => gauge((n: number) => turns(1 + (n % 3))))
    const all = gauge(async (n: number) => (await slow[parity(n)](n), n + 1))
    const judging = make(all, { concurrency: 4, ordered: { by: parity } })
    expect(await pipeline(range(20), judging).run()).toEqual(expected)
    expect([all.calls, all.greatest, ...slow.map(({ greatest }) => greatest)]).toEqual([20, 2, 1, 1])
  })

  test.each([
    ['takeWhile', takeWhile],
    ['distinct', distinct],
    ['changes', changes],
  ])(
    'of %s() that is ordered by a key fails behind what came before, calls that had not begun included',
    async (_name, make) => {
      const call = async (n: number): Promise<number> => {
        // That of 4 is over before that of 3 begins, which has the key of 1.
        await turns(n === 4 ? 1 : 5)
        if (n === 4) throw new Error('four')
        return n
      }
      const seen: number[] = []
      const judging = make(call, { concurrency: 4, ordered: { by: (n) => n % 2 } })
      const run = pipeline(
        source([1, 3, 4, 5]),
        judging,
        forEach((n) => void seen.push(n)),
      ).run()
      expect(await rejection(run)).toMatchObject({ stage: make.name, value: 4, cause: new Error('four') })
      expect(seen).toEqual([1, 3])
    },
  )

  test('above the number of values calls each once', async () => {
    const work = gauge(async (n: number) => n)
    expect(await pipeline(range(3), map(work, { concurrency: 50 })).run()).toEqual([0, 1, 2])
    expect(work.calls).toBe(3)
  })

  test('starts a call for each value that is there, without waiting for more', async () => {
    let started = 0
    const input = probe(upTo(3), 'hang')
    const run = pipeline(
      source(input),
      map(() => (started++, never()), { concurrency: 8 }),
    ).start()
    await until(() => started === 3)
    await Promise.all([rejection(run.result), run.abort()])
    expect(started).toBe(3)
  })

  test.each([0, 1])(
    'is that of each stage: calls of one overlap with those of the next, at capacity %i',
    async (capacity) => {
      const [first, second] = [deferred(), deferred()]
      const calls: string[] = []
      const { result } = pipeline(
        range(2),
        map(async (n) => (calls.push(`a ${n}`), n && (await first.promise), n)),
        map(async (n) => (calls.push(`b ${n}`), await second.promise, n)),
      ).start({ capacity })
      // It has its second value in hand while the first one is in that of the next stage.
      await until(() => calls.length === 3)
      expect(calls).toEqual(['a 0', 'b 0', 'a 1'])
      first.resolve()
      second.resolve()
      expect(await result).toEqual([0, 1])
    },
  )

  test.each([1, 3])('of %i is all that a stage has in hand before a rendezvous', async (concurrency) => {
    let pulled = 0
    const numbers = function* () {
      for (;;) yield pulled++
    }
    const run = pipeline(
      source(numbers()),
      map((n) => n, { concurrency }),
      map(async (n) => n, { concurrency }),
      forEach(() => new Promise(() => {})),
    ).start({ capacity: 0 })
    run.result.catch(() => {})
    // One more is in the hands of the sink.
    expect(await stable(() => pulled)).toBe(2 * concurrency + 1)
    await run.abort()
  })

  test('makes no call for what was not asked for once the reader has left', async () => {
    const work = gauge(async (n: number) => (await turns(1), n))
    await pipeline(source(naturals), map(work, { concurrency: 4 }), take(8)).run({ capacity: 0 })
    const { calls } = work
    await turns(5)
    expect(work.calls).toBe(calls)
    expect(calls).toBeLessThanOrEqual(8 + 4 + 1)
  })

  test.each([
    { ordered: true },
    { ordered: false },
    { ordered: { by: (n: number) => n } },
    { ordered: { by: (n: number) => n % 2 } },
  ])('makes no call after one that throws, %o', async ({ ordered }) => {
    const called: number[] = []
    const fn = (n: number) => {
      called.push(n)
      if (n === 3) throw new Error('no more')
      // One is in flight: so the values after it do not go the way of those that are alone.
      return n === 2 ? turns(1) : undefined
    }
    const failure = await rejection(pipeline(range(20), map(fn, { concurrency: 4, ordered })).run())
    expect(failure).toMatchObject({ value: 3, suppressed: [] })
    expect(called).toEqual([0, 1, 2, 3])
  })

  test.each([1, 2, 7])(
    'of %i calls that come back at once goes on from call to call',
    // Where the machine is held up, calls look expensive, and each has a step.
    { retry: 3 },
    async (concurrency) => {
      const log: string[] = []
      const values = [...upTo(20_000)].map((n) => (n % 10 === 0 ? undefined : n))
      const results = await pipeline(
        source(values),
        map(async (n) => (log.push('call'), n), { concurrency }),
        map((n) => (log.push('next'), n)),
      ).run()
      expect(results).toEqual(values)
      const turnsTaken = log.filter((who, i) => who !== log[i - 1]).length
      // Each stage has a turn for many values, and the first of them does not wait for the others.
      expect(turnsTaken).toBeLessThan(2 * (20_000 / 8))
      expect(log.indexOf('next')).toBeLessThan(32)
    },
  )

  const numbers = [...upTo(20_000)]
  const end = 9_999
  const skips = { onError: 'skip' } as const
  const failing = (n: number) => {
    if (n % 1_000 === 7) throw new Error('this one not')
  }

  test.each([256, Infinity])(
    'of calls that come back at once makes none beyond the end, at capacity %d',
    async (capacity) => {
      const called: number[] = []
      const below = async (n: number) => (called.push(n), n < end)
      const kept = await pipeline(source(numbers), takeWhile(below)).run({ capacity })
      expect(kept).toEqual(numbers.slice(0, end))
      expect(called).toEqual(numbers.slice(0, end + 1))
      called.length = 0
      const rest = await pipeline(source(numbers), dropWhile(below)).run({ capacity })
      expect(rest).toEqual(numbers.slice(end))
      expect(called).toEqual(numbers.slice(0, end + 1))
    },
  )

  test.each([9, 10, 11])(
    'makes each call once where one throws after %i that come back at once',
    async (before) => {
      const called: number[] = []
      const asked = (n: number): boolean | Promise<boolean> => {
        called.push(n)
        if (n === end + before) throw new Error('this one not')
        return n < end || Promise.resolve(true)
      }
      const run = pipeline(source(numbers), takeWhile(asked, { concurrency: 8 })).run()
      await expect(run).rejects.toMatchObject({ stage: 'takeWhile', value: end + before })
      expect(called).toEqual(numbers.slice(0, called.length))
    },
  )

  test('of calls that come back at once gives each what the one before it gave', async () => {
    const seen: number[] = []
    const next = async (last: number, n: number) => {
      seen.push(last)
      failing(n)
      return n
    }
    const before = numbers.map((n) => (n === 0 ? -1 : n % 1_000 === 8 ? n - 2 : n - 1))
    const kept = numbers.filter((n) => n % 1_000 !== 7)
    expect(await pipeline(source(numbers), scan(next, -1, skips)).run({ capacity: 5 })).toEqual(kept)
    expect(seen).toEqual(before)
    seen.length = 0
    expect(await pipeline(source(numbers), reduce(next, -1, skips)).run()).toBe(19_999)
    expect(seen).toEqual(before)
  })

  test.each([1, 3, 256])(
    'of calls that come back at once keeps the order of what flatMap is given, at capacity %i',
    async (capacity) => {
      const given = [
        (n: number) => [n],
        () => [],
        (n: number) => numbers.slice(0, n % 100),
        (n: number) => [n, Promise.resolve(n), n],
        (n: number) => new Set([n, -n]),
        (n: number) => [n, n + 1, n + 2],
      ]
      const many = numbers.slice(0, 6_000)
      const ofOne = (n: number) => given[n % 7 < 3 ? 0 : n % given.length](n)
      const expected = (await Promise.all(many.map(async (n) => Promise.all(ofOne(n))))).flat()
      const flat = flatMap(async (n: number) => ofOne(n))
      expect(await pipeline(source(many), flat).run({ capacity })).toEqual(expected)
    },
  )

  test.each([1, 256, Infinity])(
    'of calls that come back at once lets those of flatMap use one array again, at capacity %d',
    async (capacity) => {
      const same: number[] = []
      const pair = async (n: number) => (same.splice(0, 2, n, -n), same)
      const some = numbers.slice(0, 2_000)
      const pairs = await pipeline(source(some), flatMap(pair)).run({ capacity })
      expect(pairs).toEqual(some.flatMap((n) => [n, -n]))
    },
  )

  test('of calls that come back at once makes none for what flatMap has no room', async () => {
    let called = 0
    const run = pipeline(
      source(numbers),
      flatMap(async (n) => (called++, [n, n, n])),
      forEach((n) => (n < 5_000 ? undefined : new Promise(() => {}))),
    ).start({ capacity: 8 })
    run.result.catch(() => {})
    await stable(() => called)
    // What three wait in the channel, one in the hands of the sink, and one call.
    expect(called).toBeLessThanOrEqual(5_000 + 3 + 1 + 1)
    expect(called).toBeGreaterThan(5_000)
    await run.abort()
  })
})
