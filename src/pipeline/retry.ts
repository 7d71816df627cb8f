/**
 * The options that all stages with a function share, and what they make of a call: its time, its further calls, its
 * way with errors.
 */
import { onAbort, startTimer } from '../channel/clock.ts'
import { demand, demandCount, demandFunction, demandNumber, demandOptions, demandTime } from '../errors.ts'
import { Context } from './context.ts'
import { isThenable, promised, SKIPPED } from './results.ts'
import { settled } from './scheduler.ts'
import type { CallFailure, Complete, Port, StageContext, StageOptions } from './stage.ts'

/** A function of the user, called as array methods call theirs. */
export type Fn<In, R> = (value: In, index: number, context: StageContext) => R | PromiseLike<R>

/** How often a call that failed is made again, and after what wait. A plain number is so many further calls. */
export interface RetryOptions {
  /** Calls in all, the first included. Default: 3. */
  attempts?: number | undefined
  /** Milliseconds before the second call. Default: 100. */
  delay?: number | undefined
  /** By how much each wait is longer than the one before it. Default: 2. */
  factor?: number | undefined
  /** The longest wait in milliseconds. Default: 30,000. */
  maxDelay?: number | undefined
  /** 0 to 1: a wait lies between `(1 - jitter) * delay` and `delay`. Default: 0.5. */
  jitter?: number | undefined
  /** Whether this error is worth another call. If it throws, the stage fails. Default: every error is. */
  when?: ((error: unknown, attempt: number) => boolean) | undefined
}

/** What all stages take that call a function for each value. */
export interface CallOptions<In> extends StageOptions {
  /** How many calls are in flight at most. Default: 1. */
  concurrency?: number | undefined
  /** Whether results keep the order of the values; `{ by }` keeps it per key, one call per key at a time. Default: `true`. */
  ordered?: boolean | { by: (value: In) => unknown } | undefined
  /** Milliseconds that a call may take; then its signal aborts and it fails with a `TimeoutError`. Default: none. */
  timeout?: number | undefined
  /** Further calls when one fails: how many, or how. Default: 0. */
  retry?: number | RetryOptions | undefined
  /** What becomes of a value whose call failed, or whose key: no call was made. Default: `'fail'`, the stage fails. */
  onError?: 'fail' | 'skip' | ((failure: CallFailure<In>) => void | PromiseLike<void>) | undefined
}

/** For one call at a time, as each needs what the one before it gave. */
export type FoldOptions<In> = Omit<CallOptions<In>, 'concurrency' | 'ordered'>

/** The options of a call, with what they are by default. */
export interface Call<In> extends Complete<RetryOptions> {
  readonly concurrency: number
  readonly ordered: boolean
  readonly by: ((value: In) => unknown) | undefined
  readonly timeout: number
  readonly onError: NonNullable<CallOptions<In>['onError']>
}

/** Each call needs what the one before it gave, whatever the options say. */
export const ONE_BY_ONE = { concurrency: 1, ordered: true, by: undefined }

/** Takes the options of a call, checked, where the stage is built: each is read once, and what becomes of them later does not matter. */
export function callOf<In>(make: string, fn: unknown, options: CallOptions<In>, called = 'fn'): Call<In> {
  const action = `create ${make}`
  demandFunction(fn, action, called)
  demandOptions(options, action)
  const { concurrency = 1, ordered = true, timeout = Infinity, retry = 0, onError = 'fail' } = options
  demandCount(concurrency, action, 'concurrency', 1, true)
  demandTime(timeout, action, 'timeout')
  const { by } = Object(ordered) as { by?: (value: In) => unknown }
  if (typeof ordered === 'object' && ordered !== null) demandFunction(by, action, 'ordered.by')
  else demand(typeof ordered === 'boolean', action, 'ordered', 'a boolean or { by }', ordered, TypeError)
  const known = onError === 'fail' || onError === 'skip' || typeof onError === 'function'
  demand(known, action, 'onError', "'fail', 'skip' or a function", onError, TypeError)
  return { concurrency, ordered: ordered === true, by, timeout, onError, ...retryOf(action, retry) }
}

function retryOf(action: string, retry: number | RetryOptions): Complete<RetryOptions> {
  if (typeof retry !== 'object' || retry === null) {
    demandCount(retry, action, 'retry', 0, true)
    retry = { attempts: retry + 1 }
  }
  const { attempts = 3, delay = 100, factor = 2, maxDelay = 30_000, jitter = 0.5, when = () => true } = retry
  demandCount(attempts, action, 'retry.attempts', 1, true)
  demandTime(delay, action, 'retry.delay')
  demandTime(maxDelay, action, 'retry.maxDelay')
  demandNumber(factor, action, 'retry.factor', 'a number above 0', (n) => n > 0)
  demandNumber(jitter, action, 'retry.jitter', 'a number from 0 to 1', (n) => n >= 0 && n <= 1)
  demandFunction(when, action, 'retry.when')
  return { attempts, delay, factor, maxDelay, jitter, when }
}

/** Whose values fail. */
type Failing = Pick<Port<never, unknown>, 'context' | 'skipped' | 'handlerFailure'>

