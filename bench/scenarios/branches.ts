// Stages with many inputs or many branches, beside a single stage of the same library: what they cost is to be
// seen from a plain `map`. The loops keep no bound, and have no tasks: they show what it costs to find an input or a branch.

import type { Job, Rival, Scenario } from '../scenario.ts'
import { addOne, countOne } from './cheap-functions.ts'

const inputs = 1000
const copies = 8
const keys = 10_000

/** The values that each of the inputs gives, so that all give `values` together. */
const shares = (values: number) => Array.from({ length: inputs }, (_, i) => Math.floor((values + i) / inputs))

const oneMap = async (): Promise<Job> => {
  const { count, map, pipeline, range } = await import('sluice')
  return (values) => pipeline(range(values), map(addOne), count()).run()
}

/** The goal of all three. */
const twice = { rival: 'sluice, one map', atMost: 2 }

function branching(scenario: Pick<Scenario, 'name' | 'claim'>, rivals: Record<string, Rival>): Scenario {
  return {
    ...scenario,
    values: 1_000_000,
    patience: 8000,
    expected: (values) => values,
    goals: [twice],
    rivals: { 'sluice, one map': oneMap, ...rivals },
  }
}

export const fanIn = branching(
  { name: 'fan-in', claim: `${inputs.toLocaleString('en')} ranges merged into one` },
  {
    'hand-written loop': async () => (values) => {
      let open = shares(values).map((share) => ({ at: 0, share }))
      let total = 0
      while (open.length > 0) {
        for (const input of open) {
          const until = Math.min(input.at + 32, input.share)
          for (; input.at < until; input.at++) total = countOne(total)
        }
        open = open.filter(({ at, share }) => at < share)
      }
      return total
    },
    sluice: async () => {
      const { count, fanIn, pipeline, range } = await import('sluice')
      return (values) => pipeline(fanIn(...shares(values).map((share) => range(share))), count()).run()
    },
    'rxjs merge': async () => {
      const { lastValueFrom, merge, range, reduce } = await import('rxjs')
      return (values) =>
        lastValueFrom(merge(...shares(values).map((share) => range(share))).pipe(reduce(countOne, 0)))
    },
    'effect mergeAll': async () => {
      const { Effect, Stream } = await import('effect')
      return (values) =>
        Stream.mergeAll(
          shares(values).map((share) => Stream.range(0, share - 1)),
          {
            concurrency: 'unbounded',
          },
        ).pipe(
          Stream.runFold(() => 0, countOne),
          Effect.runPromise,
        )
    },
    'ix merge, async': async () => {
      const { merge, range, reduce } = await import('ix/asynciterable')
      return (values) => {
        const [first, ...rest] = shares(values).map((share) => range(0, share))
        return reduce(merge(first, ...rest), { callback: countOne, seed: 0 })
      }
    },
    'streaming-iterables merge': async () => {
      const { merge, reduce } = await import('streaming-iterables')
      const { range } = await import('./async-generators.ts')
      return (values) => reduce(countOne, 0, merge(...shares(values).map((share) => range(share))))
    },
  },
)

export const balance = branching(
  { name: 'balance', claim: `each value to one of ${copies} copies of a map` },
  {
    'hand-written loop': async () => (values) => {
      const branches = Array.from({ length: copies }, () => (value: number) => addOne(value))
      let total = 0
      for (let value = 0; value < values; value++)
        if (branches[value % copies](value) > value) total = countOne(total)
      return total
    },
    sluice: async () => {
      const { balance, count, map, pipeline, range } = await import('sluice')
      return (values) => pipeline(range(values), balance(copies, map(addOne)), count()).run()
    },
    rxjs: 'n/a',
    'effect Stream': 'n/a',
  },
)

export const groupBy = branching(
  { name: 'group-by', claim: `a copy of a map for each of ${keys.toLocaleString('en')} keys, merged again` },
  {
    'hand-written loop': async () => (values) => {
      const branches = new Map<number, (value: number) => number>()
      let total = 0
      for (let value = 0; value < values; value++) {
        const key = value % keys
        let branch = branches.get(key)
        if (!branch) branches.set(key, (branch = (each) => addOne(each)))
        if (branch(value) > value) total = countOne(total)
      }
      return total
    },
    sluice: async () => {
      const { count, groupBy, map, pipeline, range } = await import('sluice')
      const groups = groupBy(
        (value: number) => value % keys,
        () => map(addOne),
        { max: keys },
      )
      return (values) => pipeline(range(values), groups, count()).run()
    },
    'rxjs groupBy': async () => {
      const { groupBy, lastValueFrom, map, mergeMap, range, reduce } = await import('rxjs')
      return (values) =>
        lastValueFrom(
          range(values).pipe(
            groupBy((value) => value % keys),
            mergeMap((group) => group.pipe(map(addOne))),
            reduce(countOne, 0),
          ),
        )
    },
    'effect groupByKey': async () => {
      const { Effect, Stream } = await import('effect')
      return (values) =>
        Stream.range(0, values - 1).pipe(
          Stream.groupByKey((value) => value % keys),
          Stream.flatMap(([, group]) => group.pipe(Stream.map(addOne)), { concurrency: 'unbounded' }),
          Stream.runFold(() => 0, countOne),
          Effect.runPromise,
        )
    },
  },
)
