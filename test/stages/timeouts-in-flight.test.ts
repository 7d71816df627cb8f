/** `timeout`: each call has its own deadline, however many are in flight, and no timer outlives the run. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { drain, map, pipeline, range, take, unfold } from 'sluice'
import { virtualTime, type VirtualTime } from 'sluice/testing'
import { never, outcome } from '../pipeline/support-waiting.ts'

describe('timeout of calls in flight', () => {
  let time: VirtualTime
  beforeEach(() => void (time = virtualTime()))
  afterEach(() => time.restore())
  const after = <T>(ms: number, value: T) => new Promise<T>((resolve) => setTimeout(() => resolve(value), ms))

  test('counts from the call, also after calls that came back at once', async () => {
    const failed: [number, number][] = []
    const run = pipeline(
      range(100),
      map((n) => (n % 10 === 9 ? never() : Promise.resolve(n)), {
        timeout: 50,
        onError: ({ value }) => void failed.push([value, time.now]),
      }),
    ).run()
    await time.advance(10_000)
    expect(failed).toEqual(Array.from({ length: 10 }, (_, i) => [10 * i + 9, 50 * (i + 1)]))
    expect(await run).toHaveLength(90)
    expect(time.pending).toBe(0)
  })

  test('fails just those that are late, of thousands, and drops what they give later', async () => {
    const run = pipeline(
      range(5000),
      map((n) => after(n % 100, n), { timeout: 50, concurrency: 5000, onError: 'skip' }),
    ).run({ capacity: 5000 })
    await time.advance(1000)
    const out = await run
    expect(out.filter((n) => n % 100 > 50)).toEqual([])
    expect(out.filter((n) => n % 100 < 50)).toHaveLength(2500)
    expect(time.pending).toBe(0)
  })

  test('gives each further call its own time', async () => {
    const calls: number[] = []
    const call = () => (calls.push(time.now), calls.length < 3 ? never() : after(49, 'made it'))
    const retry = { attempts: 3, delay: 10, factor: 1, jitter: 0 }
    const run = pipeline(range(1), map(call, { timeout: 50, retry })).run()
    await time.advance(1000)
    expect(calls).toEqual([0, 60, 120])
    expect(await run).toEqual(['made it'])
  })

  test('leaves no timer at the moment the run has ended', async () => {
    for (const concurrency of [1, 8]) {
      await pipeline(
        range(100),
        map((n) => Promise.resolve(n), { timeout: 50, concurrency }),
        drain(),
      ).run()
      expect(time.pending).toBe(0)
    }
  })

  test('leaves no timer of a source that was left while it was called', async () => {
    const run = pipeline(
      unfold(0, (n): Promise<[number, number]> => (n < 3 ? Promise.resolve([n, n + 1]) : never()), {
        timeout: 60_000,
      }),
      take(3),
    ).run()
    expect(await run).toEqual([0, 1, 2])
    expect(time.pending).toBe(0)
  })

  test('leaves no timer of a call that aborts its run', async () => {
    const run = pipeline(
      range(1),
      map(
        () => {
          void run.abort('stop').catch(() => {})
          return never()
        },
        { timeout: 60_000 },
      ),
    ).start()
    expect(await outcome(run.result)).toEqual({ state: 'rejected', error: 'stop' })
    expect(time.pending).toBe(0)
  })
})
