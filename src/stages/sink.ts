/** Where a pipeline ends: `toArray`, `forEach`, `reduce`, `count`, `first`, `last`, `drain`, `writeTo`. */
import { demand } from '../errors.ts'
import { Calls, type Family, keeping, type Slot } from '../pipeline/calls.ts'
import { callOf, type CallOptions, type Fn, type FoldOptions, ONE_BY_ONE } from '../pipeline/retry.ts'
import { type WritableLike, Writing } from '../pipeline/writing.ts'
import { special } from '../pipeline/results.ts'
import {
  collecting,
  type Kernel,
  part,
  type Port,
  type Sink,
  type StageContext,
  type StageOptions,
} from '../pipeline/stage.ts'

/**
 * Collects all values in an array, as `run` does where there is no sink.
 *
 * Ordered. Concurrency 1. Holds everything. On error: cannot fail.
 *
 * @throws TypeError or RangeError for wrong options.
 * @example
 * import { pipeline, range, toArray } from 'sluice'
 *
 * await pipeline(range(3), toArray()).run() // => [0, 1, 2]
 */
export function toArray<T>(options: StageOptions = {}): Sink<T, T[]> {
  return part('sink', 'toArray', options, { kernel: collecting<T> })
}

/**
 * Calls `fn` for each value. The run is worth `undefined`.
 *
 * Ordered unless told otherwise. Concurrency 1 unless told otherwise. Holds at most `concurrency` values. On error:
 * fails, or follows `retry` and `onError`.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * import { forEach, pipeline, range } from 'sluice'
 *
 * let sum = 0
 * await pipeline(
 *   range(4),
 *   forEach((n) => void (sum += n)),
 * ).run()
 * sum // => 6
 */
export function forEach<In>(
  fn: Fn<In, unknown>,
  options: CallOptions<NoInfer<In>> = {},
): Sink<In, undefined> {
  const call = callOf('forEach', fn, options)
  const family = keeping<In, unknown, never>('nothing', fn)
  return part('sink', 'forEach', options, {
    kernel: (port) => new Calls(port, family, fn, call),
  })
}

/** What the last call gave is what the next one gets. A call that came too late, or was skipped, changes nothing. */
class Folding<In, R> implements Family<In, R, never> {
  constructor(public result: R) {}

  loop(port: Port<In, never>, fn: Fn<In, R>, offset: number): unknown {
    const { items, context } = port
    let { at } = port
    try {
      for (; at < port.end; at++) {
        const result = fn(items[at], offset + at, context)
        if (special(result)) return result
        this.result = result as R
      }
    } finally {
      port.at = at
    }
    return undefined
  }

  worth({ result }: Slot<In, R>): number {
    this.result = result as R
    return 0
  }

  emit(_port: Port<In, never>, { result }: Slot<In, R>): boolean {
    this.result = result as R
    return true
  }
}

/**
 * Folds all values into one, beginning with `seed`. `fn` may be async; it is never called twice at a time. A seed that it
 * changes, as a `Map`, is changed for the next run, too: make the stage anew then.
 *
 * Ordered. Concurrency 1. Holds one value. On error: fails, or follows `retry` and `onError`; a value that is skipped
 * leaves what there is as it is.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * import { pipeline, range, reduce } from 'sluice'
 *
 * await pipeline(
 *   range(5),
 *   reduce((sum, n) => sum + n, 0),
 * ).run() // => 10
 */
export function reduce<In, R>(
  fn: (result: R, value: In, index: number, context: StageContext) => R | PromiseLike<R>,
  seed: R,
  options: FoldOptions<NoInfer<In>> = {},
): Sink<In, R> {
  const call = { ...callOf('reduce', fn, options), ...ONE_BY_ONE }
  return part('sink', 'reduce', options, {
    kernel(port): Kernel<In, R> {
      const folding = new Folding<In, R>(seed)
      const step: Fn<In, R> = (value, index, context) => fn(folding.result, value, index, context)
      const calls = new Calls(port as Port<In, never>, folding, step, call)
      return Object.assign(calls, { result: () => folding.result })
    },
  })
}

