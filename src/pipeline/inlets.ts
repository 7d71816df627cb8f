/**
 * Reading from several chains that run beside a stage: the inputs of a fan-in and its relatives.
 *
 * An inlet is read like the input of a task, but by a kernel. It brings nothing until it is waited for.
 */
import type { Core, Wakeable } from '../channel/core.ts'
import { closeSide, parkReader } from './edge.ts'
import type { Definition, Port } from './stage.ts'

/** The end of a chain that a kernel reads: the `reader` of what is attached. */
export class Inlet<T> implements Wakeable {
  readonly edge: Core<T>
  queued = false
  /** Who stands before it and behind it in a line. */
  prev: Inlet<T> | undefined
  next: Inlet<T> | undefined
  /** Which of the inputs it is, where that matters. */
  place!: number

  /** Attaches the chain. `ready` is told when something that was waited for is there, or will not come. */
  constructor(
    chain: readonly Definition[],
    port: Port<never, unknown>,
    readonly ready: (inlet: Inlet<T>) => void = () => port.wake(),
  ) {
    this.edge = port.attach(chain, { reader: this }).output as Core<T>
  }

  wake(): void {
    this.ready(this)
  }

  /** How many values are there. */
  get stock(): number {
    return this.edge.buffer.length
  }

  /** There is nothing to read: wants to be woken when that has changed. */
  park(): void {
    parkReader(this.edge)
  }

  close(): void {
    closeSide(this.edge, 'receiver')
  }
}
