import { describe, expect, test } from 'vitest'
import { map, pipeline, range, source, type StageError } from 'sluice'
import { type ChunkWriter, chunkSink, type WriteOptions } from '../../src/connect/chunk-sink.ts'
import { deferred, rejection, settledWithin, stable, until } from '../pipeline/support-waiting.ts'

/** A connector that keeps what it is given, and what was asked of it. */
function memory(parts: Partial<ChunkWriter<unknown, string>> = {}) {
  const log: string[] = []
  const seen: unknown[] = []
  const writer: ChunkWriter<unknown, string> = {
    write(values) {
      log.push('write')
      seen.push(...values)
    },
    end() {
      log.push('end')
      return 'done'
    },
    abandon: (aborted) => void log.push(aborted ? 'aborted' : 'abandon'),
    ...parts,
  }
  const sink = (options: WriteOptions<unknown> = {}, encode = (value: unknown) => value) =>
    chunkSink('test', options, { open: () => writer, encode })
  return { writer, log, seen, sink }
}

test('takes all values in order, ends once, and gives what the run is worth', async () => {
  const { seen, log, sink } = memory()
  expect(await pipeline(range(1000), sink()).run()).toBe('done')
  expect(seen).toEqual(Array.from({ length: 1000 }, (_, i) => i))
  expect(log.filter((entry) => entry !== 'write')).toEqual(['end'])
})

test('is opened and ended without a value too', async () => {
  const { log, sink } = memory()
  expect(await pipeline(range(0), sink()).run()).toBe('done')
  expect(log).toEqual(['end'])
})

test('while it cannot take more, the values wait in the channel', async () => {
  const gate = deferred<void>()
  const { seen, sink, writer } = memory()
  writer.write = (values) => {
    seen.push(...values)
    return gate.promise
  }
  let made = 0
  const run = pipeline(
    range(100),
    map((n) => (made++, n), { capacity: 3 }),
    sink(),
  ).start({ capacity: 2 })
  expect(await stable(() => made)).toBeGreaterThan(0)
  const before = seen.length
  expect(made - before).toBeLessThanOrEqual(4)
  gate.resolve()
  expect(await run.result).toBe('done')
  expect(seen).toHaveLength(100)
})

test('the run waits for the end', async () => {
  const ended = deferred<string>()
  let ending = false
  const { sink } = memory({ end: () => ((ending = true), ended.promise) })
  const run = pipeline(range(3), sink()).start()
  await until(() => ending)
  expect(await settledWithin(run.result, 20)).toBe(false)
  ended.resolve('late')
  expect(await run.result).toBe('late')
})

describe('it is abandoned, and not ended', () => {
  const boom = new Error('boom')
  const failing = () => {
    throw boom
  }

  test.each([
    ['at once', failing],
    ['later', () => Promise.reject(boom)],
  ])('when a write fails %s', async (_, write) => {
    const { log, sink } = memory({ write })
    await expect(pipeline(range(3), sink()).run()).rejects.toMatchObject({ stage: 'test', cause: boom })
    expect(log).toEqual(['abandon'])
  })

  test.each([
    ['at once', failing],
    ['later', () => Promise.reject(boom)],
  ])('when its end fails %s', async (_, end) => {
    const { log, sink } = memory({ end })
    await expect(pipeline(range(3), sink()).run()).rejects.toMatchObject({ stage: 'test', cause: boom })
    expect(log.filter((entry) => entry !== 'write')).toEqual(['abandon'])
  })

  test('when a stage before it fails, after what came before', async () => {
    const { log, seen, sink } = memory()
    const failsAtTwo = map((n: number) => (n === 2 ? failing() : n))
    await expect(pipeline(range(3), failsAtTwo, sink()).run()).rejects.toMatchObject({ cause: boom })
    expect(seen).toEqual([0, 1])
    expect(log.at(-1)).toBe('abandon')
    expect(log).not.toContain('end')
  })

  test('when the run is aborted, and the run waits for that', async () => {
    const abandoned = deferred<void>()
    let writing = false
    const { sink } = memory({
      write: () => ((writing = true), new Promise(() => {})),
      abandon: () => abandoned.promise,
    })
    const run = pipeline(range(3), sink()).start()
    const result = rejection(run.result)
    await until(() => writing)
    const aborted = run.abort(boom)
    expect(await settledWithin(Promise.race([aborted, result]), 20)).toBe(false)
    abandoned.resolve()
    expect(await result).toBe(boom)
    await aborted
  })

  test('when it breaks while nobody waits', async () => {
    const { writer } = memory()
    const values = deferred<number[]>()
    const sink = chunkSink<number, unknown, string>(
      'test',
      {},
      {
        open: (context) => {
          setTimeout(() => context.broke(boom), 5)
          return writer
        },
        encode: (value) => value,
      },
    )
    await expect(pipeline(source(values.promise), sink).run()).rejects.toMatchObject({ cause: boom })
  })
})

