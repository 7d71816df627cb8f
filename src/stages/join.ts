/** Several inputs into one, in step: `interleave`, `zip`, `mergeSorted` wait for the value of a particular input. */
import { demand, demandFunction } from '../errors.ts'
import { skip } from '../pipeline/edge.ts'
import { heard } from '../pipeline/iterating.ts'
import { isThenable } from '../pipeline/results.ts'
import { late } from '../pipeline/scheduler.ts'
import { Inlet } from '../pipeline/inlets.ts'
import { type Chains, type FanInInput, type Inputs, joining } from '../pipeline/inputs.ts'
import type { Kernel, Port, Source } from '../pipeline/stage.ts'

/** The next value of an inlet that has one. */
function head<T>({ edge }: Inlet<T>): T {
  const { items, start } = edge.buffer.head
  return items[start]
}

function take<T>(inlet: Inlet<T>, port: Port<never, unknown>): T {
  const value = head(inlet)
  skip(inlet.edge, 1, port.brisk)
  return value
}

/** Kernels that wait for the values of particular inputs. */
abstract class Choosing<T, Out> implements Kernel<never, Out> {
  readonly inlets: Inlet<T>[]
  readonly #awaited = new Set<Inlet<T>>()
  /** What an input has failed with: from then on none is waited for. */
  protected failure: { cause: unknown } | undefined

