/**
 * The one state machine behind every channel, whatever its capacity, and behind every edge of a pipeline.
 *
 * Always true between two operations:
 * - a reader waits only while the buffer is empty, a writer only while the buffer is full (so at capacity 0 one of
 *   the two queues is empty, but for the cases of one select, which wait for others and never for each other);
 * - `buffer.length <= limit`, and values leave in the order in which they or their waiting writers came;
 * - no reader waits on a channel that has ended, no writer on one that takes nothing more.
 *
 * `writable` goes before `put`, `readable` before `take`: who asks first can be told at once, and a select can ask
 * without doing. What the tasks of a pipeline need besides is in core.ts, so that a program without pipelines does
 * not carry it.
 *
 * The scheme (match waiting parties first, then the buffer, never both) is that of Go's `runtime/chan.go`.
 */
import type { Buffer } from './buffer.ts'
import type { Overflow } from './channel.ts'
import { channels } from './deadlock.ts'
import { Line } from './line.ts'
import type { Wait } from './waiting.ts'

/** What the channel knows of one handle. It must not reach the handle itself, or that is never collected. */
export interface Handle<T> {
  readonly core: Exchange<T>
  readonly side: 'sender' | 'receiver'
  /** Where it was made. */
  readonly place: string
  open: boolean
  /** Whether it was said that an `await` seems to be missing. */
  warned?: boolean
  /** How many waits on this handle stand in line, and the last of them to come. */
  waiting: number
  newest: Wait<T> | undefined
}

/** Whether nothing can be sent, or will come, through this handle any more. */
export function isOver<T>({ core, open, side }: Handle<T>): boolean {
  return !open || (side === 'sender' ? !core.accepting : core.ended)
}

/** Where a sender or receiver of this package keeps its `Handle`. */
export const HANDLE: unique symbol = /* @__PURE__ */ Symbol('handle')

/** Those of `ChannelOptions` that count after the channel has been made. */
export interface Options<T> {
  overflow?: Overflow
  /** Whether a value is dropped when it is full. */
  drops?: boolean
  onUndelivered?(value: T): void
  daemon?: boolean
}

const DONE = /* @__PURE__ */ Promise.resolve()

export class Exchange<T> {
  readonly readers = new Line<Wait<T>>()
  readonly writers = new Line<Wait<T>>()
  /** The open handles. */
  readonly handles = new Set<Handle<T>>()
  senders = 0
  receivers = 0
  /** Whether a send can still be accepted, now or later. */
  accepting = false
  failure: { cause: unknown } | undefined
  /** How much the buffer may hold: the capacity, but 1 at a rendezvous that a parked task waits for. */
  limit: number
  /** How many values it has accepted so far. */
  accepted = 0
  /** Settles when nobody will read again, and how it is told; made when first asked for. */
  refused: Promise<void> | undefined
  onRefused: (() => void) | undefined
  /** Rejects whoever can never settle, and says whether there was anyone. */
  deadlock: ((picture: string) => boolean) | undefined

  constructor(
    readonly capacity: number,
    readonly name: string,
    readonly buffer: Pick<Buffer<T>, 'length' | 'push' | 'shift'>,
    readonly options: Options<T> = {},
  ) {
    this.limit = capacity
    // Written again, as the engine takes a field for constant until it is, and would compile all that reads it anew.
    this.accepting = true
  }

  get length(): number {
    return this.buffer.length
  }

  get empty(): boolean {
    return this.buffer.length === 0 && !this.writers.head
  }

  /** Whether no value will come out any more. */
  get ended(): boolean {
    return this.empty && (this.senders === 0 || this.failure !== undefined)
  }

  // ---- values

  /** Whether `take` has something to take. */
  readable(): boolean {
    return !this.empty
  }

  /** The buffer may have room: lets waiting writers in. */
  roomMade(): void {
    const { buffer, writers } = this
    while (buffer.length < this.limit && writers.head) writers.head.serve()
  }

  /** What an operation gives that need not wait; in a pipeline, timers and I/O may have their turn first. */
  pace<R>(result: R): Promise<R> {
    return result === undefined ? (DONE as Promise<R>) : Promise.resolve(result)
  }

  /** Somebody has begun or stopped to wait. */
  waits?(begin: boolean): void

  /** A value was put in for which nobody waited in line. */
  arrived?(): void

  // ---- closing

  close(handle: Handle<T>): boolean {
    const { open, side } = handle
    if (!open) return false
    handle.open = false
    this.handles.delete(handle)
    if (this.handles.size === 0) channels.delete(this)
    // What waits on a receiver ends with it, what waits on a sender does not.
    if (side === 'receiver') end(handle)
    if (--this[`${side}s`] === 0) this.settle()
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
    const { buffer, readers, writers } = this
    if (this.receivers === 0 || this.failure) {
      this.accepting = false
      while (writers.head) writers.head.serve(true)
      while (this.receivers === 0 && buffer.length > 0) lose(this, buffer.shift())
      this.onRefused?.()
    }
    if (this.ended) while (readers.head) readers.head.serve(true)
  }
}

/** Ends what waits on a handle, in the order in which it came. */
function end<T>({ newest }: Handle<T>): void {
  const waits: Wait<T>[] = []
  for (let wait = newest; wait; wait = wait.older) waits.push(wait)
  // A select that stands here twice has left with the first.
  for (const wait of waits.reverse()) if (wait.line) wait.serve(true)
}

function isFull<T>({ buffer, limit, writers }: Exchange<T>): boolean {
  return buffer.length >= limit || writers.head !== undefined
}

/** Whether `put` can take a value. The channel must be `accepting`. */
export function writable<T>(core: Exchange<T>): boolean {
  return !isFull(core) || core.readers.head !== undefined || core.options.drops === true
}

/** Takes a value in. The channel must be `writable`, or let a waiting writer in. */
export function put<T>(core: Exchange<T>, value: T): void {
  const { buffer, options, readers } = core
  core.accepted++
  // The buffer is empty then.
  if (readers.head) return readers.head.give(value)
  const drops = options.drops && isFull(core)
  if (drops && options.overflow === 'drop-newest') return lose(core, value)
  buffer.push(value)
  if (drops) lose(core, buffer.shift())
  else core.arrived?.()
}

/** Gives the next value out. The channel must be `readable`. */
export function take<T>(core: Exchange<T>): T {
  const { buffer, writers } = core
  if (buffer.length === 0) writers.head!.serve()
  const value = buffer.shift()
  core.roomMade()
  return value
}

/** What becomes of an accepted value that no one will get. */
function lose<T>({ options }: Exchange<T>, value: T): void {
  try {
    options.onUndelivered?.(value)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
