/**
 * Calling the user's function: the part that all stages with a function share.
 *
 * As long as results come at once, nothing is allocated: the family's `loop` calls the function over a chunk. The
 * first result that is a promise gets a slot, and so do those after it until the slots are empty again. Slots stand
 * in a list: of all calls in the order of their values, or (`ordered: false` and `by`) of those that are ready.
 * A slot counts against `concurrency` from its call until its result has been put out.
 */
import { startTimer, onAbort } from '../channel/clock.ts'
import { demand, demandCount, demandFunction, demandTime } from '../errors.ts'
import { isThenable, type Keep, loopFor, SKIPPED } from './loops.ts'
import { HandlerFailure } from './task.ts'
import type { Kernel, Port, StageContext, StageOptions } from './stage.ts'

/** A function of the user, called as array methods call theirs. */
export type Fn<In, R> = (value: In, index: number, context: StageContext) => R | PromiseLike<R>

export interface RetryOptions {
  /** Calls in all, the first included. Default: 3. */
  attempts?: number
  /** Milliseconds before the second call. Default: 100. */
  delay?: number
  /** By how much each wait is longer than the one before it. Default: 2. */
  factor?: number
  /** The longest wait in milliseconds. Default: 30,000. */
  maxDelay?: number
  /** 0 to 1: a wait lies between `(1 - jitter) * delay` and `delay`. Default: 0.5. */
  jitter?: number
  /** Whether this error is worth another call. Default: every error is. */
  when?: (error: unknown, attempt: number) => boolean
}

/** What `onError` is told. */
export interface CallFailure<In> {
  value: In
  error: unknown
  stage: string
  attempts: number
}

export interface CallOptions<In> extends StageOptions {
  /** How many calls are in flight at most. Default: 1. */
  concurrency?: number
  /** Whether results keep the order of the values; `{ by }` keeps it per key, one call per key at a time. Default: `true`. */
  ordered?: boolean | { by: (value: In) => unknown }
  /** Milliseconds that a call may take; then its signal aborts and it fails with a `TimeoutError`. Default: none. */
  timeout?: number
  /** Further calls when one fails: how many, or how. Default: 0. */
  retry?: number | RetryOptions
  /** What becomes of a value whose call failed. Default: `'fail'`, the stage fails. */
  onError?: 'fail' | 'skip' | ((failure: CallFailure<In>) => void | PromiseLike<void>)
}

/** What a stage makes of results. */
export interface Family<In, R, Out> {
  /** As one of loops.ts, for results that come at once. */
  loop(port: Port<In, Out>, fn: Fn<In, R>, offset: number): unknown
  /** Puts out what one result is worth. `false` when it is not through: it set `full`, or the slot to pending. */
  emit(port: Port<In, Out>, slot: Slot<In, R>): boolean
  /** The stage was left: lets go of what a slot still holds. */
  close?(slot: Slot<In, R>): PromiseLike<unknown> | void
}

/** One call whose result has not been put out. */
export class Slot<In, R> {
  state: 'pending' | 'ready' | 'failed' = 'pending'
  value!: In
  index = 0
  result: R | undefined
  key: unknown
  next: Slot<In, R> | undefined
  /** The call of the same key that waits for this one. */
  follower: Slot<In, R> | undefined
  readonly ok: (result: R) => void
  readonly err: (error: unknown) => void

  constructor(calls: { settled(slot: Slot<In, R>): void }) {
    this.ok = (result) => {
      this.result = result
      this.state = 'ready'
      calls.settled(this)
    }
    this.err = (error) => {
      this.result = error as R
      this.state = 'failed'
      calls.settled(this)
    }
  }
}

/** A stage that puts out one value for each, or none. */
export function keeping<In, R, Out>(keep: Keep, fn: Fn<In, R>): Family<In, R, Out> {
  const loop = loopFor(fn)
  return {
    loop(port, call, offset) {
      if (keep !== 'nothing') port.end = Math.min(port.end, port.at + port.room - port.count)
      return loop(port as Port<unknown, unknown>, call as Fn<unknown, unknown>, offset, keep)
    },
    emit(port, { value, result }) {
      if (keep === 'nothing' || (keep === 'passed' && !result)) return true
      if ((port.full = port.count >= port.room)) return false
      port.out[port.count++] = (keep === 'result' ? result : value) as Out
      return true
    },
  }
}

export class Calls<In, R, Out> implements Kernel<In, Out> {
  readonly #fn: Fn<In, R>
  readonly #recover: Recover<In, R>
  readonly #concurrency: number
  readonly #inOrder: boolean
  readonly #by: ((value: In) => unknown) | undefined
  readonly #lastOfKey = new Map<unknown, Slot<In, R>>()
  #index = 0
  /** Slots in use. */
  readonly #slots = new Set<Slot<In, R>>()
  readonly #unused: Slot<In, R>[] = []
  // The list of slots to put out.
  #first: Slot<In, R> | undefined
  #last: Slot<In, R> | undefined
  /** The slot that made the stage fail. */
  #culprit: Slot<In, R> | undefined

