/** Node streams on either side of a pipeline and in the middle of one. */
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex, PassThrough, Readable, Transform, Writable } from 'node:stream'
import { pipeline as nodePipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  balance,
  drain,
  forEach,
  map,
  pipeline,
  range,
  source,
  type StageError,
  take,
  through,
  writeTo,
} from 'sluice'
import { stageError, unhandledDuring } from '../pipeline/support-leaks.ts'
import { cycle, naturals, probe, upTo } from '../pipeline/support-sources.ts'
import { never, rejection, stable, turns, until } from '../pipeline/support-waiting.ts'

const boom = new Error('boom')

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-'))
})
afterAll(() => rm(directory, { recursive: true }))

/** Gives `values`, then nothing more, and does not end. */
function silent(values: unknown[], options: object = {}): Readable {
  const stream = new Readable({ objectMode: true, read() {}, ...options })
  for (const value of values) stream.push(value)
  return stream
}

describe('a Readable as a source', () => {
  test('gives objects, and leaves falsy ones alone', async () => {
    const values = [{ a: 1 }, 0, '', false, undefined]
    expect(await pipeline(source(Readable.from(values.slice(0, 4)))).run()).toEqual(values.slice(0, 4))
  })

  test('gives Buffers, and text where an encoding is set', async () => {
    const file = join(directory, 'in.txt')
    await writeFile(file, 'abcdef')
    const bytes = await pipeline(source<Buffer>(createReadStream(file, { highWaterMark: 4 }))).run()
    expect(bytes).toEqual([Buffer.from('abcd'), Buffer.from('ef')])
    expect(await pipeline(source(createReadStream(file, 'utf8'))).run()).toEqual(['abcdef'])
  })

  test('fails the run with its error, after what came before', async () => {
    const stream = silent([1, 2])
    const seen: unknown[] = []
    const run = pipeline(
      source(stream),
      forEach((value) => void seen.push(value)),
    ).run()
    await until(() => seen.length === 2)
    stream.destroy(boom)
    expect(await stageError(run)).toMatchObject({ stage: 'source', cause: boom, suppressed: [] })
  })

  test('fails the run where somebody else destroys it', async () => {
    const stream = silent([1])
    const run = pipeline(source(stream), drain()).start()
    await until(() => run.stats().stages[0].sent === 1)
    stream.destroy()
    expect(await stageError(run.result)).toMatchObject({ cause: { code: 'ERR_STREAM_PREMATURE_CLOSE' } })
  })

  test('fails the run where it was destroyed before', async () => {
    const stream = silent([]).destroy()
    expect(await stageError(pipeline(source(stream)).run())).toMatchObject({ stage: 'source' })
  })

  test('fills its own buffer and the bound, and no more', async () => {
    let made = 0
    const stream = new Readable({
      objectMode: true,
      highWaterMark: 3,
      read() {
        this.push(made++)
      },
    })
    const run = pipeline(source(stream), forEach(never)).start({ capacity: 2 })
    // its buffer, one in the hands of the source, the channel, one in the sink's
    expect(await stable(() => made)).toBeLessThanOrEqual(3 + 1 + 2 + 1)
    await Promise.all([rejection(run.result), run.abort()])
    expect(stream.destroyed).toBe(true)
  })

  const leavings: [string, (stream: Readable) => Promise<unknown>][] = [
    ['the reader leaves', (stream) => pipeline(source(stream), take(1)).run()],
    [
      'a stage fails',
      (stream) =>
        rejection(
          pipeline(
            source(stream),
            map(() => Promise.reject(boom)),
          ).run(),
        ),
    ],
    [
      'the run is aborted',
      async (stream) => {
        const run = pipeline(source(stream), drain()).start()
        await until(() => run.stats().stages[0].sent === 1)
        await Promise.all([rejection(run.result), run.abort()])
      },
    ],
    [
      'the run is stopped',
      async (stream) => {
        const run = pipeline(source(stream), drain()).start()
        await until(() => run.stats().stages[0].sent === 1)
        await run.stop()
      },
    ],
  ]
  describe.each(leavings)('when %s', (_title, leave) => {
    test('is destroyed and closed before the run settles, though it has no value to give', async () => {
      const stream = silent([1])
      await leave(stream)
      expect(stream).toMatchObject({ destroyed: true, closed: true })
    })

    test('is destroyed where it never tells that it has closed', async () => {
      const stream = silent([1], { emitClose: false })
      await leave(stream)
      expect(stream.destroyed).toBe(true)
    })

    test('may fail to close without an error that nobody takes', async () => {
      const destroy = (_error: Error | null, done: (error: Error) => void) => done(boom)
      const stream = silent([1], { destroy })
      const uncaught: unknown[] = []
      const see = (error: unknown) => void uncaught.push(error)
      process.on('uncaughtException', see)
      expect(await unhandledDuring(() => leave(stream))).toEqual([])
      process.off('uncaughtException', see)
      expect(uncaught).toEqual([])
    })
  })
})

