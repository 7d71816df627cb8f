/** One to one: `map`, `filter`, `tap`, `scan`. How functions are called is in pipeline/calls.ts. */
import { Calls, type Family, keeping, type Slot } from '../pipeline/calls.ts'
import type { Keep } from '../pipeline/loops.ts'
import { special } from '../pipeline/results.ts'
import { callOf, type CallOptions, type Fn, type FoldOptions, ONE_BY_ONE } from '../pipeline/retry.ts'
import { part, type Port, type Stage, type StageContext } from '../pipeline/stage.ts'

/** Makes the stage that calls `fn` for each value. */
function calling<In, Out>(
  make: string,
  keep: Keep,
  fn: Fn<In, unknown>,
  options: CallOptions<NoInfer<In>> = {},
): Stage<In, Out> {
  const call = callOf(make, fn, options)
  const family = keeping<In, unknown, Out>(keep, fn)
  return part('stage', make, options, { kernel: (port) => new Calls(port, family, fn, call) })
}

/**
 * Replaces each value by what `fn` makes of it.
 *
 * Ordered unless told otherwise. Concurrency 1 unless told otherwise. Holds at most `concurrency` values. On error:
 * fails, or follows `retry` and `onError`.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * import { map, pipeline, range } from 'sluice'
 *
 * await pipeline(
 *   range(4),
 *   map(async (n) => n * 10, { concurrency: 2 }),
 * ).run() // => [0, 10, 20, 30]
 */
export function map<In, Out>(fn: Fn<In, Out>, options?: CallOptions<NoInfer<In>>): Stage<In, Out>
// For results that are a promise or something else.
export function map<In, R>(
  fn: (value: In, index: number, context: StageContext) => R,
  options?: CallOptions<NoInfer<In>>,
): Stage<In, Awaited<R>>
export function map<In, Out>(fn: Fn<In, Out>, options?: CallOptions<NoInfer<In>>): Stage<In, Out> {
  return calling('map', 'result', fn, options)
}

/**
 * Keeps the values for which `fn` says yes. A type guard narrows the type of what comes out.
 *
 * Ordered unless told otherwise. Concurrency 1 unless told otherwise. Holds at most `concurrency` values. On error:
 * fails, or follows `retry` and `onError`.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * import { filter, pipeline, source } from 'sluice'
 *
 * await pipeline(
 *   source([1, 'two', 3]),
 *   filter((value) => typeof value === 'number'),
 * ).run() // => [1, 3]
 */
export function filter<In, Out extends In>(
  fn: (value: In, index: number, context: StageContext) => value is Out,
  options?: CallOptions<NoInfer<In>>,
): Stage<In, Out>
export function filter<In>(fn: Fn<NoInfer<In>, unknown>, options?: CallOptions<NoInfer<In>>): Stage<In, In>
export function filter<In>(fn: Fn<In, unknown>, options?: CallOptions<NoInfer<In>>): Stage<In, In>
export function filter<In>(fn: Fn<In, unknown>, options?: CallOptions<NoInfer<In>>): Stage<In, In> {
  return calling('filter', 'passed', fn, options)
}

/**
 * Calls `fn` for each value and passes the value on.
 *
 * Ordered unless told otherwise. Concurrency 1 unless told otherwise. Holds at most `concurrency` values. On error:
 * fails, or follows `retry` and `onError`.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * import { pipeline, range, tap } from 'sluice'
 *
 * const seen: number[] = []
 * await pipeline(
 *   range(3),
 *   tap((n) => void seen.push(n)),
 * ).run() // => [0, 1, 2]
 * seen // => [0, 1, 2]
 */
export function tap<In>(fn: Fn<NoInfer<In>, unknown>, options?: CallOptions<NoInfer<In>>): Stage<In, In>
export function tap<In>(fn: Fn<In, unknown>, options?: CallOptions<NoInfer<In>>): Stage<In, In>
export function tap<In>(fn: Fn<In, unknown>, options?: CallOptions<NoInfer<In>>): Stage<In, In> {
  return calling('tap', 'value', fn, options)
}

/** What has been put out last is what the next call gets. A call that came too late, or was skipped, changes nothing. */
class Scanning<In, R> implements Family<In, R, R> {
  readonly replaces = true
  #newest = -1

  constructor(public last: R) {}

  loop(port: Port<In, R>, fn: Fn<In, R>, offset: number): unknown {
    const { items, out, context, room } = port
    let { at, count } = port
    try {
      for (; at < port.end && count < room; at++) {
        const result = fn(items[at], offset + at, context)
        if (special(result)) return result
        out[count++] = this.last = result as R
      }
    } finally {
      port.at = at
      port.count = count
    }
    return undefined
  }

  worth({ index, result }: Slot<In, R>): number {
    // Some may be put out later than the next call is made, and that call again.
    if (index > this.#newest) {
      this.#newest = index
      this.last = result as R
    }
    return 1
  }

  emit(port: Port<In, R>, slot: Slot<In, R>): boolean {
    if ((port.full = port.count >= port.room)) return false
    port.out[port.count++] = slot.result as R
    this.worth(slot)
    return true
  }
}

/**
 * Folds values as `reduce` does, and gives what it has come to after each: one value for each, without the seed. `fn`
 * may be async; it is never called twice at a time.
 *
 * Ordered. Concurrency 1. Holds at most one value. On error: fails, or follows `retry` and `onError`; a value that is
 * skipped leaves what there is as it is.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * import { pipeline, range, scan } from 'sluice'
 *
 * await pipeline(
 *   range(1, 5),
 *   scan((sum, n) => sum + n, 0),
 * ).run() // => [1, 3, 6, 10]
 */
export function scan<In, R>(
  fn: (result: R, value: In, index: number, context: StageContext) => R | PromiseLike<R>,
  seed: R,
  options: FoldOptions<NoInfer<In>> = {},
): Stage<In, R> {
  const call = { ...callOf('scan', fn, options), ...ONE_BY_ONE }
  return part('stage', 'scan', options, {
    kernel(port) {
      const scanning = new Scanning<In, R>(seed)
      const step: Fn<In, R> = (value, index, context) => fn(scanning.last, value, index, context)
      return new Calls(port, scanning, step, call)
    },
  })
}
