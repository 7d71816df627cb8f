/** `onError`: a value that fails is the end of the run, is dropped, or is handed to a function. */
import { describe, expect, test } from 'vitest'
import {
  channel,
  filter,
  flatMap,
  forEach,
  map,
  pipeline,
  range,
  source,
  StageError,
  tap,
  toArray,
} from 'sluice'
import { stageError, unhandledDuring } from '../pipeline/support-leaks.ts'
import { upTo } from '../pipeline/support-sources.ts'
import { never, turns } from '../pipeline/support-waiting.ts'

const oddFails = (n: number) => (n % 2 === 1 ? Promise.reject(new Error(`odd ${n}`)) : n)

describe("onError: 'skip'", () => {
  test('drops the value and goes on, at any concurrency and order', async () => {
    for (const concurrency of [1, 3, 20]) {
      for (const ordered of [true, { by: (n: number) => n }]) {
        const options = { concurrency, ordered, onError: 'skip' } as const
        const out = await pipeline(range(10), map(oddFails, options)).run()
        expect(out.sort()).toEqual([0, 2, 4, 6, 8])
      }
    }
  })

  test('drops what throws synchronously as what rejects', async () => {
    const throwing = (n: number): number => {
      if (n === 1) throw new Error('at once')
      return n
    }
    expect(await pipeline(range(3), map(throwing, { onError: 'skip' })).run()).toEqual([0, 2])
  })

  test('works for filter, flatMap, tap and forEach', async () => {
    const skip = { onError: 'skip' } as const
    expect(
      await pipeline(
        range(4),
        filter(async (n) => (await oddFails(n)) >= 0, skip),
      ).run(),
    ).toEqual([0, 2])
    expect(
      await pipeline(
        range(4),
        flatMap(async (n) => [await oddFails(n), n], skip),
      ).run(),
    ).toEqual([0, 0, 2, 2])
    expect(await pipeline(range(4), tap(oddFails, skip)).run()).toEqual([0, 2])
    const seen: number[] = []
    await pipeline(
      range(4),
      forEach(async (n) => void seen.push(await oddFails(n)), skip),
    ).run()
    expect(seen).toEqual([0, 2])
  })

  test('drops a value whose array throws when flatMap reads it, behind what it gave', async () => {
    const get = (): never => {
      throw new Error('boom')
    }
    const giving = (n: number) => (n === 1 ? Object.defineProperty([n, n], 1, { get }) : [n])
    expect(await pipeline(range(3), flatMap(giving, { onError: 'skip' })).run()).toEqual([0, 1, 2])
  })

  test('drops a call that timed out', async () => {
    const slow = (n: number) => (n === 1 ? never() : n)
    expect(await pipeline(range(3), map(slow, { timeout: 2, onError: 'skip' })).run()).toEqual([0, 2])
  })

  test('leaves no rejection unhandled', async () => {
    const unhandled = await unhandledDuring(() =>
      pipeline(range(20), map(oddFails, { concurrency: 8, onError: 'skip' })).run(),
    )
    expect(unhandled).toEqual([])
  })
})

describe('onError: a function', () => {
  test('gets the value, the error, the name of the stage and the number of calls', async () => {
    const failures: unknown[] = []
    const options = {
      name: 'parse',
      retry: { attempts: 2, delay: 0 },
      onError: (failure: object) => void failures.push(failure),
    }
    expect(await pipeline(range(3), map(oddFails, options)).run()).toEqual([0, 2])
    expect(failures).toEqual([{ value: 1, error: new Error('odd 1'), stage: 'parse', attempts: 2 }])
  })

  test('counts one attempt where nothing is called again', async () => {
    const attempts: number[] = []
    const onError = (failure: { attempts: number }) => void attempts.push(failure.attempts)
    await pipeline(range(4), map(oddFails, { onError })).run()
    expect(attempts).toEqual([1, 1])
  })

  test('is awaited: a full dead-letter channel holds the stage', async () => {
    const [tx, rx] = channel<number>(0)
    const run = pipeline(range(6), map(oddFails, { onError: ({ value }) => tx.send(value) }), toArray()).run()
    await turns(5)
    const dead: number[] = []
    for (const _ of upTo(3)) dead.push(await rx.recv())
    expect(await run).toEqual([0, 2, 4])
    expect(dead).toEqual([1, 3, 5])
    tx.close()
    rx.close()
  })

  test('is not called for values that succeed in the end', async () => {
    let calls = 0
    let failures = 0
    const flaky = (n: number) => (calls++ === 0 ? Promise.reject(new Error('once')) : n)
    const options = { retry: { attempts: 3, delay: 0 }, onError: () => void failures++ }
    expect(await pipeline(range(3), map(flaky, options)).run()).toEqual([0, 1, 2])
    expect(failures).toBe(0)
  })

  test.each([
    ['throws', (error: Error) => () => void thrown(error)],
    ['rejects', (error: Error) => () => Promise.reject(error)],
  ])(
    'that %s fails the stage: its error is the cause, the own error of the value is suppressed',
    async (_how, make) => {
      const worse = new Error('worse')
      const run = pipeline(range(5), map(oddFails, { onError: make(worse) }), toArray()).run()
      const error = await stageError(run)
      expect(error).toMatchObject({ stage: 'map', index: 1, value: 1 })
      expect(error.cause).toBe(worse)
      expect(error.suppressed).toHaveLength(1)
      const [own] = error.suppressed
      expect(own).toBeInstanceOf(StageError)
      expect(own).toMatchObject({ stage: 'map', index: 1, value: 1, cause: { message: 'odd 1' } })
    },
  )
})

test("onError: 'fail' is the default", async () => {
  const byDefault = await stageError(pipeline(source([1]), map(oddFails)).run())
  const said = await stageError(pipeline(source([1]), map(oddFails, { onError: 'fail' })).run())
  expect(byDefault).toMatchObject({ value: 1, cause: { message: 'odd 1' } })
  expect(said).toMatchObject({ value: 1, cause: { message: 'odd 1' } })
})

function thrown(error: Error): never {
  throw error
}
