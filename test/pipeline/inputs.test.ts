/** Everything `source` reads, and how each is left. */
import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { channel, concat, drain, map, pipeline, type Run, source, take, tap, toArray } from 'sluice'
import { stageError, unhandledDuring } from './support-leaks.ts'
import { naturals, streamOf, upTo } from './support-sources.ts'
import { deferred, never, rejection, turns, until } from './support-waiting.ts'

const boom = new Error('boom')

async function* slowly<T>(values: Iterable<T>) {
  for (const value of values) {
    await turns(1)
    yield value
  }
}

/** A stream that counts how it is read; it never ends. */
function endlessStream() {
  const log = { pulled: 0, cancelled: [] as unknown[] }
  const stream = new ReadableStream<number>(
    {
      pull: (controller) => controller.enqueue(log.pulled++),
      cancel: (reason) => void log.cancelled.push(reason),
    },
    { highWaterMark: 0 },
  )
  return { log, stream }
}

describe('source() reads', () => {
  const inputs = {
    'an array': () => source([0, 1, 2]),
    'a set': () => source(new Set([0, 1, 2])),
    'a generator object': () =>
      source(
        (function* () {
          yield* [0, 1, 2]
        })(),
      ),
    'an async generator object': () => source(slowly([0, 1, 2])),
    'a generator function': () =>
      source(function* () {
        yield* [0, 1, 2]
      }),
    'an async generator function': () => source(() => slowly([0, 1, 2])),
    'an async function': () => source(async () => (await turns(1), [0, 1, 2])),
    'a promise of an array': () => source(Promise.resolve([0, 1, 2])),
    'a promise of another library, whose `then` gives nothing': () =>
      source({ then: (resolve: (values: number[]) => void) => resolve([0, 1, 2]) } as PromiseLike<number[]>),
    'a promise of an async iterable': () => source(Promise.resolve(slowly([0, 1, 2]))),
    'a function that gives a ReadableStream': () => source(() => streamOf([0, 1, 2])),
    'a ReadableStream': () => source(streamOf([0, 1, 2])),
    'a typed array': () => source(Uint8Array.of(0, 1, 2)),
    'a Receiver': () => {
      const [tx, rx] = channel<number>(3)
      for (const n of upTo(3)) tx.trySend(n)
      tx.close()
      return source(rx)
    },
    'a pipeline': () =>
      source(
        pipeline(
          source([0, 2, 4]),
          map((n) => n / 2),
        ),
      ),
    'an iterable that has no async iterator, and says so': () =>
      source({ [Symbol.asyncIterator]: undefined, [Symbol.iterator]: () => [0, 1, 2].values() }),
    'an array of promises': () => source([Promise.resolve(0), 1, turns(2).then(() => 2)]),
  }

  test.each(Object.entries(inputs))('%s', async (_title, build) => {
    for (const capacity of [0, 1, 256])
      expect(await pipeline(build(), toArray()).run({ capacity })).toEqual([0, 1, 2])
  })

  test('the characters of a string', async () => {
    expect(await pipeline(source('añ😀')).run()).toEqual(['a', 'ñ', '😀'])
  })
})

describe('source() of an array gives what a loop over it gives', () => {
  /** What comes of it when `change` is called with the array at its third value. */
  async function read(array: number[], change: (array: number[]) => void) {
    const seen: number[] = []
    const look = map((value: number, index: number) => {
      if (index === 2) change(array)
      seen.push(value)
    })
    await pipeline(source(array, { capacity: 1 }), look, drain()).run()
    return seen
  }

  test('where it has holes', async () => {
    // eslint-disable-next-line no-sparse-arrays
    expect(await pipeline(source([0, , 2, ,])).run()).toEqual([0, undefined, 2, undefined])
  })

  test('where it grows, shrinks or changes behind what has been read', async () => {
    const array = () => Array.from({ length: 10 }, (_, i) => i)
    expect(await read(array(), (values) => void values.push(10, 11))).toEqual([...array(), 10, 11])
    expect(await read(array(), (values) => void (values.length = 8))).toEqual(array().slice(0, 8))
    expect(await read(array(), (values) => void (values[9] = -1))).toEqual([...array().slice(0, 9), -1])
  })

  test('where it iterates in a way of its own', async () => {
    class Backwards extends Array<number> {
      override [Symbol.iterator]() {
        return [...super.values()].reverse().values()
      }
    }
    expect(await pipeline(source(Backwards.of(0, 1, 2))).run()).toEqual([2, 1, 0])
  })

  test('where to read it fails: what comes before is there', async () => {
    const seen: number[] = []
    const array = [0, 1, 2]
    Object.defineProperty(array, 2, {
      get: () => {
        throw boom
      },
    })
    const run = pipeline(
      source(array),
      tap((value) => void seen.push(value)),
      drain(),
    ).run()
    expect(await stageError(run)).toMatchObject({ stage: 'source', cause: boom })
    expect(seen).toEqual([0, 1])
  })
})

