/** The types of branches and joins, with nothing annotated: `tsc` checks the types of this file, vitest runs it. */
import { expect, expectTypeOf, test } from 'vitest'
import {
  alsoTo,
  balance,
  batch,
  channel,
  concat,
  count,
  fanIn,
  fanOut,
  filter,
  forEach,
  groupBy,
  interleave,
  map,
  mergeSorted,
  pipeline,
  range,
  reduce,
  route,
  type Sink,
  type Source,
  source,
  type Stage,
  take,
  toArray,
  zip,
} from 'sluice'

const sorted = <T>(values: T[]): T[] =>
  values.sort((a, b) => (typeof a + String(a) < typeof b + String(b) ? -1 : 1))

test('branches of fanOut() are told what comes in, and what comes out is one of theirs', async () => {
  const out = pipeline(
    range(5),
    fanOut({
      a: map((n) => n * 10),
      b: pipeline(
        filter((n: number) => n % 2 === 0),
        batch(2),
      ),
      c: map((n) => `${n}`),
    }),
  ).run()
  expectTypeOf(out).toEqualTypeOf<Promise<(number | number[] | string)[]>>()
  expect(await out).toHaveLength(5 + 2 + 5)
})

test('sinks of fanOut() give a record', async () => {
  const out = pipeline(
    range(5),
    fanOut({ sum: reduce((a, b) => a + b, 0), many: count(), all: toArray() }),
  ).run()
  expectTypeOf(out).toEqualTypeOf<Promise<{ sum: number; many: number; all: number[] }>>()
  expect(await out).toEqual({ sum: 10, many: 5, all: [0, 1, 2, 3, 4] })
})

test('fanOut() by itself takes what its branches take', async () => {
  const text = map((n: number) => `${n}`)
  const stages = fanOut({ text, same: take<number>(2) })
  expectTypeOf(stages).toEqualTypeOf<Stage<number, string | number>>()
  const sinks = fanOut({ all: toArray<number>(), many: count() })
  expectTypeOf(sinks).toEqualTypeOf<Sink<number, { all: number[]; many: number }>>()
  const composed = pipeline(
    fanOut({ text, more: pipeline(text, take(1)) }),
    map((each) => each.length),
  )
  expectTypeOf(composed).toExtend<Stage<number, number>>()
  expect(sorted(await pipeline(range(2), stages).run())).toEqual([0, 1, '0', '1'])
  expect(await pipeline(range(2), sinks).run()).toEqual({ all: [0, 1], many: 2 })
  expect(await pipeline(range(2), composed).run()).toEqual([1, 1, 1])
})

test('alsoTo() passes the type on, also past a sink that takes anything', async () => {
  const seen: string[] = []
  const out = pipeline(
    source(['a', 'bc']),
    alsoTo(forEach((text) => void seen.push(text.toUpperCase()))),
    alsoTo(count()),
    alsoTo(fanOut({ all: toArray(), many: count() })),
    map((text) => text.length),
  ).run()
  expectTypeOf(out).toEqualTypeOf<Promise<number[]>>()
  expect(await out).toEqual([1, 2])
  expect(seen).toEqual(['A', 'BC'])
  const alone = alsoTo(forEach((text: string) => void seen.push(text)))
  expectTypeOf(alone).toEqualTypeOf<Stage<string, string>>()
})

test('groupBy() keeps the type of the values where its key is made of less', async () => {
  const byId = ({ id }: { id: number }): number => id
  const values = [
    { id: 1, n: 2 },
    { id: 1, n: 3 },
  ]
  const out = pipeline(
    source(values),
    groupBy(byId, () => batch(2)),
    map((group) => group.map(({ n }) => n)),
  ).run()
  expectTypeOf(out).toEqualTypeOf<Promise<number[][]>>()
  expect(await out).toEqual([[2, 3]])
  const texts = pipeline(
    range(2),
    groupBy(String, (key) => map((n) => `${key.length} ${n.toFixed()}`)),
  ).run()
  expectTypeOf(texts).toEqualTypeOf<Promise<string[]>>()
  expect(sorted(await texts)).toEqual(['1 0', '1 1'])
})

