/** An abort ends everything now: with the reason itself, and without waiting for who hangs. */
import { describe, expect, test } from 'vitest'
import { drain, forEach, map, pipeline, range, source, stage, take, toArray } from 'sluice'
import { abortListeners, unhandledDuring, warningsDuring } from './support-leaks.ts'
import { naturals, probe, syncProbe, upTo } from './support-sources.ts'
import { never, outcome, rejection, turns, until } from './support-waiting.ts'

describe('a signal that aborts', () => {
  test.each([[new Error('enough')], ['a text'], [0], [{ any: 'thing' }]])(
    'rejects with the reason itself: %s',
    async (reason) => {
      const controller = new AbortController()
      const input = probe(naturals)
      const run = pipeline(source(input), drain()).run({ signal: controller.signal })
      await until(() => input.pulled > 0)
      controller.abort(reason)
      expect(await rejection(run)).toBe(reason)
    },
  )

  test('without a reason rejects with the AbortError of the signal', async () => {
    const controller = new AbortController()
    const run = pipeline(source(probe([], 'hang')), drain()).run({ signal: controller.signal })
    controller.abort()
    const error = await rejection(run)
    expect(error).toBe(controller.signal.reason)
    expect(error).toMatchObject({ name: 'AbortError' })
  })

  test('before the run lets it read nothing', async () => {
    const input = probe(naturals)
    const sync = syncProbe(naturals)
    let called = 0
    const reason = new Error('before')
    const signal = AbortSignal.abort(reason)
    const fromFunction = source(() => (called++, naturals))
    expect(await rejection(pipeline(source(input), drain()).run({ signal }))).toBe(reason)
    expect(await rejection(pipeline(source(sync), drain()).run({ signal }))).toBe(reason)
    expect(await rejection(pipeline(fromFunction, drain()).run({ signal }))).toBe(reason)
    await turns(3)
    expect([input.iterated, sync.iterated, called]).toEqual([0, 0, 0])
  })

  test('ends a run whose generator is stuck in an await, in the same turn', async () => {
    const controller = new AbortController()
    let stuck = false
    async function* input() {
      yield 1
      stuck = true
      await never()
    }
    const run = pipeline(source(input), map(String), drain()).run({ signal: controller.signal })
    await until(() => stuck)
    controller.abort('stop')
    const race = Promise.race([outcome(run), turns(3).then(() => 'late')])
    expect(await race).toEqual({ state: 'rejected', error: 'stop' })
  })

  test('ends a run whose mapper, sink or custom stage never settles, in the same turn', async () => {
    const stuck = stage<number, number>('stuck', () => never())
    const pipes = [
      pipeline(source(naturals), map(never), drain()),
      pipeline(source(naturals), forEach(never)),
      pipeline(source(naturals), stuck, drain()),
      pipeline(source(never), drain()),
      pipeline(source(never()), drain()),
    ]
    for (const pipe of pipes) {
      const controller = new AbortController()
      const run = pipe.run({ signal: controller.signal })
      await turns(2)
      controller.abort('stop')
      const race = Promise.race([outcome(run), turns(3).then(() => 'late')])
      expect(await race).toEqual({ state: 'rejected', error: 'stop' })
    }
  })

  test('is passed on to calls, custom stages and source functions', async () => {
    const controller = new AbortController()
    const signals: AbortSignal[] = []
    const custom = stage<number, number>('custom', (_rx, _tx, { signal }) => (signals.push(signal), never()))
    const run = pipeline(
      source(({ signal }) => (signals.push(signal), naturals)),
      map((n, _index, { signal }) => (signals.push(signal), n > 0 ? never() : n)),
      custom,
      drain(),
    ).run({ signal: controller.signal })
    await until(() => signals.length >= 4)
    expect(signals.map((signal) => signal.aborted)).not.toContain(true)
    const reason = new Error('enough')
    controller.abort(reason)
    await rejection(run)
    const inFlight = [signals[0], signals[signals.length - 1], ...signals].filter((signal) => signal.aborted)
    expect(inFlight.length).toBeGreaterThanOrEqual(3)
    for (const signal of inFlight) expect(signal.reason).toBe(reason)
  })

  test('is what the run rejects with, whatever its calls throw because of it', async () => {
    const controller = new AbortController()
    let started = 0
    const unhandled = await unhandledDuring(async () => {
      const run = pipeline(
        source(naturals),
        map(
          (_n, _index, { signal }) =>
            new Promise<never>((_, reject) => {
              started++
              signal.addEventListener('abort', () => reject(new Error('the call was cut')))
            }),
          { concurrency: 4 },
        ),
        drain(),
      ).run({ signal: controller.signal })
      await until(() => started === 4)
      controller.abort('the reason')
      expect(await rejection(run)).toBe('the reason')
    })
    expect(unhandled).toEqual([])
  })

  test('closes every source once, and nothing is pulled or acted on afterwards', async () => {
    for (const capacity of [0, 1, 256]) {
      const controller = new AbortController()
      const input = probe(naturals)
      const log: number[] = []
      const run = pipeline(
        source(input),
        map(async (n) => (await turns(1), n), { concurrency: 2 }),
        forEach((n) => void log.push(n)),
      ).run({ capacity, signal: controller.signal })
      await until(() => log.length > 2)
      controller.abort('stop')
      expect(await rejection(run)).toBe('stop')
      const { pulled } = input
      const acted = log.length
      await turns(5)
      expect(input).toMatchObject({ returned: 1, pulled })
      expect(log.length).toBe(acted)
    }
  })

  test('has run the `finally` of a source that stands at a yield before the run settles', async () => {
    const controller = new AbortController()
    let finished = false
    let blocked = false
    async function* input() {
      try {
        yield* naturals
      } finally {
        await turns(2)
        finished = true
      }
    }
    const block = () => ((blocked = true), never())
    const run = pipeline(source(input), forEach(block)).run({ capacity: 1, signal: controller.signal })
    await until(() => blocked)
    await turns(5)
    controller.abort('stop')
    expect(await rejection(run)).toBe('stop')
    expect(finished).toBe(true)
  })

  test('after the end of a run does nothing', async () => {
    const controller = new AbortController()
    const input = probe(upTo(3))
    const result = await pipeline(source(input), toArray()).run({ signal: controller.signal })
    controller.abort('late')
    await turns(2)
    expect(result).toEqual([0, 1, 2])
    expect(input.returned).toBe(0)
  })
})

