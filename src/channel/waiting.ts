/**
 * Waiting: who stands in a channel's queue, and how a wait ends.
 *
 * A waiter ends in exactly one of four ways: it is given a value or hands one over, the channel ends, or it gives
 * up (timeout, abort, deadlock). It leaves its queue before anybody hears of it.
 */
import { demandTime, RecvError, SendError } from '../errors.ts'
import { onAbort, startTimer } from './clock.ts'
import { HANDLE, type Handle, isOver } from './core.ts'
import { Link } from './link.ts'

export interface WaitOptions {
  /** Gives the wait up with `signal.reason`. */
  signal?: AbortSignal
  /** Milliseconds until the wait is given up with code `TIMEOUT`; 0 tries once. Default: none. */
  timeout?: number
}

export abstract class Waiter<T> extends Link {
  /** Its neighbours among the waits of its handle, so that closing one need not look through the whole line. */
  older: Waiter<T> | undefined
  newer: Waiter<T> | undefined

  constructor(
    readonly handle: Handle<T>,
    /** What a writer hands over. */
    readonly value: T,
  ) {
    super()
  }

  /** Stands in line. */
  enter(): void {
    const { handle } = this
    this.join(handle.queue)
    this.older = handle.newest
    if (this.older) this.older.newer = this
    handle.newest = this
    handle.waiting++
    handle.core.waits(true)
  }

  override leave(): void {
    if (this.next === this) return
    const { handle, older, newer } = this
    super.leave()
    if (newer) newer.older = older
    else handle.newest = older
    if (older) older.newer = newer
    handle.waiting--
    handle.core.waits(false)
  }

  /** What a report calls it. */
  abstract readonly kind: string
  /** Whether it can never settle once nothing else runs. One case speaks for its select. */
  abstract readonly hopeless: boolean
  /** A reader gets its value, a writer has handed over its own. */
  abstract give(value: T): void
  /** The channel has ended, or will take no more. */
  abstract end(): void
  abstract giveUp(reason: unknown): void
}

/** What sets one kind of operation apart from another: its result, and how it ends without a value. */
export interface Mode<T, R> {
  shape(value: T): R
  /** What it gives when the channel has ended. Default: it rejects. */
  ended?(): R
}

/** Why an operation brings nothing. A receive on a channel that failed gets the cause itself. */
export function refusal<T>(handle: Handle<T>, code: 'CLOSED' | 'TIMEOUT' | 'FULL', value: T): unknown {
  const { core, side } = handle
  const failure = code === 'CLOSED' ? core.failure : undefined
  if (side === 'sender') return new SendError(code, value, core.name, failure)
  return failure && handle.open ? failure.cause : new RecvError(code as 'CLOSED' | 'TIMEOUT', core.name)
}

/** One promise waiting on one channel. */
class Wait<T, R> extends Waiter<T> {
  #release: (() => void) | undefined

  constructor(
    /** The sender or receiver: whoever is waited on must not be collected. */
    readonly owner: object,
    handle: Handle<T>,
    readonly mode: Mode<T, R>,
    value: T,
    readonly resolve: (result: R) => void,
    readonly reject: (reason: unknown) => void,
  ) {
    super(handle, value)
  }

  /** Gives up when the time is up or the signal aborts. */
  limit(signal: AbortSignal | undefined, timeout: number): void {
    const stopTimer = startTimer(timeout, () => this.giveUp(refusal(this.handle, 'TIMEOUT', this.value)))
    const stopListening = signal && onAbort(signal, (reason) => this.giveUp(reason))
    this.#release = () => {
      stopTimer()
      stopListening?.()
    }
  }

  override leave(): void {
    super.leave()
    this.#release?.()
  }

  get kind(): string {
    return verb(this.handle)
  }
  get hopeless(): boolean {
    return true
  }
  give(value: T): void {
    this.leave()
    this.resolve(this.mode.shape(value))
  }
  end(): void {
    const { core, open } = this.handle
    if (!this.mode.ended || (open && core.failure))
      return this.giveUp(refusal(this.handle, 'CLOSED', this.value))
    this.leave()
    this.resolve(this.mode.ended())
  }
  giveUp(reason: unknown): void {
    this.leave()
    this.reject(reason)
  }
}

const verb = ({ side }: { side: string }): string => (side === 'sender' ? 'send' : 'receive')

/** Throws where the options are wrong or the signal has aborted; both come before all else. */
export function checkWait(action: string, { signal, timeout = Infinity }: WaitOptions): void {
  demandTime(timeout, action, 'timeout')
  signal?.throwIfAborted()
}

/** Sends `value`, or receives, through the handle of `owner`: at once where that is possible. */
export function operate<T, R>(
  owner: { readonly [HANDLE]: Handle<T> },
  mode: Mode<T, R>,
  value: T,
  options: WaitOptions | undefined,
): Promise<R> {
  // What the executor throws rejects the promise.
  return new Promise((resolve, reject) => {
    const handle = owner[HANDLE]
    const { core, side } = handle
    if (options) checkWait(verb(handle), options)
    const wait = new Wait(owner, handle, mode, value, resolve, reject)
    if (isOver(handle)) wait.end()
    else if (side === 'sender' ? core.offer(value) : core.readable())
      wait.give(side === 'sender' ? value : core.take())
    else if (side === 'sender' && (core as { overflow?: string }).overflow === 'fail')
      wait.giveUp(refusal(handle, 'FULL', value))
    else if (options?.timeout === 0) wait.giveUp(refusal(handle, 'TIMEOUT', value))
    else {
      wait.enter()
      if (options) wait.limit(options.signal, options.timeout ?? Infinity)
    }
  })
}