describe('a Readable that is left', () => {
  test('is waited for until it has closed, where it stands still', async () => {
    let closed = false
    const destroy = (error: Error | null, done: (error: Error | null) => void) =>
      void turns(5).then(() => {
        closed = true
        done(error)
      })
    const stream = silent(upTo(9), { highWaterMark: 1, destroy })
    expect(await pipeline(source(stream), take(1)).run({ capacity: 0 })).toEqual([0])
    expect(closed).toBe(true)
  })

  test('is not waited for where it reads, which may last for ever', async () => {
    const stream = silent([1], { destroy: () => {} })
    expect(await pipeline(source(stream), take(1)).run()).toEqual([1])
    expect(stream).toMatchObject({ destroyed: true, closed: false })
  })
})

describe('Readable.from(pipeline)', () => {
  test('gives the results one by one', async () => {
    const results: unknown[] = []
    for await (const value of Readable.from(pipeline(range(4)))) results.push(value)
    expect(results).toEqual([0, 1, 2, 3])
  })

  test('pulls no more than its buffer and the bound', async () => {
    const values = probe(naturals)
    const stream = Readable.from(pipeline(source(values, { capacity: 1 })), { highWaterMark: 2 })
    stream.on('readable', () => {})
    expect(await stable(() => values.pulled)).toBeLessThanOrEqual(2 + 1 + 1 + 1)
    stream.destroy()
    await until(() => stream.closed)
    expect(values.returned).toBe(1)
  })

  test('closes the source once when it is destroyed, silent or not', async () => {
    for (const values of [probe(naturals), probe([1], 'hang')]) {
      const stream = Readable.from(pipeline(source(values)))
      for await (const _value of stream) break
      await until(() => stream.closed)
      expect(values.returned).toBe(1)
    }
  })

  test('fails with the error of the run', async () => {
    const stream = Readable.from(pipeline(source(probe([1], { error: boom }))))
    const error = await stageError(nodePipeline(stream, new PassThrough({ objectMode: true }).resume()))
    expect(error.cause).toBe(boom)
  })

  test('fails where Node has no way to give a value, and closes the source once', async () => {
    const values = probe(cycle([1, null]))
    const stream = Readable.from(pipeline(source(values)))
    expect(await rejection(stream.toArray())).toMatchObject({ code: 'ERR_STREAM_NULL_VALUES' })
    await until(() => values.returned > 0)
    expect(values.returned).toBe(1)
  })

  test('goes into any Writable by the pipeline() of Node', async () => {
    const file = join(directory, 'out.txt')
    const lines = pipeline(
      range(1000),
      map((n) => `${n}\n`),
    )
    await nodePipeline(Readable.from(lines), createWriteStream(file, { highWaterMark: 16 }))
    expect(await readFile(file, 'utf8')).toBe(upTo(1000).join('\n') + '\n')
  })

  test('closes the source where that Writable fails', async () => {
    const values = probe(naturals)
    const writable = new Writable({
      objectMode: true,
      write: (n, _encoding, done) => done(n === 3 ? boom : null),
    })
    const unhandled = await unhandledDuring(async () => {
      expect(await rejection(nodePipeline(Readable.from(pipeline(source(values))), writable))).toBe(boom)
      await until(() => values.returned > 0)
    })
    expect(values.returned).toBe(1)
    expect(unhandled).toEqual([])
  })
})

