/** The sinks that keep, count, fold and act. */
import { describe, expect, test } from 'vitest'
import { count, drain, first, forEach, last, pipeline, range, reduce, source, toArray } from 'sluice'
import { naturals, probe, upTo } from '../pipeline/support-sources.ts'
import { never, rejection, stable, turns } from '../pipeline/support-waiting.ts'

describe('toArray()', () => {
  test('gives every value in order, and a new array for each run', async () => {
    const pipe = pipeline(range(1000), toArray())
    const [one, two] = [await pipe.run(), await pipe.run()]
    expect(one).toEqual(upTo(1000))
    one.length = 0
    expect(two).toEqual(upTo(1000))
    expect(await pipe.run({ capacity: 0 })).toEqual(upTo(1000))
  })
})

describe('reduce()', () => {
  test('folds from the seed, with value and index as in an array', async () => {
    const text = reduce((all: string, n: number, index) => `${all} ${index}:${n}`, 'seed')
    expect(await pipeline(source([5, 6, 7]), text).run()).toBe('seed 0:5 1:6 2:7')
  })

  test('awaits an async function before it goes on', async () => {
    const sum = reduce(async (all: number, n: number) => (await turns(n % 2), all * 2 + n), 0)
    expect(await pipeline(source([1, 2, 3]), sum).run()).toBe(11)
  })

  test('hands over a signal, as every stage that calls a function does', async () => {
    const aborted = reduce((all: boolean[], _: number, __, { signal }) => [...all, signal.aborted], [])
    expect(await pipeline(range(2), aborted).run()).toEqual([false, false])
  })

  test('follows retry, onError and timeout: a call that failed or came too late changes nothing', async () => {
    const failed: unknown[] = []
    let calls = 0
    const sum = reduce(
      (all: number, n: number) => {
        if (n === 1 && calls++ === 0) throw new Error('once')
        if (n === 3) throw new Error('always')
        return all + n
      },
      0,
      { retry: { attempts: 2, delay: 0 }, onError: (failure) => void failed.push(failure.value) },
    )
    expect(await pipeline(range(5), sum).run({ capacity: 0 })).toBe(7)
    expect(failed).toEqual([3])

    const late: ((all: number) => void)[] = []
    const impatient = reduce(
      (all: number, n: number) => (n === 1 ? new Promise<number>((resolve) => late.push(resolve)) : all + n),
      0,
      { timeout: 1, onError: () => late[0]?.(1000) },
    )
    expect(await pipeline(range(4), impatient).run()).toBe(5)
    const slow = await rejection(
      pipeline(
        range(1),
        reduce(() => never(), 0, { timeout: 1 }),
      ).run(),
    )
    expect(slow).toMatchObject({ stage: 'reduce', value: 0, cause: { name: 'TimeoutError' } })
  })

  test('gives the seed for nothing, and starts from it in every run', async () => {
    const pipe = pipeline(
      range(5),
      reduce((all: number, n: number) => all + n, 100),
    )
    expect([await pipe.run(), await pipe.run()]).toEqual([110, 110])
    expect(
      await pipeline(
        source<number>([]),
        reduce((all, n) => all + n, 7),
      ).run(),
    ).toBe(7)
  })
})

describe('count() and drain()', () => {
  test('read everything and give the number of values, or nothing', async () => {
    const input = probe(upTo(700))
    expect(await pipeline(source(input), count()).run()).toBe(700)
    expect(await pipeline(source(input), drain()).run()).toBeUndefined()
    expect(input.pulled).toBe(1400)
    expect(await pipeline(source([]), count()).run()).toBe(0)
  })

  test('count values of any kind', async () => {
    expect(await pipeline(source([undefined, null, NaN, false, '']), count()).run()).toBe(5)
  })
})

describe('first() and last()', () => {
  test('give one value, of whatever kind, or undefined for nothing', async () => {
    for (const capacity of [0, 1, 256]) {
      expect(await pipeline(range(3, 1000), first()).run({ capacity })).toBe(3)
      expect(await pipeline(range(1000), last()).run({ capacity })).toBe(999)
      expect(await pipeline(source([null, 1]), first()).run({ capacity })).toBeNull()
      expect(await pipeline(source([1, undefined]), last()).run({ capacity })).toBeUndefined()
      expect(await pipeline(source([]), first()).run({ capacity })).toBeUndefined()
      expect(await pipeline(source([]), last()).run({ capacity })).toBeUndefined()
    }
  })

  test('first() does not wait for a second value, and closes its source', async () => {
    for (const capacity of [0, 1, 256]) {
      const input = probe([7], 'hang')
      expect(await pipeline(source(input), first()).run({ capacity })).toBe(7)
      expect(input.returned).toBe(1)
      const run = pipeline(range(0, Infinity), first()).start({ capacity })
      expect(await run.result).toBe(0)
      expect(run.stats().stages[1].received).toBe(1)
    }
  })

  test('last() fails as its source does', async () => {
    const boom = new Error('boom')
    const run = pipeline(source(probe([1, 2], { error: boom })), last()).run()
    expect(await rejection(run)).toMatchObject({ stage: 'source', cause: boom })
  })

  test('begin anew in every run', async () => {
    let runs = 0
    const pipe = pipeline(
      source(() => (runs++ === 0 ? [1] : [])),
      last(),
    )
    expect([await pipe.run(), await pipe.run()]).toEqual([1, undefined])
  })
})

describe('forEach()', () => {
  test('acts on each value in order and waits for each call', async () => {
    const log: string[] = []
    const act = async (n: number, index: number) => {
      log.push(`${index}: begin ${n}`)
      await turns(2)
      log.push(`${index}: end ${n}`)
    }
    expect(await pipeline(source([7, 8]), forEach(act)).run()).toBeUndefined()
    expect(log).toEqual(['0: begin 7', '0: end 7', '1: begin 8', '1: end 8'])
  })

  test('keeps as many calls in flight as its concurrency says', async () => {
    let now = 0
    let most = 0
    const act = async () => {
      most = Math.max(most, ++now)
      await turns(2)
      now--
    }
    await pipeline(range(30), forEach(act, { concurrency: 4 })).run()
    expect([most, now]).toEqual([4, 0])
  })

  test('holds its source back while it acts', async () => {
    for (const [capacity, concurrency] of [
      [0, 1],
      [1, 1],
      [3, 2],
    ] as const) {
      const input = probe(naturals)
      const run = pipeline(source(input), forEach(never, { concurrency })).start({ capacity })
      expect(await stable(() => input.pulled)).toBeLessThanOrEqual(1 + capacity + concurrency)
      await Promise.all([rejection(run.result), run.abort()])
    }
  })
})
