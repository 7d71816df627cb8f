/**
 * Sources that write down what a run does to them.
 *
 * A probe is read with a hand-written iterator and not with a generator: a generator queues `return()` behind a
 * pending `next()` and swallows a second one, and both would hide what the tests are after.
 */

/** What a probe does once its values are used up. */
export type Ending = 'end' | 'hang' | { error: unknown }

export interface Probe<T> extends AsyncIterable<T> {
  /** How often somebody asked for an iterator. */
  iterated: number
  /** How many values were handed out. */
  pulled: number
  /** How often `return()` was called, over all iterators. */
  returned: number
  /** How often `next()` was called while an earlier one was still pending. */
  overlaps: number
  /** True once a `next()` hangs for good. */
  hangs: boolean
}

export interface SyncProbe<T> extends Iterable<T> {
  iterated: number
  pulled: number
  returned: number
}

/** An asynchronous source over `values` that can be read again and again. */
export function probe<T>(values: Iterable<T>, ending: Ending = 'end'): Probe<T> {
  const log: Probe<T> = {
    iterated: 0,
    pulled: 0,
    returned: 0,
    overlaps: 0,
    hangs: false,
    [Symbol.asyncIterator]() {
      log.iterated++
      return probeIterator(log, values[Symbol.iterator](), ending)
    },
  }
  return log
}

function probeIterator<T>(log: Probe<T>, values: Iterator<T>, ending: Ending): AsyncIterator<T> {
  let pending = false
  return {
    async next() {
      if (pending) log.overlaps++
      pending = true
      await null
      const step = values.next()
      if (!step.done) log.pulled++
      else if (ending === 'hang') await hang(log)
      pending = false
      if (step.done && typeof ending === 'object') throw ending.error
      return step.done ? { done: true, value: undefined } : step
    },
    async return() {
      log.returned++
      return { done: true, value: undefined }
    },
  }
}

function hang<T>(log: Probe<T>): Promise<never> {
  log.hangs = true
  return new Promise(() => {})
}

/** The same for a synchronous iterable. */
export function syncProbe<T>(values: Iterable<T>): SyncProbe<T> {
  const log: SyncProbe<T> = {
    iterated: 0,
    pulled: 0,
    returned: 0,
    [Symbol.iterator]() {
      log.iterated++
      const inner = values[Symbol.iterator]()
      return {
        next() {
          const step = inner.next()
          if (!step.done) log.pulled++
          return step
        },
        return() {
          log.returned++
          return { done: true, value: undefined }
        },
      }
    },
  }
  return log
}

/** `values` over and over again; as an iterable it can be started afresh. */
export function cycle<T>(values: readonly T[]): Iterable<T> {
  return {
    *[Symbol.iterator]() {
      for (;;) yield* values
    },
  }
}

/** 0, 1, 2 … without end. */
export const naturals: Iterable<number> = {
  *[Symbol.iterator]() {
    for (let n = 0; ; n++) yield n
  },
}

/** 0 … n − 1 as an array, so that expectations do not rest on `range`. */
export function upTo(n: number): number[] {
  return Array.from({ length: n }, (_, index) => index)
}

/** A web stream over `values`; the types of the DOM do not know `ReadableStream.from` yet. */
export function streamOf<T>(values: Iterable<T>): ReadableStream<T> {
  const iterator = values[Symbol.iterator]()
  return new ReadableStream<T>({
    pull(controller) {
      const step = iterator.next()
      if (step.done) controller.close()
      else controller.enqueue(step.value)
    },
  })
}