/**
 * Counts the values.
 *
 * Ordered. Concurrency 1. Holds nothing. On error: cannot fail.
 *
 * @throws TypeError or RangeError for wrong options.
 * @example
 * import { count, pipeline, range } from 'sluice'
 *
 * await pipeline(range(7), count()).run() // => 7
 */
export function count(options: StageOptions = {}): Sink<unknown, number> {
  return part('sink', 'count', options, {
    kernel() {
      let seen = 0
      return {
        run(port) {
          seen += port.end - port.at
          port.at = port.end
        },
        result: () => seen,
      }
    },
  })
}

/**
 * Gives the first value and ends, without waiting for another; `undefined` where there is none.
 *
 * Ordered. Concurrency 1. Holds one value. On error: cannot fail.
 *
 * @throws TypeError or RangeError for wrong options.
 * @example
 * import { first, pipeline, range } from 'sluice'
 *
 * await pipeline(range(7, Infinity), first()).run() // => 7
 */
export function first<T>(options: StageOptions = {}): Sink<T, T | undefined> {
  return part('sink', 'first', options, {
    kernel() {
      let value: T | undefined
      return {
        run(port) {
          if (port.at === port.end) return
          value = port.items[port.at++]
          port.finish()
        },
        result: () => value,
      }
    },
  })
}

/**
 * Gives the last value; `undefined` where there is none.
 *
 * Ordered. Concurrency 1. Holds one value. On error: cannot fail.
 *
 * @throws TypeError or RangeError for wrong options.
 * @example
 * import { last, pipeline, range } from 'sluice'
 *
 * await pipeline(range(7), last()).run() // => 6
 */
export function last<T>(options: StageOptions = {}): Sink<T, T | undefined> {
  return part('sink', 'last', options, {
    kernel() {
      let value: T | undefined
      return {
        run(port) {
          if (port.at < port.end) value = port.items[port.end - 1]
          port.at = port.end
        },
        result: () => value,
      }
    },
  })
}

/**
 * Takes all values and keeps none: for pipelines that run for what their stages do.
 *
 * Ordered. Concurrency 1. Holds nothing. On error: cannot fail.
 *
 * @throws TypeError or RangeError for wrong options.
 * @example
 * import { drain, pipeline, range } from 'sluice'
 *
 * await pipeline(range(7), drain()).run() // => undefined
 */
export function drain(options: StageOptions = {}): Sink<unknown, undefined> {
  return part('sink', 'drain', options, {
    kernel: () => ({
      run(port) {
        port.at = port.end
      },
    }),
  })
}

/**
 * Writes each value to a Node `Writable` or a Web `WritableStream`, as fast as that takes them. Ends it at the end
 * and settles when it has finished; destroys it after a failure. `process.stdout` and `process.stderr` stay open.
 *
 * Ordered. Concurrency 1. Holds what the stream buffers. On error: fails.
 *
 * @throws TypeError for anything else.
 * @example
 * import { pipeline, source, writeTo } from 'sluice'
 *
 * const written: string[] = []
 * const target = new WritableStream<string>({ write: (text) => void written.push(text) })
 * await pipeline(source(['a', 'b']), writeTo(target)).run()
 * written // => ['a', 'b']
 */
export function writeTo<In>(
  target: WritableLike | WritableStream<In>,
  options: StageOptions = {},
): Sink<In, undefined> {
  const { write, getWriter } = Object(target) as Partial<WritableLike & WritableStream>
  const known = typeof write === 'function' || typeof getWriter === 'function'
  demand(known, 'create writeTo', 'target', 'a Writable or a WritableStream', target, TypeError)
  return part('sink', 'writeTo', options, { kernel: (port) => new Writing(port, target) })
}
