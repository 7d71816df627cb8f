/** What a failing run says: who failed, with which value, why, and what else failed meanwhile. */
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import {
  drain,
  filter,
  flatMap,
  forEach,
  map,
  pipeline,
  range,
  reduce,
  source,
  stage,
  StageError,
  tap,
  toArray,
} from 'sluice'
import { stageError } from './support-leaks.ts'
import { probe } from './support-sources.ts'
import { rejection, turns } from './support-waiting.ts'

const boom = new Error('boom')
const failAt = (bad: number) => (n: number) => {
  if (n === bad) throw boom
  return n
}

describe('a StageError', () => {
  const failing = [
    { stage: 'map', run: () => pipeline(range(5), map(failAt(2)), drain()).run() },
    {
      stage: 'filter',
      run: () =>
        pipeline(
          range(5),
          filter((n) => failAt(2)(n) >= 0),
          drain(),
        ).run(),
    },
    {
      stage: 'flatMap',
      run: () =>
        pipeline(
          range(5),
          flatMap((n) => [failAt(2)(n)]),
          drain(),
        ).run(),
    },
    {
      stage: 'tap',
      run: () =>
        pipeline(
          range(5),
          tap((n) => void failAt(2)(n)),
          drain(),
        ).run(),
    },
    {
      stage: 'forEach',
      run: () =>
        pipeline(
          range(5),
          forEach((n) => void failAt(2)(n)),
        ).run(),
    },
    {
      stage: 'reduce',
      run: () =>
        pipeline(
          range(5),
          reduce((sum, n) => sum + failAt(2)(n), 0),
        ).run(),
    },
  ]

  test.each(failing)(
    'of $stage names the stage and carries index, value and cause',
    async ({ stage, run }) => {
      const error = await stageError(run())
      expect(error).toBeInstanceOf(Error)
      expect(error).toMatchObject({ stage, index: 1, value: 2, suppressed: [] })
      expect(error.cause).toBe(boom)
      expect(error.message).toContain(stage)
      expect(error.message).toContain('boom')
    },
  )

  test('names the stage as its `name` option says', async () => {
    const run = pipeline(range(5), map(failAt(0), { name: 'parse line' }), drain()).run()
    expect(await stageError(run)).toMatchObject({ stage: 'parse line', index: 1, value: 0 })
  })

  test('says the place of the stage in the pipeline', async () => {
    const run = pipeline(range(5), map(String), map(Number), map(failAt(1)), toArray()).run()
    expect(await stageError(run)).toMatchObject({ stage: 'map', index: 3 })
  })

  test('of a source carries the promise that it gave', async () => {
    class Later extends Promise<never> {}
    const promises = [
      () => Promise.reject(boom),
      () => Later.reject(boom),
      () => ({ then: (_: unknown, no: (error: Error) => void) => no(boom) }) as unknown as Promise<never>,
    ]
    for (const make of promises) {
      const listed = make()
      const run = pipeline(source([listed]), drain()).run()
      expect((await stageError(run)).value).toBe(listed)
      let yielded: unknown
      const generated = pipeline(
        source(function* () {
          yield (yielded = make())
        }),
        drain(),
      ).run()
      expect((await stageError(generated)).value).toBe(yielded)
    }
  })

  test('carries a cause of any kind, `undefined` too', async () => {
    for (const cause of [undefined, null, 'text', 0]) {
      const run = pipeline(
        range(1),
        map(() => Promise.reject(cause)),
        drain(),
      ).run()
      const error = await stageError(run)
      expect(error.cause).toBe(cause)
      expect(error.value).toBe(0)
    }
  })

  test('says the message of a cause, or its name where that has none', async () => {
    const causes = [
      { cause: runInNewContext('new Error("from elsewhere")') as unknown, said: 'from elsewhere' },
      { cause: { message: 'no such table' }, said: 'no such table' },
      { cause: new AggregateError([boom]), said: 'AggregateError' },
      { cause: new RangeError(), said: 'RangeError' },
      { cause: Object.assign(new Error(), { name: 'Gone' }), said: 'Gone' },
      { cause: runInNewContext('new RangeError()') as unknown, said: 'RangeError' },
      { cause: Object.assign(new Error(), { message: 5 }), said: 'Error' },
      { cause: { code: 5 }, said: 'Object' },
    ]
    for (const { cause, said } of causes) {
      const run = pipeline(
        range(1),
        map(() => Promise.reject(cause)),
        drain(),
      ).run()
      expect((await stageError(run)).message).toBe(`Stage "map" failed: ${said}`)
    }
  })

  test('has no value where a source, a custom stage or a function without values failed', async () => {
    const custom = stage<number, number>('custom', async (rx) => {
      await rx.recv()
      throw boom
    })
    const runs = [
      { stage: 'custom', index: 1, run: pipeline(range(3), custom, drain()).run() },
      { stage: 'source', index: 0, run: pipeline(source(probe([1, 2], { error: boom })), drain()).run() },
      {
        stage: 'source',
        index: 0,
        run: pipeline(
          source(() => Promise.reject(boom)),
          drain(),
        ).run(),
      },
    ]
    // All at once: a rejection that nobody looks at in time is reported.
    const errors = await Promise.all(runs.map(({ run }) => stageError(run)))
    errors.forEach((error, i) => {
      const { stage, index } = runs[i]
      expect(error).toMatchObject({ stage, index })
      expect(error.cause).toBe(boom)
      expect(error.value).toBeUndefined()
    })
  })

  test('carries the value that failed where others are in flight', async () => {
    const run = pipeline(
      range(10),
      map(async (n) => (await turns(n === 4 ? 1 : 3), failAt(4)(n)), { concurrency: 10 }),
      drain(),
    ).run()
    expect(await stageError(run)).toMatchObject({ value: 4, suppressed: [] })
  })
})

test('StageError can be told from other errors by its class', async () => {
  const error = await rejection(pipeline(range(1), map(failAt(0))).run())
  expect(error instanceof StageError && error instanceof Error).toBe(true)
})
