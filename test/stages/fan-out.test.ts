/** fanOut(): every branch gets every value, nothing is lost and nothing hoarded. The misuse of its relatives is here, too. */
import { describe, expect, test } from 'vitest'
import {
  alsoTo,
  balance,
  batch,
  count,
  drain,
  fanOut,
  filter,
  flatMap,
  forEach,
  map,
  pipeline,
  range,
  reduce,
  source,
  stage,
  take,
  toArray,
  unbatch,
} from 'sluice'
import { stageError } from '../pipeline/support-leaks.ts'
import { naturals, probe, syncProbe, upTo } from '../pipeline/support-sources.ts'
import { never, rejection, stable } from '../pipeline/support-waiting.ts'

const capacities = [0, 1, 2, 256]
const boom = new Error('boom')
const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b)

/** Passes everything on, as a stage written by a user does. */
const relay = (name = 'relay') =>
  stage<number, number>(name, async (rx, tx) => {
    for await (const value of rx) await tx.send(value)
  })

describe.each(capacities)('fanOut() at capacity %i', (capacity) => {
  test('gives every value to every branch, in order', async () => {
    const tag = (name: string) => map((n: number) => [name, n] as const)
    const out = await pipeline(range(30), fanOut({ a: tag('a'), b: tag('b'), c: tag('c') })).run({ capacity })
    for (const name of ['a', 'b', 'c'])
      expect(out.filter(([from]) => from === name).map(([, n]) => n)).toEqual(upTo(30))
    expect(out).toHaveLength(90)
  })

  test('of sinks is worth a record, in the order of the branches', async () => {
    const branches = {
      sum: reduce((a: number, b: number) => a + b, 0),
      all: toArray<number>(),
      many: count(),
    }
    const record = await pipeline(range(10), fanOut(branches)).run({ capacity })
    expect(record).toEqual({ sum: 45, all: upTo(10), many: 10 })
    expect(Object.keys(record)).toEqual(['sum', 'all', 'many'])
  })

  test('gives any value as it is, the same to all', async () => {
    const object = {}
    const values = [undefined, null, Number.NaN, -0, '', false, object]
    const record = await pipeline(
      source(values),
      fanOut({ a: toArray<unknown>(), b: toArray<unknown>() }),
    ).run({ capacity })
    expect(record).toEqual({ a: values, b: values })
    expect(record.a[6]).toBe(object)
    expect(record.b[6]).toBe(object)
  })

  test('flows where uneven branches come together again', async () => {
    const out = await pipeline(
      range(60),
      fanOut({
        few: filter((n: number) => n % 20 === 0),
        packed: pipeline(batch<number>(7), unbatch()),
        many: flatMap((n: number) => [n, n, n]),
        slow: map(async (n: number) => Promise.resolve(n), { concurrency: 3 }),
        own: relay(),
      }),
      map((n) => n),
    ).run({ capacity })
    const expected = [0, 20, 40, ...[0, 0, 0, 0, 0, 0].flatMap(() => upTo(60))]
    expect(sorted(out)).toEqual(sorted(expected))
  })

  test('lets the other branches go on where one has ended', async () => {
    const input = probe(upTo(20))
    const branches = {
      two: pipeline(take<number>(2), toArray()),
      all: toArray<number>(),
      none: pipeline(take<number>(0), count()),
    }
    const record = await pipeline(source(input), fanOut(branches)).run({ capacity })
    expect(record).toEqual({ two: [0, 1], all: upTo(20), none: 0 })
    expect(input.returned).toBe(0)
  })

  test('closes the source once when all branches have ended', async () => {
    const inputs = [probe(naturals), syncProbe(naturals)]
    for (const input of inputs) {
      const out = await pipeline(
        source<number>(input),
        fanOut({ a: take<number>(3), b: take<number>(5) }),
      ).run({
        capacity,
      })
      expect(sorted(out)).toEqual([0, 0, 1, 1, 2, 2, 3, 4])
      expect(input.returned).toBe(1)
    }
  })

  test('pulls nothing for branches that want nothing', async () => {
    const input = syncProbe(naturals)
    expect(
      await pipeline(source(input), fanOut({ a: take<number>(0), b: take<number>(0) })).run({ capacity }),
    ).toEqual([])
    expect(input.pulled).toBe(0)
  })

  test('closes the source once when nobody reads any more', async () => {
    const input = probe(naturals)
    const out = await pipeline(source(input), fanOut({ a: relay(), b: map((n: number) => n) }), take(7)).run({
      capacity,
    })
    expect(out).toHaveLength(7)
    expect(input.returned).toBe(1)
  })

  test('drops what comes for a branch that returned early or closed its input, and keeps what that one sends', async () => {
    const early = stage<number, number>('early', async () => Promise.resolve())
    const closing = stage<number, number>('closing', async (rx, tx) => {
      rx.close()
      for (const n of [-1, -2, -3]) await tx.send(n)
    })
    const out = await pipeline(range(20), fanOut({ early, closing, all: relay() })).run({ capacity })
    expect(sorted(out)).toEqual([-3, -2, -1, ...upTo(20)])
  })

  test('counts a branch once that closes its output before it returns', async () => {
    const closing = stage<number, number>('closing', async (rx, tx) => {
      await tx.send(-1)
      tx.close()
      for await (const _ of rx);
    })
    const out = await pipeline(
      range(30),
      fanOut({ closing, slow: map(async (n: number) => Promise.resolve(n)) }),
    ).run({ capacity })
    expect(sorted(out)).toEqual([-1, ...upTo(30)])
  })

  test('lets siblings finish what they were given when a branch fails, partial batches included', async () => {
    const seen: unknown[] = []
    const input = probe(naturals)
    const pipe = pipeline(
      source(input),
      fanOut({
        bad: map((n: number) => {
          if (n === 4) throw boom
          return [n]
        }),
        packed: batch<number>(1000),
      }),
      forEach((value) => void seen.push(value)),
    )
    const error = await stageError(pipe.run({ capacity }))
    expect(error).toMatchObject({ stage: 'map', index: 0, value: 4, cause: boom, suppressed: [] })
    const packed = seen.filter((value) => (value as number[]).length > 1)
    expect(packed).toHaveLength(1)
    expect(packed[0]).toEqual(upTo((packed[0] as number[]).length))
    expect(packed[0]).toEqual(expect.arrayContaining([0, 1, 2, 3]))
    expect(seen.filter((value) => (value as number[]).length === 1)).toEqual([[0], [1], [2], [3]])
    expect(input.returned).toBe(1)
  })

  test('fails when a sink fails, and lets the others finish', async () => {
    const seen: number[] = []
    const input = probe(naturals)
    const bad = forEach((n: number) => {
      if (n === 3) throw boom
    })
    const error = await stageError(
      pipeline(source(input), fanOut({ bad, good: forEach((n: number) => void seen.push(n)) })).run({
        capacity,
      }),
    )
    expect(error).toMatchObject({ stage: 'forEach', index: 0, value: 3, cause: boom })
    expect(seen.slice(0, 4)).toEqual(upTo(4))
    expect(input.returned).toBe(1)
  })
})

