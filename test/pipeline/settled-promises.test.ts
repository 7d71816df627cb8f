/** Iterables of promises that are settled already: they are gathered, and nothing else changes. */
import { describe, expect, test } from 'vitest'
import { drain, forEach, map, pipeline, source } from 'sluice'
import { stageError } from './support-leaks.ts'
import { upTo } from './support-sources.ts'
import { turns } from './support-waiting.ts'

const capacities = [0, 1, 2, 256]

/** An iterator of settled promises that says what becomes of it. */
function promises(length: number, failing = Infinity) {
  const log = { pulled: 0, left: 0 }
  const input: Iterable<Promise<number>> = {
    [Symbol.iterator]: () => ({
      next() {
        if (log.pulled === length) return { done: true, value: undefined }
        const n = log.pulled++
        return { done: false, value: n === failing ? Promise.reject(new Error('boom')) : Promise.resolve(n) }
      },
      return: () => (log.left++, { done: true, value: undefined }),
    }),
  }
  return { input, log }
}

describe('source() of promises that are settled already', () => {
  const values = [...upTo(1000)]
  const inputs: Record<string, () => Iterable<number | Promise<number>>> = {
    'an array': () => values.map((n) => Promise.resolve(n)),
    'an array with values among them': () => values.map((n) => (n % 3 === 0 ? n : Promise.resolve(n))),
    'an iterator': () => promises(1000).input,
  }

  test.each(Object.entries(inputs))('goes on from one to the next, in %s', async (_, input) => {
    const log: string[] = []
    const results = await pipeline(
      source(input()),
      map((n) => (log.push('first'), n)),
      map((n) => (log.push('second'), n)),
    ).run()
    expect(results).toEqual(values)
    const turnsTaken = log.filter((who, i) => who !== log[i - 1]).length
    // Each stage has a turn for many values, and the first of them does not wait for the others.
    expect(turnsTaken).toBeLessThan(2 * (1000 / 8))
    expect(log.indexOf('second')).toBeLessThan(32)
  })

  test.each(capacities)('reads none for which there is no room, at capacity %i', async (capacity) => {
    const { input, log } = promises(1000)
    let most = 0
    let taken = 0
    await pipeline(
      source(input),
      forEach(async (n) => {
        expect(n).toBe(taken++)
        if (n % 50 === 0) await turns(2)
        most = Math.max(most, log.pulled - taken)
      }),
    ).run({ capacity })
    expect([taken, log.left]).toEqual([1000, 0])
    // One is in the hands of the source.
    expect(most).toBeLessThanOrEqual(capacity + 1)
  })

  test.each(capacities)('fails after all that came before, at capacity %i', async (capacity) => {
    const { input, log } = promises(1000, 21)
    const seen: number[] = []
    const run = pipeline(
      source(input),
      map((n) => void seen.push(n)),
      drain(),
    ).run({ capacity })
    const error = await stageError(run)
    expect(error).toMatchObject({ stage: 'source', cause: { message: 'boom' }, suppressed: [] })
    await expect(error.value).rejects.toBe(error.cause)
    expect(seen).toEqual([...upTo(21)])
    // The iterator stood at a value.
    expect(log).toEqual({ pulled: 22, left: 1 })
  })
})
