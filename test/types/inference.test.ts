/** Types flow left to right with nothing annotated: `tsc` checks the types of this file, vitest runs it. */
import { expect, expectTypeOf, test } from 'vitest'
import {
  alsoTo,
  batch,
  buffer,
  changes,
  channel,
  count,
  delay,
  distinct,
  drain,
  drop,
  dropWhile,
  fanIn,
  filter,
  first,
  flatMap,
  forEach,
  groupBy,
  idleTimeout,
  interval,
  last,
  map,
  pipeline,
  range,
  reduce,
  sample,
  scan,
  source,
  stage,
  type Stage,
  take,
  takeWhile,
  tap,
  throttle,
  through,
  toArray,
  unbatch,
  unfold,
  window,
  writeTo,
} from 'sluice'
import { appendLog } from 'sluice/io'
import { streamOf } from '../pipeline/support-sources.ts'
import { map as ixMap } from 'ix/asynciterable/operators'

test('twenty-five stages and inline callbacks infer everything', async () => {
  const pipe = pipeline(
    range(4),
    map((n) => n + 1),
    map((n) => `${n}`),
    map((text) => ({ text, length: text.length })),
    filter(({ length }) => length === 1),
    tap(({ text }) => text.toUpperCase()),
    map(({ text }, index) => [text, index] as const),
    flatMap(([text, index]) => [text, `${index}`]),
    map(async (text) => Number(text)),
    filter(async (n) => n.toFixed(0) !== ''),
    batch(3),
    map((numbers) => numbers.map((n) => n * 2)),
    unbatch(),
    map((n) => ({ n })),
    map(({ n }) => ({ n, half: n / 2 })),
    filter(({ half }) => half >= 0),
    map(({ n, half }) => n + half),
    map((n) => Math.round(n)),
    map((n) => BigInt(n)),
    map((big) => big * 2n),
    map((big) => big.toString()),
    batch(2, { ms: 1000 }),
    map((pair) => pair.join('-')),
    tap((text) => text.length),
    take(2),
  )
  const out = pipe.run()
  expectTypeOf(out).toEqualTypeOf<Promise<string[]>>()
  expect(await out).toEqual(['6-0', '12-6'])
})

test('more than twenty-five stages still infer', async () => {
  const out = pipeline(
    source(['a']),
    map((s) => s.length),
    map((n) => n > 0),
    map((b) => (b ? 1 : 0)),
    map((n) => `${n}`),
    map((s) => s.length),
    map((n) => n > 0),
    map((b) => (b ? 1 : 0)),
    map((n) => `${n}`),
    map((s) => s.length),
    map((n) => n > 0),
    map((b) => (b ? 1 : 0)),
    map((n) => `${n}`),
    map((s) => s.length),
    map((n) => n > 0),
    map((b) => (b ? 1 : 0)),
    map((n) => `${n}`),
    map((s) => s.length),
    map((n) => n > 0),
    map((b) => (b ? 1 : 0)),
    map((n) => `${n}`),
    map((s) => s.length),
    map((n) => n > 0),
    map((b) => (b ? 1 : 0)),
    map((n) => `${n}`),
    map((s) => s.length),
    map((n) => ({ n })),
    toArray(),
  ).run()
  expectTypeOf(out).toEqualTypeOf<Promise<{ n: number }[]>>()
  expect(await out).toEqual([{ n: 1 }])
})

test('type guards of filter narrow, also those that are inferred', async () => {
  const isText = (value: unknown): value is string => typeof value === 'string'
  const mixed = source<string | number | undefined>(['a', 1, undefined])
  const guarded = pipeline(
    mixed,
    filter(isText),
    map((text) => text.toUpperCase()),
  ).run()
  expectTypeOf(guarded).toEqualTypeOf<Promise<string[]>>()
  expect(await guarded).toEqual(['A'])
  const inferred = pipeline(
    mixed,
    filter((value) => value !== undefined),
  ).run()
  expectTypeOf(inferred).toEqualTypeOf<Promise<(string | number)[]>>()
  expect(await inferred).toEqual(['a', 1])
  const told = pipeline(
    mixed,
    filter(
      (value, index, { signal }): value is string =>
        typeof value === 'string' && index >= 0 && !signal.aborted,
    ),
  ).run()
  expectTypeOf(told).toEqualTypeOf<Promise<string[]>>()
  expect(await told).toEqual(['a'])
  const plain = pipeline(
    mixed,
    filter((value) => Boolean(value)),
  ).run()
  expectTypeOf(plain).toEqualTypeOf<Promise<(string | number | undefined)[]>>()
  expect(await plain).toEqual(['a', 1])
})

