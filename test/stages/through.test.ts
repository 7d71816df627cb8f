/** through(): operators that others wrote, IxJS, async generators, web transforms and Node duplexes. */
import { type Duplex, PassThrough, Readable, Transform } from 'node:stream'
import { createGunzip, createGzip } from 'node:zlib'
import {
  buffer as ixBuffer,
  filter as ixFilter,
  map as ixMap,
  take as ixTake,
} from 'ix/asynciterable/operators'
import { describe, expect, test } from 'vitest'
import { batch, drain, forEach, map, pipeline, range, source, take, through, type Stage } from 'sluice'
import { stageError, unhandledDuring } from '../pipeline/support-leaks.ts'
import { naturals, probe, upTo } from '../pipeline/support-sources.ts'
import { deferred, never, rejection, stable, turns, until } from '../pipeline/support-waiting.ts'

const boom = new Error('boom')
const capacities = [0, 1, 256]

/** A web transform that doubles, and throws at `bad`. */
const webDouble = (bad = NaN) =>
  new TransformStream<number, number>({
    transform(n, controller) {
      if (n === bad) throw boom
      controller.enqueue(n * 2)
    },
  })

/** The same as a Node transform. */
const nodeDouble = (bad = NaN) =>
  new Transform({
    objectMode: true,
    transform(n: number, _encoding, done) {
      if (n === bad) done(boom)
      else done(null, n * 2)
    },
  })

async function* generatorDouble(input: AsyncIterable<number>) {
  for await (const n of input) yield n * 2
}

// What comes out of a Node stream has no type.
type Doubling = ReturnType<typeof through<number, unknown>>
const doublings: [string, () => Doubling][] = [
  ['an IxJS operator', () => through(ixMap((n: number) => n * 2))],
  ['an async generator function', () => through(generatorDouble)],
  ['a web TransformStream', () => through(webDouble())],
  ['a Node Transform', () => through(nodeDouble())],
]

describe.each(doublings)('through() %s', (_title, double) => {
  test.each(capacities)('passes every value through it at capacity %i', async (capacity) => {
    const input = probe(upTo(20))
    const out = await pipeline(source(input), double()).run({ capacity })
    expect(out).toEqual(upTo(20).map((n) => n * 2))
    expect(input).toMatchObject({ returned: 0, overlaps: 0 })
  })

  test.each(capacities)('closes its source once when the reader leaves, at capacity %i', async (capacity) => {
    const input = probe(naturals)
    expect(await pipeline(source(input), double(), take(3)).run({ capacity })).toEqual([0, 2, 4])
    expect(input.returned).toBe(1)
  })

  test('passes on what its source gave before it failed', async () => {
    const seen: unknown[] = []
    const pipe = pipeline(
      source(probe(upTo(3), { error: boom })),
      double(),
      forEach((n) => void seen.push(n)),
    )
    const error = await stageError(pipe.run())
    expect(error).toMatchObject({ stage: 'source', index: 0, suppressed: [] })
    expect(error.cause).toBe(boom)
    expect(seen).toEqual([0, 2, 4])
  })

  test('ends at once where its source is stuck and the run is aborted', async () => {
    const input = probe(upTo(3), 'hang')
    const unhandled = await unhandledDuring(async () => {
      const run = pipeline(source(input), double(), drain()).start()
      await until(() => input.hangs)
      const [error] = await Promise.all([rejection(run.result), run.abort('stop')])
      expect(error).toBe('stop')
    })
    expect(input.returned).toBe(1)
    expect(unhandled).toEqual([])
  })

  test('holds its source back where nobody reads', async () => {
    const input = probe(naturals)
    const run = pipeline(source(input), double(), forEach(never)).start({ capacity: 1 })
    // what a stream buffers itself (16 objects on each side of a Node transform) comes on top of the bound
    expect(await stable(() => input.pulled)).toBeLessThanOrEqual(5 + 2 * 16 + 2)
    await Promise.all([rejection(run.result), run.abort()])
  })
})

