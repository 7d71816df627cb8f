/** Web streams on either side of a pipeline and in the middle of one. */
import { describe, expect, test } from 'vitest'
import { drain, forEach, map, pipeline, range, source, StageError, take, through, writeTo } from 'sluice'
import { stageError, unhandledDuring } from '../pipeline/support-leaks.ts'
import { naturals, probe, streamOf, upTo } from '../pipeline/support-sources.ts'
import { deferred, never, rejection, stable, turns, until } from '../pipeline/support-waiting.ts'

const boom = new Error('boom')

const { from } = ReadableStream as unknown as { from<T>(values: AsyncIterable<T>): ReadableStream<T> }
const streamFrom: typeof from = (values) => from.call(ReadableStream, values) as never

/** Gives `values`, then nothing more, and does not end. Keeps the reasons it is cancelled with. */
function silent<T>(values: T[]) {
  const reasons: unknown[] = []
  let controller!: ReadableStreamDefaultController<T>
  const stream = new ReadableStream<T>({
    start(own) {
      controller = own
      for (const value of values) own.enqueue(value)
    },
    cancel(reason) {
      reasons.push(reason)
    },
  })
  return { stream, reasons, controller }
}

/** A stream of bytes that is asked for its chunks. */
const bytes = (chunks: number[][]) => {
  const left = [...chunks]
  return new ReadableStream({
    type: 'bytes',
    autoAllocateChunkSize: 4,
    pull(controller) {
      const chunk = left.shift()
      const view = controller.byobRequest!.view as Uint8Array
      if (!chunk) {
        controller.close()
        return controller.byobRequest!.respond(0)
      }
      view.set(chunk)
      controller.byobRequest!.respond(chunk.length)
    },
  }) as ReadableStream<Uint8Array>
}

describe('a ReadableStream as a source', () => {
  test('gives its values, null and undefined included, and is not left locked', async () => {
    const stream = streamOf([1, null, undefined, 0])
    expect(await pipeline(source(stream)).run()).toEqual([1, null, undefined, 0])
    expect(stream.locked).toBe(false)
  })

  test('may be a stream of bytes', async () => {
    const stream = bytes([[1, 2], [3]])
    expect(await pipeline(source(stream)).run()).toEqual([new Uint8Array([1, 2]), new Uint8Array([3])])
    expect(stream.locked).toBe(false)
  })

  test('is cancelled with the reason of the abort, and not left locked', async () => {
    const { stream, reasons } = silent([1])
    const run = pipeline(source(stream), drain()).start()
    await until(() => run.stats().stages[0].sent === 1)
    await Promise.all([rejection(run.result), run.abort(boom)])
    expect(reasons).toEqual([boom])
    expect(stream.locked).toBe(false)
  })

  test('is cancelled with the failure of a stage behind it', async () => {
    const { stream, reasons } = silent([1])
    const error = await rejection(
      pipeline(
        source(stream),
        map(() => Promise.reject(boom)),
      ).run(),
    )
    expect(error).toBeInstanceOf(StageError)
    expect(reasons).toEqual([error])
    expect(stream.locked).toBe(false)
  })

  test('is cancelled when the reader leaves, and not left locked', async () => {
    const { stream, reasons } = silent([1, 2, 3])
    expect(await pipeline(source(stream), take(2)).run()).toEqual([1, 2])
    expect(reasons).toMatchObject([{ name: 'AbortError' }])
    expect(stream.locked).toBe(false)
  })

  test('is cancelled when the run is stopped', async () => {
    const { stream, reasons } = silent([1, 2])
    const run = pipeline(source(stream)).start()
    await until(() => run.stats().stages[0].sent === 2)
    expect(await run.stop()).toEqual([1, 2])
    expect(reasons).toEqual([undefined])
    expect(stream.locked).toBe(false)
  })

  test('fails the run with its error, and is not left locked', async () => {
    const { stream, controller } = silent([1])
    const unhandled = await unhandledDuring(async () => {
      const run = pipeline(source(stream)).run()
      await turns(2)
      controller.error(boom)
      expect(await stageError(run)).toMatchObject({ stage: 'source', cause: boom, suppressed: [] })
    })
    expect(stream.locked).toBe(false)
    expect(unhandled).toEqual([])
  })

  test('fails the run where its cancellation fails', async () => {
    const stream = new ReadableStream<number>({
      start: (controller) => controller.enqueue(1),
      cancel: () => Promise.reject(boom),
    })
    expect(await stageError(pipeline(source(stream), take(1)).run())).toMatchObject({
      stage: 'source',
      cause: boom,
    })
    expect(stream.locked).toBe(false)
  })

  test('fails the run where somebody else has it', async () => {
    const stream = streamOf([1])
    stream.getReader()
    expect(await stageError(pipeline(source(stream)).run())).toMatchObject({ stage: 'source' })
  })

  test('is asked for no more than the bound', async () => {
    let pulled = 0
    const stream = new ReadableStream<number>(
      { pull: (controller) => controller.enqueue(pulled++) },
      { highWaterMark: 0 },
    )
    const run = pipeline(source(stream), forEach(never)).start({ capacity: 1 })
    expect(await stable(() => pulled)).toBeLessThanOrEqual(1 + 1 + 1)
    await Promise.all([rejection(run.result), run.abort()])
  })
})