test('balance() gives what its stage gives, or an array of what its sink is worth', async () => {
  const stages = pipeline(
    range(5),
    balance(
      2,
      map(async (n) => Promise.resolve(`${n}`)),
    ),
  ).run()
  expectTypeOf(stages).toEqualTypeOf<Promise<string[]>>()
  const sinks = pipeline(range(5), balance(2, count())).run()
  expectTypeOf(sinks).toEqualTypeOf<Promise<number[]>>()
  const lists = pipeline(range(5), balance(2, toArray())).run()
  expectTypeOf(lists).toEqualTypeOf<Promise<number[][]>>()
  expect(sorted(await stages)).toEqual(['0', '1', '2', '3', '4'])
  expect((await sinks).reduce((a, b) => a + b)).toBe(5)
  expect(sorted((await lists).flat())).toEqual([0, 1, 2, 3, 4])
})

test('route() knows the names of its branches, numbers included', async () => {
  const stages = pipeline(
    range(5),
    route((n) => (n % 2 === 0 ? 'even' : 'odd'), { even: map((n) => `${n}`), odd: map((n) => n > 1) }),
  ).run()
  expectTypeOf(stages).toEqualTypeOf<Promise<(string | boolean)[]>>()
  const sinks = pipeline(
    range(5),
    route((n) => (n % 2 === 0 ? 'even' : 'odd'), { even: toArray(), odd: count() }),
  ).run()
  expectTypeOf(sinks).toEqualTypeOf<Promise<{ even: number[]; odd: number }>>()
  const numbers = pipeline(
    range(5),
    route(async (n) => Promise.resolve(n > 2 ? (1 as const) : (0 as const)), { 0: toArray(), 1: count() }),
  ).run()
  expect(sorted(await stages)).toEqual([false, true, '0', '2', '4'])
  expect(await sinks).toEqual({ even: [0, 2, 4], odd: 2 })
  expect(await numbers).toEqual({ 0: [0, 1, 2], 1: 2 })
})

test('groupBy() tells its maker the key', async () => {
  const out = pipeline(
    range(4),
    groupBy(
      (n) => n % 2 === 0,
      (even) => {
        expectTypeOf(even).toEqualTypeOf<boolean>()
        return map((n) => [even, n] as const)
      },
    ),
  ).run()
  expectTypeOf(out).toEqualTypeOf<Promise<(readonly [boolean, number])[]>>()
  expect(await out).toHaveLength(4)
  const late = pipeline(
    source(['a']),
    groupBy(
      async (text) => Promise.resolve(text.length),
      (length) => map((text) => text.padEnd(length + 1)),
    ),
  ).run()
  expectTypeOf(late).toEqualTypeOf<Promise<string[]>>()
  expect(await late).toEqual(['a '])
})

test('branches in branches keep their types', async () => {
  const stages = pipeline(
    range(4),
    fanOut({
      a: fanOut({ x: map((n) => n), y: map((n) => `${n}`) }),
      b: groupBy(
        (n) => n % 2,
        () => map((n) => n > 2),
      ),
      c: balance(
        2,
        route((n) => (n > 1 ? 'big' : 'small'), { big: map((n) => [n]), small: map(() => null) }),
      ),
    }),
  ).run()
  expectTypeOf(stages).toEqualTypeOf<Promise<(number | string | boolean | number[] | null)[]>>()
  expect(await stages).toHaveLength(16)
  const sinks = pipeline(
    range(9),
    fanOut({
      a: fanOut({ x: count(), y: toArray() }),
      b: pipeline(
        map((n: number) => n),
        count(),
      ),
    }),
  ).run()
  expectTypeOf(sinks).toEqualTypeOf<Promise<{ a: { x: number; y: number[] }; b: number }>>()
  expect(await sinks).toMatchObject({ a: { x: 9 }, b: 9 })
})

