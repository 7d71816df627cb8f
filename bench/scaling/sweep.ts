// What may grow, and what is asked each time: a job, done once for each size. A library scales where the time per
// value stays the same, or, with more stages, grows with them.

import { addOne } from '../scenarios/cheap-functions.ts'

/** Does the job once and returns how many values came out, which must be `values(size)`. */
type Job = (size: number) => Promise<number>

export interface Sweep {
  name: string
  /** What grows. */
  title: string
  /** The job, in a few words. */
  note: string
  sizes: readonly number[]
  /** How many values pass at a size. */
  values: (size: number) => number
  load(): Promise<Job>
  /** What linear would look like: the time per value as it is at the size `from`, or growing with the size. */
  linear?: { from: number; grows?: true }
}

const million = 1_000_000
const decades = (to: number) => Array.from({ length: Math.log10(to) + 1 }, (_, i) => 10 ** i)
const half = (to: number) => decades(to).flatMap((size) => (size === to ? [size] : [size, 3 * size]))

/** `pipeline` for more stages than its types go to. */
type AnyPipeline = (...stages: readonly unknown[]) => { run(options?: object): Promise<number> }

const stages: Sweep = {
  name: 'stages',
  title: 'Stages',
  note: '1,000,000 values through that many maps',
  sizes: [1, 2, 5, 10, 20, 50, 100],
  values: () => million,
  linear: { from: 1, grows: true },
  load: async () => {
    const { count, map, pipeline, range } = await import('sluice')
    return (size) => {
      const maps = Array.from({ length: size }, () => map(addOne))
      return (pipeline as unknown as AnyPipeline)(range(million), ...maps, count()).run()
    }
  },
}

const capacity: Sweep = {
  name: 'capacity',
  title: 'Capacity of the channels',
  note: '1,000,000 values through four maps',
  sizes: Array.from({ length: 13 }, (_, i) => 2 ** i),
  values: () => million,
  load: async () => {
    const { count, map, pipeline, range } = await import('sluice')
    return (capacity) => {
      const [m1, m2, m3, m4] = Array.from({ length: 4 }, () => map(addOne))
      return pipeline(range(million), m1, m2, m3, m4, count()).run({ capacity })
    }
  },
}

const inputs: Sweep = {
  name: 'fan-in',
  title: 'Inputs of a fan-in',
  note: '1,000,000 values from all inputs together',
  sizes: half(10_000),
  values: (size) => Math.floor(million / size) * size,
  linear: { from: 1 },
  load: async () => {
    const { count, fanIn, pipeline, range } = await import('sluice')
    return (size) => {
      const ranges = Array.from({ length: size }, () => range(Math.floor(million / size)))
      return pipeline(fanIn(...ranges), count()).run()
    }
  },
}

const each = 1000

const pipelines: Sweep = {
  name: 'pipelines',
  title: 'Pipelines at once',
  note: `${each.toLocaleString('en')} values through a map in each pipeline`,
  sizes: half(10_000),
  values: (size) => each * size,
  linear: { from: 1 },
  load: async () => {
    const { count, map, pipeline, range } = await import('sluice')
    return async (size) => {
      const runs = Array.from({ length: size }, () => pipeline(range(each), map(addOne), count()).run())
      return (await Promise.all(runs)).reduce((sum, count) => sum + count, 0)
    }
  },
}

const values: Sweep = {
  name: 'values',
  title: 'Values',
  note: 'through four maps, start and end included',
  sizes: decades(100 * million).filter((size) => size >= 1000),
  values: (size) => size,
  linear: { from: million },
  load: async () => {
    const { count, map, pipeline, range } = await import('sluice')
    return (size) => {
      const [m1, m2, m3, m4] = Array.from({ length: 4 }, () => map(addOne))
      return pipeline(range(size), m1, m2, m3, m4, count()).run()
    }
  },
}

export const sweeps: readonly Sweep[] = [stages, capacity, inputs, pipelines, values]
