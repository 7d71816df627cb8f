/** Inputs found by hostile reviews: each made a run hang, lose a value, act too late or hide a cause. */
import { Duplex, PassThrough, Writable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import {
  count,
  drain,
  DrainTimeoutError,
  fanIn,
  flatMap,
  map,
  pipeline,
  range,
  type Run,
  source,
  stage,
  StageError,
  take,
  through,
  unbatch,
  writeTo,
} from 'sluice'
import { virtualTime } from 'sluice/testing'
import { unhandledDuring } from './support-leaks.ts'
import { deferred, never, rejection, turns } from './support-waiting.ts'

const boom = new Error('boom')

/** A promise that is none of the engine's: `then` is all it has. */
const thenable = (then: (ok: (value: unknown) => void) => void): never => ({ then }) as never

describe('flatMap()', () => {
  test('gives the values behind a skipped one whose iterable broke', async () => {
    const twice = function* (n: number) {
      yield n * 10
      if (n === 2) throw boom
      yield n * 10 + 1
    }
    const values = await pipeline(source([1, 2, 3, 4]), flatMap(twice, { onError: 'skip' })).run()
    expect(values).toEqual([10, 11, 20, 30, 31, 40, 41])
  })

  test('keeps the order per key over all that a value gives, one call at a time', async () => {
    let running = 0
    let most = 0
    const parts = async function* (n: number) {
      most = Math.max(most, ++running)
      for (let i = 0; i < 3; i++) {
        await turns(1)
        yield `${n}.${i}`
      }
      running--
    }
    const by = { by: () => 'same' }
    const values = await pipeline(source([1, 2]), flatMap(parts, { concurrency: 2, ordered: by })).run()
    expect(values).toEqual(['1.0', '1.1', '1.2', '2.0', '2.1', '2.2'])
    expect(most).toBe(1)
  })

  test('fails where the iterator gives no object', async () => {
    const broken: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve(undefined as never) }),
    }
    const error = await rejection(
      pipeline(
        range(1),
        flatMap(() => broken),
      ).run(),
    )
    expect(error).toMatchObject({ stage: 'flatMap', value: 0, cause: expect.any(TypeError) })
  })
})

describe('map()', () => {
  test('takes a foreign promise that throws, calls back twice or gives a promise', async () => {
    const throwing = pipeline(
      range(3),
      map(() =>
        thenable(() => {
          throw boom
        }),
      ),
    ).run()
    expect(await rejection(throwing)).toMatchObject({ stage: 'map', cause: boom })
    const twice = (n: number) =>
      thenable((ok) => {
        setTimeout(ok, 1, n)
        setTimeout(ok, 2, n)
      })
    expect(await pipeline(range(6), map(twice, { concurrency: 2 })).run()).toEqual([0, 1, 2, 3, 4, 5])
    const nested = (n: number) => thenable((ok) => ok(Promise.resolve(n)))
    expect(await pipeline(range(3), map(nested)).run()).toEqual([0, 1, 2])
  })

  test('takes promises whose own `then` calls back at once, or twice: nothing is lost or doubled', async () => {
    const own = (n: number, times: number): Promise<number> =>
      Object.assign(Promise.resolve(-1), {
        then: (ok: (n: number) => void) => {
          for (let i = 0; i < times; i++) ok(n)
        },
      })
    const numbers = Array.from({ length: 3000 }, (_, n) => n)
    for (const times of [1, 2]) {
      const some = (n: number) => (n % 100 === 99 ? own(n, times) : Promise.resolve(n))
      for (const concurrency of [1, 3])
        expect(await pipeline(source(numbers), map(some, { concurrency })).run()).toEqual(numbers)
      expect(await pipeline(source(numbers.map(some))).run()).toEqual(numbers)
      expect(await pipeline(source(new Set(numbers.map(some)))).run()).toEqual(numbers)
    }
  })

  test.each(['constructor', 'then'])('takes a promise whose %s cannot be read', async (name) => {
    const broken = (): Promise<number> => {
      const get = (): void => {
        throw boom
      }
      return Object.defineProperty(Promise.resolve(1), name, name === 'then' ? { value: get } : { get })
    }
    for (const concurrency of [1, 2])
      for (const ordered of [true, false, { by: (n: number) => n % 2 }]) {
        const run = pipeline(
          range(3),
          map((n) => (n === 1 ? broken() : Promise.resolve(n)), { concurrency, ordered }),
        ).run()
        expect(await rejection(run)).toMatchObject({ stage: 'map', value: 1, cause: boom, suppressed: [] })
      }
    const late = pipeline(source(broken() as never)).run()
    expect(await rejection(late)).toMatchObject({ stage: 'source', cause: boom })
  })

  test('makes no further call of a key after an abort or a cut', async () => {
    for (const cut of ['abort', 'take']) {
      let calls = 0
      const gate = deferred()
      const controller = new AbortController()
      const slow = map(
        async (n: number) => {
          calls++
          await gate.promise
          return n
        },
        { concurrency: 6, ordered: { by: () => 'key' } },
      )
      const run = pipeline(range(6), slow, take(1)).run({ signal: controller.signal })
      const end = run.catch((reason: unknown) => reason)
      await turns(2)
      if (cut === 'abort') controller.abort('enough')
      gate.resolve()
      await end
      await turns(3)
      expect(calls).toBeLessThanOrEqual(2)
    }
  })

  test('serves a hot key of any length', async () => {
    const slowFirst = (n: number) => (n === 0 ? turns(1).then(() => 0) : n)
    const options = { concurrency: 30_000, ordered: { by: () => 'key' } }
    expect(await pipeline(range(30_000), map(slowFirst, options), count()).run()).toBe(30_000)
  })
})

