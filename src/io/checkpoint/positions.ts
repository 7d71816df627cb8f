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
import type { Definition, Kept, Kernel, Port } from '../../pipeline/stage.ts'

type AnyPort = Port<unknown, unknown>
type AnyKernel = Kernel<unknown, unknown>

/** Where a chain of stages stands. */
interface Around {
  /** How the places of its stages begin. */
  place: string
  /** It begins with a source. */
  begins: boolean
  /** It is one of several ways on: that a branch wants no more is the affair of who made it. */
  isBranch: boolean
}

const TOP: Around = { place: '', begins: true, isBranch: false }

export class Positions {
  readonly #sources = new Map<string, Kept>()
  /** The sinks of the part that is under way, or was last. */
  #sinks = new Map<string, () => unknown>()
  /** The channels of that part in which nothing may be left, and who writes to them. */
  #channels: { output: AnyPort['output']; name: string }[] = []
  /** A source of that part of which no more was wanted. */
  #left: string | undefined
  /** As they were after the part before. */
  #last = new Map<string, unknown>()
  /** The sinks whose position is of this process. */
  readonly #own = new Set<string>()
  #stopping = false

  /** `from`: what `now` gave in an earlier process. */
  begin(from: Readonly<Record<string, unknown>>): void {
    this.#last = new Map(Object.entries(from))
  }

  /** Where all stand: once a part has come to its end. */
  now(): Record<string, unknown> {
    this.#demandAll()
    for (const [place, source] of this.#sources) this.#last.set(place, source.position())
    for (const [place, position] of this.#sinks) {
      this.#last.set(place, position())
      this.#own.add(place)
    }
    // What was not reached in this part is where it was.
    return Object.fromEntries(this.#last)
  }

  /** Whether all sources have come to their end: also those that `concat` has not come to. */
  haveEnded(definitions: readonly Definition[]): boolean {
    return sourcesIn(definitions, TOP.place).every((place) => this.#sources.get(place)?.ended() ?? false)
  }

  /** The position of a source is behind what no sink has got, where a stage in between wanted no more. */
  #demandAll(): void {
    const lossy = this.#channels.find(({ output }) => output!.lost > 0)
    const from = this.#left ?? lossy?.name
    if (from === undefined) return
    throw new Error(
      `Cannot save how far the job has come: behind "${from}" a stage wanted no more, as take() does, and what was on the way is in no sink`,
    )
  }

  /** The program wants the end: the sinks are to hear of it. The end of a part is no reason for them to hurry. */
  stop(): void {
    this.#stopping = true
  }

  /** The stages of the next part, from the source to the sink. */
  part(definitions: readonly Definition[]): Definition[] {
    this.#sinks = new Map()
    this.#channels = []
    this.#left = undefined
    return this.#wrap(definitions, TOP)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#sources.values()].map(async (source) => source.close()))
  }

  #wrap(definitions: readonly Definition[], around: Around): Definition[] {
    const places = placesOf(definitions, around.place)
    return definitions.map((definition, index) => {
      const here = places[index]
      // One that merges others has no values of its own.
      if (around.begins && index === 0 && definition.inputs === undefined)
        return this.#source(definition, here, around)
      if (definition.resume)
        return this.#sink(definition.resume(this.#last.get(here), this.#own.has(here)), here)
      return this.#stage(definition, here, around)
    })
  }

  #source(definition: Definition, place: string, around: Around): Definition {
    const source = this.#sources.get(place) ?? keep(definition, this.#last.get(place))
    this.#sources.set(place, source)
    const { kernel, name } = source.definition
    const watched = (port: AnyPort): AnyKernel => {
      const made = kernel!(port)
      const close = made.close?.bind(made)
      made.close = (aborted, failure) => {
        // One that was only opened to be closed has put out nothing.
        if (port.output!.accepted > 0) this.#left ??= name
        return close?.(aborted, failure)
      }
      return made
    }
    return this.#stage({ ...source.definition, kernel: watched }, place, around)
  }

