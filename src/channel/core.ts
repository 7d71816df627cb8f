/**
 * The edge between two stages of a pipeline: an exchange whose ends are tasks.
 *
 * Handles wait in the queues. A pipeline task does not queue up: it parks (see pipeline/edge.ts) and is woken when
 * there is something to do. An edge has at most one task on either side.
 */
import { Buffer } from './buffer.ts'
import { Exchange } from './exchange.ts'

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

export class Core<T> extends Exchange<T> {
  declare readonly buffer: Buffer<T>
  /** The pipeline tasks at either end, and whether they are parked. */
  reader: Wakeable | undefined
  writer: Writer | undefined
  readerParked = false
  writerParked = false
  /** Whether they are to be woken when nothing else is left to do. */
  wakesLate = false
  /** How many values were left when nobody read any more. */
  lost = 0
  /** Called when somebody has begun or stopped to wait. */
  onWaits: (() => void) | undefined

  constructor(capacity: number, name: string) {
    super(capacity, name, new Buffer<T>())
  }

  /** A value for a parked task is in the hands of the task already, so it does not count. */
  override get length(): number {
    return Math.min(this.buffer.length, this.capacity)
  }

  override readable(): boolean {
    if (super.readable()) {
      if (!this.readerParked) this.limit = this.capacity
      return true
    }
    // Whoever only looks does not wait, so at a rendezvous the task is told here that it may bring one value.
    if (this.writerParked && this.limit === 0) {
      this.limit = 1
      this.wakeWriter()
    }
    return false
  }

  /** The buffer may have room, or values: lets waiting writers in, and wakes the tasks that have something to do now. */
  override roomMade(): void {
    super.roomMade()
    const { length } = this.buffer
    if (this.readerParked && length > 0) this.wakeReader()
    if (this.writerParked && length < this.limit) this.wakeWriter()
  }

  override arrived(): void {
    if (this.readerParked) this.wakeReader()
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

  override waits(begin: boolean): void {
    // At a rendezvous a waiting reader is the room.
    if (begin && !this.readerParked) this.limit = this.capacity
    if (this.writerParked && this.readers.head !== undefined) this.wakeWriter()
    this.onWaits?.()
  }

  override settle(): void {
    const { length } = this.buffer
    super.settle()
    this.lost += length - this.buffer.length
    if (!this.accepting) this.wakeWriter()
    // One that reads several may wait for another, which may hang: it hears of the failure before it has read what is left.
    if (this.ended || this.failure) this.wakeReader()
  }
}
