/**
 * Reading from several chains that run beside a stage: the inputs of a fan-in and its relatives.
 *
 * An inlet is read like the input of a task, but by a kernel. It brings nothing until it is waited for.
 */
import type { Core, Wakeable } from '../channel/core.ts'
import { closeSide, parkReader, skip } from './edge.ts'
import type { Definition, Port } from './stage.ts'

/** The end of a chain that a kernel reads: the `reader` of what is attached. */
export class Inlet<T> implements Wakeable {
  /** What is attached. */
  edge!: Core<T>
  queued = false
  /** Which of the inputs it is, where that matters. */
  place!: number

  /** `ready` is told when something that was waited for is there, or will not come. */
  constructor(readonly ready: (inlet: Inlet<T>) => void) {}

  wake(): void {
    this.ready(this)
  }

  /** How many values are there. */
  get stock(): number {
    return this.edge.buffer.length
  }

  get hasValue(): boolean {
    return this.stock > 0
  }

  /** The next value; there must be one. It stays where it is. */
  get head(): T {
    const { head } = this.edge.buffer
    return head.items[head.start]
  }

  /** `late`: who waits for room need not be told at once. */
  take(late = false): T {
    const value = this.head
    skip(this.edge, 1, late)
    return value
  }

  /** Puts out what is there, as far as there is room, and `most` values of it. */
  move(port: Port<never, T>, most = Infinity): void {
    const { buffer } = this.edge
    while (buffer.length > 0 && most > 0 && port.count < port.room) {
      const { items, start, end } = buffer.head
      const many = Math.min(end - start, most, port.room - port.count)
      for (let i = start; i < start + many; i++) port.out[port.count++] = items[i]
      most -= many
      skip(this.edge, many, port.brisk)
    }
  }

  /** There is nothing to read: wants to be woken when that has changed. */
  park(): void {
    parkReader(this.edge)
  }

  /** Does not want a value now. */
  unpark(): void {
    this.edge.readerParked = false
    this.edge.limit = this.edge.capacity
  }

  close(): void {
    closeSide(this.edge, 'receiver')
  }
}

/** Attaches a chain and reads from it. */
export function openInlet<T>(
  chain: readonly Definition[],
  port: Port<never, unknown>,
  ready: (inlet: Inlet<T>) => void,
): Inlet<T> {
  const reader = new Inlet<T>(ready)
  reader.edge = port.attach(chain, { reader }).output as Core<T>
  return reader
}
