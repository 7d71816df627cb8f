/** delay(): each value leaves at its own time, and what waits, waits in a channel. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { delay, drain, forEach, pipeline, range, source, stage, take, toArray } from 'sluice'
import { stageError } from '../pipeline/support-leaks.ts'
import { naturals, probe, upTo } from '../pipeline/support-sources.ts'
import { deferred, rejection, stable } from '../pipeline/support-waiting.ts'
import { clockLog, fakeTime, pass, timeline } from './support-timeline.ts'

beforeEach(fakeTime)
afterEach(() => {
  vi.useRealTimers()
})

describe('delay(ms)', () => {
  test('moves each value by ms from its arrival', async () => {
    const { tx, run, log, give } = timeline(delay(50))
    await give(1)
    await pass(10) // 10
    await give(2)
    await pass(10) // 20
    await give(3, 4)
    await pass(29) // 49
    expect(log).toEqual([])
    await pass(100)
    await give(5) // 149
    await pass(50)
    expect(log).toEqual(['50: 1', '60: 2', '70: 3', '70: 4', '199: 5'])
    tx.close()
    await run.result
  })

  test('lets what waits out at its time when the input ends, and then ends', async () => {
    const { tx, run, log, give } = timeline(delay(50))
    await give(1)
    await pass(10)
    await give(2)
    tx.close()
    await pass(40)
    expect(log).toEqual(['50: 1'])
    await pass(10)
    await run.result
    expect(log).toEqual(['50: 1', '60: 2'])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('counts from when a value finds room, though it found it in the moment of another arrival', async () => {
    const { log, note } = clockLog()
    const full = deferred<void>()
    const both = stage<number, string>(
      'both',
      async (_rx, tx) => {
        await tx.sendMany(['a', 'b'])
        await new Promise((resolve) => setTimeout(resolve, 500))
        full.resolve()
        await Promise.all([tx.send('x'), tx.send('y')])
      },
      { capacity: 2 },
    )
    const late = stage<string, string>('late', async (rx) => {
      await full.promise
      for await (const value of rx) note(value)
    })
    const run = pipeline(range(1), both, delay(100, { capacity: 1 }), late).run()
    await pass(500)
    await pass(100)
    await pass(100)
    await run
    expect(log).toEqual(['500: a', '500: b', '600: x', '600: y'])
  })

  test('lets what waits out at its time before a failure passes', async () => {
    const { tx, run, log, give } = timeline(delay(50))
    await give(1, 2)
    const boom = new Error('boom')
    tx.fail(boom)
    await pass(49)
    expect(log).toEqual([])
    await pass(1)
    expect((await stageError(run.result)).cause).toBe(boom)
    expect(log).toEqual(['50: 1', '50: 2'])
  })

  test('lets what waits out at its time on a stop', async () => {
    const { tx, run, log, give } = timeline(delay(50))
    await give(1)
    const stopped = run.stop()
    await pass(50)
    await stopped
    expect(log).toEqual(['50: 1'])
    tx.close()
  })

  test('drops its timer when the run is aborted, and when the reader leaves', async () => {
    const { tx, run, give } = timeline(delay(50))
    await give(1)
    expect(vi.getTimerCount()).toBe(1)
    await run.abort()
    expect(vi.getTimerCount()).toBe(0)
    tx.close()
    const gone = pipeline(source(probe([1, 2], 'hang')), delay(50), take(1), toArray()).run()
    await pass(50)
    expect(await gone).toEqual([1])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('holds no more than the channels around it', async () => {
    for (const capacity of [0, 1, 5]) {
      const input = probe(naturals)
      const run = pipeline(source(input), delay(50), drain()).start({ capacity })
      // one in the hands of the source, those in the channel, and one in the hands of the stage
      expect(await stable(() => input.pulled)).toBeLessThanOrEqual(1 + capacity + 1)
      await Promise.all([rejection(run.result), run.abort()])
    }
  })

  test('at capacity 0 delays one value at a time', async () => {
    const { tx, run, log, give } = timeline(delay(50), { capacity: 0 })
    await give(1, 2)
    await pass(200)
    expect(log).toEqual(['50: 1', '100: 2'])
    tx.close()
    await run.result
  })

  test('counts from the arrival also where the reader is slow', async () => {
    const gate = deferred()
    const { tx, run, log, give } = timeline(delay(50), { capacity: 3, act: () => gate.promise })
    await give(1, 2, 3, 4, 5, 6, 7, 8) // three are behind it and one in the sink when it stands
    // Not in one step: on a busy machine the room that is made at 50 is filled a turn later.
    await pass(50)
    await pass(150)
    await give(9)
    await pass(49) // 249
    gate.resolve()
    await pass(0)
    expect(log.slice(0, 5)).toEqual(['50: 1', '249: 2', '249: 3', '249: 4', '249: 5'])
    await pass(100)
    expect(log).toHaveLength(9)
    tx.close()
    await run.result
  })

  test('of 0 passes values on at once, and of Infinity never', async () => {
    expect(await pipeline(range(1000), delay(0)).run()).toEqual(upTo(1000))
    const seen: unknown[] = []
    const sink = forEach((n) => void seen.push(n))
    const run = pipeline(source(probe([1], 'hang')), delay(Infinity), sink).start()
    await pass(1e9)
    expect(seen).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
    await Promise.all([rejection(run.result), run.abort()])
  })

  test('keeps the order of thousands of values that come in many turns', async () => {
    const { tx, run, log, give } = timeline(delay(5), { capacity: 1000 })
    for (let n = 0; n < 3000; n += 100) {
      await give(...upTo(100).map((i) => n + i))
      await vi.advanceTimersByTimeAsync(1)
    }
    tx.close()
    await pass(10)
    await run.result
    expect(log).toEqual(upTo(3000).map((n) => `${5 + Math.floor(n / 100)}: ${n}`))
  })

  test('refuses a time that is none', () => {
    expect(() => delay(-1)).toThrow('Cannot create delay: "ms" must be a number of milliseconds >= 0, got -1')
    expect(() => delay(NaN)).toThrow(RangeError)
  })
})
