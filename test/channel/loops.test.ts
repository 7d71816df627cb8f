// A receiver as an async iterator: next(), for await, values().
import { channel } from 'sluice'
import { describe, expect, it } from 'vitest'
import { CAPACITIES } from '../support/capacities.ts'
import { settled, watch } from '../support/watched.ts'

/** A channel that gives 0 … count - 1 and then ends; `sent` settles with what became of the sends. */
function numbers(capacity: number, count: number) {
  const [tx, rx] = channel<number>(capacity)
  const sends = Array.from({ length: count }, (_, i) => tx.send(i))
  const sent = Promise.allSettled(sends)
  tx.close()
  return { tx, rx, sent }
}

describe.each(CAPACITIES)('loops over a channel of capacity %s', (capacity) => {
  it('end when the channel has ended', async () => {
    const { rx, sent } = numbers(capacity, 120)
    const got: number[] = []
    for await (const value of rx) got.push(value)
    expect(got).toEqual(Array.from({ length: 120 }, (_, i) => i))
    await sent
  })

  it('close the receiver when they are left early by break', async () => {
    const { rx } = numbers(capacity, 5)
    for await (const value of rx) {
      expect(value).toBe(0)
      break
    }
    expect(rx.closed).toBe(true)
    expect(rx.close()).toBe(false)
    expect(await rx.next()).toEqual({ done: true, value: undefined })
  })

  it('close the receiver when their body throws, and let the error through', async () => {
    const [tx, rx] = channel<number>(capacity)
    const sending = tx.send(1)
    const loop = async (): Promise<void> => {
      for await (const value of rx) throw new Error(`cannot use ${value}`)
    }
    await expect(loop()).rejects.toThrow('cannot use 1')
    await sending
    expect(tx.closed).toBe(true)
  })

  it('close only their own handle: a clone reads on where they stopped', async () => {
    const { rx, sent } = numbers(capacity, 4)
    const other = rx.clone()
    for await (const value of rx) if (value === 1) break
    expect(rx.closed).toBe(true)
    expect(other.closed).toBe(false)
    const rest: number[] = []
    for await (const value of other) rest.push(value)
    expect(rest).toEqual([2, 3])
    expect((await sent).every((send) => send.status === 'fulfilled')).toBe(true)
  })

  it('over values() close the receiver when left early, too', async () => {
    const { rx } = numbers(capacity, 5)
    for await (const value of rx.values()) if (value === 2) break
    expect(rx.closed).toBe(true)
  })

  it('over values({ preventClose: true }) leave the receiver open', async () => {
    const { rx, sent } = numbers(capacity, 7)
    const got: number[] = []
    for (let round = 0; round < 3; round++) {
      for await (const value of rx.values({ preventClose: true })) {
        got.push(value)
        if (value % 2 === 1) break
      }
      expect(rx.closed).toBe(false)
    }
    await expect(
      (async () => {
        for await (const value of rx.values({ preventClose: true })) throw value
      })(),
    ).rejects.toBe(6)
    expect(got).toEqual([0, 1, 2, 3, 4, 5])
    expect(await rx.next()).toEqual({ done: true, value: undefined })
    expect(rx.close()).toBe(true)
    expect((await sent).every((send) => send.status === 'fulfilled')).toBe(true)
  })

  it('that run to the end of values({ preventClose: true }) leave nothing to close but the handle', async () => {
    const { rx } = numbers(capacity, 2)
    const got: number[] = []
    for await (const value of rx.values({ preventClose: true })) got.push(value)
    expect(got).toEqual([0, 1])
    expect(rx.close()).toBe(true)
  })

  it('can share a receiver: each value once', async () => {
    const { rx, sent } = numbers(capacity, 100)
    const got: number[] = []
    const loop = async (): Promise<void> => {
      for await (const value of rx.values({ preventClose: true })) got.push(value)
    }
    await Promise.all([loop(), loop(), loop()])
    expect(got.sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i))
    await sent
  })

  it('give distinct values in order to concurrent next() calls, and done to the rest', async () => {
    const [tx, rx] = channel<number>(capacity)
    const log: string[] = []
    const nexts = Array.from({ length: 6 }, (_, i) => watch(rx.next(), log, String(i)))
    await tx.sendMany([10, 11, 12])
    await settled()
    tx.close()
    await settled()
    expect(nexts.map((next) => next.value)).toEqual([
      { done: false, value: 10 },
      { done: false, value: 11 },
      { done: false, value: 12 },
      { done: true, value: undefined },
      { done: true, value: undefined },
      { done: true, value: undefined },
    ])
    expect(log).toEqual(['0', '1', '2', '3', '4', '5'])
  })

  it('give distinct values to concurrent next() calls of values()', async () => {
    const { rx, sent } = numbers(capacity, 4)
    const iterator = rx.values()
    const results = await Promise.all([iterator.next(), iterator.next(), iterator.next(), iterator.next()])
    expect(results.map((result): unknown => result.value)).toEqual([0, 1, 2, 3])
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
    await sent
  })

  it('can be left while a next() is still waiting: both settle', async () => {
    const [tx, rx] = channel<number>(capacity)
    const iterator = rx.values()
    const pending = watch(iterator.next())
    await settled()
    expect(pending.state).toBe('pending')
    const returned = watch(iterator.return?.() ?? Promise.reject(new Error('values() has no return')))
    await settled()
    expect(returned.value).toEqual({ done: true, value: undefined })
    expect(pending.value).toEqual({ done: true, value: undefined })
    expect(rx.closed).toBe(true)
    expect(tx.closed).toBe(true)
  })

  it('work on what Symbol.asyncIterator gives, for receivers and for values()', async () => {
    const { rx, sent } = numbers(capacity, 3)
    const values = rx.values({ preventClose: true })
    const iterator = values[Symbol.asyncIterator]()
    expect(await iterator.next()).toEqual({ done: false, value: 0 })
    expect(await rx[Symbol.asyncIterator]().next()).toEqual({ done: false, value: 1 })
    expect(await values.next()).toEqual({ done: false, value: 2 })
    expect(await rx.next()).toEqual({ done: true, value: undefined })
    await sent
  })
})
