/**
 * Reading from several chains that run beside a stage: the inputs of a fan-in, the branches of a fan-out.
 *
 * An inlet is read like the input of a task, but by a kernel. It brings nothing until it is waited for.
 */
import type { Core, Wakeable } from '../channel/core.ts'
import { closeSide, parkReader, skip } from './edge.ts'
import type { Attach, Definition, Port } from './stage.ts'

/** The end of a chain that a kernel reads: the `reader` of what is attached. */
export class Inlet<T> implements Wakeable {
  /** What is attached. */
  edge!: Core<T>
  queued = false

  /** `ready` is told when something that was waited for is there, or will not come. */
  constructor(readonly ready: (inlet: Inlet<T>) => void) {}

  wake(): void {
    this.ready(this)
  }

  get hasValue(): boolean {
    return this.edge.buffer.length > 0
  }

  /** The next value; there must be one. It stays where it is. */
  get head(): T {
    const { head } = this.edge.buffer
    return head.items[head.start]
  }

  take(): T {
    const value = this.head
    skip(this.edge, 1)
    return value
  }

  /** Puts out all that is there, as far as there is room. */
  move(port: Port<never, T>): void {
    while (this.hasValue && port.count < port.room) {
      const { items, start, end } = this.edge.buffer.head
      const many = Math.min(end - start, port.room - port.count)
      for (let i = 0; i < many; i++) port.out[port.count++] = items[start + i]!
      skip(this.edge, many)
    }
  }

  /** There is nothing to read: wants to be woken when that has changed. */
  park(): void {
    parkReader(this.edge)
  }

  close(): void {
    closeSide(this.edge, 'receiver')
  }
}

/** An inlet that wakes the stage itself. */
export function openInlet<T>(
  port: Port<never, unknown>,
  chain: readonly Definition[],
  attach: Attach,
): Inlet<T> {
  const reader = new Inlet<T>(() => port.wake())
  reader.edge = attach(chain, { reader }).output as Core<T>
  return reader
}

/**
 * Takes one value from each inlet that has any, in turn. An inlet that runs dry leaves the round and comes back when it
 * has something, so that ten thousand idle ones cost nothing.
 */
export class Merge<T> {
  readonly inlets: Inlet<T>[] = []
  #round: Inlet<T>[] = []
  /** How many have not ended. */
  open = 0

  constructor(readonly port: Wakeable) {}

  /** Adds what `attach` attaches for an inlet. */
  add(attach: (reader: Inlet<T>) => Core<unknown>): void {
    const inlet = new Inlet<T>((ready) => {
      if (ready.queued) return
      ready.queued = true
      this.#round.push(ready)
      this.port.wake()
    })
    inlet.edge = attach(inlet) as Core<T>
    inlet.park()
    this.inlets.push(inlet)
    this.open++
  }

  /** Puts out what there is. Gives the failure of an inlet that has ended with one. */
  move(port: Port<never, T>): { cause: unknown } | undefined {
    let turn = 0
    let failure: { cause: unknown } | undefined
    const round = this.#round
    while (turn < round.length && port.count < port.room && failure === undefined) {
      const inlet = round[turn++]
      const { edge } = inlet
      inlet.queued = false
      if (inlet.hasValue) {
        port.out[port.count++] = inlet.take()
        inlet.queued = true
        round.push(inlet)
      } else if (edge.ended) {
        this.open--
        failure = edge.failure
      } else inlet.park()
    }
    this.#round = round.slice(turn)
    return failure
  }

  /** Whether there may be more to put out now. */
  get ready(): boolean {
    return this.#round.length > 0
  }

  close(): void {
    for (const inlet of this.inlets) inlet.close()
  }
}