  #sink(definition: Definition, place: string): Definition {
    return {
      ...definition,
      kernel: (port) => {
        const kernel = definition.kernel!(port)
        if (this.#sinks.has(place))
          throw new TypeError(`Cannot tell two sinks apart that are both called "${place}" in the checkpoint`)
        this.#sinks.set(place, () => kernel.position?.())
        const stop = kernel.stop?.bind(kernel)
        kernel.stop = (port) => (this.#stopping ? stop?.(port) : undefined)
        return kernel
      },
    }
  }

  #stage(definition: Definition, place: string, { isBranch }: Around): Definition {
    const { name, kernel, custom, pairs } = definition
    if (pairs)
      throw new TypeError(`Cannot make a job of ${name}: at the end of a part it drops what has no partner`)
    const seen = (output: AnyPort['output']): void => {
      if (output && !isBranch) this.#channels.push({ output, name })
    }
    if (custom) return { ...definition, custom: (input, output) => (seen(output), custom(input, output)) }
    return {
      ...definition,
      kernel: (port) => {
        seen(port.output)
        return kernel!(this.#wrapAttached(port, place, isBranch))
      },
    }
  }

  /** A task attaches chains of stages: the inputs of one that merges, or branches. */
  #wrapAttached(port: AnyPort, place: string, isBranch: boolean): AnyPort {
    const attach = port.attach.bind(port)
    let attached = 0
    port.attach = (definitions, ends) => {
      const begins = ends.reader !== undefined
      const around = { place: insideOf(place, ends.label ?? attached), begins, isBranch: isBranch || !begins }
      attached++
      return attach(this.#wrap(definitions, around), ends)
    }
    return port
  }
}

/** The places of the sources of a chain, those that are merged at its beginning included. */
function sourcesIn(definitions: readonly Definition[], before: string): string[] {
  const [here] = placesOf(definitions, before)
  const { inputs, labels } = definitions[0]
  if (inputs === undefined) return [here]
  return inputs.flatMap((chain, place) => sourcesIn(chain, insideOf(here, labels?.[place] ?? place)))
}

/** What the chains beside a stage have before their names. */
const insideOf = (place: string, label: string | number): string => `${place} / ${label} / `

/** The places of the stages of a chain: their names, so that one that is put in between moves none of them. */
function placesOf(definitions: readonly Definition[], before: string): string[] {
  const seen = new Map<string, number>()
  return definitions.map(({ name }) => {
    const count = (seen.get(name) ?? 0) + 1
    seen.set(name, count)
    return before + (count > 1 ? `${name} (${count})` : name)
  })
}

/**
 * Throws where a position was saved for a source or a sink that the pipeline has no more: another one may have taken
 * its place, or its name, and would begin anew, or pass over values that nobody has read.
 */
export function demandSame(
  file: string,
  definitions: readonly Definition[],
  saved: Readonly<Record<string, unknown>>,
): void {
  const known = knownPlaces(definitions, TOP.place)
  const isKnown = (place: string): boolean =>
    known.some(({ here, grows }) => place === here || (grows && place.startsWith(`${here} / `)))
  const missing = Object.keys(saved).find((place) => !isKnown(place))
  if (missing === undefined) return
  throw new Error(
    `Cannot go on from the checkpoint ${file}: it knows how far "${missing}" has come, and the pipeline has no such source or sink`,
  )
}

/** The places there are before a run. One that `grows` may have branches that nobody knows yet. */
function knownPlaces(definitions: readonly Definition[], before: string): { here: string; grows: boolean }[] {
  const places = placesOf(definitions, before)
  return definitions.flatMap(({ inputs, branches, labels }, index) => {
    const here = places[index]
    const beside = [...(inputs ?? []), ...(branches ?? [])].flatMap((chain, place) =>
      knownPlaces(chain, insideOf(here, labels?.[place] ?? place)),
    )
    return [{ here, grows: inputs === undefined && branches === undefined }, ...beside]
  })
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
      const step = await values.next().catch((error: Error) => {
        // It fails as the stage that it stands for.
        throw error.name === 'StageError' ? error.cause : error
      })
      return step.done ? undefined : [step.value]
    },
    close: () => values.return!(),
  }
}
