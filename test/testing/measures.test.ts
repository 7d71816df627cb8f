/** timeline(), gauge() and expectReleased(): what came out when, what was in flight, what is left. */
import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from 'vitest'
import { channel, forEach, map, pipeline, range, source, take, tap } from 'sluice'
import {
  expectReleased,
  fail,
  gauge,
  hang,
  pause,
  script,
  timeline,
  virtualTime,
  type VirtualTime,
} from 'sluice/testing'
import { naturals } from '../pipeline/support-sources.ts'
import { deferred, never, outcome } from '../pipeline/support-waiting.ts'

let time: VirtualTime
beforeEach(() => void (time = virtualTime()))
afterEach(() => time.restore())

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

describe('timeline()', () => {
  test('counts from when it was made, and writes within a pipeline as at its end', async () => {
    await time.advance(1_000)
    const [before, after] = [timeline<number>(), timeline<number>()]
    const slow = map(async (n: number) => (await sleep(10), n * 2))
    await time.runUntil(
      pipeline(source(script([1, 2, pause(50), 3])), tap(before), slow, forEach(after)).run(),
    )
    expect(before.entries).toEqual([
      [0, 1],
      [0, 2],
      [50, 3],
    ])
    expect(after.entries).toEqual([
      [10, 2],
      [20, 4],
      [60, 6],
    ])
  })

  test('writes down what was dropped', async () => {
    const dropped = timeline()
    const half = map((n: number) => (n % 2 ? Promise.reject(new Error('odd')) : n), { onError: dropped })
    expect(await pipeline(range(4), half).run()).toEqual([0, 2])
    expect(dropped.entries).toMatchObject([
      [0, { value: 1 }],
      [0, { value: 3 }],
    ])
  })

  test('tells how many values were between a source and a sink that reads late', async () => {
    const input = script(naturals)
    const seen = timeline(input)
    const slowly = async (n: number) => {
      await sleep(100)
      seen(n)
    }
    const run = pipeline(
      source(input),
      map((n) => n),
      forEach(slowly),
    ).start({ capacity: 2 })
    await time.advance(99)
    const full = seen.lag
    // two channels of 2, one value in the hands of each of three
    expect(full).toBeLessThanOrEqual(7)
    expect(full).toBeGreaterThanOrEqual(4)
    await time.advance(1_000)
    expect(seen.greatestLag).toBeLessThanOrEqual(7)
    const end = outcome(run.result)
    await run.abort()
    expect(await end).toMatchObject({ state: 'rejected' })
    expectReleased(input)
  })

  test('has its greatest lag right before a value, and counts from where the sources were', async () => {
    const input = { delivered: 10 }
    const seen = timeline(input, script([]))
    expect([seen.lag, seen.greatestLag]).toEqual([0, 0])
    input.delivered = 13
    seen(1)
    seen(2)
    expect([seen.lag, seen.greatestLag]).toEqual([1, 3])
    input.delivered = 16
    expect([seen.lag, seen.greatestLag]).toEqual([4, 4])
  })

  test('wants sources that count', () => {
    expect(() => timeline([] as never)).toThrow(
      'Cannot create timeline: "source" must be a script, got Array',
    )
    expect(() => timeline(undefined as never)).toThrow(TypeError)
  })
})

