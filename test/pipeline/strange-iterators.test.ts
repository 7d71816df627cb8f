/** Iterators that bend the protocol: what a run makes of them is a result or a StageError, never a hang or a crash. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { concat, drain, fanIn, forEach, map, pipeline, range, source, take, toArray } from 'sluice'
import { stageError, unhandledDuring } from './support-leaks.ts'
import { naturals, probe } from './support-sources.ts'
import { never, rejection, turns, until } from './support-waiting.ts'

const boom = new Error('boom')
const capacities = [0, 1, 256]

/** An async iterable made of one hand-written iterator. */
const iterable = <T>(iterator: AsyncIterator<T>): AsyncIterable<T> => ({
  [Symbol.asyncIterator]: () => iterator,
})

/** An iterator that counts up to `last` and has nothing but `next`. */
function bare(last: number): AsyncIterator<number> {
  let n = 0
  return { next: async () => (n > last ? { done: true, value: undefined } : { done: false, value: n++ }) }
}

describe.each(capacities)('at capacity %i a source', (capacity) => {
  test('without `return` can be read and left', async () => {
    expect(await pipeline(source(iterable(bare(3))), toArray()).run({ capacity })).toEqual([0, 1, 2, 3])
    expect(await pipeline(source(iterable(bare(3))), take(2)).run({ capacity })).toEqual([0, 1])
    const sync: Iterable<number> = { [Symbol.iterator]: () => ({ next: () => ({ done: false, value: 7 }) }) }
    expect(await pipeline(source(sync), take(2)).run({ capacity })).toEqual([7, 7])
  })

  test('without `return` does not trouble a failing or an aborted run', async () => {
    const failing = pipeline(
      source(iterable(bare(Infinity))),
      map(() => Promise.reject(boom)),
      drain(),
    )
    expect(await stageError(failing.run({ capacity }))).toMatchObject({
      stage: 'map',
      cause: boom,
      suppressed: [],
    })
  })

  test('whose `next` gives no object fails the run with a TypeError', async () => {
    for (const step of [undefined, null, 42, 'text']) {
      const input = iterable<number>({ next: async () => step as never })
      const error = await stageError(pipeline(source(input), drain()).run({ capacity }))
      expect(error).toMatchObject({ stage: 'source', index: 0 })
      expect(error.cause).toBeInstanceOf(TypeError)
    }
    const sync: Iterable<number> = { [Symbol.iterator]: () => ({ next: () => 42 as never }) }
    const error = await stageError(pipeline(source(sync), drain()).run({ capacity }))
    expect(error.cause).toBeInstanceOf(TypeError)
  })

  test('whose `next` gives no object once a stop has left it, is no failure', async () => {
    let leave!: (step: never) => void
    const left = new Promise<never>((resolve) => (leave = resolve))
    let asked = 0
    const input = iterable<number>({
      next: async () => (asked++ < 3 ? { done: false, value: asked } : left),
      return: async () => {
        leave(undefined as never)
        return { done: true, value: undefined }
      },
    })
    const run = pipeline(source(input), toArray()).start({ capacity: Math.max(3, capacity) })
    await until(() => asked === 4)
    expect(await run.stop()).toEqual([1, 2, 3])
  })

  test('whose `next` throws, or whose step when it is read, once a stop has left it, is no failure', async () => {
    for (const kind of [
      'sync',
      'sync, throws',
      'async',
      'async without a promise',
      'async, throws at once',
    ]) {
      let at = 0
      const next = () => {
        if (at < 2) return { done: false, value: at++ }
        void run.stop()
        if (kind.includes('throws')) throw boom
        return Object.defineProperty({ value: at }, 'done', {
          get() {
            throw boom
          },
        })
      }
      const input = kind.startsWith('sync')
        ? ({ [Symbol.iterator]: () => ({ next }) } as Iterable<number>)
        : iterable<number>({ next: kind === 'async' ? async () => next() : (next as never) })
      const run = pipeline(source(input), toArray()).start({ capacity })
      expect(await run.result).toEqual([0, 1])
    }
  })

  test('whose `next` throws, at once or later, fails the run with what it threw', async () => {
    const throwing = () => {
      throw boom
    }
    const inputs = [
      source(iterable<number>({ next: throwing })),
      source(iterable<number>({ next: () => Promise.reject(boom) })),
      source<number>({ [Symbol.iterator]: () => ({ next: throwing }) }),
      source<number>({ [Symbol.iterator]: throwing }),
      source<number>({ [Symbol.asyncIterator]: throwing }),
    ]
    for (const input of inputs) {
      const error = await stageError(pipeline(input, drain()).run({ capacity }))
      expect(error).toMatchObject({ stage: 'source', index: 0, suppressed: [] })
      expect(error.cause).toBe(boom)
    }
  })

  test('whose steps throw when they are read fails the run, behind the values before', async () => {
    const broken: PropertyDescriptor = {
      get() {
        throw boom
      },
    }
    for (const key of ['done', 'value']) {
      let n = 0
      const step = () => Object.defineProperty({ value: n }, key, n++ < 2 ? {} : broken)
      const next = step as () => never
      const inputs = [
        source(iterable<number>({ next: async () => next() })),
        source<number>({ [Symbol.iterator]: () => ({ next }) }),
      ]
      for (const input of inputs) {
        n = 0
        const seen: number[] = []
        const seeing = forEach((value: number) => void seen.push(value))
        const error = await stageError(pipeline(input, seeing).run({ capacity }))
        expect(error).toMatchObject({ stage: 'source', cause: boom, suppressed: [] })
        expect(seen).toEqual([0, 1])
      }
    }
  })

  test('whose `return` throws or rejects leaves the first failure the cause', async () => {
    const throwing = () => {
      throw new Error('clean-up')
    }
    const closes: NonNullable<AsyncIterator<number>['return']>[] = [
      throwing,
      () => Promise.reject(new Error('clean-up')),
    ]
    const unhandled = await unhandledDuring(async () => {
      for (const close of closes) {
        const input = iterable({ ...bare(Infinity), return: close })
        const pipe = pipeline(
          source(input),
          map((n) => (n === 2 ? Promise.reject(boom) : n)),
          drain(),
        )
        const error = await stageError(pipe.run({ capacity }))
        expect(error).toMatchObject({ stage: 'map', index: 1, value: 2 })
        expect(error.cause).toBe(boom)
      }
    })
    expect(unhandled).toEqual([])
  })

  test('that hangs and whose `return` throws does not hold up a stop', async () => {
    const close = (): never => {
      throw boom
    }
    const inputs = [
      source(iterable<number>({ next: never, return: close })),
      source<number>({
        [Symbol.iterator]: () => ({ next: () => ({ value: never() as never }), return: close }),
      }),
    ]
    for (const input of inputs) {
      const seen: number[] = []
      const seeing = forEach((n: number) => void seen.push(n))
      const run = pipeline(fanIn(range(2), input), seeing).start({ capacity })
      await until(() => seen.length === 2)
      expect(await stageError(run.stop())).toMatchObject({ stage: 'source', cause: boom })
    }
  })

  test('that ends its own run in the `next` that says its end is not left after that', async () => {
    for (const end of ['stop', 'abort'] as const) {
      let at = 0
      let left = 0
      const next = () => {
        if (at++ < 2) return { done: false, value: at }
        void run[end](boom as object)
        return { done: true, value: undefined }
      }
      const close = () => ({ done: true, value: left++ })
      const input = { [Symbol.iterator]: () => ({ next, return: close }) } as Iterable<number>
      const run = pipeline(source(input), toArray()).start({ capacity })
      expect(await run.result.catch((error: unknown) => error)).toEqual(end === 'stop' ? [1, 2] : boom)
      expect(left).toBe(0)
    }
  })

  test('that stops its own run, and whose `return` throws, fails it', async () => {
    const close = (): never => {
      throw boom
    }
    const give = (value: number) => ({ done: false, value })
    const steps = [give, async (value: number) => give(value), never]
    for (const answer of steps) {
      let at = 0
      const next = () => {
        if (at === 2) stopped = run.stop()
        return at++ < 2 ? give(at) : answer(at)
      }
      let stopped: Promise<unknown> | undefined
      const input =
        answer === give
          ? { [Symbol.iterator]: () => ({ next, return: close }) }
          : iterable<number>({ next: async () => next(), return: close })
      const run = pipeline(source(input as Iterable<number>), drain()).start({ capacity })
      expect(await stageError(run.result)).toMatchObject({ stage: 'source', cause: boom })
      expect(await rejection(stopped!)).toMatchObject({ cause: boom })
    }
  })

  test('never gets two calls of `next` at a time, and none after its `return`', async () => {
    const input = probe(naturals)
    const pipe = pipeline(
      source(input),
      map(async (n) => (await turns(n % 3), n), { concurrency: 8, ordered: false }),
      take(50),
    )
    await pipe.run({ capacity })
    const { pulled } = input
    await turns(5)
    expect(input).toMatchObject({ overlaps: 0, returned: 1, pulled })
  })

  test('may answer `next` without a promise or with any thenable', async () => {
    let n = 0
    const step = () =>
      n < 3 ? { done: false as const, value: n++ } : { done: true as const, value: undefined }
    const direct = iterable<number>({ next: () => step() as never })
    expect(await pipeline(source(direct)).run({ capacity })).toEqual([0, 1, 2])
    n = 0
    const thenable = {
      next: () => ({ then: (resolve: (value: unknown) => void) => resolve(step()) }) as never,
    }
    expect(await pipeline(source(iterable<number>(thenable))).run({ capacity })).toEqual([0, 1, 2])
  })

  test('does not pass on the value that comes with its end', async () => {
    let n = 0
    const input = iterable<string>({
      next: async () => (n++ < 1 ? { done: false, value: 'in' } : { done: true, value: 'out' }),
    })
    expect(await pipeline(source(input)).run({ capacity })).toEqual(['in'])
  })
})

