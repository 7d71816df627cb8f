// What is compared: each library as a few functions from async iterables to async iterables, written as its own
// manual says. A function that a library has no answer to is left out, and its cells say `n/a`.

/** What a stage does with a value. It may throw before it gives a promise. */
export type Work = (value: number) => Promise<number>

type Input = AsyncIterable<number>
type MapStages = (input: Input, stages: readonly Work[], concurrency: number) => AsyncIterable<number>

export interface Tools {
  /** The stages one after the other, each with so many calls in flight; results as they come, where that is an option. */
  map: MapStages
  /** Whether results of `map` come in the order of the values, so that a slow one holds back those behind it. */
  ordered: boolean
  /** `map` with results as they come, for peers that have another function for it. */
  unorderedMap?: MapStages
  /** `map` with the smallest buffers that can be asked for. */
  tightMap?: MapStages
  /** `map` with a small buffer between the stages, for peers that have one only where it is asked for. */
  bufferedMap?: MapStages
  /** Reads all that `work` makes of `input`, and is to end when `signal` aborts. */
  abortable?: (input: Input, work: Work, signal: AbortSignal) => Promise<unknown>
  /** Batches of `size`, or of fewer when `ms` have passed. */
  batch?: (input: Input, size: number, ms: number) => AsyncIterable<readonly number[]>
  merge?: (inputs: readonly Input[]) => AsyncIterable<number>
}

export interface Peer {
  name: string
  /** What it is installed as; nothing for what comes with Node. */
  packages: readonly string[]
  /** Loads the library; a cell's process loads one only. */
  load: () => Promise<Tools>
}