describe('gauge()', () => {
  test('sees the calls that are in flight together', async () => {
    const work = gauge(async (n: number) => (await sleep(n), n))
    const calls = [work(30), work(10), work(20)]
    expect([work.calls, work.inFlight, work.greatest]).toEqual([3, 3, 3])
    await time.advance(15)
    expect(work.inFlight).toBe(2)
    await time.advance(15)
    expect(await Promise.all(calls)).toEqual([30, 10, 20])
    expect([work.calls, work.inFlight, work.greatest]).toEqual([3, 0, 3])
  })

  test('counts a call that returns or throws at once, and one that rejects', async () => {
    const boom = new Error('boom')
    const fn = gauge((kind: string): unknown => {
      if (kind === 'throw') throw boom
      return kind === 'reject' ? Promise.reject(boom) : kind
    })
    expect(fn('value')).toBe('value')
    expect(() => fn('throw')).toThrow(boom)
    expect(await outcome(fn('reject') as Promise<unknown>)).toEqual({ state: 'rejected', error: boom })
    expect([fn.calls, fn.inFlight, fn.greatest]).toEqual([3, 0, 1])
  })

  test('wraps a method, which finds its object', () => {
    class Counter {
      total = 0
      add = gauge(function (this: Counter, n: number) {
        return (this.total += n)
      })
    }
    const counter = new Counter()
    counter.add(2)
    expect(counter.add(3)).toBe(5)
    expect([counter.total, counter.add.calls]).toEqual([5, 2])
  })

  test('has let a call go before its result is seen', async () => {
    const gate = deferred()
    const fn = gauge(() => gate.promise)
    const call = fn().then(() => fn.inFlight)
    gate.resolve()
    expect(await call).toBe(0)
  })

  test.each([1, 2, 5])('sees that a map of concurrency %i keeps to it', async (concurrency) => {
    const fn = gauge((n: number) => sleep(n % 3))
    await time.runUntil(pipeline(range(20), map(fn, { concurrency })).run())
    expect(fn.greatest).toBe(concurrency)
  })

  test('has the type of its function', () => {
    const fn = gauge((n: number, text: string) => text.repeat(n))
    expectTypeOf(fn).toBeCallableWith(1, 'a')
    expectTypeOf(fn(1, 'a')).toEqualTypeOf<string>()
    expect(() => gauge(5 as never)).toThrow('Cannot create gauge: "fn" must be a function, got 5')
  })
})

describe('expectReleased()', () => {
  test('is content with what has ended, has failed, was released, or was never opened', async () => {
    const boom = new Error('boom')
    const [ended, failed, released, unread] = [
      script([1]),
      script([fail(boom)]),
      script([1, hang()]),
      script([1]),
    ]
    const fn = gauge((n: number) => n)
    const [tx, rx] = channel<number>(1)
    const { signal } = new AbortController()
    await pipeline(source(ended), map(fn)).run({ signal })
    await outcome(pipeline(source(failed)).run({ signal }))
    await pipeline(source(released), take(1)).run({ signal })
    tx.close()
    rx.close()
    expectReleased(ended, failed, released, unread, fn, tx, rx, signal, time)
  })

  test('lists all that is left', async () => {
    const input = script([1, 2, hang()])
    const fn = gauge(never)
    const [tx, rx] = channel<number>(1, { name: 'spare' })
    const controller = new AbortController()
    const run = pipeline(source(input), forEach(fn)).start({ signal: controller.signal })
    const timer = setTimeout(() => {}, 50)
    await time.advance(1)
    expect(() => expectReleased(input, time, fn, rx, controller.signal)).toThrow(
      'Expected release: nothing may be left, got: a script not released after 2 of its values, ' +
        '1 timer pending at 1 ms, 1 call of a gauge in flight, handle of channel "spare" open, ' +
        '1 abort listener on a signal',
    )
    run.result.catch(() => {})
    await run.abort()
    rx.close()
    clearTimeout(timer)
    expectReleased(input, time, rx, tx, controller.signal)
  })

  test('says which reading was not released, and which was released twice', async () => {
    const input = script([1, 2])
    const [first, second, third] = [1, 2, 3].map(() => input[Symbol.asyncIterator]())
    await first.return?.()
    await second.next()
    await third.return?.()
    await third.return?.()
    expect(() => expectReleased(input)).toThrow(
      'got: reading 2 of a script not released after 1 of its values, reading 3 of a script released 2 times',
    )
  })

  test('does not mind a return after the end', async () => {
    const input = script([])
    const iterator = input[Symbol.asyncIterator]()
    await iterator.next()
    await iterator.return?.()
    expectReleased(input)
    expect(input.released).toBe(1)
  })

  test('counts an `onabort`, and none that was set back to null', () => {
    const { signal } = new AbortController()
    signal.onabort = () => {}
    expect(() => expectReleased(signal)).toThrow('1 abort listener on a signal')
    signal.onabort = null
    expectReleased(signal)
  })

  test('takes nothing that it cannot look at', () => {
    expect(() => expectReleased([] as never)).toThrow('Cannot expect release: "thing" must be a script')
    expect(() => expectReleased(null as never)).toThrow(TypeError)
  })
})