describe('source() of a function', () => {
  test('gets the name of the stage and a signal that aborts when the run fails', async () => {
    const seen: { name: string; signal: AbortSignal }[] = []
    const input = source((ctx) => (seen.push(ctx), naturals), { name: 'numbers' })
    const error = await stageError(
      pipeline(
        input,
        map(() => Promise.reject(boom)),
        drain(),
      ).run(),
    )
    expect(error.cause).toBe(boom)
    expect(seen).toHaveLength(1)
    expect(seen[0].name).toBe('numbers')
    expect(seen[0].signal.aborted).toBe(true)
  })

  test('that throws, rejects or gives nothing to read fails the run', async () => {
    const throwing = source((): number[] => {
      throw boom
    })
    const inputs = [
      () => throwing,
      () => source(() => Promise.reject<number[]>(boom)),
      () => source(Promise.reject<number[]>(boom)),
    ]
    for (const input of inputs) {
      const error = await stageError(pipeline(input(), drain()).run())
      expect(error).toMatchObject({ stage: 'source', index: 0, suppressed: [] })
      expect(error.cause).toBe(boom)
    }
    const wrong = await stageError(
      pipeline(
        source(() => 42 as never),
        drain(),
      ).run(),
    )
    expect(wrong).toMatchObject({ stage: 'source', index: 0 })
    expect(wrong.cause).toBeInstanceOf(TypeError)
  })
})

describe('source() of a ReadableStream', () => {
  test('cancels it once when the reader leaves', async () => {
    const { log, stream } = endlessStream()
    expect(await pipeline(source(stream), take(2)).run({ capacity: 1 })).toEqual([0, 1])
    expect(log.cancelled).toHaveLength(1)
    const { pulled } = log
    await turns(3)
    expect(log.pulled).toBe(pulled)
  })

  test('cancels it when a stage fails or the run aborts', async () => {
    const failing = endlessStream()
    await stageError(
      pipeline(
        source(failing.stream),
        map(() => Promise.reject(boom)),
        drain(),
      ).run(),
    )
    expect(failing.log.cancelled).toHaveLength(1)
    const aborted = endlessStream()
    const run = pipeline(source(aborted.stream), map(never), drain()).start({ capacity: 1 })
    await until(() => aborted.log.pulled > 1)
    await Promise.all([rejection(run.result), run.abort(boom)])
    expect(aborted.log.cancelled).toHaveLength(1)
  })

  test('ends at once with the reason of an abort where the stream never gives a value', async () => {
    const cancelled: unknown[] = []
    const stream = new ReadableStream<number>({ cancel: (reason) => void cancelled.push(reason) })
    const run = pipeline(source(stream), drain()).start()
    await turns(2)
    const [error] = await Promise.all([rejection(run.result), run.abort(boom)])
    expect(error).toBe(boom)
    expect(cancelled).toHaveLength(1)
  })

  test('fails with what the stream fails with', async () => {
    const stream = new ReadableStream<number>({
      start: (controller) => controller.enqueue(1),
      pull: (controller) => controller.error(boom),
    })
    const error = await stageError(pipeline(source(stream), drain()).run())
    expect(error).toMatchObject({ stage: 'source', index: 0 })
    expect(error.cause).toBe(boom)
  })
})

describe('source() of a Receiver', () => {
  test('closes it when the reader leaves', async () => {
    const [tx, rx] = channel<number>(4)
    for (const n of upTo(4)) tx.trySend(n)
    expect(await pipeline(source(rx), take(2)).run({ capacity: 0 })).toEqual([0, 1])
    await tx.whenClosed()
    expect(tx.trySend(9)).toBe('closed')
    tx.close()
  })

  test('fails with the cause of a channel that failed, after what it held', async () => {
    const [tx, rx] = channel<number>(4)
    tx.trySend(1)
    tx.fail(boom)
    const seen: number[] = []
    const run = pipeline(
      source(rx),
      map((n) => (seen.push(n), n)),
      drain(),
    ).run()
    const error = await stageError(run)
    expect(error).toMatchObject({ stage: 'source', index: 0 })
    expect(error.cause).toBe(boom)
    expect(seen).toEqual([1])
  })
})

