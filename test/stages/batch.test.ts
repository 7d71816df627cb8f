/** batch() and unbatch(): whichever limit is reached first; timelines run in virtual time. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { batch, forEach, map, pipeline, range, source, take, toArray, unbatch } from 'sluice'
import {
  expectReleased,
  fail,
  hang,
  pause,
  script,
  timeline,
  virtualTime,
  type Step,
  type VirtualTime,
} from 'sluice/testing'
import { stageError, unhandledDuring } from '../pipeline/support-leaks.ts'
import { naturals, probe, upTo } from '../pipeline/support-sources.ts'
import { deferred, never, rejection, stable, turns } from '../pipeline/support-waiting.ts'

describe('batch(size)', () => {
  test.each([
    [0, []],
    [2, [[0, 1]]],
    [3, [[0, 1, 2]]],
    [4, [[0, 1, 2], [3]]],
    [
      6,
      [
        [0, 1, 2],
        [3, 4, 5],
      ],
    ],
  ])('of 3 makes of %i values groups of three and a rest that is not empty', async (n, groups) => {
    for (const capacity of [0, 1, 256])
      expect(await pipeline(range(n), batch(3)).run({ capacity })).toEqual(groups)
  })

  test('of 1 gives every value an array of its own', async () => {
    expect(await pipeline(range(3), batch(1)).run()).toEqual([[0], [1], [2]])
  })

  test('gives a new array each time', async () => {
    const out = await pipeline(range(6), batch(2)).run()
    expect(new Set(out).size).toBe(3)
  })

  test('holds one batch where nobody reads', async () => {
    const input = probe(naturals)
    const run = pipeline(source(input), batch(5), forEach(never)).start({ capacity: 0 })
    // one in the hands of the source, five in the batch, five in the hands of the sink
    expect(await stable(() => input.pulled)).toBeLessThanOrEqual(11)
    await Promise.all([rejection(run.result), run.abort()])
  })

  test('with a limit of bytes closes a batch when the sum reaches it', async () => {
    const words = ['aaaaa', 'bbbbb', 'cc', 'dddddddd', 'eeeeeeeeeeeeeee', 'f']
    const out = await pipeline(source(words), batch(100, { bytes: 10, sizeOf: (word) => word.length })).run()
    expect(out).toEqual([['aaaaa', 'bbbbb'], ['cc', 'dddddddd'], ['eeeeeeeeeeeeeee'], ['f']])
  })

  test('with both limits goes by the one that is reached first', async () => {
    const sizes = [1, 1, 1, 10, 5, 5, 1]
    const out = await pipeline(source(sizes), batch(3, { bytes: 10, sizeOf: (n) => n })).run()
    expect(out).toEqual([[1, 1, 1], [10], [5, 5], [1]])
  })

  test('fails with the value whose size cannot be told', async () => {
    const boom = new Error('no size')
    const sizeOf = (n: number): number => {
      if (n === 2) throw boom
      return 1
    }
    const error = await stageError(pipeline(range(5), batch(10, { bytes: 100, sizeOf })).run())
    expect(error).toMatchObject({ stage: 'batch', index: 1, value: 2, cause: boom })
  })
})

describe('batch(size, { ms })', () => {
  let time: VirtualTime
  beforeEach(() => void (time = virtualTime()))
  afterEach(() => time.restore())

  /** What comes out of `batch(3, { ms: 50 })` when, as long as the steps last. */
  async function batches(steps: Iterable<number | Step>): Promise<[ms: number, batch: unknown][]> {
    const input = script(steps)
    const seen = timeline()
    const run = pipeline(source(input), batch(3, { ms: 50 }), forEach(seen)).run()
    await time.runUntil(run)
    expectReleased(input, time)
    return seen.entries
  }

  /** A run of the same over an input that goes on for ever. */
  function started(steps: Iterable<number | Step>) {
    const input = script([...steps, hang()])
    const seen = timeline()
    const run = pipeline(source(input), batch(3, { ms: 50 }), forEach(seen)).start()
    run.result.catch(() => {})
    return { input, seen, run }
  }

  test('counts from the first value of a batch, not from the last one and not from the last batch', async () => {
    const out = await batches([
      pause(1_000), // nothing: there is no first value
      1, //    1000    1 waits
      pause(30),
      2, //    1030    1 2 wait until 1050, when the time of 1 is up
      pause(45),
      3, //    1075    3 waits until 1125
      pause(100),
    ])
    expect(out).toEqual([
      [1050, [1, 2]],
      [1125, [3]],
    ])
  })

  test('never gives an empty batch, however long nothing comes', async () => {
    expect(await batches([pause(10_000), 1, pause(10_000)])).toEqual([[10_050, [1]]])
  })

  test('starts anew after a batch that was full', async () => {
    // 4 comes with what fills the first batch, and begins the next one
    expect(await batches([1, pause(40), 2, 3, 4, pause(100)])).toEqual([
      [40, [1, 2, 3]],
      [90, [4]],
    ])
  })

  test('keeps no timer while no batch is open, and none after the end', async () => {
    // beside the timers of the pauses, of which there is always one
    const { input, run } = started([pause(10), 1, pause(10), 2, 3, pause(10), 4, pause(90)])
    const pending: number[] = []
    for (let at = 5; at < 40; at += 10) {
      await time.advance(at - time.now)
      pending.push(time.pending - 1)
    }
    expect(pending).toEqual([0, 1, 0, 1])
    await time.advance(60)
    expect(time.pending).toBe(1)
    await run.stop()
    expectReleased(input, time)
  })

  test('flushes at the end without waiting for the time', async () => {
    expect(await batches([1, 2])).toEqual([[0, [1, 2]]])
  })

  test('flushes on a stop without waiting for the time', async () => {
    const { input, seen, run } = started([1, 2])
    await time.advance(10)
    await run.stop()
    expect(seen.entries).toEqual([[10, [1, 2]]])
    expectReleased(input, time)
  })

  test('flushes before a failure passes, without waiting for the time', async () => {
    const { input, seen, run } = started([1, 2, pause(10), fail(new Error('boom'))])
    await stageError(time.runUntil(run.result))
    expect(seen.entries).toEqual([[10, [1, 2]]])
    expectReleased(input, time)
  })

  test('drops its timer when the run is aborted', async () => {
    const { input, seen, run } = started([1])
    await time.advance(10)
    await run.abort()
    expectReleased(input, time)
    await time.advance(1_000)
    expect(seen.entries).toEqual([])
  })

  test('drops its timer when the reader leaves', async () => {
    const input = script([0, 1, 2, hang()])
    expect(await pipeline(source(input), batch(2, { ms: 50 }), take(1), toArray()).run()).toEqual([[0, 1]])
    expectReleased(input, time)
  })

  test('does not let a batch grow over its size while the reader is slow', async () => {
    const sizes: number[] = []
    const slow = map(async (numbers: number[]) => {
      sizes.push(numbers.length)
      await new Promise((resolve) => setTimeout(resolve, 500))
    })
    const input = pipeline(source(script(upTo(20))), batch(3, { ms: 50 }), slow, toArray())
    await time.runUntil(input.run({ capacity: 0 }))
    expect(Math.max(...sizes)).toBe(3)
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(20)
  })
})

