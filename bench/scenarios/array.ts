// What many programs begin with: values that are in an array already.

import type { Scenario } from '../scenario.ts'
import { addOne, countOne } from './cheap-functions.ts'

const arrayOf = (values: number) => Array.from({ length: values }, (_, i) => i)

/** The array is made once: only what reads it is measured. */
function reading(read: (numbers: readonly number[]) => number | Promise<number>) {
  let numbers: readonly number[] = []
  return (values: number) => {
    if (numbers.length !== values) numbers = arrayOf(values)
    return read(numbers)
  }
}

export const array: Scenario = {
  name: 'array',
  claim: 'an array, one map, counted',
  values: 1_000_000,
  expected: (values) => values,
  rivals: {
    'hand-written loop': async () =>
      reading((numbers) => {
        let count = 0
        for (const number of numbers) if (addOne(number) > 0) count++
        return count
      }),
    sluice: async () => {
      const { count, map, pipeline, source } = await import('sluice')
      return reading((numbers) => pipeline(source(numbers), map(addOne), count()).run())
    },
    // The same values, one `next` for each.
    'sluice, by its iterator': async () => {
      const { count, map, pipeline, source } = await import('sluice')
      return reading((numbers) => pipeline(source(numbers.values()), map(addOne), count()).run())
    },
    rxjs: async () => {
      const { from, lastValueFrom, map, reduce } = await import('rxjs')
      return reading((numbers) =>
        lastValueFrom(from(numbers as number[]).pipe(map(addOne), reduce(countOne, 0))),
      )
    },
    'effect Stream': async () => {
      const { Effect, Stream } = await import('effect')
      return reading((numbers) =>
        Stream.fromIterable(numbers).pipe(
          Stream.map(addOne),
          Stream.runFold(() => 0, countOne),
          Effect.runPromise,
        ),
      )
    },
    'ix, async': async () => {
      const { from, reduce } = await import('ix/asynciterable')
      const { map } = await import('ix/asynciterable/operators')
      return reading((numbers) => reduce(from(numbers).pipe(map(addOne)), { callback: countOne, seed: 0 }))
    },
    'streaming-iterables': async () => {
      const { map, reduce } = await import('streaming-iterables')
      return reading((numbers) => reduce(countOne, 0, map(addOne, numbers)))
    },
  },
}