test('joins take anything that can be read, and know its type', async () => {
  const zipped = zip(range(3), ['a'], source(Promise.resolve([true])))
  expectTypeOf(zipped).toEqualTypeOf<Source<[number, string, boolean]>>()
  expect(await pipeline(zipped).run()).toEqual([[0, 'a', true]])
  const merged = mergeSorted((a, b) => a - b, [1, 4], range(3))
  expectTypeOf(merged).toEqualTypeOf<Source<number>>()
  expect(await pipeline(merged).run()).toEqual([0, 1, 1, 2, 4])
  const tens = pipeline(
    range(1, 3),
    map((n) => n * 10),
  )
  for (const join of [
    concat([1], range(2), tens),
    interleave([1], range(2), tens),
    fanIn([1], range(2), tens),
  ]) {
    expectTypeOf(join).toEqualTypeOf<Source<number>>()
    expect(sorted(await pipeline(join).run())).toEqual([0, 1, 1, 10, 20])
  }
  const promised = concat([Promise.resolve(1)], [Promise.resolve(2)])
  expectTypeOf(promised).toEqualTypeOf<Source<number>>()
  expect(await pipeline(promised).run()).toEqual([1, 2])
})

test('inputs of several types give values of all of them', async () => {
  const two = fanIn([1], ['a'])
  expectTypeOf(await pipeline(two).run()).toEqualTypeOf<(number | string)[]>()
  const [, rx] = channel<Date>(1)
  rx.close()
  const three = concat(rx, Promise.resolve([1]), async () => [true])
  expectTypeOf(await pipeline(three).run()).toEqualTypeOf<(Date | number | boolean)[]>()
  expectTypeOf(await pipeline(interleave([1], ['a'])).run()).toEqualTypeOf<(number | string)[]>()
  const many = fanIn(...[[1], [2]])
  expectTypeOf(await pipeline(many).run()).toEqualTypeOf<number[]>()
  const named = fanIn<number | string>([1], ['a'])
  expectTypeOf(await pipeline(named).run()).toEqualTypeOf<(number | string)[]>()
  const [person, order] = [
    { key: 1, name: 'Ann' },
    { key: 1, total: 20 },
  ]
  const joined = mergeSorted((a, b) => a.key - b.key, [person], [order])
  expectTypeOf(await pipeline(joined).run()).toEqualTypeOf<(typeof person | typeof order)[]>()
  const byKey = (a: { key: number }, b: { key: number }) => a.key - b.key
  expectTypeOf(mergeSorted(byKey, [person], [order])).toEqualTypeOf(joined)
  expectTypeOf(mergeSorted<{ key: number }>(byKey, [person], [order])).toEqualTypeOf<
    Source<{ key: number }>
  >()
})

test('branches of fanOut() and route() may have the type of an interface, or of a record', async () => {
  interface Stages {
    readonly text: Stage<number, string>
    readonly even: Stage<number, boolean>
  }
  interface Sinks {
    readonly text: Sink<number, string[]>
    readonly even: Sink<number, number>
  }
  const stages: Stages = { text: map(String), even: map((n: number) => n % 2 === 0) }
  const sinks: Sinks = { text: pipeline(map(String), toArray()), even: count() }
  const record: Record<string, Sink<number, number>> = { text: count(), even: count() }
  const name = (n: number) => (n > 0 ? 'text' : 'even')

  const out = pipeline(range(2), fanOut(stages)).run()
  expectTypeOf(out).toEqualTypeOf<Promise<(string | boolean)[]>>()
  expect(await out).toHaveLength(4)
  const results = pipeline(range(2), fanOut(sinks)).run()
  expectTypeOf(results).toEqualTypeOf<Promise<{ readonly text: string[]; readonly even: number }>>()
  expect(await results).toEqual({ text: ['0', '1'], even: 2 })
  const routed = pipeline(range(2), route(name, stages)).run()
  expectTypeOf(routed).toEqualTypeOf<Promise<(string | boolean)[]>>()
  expect(await routed).toHaveLength(2)
  const told = pipeline(range(2), route(name, sinks)).run()
  expectTypeOf(told).toEqualTypeOf<Promise<{ readonly text: string[]; readonly even: number }>>()
  expect(await told).toEqual({ text: ['1'], even: 1 })
  const counts = pipeline(range(2), route(name, record)).run()
  expectTypeOf(counts).toEqualTypeOf<Promise<Record<string, number>>>()
  expect(await counts).toEqual({ text: 1, even: 1 })
})
