/** buffer(n, overflow): what it holds, what it drops, and whom it tells. */
import { describe, expect, test } from 'vitest'
import { buffer, channel, filter, forEach, pipeline, range, SendError, source, take } from 'sluice'
import { stageError } from '../pipeline/support-leaks.ts'
import { naturals, probe, upTo } from '../pipeline/support-sources.ts'
import { deferred, never, rejection, stable, turns, until } from '../pipeline/support-waiting.ts'

type Overflow = Parameters<typeof buffer>[1]

/** A run whose sink stands at its first value until `gate` opens. */
function standing(n: number, overflow: Overflow, capacity = 0) {
  const [tx, rx] = channel<number>(1000)
  const gate = deferred()
  const seen: number[] = []
  const lost: number[] = []
  const run = pipeline(
    source(rx),
    buffer(n, overflow, { onUndelivered: (value: number) => void lost.push(value) }),
    forEach((value: number) => {
      seen.push(value)
      return gate.promise
    }),
  ).start({ capacity })
  run.result.catch(() => {})
  const give = async (...values: number[]): Promise<void> => {
    for (const value of values) tx.trySend(value)
    await stable(() => tx.length + lost.length)
  }
  return { tx, gate, seen, lost, run, give }
}

describe('buffer(n, overflow)', () => {
  test("'block' holds n values and then its source back", async () => {
    const input = probe(naturals)
    const run = pipeline(
      source(input),
      buffer(10, 'block'),
      forEach(() => new Promise(() => {})),
    ).start({ capacity: 0 })
    // one with the source, ten here, one with the sink
    expect(await stable(() => input.pulled)).toBe(12)
    await Promise.all([rejection(run.result), run.abort()])
  })

  test("'block' takes in what comes while nobody reads, in many pieces", async () => {
    const { tx, gate, seen, run, give } = standing(500, 'block', 16)
    for (let n = 0; n < 500; n += 20) await give(...upTo(20).map((i) => n + i))
    expect(tx.length).toBe(0)
    gate.resolve()
    tx.close()
    await run.result
    expect(seen).toEqual(upTo(500))
  })

  test('takes in a long piece that came at once, though nobody reads', async () => {
    for (const overflow of ['block', 'drop-oldest'] as const) {
      const run = pipeline(
        range(10_000),
        filter((n) => n >= 9000),
        buffer(2000, overflow, { capacity: 0 }),
        forEach(() => new Promise(() => {})),
      ).start()
      const received = (): number => run.stats().stages[2].received
      await until(() => received() > 0)
      expect(await stable(received)).toBe(1000)
      await Promise.all([rejection(run.result), run.abort()])
    }
  })

  test("'drop-oldest' keeps the latest n, and tells of each that it drops, once", async () => {
    const { tx, gate, seen, lost, run, give } = standing(3, 'drop-oldest')
    await give(...upTo(4)) // 0 is with the sink
    expect(lost).toEqual([])
    await give(4, 5)
    expect(lost).toEqual([1, 2])
    gate.resolve()
    tx.close()
    await run.result
    expect(seen).toEqual([0, 3, 4, 5])
    expect(lost).toEqual([1, 2])
  })

  test("'drop-newest' keeps the first n", async () => {
    const { tx, gate, seen, lost, run, give } = standing(3, 'drop-newest')
    await give(...upTo(6))
    expect(lost).toEqual([4, 5])
    gate.resolve()
    tx.close()
    await run.result
    expect(seen).toEqual([0, 1, 2, 3])
  })

  test.each(['drop-oldest', 'drop-newest'] as const)(
    '%s never holds its source back, and gives or drops every value once',
    async (overflow) => {
      for (const capacity of [0, 1, 256]) {
        const { tx, gate, seen, lost, run, give } = standing(5, overflow, capacity)
        for (let n = 0; n < 3000; n += 300) await give(...upTo(300).map((i) => n + i))
        expect(tx.length).toBe(0)
        expect(lost.length).toBeGreaterThan(2000)
        gate.resolve()
        tx.close()
        await run.result
        expect([...seen, ...lost].sort((a, b) => a - b)).toEqual(upTo(3000))
        expect(seen).toEqual([...seen].sort((a, b) => a - b))
      }
    },
  )

  test("'fail' fails with the value for which there was no room, after those for which there was", async () => {
    const { tx, gate, seen, run, give } = standing(2, 'fail')
    await give(...upTo(6))
    gate.resolve()
    const error = await stageError(run.result)
    expect(error).toMatchObject({ stage: 'buffer', index: 1, value: 3, suppressed: [] })
    expect(error.cause).toBeInstanceOf(SendError)
    expect(error.cause).toMatchObject({ code: 'FULL', value: 3 })
    expect(seen).toEqual([0, 1, 2])
    tx.close()
  })

  test('gives all it holds at the end and on a stop', async () => {
    const { tx, gate, seen, run, give } = standing(10, 'drop-oldest')
    await give(...upTo(8))
    const stopped = run.stop()
    gate.resolve()
    await stopped
    expect(seen).toEqual(upTo(8))
    tx.close()
  })

  test('gives all it holds before a failure passes', async () => {
    const { tx, gate, seen, lost, run, give } = standing(10, 'drop-newest')
    await give(...upTo(8))
    const boom = new Error('boom')
    tx.fail(boom)
    gate.resolve()
    expect((await stageError(run.result)).cause).toBe(boom)
    expect([seen, lost]).toEqual([upTo(8), []])
  })

  test('tells of what it still holds when the run is aborted or the reader leaves', async () => {
    const aborted = standing(10, 'block')
    await aborted.give(...upTo(4))
    await aborted.run.abort()
    expect(aborted.lost).toEqual([1, 2, 3])
    aborted.tx.close()

    const lost: number[] = []
    const input = probe(naturals)
    const one = pipeline(
      source(input),
      buffer(5, 'block', { onUndelivered: (value: number) => void lost.push(value) }),
      forEach(async () => {
        await until(() => input.pulled > 5)
        throw new Error('enough')
      }),
    )
    await stageError(one.run({ capacity: 0 }))
    expect(lost).toEqual([1, 2, 3, 4, 5])
    expect(input.returned).toBe(1)
  })

  test('closes its source once when the reader leaves', async () => {
    for (const overflow of ['drop-oldest', 'drop-newest', 'block', 'fail'] as const) {
      const input = probe(naturals)
      expect(await pipeline(source(input), buffer(1000, overflow), take(2)).run()).toEqual([0, 1])
      expect(input.returned).toBe(1)
    }
  })

  test('fails where `onUndelivered` does, with the value that was being dropped', async () => {
    const boom = new Error('undelivered')
    const onUndelivered = (value: number): void => {
      if (value === 5) throw boom
    }
    const gate = deferred()
    const run = pipeline(
      range(100),
      buffer(2, 'drop-newest', { onUndelivered }),
      forEach(() => gate.promise),
    ).run({ capacity: 0 })
    await turns(5)
    gate.resolve()
    const error = await stageError(run)
    expect(error).toMatchObject({ stage: 'buffer', value: 5 })
    expect(error.cause).toBe(boom)
  })

  test('gives what it holds where `onUndelivered` throws, and tells of each where the run is left', async () => {
    const boom = new Error('undelivered')
    for (const overflow of ['drop-oldest', 'drop-newest'] as const) {
      const gate = deferred()
      const seen: number[] = []
      const run = pipeline(
        range(100),
        buffer(2, overflow, {
          onUndelivered: () => {
            throw boom
          },
        }),
        forEach((n: number) => {
          seen.push(n)
          return gate.promise
        }),
      ).run({ capacity: 0 })
      await turns(5)
      gate.resolve()
      expect(await stageError(run)).toMatchObject({ stage: 'buffer', cause: boom, suppressed: [] })
      expect(seen).toEqual(overflow === 'drop-oldest' ? [0, 2, 3] : [0, 1, 2])
    }

    const told: number[] = []
    const onUndelivered = (n: number): void => {
      told.push(n)
      throw boom
    }
    const left = pipeline(range(4), buffer(10, 'block', { onUndelivered }), forEach(never)).start({
      capacity: 0,
    })
    left.result.catch(() => {})
    await turns(5)
    await left.abort()
    expect(told).toEqual([1, 2, 3])
  })

  test('tells of each value that it holds, however many, though telling throws', async () => {
    let told = 0
    const onUndelivered = (n: number): void => {
      told++
      throw new Error(`value ${n}`)
    }
    const many = buffer(Infinity, 'block', { capacity: 0, onUndelivered })
    const run = pipeline(range(20_001), many, forEach(never)).start()
    await until(() => run.stats().stages[1].received === 20_001)
    await Promise.all([rejection(run.result), run.abort()])
    expect(told).toBe(20_000)
  })

  test('may hold any number of values', async () => {
    const { tx, gate, seen, run, give } = standing(Infinity, 'fail')
    await give(...upTo(900))
    gate.resolve()
    tx.close()
    await run.result
    expect(seen).toHaveLength(900)
  })

  test('refuses a size and an overflow that do not exist', () => {
    expect(() => buffer(0, 'block')).toThrow(
      'Cannot create buffer: "n" must be an integer >= 1 or Infinity, got 0',
    )
    expect(() => buffer(1, 'drop' as never)).toThrow(
      `Cannot create buffer: "overflow" must be 'block', 'drop-oldest', 'drop-newest' or 'fail', got "drop"`,
    )
    expect(() => buffer(1, 'block', { onUndelivered: 1 as never })).toThrow(TypeError)
  })
})
