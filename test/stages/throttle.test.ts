/** throttle(): evenly spaced, in bursts, and never more than it says. Time is virtual. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { drain, pipeline, range, source, take, throttle } from 'sluice'
import { naturals, probe, upTo } from '../pipeline/support-sources.ts'
import { deferred, rejection, stable } from '../pipeline/support-waiting.ts'
import { fakeTime, pass, timeline } from './support-timeline.ts'

beforeEach(fakeTime)
afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

/** Makes every timer fire later than it should. */
function lateTimers(by: () => number): void {
  const { setTimeout } = globalThis
  vi.stubGlobal('setTimeout', (fire: () => void, ms: number) => setTimeout(fire, ms + by()))
}

/** The times of a log. */
const times = (log: string[]): number[] => log.map((line) => Number.parseInt(line, 10))

/** The most values in any `span` milliseconds. */
function densest(at: number[], span: number): number {
  return Math.max(...at.map((begin) => at.filter((time) => time >= begin && time < begin + span).length))
}

describe('throttle({ count, per })', () => {
  test('lets the first value pass at once and spaces the others evenly', async () => {
    const { tx, run, log, give } = timeline(throttle({ count: 10, per: 1000 }))
    await give(...upTo(5))
    await pass(1000)
    expect(log).toEqual(['0: 0', '100: 1', '200: 2', '300: 3', '400: 4'])
    tx.close()
    await run.result
  })

  test('does not drift where its turns are no whole milliseconds', async () => {
    const { tx, run, log, give } = timeline(throttle({ count: 3, per: 100 }))
    await give(...upTo(31))
    await pass(1000)
    expect(times(log)).toEqual(upTo(31).map((n) => Math.ceil((n * 100) / 3)))
    tx.close()
    await run.result
  })

  test('does not drift where timers fire late', async () => {
    lateTimers(() => 3)
    const { tx, run, log, give } = timeline(throttle({ count: 1, per: 10 }))
    await give(...upTo(100))
    await pass(2000)
    expect(times(log)).toEqual(upTo(100).map((n) => (n === 0 ? 0 : n * 10 + 3)))
    tx.close()
    await run.result
  })

  test('makes up for timers that fire late however little room there is before and behind it', async () => {
    lateTimers(() => 3)
    for (const capacity of [0, 1, 256]) {
      const { tx, run, log, give } = timeline(throttle({ count: 1, per: 1 }), { capacity })
      await give(...upTo(100))
      await pass(200)
      expect(times(log)).toEqual(upTo(100).map((n) => Math.ceil(n / 4) * 4))
      tx.close()
      await run.result
    }
  })

  test('lets go of the turns that nobody took', async () => {
    const { tx, run, log, give } = timeline(throttle({ count: 1, per: 10 }))
    await give(1)
    await pass(1000)
    await give(2, 3, 4)
    await pass(100)
    expect(log).toEqual(['0: 1', '1000: 2', '1010: 3', '1020: 4'])
    tx.close()
    await run.result
  })

  test('lets `burst` values pass at once after a pause, and keeps the pace', async () => {
    const { tx, run, log, give } = timeline(throttle({ count: 1, per: 10, burst: 3 }))
    await give(...upTo(6))
    await pass(35)
    expect(log).toEqual(['0: 0', '0: 1', '0: 2', '10: 3', '20: 4', '30: 5'])
    await give(6, 7) // 35: half a turn has been saved
    await pass(1000)
    expect(log.slice(6)).toEqual(['40: 6', '50: 7'])
    await give(...upTo(4)) // 1035
    await pass(100)
    expect(log.slice(8)).toEqual(['1035: 0', '1035: 1', '1035: 2', '1045: 3'])
    tx.close()
    await run.result
  })

  test('never lets more than count + burst pass in any `per` milliseconds, whatever is late', async () => {
    let seed = 12345
    const random = (): number => (seed = (seed * 48271) % 2147483647) / 2147483647
    lateTimers(() => Math.floor(random() * 15))
    const { tx, run, log, give } = timeline(throttle({ count: 5, per: 100, burst: 2 }))
    let sent = 0
    for (let n = 0; n < 150; n++) {
      if (sent < 200 && random() < 0.5) await give(...upTo(4).map(() => sent++))
      await pass(Math.floor(random() * 45))
    }
    tx.close()
    await pass(10_000)
    await run.result
    expect(log).toHaveLength(sent)
    expect(densest(times(log), 100)).toBeLessThanOrEqual(5 + 2)
  })

  test('makes up for a long block of the event loop by one value only', async () => {
    const { tx, run, log, give } = timeline(throttle({ count: 1, per: 10 }))
    await give(...upTo(6))
    await pass(5)
    const now = performance.now()
    vi.spyOn(performance, 'now').mockImplementation(() => now + 95)
    await pass(5) // the timer of 10 fires, and the clock says 100
    expect(log.slice(0, 4).map((line) => line.split(' ')[1])).toEqual(['0', '1', '2'])
    vi.restoreAllMocks()
    await Promise.all([rejection(run.result), run.abort()])
    tx.close()
  })

  test('drops nothing and holds its source back', async () => {
    const all = pipeline(range(500), throttle({ count: 7, per: 3 })).run()
    await pass(1000)
    expect(await all).toEqual(upTo(500))
    for (const capacity of [0, 1, 5]) {
      const input = probe(naturals)
      const run = pipeline(source(input), throttle({ count: 1, per: 1000 }), drain()).start({ capacity })
      // one has passed
      expect(await stable(() => input.pulled)).toBeLessThanOrEqual(1 + 1 + capacity + 1)
      await Promise.all([rejection(run.result), run.abort()])
    }
  })

  test('saves no more than its burst while the reader is slow', async () => {
    for (const capacity of [0, 1, 2]) {
      const gate = deferred()
      const { tx, run, log, give } = timeline(throttle({ count: 1, per: 10, burst: 3, capacity }), {
        act: () => gate.promise,
      })
      await give(...upTo(10))
      await pass(1000)
      expect(log).toEqual(['0: 0'])
      gate.resolve()
      await pass(1000)
      // those in the channel had their turns before
      const late = times(log).slice(1 + capacity)
      expect(late).toEqual(upTo(9 - capacity).map((n) => 1000 + 10 * Math.max(0, n - 2)))
      tx.close()
      await run.result
    }
  })

  test('keeps no timer where nothing waits, and none after the end, an abort, or a reader that left', async () => {
    const { tx, run, give } = timeline(throttle({ count: 1, per: 10 }))
    await give(1)
    expect(vi.getTimerCount()).toBe(0)
    await give(2)
    expect(vi.getTimerCount()).toBe(1)
    await run.abort()
    expect(vi.getTimerCount()).toBe(0)
    tx.close()
    const left = pipeline(range(9), throttle({ count: 1, per: 10 }), take(2)).run()
    await pass(10)
    expect(await left).toEqual([0, 1])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('refuses numbers that make no pace', () => {
    expect(() => throttle({ count: 0, per: 1 })).toThrow(
      'Cannot create throttle: "count" must be an integer >= 1, got 0',
    )
    expect(() => throttle({ count: 1, per: 0 })).toThrow(
      'Cannot create throttle: "per" must be a finite number of milliseconds > 0, got 0',
    )
    expect(() => throttle({ count: 1, per: Infinity })).toThrow(RangeError)
    expect(() => throttle({ count: 1, per: 1, burst: 0 })).toThrow('"burst" must be an integer >= 1, got 0')
  })
})
