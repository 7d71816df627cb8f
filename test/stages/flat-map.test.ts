/** flatMap(): any number of values for one, from iterables and async iterables. */
import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import {
  drain,
  flatMap,
  forEach,
  map,
  pipeline,
  range,
  source,
  take,
  type Stage,
  type StageContext,
} from 'sluice'
import { stageError, unhandledDuring } from '../pipeline/support-leaks.ts'
import { naturals, probe, syncProbe, upTo } from '../pipeline/support-sources.ts'
import { never, rejection, stable, turns, until } from '../pipeline/support-waiting.ts'

const boom = new Error('boom')
const raise = (error: Error): never => {
  throw error
}

describe('flatMap()', () => {
  test('takes arrays, iterables, generators, async iterables and promises of them', async () => {
    const forms: ((n: number) => Iterable<number> | AsyncIterable<number> | Promise<Iterable<number>>)[] = [
      (n) => [n, n],
      (n) => new Set([n]),
      function* (n) {
        yield n
        yield -n
      },
      async function* (n) {
        yield n
        await turns(1)
        yield -n
      },
      async (n) => (await turns(1), [n]),
      () => [],
      (n) => probe([n]),
    ]
    for (const capacity of [0, 1, 256]) {
      const out = await pipeline(
        range(1, 8),
        flatMap((n) => forms[n - 1](n)),
      ).run({ capacity })
      expect(out).toEqual([1, 1, 2, 3, -3, 4, -4, 5, 7])
    }
  })

  test('keeps values of any kind, and does not flatten deeper', async () => {
    const values = [undefined, null, [1, [2]], NaN]
    expect(
      await pipeline(
        source([0]),
        flatMap(() => values),
      ).run(),
    ).toEqual(values)
  })

  test('reads an endless iterable only as far as its reader does', async () => {
    for (const capacity of [0, 1, 2]) {
      const inner = syncProbe(naturals)
      const run = pipeline(
        source([0]),
        flatMap(() => inner),
        forEach(never),
      ).start({ capacity })
      // one in the hands of the stage, the channel, and one in the sink's
      expect(await stable(() => inner.pulled)).toBeLessThanOrEqual(1 + capacity + 1)
      await Promise.all([rejection(run.result), run.abort()])
    }
  })

  test('closes the iterable it reads and its source once when the reader leaves', async () => {
    for (const capacity of [0, 1, 256]) {
      const outer = probe(naturals)
      const inner = probe(naturals)
      const sync = syncProbe(naturals)
      expect(
        await pipeline(
          source(outer),
          flatMap(() => inner),
          take(3),
        ).run({ capacity }),
      ).toEqual([0, 1, 2])
      expect(
        await pipeline(
          range(9),
          flatMap(() => sync),
          take(3),
        ).run({ capacity }),
      ).toEqual([0, 1, 2])
      expect([outer.returned, inner.returned, sync.returned]).toEqual([1, 1, 1])
    }
  })

  test.each(['take', 'failure', 'abort'])(
    'has run the clean-up of what it reads when a run settles early (%s), though its next value has only just come',
    async (end) => {
      for (const concurrency of [1, 3]) {
        const controller = new AbortController()
        let cleaned = 0
        async function* numbers() {
          try {
            for (let n = 0; ; n++) yield n
          } finally {
            await turns(3)
            cleaned++
          }
        }
        const ends = map((n: number) => {
          if (n === 1 && end === 'failure') throw boom
          if (n === 1 && end === 'abort') controller.abort(boom)
        })
        const run = pipeline(range(1), flatMap(numbers, { concurrency }), ends, take(2))
        await run.run({ signal: controller.signal }).catch(() => {})
        expect(cleaned).toBe(1)
      }
    },
  )

  test('does not close an iterable that ended by itself', async () => {
    const inner = probe(upTo(2))
    expect(
      await pipeline(
        range(3),
        flatMap(() => inner),
      ).run(),
    ).toEqual([0, 1, 0, 1, 0, 1])
    expect(inner).toMatchObject({ iterated: 3, returned: 0, overlaps: 0 })
  })

  test('fails with the value whose iterable fails, after what it gave', async () => {
    const seen: number[] = []
    const run = pipeline(
      range(5),
      flatMap((n) => probe([n, n], n === 2 ? { error: boom } : 'end')),
      forEach((n) => void seen.push(n)),
    ).run()
    const error = await stageError(run)
    expect(error).toMatchObject({ stage: 'flatMap', index: 1, value: 2, suppressed: [] })
    expect(error.cause).toBe(boom)
    expect(seen).toEqual([0, 0, 1, 1, 2, 2])
  })

  test('fails with a TypeError where its function gives nothing iterable', async () => {
    const error = await stageError(
      pipeline(
        range(5),
        flatMap(() => 42 as never),
        drain(),
      ).run(),
    )
    expect(error).toMatchObject({ stage: 'flatMap', index: 1, value: 0 })
    expect(error.cause).toBeInstanceOf(TypeError)
  })

  test('keeps the order of its values at any concurrency, and gives all of them where it need not', async () => {
    const work = async function* (n: number) {
      for (let k = 0; k < 3; k++) {
        await turns((n * 3 + k) % 4)
        yield n * 10 + k
      }
    }
    const expected = upTo(12).flatMap((n) => [n * 10, n * 10 + 1, n * 10 + 2])
    for (const concurrency of [1, 2, 5]) {
      for (const capacity of [0, 1, 256]) {
        const ordered = await pipeline(range(12), flatMap(work, { concurrency })).run({ capacity })
        expect(ordered).toEqual(expected)
        const unordered = await pipeline(range(12), flatMap(work, { concurrency, ordered: false })).run({
          capacity,
        })
        expect(unordered.sort((a, b) => a - b)).toEqual(expected)
      }
    }
  })

  test('gives the values of one iterable while the next one is still to come', async () => {
    const seen: number[] = []
    const run = pipeline(
      source(probe([1, 2])),
      flatMap((n) => probe([n, n], n === 2 ? 'hang' : 'end')),
      map((n) => void seen.push(n)),
      drain(),
    ).start()
    await stable(() => seen.length)
    expect(seen).toEqual([1, 1, 2, 2])
    await Promise.all([rejection(run.result), run.abort()])
  })
})

