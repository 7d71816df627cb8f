/** Fewer values: `take`. */
import { demandCount } from '../errors.ts'
import { part, type Stage, type StageOptions } from '../pipeline/stage.ts'

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
    kernel() {
      let left = n
      return {
        run(port) {
          const { items, out } = port
          const end = Math.min(port.end, port.at + Math.min(port.room, left))
          left -= end - port.at
          while (port.at < end) out[port.count++] = items[port.at++]!
          if (left === 0) port.finish()
        },
      }
    },
  })
}
