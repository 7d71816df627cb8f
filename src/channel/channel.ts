/**
 * `channel()`: a core that the program sees, and its first two handles.
 */
import { DeadlockError, demand, demandCount } from '../errors.ts'
import { Core } from './core.ts'
import { deadlockReport, placeOf, watch } from './deadlock.ts'
import { newReceiver, newSender, type Receiver, type Sender } from './handles.ts'

export type Overflow = 'block' | 'drop-oldest' | 'drop-newest' | 'fail'

export interface ChannelOptions<T> {
  /** Shown in reports and errors. Default: `channel 1`, `channel 2`, … */
  name?: string
  /** What a send does when the buffer is full. Default: `'block'`, it waits. */
  overflow?: Overflow
  /** Called once for each accepted value that no one will get. What it throws becomes an uncaught error. */
  onUndelivered?: (value: T) => void
  /** Whoever still waits here when the program ends is no deadlock. Default: `false`. */
  daemon?: boolean
}

/** A core that the program sees: it says what is lost, stuck or forgotten. */
export class ChannelCore<T> extends Core<T> {
  constructor(
    capacity: number,
    name: string,
    readonly overflow: Overflow = 'block',
    readonly onUndelivered?: (value: T) => void,
    readonly daemon = false,
  ) {
    super(capacity, name)
  }

  override spill(value: T): boolean {
    if (this.overflow === 'drop-oldest') {
      this.put(value)
      value = this.buffer.shift()
    } else if (this.overflow !== 'drop-newest') return false
    this.lose(value)
    return true
  }

  override lose(value: T): void {
    try {
      this.onUndelivered?.(value)
    } catch (error) {
      queueMicrotask(() => {
        throw error
      })
    }
  }

  override waits(_begin: boolean): void {
    if (this.readers.head ?? this.writers.head) watch(this)
    else this.leave()
  }

  /** The event loop has run dry: rejects whoever can never settle. Says whether there was anyone. */
  deadlock(): boolean {
    const stuck = [...this.readers, ...this.writers].filter((waiter) => !this.daemon && waiter.hopeless)
    const message = deadlockReport(this, stuck)
    for (const waiter of stuck) waiter.giveUp(new DeadlockError(message))
    return stuck.length > 0
  }
}

let unnamed = 0

/**
 * Makes a channel: a bounded queue between tasks, with a sender and a receiver to begin with.
 *
 * - First in, first out: for values, for waiting senders and for waiting receivers.
 * - `capacity` is the backpressure: a send waits while that many values are buffered. 0 is a rendezvous, a send
 *   settles when a receiver takes the value; `Infinity` never waits, and is never a default.
 * - It ends for the receivers when the last sender is closed and the buffer is drained.
 *
 * @throws RangeError for a capacity that is not an integer >= 0 or `Infinity`.
 * @example
 * import { channel } from 'sluice'
 *
 * const [tx, rx] = channel<string>(8)
 * await tx.send('hello')
 * tx.close()
 * await rx.recv() // => 'hello'
 * await rx.next() // => { done: true, value: undefined }
 */
export function channel<T>(capacity: number, options: ChannelOptions<T> = {}): [Sender<T>, Receiver<T>] {
  const action = 'create channel'
  const { name = `channel ${++unnamed}`, overflow = 'block', onUndelivered, daemon = false } = options
  demand(
    OVERFLOWS.includes(overflow),
    action,
    'overflow',
    `one of ${OVERFLOWS.join(', ')}`,
    overflow,
    TypeError,
  )
  demandCount(capacity, action, 'capacity', overflow.startsWith('drop') ? 1 : 0, true)
  const core = new ChannelCore<T>(capacity, name, overflow, onUndelivered, daemon)
  const place = placeOf(channel)
  return [newSender(core, place), newReceiver(core, place)]
}

const OVERFLOWS: readonly Overflow[] = ['block', 'drop-oldest', 'drop-newest', 'fail']
