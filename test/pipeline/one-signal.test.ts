/** A signal that lives as long as its program: runs come and go on it, however they end, and leave no trace. */
import { describe, expect, test } from 'vitest'
import { drain, fanIn, map, pipeline, range, source, take, type RunOptions } from 'sluice'
import { abortListeners, timersLeftBy, unhandledDuring, warningsDuring } from './support-leaks.ts'
import { naturals, upTo } from './support-sources.ts'
import { never, outcome, rejection } from './support-waiting.ts'

const boom = new Error('boom')

/** Small runs, one for each way to end. */
const endings: Record<string, (options: RunOptions) => Promise<unknown>> = {
  'an end': (options) => pipeline(range(3), map(String)).run(options),
  'an early end': (options) => pipeline(source(naturals), take(2)).run(options),
  'an end of several inputs': (options) => pipeline(fanIn(range(2), range(2)), drain()).run(options),
  'a failure': (options) =>
    rejection(
      pipeline(
        range(3),
        map(() => Promise.reject(boom)),
      ).run(options),
    ),
  'an abort': async (options) => {
    const run = pipeline(source(naturals), map(never), drain()).start(options)
    await Promise.all([run.abort(boom), outcome(run.result)])
  },
  'a stop': (options) => pipeline(source(naturals), drain()).start(options).stop({ deadline: 60_000 }),
  'the end of a block': async (options) => {
    await using run = pipeline(source(naturals), map(never), drain()).start(options)
    expect(run.stats().stages).toHaveLength(3)
  },
}

describe('10,000 runs on one signal', () => {
  const ROUNDS = Math.ceil(10_000 / Object.keys(endings).length)

  test.each([1, 200])(
    'of which %i of each kind run side by side leave no listener, timer, warning or rejection',
    async (abreast) => {
      const { signal } = new AbortController()
      const unhandled = await unhandledDuring(async () => {
        const warnings = await warningsDuring(async () => {
          const timers = await timersLeftBy(async () => {
            for (let done = 0; done < ROUNDS; done += abreast)
              await Promise.all(
                upTo(abreast).flatMap(() => Object.values(endings).map((run) => run({ signal }))),
              )
          })
          expect(timers).toBe(0)
        })
        expect(warnings).toEqual([])
      })
      expect(unhandled).toEqual([])
      expect(abortListeners(signal)).toBe(0)
    },
  )

  test('that hang all end when it aborts', async () => {
    const controller = new AbortController()
    const { signal } = controller
    const warnings = await warningsDuring(async () => {
      const runs = upTo(10_000).map(() => outcome(pipeline(source(never), drain()).run({ signal })))
      controller.abort(boom)
      expect(new Set((await Promise.all(runs)).map((end) => end.state === 'rejected' && end.error))).toEqual(
        new Set([boom]),
      )
    })
    expect(warnings).toEqual([])
    expect(abortListeners(signal)).toBe(0)
  })
})
