/** script(): follows its steps, and writes down what is done to it. */
import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from 'vitest'
import { fanIn, forEach, map, pipeline, source, take } from 'sluice'
import {
  expectReleased,
  fail,
  hang,
  pause,
  script,
  timeline,
  virtualTime,
  type Script,
  type VirtualTime,
} from 'sluice/testing'
import { outcome, settledWithin } from '../pipeline/support-waiting.ts'

let time: VirtualTime
beforeEach(() => void (time = virtualTime()))
afterEach(() => time.restore())

const counts = ({ opened, pulled, delivered, released, overlaps }: Script<unknown>) => ({
  opened,
  pulled,
  delivered,
  released,
  overlaps,
})

describe('script()', () => {
  test('gives its values at their times, anew in each run', async () => {
    const input = script(['a', pause(20), 'b', 'c', pause(5), pause(5)])
    for (let run = 1; run <= 2; run++) {
      const seen = timeline()
      await time.runUntil(pipeline(source(input), forEach(seen)).run())
      expect(seen.entries).toEqual([
        [0, 'a'],
        [20, 'b'],
        [20, 'c'],
      ])
      expect(counts(input)).toEqual({
        opened: run,
        pulled: 4 * run,
        delivered: 3 * run,
        released: 0,
        overlaps: 0,
      })
    }
    expect(time.now).toBe(60)
  })

  test('counts a pause from when the next value is asked for', async () => {
    const seen = timeline()
    const slowly = async (n: number) => {
      seen(n)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    const read = async () => {
      for await (const n of script([1, pause(10), 2, pause(10), 3])) await slowly(n)
    }
    await time.runUntil(read())
    expect(seen.entries).toEqual([
      [0, 1],
      [110, 2],
      [220, 3],
    ])
  })

  test('pauses for as long as it is told to, also longer than a timer can be, or for ever', async () => {
    const seen = timeline()
    await time.runUntil(pipeline(source(script([pause(5e9), 1])), forEach(seen)).run())
    expect(seen.entries).toEqual([[5e9, 1]])

    const endless = script([pause(Infinity), 1])
    const run = pipeline(source(endless)).start()
    const end = outcome(run.result)
    await time.advance(5e9)
    expect(endless.delivered).toBe(0)
    await run.abort()
    await end
    expectReleased(endless, time)
  })

  test('is one of several inputs', async () => {
    const seen = timeline()
    const inputs = fanIn(script([pause(10), 'a', pause(20), 'b']), script([pause(20), 'c']))
    await time.runUntil(pipeline(inputs, forEach(seen)).run())
    expect(seen.entries).toEqual([
      [10, 'a'],
      [20, 'c'],
      [30, 'b'],
    ])
  })

  test('fails with the very error, after the values before it, and is over then', async () => {
    const boom = new Error('boom')
    const input = script([1, fail(boom), 2])
    const seen = timeline()
    const end = await outcome(pipeline(source(input), forEach(seen)).run())
    expect(end).toMatchObject({ state: 'rejected', error: { stage: 'source', cause: boom } })
    expect(seen.entries).toEqual([[0, 1]])
    expect(counts(input)).toMatchObject({ delivered: 1, released: 0 })

    const iterator = script([fail(undefined), 1])[Symbol.asyncIterator]()
    expect(await outcome(iterator.next())).toEqual({ state: 'rejected', error: undefined })
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
  })

  test('is over when its steps throw', async () => {
    const boom = new Error('boom')
    const input = script(
      (function* () {
        yield 1
        throw boom
      })(),
    )
    const end = await outcome(pipeline(source(input)).run())
    expect(end).toMatchObject({ state: 'rejected', error: { stage: 'source', cause: boom } })
    expect(counts(input)).toMatchObject({ delivered: 1, released: 0 })
    expectReleased(input)
  })

  test('hangs until and after it is released', async () => {
    const input = script([1, hang(), 2])
    const iterator = input[Symbol.asyncIterator]()
    await iterator.next()
    const hanging = iterator.next()
    expect(await iterator.return?.()).toEqual({ done: true, value: undefined })
    expect(await settledWithin(hanging, 10)).toBe(false)
    expect(await pipeline(source(input), take(1)).run()).toEqual([1])
    expect(input.released).toBe(2)
  })

  test('ends a pause when it is released, and leaves no timer', async () => {
    const input = script([1, pause(1_000), 2])
    const iterator = input[Symbol.asyncIterator]()
    await iterator.next()
    const waiting = iterator.next()
    await time.advance(10)
    expect(time.pending).toBe(1)
    await iterator.return?.()
    expect(time.pending).toBe(0)
    expect(await waiting).toEqual({ done: true, value: undefined })
    expect(counts(input)).toMatchObject({ delivered: 1, released: 1 })
  })

  test('sees calls of next that overlap, and answers them in turn', async () => {
    const input = script([1, pause(10), 2, fail('no'), 3])
    const iterator = input[Symbol.asyncIterator]()
    const answers = [1, 2, 3, 4].map(() => outcome(iterator.next()))
    await time.runAll()
    expect(await Promise.all(answers)).toEqual([
      { state: 'resolved', value: { done: false, value: 1 } },
      { state: 'resolved', value: { done: false, value: 2 } },
      { state: 'rejected', error: 'no' },
      { state: 'resolved', value: { done: true, value: undefined } },
    ])
    expect(counts(input)).toMatchObject({ pulled: 4, overlaps: 3 })
    await iterator.next()
    expect(input.overlaps).toBe(3)
  })

  test('reads endless steps as far as it is pulled, and lets go of them', async () => {
    let left = 0
    const numbers = {
      *[Symbol.iterator]() {
        try {
          for (let n = 0; ; n++) yield n
        } finally {
          left++
        }
      },
    }
    const input = script(numbers)
    expect(await pipeline(source(input), take(3)).run({ capacity: 0 })).toEqual([0, 1, 2])
    expect(left).toBe(1)
    expect(input.released).toBe(1)
  })

  test('gives any value as it is', async () => {
    const values = [undefined, null, NaN, '', {}, Object.freeze({}), [pause(1)], () => 1, Symbol.iterator]
    const out = await time.runUntil(pipeline(source(script<unknown>(values))).run())
    expect(out).toHaveLength(values.length)
    out.forEach((value, index) => expect(value).toBe(values[index]))
  })

  test('knows the type of its values', () => {
    expectTypeOf(script([1, pause(5), 2, fail('x'), hang()])).toEqualTypeOf<Script<number>>()
    expectTypeOf(script(['a', pause(5), 1])).toEqualTypeOf<Script<string | number>>()
    const lengths = pipeline(
      source(script(['a', pause(5)])),
      map((text) => text.length),
    )
    expectTypeOf(lengths.run).returns.toEqualTypeOf<Promise<number[]>>()
  })

  test('wants an iterable, and times of 0 or more', () => {
    expect(() => script(5 as never)).toThrow('Cannot create script: "steps" must be an iterable, got 5')
    expect(() => script(undefined as never)).toThrow(TypeError)
    expect(() => pause(-1)).toThrow('Cannot create pause: "ms" must be a number of milliseconds >= 0, got -1')
    expect(() => pause(NaN)).toThrow(RangeError)
  })
})
