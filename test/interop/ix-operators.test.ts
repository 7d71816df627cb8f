/** Every operator of IxJS as a stage: what it gives, how far it reads, how it ends. */
import { doWhile, repeat, retry, withAbort } from 'ix/asynciterable/operators'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { drain, forEach, pipeline, source, take, through } from 'sluice'
import { abortListeners, stageError, unhandledDuring } from '../pipeline/support-leaks.ts'
import { cycle, probe } from '../pipeline/support-sources.ts'
import { never, rejection, stable, turns, until } from '../pipeline/support-waiting.ts'
import { operators, PULLED, rows } from './ix-rows.ts'

const boom = new Error('boom')
const fail = (): never => {
  throw boom
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** Lets time pass until the run is over; whatever can move without it moves first. */
async function over<T>(result: Promise<T>): Promise<T> {
  let done = false
  const mark = () => void (done = true)
  result.then(mark, mark)
  for (let ms = 0; !done && ms < 1_000; ms += 10) {
    for (let turn = 0; turn < 20 && !done; turn++) await turns(1)
    await vi.advanceTimersByTimeAsync(10)
  }
  if (!done) throw new Error('the run hangs')
  return result
}

test('there is a row for every operator of IxJS', () => {
  expect(rows.map(({ name }) => name).sort()).toEqual([...operators].sort())
})

describe.each(rows)('$name of IxJS as a stage', (row) => {
  const { operator, input, output, throwing, late } = row

  test.each([0, 1, 256])('gives what it gives elsewhere, at capacity %i', async (capacity) => {
    const values = probe(input)
    const run = pipeline(source(values), through(operator)).run({ capacity })
    expect(await over(run)).toEqual(output)
    expect(values.overlaps).toBe(0)
  })

  if (row.whole === undefined && row.hangs === undefined) {
    test('closes its source once when the reader leaves after a value and no other comes', async () => {
      const values = probe(input, 'hang')
      const run = pipeline(source(values), through(operator), take(1)).run({ capacity: 1 })
      expect(await over(run)).toEqual(output.slice(0, 1))
      expect(values.returned).toBe(values.iterated)
    })
  }

  if (row.whole === undefined && row.unbounded === undefined) {
    const flow = row.flow ?? cycle([...input])

    test('closes its source once when the reader leaves after one of many values', async () => {
      const values = probe(flow)
      const run = pipeline(source(values), through(operator), take(1)).run({ capacity: 1 })
      expect(await over(run)).toHaveLength(1)
      expect(values.returned).toBe(values.iterated)
    })

    test('holds its source back where nobody reads', async () => {
      const values = probe(flow)
      const run = pipeline(source(values), through(operator), forEach(never)).start({ capacity: 1 })
      expect(await stable(() => values.pulled)).toBeLessThanOrEqual(row.pulled ?? PULLED)
      await over(Promise.all([rejection(run.result), run.abort()]))
      expect(values.returned).toBeLessThanOrEqual(1)
    })
  }

  test('closes its source once when the run is aborted while it waits for a value', async () => {
    const values = probe<never>([], 'hang')
    const unhandled = await unhandledDuring(async () => {
      const run = pipeline(source(values), through(operator), drain()).start()
      await until(() => values.hangs)
      const [error] = await over(Promise.all([rejection(run.result), run.abort(boom)]))
      expect(error).toBe(boom)
    })
    expect(values.returned).toBe(1)
    expect(unhandled).toEqual([])
  })

  test('fails the run with the error of its source', async () => {
    const values = probe(input, { error: boom })
    const unhandled = await unhandledDuring(async () => {
      const error = await over(stageError(pipeline(source(values), through(operator), drain()).run()))
      expect(error).toMatchObject({ stage: 'source', index: 0 })
      expect(error.cause).toBe(boom)
    })
    expect(unhandled).toEqual([])
  })

  if (throwing) {
    test('fails as a stage with what its function throws, and closes its source', async () => {
      const values = probe(input, late ? 'end' : 'hang')
      const run = pipeline(source(values), through(throwing(fail)), drain()).run()
      const error = await over(stageError(run))
      expect(error).toMatchObject({ stage: 'through', index: 1, suppressed: [] })
      expect(error.cause).toBe(boom)
      expect(values.returned).toBe(late ? 0 : 1)
    })
  }
})

describe('IxJS operators that begin again', () => {
  const again = 'Cannot read the input again: a stage reads its input once, and it has ended'

  test('fail rather than repeat nothing', async () => {
    const seen: number[] = []
    const pipe = pipeline(
      source(probe([1, 2])),
      through(repeat<number>(3)),
      forEach((n) => void seen.push(n)),
    )
    const error = await stageError(pipe.run())
    expect(error).toMatchObject({ stage: 'through', cause: new TypeError(again) })
    expect(seen).toEqual([1, 2])
  })

  test('do not spin where they never give up', async () => {
    const failing = probe([1, 2], { error: boom })
    const error = await stageError(pipeline(source(failing), through(retry<number>()), drain()).run())
    expect(error).toMatchObject({ stage: 'source', cause: boom })
    expect(error.suppressed).toMatchObject([{ stage: 'through', cause: new TypeError(again) }])
    await expect(pipeline(source([]), through(repeat()), drain()).run()).rejects.toThrow(again)
    await expect(pipeline(source([1]), through(doWhile<number>(() => true)), drain()).run()).rejects.toThrow(
      again,
    )
  })

  test('may leave the input when the reader has left', async () => {
    expect(await pipeline(source(probe([1, 2])), through(repeat<number>()), take(2)).run()).toEqual([1, 2])
  })
})

describe('withAbort() of IxJS as a stage', () => {
  test('fails the stage with the reason, even where its source is stuck', async () => {
    const values = probe([1], 'hang')
    const controller = new AbortController()
    const unhandled = await unhandledDuring(async () => {
      const run = pipeline(source(values), through(withAbort<number>(controller.signal)), drain()).run()
      await until(() => values.hangs)
      controller.abort(boom)
      expect(await stageError(run)).toMatchObject({ stage: 'through', cause: boom })
    })
    expect(values.returned).toBe(1)
    expect(abortListeners(controller.signal)).toBe(0)
    expect(unhandled).toEqual([])
  })
})
