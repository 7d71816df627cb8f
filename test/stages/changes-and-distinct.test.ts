/** distinct() and changes(): what counts as the same, and what is remembered. */
import { describe, expect, test } from 'vitest'
import { changes, distinct, pipeline, range, source } from 'sluice'
import { stageError } from '../pipeline/support-leaks.ts'
import { upTo } from '../pipeline/support-sources.ts'
import { deferred, turns } from '../pipeline/support-waiting.ts'

const capacities = [0, 1, 256]

describe.each(capacities)('at capacity %i', (capacity) => {
  test('distinct() passes each value on once, changes() each that differs from the one before', async () => {
    const values = [1, 1, 2, 1, 1, 3, 3, 2]
    expect(await pipeline(source(values), distinct()).run({ capacity })).toEqual([1, 2, 3])
    expect(await pipeline(source(values), changes()).run({ capacity })).toEqual([1, 2, 1, 3, 2])
  })

  test('they compare as a Set does, and take undefined for a value', async () => {
    const values = [NaN, NaN, 0, -0, undefined, undefined, null, null, '0']
    const once = [NaN, 0, undefined, null, '0']
    expect(await pipeline(source(values), distinct()).run({ capacity })).toEqual(once)
    expect(await pipeline(source(values), changes()).run({ capacity })).toEqual(once)
    expect(await pipeline(source([undefined]), changes()).run({ capacity })).toEqual([undefined])
  })

  test('they go by the key, with the index, and give the first value of each', async () => {
    const words = ['apple', 'avocado', 'beet', 'bean', 'almond']
    const byLetter = pipeline(
      source(words),
      distinct((word) => word[0]),
    )
    expect(await byLetter.run({ capacity })).toEqual(['apple', 'beet'])
    const runs = pipeline(
      source(words),
      changes(async (word) => word[0]),
    )
    expect(await runs.run({ capacity })).toEqual(['apple', 'beet', 'almond'])
    const byIndex = pipeline(
      range(10),
      changes((_, index) => index >> 2),
    )
    expect(await byIndex.run({ capacity })).toEqual([0, 4, 8])
  })

  test('they go through more than a chunk', async () => {
    const even = pipeline(
      range(10_000),
      distinct((n) => n % 3000),
    )
    expect(await even.run({ capacity })).toEqual(upTo(3000))
    const halves = pipeline(
      range(10_000),
      changes((n) => n >> 1),
    )
    expect(await halves.run({ capacity })).toEqual(upTo(5000).map((n) => n * 2))
  })
})

test('distinct() and changes() begin anew in each run', async () => {
  for (const stage of [distinct<number>(), changes<number>()]) {
    const twice = pipeline(range(3), stage)
    expect([await twice.run(), await twice.run()]).toEqual([upTo(3), upTo(3)])
  }
})

test('keys are judged in the order of the values, whatever comes first and whatever `ordered` says', async () => {
  for (const stage of [distinct, changes]) {
    const gates = upTo(3).map(() => deferred<string>())
    const run = pipeline(
      range(3),
      stage((n: number) => gates[n].promise, { concurrency: 3, ordered: false }),
    ).run()
    gates[2].resolve('a')
    gates[1].resolve('a')
    await turns(2)
    gates[0].resolve('a')
    expect(await run).toEqual([0])
  }
})

test('a value that `onError` skips leaves no key behind', async () => {
  const key = (text: string, index: number): string => {
    if (index === 0) throw new Error('first')
    return text
  }
  const skipped = pipeline(source(['a', 'a', 'a']), distinct(key, { onError: 'skip' }))
  expect(await skipped.run()).toEqual(['a'])
  const failed = pipeline(source(['a', 'a', 'a']), changes(key)).run()
  expect(await stageError(failed)).toMatchObject({ stage: 'changes', index: 1, value: 'a' })
})

test('a key that is no function is refused', () => {
  expect(() => distinct(null as never)).toThrow('Cannot create distinct: "key" must be a function, got null')
  expect(() => changes('id' as never)).toThrow('Cannot create changes: "key" must be a function, got "id"')
})