describe('an abort', () => {
  test('settles when every target and source has let go', async () => {
    let destroyed = false
    const target = new Writable({
      objectMode: true,
      write: (_value, _encoding, done) => void setTimeout(done, 1),
      destroy(_error, done) {
        setTimeout(() => {
          destroyed = true
          done(null)
        }, 5)
      },
    })
    const run = pipeline(range(0, Infinity), writeTo(target)).start()
    run.result.catch(() => {})
    await turns(3)
    await run.abort()
    expect(destroyed).toBe(true)

    let closed = false
    const slowly = async function* () {
      try {
        for (;;) yield 1
      } finally {
        await turns(2)
        closed = true
      }
    }
    const other = pipeline(fanIn(range(0, Infinity), slowly()), drain()).start({ capacity: 1 })
    other.result.catch(() => {})
    await turns(3)
    await other.abort()
    expect(closed).toBe(true)
  })

  test('does not wait for a write of a WritableStream that hangs', async () => {
    const controller = new AbortController()
    const stuck = new WritableStream<number>({ write: never })
    const run = pipeline(range(3), writeTo(stuck)).run({ signal: controller.signal })
    await turns(2)
    controller.abort(boom)
    expect(await rejection(run)).toBe(boom)
  })

  test('destroys a target that is ending, and a duplex that is stuck', async () => {
    const ending = new Writable({ objectMode: true, write: (_v, _e, done) => done(), final: () => {} })
    const stuck = new Duplex({ objectMode: true, write() {}, read() {} })
    for (const [pipe, stream] of [
      [pipeline(range(2), writeTo(ending)), ending],
      [pipeline(range(3), through(stuck)), stuck],
    ] as const) {
      const run = pipe.start()
      run.result.catch(() => {})
      await turns(3)
      await run.abort()
      await turns(2)
      expect(stream.destroyed).toBe(true)
    }
  })

  test('inside one custom stage keeps the others from starting', async () => {
    const controller = new AbortController()
    let started = false
    const first = stage<number, number>('first', async () => void (started = true))
    const second = stage<number, number>('second', async () => controller.abort(boom))
    const run = pipeline(range(3), first, second, drain()).run({ signal: controller.signal })
    expect(await rejection(run)).toBe(boom)
    expect(started).toBe(false)
  })

  test('inside the iterable of unbatch is its last pull', async () => {
    const controller = new AbortController()
    let pulls = 0
    const many = function* () {
      for (;;) {
        if (++pulls === 3) controller.abort(boom)
        yield pulls
      }
    }
    expect(await rejection(pipeline(source([many()]), unbatch()).run({ signal: controller.signal }))).toBe(
      boom,
    )
    expect(pulls).toBe(3)
  })
})

describe('stop()', () => {
  test('inside a generator lets its `finally` run', async () => {
    let closed = false
    const numbers = function* () {
      try {
        yield 1
        void run.stop()
        yield 2
        yield 3
      } finally {
        closed = true
      }
    }
    const run: Run<number[]> = pipeline(source(numbers())).start()
    expect(await run.result).toEqual([1, 2])
    expect(closed).toBe(true)
  })

  test('does not wait for a promise among the values', async () => {
    const run = pipeline(source([1, never(), 3])).start()
    await turns(2)
    expect(await run.stop()).toEqual([1])
  })

  test('keeps to its deadline where a `finally` hangs', async () => {
    const hanging = async function* () {
      try {
        yield 1
        yield 2
      } finally {
        await never()
      }
    }
    const run = pipeline(source(hanging()), stage('stuck', never), drain()).start({ capacity: 0 })
    run.result.catch(() => {})
    await turns(3)
    const error = await rejection(run.stop({ deadline: 5 }))
    expect(error).toBeInstanceOf(DrainTimeoutError)
    expect((error as DrainTimeoutError).stages).toContain('stuck')
  })
})

