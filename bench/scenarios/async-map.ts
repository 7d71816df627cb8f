// An async function called for every value, with eight calls in flight or one after the other, results in the order of the
// values.

import type { Scenario } from '../scenario.ts'
import { countOne, integers } from './cheap-functions.ts'

const later = async (value: number) => value + 1
const concurrency = 8

/** Counts values that come in their order. */
const inOrder = (total: number, value: number) => (value === total + 1 ? value : Number.NaN)

export const asyncMap: Scenario = {
  name: 'async-map',
  claim: 'async x => x + 1 with 8 calls in flight, ordered',
  values: 200_000,
  expected: (values) => values,
  goals: [{ rival: 'p-map', atLeast: 3 }],
  rivals: {
    'hand-written ring of promises': async () => async (values) => {
      const flying: Promise<number>[] = []
      let total = 0
      for (let i = 0; i < values; i++) {
        if (i >= concurrency) total = inOrder(total, await flying[i % concurrency])
        flying[i % concurrency] = later(i)
      }
      for (let i = values; i < values + concurrency; i++) {
        total = inOrder(total, await flying[i % concurrency])
      }
      return total
    },
    sluice: async () => {
      const { map, pipeline, range, reduce } = await import('sluice')
      return (values) => pipeline(range(values), map(later, { concurrency }), reduce(inOrder, 0)).run()
    },
    'sluice, unordered': async () => {
      const { map, pipeline, range, reduce } = await import('sluice')
      return (values) =>
        pipeline(range(values), map(later, { concurrency, ordered: false }), reduce(countOne, 0)).run()
    },
    'p-map': async () => {
      const { default: pMap } = await import('p-map')
      return async (values) => (await pMap(integers(values), later, { concurrency })).reduce(inOrder, 0)
    },
    'p-map pMapIterable': async () => {
      const { pMapIterable } = await import('p-map')
      return async (values) => {
        let total = 0
        for await (const value of pMapIterable(integers(values), later, { concurrency })) {
          total = inOrder(total, value)
        }
        return total
      }
    },
    'rxjs, ordered': 'n/a',
    'rxjs mergeMap, unordered': async () => {
      const { lastValueFrom, mergeMap, range, reduce } = await import('rxjs')
      return (values) =>
        lastValueFrom(range(0, values).pipe(mergeMap(later, concurrency), reduce(countOne, 0)))
    },
    'effect Stream': async () => {
      const { Effect, Stream } = await import('effect')
      return (values) =>
        Stream.range(0, values - 1).pipe(
          Stream.mapEffect((value) => Effect.promise(() => later(value)), { concurrency }),
          Stream.runFold(() => 0, inOrder),
          Effect.runPromise,
        )
    },
    'ix flatMap, unordered': async () => {
      const { range, reduce } = await import('ix/asynciterable')
      const { flatMap } = await import('ix/asynciterable/operators')
      return (values) =>
        reduce(range(0, values).pipe(flatMap(async (value) => [await later(value)], concurrency)), {
          callback: countOne,
          seed: 0,
        })
    },
    'streaming-iterables': async () => {
      const { parallelMap, reduce } = await import('streaming-iterables')
      return (values) => reduce(inOrder, 0, parallelMap(concurrency, later, integers(values)))
    },
    'node streams, map': async () => {
      const { Readable } = await import('node:stream')
      return (values) => Readable.from(integers(values)).map(later, { concurrency }).reduce(inOrder, 0)
    },
    'web streams': 'n/a',
  },
}

export const asyncMapOneByOne: Scenario = {
  name: 'one-call',
  claim: 'async x => x + 1, one call after the other',
  values: 200_000,
  expected: (values) => values,
  goals: [{ rival: 'async generators', atLeast: 1 }],
  rivals: {
    'hand-written loop': async () => async (values) => {
      let total = 0
      for (let i = 0; i < values; i++) total = inOrder(total, await later(i))
      return total
    },
    sluice: async () => {
      const { map, pipeline, range, reduce } = await import('sluice')
      return (values) => pipeline(range(values), map(later), reduce(inOrder, 0)).run()
    },
    'async generators': async () => {
      const { map, range, reduce } = await import('./async-generators.ts')
      return (values) => reduce(map(range(values), later), inOrder, 0)
    },
    'rxjs concatMap': async () => {
      const { concatMap, lastValueFrom, range, reduce } = await import('rxjs')
      return (values) => lastValueFrom(range(0, values).pipe(concatMap(later), reduce(inOrder, 0)))
    },
    'effect Stream': async () => {
      const { Effect, Stream } = await import('effect')
      return (values) =>
        Stream.range(0, values - 1).pipe(
          Stream.mapEffect((value) => Effect.promise(() => later(value))),
          Stream.runFold(() => 0, inOrder),
          Effect.runPromise,
        )
    },
    'ix, async': async () => {
      const { range, reduce } = await import('ix/asynciterable')
      const { map } = await import('ix/asynciterable/operators')
      return (values) => reduce(range(0, values).pipe(map(later)), { callback: inOrder, seed: 0 })
    },
    'streaming-iterables': async () => {
      const { map, reduce } = await import('streaming-iterables')
      return (values) => reduce(inOrder, 0, map(later, integers(values)))
    },
    'node streams, map': async () => {
      const { Readable } = await import('node:stream')
      return (values) => Readable.from(integers(values)).map(later).reduce(inOrder, 0)
    },
  },
}