test('filter and takeWhile narrow a union by what tells its members apart, inline as well', async () => {
  type Event = { kind: 'click'; x: number } | { kind: 'key'; code: string } | undefined
  const events = source<Event>([{ kind: 'click', x: 1 }, { kind: 'key', code: 'a' }, undefined])
  const clicks = pipeline(
    events,
    filter((event) => event?.kind === 'click'),
    map((click) => click.x),
  ).run()
  expectTypeOf(clicks).toEqualTypeOf<Promise<number[]>>()
  expect(await clicks).toEqual([1])
  const others = pipeline(
    events,
    filter((event) => event !== undefined),
    filter((event) => event.kind !== 'click'),
    map((key) => key.code),
  ).run()
  expectTypeOf(others).toEqualTypeOf<Promise<string[]>>()
  expect(await others).toEqual(['a'])
  const begin = pipeline(
    events,
    takeWhile((event) => event?.kind === 'click'),
    map((click) => click.x),
  ).run()
  expectTypeOf(begin).toEqualTypeOf<Promise<number[]>>()
  expect(await begin).toEqual([1])
  const settled = pipeline(
    source([Promise.allSettled([1, Promise.reject(new Error('no'))])]),
    unbatch(),
    filter((result) => result.status === 'fulfilled'),
    map((result) => result.value),
  ).run()
  expectTypeOf(settled).toEqualTypeOf<Promise<number[]>>()
  expect(await settled).toEqual([1])
  const awaited = pipeline(source([[1, Promise.resolve('2')]]), unbatch()).run()
  expectTypeOf(awaited).toEqualTypeOf<Promise<(string | number)[]>>()
  expect(await awaited).toEqual([1, '2'])
})

test('unbatch() gives the values of every kind of iterable that comes in', async () => {
  const mixed = pipeline(
    range(3),
    map((n) => (n % 2 === 0 ? [n] : new Set([String(n)]))),
    unbatch(),
  ).run()
  expectTypeOf(mixed).toEqualTypeOf<Promise<(string | number)[]>>()
  expect(await mixed).toEqual([0, '1', 2])
  const perSize = pipeline(
    source([[1, 2], [3]]),
    groupBy(
      (numbers) => numbers.length,
      () => unbatch(),
    ),
  ).run()
  expectTypeOf(perSize).toEqualTypeOf<Promise<number[]>>()
  expect(await perSize).toHaveLength(3)
  expectTypeOf(unbatch<string>()).toEqualTypeOf<Stage<Iterable<string>, string>>()
})

test('what alsoTo takes narrows a union as well, and leaves what goes on as it is', async () => {
  type Event = { kind: 'click'; x: number } | { kind: 'key'; code: string }
  const seen: number[] = []
  const kinds = pipeline(
    source<Event>([
      { kind: 'click', x: 1 },
      { kind: 'key', code: 'a' },
    ]),
    alsoTo(
      pipeline(
        filter((event) => event.kind === 'click'),
        forEach((click) => void seen.push(click.x)),
      ),
    ),
    alsoTo(
      pipeline(
        batch(10),
        map((events) => events.filter((event) => event.kind === 'click').map((click) => click.x)),
        drain(),
      ),
    ),
    map((event) => event.kind),
  ).run()
  expectTypeOf(kinds).toEqualTypeOf<Promise<('click' | 'key')[]>>()
  expect(await kinds).toEqual(['click', 'key'])
  expect(seen).toEqual([1])
})