describe('ReadableStream.from(pipeline)', () => {
  test('gives the results', async () => {
    expect(await pipeline(source(streamFrom(pipeline(range(3))))).run()).toEqual([0, 1, 2])
  })

  test('closes the source once when it is cancelled, silent or not', async () => {
    for (const values of [probe(naturals), probe([0], 'hang')]) {
      const reader = streamFrom(pipeline(source(values))).getReader()
      expect(await reader.read()).toEqual({ done: false, value: 0 })
      const pending = reader.read()
      await reader.cancel(boom)
      await pending
      expect(values.returned).toBe(1)
    }
  })

  test('fails with the error of the run', async () => {
    const reader = streamFrom(pipeline(source(probe([], { error: boom })))).getReader()
    expect((await stageError(reader.read())).cause).toBe(boom)
  })

  test('pulls no more than the bound', async () => {
    const values = probe(naturals)
    const reader = streamFrom(pipeline(source(values, { capacity: 1 }))).getReader()
    await reader.read()
    expect(await stable(() => values.pulled)).toBeLessThanOrEqual(1 + 1 + 1 + 1)
    await reader.cancel()
  })
})

describe('a pair of web streams through through()', () => {
  test('decodes text that is cut within a character', async () => {
    const encoded = new TextEncoder().encode('aä€😀')
    const decoded = pipeline(
      source([...encoded]),
      map((byte) => new Uint8Array([byte])),
      through(new TextDecoderStream()),
    )
    expect((await decoded.run()).join('')).toBe('aä€😀')
  })

  test('packs and unpacks bytes', async () => {
    const text = 'abc'.repeat(100_000)
    const chunks = pipeline(
      source(text.match(/.{1,1000}/g)!),
      through(new TextEncoderStream()),
      through(new CompressionStream('gzip')),
      through(new DecompressionStream('gzip')),
      through(new TextDecoderStream()),
    )
    expect((await chunks.run({ capacity: 2 })).join('')).toBe(text)
  })

  test('fails with the error of bytes that cannot be decoded', async () => {
    const decoder = new TextDecoderStream('utf-8', { fatal: true })
    const unhandled = await unhandledDuring(async () => {
      const run = pipeline(source([new Uint8Array([255])]), through(decoder), drain()).run()
      expect(await stageError(run)).toMatchObject({ stage: 'through', cause: { name: 'TypeError' } })
    })
    expect(unhandled).toEqual([])
  })

  const transforms: [string, Transformer<number, number>, object | undefined][] = [
    ['after the end', {}, undefined],
    ['after it has had enough', { transform: (_n, controller) => controller.terminate() }, undefined],
    ['after a failure in transform()', { transform: () => Promise.reject(boom) }, { cause: boom }],
    ['after a failure in flush()', { flush: () => Promise.reject(boom) }, { cause: boom }],
  ]
  test.each(transforms)('is not left locked %s', async (_title, transformer, failure) => {
    const pair = new TransformStream(transformer)
    const unhandled = await unhandledDuring(async () => {
      const run = pipeline(range(10), through(pair), drain()).run()
      if (failure) expect(await stageError(run)).toMatchObject({ stage: 'through', ...failure })
      else expect(await run).toBeUndefined()
    })
    expect([pair.readable.locked, pair.writable.locked]).toEqual([false, false])
    expect(unhandled).toEqual([])
  })

  test('fails where somebody else has one side, and does not leave the other locked', async () => {
    for (const side of ['readable', 'writable'] as const) {
      const pair = new TransformStream<number, number>()
      if (side === 'readable') pair.readable.getReader()
      else pair.writable.getWriter()
      const error = await stageError(pipeline(range(3), through(pair)).run())
      expect(error).toMatchObject({ stage: 'through', cause: { name: 'TypeError' } })
      expect([pair.readable.locked, pair.writable.locked]).toEqual([side === 'readable', side === 'writable'])
    }
  })

  test('is aborted and cancelled with the reason when the run is aborted', async () => {
    const values = probe([1], 'hang')
    const reasons: unknown[] = []
    const pair = {
      writable: new WritableStream<number>({ abort: (reason) => void reasons.push(reason) }),
      readable: new ReadableStream<number>({ cancel: (reason) => void reasons.push(reason) }),
    }
    const run = pipeline(source(values), through(pair), drain()).start()
    await until(() => values.hangs)
    await Promise.all([rejection(run.result), run.abort(boom)])
    expect([pair.readable.locked, pair.writable.locked]).toEqual([false, false])
    await until(() => reasons.length === 2)
    expect(reasons).toEqual([boom, boom])
  })

  test('is unlocked when an aborted run has settled, though a value is under way in it', async () => {
    const unhandled = await unhandledDuring(async () => {
      const pair = new TransformStream<number, number>({ transform: never })
      const run = pipeline(range(10), through(pair), drain()).start()
      await turns(3)
      await Promise.all([rejection(run.result), run.abort(boom)])
      expect([pair.readable.locked, pair.writable.locked]).toEqual([false, false])
    })
    expect(unhandled).toEqual([])
  })

  test('fails where it was used up by an earlier run, and loses no value in silence', async () => {
    const pair = new TransformStream<number, number>()
    const job = pipeline(range(3), through(pair))
    expect(await job.run()).toEqual([0, 1, 2])
    const error = await stageError(job.run())
    expect(error.message).toBe('Stage "through" failed: Cannot go through: the stream has been ended before')
    expect([pair.readable.locked, pair.writable.locked]).toEqual([false, false])
  })

  test('fails where somebody else is ending it', async () => {
    const pair = new TransformStream<number, number>()
    void pair.writable.close()
    const error = await stageError(pipeline(range(3), through(pair)).run())
    expect(error.message).toContain('the stream has been ended before')
  })

  test('that a function puts its input through is a new one for each run', async () => {
    const encoding = through((input: AsyncIterable<string>): AsyncIterable<Uint8Array> =>
      streamFrom(input).pipeThrough(new TextEncoderStream()),
    )
    const encoded = pipeline(source(['a', 'b']), encoding, map(String))
    expect([await encoded.run(), await encoded.run()]).toEqual([
      ['97', '98'],
      ['97', '98'],
    ])
  })
})