describe('source() of an iterable of promises', () => {
  test('awaits them in order', async () => {
    const gates = upTo(3).map(() => deferred<number>())
    const run = pipeline(source(gates.map((gate) => gate.promise))).run()
    gates[2].resolve(2)
    gates[1].resolve(1)
    await turns(2)
    gates[0].resolve(0)
    expect(await run).toEqual([0, 1, 2])
  })

  test('fails with the cause of one that rejects, after those before it', async () => {
    const seen: number[] = []
    const input = [
      Promise.resolve(1),
      turns(2).then(() => 2),
      turns(3).then(() => Promise.reject<number>(boom)),
    ]
    const run = pipeline(
      source(input),
      map((n) => void seen.push(n)),
      drain(),
    ).run()
    const error = await stageError(run)
    expect(error).toMatchObject({ stage: 'source', index: 0 })
    expect(error.cause).toBe(boom)
    expect(seen).toEqual([1, 2])
  })

  test('leaves none unhandled that rejects before its turn has come', async () => {
    const unhandled = await unhandledDuring(async () => {
      const input = [
        turns(5).then(() => 1),
        Promise.reject<number>(boom),
        Promise.reject<number>(new Error('later')),
      ]
      const error = await stageError(pipeline(source(input), drain()).run())
      expect(error).toMatchObject({ stage: 'source', index: 0 })
      expect(error.cause).toBe(boom)
    })
    expect(unhandled).toEqual([])
  })
})

describe('a Node Readable that gives nothing', () => {
  const idle = () => new Readable({ objectMode: true, read() {} })
  const ends = {
    'an abort': (run: Run<unknown>) => run.abort(),
    'a stop': (run: Run<unknown>) => run.stop(),
  }

  test.each(Object.entries(ends))('is destroyed by %s', async (_, end) => {
    const input = idle()
    const run = pipeline(source(input), drain()).start()
    run.result.catch(() => {})
    await turns(3)
    await end(run)
    await turns(2)
    expect(input.destroyed).toBe(true)
  })

  test('is destroyed when nobody reads any more, and when a stage fails', async () => {
    const input = idle()
    const loop = pipeline(source(input))[Symbol.asyncIterator]()
    const step = loop.next()
    await turns(3)
    await loop.return?.()
    expect(await step).toEqual({ done: true, value: undefined })
    const other = idle()
    other.push(1)
    const fails = map(async () => (await turns(3), Promise.reject(boom)))
    await stageError(pipeline(source(other), fails, drain()).run())
    await turns(2)
    expect([input.destroyed, other.destroyed]).toEqual([true, true])
  })

  test('loses nothing that it had before a stop', async () => {
    const input = idle()
    const run = pipeline(source(input)).start()
    await turns(3)
    input.push(1)
    expect(await run.stop()).toEqual([1])
  })
})

describe('an input that others fill and that has not been opened', () => {
  const readable = () => {
    const stream = new Readable({ read() {} })
    return { input: stream, left: () => stream.destroyed }
  }
  const receiver = () => {
    const [tx, rx] = channel<unknown>(1)
    return { input: rx, left: () => tx.closed }
  }
  const inputs = {
    'a receiver': receiver,
    'a stream of Node': readable,
    'a promise of a receiver': () => {
      const { input, left } = receiver()
      return { input: Promise.resolve(input), left }
    },
    'a promise of a stream of Node': () => {
      const { input, left } = readable()
      return { input: Promise.resolve(input), left }
    },
  }
  const ends = {
    'a stop': (run: Run<unknown>) => run.stop(),
    'an abort': (run: Run<unknown>) => run.abort(boom),
    'its disposal': (run: Run<unknown>) => run[Symbol.asyncDispose](),
  }
  describe.each(Object.entries(inputs))('%s,', (_, make) => {
    test.each(Object.entries(ends))(
      'is let go of by %s before the first turn of the run',
      async (_end, end) => {
        const { input, left } = make()
        const run = pipeline(source<unknown>(input), drain()).start()
        run.result.catch(() => {})
        await end(run)
        await until(left)
      },
    )

    test.each(Object.entries(ends))('is let go of by %s while another is read', async (_end, end) => {
      const { input, left } = make()
      const [tx, rx] = channel<number>(1)
      const run = pipeline(concat<unknown>(rx, input), drain()).start()
      run.result.catch(() => {})
      await tx.send(1)
      await until(() => tx.length === 0)
      await end(run)
      await until(left)
    })

    test('is let go of where nobody wants a value', async () => {
      const { input, left } = make()
      expect(await pipeline(source<unknown>(input), take(0)).run()).toEqual([])
      await until(left)
    })
  })

  test('that is a string fails no run that did not read it', async () => {
    expect(await pipeline(source('abc'), take(0)).run()).toEqual([])
    expect(await pipeline(source('abc')).start().stop()).toEqual([])
  })

  test('is left to whoever has locked it, and fails no run that did not read it', async () => {
    const { stream, log } = endlessStream()
    const reader = stream.getReader()
    expect(await pipeline(source(stream), take(0)).run()).toEqual([])
    expect(await pipeline(source(stream)).start().stop()).toEqual([])
    expect(await pipeline(concat(naturals, stream), take(2)).run()).toEqual([0, 1])
    expect([stream.locked, log.cancelled]).toEqual([true, []])
    reader.releaseLock()
  })
})
