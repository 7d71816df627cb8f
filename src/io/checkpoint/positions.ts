/**
 * How far the sources and sinks of a run have come, and beginning a run where another one ended.
 *
 * Connectors of this package say where they are, and go on there. Of any other source the values are counted, and
 * passed over when it is read again. Sources stand at the beginning of the pipeline, and inside of those that merge: so
 * the definitions are wrapped, also those that a stage attaches while it runs.
 */
import type { Definition, Kernel, Port } from '../../pipeline/stage.ts'

type AnyPort = Port<unknown, unknown>

/** The position of a source that has none: how many values it has given. */
interface Counted {
  count: number
}

export class Positions {
  readonly #kernels = new Map<string, () => unknown>()

  /** `from`: what `now` gave for an earlier run. */
  constructor(readonly from: Readonly<Record<string, unknown>>) {}

  /** Once the run has ended. */
  now(): Record<string, unknown> {
    const positions: Record<string, unknown> = {}
    for (const [place, position] of this.#kernels) positions[place] = position()
    // What was not reached in this run is where it was.
    return { ...this.from, ...positions }
  }

  /** The stages of a pipeline, from its source to its sink. */
  wrap(definitions: readonly Definition[], place = ''): Definition[] {
    return definitions.map((definition, index) => {
      const { name, inputs } = definition
      const here = `${place}${index} ${name}`
      // One that merges others has nothing of its own.
      return this.#wrapOne(definition, here, index === 0 && place === '' && inputs === undefined)
    })
  }

  #wrapOne(definition: Definition, place: string, isSource: boolean): Definition {
    const from = this.from[place]
    const { resume } = definition
    const resumed = resume ? resume(from) : definition
    const { kernel: make } = resumed
    if (make === undefined) return resumed
    return {
      ...resumed,
      kernel: (port) => {
        this.#wrapAttached(port, place)
        const kernel = make(port)
        if (resume) this.#kernels.set(place, () => kernel.position?.())
        else if (isSource) this.#count(kernel, place, (from as Counted | undefined)?.count ?? 0)
        return kernel
      },
    }
  }

  /** A task attaches chains of stages: the inputs of one that merges, or branches. */
  #wrapAttached(port: AnyPort, place: string): void {
    const attach = port.attach.bind(port)
    let attached = 0
    port.attach = (definitions, ends) => {
      const inside = `${place} / ${ends.label ?? attached} / `
      attached++
      const isInput = ends.reader !== undefined
      const wrapped = definitions.map((definition, index) => {
        const isSource = isInput && index === 0 && definition.inputs === undefined
        return this.#wrapOne(definition, `${inside}${index} ${definition.name}`, isSource)
      })
      return attach(wrapped, ends)
    }
  }

  /** Counts what a source gives, and takes away what an earlier run was given. */
  #count(kernel: Kernel<unknown, unknown>, place: string, skip: number): void {
    let given = 0
    const run = kernel.run.bind(kernel)
    kernel.run = (port) => {
      const before = port.count
      run(port)
      const made = port.count - before
      const passed = Math.min(made, Math.max(0, skip - given))
      given += made
      if (passed === 0) return
      port.out.copyWithin(before, before + passed, port.count)
      port.count -= passed
    }
    this.#kernels.set(place, (): Counted => ({ count: given }))
  }
}