  constructor(
    readonly port: Port<In, Out>,
    readonly family: Family<In, R, Out>,
    fn: Fn<In, R>,
    options: CallOptions<In>,
  ) {
    const { concurrency = 1, ordered = true } = options
    this.#recover = recovering(port, options)
    this.#fn = guarded(fn, options, this.#recover)
    this.#concurrency = concurrency
    this.#inOrder = ordered === true
    this.#by = typeof ordered === 'object' ? ordered.by : undefined
  }

  run(port: Port<In, Out>): void {
    if (this.#first !== undefined) this.#drain()
    const slots = this.#slots
    while (port.at < port.end && this.#culprit === undefined && slots.size < this.#concurrency && !port.left) {
      if (slots.size > 0 || this.#by !== undefined) {
        this.#call()
      } else {
        const offset = this.#index - port.at
        const result = this.family.loop(port, this.#fn, offset)
        this.#index = offset + port.at
        if (result === undefined) break
        this.#hold(this.#slot(), result as R | PromiseLike<R>)
      }
      if (this.#first?.state !== 'pending') this.#drain()
    }
    port.held = this.#culprit !== undefined || slots.size >= this.#concurrency
  }

  get pending(): boolean {
    return this.#slots.size > 0
  }

  /** Calls the function for the next value, whatever comes of it. */
  #call(): void {
    const slot = this.#slot()
    if (this.#by !== undefined) {
      let key: unknown
      try {
        key = slot.key = this.#by(slot.value)
      } catch (error) {
        return this.#hold(slot, Promise.reject(error) as Promise<R>)
      }
      const before = this.#lastOfKey.get(key)
      this.#lastOfKey.set(key, slot)
      if (before !== undefined) {
        before.follower = slot
        return
      }
    }
    this.#invoke(slot)
  }

  #invoke(slot: Slot<In, R>): void {
    let result
    try {
      result = this.#fn(slot.value, slot.index, this.port.context)
    } catch (error) {
      result = Promise.reject(error) as Promise<R>
    }
    this.#hold(slot, result)
  }

  /** A slot for the next value, which is taken from the input. */
  #slot(): Slot<In, R> {
    const { port } = this
    const slot = this.#unused.pop() ?? new Slot<In, R>(this)
    slot.value = port.items[port.at++]!
    slot.index = this.#index++
    this.#slots.add(slot)
    if (this.#inOrder) this.#append(slot)
    return slot
  }

  #hold(slot: Slot<In, R>, result: R | PromiseLike<R>): void {
    if (isThenable(result)) {
      this.port.calls++
      result.then(slot.ok, slot.err)
      return
    }
    slot.result = result
    slot.state = 'ready'
    if (!this.#inOrder) this.#append(slot)
    this.#next(slot)
  }

  #append(slot: Slot<In, R>): void {
    if (this.#first === undefined) this.#first = slot
    else this.#last!.next = slot
    this.#last = slot
  }

  /** The call of a slot has come back. */
  settled(slot: Slot<In, R>): void {
    const { port } = this
    if (slot.state === 'failed') this.#failing(slot)
    if (!this.#inOrder) this.#append(slot)
    if (this.#culprit === undefined) this.#next(slot)
    port.callEnded()
  }

  #failing(slot: Slot<In, R>): void {
    this.#culprit ??= slot
    this.port.failing(slot.result, { value: slot.value })
  }

  /** Whoever waited for this call of the same key goes next. */
  #next(slot: Slot<In, R>): void {
    if (this.#by === undefined) return
    const { follower } = slot
    slot.follower = undefined
    if (follower !== undefined) this.#invoke(follower)
    else this.#lastOfKey.delete(slot.key)
  }

  /** A slot that has more to give is ready again, or has broken. */
  resume(slot: Slot<In, R>, broken?: { error: unknown }): void {
    if (broken) return this.#break(slot, broken.error)
    slot.state = 'ready'
    if (!this.#inOrder) this.#append(slot)
    this.port.wake()
  }

  #drain(): void {
    const { port } = this
    for (let slot = this.#first; slot !== undefined && slot.state !== 'pending'; slot = this.#first) {
      if (slot.state === 'failed') {
        if (slot === this.#culprit) return port.fail(slot.result)
      } else if (slot.result !== SKIPPED && !this.#emit(slot)) {
        if (port.full || this.#inOrder) return
        this.#shift()
        continue
      }
      this.#shift()
      this.#slots.delete(slot)
      slot.state = 'pending'
      slot.value = slot.result = undefined as never
      this.#unused.push(slot)
    }
  }

  #emit(slot: Slot<In, R>): boolean {
    try {
      return this.family.emit(this.port, slot)
    } catch (error) {
      this.#break(slot, error)
      return false
    }
  }

  /** What a call gave has failed while it was put out: there is no calling it again, but `onError` applies. */
  #break(slot: Slot<In, R>, error: unknown): void {
    slot.state = 'pending'
    this.port.calls++
    this.#recover(error, slot.value, 1).then(slot.ok, slot.err)
  }

  #shift(): void {
    const slot = this.#first!
    this.#first = slot.next
    slot.next = undefined
  }

  close(): PromiseLike<unknown> | void {
    const { family } = this
    if (family.close) return Promise.all([...this.#slots].map((slot) => family.close!(slot)))
  }
}

/** Checks the options of a call where the stage is built. */
export function checkCall<In>(make: string, fn: unknown, options: CallOptions<In>): void {
  const action = `create ${make}`
  const { concurrency = 1, ordered = true, timeout = 0, retry = 0, onError = 'fail' } = options
  demandFunction(fn, action)
  demandCount(concurrency, action, 'concurrency', 1, true)
  demandTime(timeout, action, 'timeout')
  if (typeof ordered === 'object' && ordered !== null) demandFunction(ordered.by, action, 'ordered.by')
  else demand(typeof ordered === 'boolean', action, 'ordered', 'a boolean or { by }', ordered, TypeError)
  if (typeof retry === 'object' && retry !== null) checkRetry(action, retry)
  else demandCount(retry, action, 'retry', 0, true)
  const known = onError === 'fail' || onError === 'skip' || typeof onError === 'function'
  demand(known, action, 'onError', "'fail', 'skip' or a function", onError, TypeError)
}

function checkRetry(action: string, retry: RetryOptions): void {
  const { attempts = 1, delay = 0, factor = 1, maxDelay = 0, jitter = 0, when } = retry
  demandCount(attempts, action, 'retry.attempts', 1, true)
  demandTime(delay, action, 'retry.delay')
  demandTime(maxDelay, action, 'retry.maxDelay')
  demand(factor > 0, action, 'retry.factor', 'a number above 0', factor)
  demand(jitter >= 0 && jitter <= 1, action, 'retry.jitter', 'a number from 0 to 1', jitter)
  if (when !== undefined) demandFunction(when, action, 'retry.when')
}

/** What becomes of a value that failed for good: rejects, or gives `SKIPPED`. */
type Recover<In, R> = (error: unknown, value: In, attempts: number) => Promise<R>

function recovering<In, R, Out>(port: Port<In, Out>, { onError = 'fail' }: CallOptions<In>): Recover<In, R> {
  return async (error, value, attempts) => {
    const { name, signal } = port.context
    if (onError === 'fail' || signal.aborted) throw error
    port.failures++
    if (onError !== 'skip')
      try {
        await onError({ value, error, stage: name, attempts })
      } catch (thrown) {
        throw new HandlerFailure(thrown, error)
      }
    return SKIPPED as R
  }
}

/** `fn` with its timeout, its further calls and its way with errors. `fn` itself where it has none of them. */
function guarded<In, R>(fn: Fn<In, R>, options: CallOptions<In>, recover: Recover<In, R>): Fn<In, R> {
  const { timeout, retry = 0, onError = 'fail' } = options
  if (timeout === undefined && retry === 0 && onError === 'fail') return fn
  const timed = timeout === undefined ? fn : limited(fn, timeout)
  const again = typeof retry === 'object' ? retry : { attempts: retry + 1 }
  const { attempts = 3, delay = 100, factor = 2, maxDelay = 30_000, jitter = 0.5, when = () => true } = again

  const settle = async (error: unknown, value: In, index: number, context: StageContext): Promise<R> => {
    let made = 1
    for (let wait = delay; made < attempts && !context.signal.aborted && when(error, made); wait *= factor) {
      await pause(Math.min(wait, maxDelay) * (1 - jitter * Math.random()), context.signal)
      if (context.signal.aborted) break
      made++
      try {
        return await timed(value, index, context)
      } catch (thrown) {
        error = thrown
      }
    }
    return recover(error, value, made)
  }

  return (value, index, context) => {
    try {
      const result = timed(value, index, context)
      return isThenable(result) ? result.then(null, (error) => settle(error, value, index, context)) : result
    } catch (error) {
      return settle(error, value, index, context)
    }
  }
}

/** `fn` with a time for each call. A result that came at once is never late. */
function limited<In, R>(fn: Fn<In, R>, timeout: number): Fn<In, R> {
  return (value, index, { signal, name }) => {
    const controller = new AbortController()
    const stopListening = onAbort(signal, (reason) => controller.abort(reason))
    let stopTimer: (() => void) | undefined
    const release = (): void => {
      stopTimer?.()
      stopListening()
    }
    try {
      const result = fn(value, index, { signal: controller.signal, name })
      if (!isThenable(result)) return result
      return new Promise<R>((resolve, reject) => {
        stopTimer = startTimer(timeout, () => {
          const late = new DOMException(`A call of stage "${name}" took more than ${timeout} ms`, 'TimeoutError')
          controller.abort(late)
          reject(late)
        })
        result.then(resolve, reject)
      }).finally(release)
    } finally {
      if (stopTimer === undefined) stopListening()
    }
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
