/**
 * The one state machine behind every channel, whatever its capacity, and behind every edge of a pipeline.
 *
 * Always true between two operations:
 * - a reader waits only while the buffer is empty, a writer only while the buffer is full (so at capacity 0 one of
 *   the two queues is empty, but for the cases of one select, which wait for others and never for each other);
 * - `buffer.length <= limit`, and values leave in the order in which they or their waiting writers came;
 * - no reader waits on a channel that has ended, no writer on one that takes nothing more.
 *
 * Handles wait in the queues. A pipeline task does not queue up: it parks (see pipeline/edge.ts) and is woken when
 * there is something to do. An edge has at most one task on either side.
 *
 * The scheme (match waiting parties first, then the buffer, never both) is that of Go's `runtime/chan.go`.
 */
import { DeadlockError, RecvError, SendError } from '../errors.ts'
import { Buffer } from './buffer.ts'
import { deadlockReport, watch } from './deadlock.ts'
import { Link } from './link.ts'
import { WaitQueue } from './waiting.ts'

export type Overflow = 'block' | 'drop-oldest' | 'drop-newest' | 'fail'

/** What the channel knows of one handle. It must not reach the handle itself, or that is never collected. */
export interface Handle<T> {
  readonly core: Core<T>
  readonly side: 'sender' | 'receiver'
  /** Where it was made. */
  readonly place: string
  open: boolean
  /** How many waits on this handle are in a queue. */
  waiting: number
}

/** A pipeline task, as a channel sees it. */
export interface Wakeable {
  wake(): void
}

/** What makes the values of a timer channel: asked before every read, armed while somebody waits. */
export interface Ticker {
  poll(): void
  arm(): void
  disarm(): void
}

export class Core<T> extends Link {
  readonly buffer = new Buffer<T>()
  readonly readers = new WaitQueue<T>(this)
  readonly writers = new WaitQueue<T>(this)
  /** The open handles. */
  readonly handles = new Set<Handle<T>>()
  senders = 0
  receivers = 0
  /** Whether a send can still be accepted, now or later. */
  accepting = true
  failure: { cause: unknown } | undefined
  overflow: Overflow = 'block'
  onUndelivered: ((value: T) => void) | undefined
  daemon = false
  ticker: Ticker | undefined
  /** How much the buffer may hold: the capacity, but 1 at a rendezvous that a parked task waits for. */
  limit: number
  /** How many values it has accepted so far. */
  accepted = 0
  /** The pipeline tasks at either end of an edge, and whether they are parked. */
  reader: Wakeable | undefined
  writer: Wakeable | undefined
  readerParked = false
  writerParked = false
  #waits = 0
  #settleClosed: (() => void) | undefined
  #whenClosed: Promise<void> | undefined

  constructor(
    readonly capacity: number,
    readonly name: string,
    /** Whether those who wait here count when the event loop runs dry. The edges of a pipeline answer for themselves. */
    readonly watched: boolean,
  ) {
    super()
    this.limit = capacity
  }

  /** A value for a parked task is in the hands of the task already, so it does not count. */
  get length(): number {
    this.ticker?.poll()
    return Math.min(this.buffer.length, this.capacity)
  }

  /** Whether no value will come out any more. */
  get ended(): boolean {
    const closed = this.failure !== undefined || (this.senders === 0 && this.writers.head === undefined)
    return closed && this.buffer.length === 0
  }

  // ---- values

  /** Takes the value if that can be done without waiting. The channel must be `accepting`. */
  offer(value: T): boolean {
    const { buffer, overflow } = this
    const reader = this.readers.shift()
    if (reader !== undefined) {
      this.accepted++
      reader.give(value)
      return true
    }
    if (buffer.length >= this.limit || this.writers.head !== undefined) {
      if (overflow === 'block' || overflow === 'fail') return false
      const lost = overflow === 'drop-newest' ? value : buffer.shift()
      if (overflow === 'drop-oldest') this.#put(value)
      this.#lose(lost)
      return true
    }
    this.#put(value)
    if (this.readerParked) this.wakeReader()
    return true
  }

