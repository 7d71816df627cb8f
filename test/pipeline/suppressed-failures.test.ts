/** Two failures in one run: the first one is the run's, the others are kept in `suppressed`, each as a StageError. */
import { describe, expect, test } from 'vitest'
import { drain, fanIn, forEach, map, pipeline, range, source, stage, StageError, take } from 'sluice'
import { stageError, unhandledDuring } from './support-leaks.ts'
import { naturals } from './support-sources.ts'
import { deferred, turns, until } from './support-waiting.ts'

const first = new Error('first')
const second = new Error('second')

/** The suppressed failures of a run, checked to be StageErrors. */
function suppressedOf(error: StageError): StageError[] {
  return error.suppressed.map((each) => {
    expect(each).toBeInstanceOf(StageError)
    return each as StageError
  })
}

describe('two failures', () => {
  test('of one stage: the first in time wins, the other is suppressed with its own value', async () => {
    const run = pipeline(
      range(2),
      map(
        async (n) => {
          await turns(n === 0 ? 6 : 2)
          throw n === 0 ? second : first
        },
        { concurrency: 2, ordered: false },
      ),
      drain(),
    ).run()
    const error = await stageError(run)
    expect(error).toMatchObject({ stage: 'map', index: 1, value: 1 })
    expect(error.cause).toBe(first)
    const [other, ...more] = suppressedOf(error)
    expect(other).toMatchObject({ stage: 'map', index: 1, value: 0 })
    expect(other?.cause).toBe(second)
    expect(more).toEqual([])
  })

  test('of an ordered stage are both told', async () => {
    const run = pipeline(
      range(2),
      map(
        async (n) => {
          await turns(n === 0 ? 6 : 2)
          throw n === 0 ? second : first
        },
        { concurrency: 2 },
      ),
      drain(),
    ).run()
    const error = await stageError(run)
    expect(error.cause).toBe(first)
    expect(suppressedOf(error).map((each) => each.cause)).toEqual([second])
  })

  test('of a stage that fails its sender, then throws: what it throws is suppressed, where it is another failure', async () => {
    const thrown: [unknown, unknown[]][] = [
      [second, [second]],
      [undefined, [undefined]],
      [first, []],
      ['closed', []],
      ['aborted', []],
      ['known', []],
    ]
    for (const [error, suppressed] of thrown) {
      const failing = stage<number, number>('twice', async (rx, tx, { signal }) => {
        await rx.recv()
        tx.fail(first)
        await turns(error === second ? 0 : 3)
        if (error === 'closed') await tx.send(1)
        if (error === 'aborted') signal.throwIfAborted()
        throw error === 'known' ? signal.reason : error
      })
      const failure = await stageError(pipeline(source(naturals), failing, drain()).run())
      expect(failure).toMatchObject({ stage: 'twice', cause: first })
      expect(suppressedOf(failure).map((each) => each.cause)).toEqual(suppressed)
    }
  })

  test('of a stage that fails its sender with what failed before it, then throws, are both told', async () => {
    const failing = stage<number, number>('twice', async (rx, tx) => {
      await rx.recv().catch((error: unknown) => tx.fail(error))
      throw second
    })
    const failure = await stageError(
      pipeline(
        source(naturals),
        map((): number => {
          throw first
        }),
        failing,
        drain(),
      ).run(),
    )
    expect(failure).toMatchObject({ stage: 'map', cause: first })
    expect(suppressedOf(failure)).toMatchObject([{ stage: 'twice', cause: second }])
  })

  test('of two stages: the later one in time is suppressed, wherever it stands', async () => {
    const gate = deferred()
    const run = pipeline(
      range(2),
      map(async (n) => {
        if (n === 0) return n
        gate.resolve()
        throw first
      }),
      forEach(async () => {
        await gate.promise
        await turns(3)
        throw second
      }),
    ).run()
    const error = await stageError(run)
    expect(error).toMatchObject({ stage: 'map', index: 1, value: 1 })
    expect(error.cause).toBe(first)
    const [other] = suppressedOf(error)
    expect(other).toMatchObject({ stage: 'forEach', index: 2, value: 0 })
    expect(other?.cause).toBe(second)
  })

  test('of two stages: a call before the one that failed first is told too, however late it fails', async () => {
    for (const late of [0, 1, 3, 8]) {
      const gates = [deferred<never>(), deferred<never>()]
      let waiting = 0
      const run = pipeline(
        range(5),
        map((n) => (n === 1 ? (waiting++, gates[0].promise) : n)),
        map((n) => n),
        forEach(() => (waiting++, gates[1].promise)),
      ).run({ capacity: 1 })
      await until(() => waiting === 2)
      gates[1].reject(first)
      await turns(late)
      gates[0].reject(second)
      const error = await stageError(run)
      expect(error).toMatchObject({ stage: 'forEach', index: 3, value: 0 })
      expect(error.cause).toBe(first)
      const [other, ...more] = suppressedOf(error)
      expect(other).toMatchObject({ stage: 'map', index: 1, value: 1 })
      expect(other?.cause).toBe(second)
      expect(more).toEqual([])
    }
  })

  test('are one where the other is dropped by its `onError`, which is told although the run has failed', async () => {
    const told: unknown[] = []
    const ways = ['skip', (failure: object) => void told.push(failure)] as const
    for (const onError of ways) {
      for (const retry of [0, { attempts: 2, delay: 1_000_000 }]) {
        const gates = [deferred<never>(), deferred<never>()]
        let waiting = 0
        const run = pipeline(
          range(5),
          map((n) => (n === 1 ? (waiting++, gates[0].promise) : n), { onError, retry }),
          forEach(() => (waiting++, gates[1].promise)),
        ).start({ capacity: 1 })
        await until(() => waiting === 2)
        gates[1].reject(first)
        await turns(1)
        gates[0].reject(second)
        expect(await stageError(run.result)).toMatchObject({ stage: 'forEach', suppressed: [] })
        expect(run.stats().stages[1].failed).toBe(1)
      }
    }
    const failure = { value: 1, error: second, stage: 'map', attempts: 1 }
    expect(told).toEqual([failure, failure])
  })

  test('are one where the other call only ends as it was told to, by its signal', async () => {
    let waiting = 0
    const cut = (_: number, __: number, { signal }: { signal: AbortSignal }) =>
      new Promise<never>((_resolve, reject) => {
        waiting++
        signal.addEventListener('abort', () => reject(signal.reason))
      })
    const told: unknown[] = []
    for (const onError of ['fail', (failure: unknown) => void told.push(failure)] as const) {
      waiting = 0
      const gate = deferred<never>()
      const run = pipeline(
        range(5),
        map((n, index, context) => (n === 1 ? cut(n, index, context) : n), { onError }),
        forEach(() => (waiting++, gate.promise)),
      ).run({ capacity: 1 })
      await until(() => waiting === 2)
      gate.reject(first)
      expect(await stageError(run)).toMatchObject({ stage: 'forEach', suppressed: [] })
    }
    expect(told).toEqual([])
  })

  test('are none where the run was aborted: a call that fails then is told to nobody', async () => {
    const told: unknown[] = []
    const gate = deferred<never>()
    let waiting = 0
    const run = pipeline(
      range(5),
      map(() => (waiting++, gate.promise), { onError: (failure) => void told.push(failure) }),
      drain(),
    ).start()
    await until(() => waiting === 1)
    // Whoever aborts may pass on the failure of another run.
    const reason = await stageError(
      pipeline(
        range(1),
        map((): number => {
          throw first
        }),
      ).run(),
    )
    const aborting = run.abort(reason)
    gate.reject(second)
    expect(await run.result.catch((error: unknown) => error)).toBe(reason)
    await aborting
    await turns(3)
    expect(told).toEqual([])
  })

  test('are none where nobody wants the results any more: a call that fails then is told to nobody', async () => {
    const told: unknown[] = []
    const gate = deferred<never>()
    const run = pipeline(
      range(5),
      map((n) => (n === 0 ? n : gate.promise), {
        concurrency: 5,
        onError: (failure) => void told.push(failure),
      }),
      take(1),
    ).start()
    await until(() => run.stats().stages[2].sent === 1)
    gate.reject(second)
    expect(await run.result).toEqual([0])
    expect(told).toEqual([])
  })

  test('in the same moment: one is the cause, all others are suppressed, none is lost or unhandled', async () => {
    const gate = deferred()
    let waiting = 0
    const unhandled = await unhandledDuring(async () => {
      const run = pipeline(
        range(8),
        map(
          async (n) => {
            if (++waiting === 8) gate.resolve()
            await gate.promise
            throw new Error(`no ${n}`)
          },
          { concurrency: 8 },
        ),
        drain(),
      ).run()
      const error = await stageError(run)
      const told = [error, ...suppressedOf(error)].map((each) => (each.cause as Error).message)
      expect(told.sort()).toEqual(['no 0', 'no 1', 'no 2', 'no 3', 'no 4', 'no 5', 'no 6', 'no 7'])
    })
    expect(unhandled).toEqual([])
  })
})

