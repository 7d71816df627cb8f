/**
 * Waiting: who stands in a channel's queue, and how a wait ends.
 *
 * A waiter ends in exactly one of four ways: it is given a value or hands one over, the channel ends, or it gives
 * up (timeout, abort, deadlock). It has left its queue before anybody hears of it.
 */
import { onAbort, startTimer } from './clock.ts'
import type { Core, Handle } from './core.ts'
import { Link } from './link.ts'

export interface WaitOptions {
  /** Gives the wait up with `signal.reason`. */
  signal?: AbortSignal
  /** Milliseconds until the wait is given up with code `TIMEOUT`; 0 tries once. Default: none. */
  timeout?: number
}

export abstract class Waiter<T> extends Link {
  constructor(readonly handle: Handle<T>) {
    super()
  }

  /** Whether it can never settle once nothing else runs. */
  get hopeless(): boolean {
    return true
  }
  /** A reader gets its value. */
  abstract give(value: T): void
  /** A writer hands over its value. */
  abstract handOver(): T
  /** The channel has ended, or will take no more. */
  abstract end(): void
  abstract giveUp(reason: unknown): void
}

/** The waiters of one side of a channel, first come first served. */
export class WaitQueue<T> extends Link {
  constructor(readonly core: Core<T>) {
    super()
  }

  get head(): Waiter<T> | undefined {
    return this.next === this ? undefined : (this.next as Waiter<T>)
  }

  add(waiter: Waiter<T>): void {
    waiter.join(this)
    waiter.handle.waiting++
    this.core.waits(true)
  }

  /** Lets `waiter` leave. Nothing happens where it has left. */
  remove(waiter: Waiter<T>): void {
    if (waiter.next === waiter) return
    waiter.leave()
    if (--waiter.handle.waiting === 0) this.core.waits(false)
  }

  /** Takes out the first in line. */
  shift(): Waiter<T> | undefined {
    const waiter = this.head
    if (waiter !== undefined) this.remove(waiter)
    return waiter
  }

  /** Everyone in line, in order. */
  *[Symbol.iterator](): Generator<Waiter<T>> {
    for (let link = this.next; link !== this; link = link.next) yield link as Waiter<T>
  }

  /** Ends everyone in line; of one handle only, where one is given. */
  endAll(handle?: Handle<T>): void {
    if (handle?.waiting === 0) return
    for (const waiter of [...this]) {
      // The end of one case of a select takes its other cases out of the line.
      if (waiter.next === waiter || (handle !== undefined && waiter.handle !== handle)) continue
      this.remove(waiter)
      waiter.end()
    }
  }
}

/** What sets one kind of operation apart from another: its result, and how it ends without one. */
export interface Mode<T, R> {
  shape(value: T, wait: Wait<T, R>): R
  /** Throws where that is how it ends. */
  end(wait: Wait<T, R>): R
  late(wait: Wait<T, R>): Error
}

let resolveLatest: (result: never) => void
let rejectLatest: (reason: unknown) => void
const executor = (resolve: typeof resolveLatest, reject: typeof rejectLatest): void => {
  resolveLatest = resolve
  rejectLatest = reject
}

/** One promise waiting on one channel. */
export class Wait<T, R> extends Waiter<T> {
  #resolve!: (result: R) => void
  #reject!: (reason: unknown) => void
  #release: (() => void) | undefined
  #queue!: WaitQueue<T>

  constructor(
    /** The sender or receiver: whoever is waited on must not be collected. */
    readonly owner: object,
    handle: Handle<T>,
    readonly mode: Mode<T, R>,
    /** What a send wants to hand over. */
    readonly value: T,
    /** How many values a `recvMany` takes. */
    readonly max = 1,
  ) {
    super(handle)
  }

  start(queue: WaitQueue<T>, options: WaitOptions | undefined): Promise<R> {
    const promise = new Promise<R>(
      executor as (resolve: (result: R) => void, reject: (reason: unknown) => void) => void,
    )
    this.#resolve = resolveLatest as (result: R) => void
    this.#reject = rejectLatest
    this.#queue = queue
    queue.add(this)
    if (options !== undefined) this.#limit(options)
    return promise
  }

  #limit({ signal, timeout = Infinity }: WaitOptions): void {
    const stopTimer = startTimer(timeout, () => this.giveUp(this.mode.late(this)))
    const stopListening = signal && onAbort(signal, (reason) => this.giveUp(reason))
    this.#release = () => {
      stopTimer()
      stopListening?.()
    }
  }

  give(value: T): void {
    this.#release?.()
    this.#resolve(this.mode.shape(value, this))
  }
  handOver(): T {
    this.give(this.value)
    return this.value
  }
  end(): void {
    this.#release?.()
    try {
      this.#resolve(this.mode.end(this))
    } catch (reason) {
      this.#reject(reason)
    }
  }
  giveUp(reason: unknown): void {
    this.#queue.remove(this)
    this.#release?.()
    this.#reject(reason)
  }
}
