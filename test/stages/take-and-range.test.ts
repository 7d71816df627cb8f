/** take() and range(): how far a pipeline reads. */
import { describe, expect, test } from 'vitest'
import { batch, count, map, pipeline, range, source, take, toArray } from 'sluice'
import { naturals, probe, syncProbe, upTo } from '../pipeline/support-sources.ts'
import { turns } from '../pipeline/support-waiting.ts'

const capacities = [0, 1, 2, 256]

describe.each(capacities)('take(n) at capacity %i', (capacity) => {
  test('gives the first n values, or all where there are fewer', async () => {
    for (const [n, expected] of [
      [1, [0]],
      [3, [0, 1, 2]],
      [5, [0, 1, 2, 3, 4]],
      [9, [0, 1, 2, 3, 4]],
    ] as const) {
      expect(await pipeline(source(probe(upTo(5))), take(n)).run({ capacity })).toEqual(expected)
      expect(await pipeline(range(5), take(n), toArray()).run({ capacity })).toEqual(expected)
    }
  })

  test('of 0 never pulls', async () => {
    const input = probe(naturals)
    const sync = syncProbe(naturals)
    expect(await pipeline(source(input), take(0)).run({ capacity })).toEqual([])
    expect(await pipeline(source(sync), take(0)).run({ capacity })).toEqual([])
    await turns(3)
    expect([input.pulled, sync.pulled]).toEqual([0, 0])
  })

  test('of 0 ends where the source never gives a value', async () => {
    expect(await pipeline(source(probe([], 'hang')), take(0)).run({ capacity })).toEqual([])
  })

  test('ends without waiting for value n + 1', async () => {
    const input = probe(upTo(3), 'hang')
    expect(await pipeline(source(input), take(3)).run({ capacity })).toEqual([0, 1, 2])
    expect(
      await pipeline(source(probe(upTo(3), 'hang')), map(String), take(3), batch(2)).run({ capacity }),
    ).toEqual([['0', '1'], ['2']])
  })

  test('reads no further than its bound', async () => {
    const input = probe(naturals)
    await pipeline(source(input), take(5)).run({ capacity })
    // five taken, the channel, and one in the hands of the source
    expect(input.pulled).toBeLessThanOrEqual(5 + capacity + 1)
    expect(input.returned).toBe(1)
  })
})

describe('range()', () => {
  test('counts from 0 to one number, and between two', async () => {
    expect(await pipeline(range(5)).run()).toEqual([0, 1, 2, 3, 4])
    expect(await pipeline(range(2, 5)).run()).toEqual([2, 3, 4])
    expect(await pipeline(range(0)).run()).toEqual([])
    expect(await pipeline(range(3, 3)).run()).toEqual([])
    expect(await pipeline(range(-2, 1)).run()).toEqual([-2, -1, 0])
  })

  test('counts by steps, downwards too, and never reaches its end', async () => {
    expect(await pipeline(range(0, 10, 3)).run()).toEqual([0, 3, 6, 9])
    expect(await pipeline(range(0, 9, 3)).run()).toEqual([0, 3, 6])
    expect(await pipeline(range(5, 0, -2)).run()).toEqual([5, 3, 1])
  })

  test('may be endless', async () => {
    expect(await pipeline(range(0, Infinity), take(3)).run()).toEqual([0, 1, 2])
    expect(await pipeline(range(7, Infinity, 7), take(3)).run()).toEqual([7, 14, 21])
    expect(await pipeline(range(Infinity), take(3)).run()).toEqual([0, 1, 2])
  })

  test('may be longer than numbers can count one by one', async () => {
    for (const many of [2 ** 53, 2 ** 60, Number.MAX_VALUE])
      expect(await pipeline(range(many), take(3)).run()).toEqual([0, 1, 2])
    expect(await pipeline(range(0, -(2 ** 60), -1), take(2)).run()).toEqual([0, -1])
  })

  test('is the first number and so many steps, exact or not', async () => {
    for (const [first, step] of [
      [2 ** 53 - 600, 1],
      [600 - 2 ** 53, -1],
      [-7, 3],
      [9, -4],
      [2 ** 52, 2 ** 43],
      [2 ** 53 - 300, 1],
      [0, 0.1],
      [0.5, -2],
    ]) {
      const expected = Array.from({ length: 599 }, (_, n) => first + n * step)
      expect(await pipeline(range(first, step * Infinity, step), take(599)).run()).toEqual(expected)
    }
  })

  test('counts as many as there are', async () => {
    expect(await pipeline(range(123_457), count()).run()).toBe(123_457)
  })
})