describe('a value that cannot be written', () => {
  const encode = (value: unknown) => {
    if (value === 2) throw new Error('not two')
    return value
  }

  test('fails the stage once what came before it is written', async () => {
    const { seen, log, sink } = memory()
    const error = await pipeline(range(5), sink({}, encode))
      .run()
      .catch((thrown: unknown) => thrown as StageError)
    expect(error).toMatchObject({ stage: 'test', value: 2, message: 'Stage "test" failed: not two' })
    expect(seen).toEqual([0, 1])
    expect(log).toEqual(['write', 'abandon'])
  })

  test('is skipped, and counted', async () => {
    const { seen, sink } = memory()
    const run = pipeline(range(5), sink({ onError: 'skip' }, encode)).start()
    await run.result
    expect(seen).toEqual([0, 1, 3, 4])
    expect(run.stats().stages[1].failed).toBe(1)
  })

  test('is told of', async () => {
    const { seen, sink } = memory()
    const told: unknown[] = []
    await pipeline(range(5), sink({ onError: ({ value }) => void told.push(value) }, encode)).run()
    expect(seen).toEqual([0, 1, 3, 4])
    expect(told).toEqual([2])
  })

  test('its own error is suppressed where its handler throws, and what came before is written', async () => {
    const thrown = new Error('handler')
    const { seen, sink } = memory()
    const error = await pipeline(range(5), sink({ onError: () => Promise.reject(thrown) }, encode))
      .run()
      .catch((error: unknown) => error as StageError)
    expect(error).toMatchObject({ cause: thrown, value: 2 })
    expect((error as StageError).suppressed).toMatchObject([{ message: 'Stage "test" failed: not two' }])
    expect(seen).toEqual([0, 1])
  })
})

describe('a value that a connector finds unfit only when it writes', () => {
  const late = (options: WriteOptions<number>) => {
    const seen: number[] = []
    const sink = chunkSink<number, number, string>('test', options, {
      open: (context) => ({
        async write(values) {
          for (const value of values) {
            if (value === 2) await context.failed(value, new Error('not two'))
            else seen.push(value)
          }
        },
        end: () => 'done',
        abandon: () => {},
      }),
      encode: (value) => value,
    })
    return { seen, run: pipeline(range(5), sink).start() }
  }

  test('fails the stage, and is named', async () => {
    const { run } = late({})
    await expect(run.result).rejects.toMatchObject({ stage: 'test', value: 2, cause: new Error('not two') })
  })

  test('is skipped, and counted', async () => {
    const { seen, run } = late({ onError: 'skip' })
    expect(await run.result).toBe('done')
    expect(seen).toEqual([0, 1, 3, 4])
    expect(run.stats().stages[1].failed).toBe(1)
  })

  test('is told of', async () => {
    const told: unknown[] = []
    const { run } = late({ onError: (failure) => void told.push(failure) })
    expect(await run.result).toBe('done')
    expect(told).toEqual([{ value: 2, error: new Error('not two'), stage: 'test', attempts: 1 }])
  })
})

