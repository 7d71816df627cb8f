/**
 * Waiting: who stands in a channel's queue, and how a wait ends.
 *
 * A wait ends in exactly one of four ways: it is given a value or hands one over, the channel ends, or it gives
 * up (timeout, abort, deadlock). It leaves its queue before anybody hears of it. What can be done at once is done at
 * once, in the order of the calls; only what must wait makes a `Wait`.
 */
import { demandOptions, demandSignal, demandTime, RecvError, SendError } from '../errors.ts'
import { onAbort, startTimer } from './clock.ts'
import { HANDLE, type Handle, isOver, put, take, writable } from './exchange.ts'
import type { Line } from './line.ts'

/** How a wait of a sender or receiver can be given up. Without options it waits as long as it takes. */
export interface WaitOptions {
  /** Gives the wait up with `signal.reason`. */
  signal?: AbortSignal | undefined
  /** Milliseconds until the wait is given up with code `TIMEOUT`; 0 tries once. Default: none. */
  timeout?: number | undefined
}

/** What sets one kind of operation apart from another. */
export interface Mode<T, R> {
  /** What a report calls it. */
  readonly kind: string
  /** What it gives for a value that was received. A send gives it nothing. */
  shape(value: T): R
  /** What it gives when the channel has ended, or takes no more. Default: it rejects. */
  ended?(): R
  /** Whether it counts as no deadlock, or another wait speaks for it. */
  spared?(): boolean
  /** What a report says of the other channels it waits on. */
  others?(): string
}

/** A sender or receiver. */
export interface Owner<T> {
  readonly [HANDLE]: Handle<T>
}

/** One place in line; a select has one for each case. */
export class Wait<T> {
  /** Where it stands. */
  line: Line<Wait<T>> | undefined
  prev: Wait<T> | undefined
  next: Wait<T> | undefined
  /** Its neighbours among the waits of its handle: closing one must not look through the whole line. */
  older: Wait<T> | undefined
  newer: Wait<T> | undefined
  /** Called when it has left the line. */
  release: (() => void) | undefined

  constructor(
    /** Whoever is waited on must not be collected. */
    readonly owner: Owner<T>,
    readonly mode: Mode<T, unknown>,
    /** What a writer hands over. */
    readonly value: T,
    readonly resolve: (result: unknown) => void,
    readonly reject: (reason: unknown) => void,
  ) {}

  get handle(): Handle<T> {
    return this.owner[HANDLE]
  }

  enter(): void {
    const { handle } = this
    const { core, side } = handle
    this.line = side === 'sender' ? core.writers : core.readers
    this.line.add(this)
    this.older = handle.newest
    if (this.older) this.older.newer = this
    handle.newest = this
    handle.waiting++
    core.waits?.(true)
  }

  leave(): void {
    const { handle, line, older, newer } = this
    if (!line) return
    this.line = undefined
    line.delete(this)
    if (newer) newer.older = older
    else handle.newest = older
    if (older) older.newer = newer
    handle.waiting--
    handle.core.waits?.(false)
    this.release?.()
  }

  /** Gets the value it waits for. */
  give(value: T): void {
    this.leave()
    this.resolve(this.mode.shape(value))
  }

  /** Does what it waits for; or it is over, and nothing will come of it. */
  serve(over = false): void {
    this.leave()
    try {
      this.resolve(perform(this.handle, this.mode, this.value, over))
    } catch (reason) {
      this.reject(reason)
    }
  }

  giveUp(reason: unknown): void {
    this.leave()
    this.reject(reason)
  }
}

/** Whether the operation need not wait, where it is not over. */
function isPossible<T>({ core, side }: Handle<T>): boolean {
  return side === 'sender' ? writable(core) : core.readable()
}

/** Whether the operation need not wait. */
export function isReady<T>(handle: Handle<T>): boolean {
  return isOver(handle) || isPossible(handle)
}

/** Does what is ready, or says that it is over. Throws where that is a rejection. */
export function perform<T, R>(handle: Handle<T>, mode: Mode<T, R>, value: T, over: boolean): R {
  const { core, open, side } = handle
  const sends = side === 'sender'
  if (!over) return mode.shape(sends ? (put(core, value) as T) : take(core))
  if (mode.ended && (sends || !open || !core.failure)) return mode.ended()
  throw refusal(handle, 'CLOSED', value)
}

/** Why an operation brings nothing. A receive on a channel that failed gets the cause itself. */
function refusal<T>(handle: Handle<T>, code: 'CLOSED' | 'TIMEOUT' | 'FULL', value: T): unknown {
  const { core, open, side } = handle
  const failure = code === 'CLOSED' ? core.failure : undefined
  if (side === 'sender') return new SendError(code, value, core.name, failure)
  return failure && open ? failure.cause : new RecvError(code as 'CLOSED' | 'TIMEOUT', core.name)
}

/** Throws where the options are wrong or the signal has aborted; both come before all else. */
export function checkWait(action: string, options: WaitOptions): void {
  demandOptions(options, action)
  const { signal, timeout = Infinity } = options
  demandTime(timeout, action, 'timeout')
  demandSignal(signal, action)
  signal?.throwIfAborted()
}

/** Sends `value`, or receives, through the handle of `owner`: at once where that is possible. */
export function operate<T, R>(
  owner: Owner<T>,
  mode: Mode<T, R>,
  value: T,
  options?: WaitOptions,
): Promise<R> {
  const handle = owner[HANDLE]
  const { core } = handle
  try {
    if (options !== undefined) checkWait(mode.kind, options)
    const over = isOver(handle)
    if (over || isPossible(handle)) return core.pace(perform(handle, mode, value, over))
    if (handle.side === 'sender' && core.options.overflow === 'fail') throw refusal(handle, 'FULL', value)
    if (options?.timeout === 0) throw refusal(handle, 'TIMEOUT', value)
  } catch (error) {
    return Promise.reject(error)
  }
  return new Promise((resolve, reject) => {
    const wait = new Wait(owner, mode, value, resolve as (result: unknown) => void, reject)
    wait.enter()
    if (options) limit(wait, options)
  })
}

/** Gives up when the time is up or the signal aborts. */
function limit<T>(wait: Wait<T>, { signal, timeout = Infinity }: WaitOptions): void {
  const stopTimer = startTimer(timeout, () => wait.giveUp(refusal(wait.handle, 'TIMEOUT', wait.value)))
  const stopListening = signal && onAbort(signal, (reason) => wait.giveUp(reason))
  wait.release = () => {
    stopTimer()
    stopListening?.()
  }
}