describe.each([0, 1, 256])('promises in what flatMap() is given, at capacity %i', (capacity) => {
  const later = (n: number) => turns(3 - n).then(() => n)

  test('are awaited in order', async () => {
    const array = pipeline(
      range(2),
      flatMap(() => [later(0), later(1), later(2)]),
    )
    expect(await array.run({ capacity })).toEqual([0, 1, 2, 0, 1, 2])
    const iterable = pipeline(
      range(2),
      flatMap(() => new Set([later(0), later(1)])),
    )
    expect(await iterable.run({ capacity })).toEqual([0, 1, 0, 1])
  })

  test('stand anywhere in an array, whether there is room for all of it or not', async () => {
    const some = (length: number): (number | Promise<number>)[] =>
      upTo(length).map((n) => (n % 250 === 4 ? turns(1).then(() => n) : n))
    for (const length of [0, 1, 3, 5, 300, 1000])
      for (const concurrency of [1, 3]) {
        const values = pipeline(
          range(3),
          flatMap((n) => (n === 1 ? Promise.resolve(some(length)) : some(length)), { concurrency }),
        )
        expect(await values.run({ capacity })).toEqual([...upTo(length), ...upTo(length), ...upTo(length)])
      }
  })

  test('are those of the iterator of an array that has its own', async () => {
    const own = (length: number): number[] =>
      Object.assign(upTo(length), { [Symbol.iterator]: () => [-1, Promise.resolve(-2)].values() })
    const values = flatMap((n: number) => (n % 2 === 0 ? Promise.resolve(own(n)) : own(n)))
    expect(await pipeline(source([0, 1, 300, 301]), values).run({ capacity })).toEqual(
      [0, 1, 2, 3].flatMap(() => [-1, -2]),
    )
  })

  test('fail the stage where they reject, and close the iterator', async () => {
    let closed = 0
    function* rejecting() {
      try {
        yield 1
        yield Promise.reject(new Error('boom'))
      } finally {
        closed++
      }
    }
    const run = pipeline(source(['a']), flatMap(rejecting)).run({ capacity })
    expect(await rejection(run)).toMatchObject({ stage: 'flatMap', value: 'a', cause: { message: 'boom' } })
    expect(closed).toBe(1)
  })

  test.for([
    ['throws', () => raise(new Error('clean-up'))],
    ['rejects', () => Promise.reject(new Error('clean-up')) as never],
  ] as const)('that reject are the failure also where `return` %s', async ([, close]) => {
    const rejecting: Iterable<never> = {
      [Symbol.iterator]: () => ({ next: () => ({ value: Promise.reject(boom) as never }), return: close }),
    }
    const errors: unknown[] = []
    const unhandled = await unhandledDuring(async () => {
      const telling = flatMap(() => rejecting, { onError: ({ error }) => void errors.push(error) })
      expect(await pipeline(range(2), telling).run({ capacity })).toEqual([])
    })
    expect(errors).toEqual([boom, boom])
    expect(unhandled).toEqual([])
  })

  test('that reject before their turn find somebody, whether or not it comes', async () => {
    const unhandled = await unhandledDuring(async () => {
      const late = pipeline(
        range(1),
        flatMap(() => [turns(5).then(() => 1), Promise.reject(boom)]),
      )
      expect((await stageError(late.run({ capacity }))).cause).toBe(boom)
      const left = pipeline(
        range(1),
        flatMap(() => [1, turns(1).then(() => Promise.reject(boom))]),
        take(1),
      )
      expect(await left.run({ capacity })).toEqual([1])
    })
    expect(unhandled).toEqual([])
  })

  test('that reject while the call before is still waited for find somebody', async () => {
    const rejecting = () => [Promise.reject(boom)]
    const giving = [async () => rejecting(), rejecting]
    const unhandled = await unhandledDuring(async () => {
      for (const give of giving) {
        const many = flatMap((n: number) => (n === 0 ? turns(5).then(() => []) : give()), { concurrency: 2 })
        expect((await stageError(pipeline(range(2), many).run({ capacity }))).cause).toBe(boom)
      }
    })
    expect(unhandled).toEqual([])
  })

  test('a stream that breaks while the call before is still waited for fails the stage', async () => {
    const broken = new Readable({ read() {} })
    const many = flatMap((n: number) => (n === 0 ? turns(5).then(() => []) : broken), { concurrency: 2 })
    const run = pipeline(range(2), many).run({ capacity })
    await turns(2)
    // Where nobody listens to it, this is an uncaught exception.
    broken.destroy(boom)
    expect((await stageError(run)).cause).toBe(boom)
  })
})