describe('writeTo()', () => {
  test('fails where `write` throws, names the value, and tells the true cause of a failure', async () => {
    const bytes = new Writable({ write: (_chunk, _encoding, done) => done() })
    const error = await rejection(pipeline(source([5]), writeTo(bytes)).run())
    expect(error).toMatchObject({ stage: 'writeTo', value: 5 })

    const full = new Writable({
      objectMode: true,
      write: (_v, _e, done) => done(),
      final: (done) => done(boom),
    })
    expect(await rejection(pipeline(range(2), writeTo(full)).run())).toMatchObject({ cause: boom })
  })

  test('writes what came before a failure into the queue of a WritableStream', async () => {
    const got: number[] = []
    const slow = new WritableStream<number>(
      {
        async write(n) {
          await turns(1)
          got.push(n)
        },
      },
      new CountQueuingStrategy({ highWaterMark: 10 }),
    )
    const failing = map((n: number) => {
      if (n === 6) throw boom
      return n
    })
    await rejection(pipeline(range(10), failing, writeTo(slow)).run())
    expect(got).toEqual([0, 1, 2, 3, 4, 5])
  })

  test('fails the stage where the stream is locked', async () => {
    const locked = new WritableStream()
    locked.getWriter()
    expect(await rejection(pipeline(range(2), writeTo(locked)).run())).toBeInstanceOf(StageError)
  })
})

describe('through()', () => {
  test('fails for a duplex that was destroyed or refuses a value', async () => {
    const destroyed = new PassThrough({ objectMode: true })
    destroyed.destroy()
    await turns(2)
    expect(await rejection(pipeline(range(100), through(destroyed)).run())).toBeInstanceOf(StageError)
    const strict = new PassThrough({ objectMode: true })
    expect(await rejection(pipeline(source([1, null, 2]), through(strict)).run())).toBeInstanceOf(StageError)
  })

  test('ends where a TransformStream has had enough', async () => {
    const firstThree = new TransformStream<number, number>({
      transform(n, controller) {
        controller.enqueue(n)
        if (n === 2) controller.terminate()
      },
    })
    expect(await pipeline(range(100), through(firstThree)).run()).toEqual([0, 1, 2])
  })
})

test('range() never gives its end, whatever fractions do', async () => {
  expect(await pipeline(range(0, 2.1, 0.3)).run()).toHaveLength(7)
  expect(await pipeline(range(0, 4.2, 0.3)).run()).toHaveLength(14)
  expect(await pipeline(range(-1e308, 1e308, 1e308)).run()).toEqual([-1e308, 0])
  expect(await pipeline(range(1, 0, -0.25)).run()).toEqual([1, 0.75, 0.5, 0.25])
})

test('take() reports what it has taken', async () => {
  const run = pipeline(range(1000), take(3)).start()
  await run.result
  expect(run.stats().stages[1]).toMatchObject({ name: 'take', received: 3, sent: 3 })
})

test('a custom stage that polls gets its values at every capacity', async () => {
  const polling = stage<number, number>('polling', async (rx, tx) => {
    for (;;) {
      const received = rx.tryRecv()
      if (received.ok) await tx.send(received.value)
      else if (received.reason === 'closed') return
      else await turns(1)
    }
  })
  for (const capacity of [0, 1, 256])
    expect(await pipeline(range(3), polling).run({ capacity })).toEqual([0, 1, 2])
})

test('stats() tell what a custom stage waits for', async () => {
  using time = virtualTime()
  const idle = stage<number, number>('idle', async (rx, tx) => {
    for await (const n of rx) await tx.send(n)
  })
  const slow = async function* () {
    for (let n = 0; n < 5; n++) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      yield n
    }
  }
  const run = pipeline(source(slow()), idle, drain()).start()
  await time.runUntil(run.result)
  const [, stats] = run.stats().stages
  expect(stats.waitingInput).toBeGreaterThan(0.5)
  expect(stats.busy).toBeLessThan(0.5)
})

test('a target that breaks while nobody writes fails the run', async () => {
  const target = new Writable({ objectMode: true, write: (_v, _e, done) => done() })
  const run = pipeline(source(new Promise<number[]>(() => {})), writeTo(target)).run()
  const end = rejection(run)
  await turns(2)
  target.destroy(boom)
  expect(await end).toMatchObject({ stage: 'writeTo', cause: boom })
})