describe('writeTo() a WritableStream', () => {
  test('holds the source back while a write is under way', async () => {
    const values = probe(naturals)
    const written: unknown[] = []
    const gates: (() => void)[] = []
    const sink = new WritableStream<number>(
      {
        write(n) {
          written.push(n)
          const { promise, resolve } = deferred()
          gates.push(resolve)
          return promise
        },
      },
      { highWaterMark: 2 },
    )
    const run = pipeline(source(values), writeTo(sink)).start({ capacity: 1 })
    // two in the stream (one of them being written), one in the channel, one in the hands of the source
    expect(await stable(() => values.pulled)).toBeLessThanOrEqual(2 + 1 + 1)
    expect(written).toEqual([0])
    gates.shift()!()
    expect(await stable(() => values.pulled)).toBeLessThanOrEqual(2 + 1 + 1 + 1)
    expect(written).toEqual([0, 1])
    await Promise.all([rejection(run.result), run.abort()])
  })

  test('writes all to one that holds nothing, one value after the other', async () => {
    const written: number[] = []
    let writing = 0
    const sink = new WritableStream<number>(
      {
        async write(n) {
          expect(++writing).toBe(1)
          await turns()
          writing--
          written.push(n)
        },
      },
      { highWaterMark: 0 },
    )
    await pipeline(range(5), writeTo(sink)).run()
    expect(written).toEqual([0, 1, 2, 3, 4])
  })

  test('fails with the error of its sink, closes the source and unlocks it', async () => {
    const values = probe(naturals)
    const sink = new WritableStream<number>({ write: (n) => (n === 3 ? Promise.reject(boom) : undefined) })
    const unhandled = await unhandledDuring(async () => {
      expect(await stageError(pipeline(source(values), writeTo(sink)).run())).toMatchObject({
        stage: 'writeTo',
        cause: boom,
      })
    })
    expect(values.returned).toBe(1)
    expect(sink.locked).toBe(false)
    expect(unhandled).toEqual([])
  })

  test('fails where its sink fails to close', async () => {
    const sink = new WritableStream<number>({ close: () => Promise.reject(boom) })
    const unhandled = await unhandledDuring(async () => {
      const error = await stageError(pipeline(range(3), writeTo(sink)).run())
      expect(error).toMatchObject({ stage: 'writeTo', cause: boom })
    })
    expect(sink.locked).toBe(false)
    expect(unhandled).toEqual([])
  })

  test('fails where its sink breaks while the source is silent', async () => {
    const values = probe([1], 'hang')
    let controller!: WritableStreamDefaultController
    const sink = new WritableStream<number>({ start: (own) => void (controller = own) })
    const run = pipeline(source(values), writeTo(sink)).run()
    await until(() => values.hangs)
    controller.error(boom)
    expect(await stageError(run)).toMatchObject({ stage: 'writeTo', cause: boom })
    expect(values.returned).toBe(1)
  })

  test('aborts its sink with the reason when the run is aborted', async () => {
    const reasons: unknown[] = []
    const sink = new WritableStream<number>({ abort: (reason) => void reasons.push(reason) })
    const values = probe([1], 'hang')
    const run = pipeline(source(values), writeTo(sink)).start()
    await until(() => values.hangs)
    await Promise.all([rejection(run.result), run.abort(boom)])
    await until(() => reasons.length > 0)
    expect(reasons).toEqual([boom])
    expect(sink.locked).toBe(false)
  })

  test('aborts its sink with the failure of a stage before it', async () => {
    const reasons: unknown[] = []
    const sink = new WritableStream<number>({ abort: (reason) => void reasons.push(reason) })
    const failing = map(async (n: number) => (n === 2 ? Promise.reject(boom) : n))
    const error = await stageError(pipeline(range(9), failing, writeTo(sink)).run())
    expect(reasons).toEqual([error])
  })

  test('fails with the error of a sink that had failed before, also where nothing is written', async () => {
    const broken = new WritableStream<number>({ start: (own) => own.error(boom) })
    expect((await stageError(pipeline(range(0), writeTo(broken)).run())).cause).toBe(boom)
    const ended = new WritableStream<number>()
    await ended.close()
    const error = await stageError(pipeline(range(0), writeTo(ended)).run())
    expect(error.message).toContain('the stream has been ended by somebody else')
  })

  test('writes what a pipe of the platform reads', async () => {
    const { readable, writable } = new TransformStream<number, number>()
    const [, read] = await Promise.all([
      pipeline(range(20), writeTo(writable)).run(),
      pipeline(source(readable)).run(),
    ])
    expect(read).toEqual(upTo(20))
  })
})
