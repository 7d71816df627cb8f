// A source, one stage and an array of results: the shortest pipeline that is one.

import type { Scenario } from '../scenario.ts'
import { integers, square } from './cheap-functions.ts'

/** The last result, or NaN where there are not as many as there should be. */
const lastOf = (results: readonly number[], values: number) =>
  results.length === values ? results[values - 1] : Number.NaN

const collected = (results: number[], value: number) => {
  results.push(value)
  return results
}

export const threeStages: Scenario = {
  name: 'three-stages',
  claim: 'range, square, all results in an array',
  values: 1_000_000,
  expected: (values) => square(values - 1),
  goals: [{ rival: 'hand-written loop', atMost: 1.5 }],
  rivals: {
    'hand-written loop': async () => (values) => {
      const results: number[] = []
      for (let i = 0; i < values; i++) results.push(i * i)
      return lastOf(results, values)
    },
    sluice: async () => {
      const { map, pipeline, range } = await import('sluice')
      return async (values) => lastOf(await pipeline(range(values), map(square)).run(), values)
    },
    rxjs: async () => {
      const { lastValueFrom, map, range, toArray } = await import('rxjs')
      return async (values) =>
        lastOf(await lastValueFrom(range(0, values).pipe(map(square), toArray())), values)
    },
    'effect Stream': async () => {
      const { Effect, Stream } = await import('effect')
      return async (values) => {
        const squares = Stream.range(0, values - 1).pipe(Stream.map(square), Stream.runCollect)
        return lastOf(await Effect.runPromise(squares), values)
      }
    },
    'ix, sync': async () => {
      const { range, toArray } = await import('ix/iterable')
      const { map } = await import('ix/iterable/operators')
      return (values) => lastOf(toArray(range(0, values).pipe(map(square))), values)
    },
    'ix, async': async () => {
      const { range, toArray } = await import('ix/asynciterable')
      const { map } = await import('ix/asynciterable/operators')
      return async (values) => lastOf(await toArray(range(0, values).pipe(map(square))), values)
    },
    'async generators': async () => {
      const { map, range } = await import('./async-generators.ts')
      return async (values) => {
        const results: number[] = []
        for await (const value of map(range(values), square)) results.push(value)
        return lastOf(results, values)
      }
    },
    'streaming-iterables': async () => {
      const { collect, map } = await import('streaming-iterables')
      return async (values) => lastOf(await collect(map(square, integers(values))), values)
    },
    'node streams, Transform': async () => {
      const { map, reduce } = await import('./node-streams.ts')
      return async (values) => {
        const stages = [map(square)]
        return lastOf(await reduce(integers(values), stages, { fn: collected, seed: [] }), values)
      }
    },
    'node streams, operators': async () => {
      const { Readable } = await import('node:stream')
      return async (values) => {
        const squares = Readable.from(integers(values)).map(square).toArray()
        return lastOf((await squares) as number[], values)
      }
    },
    'web streams': async () => {
      const { map, range, reduce } = await import('./web-streams.ts')
      return async (values) => {
        const stages = [map(square)]
        return lastOf(await reduce(range(values), stages, { fn: collected, seed: [] }), values)
      }
    },
  },
}