describe('fanOut()', () => {
  test('goes at the pace of its slowest branch', async () => {
    for (const capacity of [1, 2, 16]) {
      const input = syncProbe(naturals)
      const run = pipeline(source(input), fanOut({ stuck: forEach(never), quick: drain() })).start({
        capacity,
      })
      await stable(() => input.pulled)
      // The sink's one, its channel, what the fan-out has in hand, the source's channel and its hand.
      expect(input.pulled).toBeLessThanOrEqual(1 + capacity + 1 + capacity + 1)
      expect(run.stats().stages.find(({ name }) => name === 'drain')!.received).toBe(1 + capacity)
      await Promise.all([rejection(run.result), run.abort()])
    }
  })

  test('holds no more than its bound at capacity 0 where a branch ends in a channel of its own', async () => {
    for (const branch of [relay(), map((n: number) => n, { capacity: 0 })]) {
      const input = probe(naturals)
      const run = pipeline(source(input), fanOut({ branch }), forEach(never)).start({ capacity: 0 })
      await stable(() => input.pulled)
      // One each for the source, the fan-out, the branch and the sink.
      expect(input.pulled).toBeLessThanOrEqual(4)
      await Promise.all([rejection(run.result), run.abort()])
    }
  })

  test('takes its own capacity for the channels before its branches', async () => {
    const input = syncProbe(naturals)
    const run = pipeline(
      source(input),
      fanOut({ stuck: forEach(never), quick: drain() }, { capacity: 5 }),
    ).start({
      capacity: 1,
    })
    await stable(() => input.pulled)
    expect(run.stats().stages.find(({ name }) => name === 'drain')!.received).toBe(6)
    await Promise.all([rejection(run.result), run.abort()])
  })

  test('keeps to the branches it was built with', async () => {
    const branches: { a: ReturnType<typeof count>; b?: ReturnType<typeof count> } = { a: count(), b: count() }
    const pipe = pipeline(
      range(3),
      fanOut(branches as { a: ReturnType<typeof count>; b: ReturnType<typeof count> }),
    )
    delete branches.b
    expect(await pipe.run()).toEqual({ a: 3, b: 3 })
  })

  test('takes any name for a branch', async () => {
    const branches = Object.fromEntries(['__proto__', 'constructor', '', '1'].map((name) => [name, count()]))
    const record = await pipeline(range(3), fanOut(branches)).run()
    expect(Object.entries(record)).toEqual([
      ['1', 3],
      ['__proto__', 3],
      ['constructor', 3],
      ['', 3],
    ])
  })

  test.each<[string, () => unknown, string]>([
    [
      'nothing',
      () => fanOut(undefined as never),
      'Cannot create fanOut: "branches" must be an object with at least one branch, got undefined',
    ],
    [
      'no branch',
      () => fanOut({}),
      'Cannot create fanOut: "branches" must be an object with at least one branch, got Object',
    ],
    [
      'a branch that is no stage',
      () => fanOut({ a: 5 as never }),
      'Cannot create fanOut: "branches.a" must be a stage or sink, got 5',
    ],
    [
      'a source',
      () => fanOut({ a: range(3) as never }),
      'Cannot create fanOut: "branches.a" must be a stage or sink, got "source"',
    ],
    [
      'a mix',
      () => fanOut({ a: count(), b: take(1) as never }),
      'Cannot create fanOut: "branches.b" must be a sink, got "stage"',
    ],
    [
      'another mix',
      () => fanOut({ a: take(1), b: count() as never }),
      'Cannot create fanOut: "branches.b" must be a stage, got "sink"',
    ],
    [
      'a whole pipeline',
      () => fanOut({ a: pipeline(range(2), count()) as never }),
      'Cannot create fanOut: "branches.a" must be a stage or sink, got "sink pipeline"',
    ],
    ['no copy', () => balance(0, count()), 'Cannot create balance: "n" must be an integer >= 1, got 0'],
    [
      'half a copy',
      () => balance(1.5, count()),
      'Cannot create balance: "n" must be an integer >= 1, got 1.5',
    ],
    [
      'endless copies',
      () => balance(Infinity, count()),
      'Cannot create balance: "n" must be an integer >= 1, got Infinity',
    ],
    [
      'copies of a source',
      () => balance(2, range(3) as never),
      'Cannot create balance: "stage" must be a stage or sink, got "source"',
    ],
    [
      'alsoTo() a stage',
      () => alsoTo(take(1) as never),
      'Cannot create alsoTo: "sink" must be a sink, got "stage"',
    ],
    [
      'alsoTo() nothing',
      () => alsoTo(undefined as never),
      'Cannot create alsoTo: "sink" must be a sink, got undefined',
    ],
    [
      'a wrong capacity',
      () => fanOut({ a: count() }, { capacity: -1 }),
      'Cannot create fanOut: "capacity" must be an integer >= 0 or Infinity, got -1',
    ],
    [
      'a wrong name',
      () => alsoTo(count(), { name: 5 as never }),
      'Cannot create alsoTo: "name" must be a string, got 5',
    ],
  ])('refuses %s', (_, build, message) => {
    expect(build).toThrow(message)
    expect(build).toThrow(message.includes('an integer') ? RangeError : TypeError)
  })
})