test('a function that takes more than what comes leaves the type of what goes on', async () => {
  const sized = (value: { length: number }): number => value.length
  const anything = (value: unknown): boolean => value !== undefined
  const told: unknown[] = []
  const out = pipeline(
    source(['a', 'bc', '']),
    tap(String),
    tap(sized),
    filter(Boolean),
    filter(anything),
    takeWhile(anything),
    dropWhile((value: unknown) => value === undefined),
    distinct(sized),
    changes(String),
    buffer(8, 'drop-oldest', { onUndelivered: (value: unknown) => void told.push(value) }),
    batch(2, { bytes: 8, sizeOf: sized }),
    map((texts) => texts.map((text) => text.toUpperCase())),
  ).run()
  expectTypeOf(out).toEqualTypeOf<Promise<string[][]>>()
  expect(await out).toEqual([['A', 'BC']])
  expect(told).toEqual([])
  const alone = [
    tap(sized),
    filter(sized),
    takeWhile(sized),
    dropWhile(sized),
    distinct(sized),
    changes(sized),
  ]
  expectTypeOf(alone).toEqualTypeOf<Stage<{ length: number }, { length: number }>[]>()
  const batches = batch(2, { sizeOf: (text: string) => text.length })
  expectTypeOf(batches).toEqualTypeOf<Stage<string, string[]>>()
})

test('a sink says what a run gives', async () => {
  const array = pipeline(range(3), toArray()).run()
  expectTypeOf(array).toEqualTypeOf<Promise<number[]>>()
  const counted = pipeline(range(3), count()).run()
  expectTypeOf(counted).toEqualTypeOf<Promise<number>>()
  const nothing = pipeline(range(3), drain()).run()
  expectTypeOf(nothing).toEqualTypeOf<Promise<undefined>>()
  const folded = pipeline(
    range(3),
    reduce((all, n) => `${all}${n}`, ''),
  ).run()
  expectTypeOf(folded).toEqualTypeOf<Promise<string>>()
  const acted = pipeline(
    range(3),
    forEach((n) => void n.toFixed()),
  ).run()
  const written = pipeline(range(3), writeTo(new WritableStream<number>())).run()
  expect(await Promise.all([array, counted, nothing, folded, acted, written])).toEqual([
    [0, 1, 2],
    3,
    undefined,
    '012',
    undefined,
    undefined,
  ])
})

test('stages that pass values on, or not, keep their type', async () => {
  const out = pipeline(
    source(['a', 'b', 'c', 'd', 'd']),
    drop(1),
    dropWhile((text) => text === 'b'),
    takeWhile((text, index, { signal }) => text.length > index - 9 && !signal.aborted),
    distinct((text) => text.codePointAt(0)),
    distinct(),
    changes((text) => text.length + text.charCodeAt(0)),
    changes(),
    delay(0),
    throttle({ count: 1000, per: 1 }),
    idleTimeout(10_000),
    buffer(2, 'drop-oldest', { onUndelivered: (text) => text.toUpperCase() }),
    map((text) => text.toUpperCase()),
    sample(60_000),
  ).run()
  expectTypeOf(out).toEqualTypeOf<Promise<string[]>>()
  expect(await out).toEqual(['D'])
})

test('takeWhile narrows by a type guard', async () => {
  const out = pipeline(
    source<string | number>(['a', 1, 'b']),
    takeWhile((value) => typeof value === 'string'),
    map((text) => text.toUpperCase()),
  ).run()
  expectTypeOf(out).toEqualTypeOf<Promise<string[]>>()
  expect(await out).toEqual(['A'])
})

test('scan and window make new types of what comes', async () => {
  const out = pipeline(
    range(3),
    scan((all, n) => `${all}${n}`, ''),
    scan(async (all: number, text) => all + text.length, 0),
    window(2),
    map((pair) => pair.join('-')),
  ).run()
  expectTypeOf(out).toEqualTypeOf<Promise<string[]>>()
  expect(await out).toEqual(['1-3', '3-6'])
})

test('unfold takes its types from seed and function', async () => {
  const out = pipeline(unfold(0, (n, index) => (index < 2 ? [`${n}`, n + 1] : undefined))).run()
  expectTypeOf(out).toEqualTypeOf<Promise<string[]>>()
  expect(await out).toEqual(['0', '1'])
  const pages = unfold('a', async (page, _index, { signal }) =>
    signal.aborted || page === 'aa' ? undefined : [page.length, page + 'a'],
  )
  const sizes = pipeline(pages).run()
  expectTypeOf(sizes).toEqualTypeOf<Promise<number[]>>()
  expect(await sizes).toEqual([1])
})

