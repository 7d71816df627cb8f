/** A pipeline as the source of IxJS: `from(pipeline(…))` is an `AsyncIterableX`. */
import { as, AsyncIterableX, first, from, toArray } from 'ix/asynciterable'
import { filter, map, take, takeWhile, withAbort } from 'ix/asynciterable/operators'
import { describe, expect, test } from 'vitest'
import { fanIn, map as mapStage, pipeline, range, source, through } from 'sluice'
import { stageError, unhandledDuring } from '../pipeline/support-leaks.ts'
import { naturals, probe, upTo } from '../pipeline/support-sources.ts'
import { rejection, stable, turns } from '../pipeline/support-waiting.ts'

const boom = new Error('boom')
const ways = [
  { name: 'from()', way: from },
  { name: 'as()', way: as },
  { name: 'AsyncIterableX.from()', way: AsyncIterableX.from.bind(AsyncIterableX) },
] as { name: string; way: <T>(input: AsyncIterable<T>) => AsyncIterableX<T> }[]

describe.each(ways)('a pipeline given to $name of IxJS', ({ way }) => {
  test('is an AsyncIterableX with the types of the pipeline', async () => {
    const labels: AsyncIterableX<string> = way(pipeline(range(5))).pipe(
      filter((n) => n % 2 === 0),
      map((n) => `#${n}`),
    )
    expect(labels).toBeInstanceOf(AsyncIterableX)
    expect(await toArray(labels)).toEqual(['#0', '#2', '#4'])
  })

  test('reads nothing before Ix does, and can be read again', async () => {
    const values = probe([1, 2])
    const all = way(pipeline(source(values))).pipe(map((n) => n * 10))
    await turns(2)
    expect(values.iterated).toBe(0)
    expect(await toArray(all)).toEqual([10, 20])
    expect(await toArray(all)).toEqual([10, 20])
    expect(values).toMatchObject({ iterated: 2, returned: 0 })
  })

  test('closes its source once when an Ix operator has had enough', async () => {
    for (const enough of [take<number>(2), takeWhile<number>((n) => n < 2)]) {
      const values = probe(naturals)
      expect(await toArray(way(pipeline(source(values))).pipe(enough))).toEqual([0, 1])
      expect(values.returned).toBe(1)
    }
  })

  test('closes its source once when a loop over the Ix sequence is left', async () => {
    const values = probe(naturals)
    for await (const _value of way(pipeline(source(values))).pipe(map((n) => n))) break
    expect(values.returned).toBe(1)
    const stuck = probe([1], 'hang')
    expect(await first(way(pipeline(source(stuck))))).toBe(1)
    expect(stuck.returned).toBe(1)
  })

  test('holds its source back while Ix does not read', async () => {
    const values = probe(naturals)
    const iterator = way(pipeline(source(values, { capacity: 1 })))[Symbol.asyncIterator]()
    await iterator.next()
    // the value that was read, one in the channel, one in the hands of the source
    expect(await stable(() => values.pulled)).toBeLessThanOrEqual(1 + 1 + 1)
    await iterator.return!()
    expect(values.returned).toBe(1)
  })

  test('fails with the error of the run, and closes its source where an Ix function throws', async () => {
    const unhandled = await unhandledDuring(async () => {
      const failing = pipeline(source(probe([1], { error: boom })))
      expect((await stageError(toArray(way(failing)))).cause).toBe(boom)
      const values = probe(naturals)
      const throwing = way(pipeline(source(values))).pipe(
        map((n) => (n === 3 ? Promise.reject<number>(boom) : n)),
      )
      expect(await rejection(toArray(throwing))).toBe(boom)
      expect(values.returned).toBe(1)
    })
    expect(unhandled).toEqual([])
  })
})

describe('IxJS on both sides of a pipeline', () => {
  test('is read, goes through and reads', async () => {
    const input = from(upTo(100)).pipe(filter((n) => n % 3 === 0))
    const middle = pipeline(
      source(input),
      mapStage((n) => n + 1),
      through(map((n: number) => n * 2)),
    )
    expect(await toArray(from(middle).pipe(take(3)))).toEqual([2, 8, 14])
  })

  test('may stand in a fan-in, and is left when the reader leaves', async () => {
    let left = 0
    const numbers = async function* () {
      try {
        for (let n = 0; ; n++) yield n
      } finally {
        left++
      }
    }
    const merged = fanIn(from(numbers()), from(numbers()).pipe(map((n) => -n)))
    expect(await toArray(from(pipeline(merged)).pipe(take(4)))).toHaveLength(4)
    expect(left).toBe(2)
  })

  test('ends by the abort signal of Ix between values', async () => {
    const values = probe(naturals)
    const controller = new AbortController()
    const unhandled = await unhandledDuring(async () => {
      const seen: number[] = []
      const loop = async () => {
        for await (const n of from(pipeline(source(values))).pipe(withAbort(controller.signal))) {
          seen.push(n)
          if (n === 1) controller.abort()
        }
      }
      expect(await rejection(loop())).toMatchObject({ name: 'AbortError' })
      expect(seen).toEqual([0, 1])
    })
    expect(values.returned).toBe(1)
    expect(unhandled).toEqual([])
  })
})