describe('unbatch()', () => {
  test('gives the values of each iterable in order', async () => {
    const groups: Iterable<number>[] = [[1, 2], [], new Set([3]), [4]]
    for (const capacity of [0, 1, 256])
      expect(await pipeline(source(groups), unbatch()).run({ capacity })).toEqual([1, 2, 3, 4])
  })

  test('awaits promises among the values, in order', async () => {
    const later = async (n: number) => {
      await turns()
      return n
    }
    for (const capacity of [0, 1, 256]) {
      const groups = [[1, later(2), 3, later(4)], new Set([later(5), 6]), [7]]
      const results: number[] = await pipeline(source(groups), unbatch()).run({ capacity })
      expect(results).toEqual([1, 2, 3, 4, 5, 6, 7])
    }
  })

  test('fails where a promise among the values rejects, and lets the iterable go', async () => {
    const boom = new Error('boom')
    let closed = 0
    function* values() {
      try {
        yield 1
        yield Promise.reject(boom)
      } finally {
        closed++
      }
    }
    // They reject when the array has been begun: before that, nobody could hear of them.
    const [reached, other] = [deferred<never>(), deferred<never>()]
    for (const [many, times] of [
      [[1, reached.promise, other.promise], 0],
      [values(), 1],
    ] as const) {
      const seen: unknown[] = []
      const run = pipeline(
        source<Iterable<unknown>>([many]),
        unbatch(),
        forEach((value) => {
          seen.push(value)
          for (const { reject } of [reached, other]) reject(boom)
        }),
      ).run()
      const error = await stageError(run)
      expect(error).toMatchObject({ stage: 'unbatch', value: many, cause: boom })
      expect([seen, closed]).toEqual([[1], times])
    }
  })

  test('fails where the `return` of an iterable that is left rejects, as source() does', async () => {
    const boom = new Error('boom')
    const endless: Iterable<number> = {
      [Symbol.iterator]: () => ({ next: () => ({ value: 1 }), return: () => Promise.reject(boom) as never }),
    }
    const unhandled = await unhandledDuring(async () => {
      const error = await stageError(pipeline(source([endless]), unbatch(), take(2)).run())
      expect(error).toMatchObject({ stage: 'unbatch', cause: boom })
    })
    expect(unhandled).toEqual([])
  })

  test('waits for no promise among the values once the run is aborted', async () => {
    let begun!: () => void
    const first = new Promise<void>((resolve) => (begun = resolve))
    const values = [[1, new Promise<number>(() => {})]]
    const run = pipeline(source(values), unbatch(), forEach(begun)).start()
    await first
    const reason = new Error('enough')
    const [error] = await Promise.all([rejection(run.result), run.abort(reason)])
    expect(error).toBe(reason)
  })

  test.each([
    [42, '42'],
    [null, 'null'],
    [{ length: 1 }, 'Object'],
  ])('fails with a value that cannot be iterated, and says so: %j', async (value, shown) => {
    const error = await stageError(pipeline(source([[1], value as never]), unbatch()).run())
    expect(error).toMatchObject({ stage: 'unbatch', index: 1, value })
    expect(error.cause).toEqual(new TypeError(`Cannot unbatch: "value" must be an iterable, got ${shown}`))
  })
})