describe('through()', () => {
  test('holds one value for operators that hold none', async () => {
    for (const operator of [through(ixMap((n: number) => n)), through(generatorDouble)]) {
      const input = probe(naturals)
      const run = pipeline(source(input), operator, forEach(never)).start({ capacity: 1 })
      expect(await stable(() => input.pulled)).toBeLessThanOrEqual(1 + 1 + 1 + 1 + 1)
      await Promise.all([rejection(run.result), run.abort()])
    }
  })

  test('fails with what the transform throws, after what came before', async () => {
    const throwing = async function* (input: AsyncIterable<number>) {
      for await (const n of input) {
        if (n === 2) throw boom
        yield n * 2
      }
    }
    const ix = ixMap((n: number) => (n === 2 ? Promise.reject<number>(boom) : n * 2))
    for (const transform of [through(throwing), through(ix)]) {
      const input = probe(naturals)
      const seen: number[] = []
      const pipe = pipeline(
        source(input),
        transform,
        forEach((n) => void seen.push(n)),
      )
      const error = await stageError(pipe.run())
      expect(error).toMatchObject({ index: 1, suppressed: [] })
      expect(error.cause).toBe(boom)
      expect(input.returned).toBe(1)
      expect(seen).toEqual([0, 2])
    }
  })

  test('fails with the error of a stream, and closes its source', async () => {
    for (const transform of [through(webDouble(2)), through(nodeDouble(2))]) {
      const input = probe(naturals)
      const unhandled = await unhandledDuring(async () => {
        const error = await stageError(pipeline(source(input), transform, drain()).run())
        expect(error).toMatchObject({ index: 1, suppressed: [] })
        expect(error.cause).toBe(boom)
      })
      expect(input.returned).toBe(1)
      expect(unhandled).toEqual([])
    }
  })

  test('runs operators that change the number of values, and can run them twice', async () => {
    const pipe = pipeline(
      range(10),
      through(ixFilter((n: number) => n % 2 === 1)),
      map((n) => n * 10),
      through(ixBuffer<number>(2)),
    )
    for (const _ of upTo(2)) expect(await pipe.run()).toEqual([[10, 30], [50, 70], [90]])
  })

  test('closes its source where the operator wants no more', async () => {
    const input = probe(naturals)
    expect(await pipeline(source(input), through(ixTake<number>(3))).run({ capacity: 1 })).toEqual([0, 1, 2])
    expect(input.returned).toBe(1)
  })

  test('may give any async iterable, and one that reads nothing', async () => {
    const input = probe(naturals)
    const instead = through((_input: AsyncIterable<number>) => probe(['a', 'b']))
    expect(await pipeline(source(input), instead).run({ capacity: 1 })).toEqual(['a', 'b'])
    expect(input.returned).toBe(1)
  })

  test('works with byte streams of Node', async () => {
    const text = 'sluice '.repeat(10_000)
    const chunks = upTo(10).map((n) => Buffer.from(text.slice(n * 7_000, (n + 1) * 7_000)))
    const out = await pipeline(source(chunks), through(createGzip()), through(createGunzip())).run({
      capacity: 2,
    })
    expect(Buffer.concat(out as Buffer[]).toString()).toBe(text)
  })

  test('works with a Duplex and destroys it when the reader leaves', async () => {
    const duplex: Duplex = new PassThrough({ objectMode: true })
    expect(await pipeline(source(naturals), through(duplex), take(2)).run()).toEqual([0, 1])
    expect(duplex.destroyed).toBe(true)
  })
})