test('an array that grows while it is read is read to the end it has then, as a loop does', async () => {
  const tree = [1]
  const seen: number[] = []
  const grow = forEach((n: number) => {
    seen.push(n)
    if (n < 8) tree.push(2 * n, 2 * n + 1)
  })
  await pipeline(source(tree, { capacity: 1 }), grow).run()
  expect(seen).toEqual(Array.from({ length: 15 }, (_, i) => i + 1))
})

test('an array with a `values` of its own is read as a loop reads it', async () => {
  class Table extends Array<number> {
    override values(): never {
      throw new Error('not to be called')
    }
  }
  expect(await pipeline(source(Table.from([1, 2]))).run()).toEqual([1, 2])
})

test('an array is let go of when it has been read, while the run goes on', async () => {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  const arrays: WeakRef<object>[] = []
  const made = pipeline(
    source(() => {
      const array = Array.from({ length: 10 }, (_, n) => n)
      arrays.push(new WeakRef(array))
      return array
    }),
  )
  let kept: boolean | undefined
  const look = forEach(async () => {
    if (arrays.length < 3 || kept !== undefined) return
    await turns(2)
    gc()
    kept = arrays[0].deref() !== undefined
  })
  await pipeline(concat(made, made, made), look).run({ capacity: 1 })
  expect(kept).toBe(false)
})
