/** A failure is a failure whatever is thrown: `undefined` and `null` are values like any other. */
import { describe, expect, test } from 'vitest'
import { drain, fanIn, fanOut, flatMap, forEach, groupBy, map, pipeline, range, source, stage } from 'sluice'
import { stageError } from './support-leaks.ts'

describe.each([[undefined], [null], [0], [''], [false]])('a run where %o is thrown', (thrown: unknown) => {
  const fail = (): never => {
    throw thrown
  }
  const throwing = map(fail)
  const cases: [title: string, run: () => Promise<unknown>][] = [
    ['by a function', () => pipeline(range(3), map(fail)).run()],
    [
      'by an async function',
      () =>
        pipeline(
          range(3),
          map(async () => Promise.reject(thrown as Error)),
        ).run(),
    ],
    ['by a function of a sink', () => pipeline(range(3), forEach(fail)).run()],
    [
      'by an iterable',
      () =>
        pipeline(
          range(3),
          flatMap(() => ({ [Symbol.iterator]: fail })),
        ).run(),
    ],
    ['by a source', () => pipeline(source({ [Symbol.iterator]: fail }), drain()).run()],
    ['by an input', () => pipeline(fanIn([1], { [Symbol.iterator]: fail }), drain()).run()],
    [
      'by a stage of the user',
      () =>
        pipeline(
          range(3),
          stage('user', async () => Promise.resolve().then(fail)),
        ).run(),
    ],
    [
      'through a sender',
      () =>
        pipeline(
          range(3),
          stage<number, number>('user', async (_, tx) => void tx.fail(thrown)),
        ).run(),
    ],
    ['by a branch', () => pipeline(range(3), fanOut({ throwing, other: map((n: number) => n) })).run()],
    [
      'by a maker',
      () =>
        pipeline(
          range(3),
          groupBy((n: number) => n, fail),
        ).run(),
    ],
  ]

  test.each(cases)('%s has failed with it', async (_, run) => {
    const error = await stageError(run())
    expect(error.cause).toBe(thrown)
    expect('cause' in error).toBe(true)
    expect(error.suppressed).toEqual([])
  })
})