test('very many failures are told without looking through those before them for each', async () => {
  const gate = deferred()
  let waiting = 0
  let looks = 0
  let watched = false
  const watch = ({ suppressed }: StageError) => {
    watched = true
    return new Proxy(suppressed, { get: (all, key) => (looks++, Reflect.get(all, key) as unknown) })
  }
  const inputs = Array.from({ length: 200 }, (_, n) =>
    source(async function* ({ signal }): AsyncGenerator<number> {
      signal.addEventListener('abort', () => {
        const failure = signal.reason as StageError
        if (!watched) Object.assign(failure, { suppressed: watch(failure) })
      })
      if (++waiting === 200) gate.resolve()
      await gate.promise
      throw new Error(`no ${n}`)
    }),
  )
  const { suppressed } = await stageError(pipeline(fanIn(...inputs), drain()).run())
  expect(suppressed.length).toBe(199)
  // To push a value is to look at two or three properties, to look for one among a hundred at a hundred.
  expect(looks).toBeGreaterThan(199)
  expect(looks).toBeLessThan(199 * 10)
})

describe('clean-up that throws too', () => {
  test('of a generator: the first failure stays the cause and the other is suppressed', async () => {
    async function* input() {
      try {
        yield* naturals
      } finally {
        await Promise.reject(second)
      }
    }
    const run = pipeline(
      source(input),
      map(async (n) => {
        if (n < 3) return n
        await turns(5) // the channel is full now, and the generator stands at its yield
        throw first
      }),
      drain(),
    ).run({ capacity: 1 })
    const error = await stageError(run)
    expect(error).toMatchObject({ stage: 'map', index: 1, value: 3 })
    expect(error.cause).toBe(first)
    const [other] = suppressedOf(error)
    expect(other).toMatchObject({ stage: 'source', index: 0 })
    expect(other?.cause).toBe(second)
  })

  test('of a custom stage: the first failure stays the cause and the other is suppressed', async () => {
    const messy = stage<number, number>('messy', async (rx, tx) => {
      try {
        for await (const n of rx) await tx.send(n)
      } finally {
        await Promise.reject(second)
      }
    })
    const run = pipeline(
      range(5),
      map((n) => {
        if (n === 3) throw first
        return n
      }),
      messy,
      drain(),
    ).run()
    const error = await stageError(run)
    expect(error.cause).toBe(first)
    const [other] = suppressedOf(error)
    expect(other).toMatchObject({ stage: 'messy', index: 2 })
    expect(other?.cause).toBe(second)
  })

  test('leaves no rejection unhandled where a `return` throws or rejects', async () => {
    const thrown = () => {
      throw second
    }
    for (const close of [thrown, () => Promise.reject(second)]) {
      const input = {
        [Symbol.asyncIterator]: () => ({
          next: async () => ({ done: false as const, value: 1 }),
          return: close,
        }),
      }
      const unhandled = await unhandledDuring(async () => {
        const run = pipeline(
          source(input),
          map((): number => {
            throw first
          }),
          drain(),
        ).run()
        expect((await stageError(run)).cause).toBe(first)
      })
      expect(unhandled).toEqual([])
    }
  })
})
