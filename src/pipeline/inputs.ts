/** What the sources that read several inputs have in common: which inputs there are, and how they are checked. */
import { type LateInput, reading } from './reading.ts'
import { type Definition, demandPart, type Kernel, part, type Part, type Port, type Source } from './stage.ts'

/** What a fan-in and its relatives read: whatever `source` takes, sources, and pipelines. */
export type FanInInput<T> = Part<'source', never, T> | LateInput<T>

/** Inputs that need not be of one type. */
export type Inputs<T extends readonly unknown[]> = { [K in keyof T]: FanInInput<T[K]> }

/** The stages of an input. `place` counts the inputs of the stage that is built. */
function chainOf(make: string, input: FanInInput<unknown>, place: number): readonly Definition[] {
  const action = `create ${make}`
  const option = `input ${place}`
  const { definitions } = Object(input) as Partial<Part<'source', never, unknown>>
  if (definitions !== undefined) {
    demandPart(input, ['source'], action, option)
    return definitions
  }
  return part('source', 'source', {}, reading(input as LateInput<unknown>, action, option)).definitions
}

export type Chains = readonly (readonly Definition[])[]
type Joining<Out> = (port: Port<never, Out>, chains: Chains) => Kernel<never, Out>

/** Makes the source that reads `inputs` with the kernel that `join` makes. */
export function joining<Out>(
  make: string,
  inputs: readonly FanInInput<unknown>[],
  join: Joining<Out>,
  pairs = false,
): Source<Out> {
  const chains = inputs.map((input, place) => chainOf(make, input, place))
  const kernel = (port: Port<never, Out>): Kernel<never, Out> => join(port, chains)
  return part('source', make, {}, { inputs: chains, kernel, pairs })
}
