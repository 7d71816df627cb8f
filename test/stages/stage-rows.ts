/**
 * The table that the stage contract runs over: one row per stage. To put a new stage under the whole contract, add
 * its row here: how to build it, what goes in and what comes out. Nothing else has to be written.
 *
 * The input of each row covers what the stage does to a few values; the suite repeats it where it needs more.
 */
import { map as ixMap } from 'ix/asynciterable/operators'
import {
  alsoTo,
  balance,
  batch,
  drain,
  fanOut,
  changes,
  distinct,
  drop,
  dropWhile,
  filter,
  flatMap,
  groupBy,
  map,
  type reduce,
  route,
  scan,
  type source,
  stage,
  take,
  takeWhile,
  tap,
  through,
  unbatch,
  window,
} from 'sluice'
import { naturals, upTo } from '../pipeline/support-sources.ts'

export type SourceOf<Out> = ReturnType<typeof source<Out>>
export type StageOf<In, Out> = ReturnType<typeof stage<In, Out>>
export type SinkOf<In> = ReturnType<typeof reduce<In, unknown>>

/** A stage between a source and a sink. */
export interface StageRow<In = unknown> {
  title: string
  /** What stats, `describe()` and errors call it. */
  name: string
  build: () => StageOf<In, unknown>
  input: readonly In[]
  output: readonly unknown[]
  /** How many values it may hold itself: its concurrency (1), or the batch it is filling. */
  holds?: number
  /** The stages of its branches, as far as they are known before a run. */
  inside?: readonly string[]
  /** How many channels it has inside. */
  channels?: number
  /** How many input values one of its output values stands for. */
  weight?: number
  /** Its input without end, where `input` over and over again would not do. */
  endless?: () => Iterable<In>
  /** It drops what it has no room for, and may give nothing at all while values go on coming. */
  drops?: boolean
  /** How many milliseconds pass in a turn of the event loop while its endings are tested, so that values come out. Default: 1. */
  perTurn?: number
  /** What comes out of it depends on when values come and go: its endings do not compare it. */
  loose?: boolean
  /** The same stage with a function that throws `boom` somewhere in `input`. */
  failing?: {
    build: (boom: Error) => StageOf<In, unknown>
    /** The value that did it; left out where no single value did. */
    value?: In
    /** What comes out before the failure. */
    before: readonly unknown[]
  }
}

// A row is checked against its own type of input and then put with the others: the suite feeds each stage from its
// own row and never mixes them.
export const stageRow = <In>(row: StageRow<In>): StageRow => row as unknown as StageRow

/** Gives `value` back, or throws `boom` where it is `bad`. */
export function orThrow<T>(bad: T, boom: Error): (value: T) => T {
  return (value) => {
    if (value === bad) throw boom
    return value
  }
}

const numbers = upTo(6)
function* manyObjects(): Generator<object> {
  for (let n = 1; ; n++) yield { n }
}
const double = (n: number) => n * 2
const fails = (
  stageThatThrows: (check: (n: number) => number) => StageOf<number, unknown>,
  before: unknown[],
) => ({
  build: (boom: Error) => stageThatThrows(orThrow(3, boom)),
  value: 3,
  before,
})

/** What goes through one branch: two channels more, the branch's own stage, and a value on its way out of it. */
const branched = { holds: 2, channels: 2 }

