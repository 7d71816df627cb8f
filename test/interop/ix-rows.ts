/**
 * A row for every operator of IxJS: how to build it as a stage, what goes in and what comes out, and where Ix itself
 * reads further ahead or waits for all of its input.
 */
import { empty, of, toArray } from 'ix/asynciterable'
import * as ix from 'ix/asynciterable/operators'

/** Why an operator cannot be put to one of the checks: Ix is made like that. */
type Reason = string
type Operator<In, Out = unknown> = (input: AsyncIterable<In>) => AsyncIterable<Out>

interface Rest<In> {
  /** Values that never end, each of which lets one out. Default: those of `input`, again and again. */
  flow?: Iterable<In>
  /** How many values of `flow` are pulled at most where nobody reads: `PULLED`, or more where some are dropped. */
  pulled?: number
  /** It gives nothing before it has read all: there is no first value to leave at. */
  whole?: Reason
  /** It does not end when its input has ended: who leaves it then waits until nothing else runs. */
  hangs?: Reason
  /** It reads on however little is taken from it. */
  unbounded?: Reason
  /** The same operator with a function of the user, which throws. */
  throwing?: (fail: () => never) => Operator<In>
  /** That function is called when the input has ended, not at a value. */
  late?: boolean
}

export interface Row extends Rest<never> {
  name: string
  operator: Operator<never>
  input: Iterable<never>
  output: readonly unknown[]
}

/** One in the hands of the source, of the operator and of the sink, and one in each of two channels. */
export const PULLED = 5

const WHOLE = 'it needs all of its input'
const ALL_INNER = 'it pulls the next inner sequence whenever it could also go on with this one'
const even = (n: number): boolean => n % 2 === 0
const same = (n: number): number => n
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const nothing: AsyncIterable<number> = empty()
/** An Ix sequence that never gives a value. */
const silent = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) }
const naturals = {
  *[Symbol.iterator]() {
    for (let n = 0; ; n++) yield n
  },
}
function* twos() {
  for (;;) yield 2
}
/** Makes one operator of two, as `pipe` does. */
const both =
  <A, B, C>(first: Operator<A, B>, second: Operator<B, C>): Operator<A, C> =>
  (input) =>
    second(first(input))
const values = ix.map(({ value }: { value: number }) => value)

function row<In>(operator: Operator<In>, input: In[], output: unknown[], rest: Rest<In> = {}) {
  return { operator, input, output, ...rest } as unknown as Omit<Row, 'name'>
}

