// A pipeline that a program reads in a loop, value by value.

import type { Scenario } from '../scenario.ts'
import { addOne } from './cheap-functions.ts'

async function counted(values: AsyncIterable<unknown>): Promise<number> {
  let count = 0
  for await (const _ of values) count++
  return count
}

export const byLoop: Scenario = {
  name: 'by-loop',
  claim: 'a map over a range, read by a loop',
  values: 200_000,
  expected: (values) => values,
  rivals: {
    'async generators': async () => {
      const { map, range } = await import('./async-generators.ts')
      return (values) => counted(map(range(values), addOne))
    },
    sluice: async () => {
      const { map, pipeline, range } = await import('sluice')
      return (values) => counted(pipeline(range(values), map(addOne)))
    },
    // The same loop, inside: a generator as a stage.
    'sluice, through a generator': async () => {
      const { count, pipeline, range, through } = await import('sluice')
      const { map } = await import('./async-generators.ts')
      const operator = through((input: AsyncIterable<number>) => map(input, addOne))
      return (values) => pipeline(range(values), operator, count()).run()
    },
    rxjs: 'n/a',
    'effect Stream': async () => {
      const { Stream } = await import('effect')
      return (values) => counted(Stream.toAsyncIterable(Stream.range(0, values - 1).pipe(Stream.map(addOne))))
    },
    'ix, async': async () => {
      const { range } = await import('ix/asynciterable')
      const { map } = await import('ix/asynciterable/operators')
      return (values) => counted(range(0, values).pipe(map(addOne)))
    },
    'streaming-iterables': async () => {
      const { map } = await import('streaming-iterables')
      const { integers } = await import('./cheap-functions.ts')
      return (values) => counted(map(addOne, integers(values)))
    },
    'node streams, operators': async () => {
      const { Readable } = await import('node:stream')
      const { integers } = await import('./cheap-functions.ts')
      return (values) => counted(Readable.from(integers(values)).map(addOne))
    },
    'web streams': async () => {
      const { map, range } = await import('./web-streams.ts')
      return (values) => counted(map(addOne)(range(values)))
    },
  },
}
