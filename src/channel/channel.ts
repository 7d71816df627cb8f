/**
 * `channel()`: an exchange that the program sees, and its first two handles.
 */
import { demand, demandCount, demandFunction, demandName, demandOptions } from '../errors.ts'
import { placeOf, watchChannel } from './deadlock.ts'
import { Exchange, type Options } from './exchange.ts'
import { Fifo } from './fifo.ts'
import { newReceiver, newSender, type Receiver, type Sender } from './handles.ts'

/** What a send does when the channel is full: waits, displaces the oldest value, is itself displaced, or fails with `FULL`. */
export type Overflow = 'block' | 'drop-oldest' | 'drop-newest' | 'fail'

/** What `channel` takes beside the capacity. */
export interface ChannelOptions<T> {
  /** Shown in reports and errors. Default: `channel 1`, `channel 2`, … */
  name?: string | undefined
  /** What a send does when the buffer is full. Default: `'block'`, it waits. */
  overflow?: Overflow | undefined
  /** Called once for each accepted value that no one will get. What it throws becomes an uncaught error. */
  onUndelivered?: ((value: T) => void) | undefined
  /** Whoever still waits here when the program ends is no deadlock. Default: `false`. */
  daemon?: boolean | undefined
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
  demandOptions(options, action)
  const { name = `channel ${++unnamed}`, overflow = 'block', onUndelivered, daemon } = options
  demandName(name, action)
  if (onUndelivered !== undefined) demandFunction(onUndelivered, action, 'onUndelivered')
  const wanted = `one of ${OVERFLOWS.join(', ')}`
  demand(OVERFLOWS.includes(overflow), action, 'overflow', wanted, overflow, TypeError)
  const drops = overflow.startsWith('drop')
  demandCount(capacity, action, 'capacity', drops ? 1 : 0, true)
  // One by one: they may be those of a class or a prototype, which a spread leaves out.
  const all = { overflow, onUndelivered, daemon, drops } as Options<T>
  const core = new Exchange<T>(capacity, name, new Fifo(), all)
  const place = placeOf(channel)
  watchChannel(core)
  return [newSender(core, place), newReceiver(core, place)]
}

const OVERFLOWS: readonly Overflow[] = ['block', 'drop-oldest', 'drop-newest', 'fail']