describe.each([0, 1, 256])('what the function of through() gave, at capacity %i', (capacity) => {
  const ways: [string, Stage<unknown, unknown>][] = [
    ['enough', take(1)],
    ['a failure behind it', map(async () => Promise.reject(boom))],
  ]

  test.for(ways)('does not hold the run at %s where it hangs', async ([, behind]) => {
    const input = probe(naturals)
    const hangs = async function* (values: AsyncIterable<number>) {
      for await (const n of values) {
        yield n
        await never()
      }
    }
    const run = pipeline(source(input), through(hangs), behind).run({ capacity })
    await run.catch(() => {})
    expect(input.returned).toBe(1)
  })

  test('does not hold a run that is aborted where it hangs', async () => {
    const run = pipeline(
      range(9),
      through(() => ({ [Symbol.asyncIterator]: () => ({ next: never }) })),
    ).start({ capacity })
    await Promise.all([rejection(run.result), run.abort(boom)])
  })

  test('is left once, and its clean-up waited for', async () => {
    const left: string[] = []
    const tidies = async function* (values: AsyncIterable<number>) {
      try {
        yield* values
      } finally {
        await turns(3)
        left.push('tidied')
      }
    }
    await pipeline(range(9), through(tidies), take(1)).run({ capacity })
    expect(left).toEqual(['tidied'])
  })

  test('is left by an abort where it waits for input: a pipeline works off nothing any more', async () => {
    const gate = deferred()
    let calls = 0
    const work = async () => {
      calls++
      await gate.promise
    }
    const silent = async function* () {
      yield* upTo(50)
      await never()
    }
    const worked = through((input: AsyncIterable<number>) => pipeline(source(input), map(work), batch(100)))
    const run = pipeline(source(silent), worked).start()
    await until(() => run.stats().stages[1].received === 50 && calls === 1)
    await run.abort()
    await rejection(run.result)
    gate.resolve()
    await turns(5)
    expect(calls).toBe(1)
  })

  test('is not waited for when it has ended, though its `return` hangs', async () => {
    const hanging = through((input: AsyncIterable<number>) => {
      const values = input[Symbol.asyncIterator]()
      return { [Symbol.asyncIterator]: () => ({ next: () => values.next(), return: never }) }
    })
    const silent = async function* () {
      yield* upTo(3)
      await never()
    }
    expect(await pipeline(source(silent), hanging, take(3)).run({ capacity })).toEqual([0, 1, 2])
  })

  test('is let go of with the reason of an abort where it is a silent stream', async () => {
    const readable = new Readable({ objectMode: true, read() {} })
    const reasons: unknown[] = []
    const stream = new ReadableStream<number>({ cancel: (reason) => void reasons.push(reason) })
    for (const many of [readable, stream]) {
      let given = false
      const run = pipeline(
        range(1),
        through(() => {
          given = true
          return many as AsyncIterable<number>
        }),
        drain(),
      ).start({ capacity })
      await until(() => given)
      await Promise.all([rejection(run.result), run.abort(boom)])
    }
    await until(() => readable.closed)
    expect(stream.locked).toBe(false)
    expect(reasons).toEqual([boom])
  })
})

describe('through() a TransformStream', () => {
  test.each([0, 1])('passes all on where one that holds %i values is full', async (highWaterMark) => {
    for (const readable of [0, 1]) {
      const pair = new TransformStream<number, number>({}, { highWaterMark }, { highWaterMark: readable })
      expect(await pipeline(range(9), through(pair)).run()).toEqual(upTo(9))
    }
  })

  test('leaves nothing behind for each value where nothing is held', async () => {
    const pair = new TransformStream<number, number>({}, { highWaterMark: 0 })
    let asked = 0
    const getWriter = pair.writable.getWriter.bind(pair.writable)
    pair.writable.getWriter = () => {
      const writer = getWriter()
      const { ready } = writer
      Object.defineProperty(writer, 'ready', { get: () => (asked++, ready) })
      return writer
    }
    expect(await pipeline(range(99), through(pair)).run()).toEqual(upTo(99))
    expect(asked).toBeLessThan(9)
  })

  test('pulls no more than it holds where nothing is held', async () => {
    const input = probe(naturals)
    const pair = new TransformStream<number, number>({}, { highWaterMark: 0 })
    const run = pipeline(source(input), through(pair), forEach(never)).start({ capacity: 0 })
    // In the hands of the sink, of the stage and of the source, one that it writes and one that waits for that.
    expect(await stable(() => input.pulled)).toBeLessThanOrEqual(5)
    await Promise.all([rejection(run.result), run.abort()])
  })

  test('whose flush hangs is not waited for where nobody wants its results', async () => {
    const hanging = () => through(new TransformStream<number, number>({ flush: never }))
    expect(await pipeline(range(3), hanging(), take(3)).run()).toEqual([0, 1, 2])
    const fails = map(() => Promise.reject(boom))
    expect(await stageError(pipeline(range(3), hanging(), fails).run())).toMatchObject({ cause: boom })
  })
})
