/**
 * A part of the values, by number or up to a point: `take`, `takeWhile`, `drop`, `dropWhile`.
 *
 * Where a function says which is the last, or the first, results are judged in the order of the values, however many
 * calls are in flight: what calls beyond that point give, or fail with, does not matter.
 */
import { demandCount } from '../errors.ts'
import { Calls, type Family, type Slot } from '../pipeline/calls.ts'
import { special } from '../pipeline/results.ts'
import { callOf, type CallOptions, type Fn } from '../pipeline/retry.ts'
import { part, pass, type Port, type Stage, type StageContext, type StageOptions } from '../pipeline/stage.ts'

/**
 * Passes the first `n` values on and ends, without waiting for another; `take(0)` pulls nothing.
 *
 * Ordered. Concurrency 1. Holds nothing. On error: cannot fail.
 *
 * @throws RangeError for an `n` that is no integer >= 0 or `Infinity`.
 * @example
 * import { pipeline, range, take } from 'sluice'
 *
 * await pipeline(range(0, Infinity), take(3)).run() // => [0, 1, 2]
 */
export function take<T>(n: number, options: StageOptions = {}): Stage<T, T> {
  demandCount(n, 'create take', 'n', 0, true)
  return part('stage', 'take', options, {
    kernel(port) {
      let left = n
      port.replaces = true
      return {
        run(port) {
          const { at } = port
          pass(port, left)
          left -= port.at - at
          if (left === 0) port.finish()
        },
      }
    },
  })
}

/**
 * Drops the first `n` values and passes the others on.
 *
 * Ordered. Concurrency 1. Holds nothing. On error: cannot fail.
 *
 * @throws RangeError for an `n` that is no integer >= 0 or `Infinity`.
 * @example
 * import { drop, pipeline, range } from 'sluice'
 *
 * await pipeline(range(5), drop(3)).run() // => [3, 4]
 */
export function drop<T>(n: number, options: StageOptions = {}): Stage<T, T> {
  demandCount(n, 'create drop', 'n', 0, true)
  return part('stage', 'drop', options, {
    kernel(port) {
      let left = n
      port.replaces = true
      return {
        run(port) {
          const dropped = Math.min(left, port.end - port.at)
          left -= dropped
          port.at += dropped
          pass(port)
        },
      }
    },
  })
}

class TakingWhile<T> implements Family<T, unknown, T> {
  readonly replaces = true
  readonly inOrder = true
  /** A value was the first for which the function said no. */
  decided = false

  loop(port: Port<T, T>, fn: Fn<T, unknown>, offset: number): unknown {
    const { items, out, context, room } = port
    let { at, count } = port
    try {
      for (; at < port.end && count < room; at++) {
        const value = items[at]
        const result = fn(value, offset + at, context)
        if (special(result)) return result
        if (result) out[count++] = value
        // Ends the loop too: the value counts as read.
        else this.#finish(port)
      }
    } finally {
      port.at = at
      port.count = count
    }
    return undefined
  }

  /** It is called for no value beyond the end. */
  worth({ result }: Slot<T, unknown>): number {
    return result ? 1 : Infinity
  }

  emit(port: Port<T, T>, { value, result }: Slot<T, unknown>): boolean {
    if (this.decided) return true
    if (!result) {
      this.#finish(port)
      return true
    }
    if ((port.full = port.count >= port.room)) return false
    port.out[port.count++] = value
    return true
  }

  #finish(port: Port<T, T>): void {
    this.decided = true
    port.end = 0
    port.finish()
  }
}

/**
 * Passes values on as long as `fn` says yes, then ends; the first for which it says no is dropped. A type guard
 * narrows the type of what comes out.
 *
 * - Judged in the order of the values, whatever `ordered` says. With a `concurrency`, `fn` may be called for values
 *   beyond the end; their signal aborts, and what comes of them does not matter.
 *
 * Ordered. Concurrency 1 unless told otherwise. Holds at most `concurrency` values. On error: fails, or follows
 * `retry` and `onError`.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * import { pipeline, range, takeWhile } from 'sluice'
 *
 * await pipeline(
 *   range(0, Infinity),
 *   takeWhile((n) => n * n < 10),
 * ).run() // => [0, 1, 2, 3]
 */
export function takeWhile<In, Out extends In>(
  fn: (value: In, index: number, context: StageContext) => value is Out,
  options?: CallOptions<NoInfer<In>>,
): Stage<In, Out>
export function takeWhile<In>(fn: Fn<NoInfer<In>, unknown>, options?: CallOptions<NoInfer<In>>): Stage<In, In>
export function takeWhile<In>(fn: Fn<In, unknown>, options?: CallOptions<NoInfer<In>>): Stage<In, In>
export function takeWhile<In>(fn: Fn<In, unknown>, options: CallOptions<NoInfer<In>> = {}): Stage<In, In> {
  const call = callOf('takeWhile', fn, options)
  return part('stage', 'takeWhile', options, {
    kernel: (port) => new Calls(port, new TakingWhile<In>(), fn, call),
  })
}

class DroppingWhile<T> implements Family<T, unknown, T> {
  readonly replaces = true
  readonly inOrder = true
  /** A value was the first for which the function said no: no more calls. */
  decided = false

  loop(port: Port<T, T>, fn: Fn<T, unknown>, offset: number): unknown {
    const { items, context } = port
    let { at } = port
    try {
      for (; at < port.end && !this.decided; at++) {
        const result = fn(items[at], offset + at, context)
        if (special(result)) return result
        if (!result) {
          this.decided = true
          break
        }
      }
    } finally {
      port.at = at
    }
    if (this.decided) pass(port)
    return undefined
  }

  /** It is called for no value beyond the first that passes. */
  worth({ result }: Slot<T, unknown>): number {
    return result ? 0 : Infinity
  }

  emit(port: Port<T, T>, { value, result }: Slot<T, unknown>): boolean {
    if (!this.decided && result) return true
    this.decided = true
    if ((port.full = port.count >= port.room)) return false
    port.out[port.count++] = value
    return true
  }
}

/**
 * Drops values as long as `fn` says yes, and passes the first for which it says no and all after it on.
 *
 * - Judged in the order of the values, whatever `ordered` says. With a `concurrency`, `fn` may be called for values
 *   beyond that first one; what comes of these calls does not matter.
 *
 * Ordered. Concurrency 1 unless told otherwise. Holds at most `concurrency` values. On error: fails, or follows
 * `retry` and `onError`.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * import { dropWhile, pipeline, source } from 'sluice'
 *
 * await pipeline(
 *   source(['# a', '# b', 'c', '# d']),
 *   dropWhile((line) => line.startsWith('#')),
 * ).run() // => ['c', '# d']
 */
export function dropWhile<In>(fn: Fn<NoInfer<In>, unknown>, options?: CallOptions<NoInfer<In>>): Stage<In, In>
export function dropWhile<In>(fn: Fn<In, unknown>, options?: CallOptions<NoInfer<In>>): Stage<In, In>
export function dropWhile<In>(fn: Fn<In, unknown>, options: CallOptions<NoInfer<In>> = {}): Stage<In, In> {
  const call = callOf('dropWhile', fn, options)
  return part('stage', 'dropWhile', options, {
    kernel(port) {
      const family = new DroppingWhile<In>()
      const asked: Fn<In, unknown> = (value, index, context) => !family.decided && fn(value, index, context)
      return new Calls(port, family, asked, call)
    },
  })
}