  /** Whether `take` has something to take. */
  readable(): boolean {
    this.ticker?.poll()
    return this.buffer.length > 0 || this.writers.head !== undefined
  }

  /** Takes the next value. The channel must be `readable`. */
  take(): T {
    if (this.buffer.length === 0) {
      this.accepted++
      return this.writers.shift()!.handOver()
    }
    const value = this.buffer.shift()
    this.roomMade()
    return value
  }

  /** The buffer may have room: lets waiting writers in, and wakes the tasks that have something to do now. */
  roomMade(): void {
    const { buffer, writers } = this
    while (buffer.length < this.limit && writers.head !== undefined) this.#put(writers.shift()!.handOver())
    if (this.readerParked && buffer.length > 0) this.wakeReader()
    if (this.writerParked && buffer.length < this.limit) this.wakeWriter()
  }

  #put(value: T): void {
    this.accepted++
    this.buffer.push(value)
  }

  wakeReader(): void {
    this.readerParked = false
    this.limit = this.capacity
    this.reader?.wake()
  }

  wakeWriter(): void {
    this.writerParked = false
    this.writer?.wake()
  }

  // ---- waiting

  waitStarted(): void {
    if (this.#waits++ === 0) {
      this.ticker?.arm()
      if (this.watched) watch(this)
    }
    // At a rendezvous a waiting reader is the room.
    if (this.writerParked && this.readers.head !== undefined) this.wakeWriter()
  }

  waitEnded(): void {
    if (--this.#waits > 0) return
    this.ticker?.disarm()
    this.leave()
  }

  // ---- closing

  open(side: Handle<T>['side'], place: string): Handle<T> {
    const handle: Handle<T> = { core: this, side, place, open: true, waiting: 0 }
    this.handles.add(handle)
    this[`${side}s`]++
    return handle
  }

  close(handle: Handle<T>): boolean {
    if (!handle.open) return false
    handle.open = false
    this.handles.delete(handle)
    if (handle.side === 'receiver') this.readers.endAll(handle)
    if (--this[`${handle.side}s`] === 0) this.settle()
    return true
  }

  fail(cause: unknown): boolean {
    if (!this.accepting) return false
    this.failure = { cause }
    this.settle()
    return true
  }

  /** Settles when nobody will read again. */
  whenClosed(): Promise<void> {
    if (!this.accepting) return Promise.resolve()
    return (this.#whenClosed ??= new Promise((resolve) => (this.#settleClosed = resolve)))
  }

  /** Somebody has closed or failed the channel: whoever can expect nothing more hears of it. */
  settle(): void {
    const { buffer } = this
    if (this.receivers === 0 || this.failure !== undefined) {
      this.accepting = false
      this.writers.endAll()
      while (this.receivers === 0 && buffer.length > 0) this.#lose(buffer.shift())
      this.#settleClosed?.()
      this.wakeWriter()
    }
    if (this.ended) {
      this.readers.endAll()
      this.wakeReader()
    }
  }

  /** What a send that cannot be accepted any more is told. */
  refusal(value: T): SendError<T> {
    return new SendError('CLOSED', value, this.name, this.failure)
  }

  /** What a receive is told when nothing will come. Throws the cause of a channel that failed. */
  ending(handle: Handle<T>): RecvError {
    if (handle.open && this.failure !== undefined) throw this.failure.cause
    return new RecvError('CLOSED', this.name)
  }

  /** The event loop has run dry: rejects whoever can never settle. Says whether there was anyone. */
  deadlock(): boolean {
    const stuck = [...this.readers, ...this.writers].filter((waiter) => !this.daemon && waiter.hopeless)
    const message = deadlockReport(this)
    for (const waiter of stuck) waiter.giveUp(new DeadlockError(message))
    return stuck.length > 0
  }

  #lose(value: T): void {
    try {
      this.onUndelivered?.(value)
    } catch (error) {
      queueMicrotask(() => {
        throw error
      })
    }
  }
}
