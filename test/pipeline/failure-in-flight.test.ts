/** What goes on around a failure: values sent before it, calls in flight, sources, custom stages. */
import { describe, expect, test, vi } from 'vitest'
import { batch, drain, forEach, map, pipeline, range, source, stage } from 'sluice'
import { eventsDuring } from './support-events.ts'
import { stageError, unhandledDuring } from './support-leaks.ts'
import { naturals, probe, upTo } from './support-sources.ts'
import { deferred, rejection, settledWithin, turns, until } from './support-waiting.ts'

const boom = new Error('boom')
const failAt = (bad: number) => (n: number) => {
  if (n === bad) throw boom
  return n
}

describe('values sent before a failure', () => {
  test('are processed downstream, a partial batch included', async () => {
    const seen: number[][] = []
    const run = pipeline(
      range(100),
      map(failAt(5)),
      batch(3),
      forEach((numbers) => void seen.push(numbers)),
    ).run()
    expect((await stageError(run)).value).toBe(5)
    expect(seen).toEqual([
      [0, 1, 2],
      [3, 4],
    ])
  })

  test('are processed by slow stages too, before the run settles', async () => {
    const seen: number[] = []
    const signals: AbortSignal[] = []
    const run = pipeline(
      range(100),
      map(failAt(3)),
      map(async (n, _index, { signal }) => (signals.push(signal), await turns(4), n), { concurrency: 2 }),
      forEach(async (n) => (await turns(2), void seen.push(n))),
    ).run()
    await stageError(run)
    expect(seen).toEqual([0, 1, 2])
    expect(signals.some((signal) => signal.aborted)).toBe(false)
  })

  test('include the results of calls that began before the failing one', async () => {
    const gates = upTo(3).map(() => deferred())
    const seen: number[] = []
    let started = 0
    const run = pipeline(
      range(3),
      map(
        async (n) => {
          started++
          await gates[n].promise
          return failAt(2)(n)
        },
        { concurrency: 3 },
      ),
      forEach((n) => void seen.push(n)),
    ).run()
    await until(() => started === 3)
    gates[2].resolve()
    expect(await settledWithin(run, 10)).toBe(false)
    gates[1].resolve()
    gates[0].resolve()
    expect((await stageError(run)).value).toBe(2)
    expect(seen).toEqual([0, 1])
  })
})

describe('calls in flight when a stage fails', () => {
  test('see their signal abort and are awaited, and nothing acts after the run has settled', async () => {
    const log: string[] = []
    const run = pipeline(
      range(1000),
      map(
        async (n, _index, { signal }) => {
          log.push(`start ${n}`)
          await turns(n === 1 ? 1 : 5)
          log.push(`end ${n} ${signal.aborted}`)
          return failAt(1)(n)
        },
        { concurrency: 3 },
      ),
      drain(),
    ).run()
    await stageError(run)
    const settled = [...log]
    expect(settled).toContain('end 0 true')
    expect(settled).toContain('end 2 true')
    await turns(10)
    expect(log).toEqual(settled)
    expect(log.filter((line) => line.startsWith('start')).length).toBe(
      log.filter((l) => l.startsWith('end')).length,
    )
  })

  test('of stages before the failing one see their signal abort, too', async () => {
    const before: AbortSignal[] = []
    const run = pipeline(
      source(naturals),
      map(async (n, _index, { signal }) => (before.push(signal), await turns(1), n), { concurrency: 4 }),
      map(failAt(0)),
      drain(),
    ).run({ capacity: 1 })
    await stageError(run)
    expect(before.length).toBeGreaterThan(0)
    expect(before[0].aborted).toBe(true)
  })

  test('let nothing more be read while they go on: no function before them is called, and the source is closed', async () => {
    const gate = deferred()
    const input = probe(naturals)
    let afterwards = 0
    const run = pipeline(
      source(input),
      map((n, _index, { signal }) => {
        if (signal.aborted) afterwards++
        return n
      }),
      forEach(async (n) => (n === 0 ? await gate.promise : Promise.reject(boom)), { concurrency: 2 }),
    ).run({ capacity: 4 })
    await until(() => input.returned === 1)
    expect(await settledWithin(run, 10)).toBe(false)
    gate.resolve()
    expect((await stageError(run)).value).toBe(1)
    expect([afterwards, input.returned]).toEqual([0, 1])
  })

  test('do so where a test has faked queueMicrotask, as Jest does: the run tells its end, and leaves nothing in the clock', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'queueMicrotask'] })
    try {
      const gate = deferred()
      const input = probe(naturals)
      const told = await eventsDuring(async () => {
        const call = (n: number) => (n === 0 ? gate.promise : Promise.reject(boom))
        const run = pipeline(source(input), forEach(call, { concurrency: 2 })).run({ capacity: 4 })
        await until(() => input.returned === 1)
        gate.resolve()
        await stageError(run)
      })
      expect(told.at(-1)?.event).toBe('run:end')
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  test('are not waited for where only a source hangs', async () => {
    const input = probe([1], 'hang')
    const error = await stageError(pipeline(source(input), map(failAt(1)), drain()).run())
    expect(error.value).toBe(1)
    expect(input.returned).toBe(1)
  })
})

