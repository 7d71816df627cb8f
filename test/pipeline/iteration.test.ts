/** A pipeline is an async iterable: results one by one, with backpressure, and leaving the loop ends the run. */
import { describe, expect, test } from 'vitest'
import { batch, map, pipeline, range, source, stage } from 'sluice'
import { stageError, unhandledDuring } from './support-leaks.ts'
import { naturals, probe, upTo } from './support-sources.ts'
import { outcome, rejection, stable, turns, until } from './support-waiting.ts'

const sourceCapacityStage = 1 + 1

describe('for await over a pipeline', () => {
  test('gives the results in order and ends', async () => {
    const seen: string[] = []
    for await (const text of pipeline(range(4), map(String))) seen.push(text)
    expect(seen).toEqual(['0', '1', '2', '3'])
  })

  test('can be done again, and two loops do not share values', async () => {
    const pipe = pipeline(
      source(['a', 'b']),
      map((letter, index) => letter + index),
    )
    const collect = async () => {
      const seen: string[] = []
      for await (const value of pipe) seen.push(value)
      return seen
    }
    expect(await Promise.all([collect(), collect()])).toEqual([
      ['a0', 'b1'],
      ['a0', 'b1'],
    ])
  })

  test('lets sends of a stage in that wait for room, however late the loop reads', async () => {
    for (const capacity of [1, 4, 64]) {
      const copy = stage<number, number>(
        'copy',
        async (rx, tx) => {
          for await (const n of rx) await tx.send(n)
        },
        { capacity },
      )
      const seen: number[] = []
      for await (const n of pipeline(range(200), copy)) {
        seen.push(n)
        if (n % 90 === 0) await turns(5)
      }
      expect(seen).toEqual(upTo(200))
    }
  })

  test('holds its source back: no more is read than what was asked for and the bound', async () => {
    // A run's options cannot be given to an iterator, so the stages say their capacity themselves.
    for (const capacity of [0, 1, 5]) {
      const input = probe(naturals)
      const results = pipeline(
        source(input, { capacity }),
        map((n) => n, { capacity }),
      )[Symbol.asyncIterator]()
      for (let asked = 1; asked <= 3; asked++) {
        await results.next()
        expect(await stable(() => input.pulled)).toBeLessThanOrEqual(
          asked + 2 * capacity + sourceCapacityStage,
        )
      }
      await results.return?.()
      expect(input.returned).toBe(1)
    }
  })

  test('has run the `finally` of its source when a `break` is done', async () => {
    const log: string[] = []
    async function* input() {
      try {
        for (const n of naturals) yield await Promise.resolve(n)
      } finally {
        await turns(2)
        log.push('finally')
      }
    }
    for await (const value of pipeline(source(input), map(String), batch(2))) {
      log.push(...value)
      await turns(10) // the channels are full now, and the generator stands at its yield
      break
    }
    log.push('after')
    expect(log).toEqual(['0', '1', 'finally', 'after'])
  })

  test('closes its source once when the body throws, and the error of the body stands', async () => {
    const input = probe(naturals)
    const boom = new Error('body')
    const loop = async () => {
      for await (const value of pipeline(source(input), map(String))) if (value === '2') throw boom
    }
    expect(await rejection(loop())).toBe(boom)
    expect(input.returned).toBe(1)
  })

  test('gives the results before a failure and then throws it', async () => {
    const seen: number[][] = []
    const boom = new Error('boom')
    const failing = pipeline(
      range(10),
      map((n) => (n === 3 ? Promise.reject(boom) : n)),
      batch(2),
    )
    const loop = async () => {
      for await (const pair of failing) seen.push(pair)
    }
    const error = await stageError(loop())
    expect(error).toMatchObject({ stage: 'map', index: 1, value: 3, cause: boom })
    expect(seen).toEqual([[0, 1], [2]])
  })

  test('ends where the source is stuck when the loop is left', async () => {
    const input = probe(upTo(1), 'hang')
    for await (const value of pipeline(source(input), map(String))) {
      expect(value).toBe('0')
      await until(() => input.hangs)
      break
    }
    expect(input.returned).toBe(1)
  })

  test('settles a `return` that is called while a `next` is pending on a stuck source', async () => {
    const input = probe<number>([], 'hang')
    const results = pipeline(source(input), map(String))[Symbol.asyncIterator]()
    const pending = results.next()
    await until(() => input.hangs)
    expect(await results.return?.()).toMatchObject({ done: true })
    expect(await pending).toMatchObject({ done: true })
    expect(input.returned).toBe(1)
  })

  test('can be closed before anything was asked for, and then reads nothing', async () => {
    const input = probe(naturals)
    const results = pipeline(source(input), map(String))[Symbol.asyncIterator]()
    expect(await results.return?.()).toMatchObject({ done: true })
    expect(await results.next()).toMatchObject({ done: true })
    await turns(3)
    expect(input.pulled).toBe(0)
  })

  test('says `done` again and again once it has ended or was left', async () => {
    const ended = pipeline(range(1))[Symbol.asyncIterator]()
    expect(await ended.next()).toEqual({ done: false, value: 0 })
    for (const _ of upTo(2)) expect(await ended.next()).toMatchObject({ done: true })
    const left = pipeline(source(naturals))[Symbol.asyncIterator]()
    await left.next()
    await left.return?.()
    for (const _ of upTo(2)) expect(await left.next()).toMatchObject({ done: true })
  })

  test('says once that it has failed, and then `done`, as a generator does', async () => {
    const failing = pipeline(
      range(3),
      map((n) => (n === 1 ? Promise.reject(new Error('boom')) : n)),
    )
    const results = failing[Symbol.asyncIterator]()
    expect(await results.next()).toEqual({ done: false, value: 0 })
    await stageError(results.next())
    expect(await results.next()).toEqual({ done: true, value: undefined })
    expect(await results.return?.('left')).toEqual({ done: true, value: 'left' })

    const asked = failing[Symbol.asyncIterator]()
    const [, second, third] = [asked.next(), asked.next(), asked.next()]
    await stageError(second)
    expect(await third).toEqual({ done: true, value: undefined })
  })

  test('answers in the order in which it was asked, at a failure and at the end', async () => {
    for (const end of ['done', 'failed']) {
      const results = pipeline(
        source(
          (async function* () {
            await turns(1)
            if (end === 'failed') throw new Error('boom')
          })(),
        ),
      )[Symbol.asyncIterator]()
      const heard: string[] = []
      const asked = [results.next(), results.next(), results.next()]
      const all = asked.map((step, i) =>
        step.then(
          () => heard.push(`${i} done`),
          () => heard.push(`${i} failed`),
        ),
      )
      await Promise.all(all)
      expect(heard).toEqual([`0 ${end}`, '1 done', '2 done'])
    }
  })

  // No timing is asserted; but a line that is moved up for each answer would take far more.
  test(
    'answers hundreds of thousands of concurrent calls in time that grows with their number',
    { timeout: 20_000 },
    async () => {
      const results = pipeline(range(500_000))[Symbol.asyncIterator]()
      const asked = Array.from({ length: 500_001 }, () => results.next())
      const steps = await Promise.all(asked)
      expect(steps.at(-2)).toEqual({ done: false, value: 499_999 })
      expect(steps.at(-1)).toEqual({ done: true, value: undefined })
    },
  )

  test('leaves no rejection unhandled where calls in flight fail after the loop was left', async () => {
    const unhandled = await unhandledDuring(async () => {
      const pipe = pipeline(
        source(naturals),
        map(async (n) => (n === 0 ? n : (await turns(2), Promise.reject(new Error('late')))), {
          concurrency: 8,
        }),
      )
      const loop = async () => {
        for await (const _ of pipe) break
      }
      await outcome(loop())
      await turns(5)
    })
    expect(unhandled).toEqual([])
  })
})
