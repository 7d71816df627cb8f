/**
 * The two tables that the contract of sources and sinks runs over: to put a new one under it, add its row.
 */
import { Writable } from 'node:stream'
import {
  balance,
  channel,
  concat,
  count,
  drain,
  fanIn,
  fanOut,
  forEach,
  interleave,
  mergeSorted,
  range,
  reduce,
  route,
  source,
  toArray,
  writeTo,
  zip,
  first,
  last,
  unfold,
} from 'sluice'
import { upTo, type Probe } from '../pipeline/support-sources.ts'
import type { SinkOf, SourceOf } from './stage-rows.ts'
import { orThrow } from './stage-rows.ts'

/** A stage that ends a pipeline. */
export interface SinkRow<In = unknown> {
  title: string
  name: string
  /** Builds the sink; what it acts on goes to `seen`. */
  build: (seen: unknown[]) => SinkOf<In>
  input: readonly In[]
  result: unknown
  /** The stages of its branches, for those that have any. */
  inside?: readonly string[]
  /** What it acts on, where it acts on anything. */
  seen?: readonly unknown[]
  /** A target that can be written to once only. */
  oneShot?: boolean
  failing?: { build: (boom: Error) => SinkOf<In>; value?: In }
}

/** A stage that begins a pipeline. */
export interface SourceRow {
  title: string
  name: string
  /** Builds the source; those that read something else read `input`. */
  build: (input: Probe<unknown>) => SourceOf<unknown>
  /** What comes out when `input` gives 0, 1, 2. */
  output: readonly unknown[]
  /** The source reads `input`, so that it can be watched. */
  reads: boolean
  /** It reads inputs, each behind a channel of its own. */
  joins?: boolean
  /** How many milliseconds pass in a turn of the event loop while its endings are tested. Default: 1. */
  perTurn?: number
  /** Can be read once only. */
  oneShot?: boolean
}

const numbers = upTo(6)
const sinkRow = <In>(row: SinkRow<In>): SinkRow => row as unknown as SinkRow

/** A writable that puts what it gets into `seen`. */
const writableInto = (seen: unknown[]) =>
  new Writable({
    objectMode: true,
    write(chunk: unknown, _encoding, done) {
      seen.push(chunk)
      done()
    },
  })

export const sinkRows: SinkRow[] = [
  sinkRow<number>({
    title: 'toArray',
    name: 'toArray',
    build: () => toArray(),
    input: numbers,
    result: numbers,
  }),
  sinkRow<number>({
    title: 'forEach',
    name: 'forEach',
    build: (seen) => forEach((n: number) => void seen.push(n)),
    input: numbers,
    result: undefined,
    seen: numbers,
    failing: { build: (boom) => forEach((n: number) => void orThrow(3, boom)(n)), value: 3 },
  }),
  sinkRow<number>({
    title: 'reduce',
    name: 'reduce',
    build: () => reduce((sum: number, n: number) => sum + n, 0),
    input: numbers,
    result: 15,
    failing: { build: (boom) => reduce((sum: number, n: number) => sum + orThrow(3, boom)(n), 0), value: 3 },
  }),
  sinkRow<number>({ title: 'count', name: 'count', build: () => count(), input: numbers, result: 6 }),
  sinkRow<number>({
    title: 'fanOut to sinks',
    name: 'fanOut',
    build: () => fanOut({ all: toArray<number>(), many: count() }),
    inside: ['toArray', 'count'],
    input: numbers,
    result: { all: numbers, many: 6 },
  }),
  sinkRow<number>({
    title: 'balance over one sink',
    name: 'balance',
    build: () => balance(1, toArray<number>()),
    inside: ['toArray'],
    input: numbers,
    result: [numbers],
  }),
  sinkRow<number>({
    title: 'route to sinks',
    name: 'route',
    build: () => route((n: number) => (n < 3 ? 'low' : 'high'), { low: toArray<number>(), high: count() }),
    inside: ['toArray', 'count'],
    input: numbers,
    result: { low: [0, 1, 2], high: 3 },
    failing: {
      build: (boom) => route((n: number) => (orThrow(3, boom)(n), 'all' as const), { all: count() }),
      value: 3,
    },
  }),
  sinkRow<number>({
    title: 'first of nothing',
    name: 'first',
    build: () => first(),
    input: [],
    result: undefined,
  }),
  sinkRow<number>({ title: 'last', name: 'last', build: () => last(), input: numbers, result: 5 }),
  sinkRow<number>({ title: 'drain', name: 'drain', build: () => drain(), input: numbers, result: undefined }),
  sinkRow<number>({
    title: 'writeTo a Node Writable',
    name: 'writeTo',
    build: (seen) => writeTo(writableInto(seen)),
    input: numbers,
    result: undefined,
    seen: numbers,
    oneShot: true,
  }),
  sinkRow<number>({
    title: 'writeTo a WritableStream',
    name: 'writeTo',
    build: (seen) => writeTo(new WritableStream<number>({ write: (n) => void seen.push(n) })),
    input: numbers,
    result: undefined,
    seen: numbers,
    oneShot: true,
  }),
]