describe('a failure', () => {
  test('closes its endless source once', async () => {
    const input = probe(naturals)
    await stageError(pipeline(source(input), map(failAt(50)), drain()).run({ capacity: 2 }))
    const { pulled } = input
    await turns(3)
    expect(input).toMatchObject({ returned: 1, pulled })
  })

  test('stays a failure where a custom stage swallows it', async () => {
    const swallow = stage<number, string>('swallow', async (rx, tx) => {
      try {
        for await (const n of rx) await tx.send(String(n))
      } catch {
        await tx.send('all is well')
      }
    })
    const seen: string[] = []
    const run = pipeline(
      range(5),
      map(failAt(1)),
      swallow,
      forEach((text) => void seen.push(text)),
    ).run()
    expect(await stageError(run)).toMatchObject({ stage: 'map', index: 1, value: 1 })
    expect(seen).toEqual(['0', 'all is well'])
  })

  test('is handed on to a custom stage as the failure of its input', async () => {
    const caught: unknown[] = []
    const look = stage<number, number>('look', async (rx, tx) => {
      try {
        for await (const n of rx) await tx.send(n)
      } catch (error) {
        caught.push(error)
        throw error
      }
    })
    const error = await stageError(pipeline(range(5), map(failAt(1)), look, drain()).run())
    expect(caught).toHaveLength(1)
    expect(error).toMatchObject({ stage: 'map', index: 1, suppressed: [] })
  })

  test('may be told by a custom stage through its sender: what it sent before is processed', async () => {
    const seen: number[] = []
    const telling = stage<number, number>('telling', async (rx, tx) => {
      await tx.send(await rx.recv())
      tx.fail(boom)
    })
    const run = pipeline(
      range(5),
      telling,
      forEach((n) => void seen.push(n)),
    ).run()
    const error = await stageError(run)
    expect(error).toMatchObject({ stage: 'telling', index: 1 })
    expect(error.cause).toBe(boom)
    expect(seen).toEqual([0])
  })

  test('leaves no rejection unhandled, however many calls fail, together or apart', async () => {
    const unhandled = await unhandledDuring(async () => {
      for (const wait of [() => 0, (n: number) => n]) {
        for (const ordered of [true, false]) {
          const run = pipeline(
            range(100),
            map(async (n) => (await turns(wait(n)), Promise.reject(new Error(`no ${n}`))), {
              concurrency: 8,
              ordered,
            }),
            drain(),
          ).run()
          await rejection(run)
        }
      }
    })
    expect(unhandled).toEqual([])
  })
})