test('a thousand runs on one signal, some of them side by side, leave no listener and cause no warning', async () => {
  const { signal } = new AbortController()
  const warnings = await warningsDuring(async () => {
    for (let round = 0; round < 20; round++) {
      const runs = Array.from({ length: 50 }, () => pipeline(range(3), map(String), take(2)).run({ signal }))
      await Promise.all(runs)
    }
  })
  expect(abortListeners(signal)).toBe(0)
  expect(warnings).toEqual([])
})

describe('Run.abort()', () => {
  test('rejects `result` with its reason and settles when everything has ended', async () => {
    const input = probe(naturals)
    const run = pipeline(source(input), map(String), drain()).start()
    await until(() => input.pulled > 0)
    const reason = new Error('by hand')
    const end = outcome(run.result)
    expect(await run.abort(reason)).toBeUndefined()
    expect(input.returned).toBe(1)
    expect(await end).toEqual({ state: 'rejected', error: reason })
  })

  test('without a reason rejects with an AbortError', async () => {
    const run = pipeline(source(probe([], 'hang')), drain()).start()
    const [error] = await Promise.all([rejection(run.result), run.abort()])
    expect(error).toMatchObject({ name: 'AbortError' })
  })

  test('after the end changes nothing, and a second one keeps the first reason', async () => {
    const done = pipeline(range(3)).start()
    await done.result
    await done.abort(new Error('late'))
    expect(await done.result).toEqual([0, 1, 2])
    const run = pipeline(source(naturals), drain()).start()
    const end = rejection(run.result)
    await Promise.all([run.abort('first'), run.abort('second')])
    expect(await end).toBe('first')
  })

  test('leaves no rejection unhandled where only `result` is looked at', async () => {
    const unhandled = await unhandledDuring(async () => {
      const run = pipeline(source(naturals), map(never, { concurrency: 3 }), drain()).start()
      await turns(2)
      await Promise.all([run.abort('stop'), outcome(run.result)])
    })
    expect(unhandled).toEqual([])
  })
})
