/** route(): each value to the branch that a function names. */
import { describe, expect, test } from 'vitest'
import {
  batch,
  count,
  drain,
  forEach,
  map,
  pipeline,
  range,
  reduce,
  route,
  source,
  stage,
  take,
  toArray,
} from 'sluice'
import { gauge } from 'sluice/testing'
import { stageError } from '../pipeline/support-leaks.ts'
import { naturals, probe, syncProbe, upTo } from '../pipeline/support-sources.ts'
import { deferred, never, rejection, stable, turns } from '../pipeline/support-waiting.ts'

const capacities = [0, 1, 2, 256]
const boom = new Error('boom')
const parity = (n: number) => (n % 2 === 0 ? 'even' : 'odd')

test('route() holds no more than its bound where its branches have a capacity of 0, as all else has', async () => {
  const input = probe(naturals)
  const keep = map((n: number) => n, { capacity: 0 })
  const branches = { 0: keep, 1: keep, 2: keep }
  const thirds = route((n: number) => (n % 3) as 0 | 1 | 2, branches)
  const run = pipeline(source(input), thirds, forEach(never)).start({ capacity: 0 })
  await stable(() => input.pulled)
  // One each for the source, the route, its branches and the sink.
  expect(input.pulled).toBeLessThanOrEqual(6)
  await Promise.all([rejection(run.result), run.abort()])
})
const evens = (n: number) => upTo(n).filter((k) => k % 2 === 0)
const odds = (n: number) => upTo(n).filter((k) => k % 2 === 1)
const ascending = (a: number, b: number) => a - b