/** What becomes of a value that failed for good: rejects, or gives `SKIPPED`. */
export async function recover<In, R>(
  port: Failing,
  { onError }: Pick<Call<In>, 'onError'>,
  error: unknown,
  value: In,
  attempts: number,
): Promise<R> {
  const failure = { error, value, attempts, stage: port.context.name }
  if (onError === 'fail' || !port.skipped(failure)) throw error
  if (onError !== 'skip')
    try {
      await onError(failure)
    } catch (thrown) {
      throw port.handlerFailure(thrown, error)
    }
  return SKIPPED as R
}

/** `fn` with its timeout, its further calls and its way with errors. `fn` itself where it has none of them. */
export function guarded<In, R>(port: Failing, fn: Fn<In, R>, call: Call<In>): Fn<In, R> {
  const { timeout, onError, attempts, delay, factor, maxDelay, jitter, when } = call
  const timed = timeout === Infinity ? fn : limited(fn, timeout, port.context as Context)
  if (attempts === 1 && onError === 'fail') return timed

  const settle = async (error: unknown, value: In, index: number, context: StageContext): Promise<R> => {
    let made = 1
    for (let wait = delay; made < attempts && !context.signal.aborted; wait *= factor) {
      try {
        if (!when(error, made)) break
      } catch (thrown) {
        // As an `onError` that throws: the error of the call is suppressed.
        const onError = (): never => {
          throw thrown
        }
        return recover(port, { onError }, error, value, made)
      }
      await pause(Math.min(wait, maxDelay) * (1 - jitter * Math.random()), context.signal)
      if (context.signal.aborted) break
      made++
      try {
        return await timed(value, index, context)
      } catch (thrown) {
        error = thrown
      }
    }
    return recover(port, call, error, value, made)
  }

  return (value, index, context) => {
    try {
      const result = timed(value, index, context)
      if (!isThenable(result)) return result
      // The `then` of a foreign promise need not give one.
      return Promise.resolve(result).then(null, (error) => settle(error, value, index, context))
    } catch (error) {
      return settle(error, value, index, context)
    }
  }
}

/**
 * `fn` with a time for each call. A result that came at once is never late.
 *
 * Where no other call is in flight, a timer is stopped only when the next call has come back, or when no promise that is
 * settled is left: for the first of so many milliseconds, and after the last, Node does twice as much as for all between.
 *
 * Rejected: one timer for the oldest of all calls (to know when the others are due, the clock would have to be read for
 * each, which costs as much as a timer among others, and a test may have faked the timers alone); closures that serve
 * many calls, as those of the slots of calls.ts (a quarter faster, 60 bytes); `refresh` (60 ns less with one call at a time,
 * but only some platforms have it).
 */
function limited<In, R>(fn: Fn<In, R>, timeout: number, stage: Context): Fn<In, R> {
  /** What stops the timers of the calls in flight. */
  const stops = new Set<() => void>()
  let stopIdle: (() => void) | undefined
  const idle = (stop?: () => void): void => {
    stopIdle?.()
    stopIdle = stop
  }
  stage.stopTimers = () => {
    timeout = Infinity
    idle()
    for (const stop of stops) stop()
  }

  const inTime = (result: Promise<R>, call: TimedContext): Promise<R> =>
    new Promise<R>((resolve, reject) => {
      const end = <T>(settle: (outcome: T) => void, outcome: T): void => {
        // What comes too late is dropped.
        if (!stops.delete(stop)) return
        // As long as there is an idle one, somebody has asked.
        if (stops.size === 0 && (stopIdle || settled(idle))) idle(stop)
        else stop()
        call.release()
        settle(outcome)
      }
      const stop = startTimer(timeout, () => {
        if (!stops.has(stop)) return
        const what = `A call of stage "${call.name}" took more than ${timeout} ms`
        const late = new DOMException(what, 'TimeoutError')
        call.abort(late)
        end<unknown>(reject, late)
      })
      stops.add(stop)
      result.then(
        (outcome) => end(resolve, outcome),
        (error) => end<unknown>(reject, error),
      )
    })

  return (value, index, context) => {
    const call = new TimedContext(context)
    let result: R | PromiseLike<R> | undefined
    try {
      result = fn(value, index, call)
    } finally {
      if (!isThenable(result)) call.release()
    }
    return isThenable(result) ? inTime(promised(result), call) : result
  }
}

/** The context of one call: its signal aborts with that of the stage, and when its time is up. Few calls ask for it. */
export class TimedContext extends Context {
  readonly stage: Context
  #stopListening: (() => void) | undefined
  over = false
  /** What the call gave is being read: its signal goes on telling of an abort. */
  kept = false

  constructor(stage: StageContext) {
    super(stage.name)
    this.stage = stage as Context
  }

  override get signal(): AbortSignal {
    if (!this.over && this.#stopListening === undefined) {
      const { signal } = this.stage
      if (signal.aborted) this.abort(signal.reason)
      this.#stopListening = onAbort(signal, (reason) => this.abort(reason))
    }
    return super.signal
  }

  release(): void {
    if (this.kept) return
    this.over = true
    this.#stopListening?.()
  }
}

/** Waits `ms` milliseconds, or until the signal aborts. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stopTimer()
      stopListening()
      resolve()
    }
    const stopTimer = startTimer(ms, done)
    const stopListening = onAbort(signal, done)
  })
}