export const stageRows: StageRow[] = [
  stageRow<number>({
    title: 'map',
    name: 'map',
    build: () => map(double),
    input: numbers,
    output: [0, 2, 4, 6, 8, 10],
    failing: fails((check) => map(check), [0, 1, 2]),
  }),
  stageRow<number>({
    title: 'map with an async function',
    name: 'map',
    build: () => map(async (n: number) => n * 2),
    input: numbers,
    output: [0, 2, 4, 6, 8, 10],
    failing: fails((check) => map(async (n: number) => check(n)), [0, 1, 2]),
  }),
  stageRow<number>({
    title: 'map with a concurrency of 3',
    name: 'map',
    build: () => map(async (n: number) => n * 2, { concurrency: 3 }),
    input: numbers,
    output: [0, 2, 4, 6, 8, 10],
    holds: 3,
    failing: fails((check) => map(async (n: number) => check(n), { concurrency: 3 }), [0, 1, 2]),
  }),
  stageRow<number>({
    title: 'map with a concurrency of 3, unordered',
    name: 'map',
    build: () => map(async (n: number) => n * 2, { concurrency: 3, ordered: false }),
    input: numbers,
    output: [0, 2, 4, 6, 8, 10],
    holds: 3,
  }),
  stageRow<number>({
    title: 'map ordered by key',
    name: 'map',
    build: () => map(async (n: number) => n * 2, { concurrency: 3, ordered: { by: () => 'one' } }),
    input: numbers,
    output: [0, 2, 4, 6, 8, 10],
    holds: 3,
    failing: fails(
      (check) => map(async (n: number) => check(n), { concurrency: 3, ordered: { by: () => 'one' } }),
      [0, 1, 2],
    ),
  }),
  stageRow<number>({
    title: 'filter',
    name: 'filter',
    build: () => filter((n: number) => n >= 0),
    input: numbers,
    output: numbers,
    failing: fails((check) => filter((n: number) => check(n) >= 0), [0, 1, 2]),
  }),
  stageRow<number>({
    title: 'flatMap over arrays',
    name: 'flatMap',
    build: () => flatMap((n: number) => [n, -n]),
    input: [1, 2, 3],
    output: [1, -1, 2, -2, 3, -3],
    failing: fails((check) => flatMap((n: number) => [check(n), -n]), [1, -1, 2, -2]),
  }),
  stageRow<number>({
    title: 'flatMap over async generators',
    name: 'flatMap',
    build: () =>
      flatMap(async function* (n: number) {
        yield n
        yield -n
      }),
    input: [1, 2, 3],
    output: [1, -1, 2, -2, 3, -3],
    failing: fails(
      (check) =>
        flatMap(async function* (n: number) {
          yield -n
          yield check(n)
        }),
      [-1, 1, -2, 2, -3],
    ),
  }),
  stageRow<number>({
    title: 'tap',
    name: 'tap',
    build: () => tap(() => {}),
    input: numbers,
    output: numbers,
    failing: fails((check) => tap((n: number) => void check(n)), [0, 1, 2]),
  }),
  stageRow<number>({
    title: 'take of more than there is',
    name: 'take',
    build: () => take(1_000_000),
    input: numbers,
    output: numbers,
  }),
  stageRow<number>({
    title: 'takeWhile',
    name: 'takeWhile',
    build: () => takeWhile((n: number) => n >= 0),
    input: numbers,
    output: numbers,
    failing: fails((check) => takeWhile((n: number) => check(n) >= 0), [0, 1, 2]),
  }),
  stageRow<number>({
    title: 'takeWhile with a concurrency of 3',
    name: 'takeWhile',
    build: () => takeWhile(async (n: number) => n >= 0, { concurrency: 3 }),
    input: numbers,
    output: numbers,
    holds: 3,
    failing: fails((check) => takeWhile(async (n: number) => check(n) >= 0, { concurrency: 3 }), [0, 1, 2]),
  }),
  stageRow<number>({
    title: 'drop',
    name: 'drop',
    build: () => drop(2),
    input: numbers,
    output: [2, 3, 4, 5],
    weight: 3,
  }),
  stageRow<number>({
    title: 'dropWhile',
    name: 'dropWhile',
    build: () => dropWhile((n: number) => n < 2),
    input: numbers,
    output: [2, 3, 4, 5],
    weight: 3,
    failing: fails((check) => dropWhile((n: number) => check(n) >= 0), []),
  }),
  stageRow<number>({
    title: 'dropWhile with a concurrency of 3',
    name: 'dropWhile',
    build: () => dropWhile(async (n: number) => n < 2, { concurrency: 3 }),
    input: numbers,
    output: [2, 3, 4, 5],
    holds: 3,
    weight: 3,
    failing: fails((check) => dropWhile(async (n: number) => check(n) >= 0, { concurrency: 3 }), []),
  }),
  stageRow<object>({
    title: 'distinct by an async key',
    name: 'distinct',
    build: () => distinct(async (value: object) => value, { concurrency: 2 }),
    input: [{ n: 1 }, { n: 2 }, { n: 3 }],
    output: [{ n: 1 }, { n: 2 }, { n: 3 }],
    holds: 2,
    endless: manyObjects,
  }),
  stageRow<number>({
    title: 'distinct',
    name: 'distinct',
    build: () => distinct(),
    input: numbers,
    output: numbers,
    endless: () => naturals,
  }),
  stageRow<number>({
    title: 'distinct by a key',
    name: 'distinct',
    build: () => distinct((n: number) => n),
    input: numbers,
    output: numbers,
    endless: () => naturals,
    failing: fails((check) => distinct((n: number) => check(n)), [0, 1, 2]),
  }),
  stageRow<number>({
    title: 'changes',
    name: 'changes',
    build: () => changes(),
    input: [0, 0, 1, 1, 2],
    output: [0, 1, 2],
    weight: 2,
  }),
  stageRow<number>({
    title: 'changes of an async key',
    name: 'changes',
    build: () => changes(async (n: number) => n),
    input: numbers,
    output: numbers,
    failing: fails((check) => changes(async (n: number) => check(n)), [0, 1, 2]),
  }),
  stageRow<number>({
    title: 'scan',
    name: 'scan',
    build: () => scan((sum: number, n: number) => sum + n, 0),
    input: numbers,
    output: [0, 1, 3, 6, 10, 15],
    failing: fails((check) => scan((sum: number, n: number) => sum + check(n), 0), [0, 1, 3]),
  }),
  stageRow<number>({
    title: 'scan with an async function',
    name: 'scan',
    build: () => scan(async (sum: number, n: number) => sum + n, 0),
    input: numbers,
    output: [0, 1, 3, 6, 10, 15],
    failing: fails((check) => scan(async (sum: number, n: number) => sum + check(n), 0), [0, 1, 3]),
  }),
  stageRow<number>({
    title: 'window',
    name: 'window',
    build: () => window(3),
    input: numbers,
    output: [
      [0, 1, 2],
      [1, 2, 3],
      [2, 3, 4],
      [3, 4, 5],
    ],
    holds: 3,
  }),
  stageRow<number>({
    title: 'window with gaps',
    name: 'window',
    build: () => window(2, 3),
    input: numbers,
    output: [
      [0, 1],
      [3, 4],
    ],
    holds: 2,
    weight: 3,
  }),
  stageRow<number>({
    title: 'batch',
    name: 'batch',
    build: () => batch(4),
    input: numbers,
    output: [
      [0, 1, 2, 3],
      [4, 5],
    ],
    holds: 4,
    weight: 4,
  }),
  stageRow<number>({
    title: 'batch with a time limit',
    name: 'batch',
    build: () => batch(4, { ms: 60_000 }),
    input: numbers,
    output: [
      [0, 1, 2, 3],
      [4, 5],
    ],
    holds: 4,
    weight: 4,
  }),
  stageRow<number[]>({
    title: 'unbatch',
    name: 'unbatch',
    build: () => unbatch(),
    input: [[1, 2], [3]],
    output: [1, 2, 3],
  }),
  stageRow<number>({
    title: 'a custom stage',
    name: 'double',
    build: () =>
      stage<number, number>('double', async (rx, tx) => {
        for await (const n of rx) await tx.send(double(n))
      }),
    input: numbers,
    output: [0, 2, 4, 6, 8, 10],
    failing: {
      build: (boom) =>
        stage<number, number>('double', async (rx, tx) => {
          for await (const n of rx) await tx.send(orThrow(3, boom)(n))
        }),
      before: [0, 1, 2],
    },
  }),
  stageRow<number>({
    title: 'through an async generator function',
    name: 'through',
    build: () =>
      through(async function* (input: AsyncIterable<number>) {
        for await (const n of input) yield n * 2
      }),
    input: numbers,
    output: [0, 2, 4, 6, 8, 10],
    failing: {
      build: (boom) =>
        through(async function* (input: AsyncIterable<number>) {
          for await (const n of input) yield orThrow(3, boom)(n)
        }),
      before: [0, 1, 2],
    },
  }),
  stageRow<number>({
    title: 'through an IxJS operator',
    name: 'through',
    build: () => through(ixMap(double)),
    input: numbers,
    output: [0, 2, 4, 6, 8, 10],
    failing: { build: (boom) => through(ixMap(orThrow(3, boom))), before: [0, 1, 2] },
  }),
  stageRow<number>({
    title: 'fanOut to one branch',
    name: 'fanOut',
    inside: ['map'],
    build: () => fanOut({ one: map(double) }),
    input: numbers,
    output: [0, 2, 4, 6, 8, 10],
    ...branched,
  }),
  stageRow<number>({
    title: 'fanOut to a branch and one that has had enough',
    name: 'fanOut',
    inside: ['map', 'take'],
    build: () => fanOut({ one: map(double), none: take<number>(0) }),
    input: numbers,
    output: [0, 2, 4, 6, 8, 10],
    ...branched,
  }),
  stageRow<number>({
    title: 'alsoTo',
    name: 'alsoTo',
    inside: ['drain'],
    build: () => alsoTo(drain()),
    input: numbers,
    output: numbers,
  }),
  stageRow<number>({
    title: 'balance over one copy',
    name: 'balance',
    inside: ['map'],
    build: () => balance(1, map(double)),
    input: numbers,
    output: [0, 2, 4, 6, 8, 10],
    ...branched,
  }),
  stageRow<number>({
    title: 'route to one branch',
    name: 'route',
    inside: ['map', 'map'],
    build: () => route(() => 'one', { one: map(double), other: map(double) }),
    input: numbers,
    output: [0, 2, 4, 6, 8, 10],
    ...branched,
    failing: fails(
      (check) => route((n: number) => (check(n), 'one' as const), { one: map((n: number) => n) }),
      [0, 1, 2],
    ),
  }),
  stageRow<number>({
    title: 'route with an async function',
    name: 'route',
    inside: ['map'],
    build: () => route(async () => 'one' as const, { one: map(double) }),
    input: numbers,
    output: [0, 2, 4, 6, 8, 10],
    ...branched,
    holds: 3,
    failing: fails(
      (check) => route(async (n: number) => (check(n), 'one' as const), { one: map((n: number) => n) }),
      [0, 1, 2],
    ),
  }),
  stageRow<number>({
    title: 'groupBy with one key',
    name: 'groupBy',
    build: () =>
      groupBy(
        () => 1,
        () => map(double),
      ),
    input: numbers,
    output: [0, 2, 4, 6, 8, 10],
    ...branched,
    failing: fails(
      (check) =>
        groupBy(
          (n: number) => (check(n), 1),
          () => map((n: number) => n),
        ),
      [0, 1, 2],
    ),
  }),
]