describe('a connector that waits for something outside', () => {
  /** Takes anything at once, but waits after the first batch. */
  function waiting() {
    const { writer, log, seen } = memory()
    let waits!: (what: string | undefined) => void
    const sink = chunkSink<unknown, unknown, string>(
      'test',
      {},
      {
        open: (context) => {
          waits = context.waits
          return writer
        },
        encode: (value) => value,
      },
    )
    const write = writer.write
    writer.write = (values, from) => {
      const written = write(values, from)
      if (log.filter((entry) => entry === 'write').length === 1) waits('ink')
      return written
    }
    return { sink, seen, log, waits: (what: string | undefined) => waits(what) }
  }

  test('gets nothing more until it has it, and its stage is shown as waiting for room', async () => {
    const { sink, seen, waits } = waiting()
    const run = pipeline(range(10_000), sink).start({ capacity: 4 })
    const held = await stable(() => seen.length)
    expect(held).toBeLessThan(10_000)
    expect(run.describe().nodes[1].doing).toBe('waits for ink')
    const before = run.stats().stages[1].waitingOutput
    await until(() => run.stats().stages[1].waitingOutput > before)
    waits(undefined)
    expect(await run.result).toBe('done')
    expect(seen).toHaveLength(10_000)
  })

  test('is not ended before it has it', async () => {
    const { sink, log, waits } = waiting()
    const run = pipeline(range(1), sink).start()
    await stable(() => log.length)
    expect(log).toEqual(['write'])
    expect(run.describe().nodes[1].doing).toBe('waits for ink')
    waits(undefined)
    await run.result
    expect(log).toEqual(['write', 'end'])
  })

  test('may wait while it ends', async () => {
    const ended = deferred<string>()
    const { writer } = memory({ end: () => ended.promise })
    const sink = chunkSink<number, unknown, string>(
      'test',
      {},
      {
        open: (context) => {
          writer.end = () => {
            context.waits('paper')
            return ended.promise
          }
          return writer
        },
        encode: (value) => value,
      },
    )
    const run = pipeline(range(3), sink).start()
    await until(() => run.describe().nodes[1].doing === 'waits for paper')
    ended.resolve('done')
    expect(await run.result).toBe('done')
  })
})

describe('a stop', () => {
  test('is told to the connector, and what is in flight still comes', async () => {
    const { log, seen, sink } = memory({ stop: () => void log.push('stop') })
    const gate = deferred<void>()
    const slow = map(async (n: number) => {
      if (n === 2) await gate.promise
      return n
    })
    const run = pipeline(range(100), slow, sink()).start({ capacity: 2 })
    await stable(() => seen.length)
    const stopped = run.stop()
    gate.resolve()
    await stopped
    expect(log.filter((entry) => entry === 'stop')).toHaveLength(1)
    expect(log.at(-1)).toBe('end')
    expect(seen).toEqual(Array.from({ length: seen.length }, (_, i) => i))
    expect(seen.length).toBeGreaterThan(2)
  })

  test('is told to one that is opened later', async () => {
    const { log, writer } = memory({ stop: () => void log.push('stop') })
    const opened = deferred<typeof writer>()
    const run = pipeline(
      range(3),
      chunkSink<number, unknown, string>('test', {}, { open: () => opened.promise, encode: (n) => n }),
    ).start()
    await stable(() => log.length)
    const stopped = run.stop()
    opened.resolve(writer)
    await stopped
    expect(log[0]).toBe('stop')
  })
})

test('a wrong onError is a TypeError where the sink is made', () => {
  const { sink } = memory()
  expect(() => sink({ onError: 'ignore' as 'skip' })).toThrow(
    `Cannot create test: "onError" must be 'fail', 'skip' or a function, got "ignore"`,
  )
})

test('an aborted run waits for a writer that is being opened, and for that to let go', async () => {
  const opened = deferred<ChunkWriter<unknown, string>>()
  const opening = deferred<void>()
  const letGo = deferred<void>()
  const log: string[] = []
  const run = pipeline(
    range(3),
    chunkSink<number, unknown, string>(
      'test',
      {},
      { open: () => (opening.resolve(), opened.promise), encode: (n) => n },
    ),
  ).start()
  run.result.catch(() => {})
  await opening.promise
  const aborted = run.abort(new Error('enough')).then(() => log.push('aborted'))
  await new Promise(setImmediate)
  opened.resolve({
    write: () => {},
    end: () => 'done',
    abandon: async () => {
      log.push('abandon')
      await letGo.promise
      log.push('let go')
    },
  })
  await new Promise(setImmediate)
  expect(log).toEqual(['abandon'])
  letGo.resolve()
  await aborted
  expect(log).toEqual(['abandon', 'let go', 'aborted'])
})

test('each run encodes as the writer says that was opened for it', async () => {
  const seen: string[] = []
  let opened = 0
  const sink = chunkSink(
    'test',
    {},
    {
      async open() {
        const run = ++opened
        return {
          run,
          write: (values: readonly string[]) => void seen.push(...values),
          end: () => run,
          abandon() {},
        }
      },
      encode: (value: number, index, { run }) => `run ${run}: ${index} ${value}`,
    },
  )
  const job = pipeline(range(5, 7), sink)
  expect(await Promise.all([job.run(), job.run()])).toEqual([1, 2])
  expect(seen.sort()).toEqual(['run 1: 0 5', 'run 1: 1 6', 'run 2: 0 5', 'run 2: 1 6'])
})
