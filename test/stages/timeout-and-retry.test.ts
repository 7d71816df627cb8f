/** `timeout` bounds each call, `retry` calls again: the wait between two calls is a timeline in virtual time. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { filter, flatMap, forEach, map, pipeline, range, source, type StageContext, tap } from 'sluice'
import { expectReleased, virtualTime, type VirtualTime } from 'sluice/testing'
import { stageError, timersLeftBy } from '../pipeline/support-leaks.ts'
import { never, outcome, rejection, turns, until } from '../pipeline/support-waiting.ts'

const boom = new Error('boom')

describe('timeout', () => {
  test('fails a call that takes too long with an error named TimeoutError, and aborts its signal', async () => {
    const signals: AbortSignal[] = []
    const slow = (n: number, _index: number, { signal }: { signal: AbortSignal }) => {
      signals.push(signal)
      return n === 1 ? never() : n
    }
    const error = await stageError(pipeline(range(3), map(slow, { timeout: 5 })).run())
    expect(error).toMatchObject({ stage: 'map', index: 1, value: 1, suppressed: [] })
    expect(error.cause).toMatchObject({ name: 'TimeoutError' })
    expect(signals[1].aborted).toBe(true)
    expect(signals[1].reason).toMatchObject({ name: 'TimeoutError' })
  })

  test('bounds the calls of filter, flatMap, tap and forEach, too', async () => {
    const timeout = { timeout: 3 }
    const runs = {
      filter: pipeline(range(3), filter(never, timeout)).run(),
      flatMap: pipeline(range(3), flatMap(never, timeout)).run(),
      tap: pipeline(range(3), tap(never, timeout)).run(),
      forEach: pipeline(range(3), forEach(never, timeout)).run(),
    }
    for (const [stage, run] of Object.entries(runs)) {
      const error = await stageError(run)
      expect(error).toMatchObject({ stage, value: 0 })
      expect(error.cause).toMatchObject({ name: 'TimeoutError' })
    }
  })

  test('counts for each call, not for the stage', async () => {
    const work = async (n: number) => (await turns(2), n)
    const out = await pipeline(range(300), map(work, { timeout: 60_000, concurrency: 2 })).run()
    expect(out).toHaveLength(300)
  })

  test('leaves no timer, neither after a call that made it nor after one that did not', async () => {
    const timers = await timersLeftBy(async () => {
      await pipeline(
        range(10),
        map(async (n) => (await turns(1), n), { timeout: 60_000 }),
      ).run()
      await pipeline(
        range(10),
        map((n) => n, { timeout: 60_000 }),
      ).run()
      await rejection(pipeline(range(10), map(never, { timeout: 2, concurrency: 3 })).run())
      await rejection(
        pipeline(
          range(10),
          map(() => Promise.reject(boom), { timeout: 60_000 }),
        ).run(),
      )
    })
    expect(timers).toBe(0)
  })

  test('gives a signal that knows what has happened, whenever it is asked for', async () => {
    const contexts: StageContext[] = []
    const keep = (answer: () => unknown) => (_n: number, _index: number, context: StageContext) => (
      contexts.push(context),
      answer()
    )
    // Late; aborted with its run while it waits; over before the run is aborted.
    await rejection(pipeline(range(1), map(keep(never), { timeout: 2 })).run())
    const aborted = pipeline(range(1), map(keep(never), { timeout: 60_000 })).start()
    aborted.result.catch(() => {})
    await until(() => contexts.length === 2)
    await aborted.abort(boom)
    const ended = pipeline(
      range(2),
      map(
        keep(() => turns(1)),
        { timeout: 60_000 },
      ),
      forEach(never),
    ).start()
    ended.result.catch(() => {})
    await until(() => ended.stats().stages[1].sent > 0)
    expect(contexts[2].signal.aborted).toBe(false)
    await ended.abort(boom)

    expect(contexts[0].signal.reason).toMatchObject({ name: 'TimeoutError' })
    expect(contexts[1].signal.reason).toBe(boom)
    expect(contexts[2].signal.aborted).toBe(false)
    expect(contexts.map(({ name }) => name)).toEqual(contexts.map(() => 'map'))
  })

  test('above 2^31 − 1 or endless does not fire at once', async () => {
    for (const timeout of [2 ** 31, 1e12, Infinity]) {
      const out = await pipeline(
        range(2),
        map(async (n) => (await turns(3), n), { timeout }),
      ).run()
      expect(out).toEqual([0, 1])
    }
  })
})

describe('retry', () => {
  let time: VirtualTime
  beforeEach(() => void (time = virtualTime()))
  afterEach(() => time.restore())
  const advance = (ms: number) => time.advance(ms)

  /** A run of one value through a map whose first `failures` calls fail; `calls` has the time of each call. */
  function failingRun(failures: number, options: NonNullable<Parameters<typeof map<number, string>>[1]>) {
    const calls: number[] = []
    const begin = Date.now()
    const attempt = (n: number) => {
      calls.push(Date.now() - begin)
      return calls.length <= failures ? Promise.reject(new Error(`no ${calls.length}`)) : `ok ${n}`
    }
    const run = outcome(pipeline(source([7]), map(attempt, options)).run())
    return { calls, run }
  }

  const plain = { delay: 100, jitter: 0 }

  test('of n makes n further calls and then fails with the last error', async () => {
    const { calls, run } = failingRun(Infinity, { retry: 2 })
    await advance(10_000)
    expect(calls).toHaveLength(3)
    const end = await run
    expect(end).toMatchObject({
      state: 'rejected',
      error: { stage: 'map', value: 7, cause: { message: 'no 3' } },
    })
  })

  test('of n stops calling when a call succeeds', async () => {
    const { calls, run } = failingRun(1, { retry: 5 })
    await advance(10_000)
    expect(await run).toEqual({ state: 'resolved', value: ['ok 7'] })
    expect(calls).toHaveLength(2)
  })

  test('of 0 makes no further call', async () => {
    const { calls, run } = failingRun(Infinity, { retry: 0 })
    await advance(10_000)
    expect((await run).state).toBe('rejected')
    expect(calls).toHaveLength(1)
  })

  test('with attempts: n makes n calls in all', async () => {
    const { calls, run } = failingRun(Infinity, { retry: { attempts: 4, ...plain } })
    await advance(10_000)
    expect((await run).state).toBe('rejected')
    expect(calls).toHaveLength(4)
  })

  test('waits delay, then factor times as long each time, and never longer than maxDelay', async () => {
    const retry = { attempts: 6, delay: 100, factor: 3, maxDelay: 1_000, jitter: 0 }
    const { calls, run } = failingRun(5, { retry })
    await advance(10_000)
    expect((await run).state).toBe('resolved')
    // waits: 100, 300, 900, then 2,700 and 8,100 cut to 1,000
    expect(calls).toEqual([0, 100, 400, 1_300, 2_300, 3_300])
  })

  test('waits 100 and then twice as long each time unless told otherwise, up to 30 seconds', async () => {
    const { calls, run } = failingRun(11, { retry: { attempts: 12, jitter: 0 } })
    await advance(200_000)
    expect((await run).state).toBe('resolved')
    const waits = calls.slice(1).map((at, index) => at - calls[index])
    expect(waits).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000])
  })

  test('waits between half of the delay and all of it by default', async () => {
    const waits: number[] = []
    for (let round = 0; round < 20; round++) {
      const { calls, run } = failingRun(1, { retry: 1 })
      await advance(1_000)
      await run
      waits.push(calls[1] - calls[0])
    }
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(49)
    expect(Math.max(...waits)).toBeLessThanOrEqual(101)
    expect(new Set(waits).size).toBeGreaterThan(1)
  })

  test('goes on only when `when` agrees', async () => {
    const asked: unknown[] = []
    const when = (error: unknown) => (asked.push(error), (error as Error).message !== 'no 2')
    const { calls, run } = failingRun(Infinity, { retry: { attempts: 9, ...plain, when } })
    await advance(10_000)
    expect(await run).toMatchObject({ state: 'rejected', error: { cause: { message: 'no 2' } } })
    expect(calls).toHaveLength(2)
    expect(asked).toMatchObject([{ message: 'no 1' }, { message: 'no 2' }])
  })

  test('loses no error where `when` throws: that is the cause, and the error of the call is suppressed', async () => {
    const thrown = new Error('when threw')
    const when = () => {
      throw thrown
    }
    for (const onError of ['fail', 'skip'] as const) {
      const run = pipeline(
        range(1),
        map(() => Promise.reject(boom), { retry: { when }, onError }),
      ).start()
      const error = await stageError(run.result)
      expect(error).toMatchObject({ stage: 'map', value: 0, cause: thrown })
      expect(error.suppressed).toMatchObject([{ stage: 'map', value: 0, cause: boom }])
      expect(run.stats().stages[1].failed).toBe(1)
    }
  })

  test('calls with the same value and index, and keeps the order of an ordered map', async () => {
    const calls: string[] = []
    const run = pipeline(
      range(3),
      map(
        (n, index) => {
          calls.push(`${n}@${index}`)
          return n === 0 && calls.length < 5 ? Promise.reject(boom) : n
        },
        { concurrency: 3, retry: { attempts: 3, ...plain } },
      ),
    ).run()
    await advance(1_000)
    expect(await run).toEqual([0, 1, 2])
    expect(calls).toEqual(['0@0', '1@1', '2@2', '0@0', '0@0'])
  })

  test('bounds each call by its timeout', async () => {
    let calls = 0
    const run = outcome(
      pipeline(
        source([7]),
        map(() => (calls++, never()), { timeout: 50, retry: { attempts: 2, ...plain } }),
      ).run(),
    )
    await advance(49)
    expect(calls).toBe(1)
    await advance(1)
    await advance(100)
    expect(calls).toBe(2)
    await advance(50)
    expect(await run).toMatchObject({ state: 'rejected', error: { cause: { name: 'TimeoutError' } } })
  })

  test('ends its wait when the run is aborted, and leaves no timer', async () => {
    const controller = new AbortController()
    let calls = 0
    const attempt = () => (calls++, Promise.reject(boom))
    const run = rejection(
      pipeline(source([7]), map(attempt, { retry: 5 })).run({ signal: controller.signal }),
    )
    await advance(1)
    controller.abort('stop')
    expect(await run).toBe('stop')
    expectReleased(time, controller.signal)
    await advance(10_000)
    expect(calls).toBe(1)
  })
})
