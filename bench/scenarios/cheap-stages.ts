// Five stages that do next to nothing: what is left is the price of moving values between them.

import type { Rival, Scenario } from '../scenario.ts'
import { addOne, countValues, double, integers, isEven, isNoThird, kept } from './cheap-functions.ts'

export const cheapStages: Scenario = {
  name: 'cheap-stages',
  claim: "map, filter, map, filter, batch 100 over each library's own range of integers",
  values: 1_000_000,
  expected: kept,
  goals: [
    { rival: 'rxjs', atLeast: 6 },
    { rival: 'effect Stream', atLeast: 4 },
    { rival: 'hand-written loop', atMost: 5 },
  ],
  rivals: {
    'hand-written loop': async () => (values) => {
      let total = 0
      let batch: number[] = []
      for (let i = 0; i < values; i++) {
        const value = i + 1
        if (value % 2 !== 0) continue
        const doubled = value * 2
        if (doubled % 3 === 0) continue
        batch.push(doubled)
        if (batch.length < 100) continue
        total += batch.length
        batch = []
      }
      return total + batch.length
    },
    ...libraries('range'),
  },
}

export const firstRun: Scenario = {
  name: 'first-run',
  claim: 'the same, as the first that a process does: most of it is the engine that compiles',
  values: 100_000,
  cold: true,
  times: 1,
  expected: kept,
  rivals: cheapStages.rivals,
}

export const generator: Scenario = {
  name: 'generator',
  claim: 'the same five stages over the values of a generator function',
  values: 1_000_000,
  expected: kept,
  goals: [{ rival: 'rxjs', atLeast: 2 }],
  rivals: {
    'hand-written loop': async () => (values) => {
      let total = 0
      let batch: number[] = []
      for (const i of integers(values)) {
        const value = i + 1
        if (value % 2 !== 0) continue
        const doubled = value * 2
        if (doubled % 3 === 0) continue
        batch.push(doubled)
        if (batch.length < 100) continue
        total += batch.length
        batch = []
      }
      return total + batch.length
    },
    ...libraries('generator'),
  },
}

/** The five stages in each library, over its own range or over a generator. */
function libraries(over: 'range' | 'generator'): Record<string, Rival> {
  const own = over === 'range'
  return {
    sluice: async () => {
      const { batch, filter, map, pipeline, range, reduce, source } = await import('sluice')
      return (values) =>
        pipeline(
          own ? range(values) : source(integers(values)),
          map(addOne),
          filter(isEven),
          map(double),
          filter(isNoThird),
          batch(100),
          reduce(countValues, 0),
        ).run()
    },
    rxjs: async () => {
      const { bufferCount, filter, from, lastValueFrom, map, range, reduce } = await import('rxjs')
      return (values) =>
        lastValueFrom(
          (own ? range(0, values) : from(integers(values))).pipe(
            map(addOne),
            filter(isEven),
            map(double),
            filter(isNoThird),
            bufferCount(100),
            reduce(countValues, 0),
          ),
        )
    },
    'effect Stream': async () => {
      const { Effect, Stream } = await import('effect')
      return (values) =>
        (own ? Stream.range(0, values - 1) : Stream.fromIterable(integers(values))).pipe(
          Stream.map(addOne),
          Stream.filter(isEven),
          Stream.map(double),
          Stream.filter(isNoThird),
          Stream.grouped(100),
          Stream.runFold(() => 0, countValues),
          Effect.runPromise,
        )
    },
    'ix, sync': async () => {
      const { from, range, reduce } = await import('ix/iterable')
      const { buffer, filter, map } = await import('ix/iterable/operators')
      return (values) =>
        reduce(
          (own ? range(0, values) : from(integers(values))).pipe(
            map(addOne),
            filter(isEven),
            map(double),
            filter(isNoThird),
            buffer(100),
          ),
          { callback: countValues, seed: 0 },
        )
    },
    'ix, async': async () => {
      const { from, range, reduce } = await import('ix/asynciterable')
      const { buffer, filter, map } = await import('ix/asynciterable/operators')
      return (values) =>
        reduce(
          (own ? range(0, values) : from(integers(values))).pipe(
            map(addOne),
            filter(isEven),
            map(double),
            filter(isNoThird),
            buffer(100),
          ),
          { callback: countValues, seed: 0 },
        )
    },
    'async generators': async () => {
      const { batch, filter, map, range, reduce } = await import('./async-generators.ts')
      return (values) => {
        const input = own ? range(values) : integers(values)
        const doubled = map(filter(map(input, addOne), isEven), double)
        return reduce(batch(filter(doubled, isNoThird), 100), countValues, 0)
      }
    },
    'streaming-iterables': async () => {
      const { batch, filter, map, pipeline, reduce } = await import('streaming-iterables')
      return (values) =>
        pipeline(
          () => integers(values),
          map(addOne),
          filter(isEven),
          map(double),
          filter(isNoThird),
          batch(100),
          reduce(countValues, 0),
        )
    },
    'node streams, Transform': async () => {
      const { batch, filter, map, reduce } = await import('./node-streams.ts')
      return (values) =>
        reduce(integers(values), [map(addOne), filter(isEven), map(double), filter(isNoThird), batch(100)], {
          fn: countValues,
          seed: 0,
        })
    },
    'node streams, operators': async () => {
      const { Readable } = await import('node:stream')
      const { batch, reduce } = await import('./async-generators.ts')
      return (values) => {
        const kept = Readable.from(integers(values)).map(addOne).filter(isEven).map(double).filter(isNoThird)
        return reduce(batch(kept as AsyncIterable<number>, 100), countValues, 0)
      }
    },
    'web streams': async () => {
      const { batch, filter, from, map, range, reduce } = await import('./web-streams.ts')
      return (values) =>
        reduce(
          own ? range(values) : from(integers(values)),
          [map(addOne), filter(isEven), map(double), filter(isNoThird), batch(100)],
          { fn: countValues, seed: 0 },
        )
    },
  }
}