describe('a Duplex through through()', () => {
  /** A transform in object mode with one odd method. */
  const odd = (options: object) =>
    new Transform({ objectMode: true, transform: (value, _encoding, done) => done(null, value), ...options })

  test('packs and unpacks bytes', async () => {
    const text = 'abc'.repeat(100_000)
    const chunks = pipeline(
      source(text.match(/.{1,1000}/g)!),
      through<string, Buffer>(createGzip()),
      through<Buffer, Buffer>(createGunzip()),
    )
    expect(Buffer.concat(await chunks.run({ capacity: 2 })).toString()).toBe(text)
  })

  test('fails with the error of bytes that cannot be unpacked', async () => {
    const run = pipeline(source(['not gzip']), through(createGunzip()), drain()).run()
    expect(await stageError(run)).toMatchObject({ stage: 'through', cause: { code: 'Z_DATA_ERROR' } })
  })

  test('may be made of an async generator function', async () => {
    const double = Duplex.from(async function* (input: AsyncIterable<number>) {
      for await (const n of input) yield n * 2
    })
    expect(await pipeline(range(1, 4), through<number, number>(double)).run()).toEqual([2, 4, 6])
  })

  const failing: [string, object][] = [
    [
      'transform',
      { transform: (_value: unknown, _encoding: string, done: (e: Error) => void) => done(boom) },
    ],
    ['flush', { flush: (done: (e: Error) => void) => done(boom) }],
    ['final', { final: (done: (e: Error) => void) => done(boom) }],
  ]
  test.each(failing)('fails with the error of its %s()', async (_title, options) => {
    for (const autoDestroy of [true, false]) {
      const unhandled = await unhandledDuring(async () => {
        const stream = odd({ ...options, autoDestroy })
        const error = await stageError(pipeline(range(3), through(stream), drain()).run())
        expect(error).toMatchObject({ stage: 'through', index: 1, cause: boom, suppressed: [] })
        expect(stream.destroyed).toBe(true)
      })
      expect(unhandled).toEqual([])
    }
  })

  test('fails, and closes its source, where somebody else destroys it', async () => {
    for (const error of [undefined, boom]) {
      const values = probe(naturals)
      const stream = odd({
        transform: (n: number, _encoding: string, done: (e?: Error) => void) => {
          if (n === 3) stream.destroy(error)
          else done()
        },
      })
      const failure = await stageError(pipeline(source(values), through(stream), drain()).run())
      expect(failure).toMatchObject({ stage: 'through', suppressed: [] })
      expect(failure.cause).toMatchObject(error ?? { code: 'ERR_STREAM_PREMATURE_CLOSE' })
      expect(values.returned).toBe(1)
    }
  })

  test('fails where another run has used it up, and loses nothing in silence', async () => {
    for (const autoDestroy of [true, false]) {
      const numbers = pipeline(
        range(3),
        through<number, number>(new PassThrough({ objectMode: true, autoDestroy })),
      )
      expect(await numbers.run()).toEqual([0, 1, 2])
      const error = await stageError(numbers.run())
      expect(error).toMatchObject({ stage: 'through', suppressed: [] })
      expect(error.message).toContain('the stream has been ended before')
    }
  })

  test('fails where it is in use by another stage, and loses nothing in silence', async () => {
    const gone = through<number, number>(new PassThrough({ objectMode: true }))
    const error = await stageError(pipeline(range(700), balance(3, gone)).run())
    expect(error).toMatchObject({ stage: 'through' })
    expect(error.message).toContain('the stream is in use by another stage')

    const other = through<number, number>(new PassThrough({ objectMode: true }))
    const first = pipeline(range(3), other).run()
    expect((await stageError(pipeline(range(3), other).run())).cause).toBeInstanceOf(TypeError)
    expect(await first).toEqual([0, 1, 2])
  })

  test('fails where it was destroyed before', async () => {
    const values = probe(naturals)
    const run = pipeline(source(values), through(odd({}).destroy()), drain()).run()
    expect(await stageError(run)).toMatchObject({ stage: 'through' })
    // On a busy machine the stage has failed before the source begins.
    expect(values.returned).toBe(values.iterated)
  })

  describe.each([
    { autoDestroy: true, emitClose: true },
    { autoDestroy: false, emitClose: true },
    { autoDestroy: false, emitClose: false },
  ])('with %o', (options) => {
    test('ends the stage when it has had enough, though it never takes what was written', async () => {
      const values = probe(naturals)
      const stream = new Duplex({
        objectMode: true,
        highWaterMark: 1,
        read() {},
        write(n: number) {
          this.push(n)
          this.push(null)
        },
        ...options,
      })
      expect(await pipeline(source(values), through(stream)).run({ capacity: 1 })).toEqual([0])
      expect(values.returned).toBe(1)
    })

    test('ends the stage when it has had enough while its source is silent', async () => {
      const values = probe([1], 'hang')
      const stream = odd(options)
      const run = pipeline(source(values), through(stream)).run()
      await until(() => values.hangs)
      stream.push(null)
      expect(await run).toEqual([1])
      expect(values.returned).toBe(1)
    })

    test('is left without a listener of ours', async () => {
      const stream = odd(options)
      const before = ['drain', 'close', 'error'].map((event) => stream.listenerCount(event))
      await pipeline(range(100), through(stream), drain()).run({ capacity: 1 })
      await turns(2)
      const after = ['drain', 'close', 'error'].map((event) => stream.listenerCount(event))
      // Node keeps one for errors and one for the end where it destroys the stream itself.
      expect(after[0]).toBe(before[0])
      if (!options.autoDestroy) expect(after).toEqual(before)
    })
  })

  test('is destroyed when the reader leaves, and may fail at that', async () => {
    const stream = odd({ destroy: (_error: Error | null, done: (error: Error) => void) => done(boom) })
    const unhandled = await unhandledDuring(async () => {
      expect(await pipeline(range(Infinity), through(stream), take(2)).run()).toEqual([0, 1])
    })
    expect(stream.destroyed).toBe(true)
    expect(unhandled).toEqual([])
  })

  test('that a function puts its input through is a new one for each run', async () => {
    const made: Duplex[] = []
    const doubling = through((input: AsyncIterable<number>): AsyncIterable<number> => {
      const double = new Transform({ objectMode: true, transform: (n: number, _, done) => done(null, n * 2) })
      made.push(double)
      return Readable.from(input).compose(double) as AsyncIterable<number>
    })
    const doubled = pipeline(range(3), doubling)
    expect([await doubled.run(), await doubled.run()]).toEqual([
      [0, 2, 4],
      [0, 2, 4],
    ])
    expect(await pipeline(range(0, Infinity), doubling, take(2)).run()).toEqual([0, 2])
    function* failing() {
      yield 1
      throw boom
    }
    const error = await stageError(pipeline(source(failing), doubling, drain()).run())
    expect(error).toMatchObject({ stage: 'source', cause: boom })
    await until(() => made.every(({ destroyed }) => destroyed))
    expect(made).toHaveLength(4)
  })
})

