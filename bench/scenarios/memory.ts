// Ten stages and more values than memory holds: what a pipeline keeps must not grow with what passes.

import type { Scenario } from '../scenario.ts'
import { addOne, integers } from './cheap-functions.ts'

const stages = 10

/** `stage`, ten times. */
const ten = <T>(stage: () => T): T[] => Array.from({ length: stages }, stage)
const latest = (_: number, value: number) => value

export const memory: Scenario = {
  name: 'memory',
  claim: `the most memory a process holds while values pass through ${stages} stages that add one`,
  figure: 'peak',
  values: 100_000_000,
  rounds: 2,
  times: 1,
  patience: 8000,
  expected: (values) => values - 1 + stages,
  goals: [{ figure: 'peak', atMost: 80 }],
  rivals: {
    'hand-written loop': async () => (values) => {
      let last = 0
      for (let i = 0; i < values; i++) {
        last = i
        for (let stage = 0; stage < stages; stage++) last++
      }
      return last
    },
    sluice: async () => {
      const { map, pipeline, range, reduce } = await import('sluice')
      return async (values) => {
        const [m1, m2, m3, m4, m5, m6, m7, m8, m9, m10] = ten(() => map(addOne))
        const end = reduce(latest, 0)
        return pipeline(range(values), m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, end).run()
      }
    },
    rxjs: async () => {
      const { lastValueFrom, map, range } = await import('rxjs')
      return (values) =>
        lastValueFrom(ten(() => map(addOne)).reduce((o, stage) => o.pipe(stage), range(values)))
    },
    'effect Stream': async () => {
      const { Effect, Stream } = await import('effect')
      return (values) =>
        ten(() => Stream.map(addOne))
          .reduce((stream, stage) => stage(stream), Stream.range(0, values - 1))
          .pipe(
            Stream.runFold(() => 0, latest),
            Effect.runPromise,
          )
    },
    'ix, sync': async () => {
      const { range, last } = await import('ix/iterable')
      const { map } = await import('ix/iterable/operators')
      return (values) =>
        last(ten(() => map(addOne)).reduce((input, stage) => input.pipe(stage), range(0, values))) ?? 0
    },
    'async generators': async () => {
      const { map, range, reduce } = await import('./async-generators.ts')
      return (values) =>
        reduce(
          ten(() => addOne).reduce((input, fn) => map(input, fn), range(values)),
          latest,
          0,
        )
    },
    'node streams, Transform': async () => {
      const { map, reduce } = await import('./node-streams.ts')
      const end = { fn: latest, seed: 0 }
      return (values) =>
        reduce(
          integers(values),
          ten(() => map(addOne)),
          end,
        )
    },
    'web streams': async () => {
      const { map, range, reduce } = await import('./web-streams.ts')
      const end = { fn: latest, seed: 0 }
      return (values) =>
        reduce(
          range(values),
          ten(() => map(addOne)),
          end,
        )
    },
  },
}
