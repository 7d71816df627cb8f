/**
 * How far the sources and sinks of a job have come, and beginning where an earlier process ended.
 *
 * Sources stay open over the parts of the job; a sink is opened for each. Connectors of this package say where they are,
 * and go on there. Of any other source the values are counted, and passed over when it is read again. Sources stand
 * at the beginning of the pipeline, and inside of those that merge: so the definitions are wrapped, also those
 * that a stage attaches while it runs.
 */
import { pipeline } from 'sluice'
import { chunkSource } from '../../connect/chunk-source.ts'
import type { StageError } from '../../errors.ts'
import type { Definition, Kept, Port } from '../../pipeline/stage.ts'

type AnyPort = Port<unknown, unknown>

export class Positions {
  readonly #sources = new Map<string, Kept>()
  /** The sinks of the part that is under way, or was last. */
  #sinks = new Map<string, () => unknown>()
  /** As they were after the part before. */
  #last: Readonly<Record<string, unknown>>

  /** `from`: what `now` gave in an earlier process. */
  constructor(from: Readonly<Record<string, unknown>>) {
    this.#last = from
  }

  /** Where all stand: once a part has come to its end. */
  now(): Record<string, unknown> {
    const positions: Record<string, unknown> = {}
    for (const [place, source] of this.#sources) positions[place] = source.position()
    for (const [place, position] of this.#sinks) positions[place] = position()
    // What was not reached in this part is where it was.
    return (this.#last = { ...this.#last, ...positions })
  }

  /** The stages of the next part, from the source to the sink. */
  part(definitions: readonly Definition[]): Definition[] {
    this.#sinks = new Map()
    return this.#wrap(definitions, '', true)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#sources.values()].map(async (source) => source.close()))
  }

  /** `begins`: the first stage is a source. */
  #wrap(definitions: readonly Definition[], place: string, begins: boolean): Definition[] {
    return definitions.map((definition, index) => {
      const { name, inputs, kernel } = definition
      const here = `${place}${index} ${name}`
      // One that merges others has no values of its own.
      if (begins && index === 0 && inputs === undefined) return this.#source(definition, here)
      if (definition.resume) return this.#sink(definition.resume(this.#last[here]), here)
      return kernel ? { ...definition, kernel: (port) => kernel(this.#wrapAttached(port, here)) } : definition
    })
  }

  #source(definition: Definition, place: string): Definition {
    const source = this.#sources.get(place) ?? keep(definition, this.#last[place])
    this.#sources.set(place, source)
    return source.definition
  }

  #sink(definition: Definition, place: string): Definition {
    return {
      ...definition,
      kernel: (port) => {
        const kernel = definition.kernel!(port)
        this.#sinks.set(place, () => kernel.position?.())
        return kernel
      },
    }
  }

  /** A task attaches chains of stages: the inputs of one that merges, or branches. */
  #wrapAttached(port: AnyPort, place: string): AnyPort {
    const attach = port.attach.bind(port)
    let attached = 0
    port.attach = (definitions, ends) => {
      const inside = `${place} / ${ends.label ?? attached} / `
      attached++
      return attach(this.#wrap(definitions, inside, ends.reader !== undefined), ends)
    }
    return port
  }
}

function keep(definition: Definition, position: unknown): Kept {
  if (definition.keep) return definition.keep(position)
  const { name, capacity } = definition
  if (definition.once?.())
    throw new TypeError(`Cannot go on with source "${name}": what it reads can be read only once`)
  const source = chunkSource(name, capacity === undefined ? { name } : { name, capacity }, () =>
    oneByOne(definition),
  )
  return source.definitions[0].keep!(position)
}

/** A source as a connector: its values one by one, over a run of its own. */
function oneByOne(definition: Definition) {
  const source = pipeline({ kind: 'source', definitions: [{ ...definition, capacity: 1 }] })
  const values = source[Symbol.asyncIterator]()
  return {
    async next(): Promise<readonly unknown[] | undefined> {
      const step = await values.next().catch((error: StageError) => {
        // It fails as the stage that it stands for.
        throw error.cause
      })
      return step.done ? undefined : [step.value]
    },
    close: () => values.return!(),
  }
}