describe('writeTo() a Node stream', () => {
  test('writes a file that is closed when the run has settled', async () => {
    const file = join(directory, 'written.txt')
    const stream = createWriteStream(file, { highWaterMark: 8 })
    const lines = pipeline(
      range(500),
      map((n) => `${n}\n`),
      writeTo(stream),
    )
    await lines.run()
    expect(stream).toMatchObject({ bytesWritten: 1890, closed: true })
    expect(await readFile(file, 'utf8')).toBe(upTo(500).join('\n') + '\n')
  })

  test('fails with the error of a file that cannot be opened', async () => {
    const values = probe(naturals)
    const stream = createWriteStream(join(directory, 'no', 'such', 'file'))
    const run = pipeline(
      source(values),
      map((n) => `${n}`),
      writeTo(stream),
    ).run()
    expect(await stageError(run)).toMatchObject({ stage: 'writeTo', cause: { code: 'ENOENT' } })
    // It may fail before the source has been opened.
    expect(values.returned).toBe(values.iterated)
  })

  test('and source() hear of a missing file while other work keeps the event loop', async () => {
    const busy = () => {
      const end = performance.now() + 6
      while (performance.now() < end);
    }
    const others = pipeline(range(40), map(busy), drain()).run()
    const path = join(directory, 'no', 'such', 'file')
    const runs: Promise<StageError>[] = []
    for (let i = 0; i < 20; i++) {
      await new Promise(setImmediate)
      runs.push(stageError(pipeline(source(createReadStream(path)), drain()).run()))
      runs.push(stageError(pipeline(source(['a']), writeTo(createWriteStream(path))).run()))
    }
    for (const { cause } of await Promise.all(runs)) expect(cause).toMatchObject({ code: 'ENOENT' })
    await others
  })

  test('hears an error that comes before its first turn, as a source does, which a busy event loop puts off', async () => {
    const stream = new PassThrough({ objectMode: true })
    const run = pipeline(range(3), writeTo(stream)).run()
    stream.emit('error', boom)
    expect(await stageError(run)).toMatchObject({ stage: 'writeTo', cause: boom })
    const input = new PassThrough({ objectMode: true })
    const reading = pipeline(source(input), drain()).run()
    input.on('close', () => {}).destroy(boom)
    expect(await stageError(reading)).toMatchObject({ stage: 'source', cause: boom })
  })

  const gone: [string, () => Writable][] = [
    ['was destroyed', () => new PassThrough({ objectMode: true }).destroy()],
    [
      'was destroyed with an error',
      () => new PassThrough({ objectMode: true }).on('error', () => {}).destroy(boom),
    ],
    ['has ended', () => new PassThrough({ objectMode: true }).end()],
  ]
  test.each(gone)('fails where its target %s before', async (_title, target) => {
    const values = probe(naturals)
    const unhandled = await unhandledDuring(async () => {
      const error = await stageError(pipeline(source(values), writeTo(target())).run())
      expect(error).toMatchObject({ stage: 'writeTo' })
    })
    expect(values.returned).toBe(values.iterated)
    expect(unhandled).toEqual([])
    await stageError(pipeline(source([]), writeTo(target())).run())
  })
})

