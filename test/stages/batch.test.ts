/** batch() and unbatch(): whichever limit is reached first; timelines run in virtual time. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { batch, channel, forEach, map, pipeline, range, source, take, toArray, unbatch } from 'sluice'
import { stageError } from '../pipeline/support-leaks.ts'
import { naturals, probe, upTo } from '../pipeline/support-sources.ts'
import { never, rejection, stable, turns } from '../pipeline/support-waiting.ts'

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
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  /** A run of `batch(3, { ms: 50 })` over a channel that the test feeds by hand; `log` has time and batch. */
  function timeline(size = 3) {
    const [tx, rx] = channel<number>(16)
    const log: string[] = []
    const begin = Date.now()
    const run = pipeline(
      source(rx),
      batch(size, { ms: 50 }),
      forEach((numbers) => void log.push(`${Date.now() - begin}: ${numbers.join(' ')}`)),
    ).start()
    run.result.catch(() => {})
    const give = async (...values: number[]) => {
      for (const value of values) await tx.send(value)
      await turns(5)
    }
    const advance = async (ms: number) => {
      await turns(5)
      await vi.advanceTimersByTimeAsync(ms)
      await turns(5)
    }
    return { tx, run, log, give, advance }
  }

  test('counts from the first value of a batch, not from the last one and not from the last batch', async () => {
    const { tx, run, log, give, advance } = timeline()
    await advance(1_000) //            nothing: there is no first value
    await give(1)
    await advance(30) // 1030          1 waits
    await give(2)
    await advance(19) // 1049          1 2 wait
    expect(log).toEqual([])
    await advance(1) //  1050          the time of 1 is up
    await advance(25) // 1075
    await give(3)
    await advance(50) // 1125          the time of 3 is up
    expect(log).toEqual(['1050: 1 2', '1125: 3'])
    tx.close()
    await run.result
    expect(log).toHaveLength(2)
  })

  test('never gives an empty batch, however long nothing comes', async () => {
    const { tx, run, log, give, advance } = timeline()
    await advance(10_000)
    await give(1)
    await advance(10_000)
    tx.close()
    await run.result
    expect(log).toEqual(['10050: 1'])
  })

  test('starts anew after a batch that was full', async () => {
    const { tx, run, log, give, advance } = timeline()
    await give(1)
    await advance(40)
    await give(2, 3, 4) // 40          full with 3; 4 begins the next one
    await advance(49) //   89
    expect(log).toEqual(['40: 1 2 3'])
    await advance(1) //    90          the time of 4 is up
    expect(log).toEqual(['40: 1 2 3', '90: 4'])
    tx.close()
    await run.result
  })

  test('keeps no timer while no batch is open, and none after the end', async () => {
    const { tx, run, give, advance } = timeline()
    expect(vi.getTimerCount()).toBe(0)
    await give(1)
    expect(vi.getTimerCount()).toBe(1)
    await give(2, 3)
    expect(vi.getTimerCount()).toBe(0)
    await give(4)
    await advance(50)
    expect(vi.getTimerCount()).toBe(0)
    await give(5)
    tx.close()
    await run.result
    expect(vi.getTimerCount()).toBe(0)
  })

  test('flushes at the end without waiting for the time', async () => {
    const { tx, run, log, give } = timeline()
    await give(1, 2)
    tx.close()
    await run.result
    expect(log).toEqual(['0: 1 2'])
  })

  test('flushes on a stop without waiting for the time', async () => {
    const { tx, run, log, give } = timeline()
    await give(1, 2)
    await run.stop()
    expect(log).toEqual(['0: 1 2'])
    expect(vi.getTimerCount()).toBe(0)
    tx.close()
  })

  test('flushes before a failure passes, without waiting for the time', async () => {
    const { tx, run, log, give } = timeline()
    await give(1, 2)
    tx.fail(new Error('boom'))
    await stageError(run.result)
    expect(log).toEqual(['0: 1 2'])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('drops its timer when the run is aborted', async () => {
    const { tx, run, log, give, advance } = timeline()
    await give(1)
    await run.abort()
    expect(vi.getTimerCount()).toBe(0)
    await advance(1_000)
    expect(log).toEqual([])
    tx.close()
  })

  test('drops its timer when the reader leaves', async () => {
    const [tx, rx] = channel<number>(16)
    const run = pipeline(source(rx), batch(2, { ms: 50 }), take(1), toArray()).run()
    for (const n of upTo(3)) tx.trySend(n)
    expect(await run).toEqual([[0, 1]])
    expect(vi.getTimerCount()).toBe(0)
    tx.close()
  })

  test('does not let a batch grow over its size while the reader is slow', async () => {
    const [tx, rx] = channel<number>(64)
    const sizes: number[] = []
    const run = pipeline(
      source(rx),
      batch(3, { ms: 50 }),
      map(async (numbers) => {
        sizes.push(numbers.length)
        await new Promise((resolve) => setTimeout(resolve, 500))
      }),
      toArray(),
    ).run({ capacity: 0 })
    for (const n of upTo(20)) tx.trySend(n)
    tx.close()
    await turns(5)
    await vi.advanceTimersByTimeAsync(20_000)
    await run
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

  test('fails with the value that cannot be iterated', async () => {
    const error = await stageError(pipeline(source([[1], 42 as never]), unbatch()).run())
    expect(error).toMatchObject({ stage: 'unbatch', index: 1, value: 42 })
    expect(error.cause).toBeInstanceOf(TypeError)
  })
})
