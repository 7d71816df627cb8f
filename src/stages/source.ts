/** Where a pipeline begins: `source` for whatever can be read, `range`. */
import { demand } from '../errors.ts'
import { part, type Source, type StageOptions } from '../pipeline/stage.ts'
import { type LateInput, reading } from '../pipeline/reading.ts'

/**
 * Reads values from anything that has them: an array or other iterable, an async iterable, a `ReadableStream`, a
 * receiver, a promise of one of these, or a function that gives one, called once per run.
 *
 * - Nothing is read before the run, and never more than there is room for.
 * - Promises in an iterable are awaited, in order.
 * - When the values are no longer wanted, the input's `return` is called, a stream cancelled, a receiver closed.
 *
 * Ordered. Concurrency 1. Holds at most one value. On error: fails.
 *
 * @throws TypeError for an input that cannot be read.
 * @example
 * import { pipeline, source } from 'sluice'
 *
 * await pipeline(source(new Set(['a', 'b']))).run() // => ['a', 'b']
 */
export function source<T>(input: LateInput<T>, options: StageOptions = {}): Source<Awaited<T>> {
  return part('source', 'source', options, { kernel: reading(input, 'create source', 'input') }) as Source<
    Awaited<T>
  >
}

/**
 * Counts: `range(5)` gives 0 to 4, `range(2, 5)` gives 2 to 4, `range(5, 2, -1)` gives 5 to 3. `to` may be `Infinity`.
 *
 * Ordered. Concurrency 1. Holds nothing. On error: cannot fail.
 *
 * @throws RangeError for numbers that are not finite, or a step of 0.
 * @example
 * import { pipeline, range } from 'sluice'
 *
 * await pipeline(range(0, 10, 4)).run() // => [0, 4, 8]
 */
export function range(from: number, to?: number, step = 1, options: StageOptions = {}): Source<number> {
  const [first, limit] = to === undefined ? [0, from] : [from, to]
  const isNumber = (value: unknown): boolean => typeof value === 'number' && !Number.isNaN(value)
  demand(Number.isFinite(first), 'create range', 'from', 'a finite number', first)
  demand(isNumber(limit), 'create range', 'to', 'a number', limit)
  demand(Number.isFinite(step) && step !== 0, 'create range', 'step', 'a finite number other than 0', step)
  return part('source', 'range', options, {
    kernel() {
      // Counted, not added up: steps that are fractions would drift.
      let size = Math.max(0, Math.ceil(limit / step - first / step))
      // Fractions may be off by one in either direction.
      const inside = (n: number): boolean => (step > 0 ? first + n * step < limit : first + n * step > limit)
      while (size > 0 && size < Infinity && !inside(size - 1)) size--
      while (size < Infinity && inside(size)) size++
      let done = 0
      let stopped = false
      return {
        run(port) {
          const { out } = port
          const from = done
          const many = stopped ? 0 : Math.min(port.room - port.count, size - done)
          for (let i = 0; i < many; i++) out[i] = first + (from + i) * step
          port.count += many
          done += many
          if (stopped || done >= size) port.finish()
        },
        stop() {
          stopped = true
        },
      }
    },
  })
}
