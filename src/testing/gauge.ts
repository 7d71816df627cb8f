/** How often a function is called, and how often at the same time. */
import { demandFunction } from '../errors.ts'
import { LEFT, type Watched } from './released.ts'

/** The function itself, and what is known of its calls. A call lasts until it has returned and its promise settled. */
export interface Gauge<Args extends unknown[], R> {
  (...args: Args): R
  /** How many calls there were. */
  readonly calls: number
  /** How many are in flight now. */
  readonly inFlight: number
  /** How many were in flight at the same time, at most. */
  readonly greatest: number
}

/**
 * Wraps a function so that it tells how many calls of it were in flight at the same time.
 *
 * @throws TypeError for anything else.
 * @example
 * import { map, pipeline, range } from 'sluice'
 * import { gauge, virtualTime } from 'sluice/testing'
 *
 * using time = virtualTime()
 * const fetched = gauge((n: number) => new Promise<number>((resolve) => setTimeout(resolve, 10, n)))
 * await time.runUntil(pipeline(range(7), map(fetched, { concurrency: 3 })).run())
 * fetched.greatest // => 3
 * fetched.calls // => 7
 * time.now // => 30
 */
export function gauge<Args extends unknown[], R>(fn: (...args: Args) => R): Gauge<Args, R> {
  demandFunction(fn, 'create gauge')
  const seen = { calls: 0, inFlight: 0, greatest: 0 }
  const leave = (): void => void seen.inFlight--
  function call(this: unknown, ...args: Args): R {
    seen.calls++
    seen.greatest = Math.max(seen.greatest, ++seen.inFlight)
    let lasts = false
    try {
      // It may be a method.
      const result = fn.apply(this, args)
      if (!isThenable(result)) return result
      lasts = true
      // Whoever waits for the result finds the call gone.
      return Promise.resolve(result).finally(leave) as R
    } finally {
      if (!lasts) leave()
    }
  }
  const left: Watched[typeof LEFT] = () =>
    seen.inFlight === 0 ? [] : [`${seen.inFlight} call${seen.inFlight === 1 ? '' : 's'} of a gauge in flight`]
  return Object.defineProperties(call, {
    calls: { get: () => seen.calls },
    inFlight: { get: () => seen.inFlight },
    greatest: { get: () => seen.greatest },
    [LEFT]: { value: left },
  }) as Gauge<Args, R>
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === 'function'
}
