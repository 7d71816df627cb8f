/** Several inputs into one: `fanIn` as they come, `concat` one after the other. */
import { type Inlet, Merge, openInlet } from '../pipeline/inlets.ts'
import { type Chains, type FanInInput, joining } from '../pipeline/inputs.ts'
import type { Attach, Kernel, Port, Source } from '../pipeline/stage.ts'

class Merging<T> implements Kernel<never, T> {
  readonly #merge: Merge<T>

  constructor(port: Port<never, T>, chains: Chains, attach: Attach) {
    this.#merge = new Merge(port)
    for (const chain of chains) this.#merge.add((reader) => attach(chain, { reader }).output!)
  }

  run(port: Port<never, T>): void {
    const failure = this.#merge.move(port)
    if (failure) port.fail(failure.cause)
    else if (this.#merge.open === 0) port.finish()
    else port.held = !this.#merge.ready
  }

  close(): void {
    this.#merge.close()
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
export function fanIn<T>(...inputs: FanInInput<T>[]): Source<Awaited<T>> {
  return joining(
    'fanIn',
    inputs,
    (port: Port<never, Awaited<T>>, chains, attach) => new Merging(port, chains, attach),
  )
}

/** One input after the other; the next is not opened before its turn. */
class Concatenating<T> implements Kernel<never, T> {
  #place = 0
  #inlet: Inlet<T> | undefined
  #stopped = false

  constructor(
    readonly port: Port<never, T>,
    readonly chains: Chains,
    readonly attach: Attach,
  ) {}

  run(port: Port<never, T>): void {
    for (;;) {
      if (this.#inlet === undefined) {
        if (this.#stopped || this.#place === this.chains.length) return port.finish()
        this.#inlet = openInlet(port, this.chains[this.#place++], this.attach)
      }
      const inlet = this.#inlet
      inlet.move(port)
      if (inlet.hasValue) return
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
  }
}

/**
 * Reads its inputs one after the other: anything `source` takes, and pipelines. An input is not opened before all
 * those in front of it have ended.
 *
 * Ordered. Concurrency 1. Holds nothing. On error: fails with the error of the input.
 *
 * @throws TypeError for an input that cannot be read.
 * @example
 * import { concat, pipeline, range } from 'sluice'
 *
 * await pipeline(concat(range(2), [7, 8])).run() // => [0, 1, 7, 8]
 */
export function concat<T>(...inputs: FanInInput<T>[]): Source<Awaited<T>> {
  return joining(
    'concat',
    inputs,
    (port: Port<never, Awaited<T>>, chains, attach) => new Concatenating(port, chains, attach),
  )
}