describe.each(capacities)('route() at capacity %i', (capacity) => {
  test('gives each value to the branch of its name, in order', async () => {
    const out = await pipeline(
      range(41),
      route(parity, { even: map((n) => ['even', n] as const), odd: map((n) => ['odd', n] as const) }),
    ).run({ capacity })
    const of = (name: string) => out.filter(([from]) => from === name).map(([, n]) => n)
    expect(of('even')).toEqual(evens(41))
    expect(of('odd')).toEqual(odds(41))
    expect(out).toHaveLength(41)
  })

  test('of sinks is worth a record, branches that got nothing included', async () => {
    const branches = {
      odd: reduce((a: number, b: number) => a + b, 0),
      even: toArray<number>(),
      none: count(),
    }
    const fn = (n: number): 'odd' | 'even' | 'none' => parity(n)
    expect(await pipeline(range(10), route(fn, branches)).run({ capacity })).toEqual({
      odd: 25,
      even: evens(10),
      none: 0,
    })
  })

  test('takes names that are numbers', async () => {
    const record = await pipeline(
      range(9),
      route((n) => (n % 3) as 0 | 1 | 2, { 0: count(), 1: toArray(), 2: count() }),
    ).run({
      capacity,
    })
    expect(record).toEqual({ 0: 3, 1: [1, 4, 7], 2: 3 })
  })

  test('takes the function async and many at a time, and keeps the order', async () => {
    const fn = gauge(async (n: number) => {
      await turns(n % 3)
      return parity(n)
    })
    const record = await pipeline(
      range(30),
      route(fn, { even: toArray(), odd: toArray() }, { concurrency: 4 }),
    ).run({ capacity })
    expect(record).toEqual({ even: evens(30), odd: odds(30) })
    expect(fn.greatest).toBeLessThanOrEqual(4)
    expect(fn.greatest).toBeGreaterThan(1)
  })

  test('loses nothing where order is given up', async () => {
    const fn = async (n: number) => {
      await turns(n % 4)
      return parity(n)
    }
    const record = await pipeline(
      range(30),
      route(fn, { even: toArray(), odd: toArray() }, { concurrency: 4, ordered: false }),
    ).run({ capacity })
    expect(record.even.sort(ascending)).toEqual(evens(30))
    expect(record.odd.sort(ascending)).toEqual(odds(30))
  })

  test('drops what comes for a branch that has ended, and closes the source when all have', async () => {
    const all = await pipeline(range(40), route(parity, { even: take<number>(2), odd: map((n) => n) })).run({
      capacity,
    })
    expect(all.sort(ascending)).toEqual([0, 2, ...odds(40)].sort(ascending))
    const input = probe(naturals)
    const few = await pipeline(
      source(input),
      route(parity, { even: take<number>(2), odd: take<number>(3) }),
    ).run({ capacity })
    expect(few.sort(ascending)).toEqual([0, 1, 2, 3, 5])
    expect(input.returned).toBe(1)
  })

  test('interrupts calls in flight when all branches have ended', async () => {
    const reasons: string[] = []
    const fn = (n: number, _: number, { signal }: { signal: AbortSignal }) =>
      n === 0
        ? Promise.resolve('a' as const)
        : new Promise<'a'>((_resolve, reject) => {
            signal.addEventListener('abort', () => {
              reasons.push((signal.reason as Error).name)
              reject(signal.reason as Error)
            })
          })
    const out = await pipeline(range(9), route(fn, { a: take<number>(1) }, { concurrency: 2 })).run({
      capacity,
    })
    expect(out).toEqual([0])
    expect(reasons.every((name) => name === 'AbortError')).toBe(true)
  })

  test('fails at a name that no branch has, after all that came before', async () => {
    const seen: unknown[] = []
    const input = probe(naturals)
    const fn = (n: number) => (n === 6 ? 'neither' : parity(n)) as 'even' | 'odd'
    const pipe = pipeline(
      source(input),
      route(fn, { even: batch<number>(100), odd: map((n) => n) }),
      forEach((value) => void seen.push(value)),
    )
    const error = await stageError(pipe.run({ capacity }))
    expect(error).toMatchObject({ stage: 'route', index: 1, value: 6, suppressed: [] })
    expect(error.cause).toBeInstanceOf(RangeError)
    expect((error.cause as Error).message).toBe(
      'Cannot route: "fn" must be a function that gives one of "even", "odd", got "neither"',
    )
    expect(seen).toHaveLength(4)
    expect(seen).toEqual(expect.arrayContaining([1, 3, 5, [0, 2, 4]]))
    expect(input.returned).toBe(1)
  })

  test('fails when its function throws or rejects', async () => {
    const fails = [
      (n: number) => {
        if (n === 5) throw boom
        return parity(n)
      },
      async (n: number) => (n === 5 ? Promise.reject(boom) : parity(n)),
    ]
    for (const fn of fails) {
      const seen: number[] = []
      const keep = map((n: number) => n)
      const pipe = pipeline(
        range(50),
        route(fn, { even: keep, odd: keep }),
        forEach((n) => void seen.push(n)),
      )
      const error = await stageError(pipe.run({ capacity }))
      expect(error).toMatchObject({ stage: 'route', index: 1, value: 5, cause: boom, suppressed: [] })
      expect(seen.sort(ascending)).toEqual(upTo(5))
    }
  })

  test('follows onError and retry, also at a name that no branch has', async () => {
    const failures: unknown[] = []
    const tries = new Map<number, number>()
    const fn = (n: number) => {
      tries.set(n, (tries.get(n) ?? 0) + 1)
      if (n === 2 && tries.get(n) === 1) throw boom
      if (n === 3) throw boom
      return (n === 4 ? 'neither' : parity(n)) as 'even' | 'odd'
    }
    const record = await pipeline(
      range(6),
      route(
        fn,
        { even: toArray(), odd: toArray() },
        {
          retry: { attempts: 2, delay: 0 },
          onError: ({ value, stage: name }) => void failures.push([name, value]),
        },
      ),
    ).run({ capacity })
    expect(record).toEqual({ even: [0, 2], odd: [1, 5] })
    expect(failures).toEqual([
      ['route', 3],
      ['route', 4],
    ])
  })

  test('fails with the branch that fails, and lets the others finish', async () => {
    const seen: unknown[] = []
    const bad = map((n: number) => {
      if (n === 7) throw boom
      return n
    })
    const pipe = pipeline(
      range(8),
      route(parity, { even: batch<number>(100), odd: bad }),
      forEach((value) => void seen.push(value)),
    )
    const error = await stageError(pipe.run({ capacity }))
    expect(error).toMatchObject({ stage: 'map', index: 0, value: 7, cause: boom, suppressed: [] })
    expect(seen).toHaveLength(4)
    expect(seen).toEqual(expect.arrayContaining([1, 3, 5, [0, 2, 4, 6]]))
  })
})