// prettier-ignore
const table = {
  batch: row(both(ix.batch<number>(), ix.concatMap((some) => of(...some))), [1, 2, 3], [1, 2, 3],
    { unbounded: 'it collects what was not asked for yet' }),
  buffer: row(ix.buffer<number>(2), [1, 2, 3], [[1, 2], [3]], { pulled: 2 * 3 + 2 }),
  bufferCountOrTime: row(ix.bufferCountOrTime<number>(2, 10), [1, 2, 3], [[1, 2], [3]], { pulled: 2 * 3 + 3 }),
  catchError: row(ix.catchError<number, number>(() => of(0)), [1, 2], [1, 2]),
  // Ix fills one and the same array again and again: who keeps it has to copy it.
  combineLatestWith: row(both(ix.combineLatestWith<number, string>(of('a')), ix.map((all) => [...all])), [1, 2],
    [[1, 'a'], [2, 'a']], { pulled: 6 }),
  concatAll: row(ix.concatAll(), [of(1, 2), of(3)], [1, 2, 3]),
  concatMap: row(ix.concatMap((n: number) => of(n, n)), [1, 2], [1, 1, 2, 2],
    { throwing: (fail) => ix.concatMap<number, number>(fail) }),
  concatWith: row(ix.concatWith(of(8, 9)), [1, 2], [1, 2, 8, 9]),
  debounce: row(ix.debounce<number>(10), [1, 2, 3], [3], 
    { unbounded: 'it drops what is not the last', hangs: 'it waits for its timer, which no value has set' }),
  defaultIfEmpty: row(ix.defaultIfEmpty<number>(7), [1, 2], [1, 2]),
  delay: row(ix.delay<number>(10), [1, 2], [1, 2]),
  delayEach: row(ix.delayEach<number>(10), [1, 2], [1, 2]),
  distinct: row(ix.distinct<number>(), [1, 2, 1], [1, 2],
    { flow: naturals, throwing: (fail) => ix.distinct<number>({ keySelector: fail }) }),
  distinctUntilChanged: row(ix.distinctUntilChanged<number>(), [1, 1, 2, 1], [1, 2, 1],
    { flow: naturals, throwing: (fail) => ix.distinctUntilChanged<number>({ keySelector: fail }) }),
  doWhile: row(ix.doWhile<number>(() => false), [1, 2], [1, 2],
    { throwing: (fail) => ix.doWhile<number>(fail), late: true }),
  endWith: row(ix.endWith(9), [1, 2], [1, 2, 9]),
  except: row(ix.except(of(2)), [1, 2, 3], [1, 3],
    { flow: naturals, pulled: 6, throwing: (fail) => ix.except<number>(of(2), fail) }),
  expand: row(ix.expand((n: number) => (n < 3 ? of(n + 1) : nothing)), [1], [1, 2, 3],
    { throwing: (fail) => ix.expand<number>(fail) }),
  filter: row(ix.filter(even), [1, 2, 3, 4], [2, 4],
    { flow: { [Symbol.iterator]: twos }, throwing: (fail) => ix.filter<number>(fail) }),
  finalize: row(ix.finalize<number>(() => {}), [1, 2], [1, 2],
    { throwing: (fail) => ix.finalize<number>(fail), late: true }),
  flat: row(ix.flat() as Operator<unknown>, [1, of(2, 3)], [1, 2, 3], { pulled: 12 }),
  flatMap: row(ix.flatMap((n: number) => of(n, n), 1), [1, 2], [1, 1, 2, 2],
    { pulled: 12, throwing: (fail) => ix.flatMap<number, number>(fail) }),
  groupBy: row(both(ix.groupBy(even), ix.map(async (group) => [group.key, await toArray(group)])), [1, 2, 3],
    [[false, [1, 3]], [true, [2]]], { whole: WHOLE, throwing: (fail) => ix.groupBy<number, number>(fail) }),
  groupJoin: row(ix.groupJoin(of(1, 2, 2), same, same, async (n, all) => [n, await toArray(all)]), [1, 2],
    [[1, [1]], [2, [2, 2]]], { throwing: (fail) => ix.groupJoin(of(1), fail, same, same) }),
  ignoreElements: row(ix.ignoreElements<number>(), [1, 2], [], { whole: 'it gives nothing' }),
  innerJoin: row(ix.innerJoin(of(1, 2), same, same, (n, m) => n + m), [1, 2], [2, 4],
    { throwing: (fail) => ix.innerJoin(of(1), fail, same, same) }),
  intersect: row(ix.intersect(of(2, 3)), [1, 2, 3], [2, 3],
    { unbounded: 'it looks for more in vain', throwing: (fail) => ix.intersect<number>(of(2), fail) }),
  map: row(ix.map((n: number) => n * 2), [1, 2], [2, 4], { throwing: (fail) => ix.map<number, number>(fail) }),
  memoize: row(ix.memoize() as Operator<number>, [1, 2], [1, 2]),
  mergeAll: row(ix.mergeAll(1), [of(1, 2), of(3)], [1, 2, 3], { pulled: 12 }),
  mergeWith: row(ix.mergeWith(nothing), [1, 2], [1, 2], { pulled: 6 }),
  orderBy: row(ix.orderBy(same), [2, 3, 1], [1, 2, 3],
    { whole: WHOLE, throwing: (fail) => ix.orderBy<number, number>(fail), late: true }),
  orderByDescending: row(ix.orderByDescending(same), [2, 3, 1], [3, 2, 1],
    { whole: WHOLE, throwing: (fail) => ix.orderByDescending<number, number>(fail), late: true }),
  pairwise: row(ix.pairwise<number>(), [1, 2, 3], [[1, 2], [2, 3]], { pulled: 6 }),
  pluck: row(ix.pluck('n'), [{ n: 1 }, { n: 2 }], [1, 2]),
  publish: row(ix.publish() as Operator<number>, [1, 2], [1, 2]),
  raceWith: row(ix.raceWith(silent), [1, 2], [1, 2]),
  repeat: row(ix.repeat<number>(1), [1, 2], [1, 2]),
  retry: row(ix.retry<number>(), [1, 2], [1, 2]),
  reverse: row(ix.reverse<number>(), [1, 2, 3], [3, 2, 1], { whole: WHOLE }),
  scan: row(ix.scan({ callback: (sum: number, n: number) => sum + n, seed: 0 }), [1, 2, 3], [1, 3, 6],
    { throwing: (fail) => ix.scan<number>({ callback: fail, seed: 0 }) }),
  scanRight: row(ix.scanRight({ callback: (sum: number, n: number) => sum + n, seed: 0 }), [1, 2, 3], [3, 5, 6],
    { whole: WHOLE, throwing: (fail) => ix.scanRight<number>({ callback: fail, seed: 0 }), late: true }),
  share: row(ix.share() as Operator<number>, [1, 2], [1, 2]),
  skip: row(ix.skip<number>(1), [1, 2, 3], [2, 3], { pulled: 6 }),
  skipLast: row(ix.skipLast<number>(1), [1, 2, 3], [1, 2], { pulled: 6 }),
  skipUntil: row(both(ix.delayEach<number>(10), ix.skipUntil<number>(() => sleep(15))), [1, 2, 3], [2, 3]),
  skipWhile: row(ix.skipWhile((n: number) => n < 2), [1, 2, 1], [2, 1],
    { pulled: 6, throwing: (fail) => ix.skipWhile<number>(fail) }),
  slice: row(ix.slice<number>(1, 2), [1, 2, 3, 4], [2, 3]),
  startWith: row(ix.startWith(0), [1, 2], [0, 1, 2]),
  switchAll: row(ix.switchAll(), [of(1)], [1], { unbounded: ALL_INNER }),
  switchMap: row(ix.switchMap((n: number) => of(n)), [1], [1],
    { unbounded: ALL_INNER, throwing: (fail) => ix.switchMap<number, number>(fail) }),
  take: row(ix.take<number>(2), [1, 2, 3], [1, 2]),
  takeLast: row(ix.takeLast<number>(2), [1, 2, 3], [2, 3], { whole: WHOLE }),
  takeUntil: row(both(ix.delayEach<number>(10), ix.takeUntil<number>(() => sleep(25))), [1, 2, 3], [1, 2]),
  takeWhile: row(ix.takeWhile((n: number) => n < 3), [1, 2, 3, 1], [1, 2],
    { pulled: 6, throwing: (fail) => ix.takeWhile<number>(fail) }),
  tap: row(ix.tap<number>({ next() {} }), [1, 2], [1, 2], { throwing: (fail) => ix.tap<number>({ next: fail }) }),
  thenBy: row(both(ix.orderBy(({ n }: { n: number, m: number }) => n), ix.thenBy(({ m }) => m)),
    [{ n: 2, m: 1 }, { n: 1, m: 2 }, { n: 1, m: 1 }], [{ n: 1, m: 1 }, { n: 1, m: 2 }, { n: 2, m: 1 }],
    { whole: WHOLE }),
  thenByDescending: row(both(ix.orderBy(({ n }: { n: number, m: number }) => n), ix.thenByDescending(({ m }) => m)),
    [{ n: 2, m: 1 }, { n: 1, m: 1 }, { n: 1, m: 2 }], [{ n: 1, m: 2 }, { n: 1, m: 1 }, { n: 2, m: 1 }],
    { whole: WHOLE }),
  throttle: row(ix.throttle<number>(10), [1, 2, 3], [1], { unbounded: 'it drops what comes too soon' }),
  timeInterval: row(both(ix.timeInterval<number>(), values), [1, 2], [1, 2]),
  timeout: row(ix.timeout<number>(1_000), [1, 2], [1, 2]),
  timestamp: row(both(ix.timestamp<number>(), values), [1, 2], [1, 2]),
  toDOMStream: row(ix.toDOMStream() as Operator<number>, [1, 2], [1, 2], { pulled: 6 }),
  union: row(ix.union(of(2, 3)), [1, 2, 1], [1, 2, 3],
    { flow: naturals, throwing: (fail) => ix.union<number>(of(2), fail) }),
  withAbort: row(ix.withAbort<number>(new AbortController().signal), [1, 2], [1, 2]),
  withLatestFrom: row(ix.withLatestFrom<number, string>(of('a')), [1, 2], [[1, 'a'], [2, 'a']], { pulled: 6 }),
  wrapWithAbort: row((input) => ix.wrapWithAbort(input, new AbortController().signal), [1, 2], [1, 2]),
  zipWith: row(ix.zipWith(of('a', 'b', 'c', 'd', 'e', 'f', 'g')), [1, 2], [[1, 'a'], [2, 'b']]),
}

export const rows: Row[] = Object.entries(table).map(([name, rest]) => ({ name, ...rest }))

/** What the module has: its operators. The rest are classes that Ix does not document. */
export const operators: string[] = Object.keys(ix).filter((name) => /^[a-z]/.test(name) && name !== 'default')
