/** What a pipeline is: built without reading, run again and again, made of other pipelines. */
import { describe, expect, test } from 'vitest'
import {
  batch,
  channel,
  count,
  filter,
  flatMap,
  forEach,
  map,
  pipeline,
  range,
  reduce,
  source,
  take,
  tap,
  toArray,
  unbatch,
} from 'sluice'
import { probe, syncProbe, upTo } from './support-sources.ts'
import { rejection, turns, until } from './support-waiting.ts'

describe('building a pipeline', () => {
  test('reads nothing, neither from an iterable nor from a function', async () => {
    const values = probe(upTo(3))
    const sync = syncProbe(upTo(3))
    let called = 0
    pipeline(source(values), map(String), toArray()).describe()
    pipeline(source(sync), map(String), toArray()).describe()
    pipeline(
      source(() => (called++, [1])),
      toArray(),
    ).describe()
    await turns(3)
    expect([values.iterated, sync.iterated, called]).toEqual([0, 0, 0])
  })

  test('reads nothing from a receiver', async () => {
    const [tx, rx] = channel<number>(1)
    tx.trySend(1)
    pipeline(source(rx), toArray())
    await turns(3)
    expect(rx.length).toBe(1)
    rx.close()
    tx.close()
  })
})

describe('run()', () => {
  test('gives an array of the results where the last stage is no sink', async () => {
    expect(await pipeline(range(5), map(String)).run()).toEqual(['0', '1', '2', '3', '4'])
    expect(await pipeline(source(['only'])).run()).toEqual(['only'])
    expect(await pipeline(source([])).run()).toEqual([])
  })

  test('gives what the sink gives where there is one', async () => {
    expect(await pipeline(range(5), count()).run()).toBe(5)
    expect(
      await pipeline(
        range(5),
        reduce((sum, n) => sum + n, 0),
      ).run(),
    ).toBe(10)
    expect(
      await pipeline(
        range(5),
        forEach(() => {}),
      ).run(),
    ).toBeUndefined()
  })

  test('runs every stage as a task of its own: a stage works on while a later one waits', async () => {
    let started = -1
    const result = await pipeline(
      range(3),
      map((n) => (started = n)),
      map(async (n) => {
        if (n < 2) await until(() => started > n)
        return n
      }),
    ).run()
    expect(result).toEqual([0, 1, 2])
  })

  test('can be called again, and each run counts its indexes from 0', async () => {
    const pipe = pipeline(
      source(['a', 'b']),
      map((letter, index) => `${letter}${index}`),
    )
    expect(await pipe.run()).toEqual(['a0', 'b1'])
    expect(await pipe.run()).toEqual(['a0', 'b1'])
    expect(await Promise.all([pipe.run(), pipe.run()])).toEqual([
      ['a0', 'b1'],
      ['a0', 'b1'],
    ])
  })

  test('calls the function of a source anew for each run', async () => {
    let calls = 0
    const pipe = pipeline(source(() => [++calls]))
    expect(await pipe.run()).toEqual([1])
    expect(await pipe.run()).toEqual([2])
  })

  test('leaves the other run alone when one of two fails', async () => {
    let runs = 0
    const pipe = pipeline(
      source(() => [runs++]),
      map(async (run) => {
        await turns(2)
        if (run === 0) throw new Error('the first')
        return run
      }),
    )
    const [first, second] = [pipe.run(), pipe.run()]
    await rejection(first)
    expect(await second).toEqual([1])
  })

  test('keeps the state of a stage to each pipeline that uses it', async () => {
    const shared = batch<number>(2)
    const few = take<number>(3)
    const one = pipeline(range(5), few, shared)
    const two = pipeline(range(10, 15), few, shared)
    expect(await Promise.all([one.run(), two.run(), one.run()])).toEqual([
      [[0, 1], [2]],
      [[10, 11], [12]],
      [[0, 1], [2]],
    ])
  })

  test('passes any value on as it is, through functions, batches and channels', async () => {
    const odd: unknown[] = [
      undefined,
      null,
      NaN,
      0,
      '',
      false,
      new Error('a value'),
      Symbol.iterator,
      () => 1,
      [],
    ]
    for (const capacity of [0, 1, 256]) {
      const out = await pipeline(
        source(odd),
        map((value) => value),
        filter(() => true),
        tap(() => {}),
        batch(3),
        unbatch(),
        flatMap((value) => [value]),
      ).run({ capacity })
      expect(out).toEqual(odd)
      expect(out.every((value, index) => Object.is(value, odd[index]))).toBe(true)
    }
  })

  test('takes the capacity of a stage over the one of the run', () => {
    const graph = pipeline(
      range(5, 10, 1),
      map((n: number) => n, { capacity: 3 }),
      filter((n: number) => n > 6),
      toArray(),
    ).describe()
    expect(graph.edges.map((edge) => edge.capacity)).toEqual([256, 3, 256])
  })

  test('refuses a capacity that is none, without reading anything', async () => {
    for (const capacity of [-1, 1.5, NaN]) {
      const values = probe(upTo(3))
      const run = async () => pipeline(source(values), toArray()).run({ capacity })
      expect(await rejection(run())).toBeInstanceOf(RangeError)
      expect(values.iterated).toBe(0)
    }
  })

  test('is a TypeError where there is no source', async () => {
    const sourceless = pipeline(
      map((n: number) => n + 1),
      toArray(),
    )
    // @ts-expect-error a pipeline without a source cannot run
    const call: unknown = sourceless.run
    const run = (call as () => Promise<unknown>).bind(sourceless)
    expect(await rejection(run())).toBeInstanceOf(TypeError)
  })
})

describe('a pipeline made of stages', () => {
  const plusOneEven = pipeline(
    map((n: number) => n + 1),
    filter((n) => n % 2 === 0),
  )

  test('is a stage of another pipeline, more than once and at any depth', async () => {
    const twice = pipeline(plusOneEven, map(String), map(Number), plusOneEven)
    expect(await pipeline(range(6), plusOneEven).run()).toEqual([2, 4, 6])
    expect(await pipeline(range(6), twice).run()).toEqual([])
    expect(await pipeline(range(6), plusOneEven, pipeline(plusOneEven, map(String))).run()).toEqual([])
    expect(await pipeline(range(6), pipeline(pipeline(plusOneEven)), toArray()).run()).toEqual([2, 4, 6])
  })

  test('cancels, fails and closes like any other stage', async () => {
    const values = probe(upTo(1000))
    expect(await pipeline(source(values), plusOneEven, take(2)).run({ capacity: 1 })).toEqual([2, 4])
    expect(values.returned).toBe(1)
    const boom = new Error('inside')
    const failing = pipeline(
      plusOneEven,
      map((n) => {
        if (n === 4) throw boom
        return n
      }),
    )
    const error = await rejection(pipeline(range(6), failing).run())
    expect(error).toMatchObject({ stage: 'map', value: 4, cause: boom })
  })

  test('can be read as a source by another, as any async iterable', async () => {
    const inner = pipeline(range(4), map(double))
    expect(await pipeline(source(inner), map(double)).run()).toEqual([0, 4, 8, 12])
  })
})

function double(n: number): number {
  return n * 2
}
