/** interval() and unfold(): sources that make what they give. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { count, drain, forEach, interval, map, pipeline, take, unfold } from 'sluice'
import { stageError, unhandledDuring } from '../pipeline/support-leaks.ts'
import { upTo } from '../pipeline/support-sources.ts'
import { deferred, never, rejection, settledWithin, stable, turns } from '../pipeline/support-waiting.ts'
import { clockLog, fakeTime, pass } from './support-timeline.ts'

describe('interval(ms)', () => {
  beforeEach(fakeTime)
  afterEach(() => {
    vi.unstubAllGlobals()
    vi.useRealTimers()
  })

  test('counts from 0, the first after ms', async () => {
    const { log, note } = clockLog()
    const run = pipeline(interval(100), take(3), forEach(note)).run()
    await pass(99)
    expect(log).toEqual([])
    await pass(300)
    await run
    expect(log).toEqual(['100: 0', '200: 1', '300: 2'])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('does not drift, neither by late timers nor by fractions', async () => {
    const { setTimeout } = globalThis
    vi.stubGlobal('setTimeout', (fire: () => void, ms: number) => setTimeout(fire, ms + 3))
    const { log, note } = clockLog()
    const run = pipeline(interval(100 / 3), take(30), forEach(note)).run()
    await pass(1100)
    await run
    expect(log.at(-1)).toBe('1003: 29')
  })

  test('lets ticks for which there is no room, or no time, coalesce into one', async () => {
    const { log, note } = clockLog()
    const gate = deferred()
    const run = pipeline(
      interval(10),
      forEach((n: number) => {
        note(n)
        return n === 0 ? gate.promise : undefined
      }),
    ).start({ capacity: 0 })
    await pass(1005)
    expect(log).toEqual(['10: 0'])
    expect(vi.getTimerCount()).toBe(0)
    gate.resolve()
    await pass(10) // 1015
    expect(log).toEqual(['10: 0', '1005: 1', '1010: 2'])
    await run.stop()
  })

  test('ends on a stop, and clears its timer at once; so it does at an abort and where the reader leaves', async () => {
    const stopped = pipeline(interval(100)).start()
    await pass(250)
    expect(await stopped.stop()).toEqual([0, 1])
    expect(vi.getTimerCount()).toBe(0)
    const aborted = pipeline(interval(100)).start()
    await pass(50)
    expect(vi.getTimerCount()).toBe(1)
    await Promise.all([rejection(aborted.result), aborted.abort()])
    expect(vi.getTimerCount()).toBe(0)
    const failed = pipeline(
      interval(100),
      map(() => Promise.reject<number>(new Error('boom'))),
    ).run()
    const error = stageError(failed)
    await pass(100)
    expect((await error).stage).toBe('map')
    expect(vi.getTimerCount()).toBe(0)
  })

  test('begins anew in every run', async () => {
    const pipe = pipeline(interval(10), take(2))
    for (let n = 0; n < 2; n++) {
      const run = pipe.run()
      await pass(20)
      expect(await run).toEqual([0, 1])
    }
  })

  test('refuses a time that is not above zero', () => {
    expect(() => interval(0)).toThrow(
      'Cannot create interval: "ms" must be a number of milliseconds > 0, got 0',
    )
    expect(() => interval(NaN)).toThrow(RangeError)
  })
})

describe('unfold(seed, fn)', () => {
  const fibonacci = ([a, b]: [number, number]): [number, [number, number]] => [a, [b, a + b]]

  test('gives values and hands on the state, until undefined', async () => {
    for (const capacity of [0, 1, 256]) {
      const start: [number, number] = [0, 1]
      expect(await pipeline(unfold(start, fibonacci), take(8)).run({ capacity })).toEqual([
        0, 1, 1, 2, 3, 5, 8, 13,
      ])
      const pages = unfold('', async (page) => {
        await turns(1)
        return page.length < 3 ? [page.length, `${page}.`] : undefined
      })
      expect(await pipeline(pages).run({ capacity })).toEqual([0, 1, 2])
    }
    expect(await pipeline(unfold(0, () => undefined)).run()).toEqual([])
  })

  test('gives any value, undefined included, and starts from its seed in every run', async () => {
    const twice = pipeline(unfold(0, (n) => (n < 2 ? [undefined, n + 1] : undefined)))
    expect([await twice.run(), await twice.run()]).toEqual([
      [undefined, undefined],
      [undefined, undefined],
    ])
  })

  test('calls its function only when there is room, and never twice at a time', async () => {
    for (const capacity of [0, 1, 5])
      for (const slow of [true, false]) {
        let calls = 0
        let inFlight = 0
        let most = 0
        const naturals = unfold(0, (n) => {
          calls++
          if (!slow) return [n, n + 1]
          most = Math.max(most, ++inFlight)
          return turns(1).then(() => {
            inFlight--
            return [n, n + 1] as const
          })
        })
        const run = pipeline(naturals, forEach(never)).start({ capacity })
        expect(await stable(() => calls)).toBeLessThanOrEqual(capacity + 1)
        expect(most).toBe(slow ? 1 : 0)
        await Promise.all([rejection(run.result), run.abort()])
      }
  })

  test('gives time back while it makes millions of values at once', async () => {
    let done = false
    const run = pipeline(
      unfold(0, (n) => (n < 2_000_000 ? [n, n + 1] : undefined)),
      count(),
    ).run()
    void run.then(() => (done = true))
    await turns(3)
    expect(done).toBe(false)
    expect(await run).toBe(2_000_000)
  })

  test('gets the index and a signal, which aborts when no more is wanted', async () => {
    const indices: number[] = []
    let aborted = false
    const run = pipeline(
      unfold('x', (state, index, { signal, name }) => {
        indices.push(index)
        if (index < 2) return [name, state]
        return new Promise<undefined>((done) =>
          signal.addEventListener('abort', () => {
            aborted = true
            done(undefined)
          }),
        )
      }),
      take(2),
    ).run({ capacity: 1 })
    expect(await run).toEqual(['unfold', 'unfold'])
    expect([indices.slice(0, 2), aborted]).toEqual([[0, 1], indices.length > 2])
  })

  test('does not wait for a call that hangs when the reader leaves, and aborts its signal', async () => {
    let signal: AbortSignal | undefined
    const stuck = unfold(0, (n, _, context) => {
      signal = context.signal
      return n < 1 ? [n, n + 1] : never()
    })
    expect(await pipeline(stuck, take(1)).run()).toEqual([0])
    const run = pipeline(stuck).start()
    await turns(3)
    expect(signal!.aborted).toBe(false)
    expect(await run.stop()).toEqual([0])
    expect(signal!.aborted).toBe(true)
    const aborted = pipeline(stuck, drain()).start()
    const reason = new Error('enough')
    await turns(3)
    expect(await Promise.all([rejection(aborted.result), aborted.abort(reason)])).toEqual([reason, undefined])
    expect(signal!.aborted).toBe(true)
  })

  test('pulls no more after a stop, and lets what is as good as there come out', async () => {
    const gate = deferred()
    const calls: number[] = []
    const run = pipeline(
      unfold(0, async (n) => {
        calls.push(n)
        if (n === 2) await gate.promise
        return [n, n + 1]
      }),
    ).start()
    await stable(() => calls.length)
    const stopped = run.stop()
    gate.resolve()
    expect(await stopped).toEqual([0, 1, 2])
    expect(calls).toEqual([0, 1, 2])
    let made = 0
    const busy = pipeline(
      unfold(0, (n) => [made++, n + 1]),
      count(),
    ).start()
    await turns(2)
    const ended = busy.stop()
    const before = made
    expect(await ended).toBe(before)
    expect(made).toBe(before)
  })

  test('fails with what its function throws, after what came before', async () => {
    const boom = new Error('boom')
    const seen: number[] = []
    for (const slow of [true, false]) {
      seen.length = 0
      const run = pipeline(
        unfold(0, (n) => {
          if (n < 3) return [n, n + 1]
          if (slow) return Promise.reject(boom)
          throw boom
        }),
        forEach((n) => void seen.push(n)),
      ).run()
      const error = await stageError(run)
      expect(error).toMatchObject({ stage: 'unfold', index: 0, cause: boom, suppressed: [] })
      expect(error.value).toBeUndefined()
      expect(seen).toEqual([0, 1, 2])
    }
  })

  test('fails where its function gives neither a pair nor undefined', async () => {
    const wanted = 'a function that gives [value, next] or undefined'
    for (const [wrong, got] of [
      [42, '42'],
      [null, 'null'],
      [Promise.resolve({}), 'Object'],
    ]) {
      const error = await stageError(pipeline(unfold(0, () => wrong as never)).run())
      expect(error.cause).toEqual(
        new TypeError(`Cannot unfold: "fn" must be ${wanted}, got ${got as string}`),
      )
    }
    expect(() => unfold(0, 1 as never)).toThrow('Cannot create unfold: "fn" must be a function, got 1')
  })

  test('calls again as `retry` says, with the same state and index', async () => {
    const calls: [number, number][] = []
    const flaky = unfold(
      0,
      async (n, index) => {
        calls.push([n, index])
        if (calls.length % 2 === 1) throw new Error('flaky')
        return n < 2 ? ([n, n + 1] as const) : undefined
      },
      { retry: { attempts: 2, delay: 0 } },
    )
    expect(await pipeline(flaky).run()).toEqual([0, 1])
    expect(calls).toEqual([
      [0, 0],
      [0, 0],
      [1, 1],
      [1, 1],
      [2, 2],
      [2, 2],
    ])
  })

  test('fails with a TimeoutError where a call takes longer than `timeout`', async () => {
    const error = await stageError(pipeline(unfold(0, () => never(), { timeout: 1 })).run())
    expect(error.cause).toMatchObject({ name: 'TimeoutError' })
  })

  test('leaves no rejection unhandled by a call that fails after the run', async () => {
    const gate = deferred()
    const unhandled = await unhandledDuring(async () => {
      const late = unfold(0, async (n) => {
        if (n === 1) await gate.promise
        return [n, n + 1]
      })
      expect(await pipeline(late, take(1)).run()).toEqual([0])
      gate.reject(new Error('late'))
      expect(await settledWithin(gate.promise, 2)).toBe(true)
    })
    expect(unhandled).toEqual([])
  })

  test('counts what it made as sent', async () => {
    const run = pipeline(unfold(0, (n) => (n < 300 ? [n, n + 1] : undefined))).start()
    expect(await run.result).toEqual(upTo(300))
    expect(run.stats().stages[0]).toMatchObject({ name: 'unfold', received: 0, sent: 300 })
  })
})
