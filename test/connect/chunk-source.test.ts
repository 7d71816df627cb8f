import { describe, expect, test } from 'vitest'
import { drain, forEach, pipeline, type StageError, take, toArray } from 'sluice'
import { type ChunkReader, chunkSource } from '../../src/connect/chunk-source.ts'
import type { Definition, Source } from '../../src/pipeline/stage.ts'
import { deferred, stable, until } from '../pipeline/support-waiting.ts'

/** A connector over chunks in memory: keeps what was asked of it. */
function memory(chunks: (readonly unknown[] | Error)[], { sync = false, from = 0 } = {}) {
  const log: string[] = []
  let at = from
  const reader: ChunkReader<unknown> = {
    next() {
      log.push('next')
      const chunk = chunks[at++]
      if (chunk instanceof Error) throw chunk
      return sync ? chunk : Promise.resolve(chunk)
    },
    stop() {
      log.push('stop')
      at = chunks.length
    },
    close: () => void log.push('close'),
    position: () => at,
  }
  return { reader, log }
}

describe.each([
  ['at once', true],
  ['later', false],
])('a source whose chunks come %s', (_, sync) => {
  test('gives every value of every chunk, in order, and closes once', async () => {
    const chunks = [[1, 2, 3], [], Array.from({ length: 1000 }, (_, i) => i), [undefined, null]]
    const { reader, log } = memory(chunks, { sync })
    const values = await pipeline(chunkSource('test', {}, () => reader)).run()
    expect(values).toEqual(chunks.flat())
    expect(log).toEqual(['next', 'next', 'next', 'next', 'next', 'close'])
  })

  test('asks for no chunk while there is no room', async () => {
    const { reader, log } = memory([[1, 2], [3, 4], [5]], { sync })
    await using run = pipeline(
      chunkSource('test', { capacity: 1 }, () => reader),
      forEach(() => new Promise<void>(() => {})),
    ).start()
    await stable(() => log.length)
    expect(log).toEqual(['next'])
    void run.result.catch(() => {})
  })

  test('a failure comes after the values before it', async () => {
    const boom = new Error('boom')
    const { reader, log } = memory([[1, 2], boom], { sync })
    const seen: unknown[] = []
    const run = pipeline(
      chunkSource('test', {}, () => reader),
      forEach((value) => void seen.push(value)),
    ).run()
    await expect(run).rejects.toMatchObject({ name: 'StageError', stage: 'test', cause: boom })
    expect(seen).toEqual([1, 2])
    expect(log).toEqual(['next', 'next', 'close'])
  })

  test('is closed when nobody wants more', async () => {
    const { reader, log } = memory([[1, 2, 3], [4]], { sync })
    expect(
      await pipeline(
        chunkSource('test', { capacity: 1 }, () => reader),
        take(2),
      ).run(),
    ).toEqual([1, 2])
    expect(log.at(-1)).toBe('close')
    expect(log.filter((entry) => entry === 'close')).toHaveLength(1)
  })
})

test('a stop lets the chunk in hand out, then closes', async () => {
  const { reader, log } = memory([[1, 2, 3, 4, 5], [6]])
  const seen: unknown[] = []
  const run = pipeline(
    chunkSource('test', { capacity: 1 }, () => reader),
    forEach(async (value) => {
      seen.push(value)
      if (value === 1) void run.stop()
      await Promise.resolve()
    }),
  ).start()
  await run.result
  expect(seen).toEqual([1, 2, 3, 4, 5])
  expect(log).toEqual(['next', 'stop', 'next', 'close'])
})

test('a chunk that is under way at a stop is not lost', async () => {
  const chunk = deferred<readonly number[]>()
  let asked = 0
  const next = () => (asked++ === 0 ? chunk.promise : undefined)
  const run = pipeline(
    chunkSource<number>('test', {}, () => ({ next, stop: () => chunk.resolve([7]) })),
    toArray(),
  ).start()
  await until(() => asked > 0)
  expect(await run.stop()).toEqual([7])
})

test('a connector that is still being opened is closed when it is open, and the run waits for that', async () => {
  const { reader, log } = memory([[1]])
  const opened = deferred<typeof reader>()
  let opening = false
  const run = pipeline(
    chunkSource('test', {}, () => ((opening = true), opened.promise)),
    drain(),
  ).start()
  await until(() => opening)
  const aborted = run.abort(new Error('enough'))
  opened.resolve(reader)
  await aborted
  expect(log).toEqual(['close'])
  await expect(run.result).rejects.toThrow('enough')
})

test('a failure to open is a failure of the stage', async () => {
  const source = chunkSource('test', { name: 'orders' }, () => Promise.reject(new Error('no such file')))
  await expect(pipeline(source).run()).rejects.toThrow('Stage "orders" failed: no such file')
})