test('flatMap() goes on behind a function that gives nothing, where that is skipped', async () => {
  const some = (n: number) => (n === 1 ? (undefined as never) : [n])
  expect(await pipeline(range(4), flatMap(some, { onError: 'skip' })).run()).toEqual([0, 2, 3])
})

describe('no rejection is unhandled', () => {
  test('where a promise in an array rejects while the event loop is kept busy', async () => {
    const burn = () => {
      const end = performance.now() + 8
      while (performance.now() < end);
    }
    const unhandled = await unhandledDuring(async () => {
      const busy = pipeline(range(4), map(burn), drain()).run()
      await null
      await null
      const late = pipeline(source([Promise.reject<number>(boom)]), drain()).run()
      expect(await rejection(late)).toMatchObject({ stage: 'source', cause: boom })
      await busy
    })
    expect(unhandled).toEqual([])
  })

  test('where a `next` aborts its run and then rejects', async () => {
    const unhandled = await unhandledDuring(async () => {
      for (const build of [
        (input: AsyncIterable<number>) => pipeline(source(input)),
        (input: AsyncIterable<number>) =>
          pipeline(
            range(1),
            flatMap(() => input),
          ),
      ]) {
        const controller = new AbortController()
        const next = () => {
          controller.abort('mine')
          return Promise.reject<IteratorResult<number>>(boom)
        }
        const input: AsyncIterable<number> = { [Symbol.asyncIterator]: () => ({ next }) }
        expect(await rejection(build(input).run({ signal: controller.signal }))).toBe('mine')
      }
      await turns(2)
    })
    expect(unhandled).toEqual([])
  })

  test('where a `next` aborts its run and then gives a promise that rejects', async () => {
    const unhandled = await unhandledDuring(async () => {
      const controller = new AbortController()
      const next = () => {
        controller.abort('mine')
        return { done: false, value: Promise.reject<number>(boom) }
      }
      const input = { [Symbol.iterator]: () => ({ next }) }
      expect(await rejection(pipeline(source(input)).run({ signal: controller.signal }))).toBe('mine')
      await turns(2)
    })
    expect(unhandled).toEqual([])
  })
})

test('through() fails where the writable side of a pair refuses a value and the other stays open', async () => {
  const gzip = through<unknown, Uint8Array>(new CompressionStream('gzip'))
  const input: unknown[] = [5, new Uint8Array(1)]
  expect(await rejection(pipeline(source(input), gzip).run())).toBeInstanceOf(StageError)
})

describe('what is thrown can be anything', () => {
  const refuses = (): never => {
    throw new Error('look elsewhere')
  }
  const all: Record<string, unknown> = {
    'an error whose message throws': Object.defineProperty(new Error(), 'message', { get: refuses }),
    'an error whose message is a symbol': Object.assign(new Error(), { message: Symbol('text') }),
    'an error whose name throws': Object.defineProperty(new Error(), 'name', { get: refuses }),
    'a proxy that refuses everything': new Proxy({}, { get: refuses, getPrototypeOf: refuses }),
    nothing: undefined,
  }
  const kinds = Object.keys(all)

  test.each(kinds)('%s: the run fails with it, and others go on', async (kind) => {
    const thrown = all[kind]
    const fail = (): never => {
      throw thrown
    }
    const custom = stage<number, number>('custom', async () => fail())
    for (const failing of [map(fail, { name: 'mapped' }), custom]) {
      const error = (await rejection(pipeline(range(3), failing, drain()).run())) as StageError
      expect(error).toBeInstanceOf(StageError)
      expect(Object.is(error.cause, thrown)).toBe(true)
      expect(error.message).toMatch(/^Stage "(mapped|custom)" failed: /)
      expect(await pipeline(range(3), count()).run()).toBe(3)
    }
  })

  test('a value that does not let itself be looked at fails its source', async () => {
    const values = [1, new Proxy({}, { get: refuses })]
    const error = await rejection(pipeline(source(values, { name: 'values' }), drain()).run())
    expect(error).toMatchObject({ stage: 'values', cause: { message: 'look elsewhere' } })
  })

  test.each(kinds)('%s: also where a stage fails that has been told to end', async (kind) => {
    const thrown = all[kind]
    const release = deferred()
    const late = async (): Promise<never> => {
      await release.promise
      throw thrown
    }
    const run = pipeline(range(3), map(late), drain()).start()
    const aborted = run.abort(boom)
    release.resolve()
    expect(await rejection(run.result)).toBe(boom)
    await aborted
    expect(await pipeline(range(3), count()).run()).toBe(3)
  })
})