export const sourceRows: SourceRow[] = [
  { title: 'source', name: 'source', build: (input) => source(input), output: [0, 1, 2], reads: true },
  {
    title: 'source of a function',
    name: 'source',
    build: (input) => source(() => input),
    output: [0, 1, 2],
    reads: true,
  },
  {
    title: 'source of a promise',
    name: 'source',
    build: (input) => source(Promise.resolve(input)),
    output: [0, 1, 2],
    reads: true,
  },
  {
    title: 'source of an array',
    name: 'source',
    build: () => source([0, 1, 2]),
    output: [0, 1, 2],
    reads: false,
  },
  {
    title: 'source of a Receiver',
    name: 'source',
    build() {
      const [tx, rx] = channel<unknown>(3)
      for (const n of upTo(3)) tx.trySend(n)
      tx.close()
      return source(rx)
    },
    output: [0, 1, 2],
    reads: false,
    oneShot: true,
  },
  { title: 'range', name: 'range', build: () => range(3), output: [0, 1, 2], reads: false },
  {
    title: 'unfold',
    name: 'unfold',
    build: () => unfold(0, (n) => (n < 3 ? [n, n + 1] : undefined)),
    output: [0, 1, 2],
    reads: false,
  },
  {
    title: 'unfold with an async function',
    name: 'unfold',
    build: () => unfold(0, async (n) => (n < 3 ? [n, n + 1] : undefined)),
    output: [0, 1, 2],
    reads: false,
  },
  {
    title: 'fanIn of one',
    name: 'fanIn',
    joins: true,
    build: (input) => fanIn(source(input)),
    output: [0, 1, 2],
    reads: true,
  },
  {
    title: 'concat of one that is empty and others',
    name: 'concat',
    joins: true,
    build: (input) => concat([], input, []),
    output: [0, 1, 2],
    reads: true,
  },
  {
    title: 'interleave of one and one that is empty',
    name: 'interleave',
    joins: true,
    build: (input) => interleave([], input),
    output: [0, 1, 2],
    reads: true,
  },
  {
    title: 'mergeSorted of one and one that is empty',
    name: 'mergeSorted',
    joins: true,
    build: (input) => mergeSorted((a, b) => Number(a) - Number(b), input, []),
    output: [0, 1, 2],
    reads: true,
  },
  {
    title: 'zip of one',
    name: 'zip',
    joins: true,
    build: (input) => zip(input),
    output: [[0], [1], [2]],
    reads: true,
  },
  {
    title: 'fanIn with one that is empty',
    name: 'fanIn',
    joins: true,
    build: (input) => fanIn(input, []),
    output: [0, 1, 2],
    reads: true,
  },
]
