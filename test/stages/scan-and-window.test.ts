/** scan() and window(): values that are made of those before them. */
import { describe, expect, test } from 'vitest'
import { count, pipeline, range, scan, source, take, window } from 'sluice'
import { stageError } from '../pipeline/support-leaks.ts'
import { naturals, probe, upTo } from '../pipeline/support-sources.ts'
import { deferred, turns } from '../pipeline/support-waiting.ts'

const capacities = [0, 1, 256]

describe('scan()', () => {
  test('gives one value for each, without the seed, with value and index as in an array', async () => {
    for (const capacity of capacities) {
      const texts = pipeline(
        source([5, 6, 7]),
        scan((all, n, index) => `${all} ${index}:${n}`, 'seed'),
      )
      expect(await texts.run({ capacity })).toEqual(['seed 0:5', 'seed 0:5 1:6', 'seed 0:5 1:6 2:7'])
      const nothing = pipeline(
        source<number>([]),
        scan((sum, n) => sum + n, 1),
      )
      expect(await nothing.run({ capacity })).toEqual([])
    }
  })

  test('awaits an async function before it calls it again, also between results that come at once', async () => {
    const doubled = (all: number, n: number): number | Promise<number> =>
      n % 3 === 0 ? turns(1).then(() => all * 2 + n) : all * 2 + n
    const expected: number[] = []
    upTo(20).reduce((all, n) => (expected.push(all * 2 + n), all * 2 + n), 0)
    for (const capacity of capacities)
      expect(await pipeline(range(20), scan(doubled, 0)).run({ capacity })).toEqual(expected)
  })

  test('starts from its seed in every run', async () => {
    const sums = pipeline(
      range(3),
      scan((sum: number, n: number) => sum + n, 10),
    )
    expect([await sums.run(), await sums.run()]).toEqual([
      [10, 11, 13],
      [10, 11, 13],
    ])
  })

  test('goes on from what there was where a value is skipped, or comes too late', async () => {
    const late = deferred<number>()
    const add = (sum: number, n: number): number | Promise<number> => {
      if (n === 1) throw new Error('one')
      return n === 2 ? late.promise : sum + n
    }
    const run = pipeline(range(5), scan(add, 0, { onError: 'skip', timeout: 1 })).run()
    expect(await run).toEqual([0, 3, 7])
    late.resolve(1000)
    const retried = pipeline(
      range(3),
      scan(async (sum: number, n: number) => sum + n, 0, { retry: 2 }),
    )
    expect(await retried.run()).toEqual([0, 1, 3])
  })

  test('gives a signal that aborts when its results are no longer wanted', async () => {
    const signals: AbortSignal[] = []
    const run = pipeline(
      source(probe(naturals)),
      scan((sum: number, n: number, _, { signal }) => {
        signals.push(signal)
        return sum + n
      }, 0),
      take(2),
    )
    expect(await run.run()).toEqual([0, 1])
    expect(signals[0].aborted).toBe(true)
  })

  test('fails with the value whose call failed, after the results before it', async () => {
    const boom = new Error('boom')
    const fail = async (sum: number, n: number): Promise<number> => {
      if (n === 2) throw boom
      return sum + n
    }
    const error = await stageError(pipeline(range(5), scan(fail, 0)).run())
    expect(error).toMatchObject({ stage: 'scan', index: 1, value: 2, cause: boom })
    expect(() => scan(1 as never, 0)).toThrow('Cannot create scan: "fn" must be a function, got 1')
  })
})

describe('window(size, step)', () => {
  /** By hand. */
  const windows = (values: number[], size: number, step: number): number[][] => {
    const all: number[][] = []
    for (let from = 0; from + size <= values.length; from += step) all.push(values.slice(from, from + size))
    return all
  }

  test.each([
    [1, 1],
    [3, 1],
    [3, 2],
    [3, 3],
    [3, 5],
    [2, 7],
    [5, 1],
    [6, 1],
    [300, 7],
  ])('of %i with a step of %i gives what slices give', async (size, step) => {
    for (const n of [0, 1, 5, 6, 700])
      for (const capacity of capacities)
        expect(await pipeline(range(n), window(size, step)).run({ capacity })).toEqual(
          windows(upTo(n), size, step),
        )
  })

  test('takes a step of 1 where it is told none', async () => {
    expect(await pipeline(range(4), window(3)).run()).toEqual([
      [0, 1, 2],
      [1, 2, 3],
    ])
  })

  test('gives a new array each time, that may be changed', async () => {
    const out: number[][] = []
    for await (const values of pipeline(range(5), window(2))) {
      out.push([...values])
      values.fill(99)
    }
    expect(out).toEqual([
      [0, 1],
      [1, 2],
      [2, 3],
      [3, 4],
    ])
  })

  test('gives the last window at once, not with the value after it', async () => {
    const input = probe(upTo(3), 'hang')
    expect(await pipeline(source(input), window(3), take(1)).run()).toEqual([[0, 1, 2]])
    expect(await pipeline(range(0, Infinity), window(2, 1000), take(100), count()).run()).toBe(100)
  })

  test('refuses a size or step below 1', () => {
    expect(() => window(0)).toThrow('Cannot create window: "size" must be an integer >= 1, got 0')
    expect(() => window(1, 1.5)).toThrow('Cannot create window: "step" must be an integer >= 1, got 1.5')
  })
})
