// A source that has one value at a time, behind a promise: chunks do not come for free here.

import type { Scenario } from '../scenario.ts'
import { range } from './async-generators.ts'
import { addOne, countOne, double, isEven, isNoThird, kept } from './cheap-functions.ts'

export const asyncSource: Scenario = {
  name: 'async-source',
  claim: 'an async generator, one value at a time, through map, filter, map, filter',
  values: 200_000,
  expected: kept,
  goals: [{ rival: 'async generators', atLeast: 2.5 }],
  rivals: {
    'hand-written loop': async () => async (values) => {
      let total = 0
      for await (const value of range(values)) {
        if (isEven(addOne(value)) && isNoThird(double(addOne(value)))) total++
      }
      return total
    },
    sluice: async () => {
      const { filter, map, pipeline, reduce, source } = await import('sluice')
      return (values) =>
        pipeline(
          source(range(values)),
          map(addOne),
          filter(isEven),
          map(double),
          filter(isNoThird),
          reduce(countOne, 0),
        ).run()
    },
    'async generators': async () => {
      const { filter, map, reduce } = await import('./async-generators.ts')
      return (values) =>
        reduce(filter(map(filter(map(range(values), addOne), isEven), double), isNoThird), countOne, 0)
    },
    rxjs: async () => {
      const { filter, from, lastValueFrom, map, reduce } = await import('rxjs')
      return (values) =>
        lastValueFrom(
          from(range(values)).pipe(
            map(addOne),
            filter(isEven),
            map(double),
            filter(isNoThird),
            reduce(countOne, 0),
          ),
        )
    },
    'effect Stream': async () => {
      const { Effect, Stream } = await import('effect')
      return (values) =>
        Stream.fromAsyncIterable(range(values), String).pipe(
          Stream.map(addOne),
          Stream.filter(isEven),
          Stream.map(double),
          Stream.filter(isNoThird),
          Stream.runFold(() => 0, countOne),
          Effect.runPromise,
        )
    },
    'ix, sync': 'n/a',
    'ix, async': async () => {
      const { from, reduce } = await import('ix/asynciterable')
      const { filter, map } = await import('ix/asynciterable/operators')
      return (values) =>
        reduce(from(range(values)).pipe(map(addOne), filter(isEven), map(double), filter(isNoThird)), {
          callback: countOne,
          seed: 0,
        })
    },
    'streaming-iterables': async () => {
      const { filter, map, pipeline, reduce } = await import('streaming-iterables')
      return (values) =>
        pipeline(
          () => range(values),
          map(addOne),
          filter(isEven),
          map(double),
          filter(isNoThird),
          reduce(countOne, 0),
        )
    },
    'node streams, Transform': async () => {
      const { filter, map, reduce } = await import('./node-streams.ts')
      return (values) =>
        reduce(range(values), [map(addOne), filter(isEven), map(double), filter(isNoThird)], {
          fn: countOne,
          seed: 0,
        })
    },
    'node streams, operators': async () => {
      const { Readable } = await import('node:stream')
      return (values) =>
        Readable.from(range(values))
          .map(addOne)
          .filter(isEven)
          .map(double)
          .filter(isNoThird)
          .reduce(countOne, 0)
    },
    'web streams': async () => {
      const { filter, from, map, reduce } = await import('./web-streams.ts')
      return (values) =>
        reduce(from(range(values)), [map(addOne), filter(isEven), map(double), filter(isNoThird)], {
          fn: countOne,
          seed: 0,
        })
    },
  },
}
