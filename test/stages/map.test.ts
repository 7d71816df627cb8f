/** map(): in which order its results come out. */
import { describe, expect, test } from 'vitest'
import { count, filter, flatMap, forEach, map, pipeline, range, source, toArray } from 'sluice'
import { gauge } from 'sluice/testing'
import { stageError } from '../pipeline/support-leaks.ts'
import { upTo } from '../pipeline/support-sources.ts'
import { deferred, never, rejection, stable, turns, until } from '../pipeline/support-waiting.ts'

describe('ordered: true', () => {
  test('gives results in the order of the values, whatever finishes first', async () => {
    const reverse = (n: number) => turns(10 - n).then(() => n)
    expect(await pipeline(range(10), map(reverse, { concurrency: 10 })).run()).toEqual(upTo(10))
    const kept = filter(async (n: number) => (await reverse(n)) % 2 === 0, { concurrency: 10 })
    expect(await pipeline(range(10), kept).run()).toEqual([0, 2, 4, 6, 8])
    const doubled = flatMap(async (n: number) => [await reverse(n), n], { concurrency: 3 })
    expect(await pipeline(range(4), doubled).run()).toEqual([0, 0, 1, 1, 2, 2, 3, 3])
  })

  test('counts results that wait for an earlier one: a slow first value holds the stage at its concurrency', async () => {
    const gate = deferred()
    let started = 0
    const run = pipeline(
      range(100),
      map(async (n) => (started++, n === 0 ? (await gate.promise, n) : n), { concurrency: 4 }),
      count(),
    ).start()
    expect(await stable(() => started)).toBe(4)
    gate.resolve()
    expect(await run.result).toBe(100)
  })

  test('passes on what is first as soon as it is there', async () => {
    const seen: number[] = []
    const run = pipeline(
      range(4),
      map((n) => (n === 3 ? never() : turns(1).then(() => n)), { concurrency: 4 }),
      forEach((n) => void seen.push(n)),
    ).start()
    await until(() => seen.length === 3)
    expect(seen).toEqual([0, 1, 2])
    await Promise.all([rejection(run.result), run.abort()])
  })
})

describe('ordered: false', () => {
  test('passes results on as they come: one slow value holds nobody up', async () => {
    const gate = deferred()
    const seen: number[] = []
    const run = pipeline(
      range(100),
      map(async (n) => (n === 0 ? (await gate.promise, n) : n), { concurrency: 4, ordered: false }),
      forEach((n) => void seen.push(n)),
    ).run()
    await until(() => seen.length === 99)
    expect(seen).not.toContain(0)
    gate.resolve()
    await run
    expect(seen.at(-1)).toBe(0)
  })

  test('gives every result once', async () => {
    const out = await pipeline(
      range(200),
      map(async (n) => (await turns((n * 7) % 5), n), { concurrency: 6, ordered: false }),
      toArray(),
    ).run({ capacity: 1 })
    expect(out.sort((a, b) => a - b)).toEqual(upTo(200))
  })
})

describe('ordered: { by }', () => {
  const byKey = { ordered: { by: (value: string) => value[0] } }

  test('keeps the order of each key and makes one call per key at a time', async () => {
    const busy = new Set<string>()
    let most = 0
    const values = upTo(60).map((n) => `${'abc'[n % 3]}${n}`)
    const out = await pipeline(
      source(values),
      map(
        async (value) => {
          const key = value[0]
          expect(busy.has(key)).toBe(false)
          busy.add(key)
          most = Math.max(most, busy.size)
          await turns(key === 'a' ? 4 : 1)
          busy.delete(key)
          return value
        },
        { concurrency: 6, ...byKey },
      ),
    ).run()
    for (const key of 'abc') {
      const ofKey = (value: string) => value.startsWith(key)
      expect(out.filter(ofKey)).toEqual(values.filter(ofKey))
    }
    expect(out).toHaveLength(60)
    expect(most).toBe(3)
  })

  test('lets other keys pass one that is slow', async () => {
    const gate = deferred()
    const seen: string[] = []
    const run = pipeline(
      source(['a0', 'b0', 'b1', 'c0', 'b2', 'c1']),
      map(async (value) => (value === 'a0' ? (await gate.promise, value) : value), {
        concurrency: 2,
        ...byKey,
      }),
      forEach((value) => void seen.push(value)),
    ).run()
    await until(() => seen.length === 5)
    expect(seen.filter((value) => value.startsWith('b'))).toEqual(['b0', 'b1', 'b2'])
    gate.resolve()
    await run
    expect(seen.at(-1)).toBe('a0')
  })

  test('never has more calls in flight than its concurrency, however many keys there are', async () => {
    const work = gauge(async (n: number) => (await turns(1), n))
    await pipeline(range(50), map(work, { concurrency: 3, ordered: { by: (n) => n } })).run()
    expect([work.inFlight, work.greatest, work.calls]).toEqual([0, 3, 50])
  })

  test('leaves a value whose key cannot be found to `onError`, and still makes one call per key at a time', async () => {
    const failures: unknown[] = []
    const boom = new Error('no key')
    const by = (n: number): string => {
      if (n % 3 === 0) throw boom
      return 'same'
    }
    const work = gauge(async (n: number) => (await turns(n % 5), n))
    const onError = (failure: object) => void failures.push(failure)
    const options = { concurrency: 4, ordered: { by } }
    const wanted = upTo(60).filter((n) => n % 3 > 0)
    expect(await pipeline(range(60), map(work, { ...options, onError })).run()).toEqual(wanted)
    expect(failures).toHaveLength(20)
    expect(failures[1]).toEqual({ value: 3, error: boom, stage: 'map', attempts: 0 })
    expect(await pipeline(range(60), map(work, { ...options, onError: 'skip' })).run()).toEqual(wanted)
    expect(work.greatest).toBe(1)
  })

  test('fails with the value whose key cannot be found', async () => {
    const boom = new Error('no key')
    const by = (n: number): number => {
      if (n === 2) throw boom
      return n
    }
    const error = await stageError(
      pipeline(
        range(5),
        map((n) => n, { concurrency: 2, ordered: { by } }),
      ).run(),
    )
    expect(error).toMatchObject({ stage: 'map', index: 1, value: 2 })
    expect(error.cause).toBe(boom)
  })
})