describe('a value that cannot be read', () => {
  const broken = (onError: Parameters<typeof chunkSource>[1]['onError']) =>
    chunkSource('test', onError === undefined ? {} : { onError }, (context) => {
      let asked = 0
      return {
        async next() {
          if (asked++ > 0) return asked > 2 ? undefined : ['good']
          await context.failed('bad', new Error('not a row'))
          return []
        },
      }
    })

  test('fails the stage', async () => {
    const error = await pipeline(broken(undefined))
      .run()
      .catch((thrown: unknown) => thrown as StageError)
    expect(error).toMatchObject({ stage: 'test', value: 'bad', message: 'Stage "test" failed: not a row' })
  })

  test('is skipped, and counted', async () => {
    const run = pipeline(broken('skip')).start()
    expect(await run.result).toEqual(['good'])
    expect(run.stats().stages[0].failed).toBe(1)
  })

  test('is told of', async () => {
    const told: unknown[] = []
    expect(await pipeline(broken((failure) => void told.push(failure))).run()).toEqual(['good'])
    expect(told).toEqual([{ value: 'bad', error: new Error('not a row'), stage: 'test', attempts: 1 }])
  })

  test('its own error is suppressed where its handler throws', async () => {
    const thrown = new Error('handler')
    const run = pipeline(broken(() => Promise.reject(thrown))).start()
    const error = await run.result.catch((error: unknown) => error as StageError)
    expect(error).toMatchObject({ cause: thrown, value: 'bad' })
    expect((error as StageError).suppressed).toMatchObject([{ message: 'Stage "test" failed: not a row' }])
    expect(run.stats().stages[0].failed).toBe(1)
  })

  test('is told to nobody where the run was aborted meanwhile', async () => {
    const told: unknown[] = []
    const gate = deferred<void>()
    let over: Promise<unknown> | undefined
    const reading = chunkSource('test', { onError: (failure) => void told.push(failure) }, (context) => ({
      async next() {
        await gate.promise
        over = context.failed('bad', new Error('not a row'))
        await over
        return ['good']
      },
    }))
    const run = pipeline(reading).start()
    await new Promise(setImmediate)
    await Promise.all([expect(run.result).rejects.toThrow('aborted'), run.abort()])
    gate.resolve()
    await until(() => over !== undefined)
    await over!.catch(() => {})
    expect(told).toEqual([])
  })
})

describe('a source that is kept', () => {
  const chunks = [[1, 2], [3, 4, 5, 6], [7]]
  const source = (positions: boolean) =>
    chunkSource('test', { capacity: 1 }, (_, from) => {
      let asked = (from as number | undefined) ?? 0
      // Knows whole chunks only.
      const position = (given: number) => (given < chunks[asked - 1].length ? asked - 1 : asked)
      return { next: () => Promise.resolve(chunks[asked++]), ...(positions ? { position } : {}) }
    })

  /** What a part gives that is stopped at a value. */
  async function part(definition: Definition, stopAt: number): Promise<unknown[]> {
    const seen: unknown[] = []
    const run = pipeline(
      { kind: 'source', definitions: [definition] } as Source<unknown>,
      forEach(async (value) => {
        seen.push(value)
        if (value === stopAt) void run.stop()
        await Promise.resolve()
      }),
    ).start()
    await run.result
    return seen
  }

  test.each([1, 2, 3, 4, 6, 7])(
    'gives the next run what the one stopped at %i has not put out',
    async (at) => {
      const { definition, close } = source(false).definitions[0].keep!(undefined)
      const seen = [
        ...(await part(definition, at)),
        ...(await part(definition, 5)),
        ...(await part(definition, 0)),
      ]
      expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7])
      await close()
    },
  )

  test.each([1, 2, 3, 4, 6, 7])('goes on later, read again, where it was stopped at %i', async (at) => {
    const kept = source(false).definitions[0].keep!(undefined)
    const seen = await part(kept.definition, at)
    const position: unknown = JSON.parse(JSON.stringify(kept.position()))
    const later = source(false).definitions[0].keep!(position)
    expect([...seen, ...(await part(later.definition, 0))]).toEqual([1, 2, 3, 4, 5, 6, 7])
  })

  test('goes on later at a position of its connector', async () => {
    const kept = source(true).definitions[0].keep!(undefined)
    await part(kept.definition, 4)
    const later = source(true).definitions[0].keep!(kept.position())
    // One value of the chunk was not put out, so all of it comes again.
    expect(await part(later.definition, 0)).toEqual([3, 4, 5, 6, 7])
  })
})
