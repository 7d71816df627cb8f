/** A stop ends the input and lets come out what is in flight; a deadline says for how long. */
import { describe, expect, test } from 'vitest'
import {
  batch,
  channel,
  drain,
  DrainTimeoutError,
  forEach,
  map,
  pipeline,
  range,
  source,
  toArray,
} from 'sluice'
import { virtualTime } from 'sluice/testing'
import { timersLeftBy, unhandledDuring } from './support-leaks.ts'
import { naturals, probe, upTo } from './support-sources.ts'
import { deferred, never, outcome, rejection, turns, until } from './support-waiting.ts'

describe.each([0, 1, 256])('stop() at capacity %i', (capacity) => {
  test('takes no new input, and every value that was read comes out', async () => {
    const input = probe(naturals)
    const run = pipeline(
      source(input),
      map(async (n) => (await turns(1), n), { concurrency: 3 }),
      map((n) => n),
      toArray(),
    ).start({ capacity })
    await until(() => input.pulled > 5)
    const result = await run.stop()
    expect(result).toEqual(upTo(input.pulled))
    expect(await run.result).toBe(result)
    expect(input.returned).toBe(1)
    const { pulled } = input
    await turns(3)
    expect(input.pulled).toBe(pulled)
  })

  test('flushes the batch that is being filled', async () => {
    const input = probe(upTo(5), 'hang')
    const run = pipeline(source(input), batch(3, { ms: 60_000 })).start({ capacity })
    await until(() => input.hangs)
    await turns(5)
    expect(await run.stop()).toEqual([
      [0, 1, 2],
      [3, 4],
    ])
  })

  test('does not wait for a source that hangs', async () => {
    const input = probe(upTo(3), 'hang')
    const run = pipeline(source(input), toArray()).start({ capacity })
    await until(() => input.hangs)
    await turns(5)
    expect(await run.stop()).toEqual([0, 1, 2])
    expect(input.returned).toBe(1)
  })

  test('closes the receiver the run reads from, even an idle one', async () => {
    const [tx, rx] = channel<number>(4)
    const run = pipeline(source(rx), toArray()).start({ capacity })
    await tx.send(1)
    await turns(5)
    expect(await run.stop()).toEqual([1])
    await tx.whenClosed()
    expect(tx.closed).toBe(true)
    tx.close()
  })
})

describe('stop()', () => {
  test('after the end gives the result, and so does every further call', async () => {
    const run = pipeline(range(3), toArray()).start()
    const result = await run.result
    expect(await run.stop()).toEqual([0, 1, 2])
    expect(await run.stop({ deadline: 1 })).toBe(result)
  })

  test('twice at once gives both the same result', async () => {
    const input = probe(naturals)
    const run = pipeline(source(input), toArray()).start({ capacity: 1 })
    await until(() => input.pulled > 2)
    const [one, two] = await Promise.all([run.stop(), run.stop({ deadline: 60_000 })])
    expect(two).toBe(one)
    expect(input.returned).toBe(1)
  })

  test('rejects with the failure of what is in flight', async () => {
    const input = probe(naturals)
    const gate = deferred()
    const boom = new Error('in flight')
    const run = pipeline(
      source(input),
      map(async () => (await gate.promise, Promise.reject(boom))),
      drain(),
    ).start({ capacity: 1 })
    await until(() => input.pulled > 1)
    const ends = Promise.all([rejection(run.stop()), rejection(run.result)])
    gate.resolve()
    const [stopped, result] = await ends
    expect(stopped).toMatchObject({ name: 'StageError', stage: 'map', cause: boom })
    expect(result).toBe(stopped)
  })

  test('with a deadline that is kept resolves and leaves no timer', async () => {
    const timers = await timersLeftBy(async () => {
      const input = probe(naturals)
      const run = pipeline(source(input), toArray()).start({ capacity: 1 })
      await until(() => input.pulled > 2)
      expect(await run.stop({ deadline: 60_000 })).toEqual(upTo(input.pulled))
    })
    expect(timers).toBe(0)
  })
})

describe('stop() with options that are none', () => {
  test('rejects, and the run goes on', async () => {
    for (const options of [null, 5, 'text']) {
      const run = pipeline(range(3)).start()
      const error = await rejection(run.stop(options as never))
      expect(error).toBeInstanceOf(TypeError)
      expect((error as TypeError).message).toMatch(/^Cannot stop: "options" must be an object, got /)
      expect(await run.result).toEqual([0, 1, 2])
    }
  })
})

