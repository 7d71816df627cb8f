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
import { Buffer } from './buffer.ts'
import { Link, Queue } from './link.ts'
import type { Waiter } from './waiting.ts'

/** What the channel knows of one handle. It must not reach the handle itself, or that is never collected. */
export interface Handle<T> {
  readonly core: Core<T>
  readonly side: 'sender' | 'receiver'
  /** Where it was made. */
  readonly place: string
  open: boolean
  /** Where its waits stand in line. */
  readonly queue: Queue<Waiter<T>>
  /** How many waits on this handle stand there, and the last of them to come. */
  waiting: number
  newest: Waiter<T> | undefined
}

/** Whether nothing can be sent, or will come, through this handle any more. */
export function isOver<T>({ core, open, side }: Handle<T>): boolean {
  return !open || (side === 'sender' ? !core.accepting : core.ended)
}

/** Where a sender or receiver of this package keeps its `Handle`. */
export const HANDLE: unique symbol = /* @__PURE__ */ Symbol('handle')

/** A pipeline task, as a channel sees it. */
export interface Wakeable {
  wake(): void
}

/** Who writes to an edge: its task, or the gate of all tasks that share it (pipeline/branches.ts). */
export interface Writer extends Wakeable {
  /** Another task will write, too. */
  join?(task: Wakeable): void
  /** The task waits for room. */
  park?(task: Wakeable): void
  /** The task will write no more; it has failed where there is a `failure`. */
  leave?(task: Wakeable, failure: { cause: unknown } | undefined): void
}

export class Core<T> extends Link {
  readonly buffer = new Buffer<T>()
  readonly readers = new Queue<Waiter<T>>()
  readonly writers = new Queue<Waiter<T>>()
  /** The open handles. */
  readonly handles = new Set<Handle<T>>()
  senders = 0
  receivers = 0
  /** Whether a send can still be accepted, now or later. */
  accepting = true
  failure: { cause: unknown } | undefined
  /** How much the buffer may hold: the capacity, but 1 at a rendezvous that a parked task waits for. */
  limit: number
  /** How many values it has accepted so far. */
  accepted = 0
  /** The pipeline tasks at either end of an edge, and whether they are parked. */
  reader: Wakeable | undefined
  writer: Writer | undefined
  readerParked = false
  writerParked = false
  /** Whether they are to be woken when nothing else is left to do. */
  wakesLate = false
  /** Called when somebody has begun or stopped to wait. */
  onWaits: (() => void) | undefined
  /** What a receive gives that need not wait; in a pipeline, timers and I/O may have their turn first. */
  pace: (<R>(received: R) => Promise<R>) | undefined
  /** Settles when nobody will read again, and how it is told; made when first asked for. */
  refused: Promise<void> | undefined
  onRefused: (() => void) | undefined

  constructor(
    readonly capacity: number,
    readonly name: string,
  ) {
    super()
    this.limit = capacity
  }

  /** A value for a parked task is in the hands of the task already, so it does not count. */
  get length(): number {
    return Math.min(this.buffer.length, this.capacity)
  }

  /** Whether no value will come out any more. */
  get ended(): boolean {
    if (this.buffer.length > 0) return false
    return this.failure !== undefined || (this.senders === 0 && this.writers.head === undefined)
  }

  // ---- values

  /** Takes the value if that can be done without waiting. The channel must be `accepting`. */
  offer(value: T): boolean {
    const reader = this.readers.head
    if (reader !== undefined) {
      this.accepted++
      reader.give(value)
    } else if (this.full) return this.spill(value)
    else {
      this.put(value)
      if (this.readerParked) this.wakeReader()
    }
    return true
  }

  get full(): boolean {
    return this.buffer.length >= this.limit || this.writers.head !== undefined
  }

  /** Whether a value for which there is no room is taken all the same. */
  spill(_value: T): boolean {
    return false
  }

  /** What becomes of an accepted value that no one will get. */
  lose(_value: T): void {}

  /** Whether `take` has something to take. */
  readable(): boolean {
    if (this.buffer.length > 0 || this.writers.head !== undefined) return true
    // Whoever only looks does not wait, so at a rendezvous the task is told here that it may bring one value.
    if (this.writerParked && this.limit === 0) {
      this.limit = 1
      this.wakeWriter()
    }
    return false
  }

  /** Takes the next value. The channel must be `readable`. */
  take(): T {
    if (this.buffer.length === 0) return this.handOver()
    const value = this.buffer.shift()
    if (!this.readerParked) this.limit = this.capacity
    this.roomMade()
    return value
  }

  /** The buffer may have room, or values: lets waiting writers in, and wakes the tasks that have something to do now. */
  roomMade(): void {
    const { buffer, writers } = this
    while (buffer.length < this.limit && writers.head !== undefined) buffer.push(this.handOver())
    if (this.readerParked && buffer.length > 0) this.wakeReader()
    if (this.writerParked && buffer.length < this.limit) this.wakeWriter()
  }

  /** Accepts the value of the first writer in line. */
  handOver(): T {
    const writer = this.writers.head!
    this.accepted++
    writer.give(writer.value)
    return writer.value
  }

  put(value: T): void {
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

  /** Somebody has begun or stopped to wait. */
  waits(begin: boolean): void {
    // At a rendezvous a waiting reader is the room.
    if (begin && !this.readerParked) this.limit = this.capacity
    if (this.writerParked && this.readers.head !== undefined) this.wakeWriter()
    this.onWaits?.()
  }

  // ---- closing

  open(side: Handle<T>['side'], place: string): Handle<T> {
    const queue = side === 'sender' ? this.writers : this.readers
    const handle: Handle<T> = { core: this, side, place, open: true, queue, waiting: 0, newest: undefined }
    this.handles.add(handle)
    this[`${side}s`]++
    return handle
  }

  close(handle: Handle<T>): boolean {
    if (!handle.open) return false
    handle.open = false
    this.handles.delete(handle)
    if (handle.side === 'receiver') {
      const waits: Waiter<T>[] = []
      for (let waiter = handle.newest; waiter; waiter = waiter.older) waits.push(waiter)
      endAll(waits.reverse())
    }
    if (--this[`${handle.side}s`] === 0) this.settle()
    return true
  }

  fail(cause: unknown): boolean {
    if (!this.accepting) return false
    this.failure = { cause }
    this.settle()
    return true
  }

  /** Somebody has closed or failed the channel: whoever can expect nothing more hears of it. */
  settle(): void {
    const { buffer } = this
    if (this.receivers === 0 || this.failure !== undefined) {
      this.accepting = false
      endAll(this.writers)
      while (this.receivers === 0 && buffer.length > 0) this.lose(buffer.shift())
      this.onRefused?.()
      this.wakeWriter()
    }
    if (this.ended) {
      endAll(this.readers)
      this.wakeReader()
    }
  }
}

/** Ends all that wait there now. A select may be met twice, at two of its cases: the second time changes nothing. */
function endAll<T>(waits: Iterable<Waiter<T>>): void {
  for (const waiter of [...waits]) waiter.end()
}
