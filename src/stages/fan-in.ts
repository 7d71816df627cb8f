/** Several inputs into one: `fanIn` as they come, `concat` one after the other. */
import { Line } from '../channel/line.ts'
import { skip } from '../pipeline/edge.ts'
import { settled } from '../pipeline/scheduler.ts'
import { Inlet } from '../pipeline/inlets.ts'
import { type Chains, type FanInInput, type Inputs, joining } from '../pipeline/inputs.ts'
import { hearAll, type Kernel, type Port, type Source } from '../pipeline/stage.ts'

/** How many values are taken of an inlet at a turn, where there are few inlets and where there are many. */
const LEAST = 8
const MOST = 32

/** Puts out what stands in the first chunk of an inlet, as far as there is room, and `most` values of it. */
function move<T>({ edge }: Inlet<T>, port: Port<never, T>, most = Infinity): void {
  const { items, start, end } = edge.buffer.head
  let at = start
  for (const until = Math.min(end, start + Math.min(most, port.room - port.count)); at < until; at++)
    port.out[port.count++] = items[at]
  skip(edge, at - start, port.brisk)
}

/**
 * Takes some values from each inlet that has any, in turn, since to go to another costs more than a value (bench: fan-in,
 * half the time with 32 instead of 8). One that is alone waits after its share until the settled promises have called
 * back, since several async inputs never have their values at the same moment; where still no other has any, all of its are
 * taken. An inlet that runs dry leaves the round and comes back when it has something, so that ten thousand idle ones cost
 * nothing.
 *
 * At a rendezvous (capacity 0) all inlets are waited for only while there is room for a value; when one has it, the
 * others are not waited for any more. So no input hands over a value that cannot be passed on.
 */
class Merging<T> implements Kernel<never, T> {
  readonly #inlets: Inlet<T>[]
  /** Those that have something, in the order of their turns, and how many they are. */
  readonly #round = new Line<Inlet<T>>()
  #length = 0
  #open: number
  /** Whose turn was the last. */
  #last: Inlet<T> | undefined
  /** Those at a rendezvous that have nothing. */
  readonly #idle = new Set<Inlet<T>>()

  constructor(port: Port<never, T>, chains: Chains) {
    const ready = (inlet: Inlet<T>): void => {
      if (inlet.queued) return
      inlet.queued = true
      this.#add(inlet)
      // The others are not waited for any more.
      if (this.#idle.delete(inlet))
        for (const { edge } of this.#idle) {
          edge.readerParked = false
          edge.limit = 0
        }
      port.wake()
    }
    this.#open = chains.length
    this.#inlets = chains.map((chain) => new Inlet(chain, port, ready))
    for (const inlet of this.#inlets) this.#await(inlet)
  }

  #add(inlet: Inlet<T>): void {
    this.#round.add(inlet)
    this.#length++
  }

  #await(inlet: Inlet<T>): void {
    inlet.queued = false
    if (inlet.edge.capacity > 0) inlet.park()
    else this.#idle.add(inlet)
  }