describe('a function that gives a stream, through through()', () => {
  const functions: [string, () => ReturnType<typeof through<number, number>>][] = [
    ['a Readable', () => through((input) => Readable.from(input).map((n: number) => n * 2))],
    ['a composed Duplex', () => through((input) => Readable.from(input).compose(doubled as never))],
    ['a web stream', () => through((input) => webFrom(input).pipeThrough(webDouble()))],
  ]
  const doubled = async function* (input: AsyncIterable<number>) {
    for await (const n of input) yield n * 2
  }
  const webFrom = (input: AsyncIterable<number>) =>
    (ReadableStream as unknown as { from: (input: unknown) => ReadableStream<number> }).from(input)
  const webDouble = () =>
    new TransformStream<number, number>({ transform: (n, controller) => controller.enqueue(n * 2) })

  describe.each(functions)('%s', (_title, double) => {
    test('makes a stage that can run twice', async () => {
      const pipe = pipeline(range(1, 4), double())
      expect([await pipe.run(), await pipe.run()]).toEqual([
        [2, 4, 6],
        [2, 4, 6],
      ])
    })

    test('closes the source once when the reader leaves, or the run is aborted while it is silent', async () => {
      const unhandled = await unhandledDuring(async () => {
        const values = probe(naturals)
        expect(await pipeline(source(values), double(), take(2)).run()).toEqual([0, 2])
        const stuck = probe([1], 'hang')
        const run = pipeline(source(stuck), double(), drain()).start()
        await until(() => stuck.hangs)
        await Promise.all([rejection(run.result), run.abort()])
        expect([values.returned, stuck.returned]).toEqual([1, 1])
      })
      expect(unhandled).toEqual([])
    })

    test('passes the error of the source on', async () => {
      const error = await stageError(pipeline(source(probe([1], { error: boom })), double(), drain()).run())
      expect(error).toMatchObject({ stage: 'source', cause: boom })
    })
  })
})