  constructor(port: Port<never, Out>, chains: Chains) {
    const ready = (inlet: Inlet<T>): void => {
      this.#awaited.delete(inlet)
      const { ended, failure } = inlet.edge
      this.failure ??= failure
      // All of them are needed: to look at ten thousand when each one comes would take the square.
      if (this.#awaited.size === 0 || ended || failure) port.wake()
    }
    this.inlets = chains.map((chain) => new Inlet<T>(chain, port, ready))
    this.inlets.forEach((inlet, place) => (inlet.place = place))
  }

  abstract run(port: Port<never, Out>): void

  /** Whether the inlet has a value; none will come if not. `undefined`: it is waited for, or it has failed, and so has the stage. */
  protected look(port: Port<never, Out>, inlet: Inlet<T>): boolean | undefined {
    if (this.#awaited.size > 0) this.#awaited.delete(inlet)
    if (inlet.stock > 0) return true
    const { ended, failure } = inlet.edge
    if (ended && failure) port.fail(failure.cause)
    else if (ended || this.failure) {
      inlet.close()
      return false
    } else {
      this.#awaited.add(inlet)
      inlet.park()
      port.held = true
    }
    return undefined
  }

  close(): void {
    for (const inlet of this.inlets) inlet.close()
  }
}

class Interleaving<T> extends Choosing<T, T> {
  #turn = 0

  override run(port: Port<never, T>): void {
    const { inlets } = this
    while (inlets.length > 0) {
      this.#turn %= inlets.length
      const has = this.look(port, inlets[this.#turn])
      if (has === false) inlets.splice(this.#turn, 1)
      else if (has && port.count < port.room) port.out[port.count++] = take(inlets[this.#turn++], port)
      else return
    }
    port.finish()
  }
}

/**
 * One value of each input in turn, always in the same order; inputs that have ended are skipped.
 *
 * Ordered. Concurrency 1. Holds nothing. On error: fails with the error of the input, and closes the others.
 *
 * @throws TypeError for an input that cannot be read.
 * @example
 * import { interleave, pipeline } from 'sluice'
 *
 * await pipeline(interleave([1, 2, 3], [10, 20])).run() // => [1, 10, 2, 20, 3]
 */
export function interleave<T extends readonly unknown[]>(...inputs: Inputs<T>): Source<Awaited<T[number]>>
export function interleave<T>(...inputs: FanInInput<T>[]): Source<Awaited<T>>
export function interleave<T>(...inputs: FanInInput<T>[]): Source<Awaited<T>> {
  return joining(
    'interleave',
    inputs,
    (port: Port<never, Awaited<T>>, chains) => new Interleaving(port, chains),
  )
}

class Zipping<T> extends Choosing<T, T[]> {
  override run(port: Port<never, T[]>): void {
    const { inlets } = this
    while (port.count < port.room) {
      // All that are missing are waited for at once.
      const known = inlets.map((inlet) => this.look(port, inlet))
      if (known.includes(false) || known.length === 0) {
        if (this.failure) return port.fail(this.failure.cause)
        this.close()
        return port.finish()
      }
      if (known.includes(undefined)) return
      const many = inlets.reduce((least, { stock }) => Math.min(least, stock), port.room - port.count)
      for (let n = 0; n < many; n++) port.out[port.count++] = inlets.map((inlet) => take(inlet, port))
    }
  }
}

/**
 * The first values of all inputs as one tuple, then the second ones, and so on. Ends with the shortest input, and
 * closes the others.
 *
 * Ordered. Concurrency 1. Holds nothing. On error: fails with the error of the input, and closes the others.
 *
 * @throws TypeError for an input that cannot be read.
 * @example
 * import { pipeline, range, zip } from 'sluice'
 *
 * await pipeline(zip(range(1, Infinity), ['a', 'b'])).run() // => [[1, 'a'], [2, 'b']]
 */
export function zip<T extends unknown[]>(...inputs: Inputs<T>): Source<{ [K in keyof T]: Awaited<T[K]> }> {
  return joining(
    'zip',
    inputs,
    (port: Port<never, unknown[]>, chains) => new Zipping(port, chains),
    true,
  ) as Source<never>
}

/** What is no number is no order; a promise may reject. */
function refuse(given: unknown): void {
  if (isThenable(given)) heard(given)
  const wanted = 'a function that gives a number at once'
  demand(false, 'merge sorted', 'compare', wanted, given, TypeError)
}

/** A heap of the inlets by their next values, the first of all at its top; those whose value is not known yet stand beside it. */
class MergingSorted<T> extends Choosing<T, T> {
  readonly #heap: Inlet<T>[] = []
  readonly #unknown: Inlet<T>[]

  constructor(
    port: Port<never, T>,
    chains: Chains,
    readonly compare: (a: T, b: T) => number,
  ) {
    super(port, chains)
    this.#unknown = [...this.inlets]
  }

  override run(port: Port<never, T>): void {
    const heap = this.#heap
    for (;;) {
      if (this.#unknown.length > 0) {
        // To wait for an inlet may bring its value at once: then it is known the next time.
        for (const inlet of this.#unknown.splice(0)) {
          const has = this.look(port, inlet)
          if (has) this.#rise(port, inlet)
          else if (has === undefined) this.#unknown.push(inlet)
        }
        if (this.#unknown.length > 0) return
      }
      if (heap.length === 0) return port.finish()
      if (port.count >= port.room || ((port.count & 15) === 15 && late())) return
      const first = heap[0]
      port.out[port.count++] = take(first, port)
      if (first.stock > 0) this.#sink(port, first)
      else {
        this.#unknown.push(first)
        const last = heap.pop()!
        if (heap.length > 0) this.#sink(port, last)
      }
    }
  }

  /** Puts an inlet in at the end, and moves it up to its place. */
  #rise(port: Port<never, T>, inlet: Inlet<T>): void {
    const heap = this.#heap
    let at = heap.length
    while (at > 0) {
      const above = (at - 1) >> 1
      if (!this.#before(port, inlet, heap[above])) break
      heap[at] = heap[above]
      at = above
    }
    heap[at] = inlet
  }

  /** Puts an inlet at the top, in the place of the one there, and moves it down to its place. */
  #sink(port: Port<never, T>, inlet: Inlet<T>): void {
    const heap = this.#heap
    let at = 0
    for (let below; (below = 2 * at + 1) < heap.length; at = below) {
      if (below + 1 < heap.length && this.#before(port, heap[below + 1], heap[below])) below++
      if (!this.#before(port, heap[below], inlet)) break
      heap[at] = heap[below]
    }
    heap[at] = inlet
  }

  /** Equal values come in the order of their inputs. */
  #before(port: Port<never, T>, a: Inlet<T>, b: Inlet<T>): boolean {
    // `compare` may end the run: then there is nothing left to compare.
    if (port.left) return false
    const sign = this.compare(head(a), head(b)) as number | undefined
    // Nothing is 0, as for `sort`.
    if (typeof sign !== 'number' && sign !== undefined) refuse(sign)
    return (sign || a.place - b.place) < 0
  }
}

/**
 * Merges inputs that are each sorted by `compare` into one that is sorted. Equal values come in the order of their
 * inputs.
 *
 * Ordered. Concurrency 1. Holds nothing. On error: fails with the error of the input, and closes the others; fails
 * where `compare` throws, or gives a promise, a boolean or the like for a number.
 *
 * @throws TypeError for a `compare` that is no function, or an input that cannot be read.
 * @example
 * import { mergeSorted, pipeline } from 'sluice'
 *
 * const byNumber = (a: number, b: number) => a - b
 * await pipeline(mergeSorted(byNumber, [1, 4, 9], [2, 4], [3])).run() // => [1, 2, 3, 4, 4, 9]
 */
export function mergeSorted<T extends readonly unknown[]>(
  compare: (a: Awaited<T[number]>, b: Awaited<T[number]>) => number,
  ...inputs: Inputs<T>
): Source<Awaited<T[number]>>
export function mergeSorted<T>(
  compare: (a: Awaited<T>, b: Awaited<T>) => number,
  ...inputs: FanInInput<T>[]
): Source<Awaited<T>>
export function mergeSorted<T>(
  compare: (a: Awaited<T>, b: Awaited<T>) => number,
  ...inputs: FanInInput<T>[]
): Source<Awaited<T>> {
  demandFunction(compare, 'create mergeSorted', 'compare')
  return joining(
    'mergeSorted',
    inputs,
    (port: Port<never, Awaited<T>>, chains) => new MergingSorted(port, chains, compare),
  )
}