describe('stop() past its deadline', () => {
  /** A run whose second value never leaves the stage called `slow`, stopped with a deadline of 5 ms. */
  async function overdue() {
    const input = probe(naturals)
    const signals: AbortSignal[] = []
    const run = pipeline(
      source(input),
      map((n, _index, { signal }) => (n === 1 ? (signals.push(signal), never()) : n), { name: 'slow' }),
      map((n) => n, { name: 'quick' }),
      forEach(() => {}, { name: 'end' }),
    ).start({ capacity: 1 })
    await until(() => signals.length > 0)
    return { input, signals, run }
  }

  test('rejects `stop()` and `result` with a DrainTimeoutError that names the stages still busy', async () => {
    const { run } = await overdue()
    const [stopped, result] = await Promise.all([rejection(run.stop({ deadline: 5 })), rejection(run.result)])
    expect(stopped).toBeInstanceOf(DrainTimeoutError)
    expect(stopped).toBeInstanceOf(Error)
    expect(result).toBe(stopped)
    const { stages } = stopped as DrainTimeoutError
    expect(stages).toContain('slow')
    for (const name of stages) expect(['slow', 'quick', 'end', 'source']).toContain(name)
  })

  test('does not name a stage that has finished', async () => {
    const input = probe(upTo(1), 'hang')
    const run = pipeline(
      source(input),
      map((n) => n, { name: 'finished' }),
      forEach(never, { name: 'stuck' }),
    ).start()
    await until(() => input.hangs)
    await turns(5)
    const [error] = await Promise.all([rejection(run.stop({ deadline: 50 })), rejection(run.result)])
    expect((error as DrainTimeoutError).stages).toEqual(['stuck'])
  })

  test('has as its cause what failed before, and no cause where nothing did', async () => {
    const failing = pipeline(
      source([0, 1]),
      forEach((n) => (n === 0 ? never() : Promise.reject(new Error('boom'))), { concurrency: 2 }),
    ).start()
    const { run } = await overdue()
    for (const [each, cause] of [
      [failing, expect.objectContaining({ message: 'Stage "forEach" failed: boom' })],
      [run, undefined],
    ] as const) {
      const [error] = await Promise.all([rejection(each.stop({ deadline: 5 })), rejection(each.result)])
      expect(error).toBeInstanceOf(DrainTimeoutError)
      expect((error as Error).cause).toEqual(cause)
    }
  })

  test('aborts the calls that are still running and closes the source', async () => {
    const { run, signals, input } = await overdue()
    await Promise.all([rejection(run.stop({ deadline: 5 })), rejection(run.result)])
    expect(signals[0].aborted).toBe(true)
    expect(input.returned).toBe(1)
  })

  /** A run past its deadline of 10 ms, whose source takes so long to clean up. */
  function cleaning(ms: number) {
    const seen: string[] = []
    const input = async function* () {
      try {
        yield* upTo(3)
      } finally {
        await new Promise((resolve) => setTimeout(resolve, ms))
        seen.push('cleaned up')
      }
    }
    const run = pipeline(source(input), forEach(never, { name: 'stuck' })).start({ capacity: 1 })
    return { run, seen }
  }

  test('waits until clean-up is through', async () => {
    using time = virtualTime()
    const { run, seen } = cleaning(400)
    await time.advance(1)
    const stopped = rejection(run.stop({ deadline: 10 })).then((error) => seen.push((error as Error).name))
    await time.advance(399)
    expect(seen).toEqual([])
    await time.advance(1)
    await stopped
    expect(seen).toEqual(['cleaned up', 'DrainTimeoutError'])
    expect(time.pending).toBe(0)
  })

  test('waits no longer than half a second for clean-up', async () => {
    using time = virtualTime()
    const { run, seen } = cleaning(60_000)
    await time.advance(1)
    const stopped = rejection(run.stop({ deadline: 10 })).then((error) => seen.push((error as Error).name))
    await time.advance(10 + 499)
    expect(seen).toEqual([])
    await time.advance(1)
    await stopped
    expect(seen).toEqual(['DrainTimeoutError'])
  })

  test('leaves no rejection unhandled, no matter who looks first', async () => {
    const unhandled = await unhandledDuring(async () => {
      const { run } = await overdue()
      const stopped = outcome(run.stop({ deadline: 0 }))
      const result = outcome(run.result)
      expect((await stopped).state).toBe('rejected')
      expect((await result).state).toBe('rejected')
    })
    expect(unhandled).toEqual([])
  })
})
