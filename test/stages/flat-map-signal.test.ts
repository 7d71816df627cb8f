/** flatMap(): a call that has a signal of its own is told of an abort until what it gave has been read. */
import { describe, expect, test, vi } from 'vitest'
import { flatMap, forEach, pipeline, range, type StageContext } from 'sluice'
import { abortListeners, stageError } from '../pipeline/support-leaks.ts'
import { never, turns, until } from '../pipeline/support-waiting.ts'

const boom = new Error('boom')

type Many =
  | Iterable<number | Promise<number>>
  | AsyncIterable<number>
  | Promise<Iterable<number> | AsyncIterable<number>>

describe('flatMap() with a timeout: the signal of a call', () => {
  const timeout = 60_000
  /** Reads one value, then what ends with the signal alone. */
  async function* listening(context: () => AbortSignal) {
    yield 1
    await new Promise((_, reject) => context().addEventListener('abort', () => reject(boom)))
  }
  const calls: Record<string, (n: number, i: number, context: StageContext) => Many> = {
    async *'an async generator that has its signal'(_n, _i, { signal }) {
      yield* listening(() => signal)
    },
    async *'an async generator that asks for it while it is read'(_n, _i, context) {
      yield* listening(() => context.signal)
    },
    'an async function': async (_n, _i, { signal }) => listening(() => signal),
    'an array of promises': (_n, _i, { signal }) => [
      1,
      new Promise<number>((resolve) => signal.addEventListener('abort', () => resolve(2))),
    ],
  }

  test.each(Object.entries(calls))('tells of an abort while the values are read: of %s', async (_, fn) => {
    const signals: AbortSignal[] = []
    const watched = (n: number, i: number, context: StageContext) => {
      const result = fn(n, i, context)
      signals.push(context.signal)
      return result
    }
    const run = pipeline(range(2), flatMap(watched, { timeout, concurrency: 2 })).start()
    run.result.catch(() => {})
    await until(() => run.stats().stages[1].sent > 0 && signals.length === 2)
    await run.abort(boom)
    expect(signals.map(({ reason }): unknown => reason)).toEqual([boom, boom])
  })

  test('tells those that are being read of a failure of their stage', async () => {
    const signals: AbortSignal[] = []
    const run = pipeline(
      range(2),
      flatMap(
        async function* (n, _i, { signal }) {
          signals.push(signal)
          yield n
          if (n === 1) throw boom
          await never()
        },
        { timeout, concurrency: 2, ordered: false },
      ),
    ).run()
    const error = await stageError(run)
    expect(signals[0].reason).toBe(error)
  })

  test('does not listen any more when all has been read, or is not wanted', async () => {
    const listened = new Set<AbortSignal>()
    const add = vi.spyOn(AbortSignal.prototype, 'addEventListener').mockImplementation(function (
      this: AbortSignal,
      ...args: Parameters<EventTarget['addEventListener']>
    ) {
      listened.add(this)
      EventTarget.prototype.addEventListener.apply(this, args)
    })
    const forms = [
      async function* (n: number) {
        yield n
      },
      async (n: number) => (await turns(1), [n]),
      (n: number) => [n],
      (n: number) => new Set([n]),
      (n: number) => [Promise.resolve(n)],
      () => Promise.reject(boom),
      function* () {
        yield Promise.reject<number>(boom)
      },
      () => 0 as unknown as number[],
      async function* (): AsyncGenerator<number> {
        throw boom
      },
    ]
    let heard = 0
    const wild = (n: number, _i: number, { signal }: StageContext): Many => {
      if (!signal.aborted) heard++
      return forms[n % forms.length](n)
    }
    const run = pipeline(
      range(900),
      flatMap(wild, { timeout, concurrency: 3, retry: { attempts: 2, delay: 0 }, onError: 'skip' }),
      forEach((n) => (n === 895 ? never() : undefined)),
    ).start()
    run.result.catch(() => {})
    await until(() => run.stats().stages[1].received === 900 && run.stats().stages[2].received === 500)
    add.mockRestore()
    expect(heard).toBeGreaterThanOrEqual(900)
    expect(listened.size).toBe(1)
    expect([...listened].map(abortListeners)).toEqual([0])
    await run.abort()
  })
})