test('first and last may give undefined', async () => {
  const one = pipeline(interval(1), first()).run()
  expectTypeOf(one).toEqualTypeOf<Promise<number | undefined>>()
  const two = pipeline(source(['a']), last()).run()
  expectTypeOf(two).toEqualTypeOf<Promise<string | undefined>>()
  expect(await Promise.all([one, two])).toEqual([0, 'a'])
})

test('a run carries the type of its result', async () => {
  const run = pipeline(range(3), map(String)).start()
  expectTypeOf(run.result).toEqualTypeOf<Promise<string[]>>()
  expectTypeOf(run.stop).returns.toEqualTypeOf<Promise<string[]>>()
  expectTypeOf(run.abort).returns.toEqualTypeOf<Promise<void>>()
  expectTypeOf(pipeline(range(3), count()).start().result).toEqualTypeOf<Promise<number>>()
  expect(await run.result).toEqual(['0', '1', '2'])
})

test('a pipeline is iterated with the type of its values', async () => {
  for await (const value of pipeline(
    range(1),
    map((n) => ({ n })),
  )) {
    expectTypeOf(value).toEqualTypeOf<{ n: number }>()
    expect(value).toEqual({ n: 0 })
  }
})

test('sources take their type from what they read', async () => {
  const [tx, rx] = channel<Date>(1)
  tx.close()
  expectTypeOf(pipeline(source([1, 'a'])).run()).resolves.toEqualTypeOf<(string | number)[]>()
  expectTypeOf(pipeline(source(new Set([1]))).run()).resolves.toEqualTypeOf<number[]>()
  expectTypeOf(pipeline(source(rx)).run()).resolves.toEqualTypeOf<Date[]>()
  expectTypeOf(pipeline(source(streamOf(['a']))).run()).resolves.toEqualTypeOf<string[]>()
  expectTypeOf(pipeline(source(Promise.resolve([1]))).run()).resolves.toEqualTypeOf<number[]>()
  expectTypeOf(pipeline(source(() => [1])).run()).resolves.toEqualTypeOf<number[]>()
  expectTypeOf(pipeline(source(async () => ['a'])).run()).resolves.toEqualTypeOf<string[]>()
  expectTypeOf(pipeline(source([Promise.resolve(1), 2])).run()).resolves.toEqualTypeOf<number[]>()
  const generated = source(async function* ({ signal }) {
    yield signal.aborted
  })
  expectTypeOf(pipeline(generated).run()).resolves.toEqualTypeOf<boolean[]>()
  expect(await pipeline(generated).run()).toEqual([false])
})

test('fanIn gives what its inputs give', async () => {
  const both = pipeline(fanIn<string | number>([1], pipeline(range(1), map(String)))).run()
  expectTypeOf(both).toEqualTypeOf<Promise<(string | number)[]>>()
  expect((await both).map(String).sort()).toEqual(['0', '1'])
})

test('composed stages keep both of their ends', async () => {
  const parse = pipeline(
    map((text: string) => Number(text)),
    filter((n) => n > 0),
    batch(2),
  )
  const out = pipeline(
    source(['1', '0', '2']),
    parse,
    unbatch(),
    map((n) => n + 1),
  ).run()
  expectTypeOf(out).toEqualTypeOf<Promise<number[]>>()
  expect(await out).toEqual([2, 3])
})

test('custom stages and foreign operators take their place in the chain', async () => {
  const lengths = stage<string, number>('lengths', async (rx, tx, ctx) => {
    expectTypeOf(ctx.signal).toEqualTypeOf<AbortSignal>()
    for await (const text of rx) await tx.send(text.length)
  })
  const out = pipeline(
    source(['a', 'bb']),
    lengths,
    map((n) => n * 10),
    through(ixMap((n: number) => `${n}`)),
    map((text) => text.length),
  ).run()
  expectTypeOf(out).toEqualTypeOf<Promise<number[]>>()
  expect(await out).toEqual([2, 2])
})