describe('route()', () => {
  test.each([1, 2, 16, 100, 256])(
    'holds up the values behind one whose branch has no room, at capacity %i',
    async (capacity) => {
      const pace = (n: number) => (n < 500 ? 'slow' : 'quick')
      for (const fn of [pace, async (n: number) => pace(n)]) {
        const seen: number[] = []
        const gate = deferred()
        const branches = {
          slow: forEach(() => gate.promise),
          quick: forEach((n: number) => void seen.push(n)),
        }
        const run = pipeline(range(600), route(fn, branches)).start({ capacity })
        await stable(() => run.stats().stages[1].received)
        expect(seen).toEqual([])
        // One in the sink's hands, those in its channel, and the one that waits in the hands of the route.
        expect(run.stats().stages[1].received).toBeLessThanOrEqual(1 + capacity + 1)
        gate.resolve()
        await run.result
        expect(seen).toEqual(upTo(600).slice(500))
      }
    },
  )

  test('pulls no more than its channels hold where a branch is stuck', async () => {
    const capacity = 4
    const input = syncProbe(naturals)
    const run = pipeline(source(input), route(parity, { even: forEach(never), odd: drain() })).start({
      capacity,
    })
    await stable(() => input.pulled)
    // Evens: one in the sink, its channel, one that waits. As many odds went by. Then the channel of the source.
    expect(input.pulled).toBeLessThanOrEqual(2 * (1 + capacity + 1) + capacity + 1)
    await Promise.all([rejection(run.result), run.abort()])
  })

  test('does not call its function again after that has aborted the run', async () => {
    let calls = 0
    let handled = 0
    const run = pipeline(
      range(50),
      route(
        (n) => {
          calls++
          if (n === 10) void run.abort(boom)
          return (n === 10 ? 'nowhere' : 'a') as 'a'
        },
        { a: map((n) => n) },
        { onError: () => void handled++ },
      ),
    ).start()
    expect(await rejection(run.result)).toBe(boom)
    await turns(3)
    expect([calls, handled]).toEqual([11, 0])
  })

  test('ends where its function fails a branch from outside', async () => {
    let fail = () => {}
    const failing = stage<number, number>('failing', async (rx, tx) => {
      fail = () => void tx.fail(boom)
      for await (const n of rx) await tx.send(n)
    })
    const seen: number[] = []
    const fn = (n: number) => {
      if (n === 21) fail()
      return parity(n)
    }
    const pipe = pipeline(
      range(50),
      route(fn, { even: map((n: number) => n), odd: failing }),
      forEach((n) => void seen.push(n)),
    )
    expect(await stageError(pipe.run())).toMatchObject({ stage: 'failing', cause: boom })
    expect(seen.filter((n) => n % 2 === 0)).toEqual(evens(21))
  })

  test('keeps to the branches it was built with', async () => {
    const branches: Record<string, ReturnType<typeof count>> = { a: count(), b: count() }
    const pipe = pipeline(
      range(4),
      route((n) => 'ab'[n % 2], branches),
    )
    delete branches['b']
    expect(await pipe.run()).toEqual({ a: 2, b: 2 })
  })

  test('does not take the names that every object has for branches', async () => {
    for (const name of ['constructor', 'toString', '__proto__']) {
      const error = await stageError(
        pipeline(
          range(1),
          route(() => name as 'a', { a: count() }),
        ).run(),
      )
      expect((error.cause as Error).message).toBe(
        `Cannot route: "fn" must be a function that gives one of "a", got "${name}"`,
      )
    }
    const named = Object.fromEntries(['__proto__', 'constructor'].map((name) => [name, count()]))
    const record = await pipeline(
      source(['__proto__', 'constructor']),
      route((name) => name, named),
    ).run()
    expect(Object.entries(record)).toEqual([
      ['__proto__', 1],
      ['constructor', 1],
    ])
  })

  test.each<[string, () => unknown, string]>([
    [
      'no function',
      () => route(5 as never, { a: count() }),
      'Cannot create route: "fn" must be a function, got 5',
    ],
    [
      'no branches',
      () => route(() => 'a', {} as never),
      'Cannot create route: "branches" must be an object with at least one branch, got Object',
    ],
    [
      'a branch that is none',
      () => route(() => 'a', { a: null as never }),
      'Cannot create route: "branches.a" must be a stage or sink, got null',
    ],
    [
      'a mix',
      () => route(() => 'a', { a: take(1), b: count() as never }),
      'Cannot create route: "branches.b" must be a stage, got "sink"',
    ],
    [
      'no concurrency',
      () => route(() => 'a', { a: count() }, { concurrency: 0 }),
      'Cannot create route: "concurrency" must be an integer >= 1',
    ],
  ])('refuses %s', (_, build, message) => {
    expect(build).toThrow(message)
    expect(build).toThrow(message.includes('an integer') ? RangeError : TypeError)
  })
})
