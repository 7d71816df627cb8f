/** An abort or a stop that a stage's own function asks for, while the stage is in the middle of its work. */
import { describe, expect, test } from 'vitest'
import { batch, filter, flatMap, forEach, map, pipeline, reduce, source, tap, type Run } from 'sluice'
import { outcome, rejection, turns } from './support-waiting.ts'
import { naturals, upTo } from './support-sources.ts'

type Hit = (n: number) => number

/** Each runs a pipeline whose function calls `hit` for each of nine values. */
const stages: [string, (hit: Hit, capacity: number) => Run<unknown>][] = [
  ['map', (hit, capacity) => pipeline(source(upTo(9)), map(hit)).start({ capacity })],
  [
    'map with a concurrency of 3',
    (hit, capacity) => pipeline(source(upTo(9)), map(hit, { concurrency: 3 })).start({ capacity }),
  ],
  [
    'unordered map',
    (hit, capacity) =>
      pipeline(source(upTo(9)), map(hit, { concurrency: 3, ordered: false })).start({ capacity }),
  ],
  [
    'filter',
    (hit, capacity) =>
      pipeline(
        source(upTo(9)),
        filter((n) => hit(n) >= 0),
      ).start({ capacity }),
  ],
  [
    'tap',
    (hit, capacity) =>
      pipeline(
        source(upTo(9)),
        tap((n) => void hit(n)),
      ).start({ capacity }),
  ],
  [
    'flatMap',
    (hit, capacity) =>
      pipeline(
        source(upTo(9)),
        flatMap((n) => [hit(n)]),
      ).start({ capacity }),
  ],
  [
    'the sizeOf of batch',
    (hit, capacity) =>
      pipeline(source(upTo(9)), batch(100, { bytes: 1_000, sizeOf: (n) => (hit(n), 1) })).start({ capacity }),
  ],
  [
    'forEach',
    (hit, capacity) =>
      pipeline(
        source(upTo(9)),
        forEach((n) => void hit(n)),
      ).start({ capacity }),
  ],
  [
    'reduce',
    (hit, capacity) =>
      pipeline(
        source(upTo(9)),
        reduce((_all: number, n) => hit(n), 0),
      ).start({ capacity }),
  ],
]

describe.each([0, 1, 256])('at capacity %i', (capacity) => {
  test.each(stages)('an abort inside the function of %s is its last call', async (_name, start) => {
    const calls: unknown[] = []
    const run = start((n) => {
      calls.push(n)
      if (calls.length > 100) throw new Error('it goes on and on')
      if (n === 2) void run.abort('from inside')
      return n
    }, capacity)
    expect(await rejection(run.result)).toBe('from inside')
    await turns(3)
    expect(calls).toEqual([0, 1, 2])
  })

  test('an abort inside the `next` of a source is its last one, and the source is closed', async () => {
    const log = { pulled: 0, returned: 0 }
    const input: Iterable<number> = {
      [Symbol.iterator]: () => ({
        next() {
          if (++log.pulled === 3) void run.abort('from inside')
          return { done: false, value: log.pulled }
        },
        return() {
          log.returned++
          return { done: true, value: undefined }
        },
      }),
    }
    const run: Run<unknown> = pipeline(source(input), map(String)).start({ capacity })
    expect(await rejection(run.result)).toBe('from inside')
    await turns(3)
    expect(log).toEqual({ pulled: 3, returned: 1 })
  })

  test('an abort inside a generator lets its `finally` run', async () => {
    const log: string[] = []
    function* input() {
      try {
        for (const n of naturals) {
          if (n === 3) void run.abort('from inside')
          yield n
        }
      } finally {
        log.push('finally')
      }
    }
    const run: Run<unknown> = pipeline(source(input), map(String)).start({ capacity })
    expect(await rejection(run.result)).toBe('from inside')
    await turns(3)
    expect(log).toEqual(['finally'])
  })

  test('a stop inside a function lets out what is in flight, that value included', async () => {
    const seen: number[] = []
    const run: Run<number[]> = pipeline(
      source(naturals),
      map((n) => {
        if (n === 5) void outcome(run.stop())
        seen.push(n)
        return n
      }),
    ).start({ capacity })
    expect(await run.result).toEqual(seen)
    expect(seen.slice(0, 6)).toEqual([0, 1, 2, 3, 4, 5])
  })
})