test('options are typed by the values of their stage', async () => {
  const dead: { value: number; attempts: number }[] = []
  const out = pipeline(
    range(3),
    map((n) => (n === 1 ? Promise.reject<number>(new Error('one')) : n), {
      ordered: { by: (n) => n % 2 },
      onError: ({ value, attempts }) => void dead.push({ value, attempts }),
      concurrency: 2,
    }),
  ).run()
  expectTypeOf(out).toEqualTypeOf<Promise<number[]>>()
  expect((await out).sort()).toEqual([0, 2])
  expect(dead).toEqual([{ value: 1, attempts: 1 }])
})

test('nothing of it is any', () => {
  expectTypeOf(
    pipeline(
      range(1),
      map((n) => n),
    ).run(),
  ).not.toBeAny()
  pipeline(
    range(1),
    map((n, index, { signal }) => {
      expectTypeOf(n).toEqualTypeOf<number>()
      expectTypeOf(index).toEqualTypeOf<number>()
      expectTypeOf(signal).toEqualTypeOf<AbortSignal>()
      return n
    }),
    tap((n) => expectTypeOf(n).toEqualTypeOf<number>()),
    flatMap((n) => (expectTypeOf(n).toEqualTypeOf<number>(), [String(n)])),
    forEach((text) => expectTypeOf(text).toEqualTypeOf<string>()),
  )
})

test('a handler of errors for any value does not make the values unknown', () => {
  const onError = (failure: { value: unknown; error: unknown }) => void failure
  const lengths = pipeline(
    source(['a']),
    map((text) => text.length, { onError }),
    filter((length) => length.toFixed() !== '', { onError }),
    forEach((length) => void length.toFixed(), { onError }),
  )
  expectTypeOf(lengths.run()).resolves.toEqualTypeOf<undefined>()
})

test('appendLog knows the values that its line is made of, and without one takes text alone', () => {
  const log = pipeline(
    source([{ id: 1 }]),
    appendLog('app.log', {
      line: (value) => {
        expectTypeOf(value).toEqualTypeOf<{ id: number }>()
        return String(value.id)
      },
      onAcknowledged: (values) => void expectTypeOf(values).toEqualTypeOf<readonly { id: number }[]>(),
    }),
  )
  expect(log.describe().nodes).toHaveLength(2)
  pipeline(source(['one']), appendLog('app.log', { onError: ({ value }) => void value.trim() }))
  // Outside of a pipeline nothing tells another type.
  expectTypeOf(appendLog('app.log', { line: (value) => value.trim() })).toEqualTypeOf(appendLog('app.log'))
  // @ts-expect-error -- a number is no line
  pipeline(source([1]), appendLog('app.log'))
})

test('what is one thing or another may give values of different types', async () => {
  const late = (n: number): Promise<{ page: number }> => Promise.resolve({ page: n })
  const mapped = pipeline(
    range(2),
    map((n) => (n > 0 ? late(n) : { error: 'none' })),
  ).run()
  expectTypeOf(mapped).toEqualTypeOf<Promise<({ page: number } | { error: string })[]>>()
  expect(await mapped).toEqual([{ error: 'none' }, { page: 1 }])

  const flat = pipeline(
    range(3),
    flatMap((n) => (n === 0 ? [n] : n === 1 ? streamOf('a') : Promise.resolve(new Set([true])))),
  ).run()
  expectTypeOf(flat).toEqualTypeOf<Promise<(number | string | boolean)[]>>()
  expect(await flat).toEqual([0, 'a', true])

  const input = (text: boolean): number[] | AsyncIterable<string> => (text ? streamOf('a') : [1])
  const read = pipeline(source(input(true))).run()
  expectTypeOf(read).toEqualTypeOf<Promise<(number | string)[]>>()
  expect(await read).toEqual(['a'])
  const opened = pipeline(source(async () => input(false))).run()
  expectTypeOf(opened).toEqualTypeOf<Promise<(number | string)[]>>()
  expect(await opened).toEqual([1])

  // In a function of the user's own.
  const listed = <A, B>(either: Iterable<A> | Promise<AsyncIterable<B>>) =>
    pipeline(
      source(either),
      map((value) => [value]),
    ).run()
  const lists = listed([1] as Iterable<number> | Promise<AsyncIterable<string>>)
  expectTypeOf(lists).toEqualTypeOf<Promise<(number | string)[][]>>()
  expect(await lists).toEqual([[1]])
})
