/**
 * What came out when.
 *
 * A function and no stage: so it goes into `forEach`, `tap`, a loop, `onError` and `onUndelivered` alike, and adds no
 * channel to the pipeline that is looked at.
 */
import { demand } from '../errors.ts'

/** A function that writes down each value it is called with. */
export interface Timeline<T> {
  (value: T): void
  /** Each value with the milliseconds that had passed since the timeline was made. */
  readonly entries: [ms: number, value: T][]
  /** How many values the sources have given since then that are not written down yet. */
  readonly lag: number
  /** The greatest lag so far. */
  readonly greatestLag: number
}

/**
 * Writes down what it is called with, and when: `forEach(seen)` at the end of a pipeline, `tap(seen)` within it,
 * `onError: seen` for what was dropped. Times count from here by `performance.now()`, so in virtual time they are
 * exact.
 *
 * - With sources (a `script` is one) it also tells how far it is behind them, and so how many values a pipeline that
 *   passes each value on has held at most.
 *
 * @throws TypeError for a source that does not count what it delivered.
 * @example
 * import { batch, forEach, pipeline, source } from 'sluice'
 * import { pause, script, timeline, virtualTime } from 'sluice/testing'
 *
 * using time = virtualTime()
 * const seen = timeline()
 * const input = script([1, 2, pause(80), 3])
 * await time.runUntil(pipeline(source(input), batch(5, { ms: 50 }), forEach(seen)).run())
 * seen.entries // => [[50, [1, 2]], [80, [3]]]
 */
export function timeline<T = unknown>(...sources: { readonly delivered: number }[]): Timeline<T> {
  const delivered = (): number => sources.reduce((sum, source) => sum + source.delivered, 0)
  for (const source of sources) {
    const { delivered } = Object(source) as { delivered?: unknown }
    demand(typeof delivered === 'number', 'create timeline', 'source', 'a script', source, TypeError)
  }
  const began = performance.now()
  const before = delivered()
  const entries: [number, T][] = []
  let greatest = 0
  // Between two values the lag only grows: it is greatest right before a value, or now.
  const measure = (): number => {
    const lag = Math.max(0, delivered() - before - entries.length)
    greatest = Math.max(greatest, lag)
    return lag
  }
  const write = (value: T): void => {
    measure()
    entries.push([performance.now() - began, value])
  }
  return Object.defineProperties(write, {
    entries: { value: entries },
    lag: { get: measure },
    greatestLag: { get: () => (measure(), greatest) },
  }) as Timeline<T>
}
