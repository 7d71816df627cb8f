/** Several inputs into one: `fanIn`. */
import type { Core, Wakeable } from '../channel/core.ts'
import { demand } from '../errors.ts'
import { closeSide, parkReader, skip } from '../pipeline/edge.ts'
import { type LateInput, reading } from '../pipeline/reading.ts'
import {
  type Attach,
  type Definition,
  type Kernel,
  part,
  type Part,
  type Port,
  type Source,
} from '../pipeline/stage.ts'

/** What a fan-in reads: whatever `source` takes, sources, and pipelines. */
export type FanInInput<T> = Part<'source', never, T> | LateInput<T>

/** One input, as the fan-in sees it: an edge that says when there is something to read. */
class Inlet<T> implements Wakeable {
  readonly edge: Core<T>
  queued = false

  constructor(
    definitions: readonly Definition[],
    attach: Attach,
    readonly ready: (inlet: Inlet<T>) => void,
  ) {
    this.edge = attach(definitions, this) as Core<T>
    parkReader(this.edge)
  }

  wake(): void {
    this.ready(this)
  }
}

/**
 * Takes one value from each input that has any, in turn. An input that runs dry leaves the round and comes back when it
 * has something, so that ten thousand idle inputs cost nothing.
 */
class Merging<T> implements Kernel<never, T> {
  readonly #inlets: Inlet<T>[]
  #round: Inlet<T>[] = []
  #open: number

  constructor(
    readonly port: Port<never, T>,
    inputs: readonly (readonly Definition[])[],
    attach: Attach,
  ) {
    const ready = (inlet: Inlet<T>): void => {
      if (inlet.queued) return
      inlet.queued = true
      this.#round.push(inlet)
      port.wake()
    }
    this.#open = inputs.length
    this.#inlets = inputs.map((definitions) => new Inlet(definitions, attach, ready))
  }

  run(port: Port<never, T>): void {
    let turn = 0
    const round = this.#round
    while (turn < round.length && port.count < port.room) {
      const inlet = round[turn++]
      const { edge } = inlet
      inlet.queued = false
      if (edge.buffer.length > 0) {
        const { head } = edge.buffer
        port.out[port.count++] = head.items[head.start]!
        skip(edge, 1)
      } else if (edge.ended) {
        this.#open--
        if (edge.failure) return port.fail(edge.failure.cause)
        continue
      } else {
        parkReader(edge)
        continue
      }
      inlet.queued = true
      round.push(inlet)
    }
    this.#round = round.slice(turn)
    if (this.#open === 0) port.finish()
    else port.held = this.#round.length === 0
  }

  close(): void {
    for (const { edge } of this.#inlets) closeSide(edge, 'receiver')
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
  const definitions = inputs.map((input, place) => chainOf(input, `input ${place}`))
  return part(
    'source',
    'fanIn',
    {},
    {
      inputs: definitions,
      kernel: (port: Port<never, Awaited<T>>, attach) => new Merging(port, definitions, attach),
    },
  )
}

function chainOf<T>(input: FanInInput<T>, option: string): readonly Definition[] {
  const { kind, definitions } = Object(input) as Partial<Part<'source', never, T>>
  if (definitions !== undefined) {
    demand(
      kind === 'source',
      'create fanIn',
      option,
      'a source or a pipeline that begins with one',
      kind,
      TypeError,
    )
    return definitions
  }
  const kernel = reading(input as LateInput<T>, 'create fanIn', option)
  return part('source', 'source', {}, { kernel }).definitions
}