test('flatMap() awaits what the iterator gives as a loop does: one that calls back at once, twice, or with a promise', async () => {
  type Step = IteratorResult<number, undefined>
  type Calling = (back: (step: Step | Promise<Step>) => void, step: Step) => void
  const ways: Calling[] = [
    (back, step) => back(step),
    (back, step) => [back(step), back(step)],
    (back, step) => queueMicrotask(() => [back(step), back(step)]),
    (back, step) => back(Promise.resolve(step)),
  ]
  for (const ordered of [true, false])
    for (const way of ways) {
      const counting = (n: number) => {
        let i = 0
        const step = (): Step =>
          i < 2 ? { done: false, value: 10 * n + i++ } : { done: true, value: undefined }
        const next = () => ({ then: (back: never) => way(back, step()) }) as unknown as Promise<Step>
        return { [Symbol.asyncIterator]: () => ({ next }) }
      }
      const out = await pipeline(range(3), flatMap(counting, { concurrency: 3, ordered })).run()
      expect(out.sort((a, b) => a - b)).toEqual([0, 1, 10, 11, 20, 21])
    }
})

describe('a stream that flatMap() reads', () => {
  const ways: [string, Stage<unknown, unknown>][] = [
    ['enough', take(1)],
    ['a failure behind it', map(async () => Promise.reject(boom))],
  ]

  test.for(ways)('is let go of at %s, even one that is silent', async ([, behind]) => {
    const { readable, stream, reasons } = silent()
    for (const many of [readable, stream]) {
      const run = pipeline(
        range(1),
        flatMap(() => many as AsyncIterable<number>),
        behind,
      ).run()
      await run.catch(() => {})
    }
    await until(() => readable.closed)
    expect(stream.locked).toBe(false)
    expect(reasons).toHaveLength(1)
  })

  test('is let go of with the reason of an abort', async () => {
    const { readable, stream, reasons } = silent()
    for (const many of [readable, stream]) {
      const run = pipeline(
        range(1),
        flatMap(() => many as AsyncIterable<number>),
        drain(),
      ).start()
      await until(() => run.stats().stages[2].received === 1)
      await Promise.all([rejection(run.result), run.abort(boom)])
    }
    await until(() => readable.closed)
    expect(stream.locked).toBe(false)
    expect(reasons).toEqual([boom])
  })

  test('is let go of where its turn has not come', async () => {
    const { readable, stream, reasons } = silent()
    const run = pipeline(
      source([silent().readable, readable, stream]),
      flatMap((many) => many as AsyncIterable<number>, { concurrency: 3 }),
      drain(),
    ).start()
    await until(() => run.stats().stages[1].received === 3)
    await Promise.all([rejection(run.result), run.abort(boom)])
    await until(() => readable.closed)
    expect(stream.locked).toBe(false)
    expect(reasons).toEqual([boom])
  })

  test('is let go of where it comes after an abort', async () => {
    const { readable, stream, reasons } = silent()
    let give!: () => void
    const calls = new Promise<void>((resolve) => (give = resolve))
    const run = pipeline(
      source([readable, stream]),
      flatMap(async (many) => calls.then(() => many as AsyncIterable<number>), { concurrency: 2 }),
      drain(),
    ).start()
    await until(() => run.stats().stages[1].received === 2)
    await Promise.all([rejection(run.result), run.abort(boom)])
    give()
    await until(() => readable.closed && reasons.length === 1)
    expect(stream.locked).toBe(false)
  })

  test('is let go of where it comes after the timeout of its call; what fails in it, or in an array, finds somebody', async () => {
    const { readable, stream, reasons } = silent()
    const broken = new Readable({ read() {}, destroy: (_, done) => done(boom) })
    const unhandled = await unhandledDuring(async () => {
      const tooLate = async (many: unknown, _: number, { signal }: StageContext) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        return (many ?? [Promise.reject(boom)]) as AsyncIterable<number>
      }
      const many = flatMap(tooLate, { timeout: 1, concurrency: 4, onError: 'skip' })
      expect(await pipeline(source([readable, stream, broken, undefined]), many).run()).toEqual([])
      await until(() => readable.closed && broken.closed && reasons.length === 1)
    })
    expect(unhandled).toEqual([])
    expect(reasons).toEqual([expect.objectContaining({ name: 'TimeoutError' })])
  })
})

/** A stream of either kind that gives one value, then nothing more, and does not end. */
function silent() {
  const readable = new Readable({ objectMode: true, read() {} })
  readable.push(1)
  const reasons: unknown[] = []
  const stream = new ReadableStream<number>({
    start: (controller) => controller.enqueue(1),
    cancel: (reason) => void reasons.push(reason),
  })
  return { readable, stream, reasons }
}
