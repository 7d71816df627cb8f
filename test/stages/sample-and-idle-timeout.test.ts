/** sample() and idleTimeout(): what comes when, and what does not come. Time is virtual. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { channel, delay, drain, forEach, idleTimeout, pipeline, sample, source, take } from 'sluice'
import { stageError } from '../pipeline/support-leaks.ts'
import { naturals, probe, upTo } from '../pipeline/support-sources.ts'
import { deferred, rejection, turns } from '../pipeline/support-waiting.ts'
import { fakeTime, pass, timeline } from './support-timeline.ts'

beforeEach(fakeTime)
afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

describe('sample(ms)', () => {
  test('gives the latest of each interval, at its end, and nothing where nothing is new', async () => {
    const { tx, run, log, give } = timeline(sample(100))
    await give(1, 2)
    await pass(30) //  30
    await give(3)
    await pass(70) // 100
    await pass(150) // 250    nothing came from 100 to 200
    await give(4)
    await pass(49) // 299
    expect(log).toEqual(['100: 3'])
    await pass(1)
    expect(log).toEqual(['100: 3', '300: 4'])
    tx.close()
    await run.result
    expect(log).toHaveLength(2)
  })

  test('counts intervals from the start of the run, not from a value', async () => {
    const { tx, run, log, give } = timeline(sample(100))
    await pass(90)
    await give(1)
    await pass(20) // 110
    await give(2)
    await pass(85) // 195
    await give(3)
    await pass(5)
    expect(log).toEqual(['100: 1', '200: 3'])
    tx.close()
    await run.result
  })

  test('gives the one still held at the end, on a stop, and before a failure passes', async () => {
    const ended = timeline(sample(100))
    await ended.give(1, 2)
    ended.tx.close()
    await ended.run.result
    expect(ended.log).toEqual(['0: 2'])

    const stopped = timeline(sample(100))
    await stopped.give(1, 2)
    await stopped.run.stop()
    expect(stopped.log).toEqual(['0: 2'])

    const failed = timeline(sample(100))
    await failed.give(1, 2)
    const boom = new Error('boom')
    failed.tx.fail(boom)
    expect((await stageError(failed.run.result)).cause).toBe(boom)
    expect(failed.log).toEqual(['0: 2'])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('keeps the latest while there is no room, and gives it as soon as there is', async () => {
    const gate = deferred()
    const { tx, run, log, give } = timeline(sample(100), { capacity: 0, act: () => gate.promise })
    await give(1)
    await pass(100) // the sink has 1
    await give(2)
    await pass(250) // 350  no room at 200 nor at 300
    await give(...upTo(200))
    expect(log).toEqual(['100: 1'])
    gate.resolve()
    await pass(0)
    expect(log).toEqual(['100: 1', '350: 199'])
    await give(7)
    await pass(100)
    expect(log.slice(2)).toEqual(['400: 7'])
    tx.close()
    await run.result
  })

  test('reads on while there is no room, however much comes', async () => {
    const input = probe(naturals)
    const run = pipeline(
      source(input),
      sample(100),
      forEach(() => new Promise(() => {})),
    ).start({ capacity: 1 })
    await pass(1000)
    const { pulled } = input
    await pass(100)
    expect(input.pulled).toBeGreaterThan(pulled)
    await Promise.all([rejection(run.result), run.abort()])
  })

  test('has a timer only while it holds a value', async () => {
    const { tx, run, give } = timeline(sample(100))
    await pass(500)
    expect(vi.getTimerCount()).toBe(0)
    await give(1, 2)
    expect(vi.getTimerCount()).toBe(1)
    await pass(100)
    expect(vi.getTimerCount()).toBe(0)
    await give(3)
    await run.abort()
    expect(vi.getTimerCount()).toBe(0)
    tx.close()
  })

  test('closes its source once when the reader leaves', async () => {
    const input = probe(naturals)
    const run = pipeline(source(input), sample(100), take(2)).run()
    await pass(200)
    expect(await run).toHaveLength(2)
    expect(input.returned).toBe(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('refuses a time that is not above zero', () => {
    expect(() => sample(0)).toThrow('Cannot create sample: "ms" must be a number of milliseconds > 0, got 0')
    expect(() => sample(NaN)).toThrow(RangeError)
  })
})

describe('idleTimeout(ms)', () => {
  test('fails when nothing has come for so long, after what came before', async () => {
    const { run, log, give } = timeline(idleTimeout(100))
    await pass(90)
    await give(1)
    await pass(90) // 180
    await give(2)
    await pass(99) // 279
    expect(log).toEqual(['90: 1', '180: 2'])
    const error = stageError(run.result)
    await pass(1)
    expect(await error).toMatchObject({ stage: 'idleTimeout', index: 1, cause: { name: 'TimeoutError' } })
    expect((await error).message).toBe('Stage "idleTimeout" failed: No value came for 100 ms')
    expect(vi.getTimerCount()).toBe(0)
  })

  test('counts from the start of the run, and closes its source', async () => {
    const input = probe([], 'hang')
    const run = pipeline(source(input), idleTimeout(100), drain()).run()
    const error = stageError(run)
    await pass(99)
    expect(input.returned).toBe(0)
    await pass(1)
    expect((await error).cause).toMatchObject({ name: 'TimeoutError' })
    expect(input.returned).toBe(1)
  })

  test('does not count the time for which there is no room', async () => {
    const gate = deferred()
    const { tx, run, log, give } = timeline(idleTimeout(100), { capacity: 0, act: () => gate.promise })
    await give(1, 2, 3)
    await pass(1000)
    gate.resolve()
    await pass(99)
    expect(log).toEqual(['0: 1', '1000: 2', '1000: 3'])
    const error = stageError(run.result)
    await pass(1)
    expect((await error).cause).toMatchObject({ name: 'TimeoutError' })
    tx.close()
  })

  test('waits for room without a timer, however short its time is', async () => {
    for (const ms of [0, 5]) {
      const gate = deferred()
      const [tx, rx] = channel<number>(10)
      const held = pipeline(
        source(rx),
        idleTimeout(ms),
        forEach(() => gate.promise),
      ).run({ capacity: 0 })
      for (let n = 0; n < 5; n++) tx.trySend(n)
      await pass(10)
      expect(vi.getTimerCount()).toBe(0)
      tx.close()
      gate.resolve()
      await held
    }
  })

  test('does not fail at an end for which there is no room yet', async () => {
    const gate = deferred()
    const [tx, rx] = channel<number>(10)
    const seen: number[] = []
    const run = pipeline(
      source(rx),
      idleTimeout(100),
      forEach((n: number) => {
        seen.push(n)
        return gate.promise
      }),
    ).run({ capacity: 1 })
    await tx.sendMany([1, 2])
    tx.close()
    await pass(1000)
    gate.resolve()
    await run
    expect(seen).toEqual([1, 2])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('uses one timer for any number of values', async () => {
    const set = vi.fn(setTimeout)
    vi.stubGlobal('setTimeout', set)
    const { tx, run, give } = timeline(idleTimeout(100))
    for (let n = 0; n < 50; n++) {
      await give(n)
      await vi.advanceTimersByTimeAsync(1)
    }
    expect(vi.getTimerCount()).toBe(1)
    expect(set).toHaveBeenCalledTimes(1)
    tx.close()
    await run.result
    expect(vi.getTimerCount()).toBe(0)
  })

  test('leaves no timer after an abort, a stop, a failure, or a reader that left', async () => {
    const aborted = timeline(idleTimeout(100))
    await turns(2)
    await aborted.run.abort()
    const stopped = timeline(idleTimeout(100))
    await turns(2)
    await stopped.run.stop()
    const failed = timeline(idleTimeout(100))
    failed.tx.fail(new Error('boom'))
    await stageError(failed.run.result)
    await pipeline(source(probe([1, 2], 'hang')), idleTimeout(100), take(1)).run()
    expect(vi.getTimerCount()).toBe(0)
  })

  test('may watch the time between values that a stage before it holds back', async () => {
    const { tx, run, give } = timeline(pipelineOf())
    await give(1)
    const error = stageError(run.result)
    await pass(50)
    expect((await error).stage).toBe('idleTimeout')
    tx.close()
  })
})

/** A stage made of two: what is delayed has not come. */
function pipelineOf() {
  return pipeline(delay<number>(100), idleTimeout(50))
}