  run(port: Port<never, T>): void {
    const round = this.#round
    const share = Math.min(MOST, LEAST + (this.#length >> 2))
    for (let inlet; (inlet = round.head) !== undefined && port.count < port.room;) {
      round.delete(inlet)
      this.#length--
      const { edge } = inlet
      if (inlet.stock > 0) {
        const alone = this.#length === 0
        const again = inlet === this.#last
        this.#last = inlet
        move(inlet, port, alone && again ? Infinity : share)
        // Others may be about to have some: then it comes behind them.
        if (alone && !again && inlet.stock > 0 && settled(() => inlet.wake())) inlet.queued = false
        else this.#add(inlet)
      } else if (edge.ended) {
        // It stays queued: it may be told so again, and never comes back.
        this.#open--
        if (edge.failure) return port.fail(edge.failure.cause)
      } else this.#await(inlet)
    }
    if (this.#open === 0) return port.finish()
    port.full = this.#idle.size > 0 && port.count >= port.room
    for (const inlet of this.#idle) if (!port.full && !this.#ready) inlet.park()
    port.held = !this.#ready
  }

  /** Whether there may be more to put out now. */
  get #ready(): boolean {
    return this.#length > 0
  }

  close(): void {
    for (const inlet of this.#inlets) inlet.close()
  }
}

/**
 * Merges its inputs: anything `source` takes, and pipelines.
 *
 * - Fair: inputs that have values take turns. Each input runs as a task of its own, behind a bounded channel.
 * - Ends when all inputs have ended. When one fails, or nobody reads any more, the others are closed.
 *
 * Ordered per input. Concurrency 1. Holds nothing. On error: fails with the error of the input.
 *
 * @throws TypeError for an input that cannot be read.
 * @example
 * import { fanIn, map, pipeline, range } from 'sluice'
 *
 * const tens = pipeline(
 *   range(1, 4),
 *   map((n) => n * 10),
 * )
 * const merged = await pipeline(fanIn([1, 2, 3], tens)).run()
 * merged.sort((a, b) => a - b) // => [1, 2, 3, 10, 20, 30]
 */
export function fanIn<T extends readonly unknown[]>(...inputs: Inputs<T>): Source<Awaited<T[number]>>
export function fanIn<T>(...inputs: FanInInput<T>[]): Source<Awaited<T>>
export function fanIn<T>(...inputs: FanInInput<T>[]): Source<Awaited<T>> {
  return joining('fanIn', inputs, (port: Port<never, Awaited<T>>, chains) => new Merging(port, chains))
}

/** One input after the other; the next is not opened before its turn. */
class Concatenating<T> implements Kernel<never, T> {
  #place = 0
  #inlet: Inlet<T> | undefined
  #stopped = false

  constructor(
    readonly port: Port<never, T>,
    readonly chains: Chains,
  ) {
    hearAll(chains)
  }

  run(port: Port<never, T>): void {
    for (;;) {
      if (this.#inlet === undefined) {
        if (this.#stopped || this.#place === this.chains.length) {
          this.close()
          return port.finish()
        }
        this.#inlet = new Inlet(this.chains[this.#place++], port)
      }
      const inlet = this.#inlet
      move(inlet, port)
      if (inlet.stock > 0) return
      const { ended, failure } = inlet.edge
      if (!ended) {
        inlet.park()
        port.held = true
        return
      }
      if (failure) return port.fail(failure.cause)
      this.#inlet = undefined
    }
  }

  stop(): void {
    this.#stopped = true
  }

  close(): void {
    this.#inlet?.close()
    // Those whose turn will not come are let go of as well: somebody may wait for them to be read.
    const unopened = this.chains.slice(this.#place)
    this.#place = this.chains.length
    for (const chain of unopened) new Inlet(chain, this.port).close()
  }
}

/**
 * Reads its inputs one after the other: anything `source` takes, and pipelines.
 *
 * - An input is not opened before all those in front of it have ended.
 * - When one fails, or nobody reads any more, receivers and streams whose turn has not come are closed as well.
 *
 * Ordered. Concurrency 1. Holds nothing. On error: fails with the error of the input.
 *
 * @throws TypeError for an input that cannot be read.
 * @example
 * import { concat, pipeline, range } from 'sluice'
 *
 * await pipeline(concat(range(2), [7, 8])).run() // => [0, 1, 7, 8]
 */
export function concat<T extends readonly unknown[]>(...inputs: Inputs<T>): Source<Awaited<T[number]>>
export function concat<T>(...inputs: FanInInput<T>[]): Source<Awaited<T>>
export function concat<T>(...inputs: FanInInput<T>[]): Source<Awaited<T>> {
  return joining('concat', inputs, (port: Port<never, Awaited<T>>, chains) => new Concatenating(port, chains))
}
