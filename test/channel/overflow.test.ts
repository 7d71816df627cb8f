// What happens to a send that finds no room, where it shall not wait.
import { channel } from 'sluice'
import { describe, expect, it } from 'vitest'
import { BOUNDED } from '../support/capacities.ts'
import { expectSendError } from '../support/failures.ts'
import { failureOf, settled, watch } from '../support/watched.ts'

const DROPPING = BOUNDED.filter((capacity) => capacity > 0)

function upTo(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i)
}

async function rest<T>(rx: AsyncIterable<T>): Promise<T[]> {
  const values: T[] = []
  for await (const value of rx) values.push(value)
  return values
}

describe.each(DROPPING)('a channel of capacity %s that drops the oldest', (capacity) => {
  it('accepts every send at once and keeps the newest values, in order', async () => {
    const dropped: number[] = []
    const [tx, rx] = channel<number>(capacity, {
      overflow: 'drop-oldest',
      onUndelivered: (value) => dropped.push(value),
    })
    const sends = upTo(0, capacity + 3).map((value) => watch(tx.send(value)))
    expect(tx.length).toBe(capacity)
    expect(dropped).toEqual([0, 1, 2])
    expect(tx.trySend(capacity + 3)).toBe('sent')
    expect(dropped).toEqual([0, 1, 2, 3])
    await settled()
    expect(sends.every((send) => send.state === 'fulfilled')).toBe(true)
    tx.close()
    expect(await rest(rx)).toEqual(upTo(4, capacity + 4))
    expect(dropped).toEqual([0, 1, 2, 3])
  })

  it('reports the values that are still there when the receiver closes', () => {
    const dropped: number[] = []
    const [tx, rx] = channel<number>(capacity, {
      overflow: 'drop-oldest',
      onUndelivered: (value) => dropped.push(value),
    })
    for (const value of upTo(0, capacity + 2)) tx.trySend(value)
    rx.close()
    expect(dropped).toEqual(upTo(0, capacity + 2))
    expect(tx.trySend(99)).toBe('closed')
    expect(dropped.length).toBe(capacity + 2)
  })

  it('gives a value to a receiver that waits before anything is dropped', async () => {
    const dropped: number[] = []
    const [tx, rx] = channel<number>(capacity, {
      overflow: 'drop-oldest',
      onUndelivered: (value) => dropped.push(value),
    })
    const receiving = rx.recv()
    for (const value of upTo(0, capacity + 1)) tx.trySend(value)
    expect(dropped).toEqual([])
    expect(await receiving).toBe(0)
    expect(rx.length).toBe(capacity)
  })

  it('holds no more than its capacity where onUndelivered sends again', () => {
    const dropped: number[] = []
    const [tx, rx] = channel<number>(capacity, {
      overflow: 'drop-oldest',
      onUndelivered(value) {
        dropped.push(value)
        if (value < 3) tx.trySend(1000 + value)
      },
    })
    for (const value of upTo(0, capacity + 3)) expect(tx.trySend(value)).toBe('sent')
    const received: number[] = []
    for (let taken = rx.tryRecv(); taken.ok; taken = rx.tryRecv()) received.push(taken.value)
    expect(received.length).toBe(capacity)
    const sentAgain = dropped.filter((value) => value < 3).map((value) => 1000 + value)
    expect([...dropped, ...received].sort((a, b) => a - b)).toEqual(
      [...upTo(0, capacity + 3), ...sentAgain].sort((a, b) => a - b),
    )
  })
})

describe.each(DROPPING)('a channel of capacity %s that drops the newest', (capacity) => {
  it('accepts every send at once and keeps the oldest values, in order', async () => {
    const dropped: number[] = []
    const [tx, rx] = channel<number>(capacity, {
      overflow: 'drop-newest',
      onUndelivered: (value) => dropped.push(value),
    })
    const sends = upTo(0, capacity + 3).map((value) => watch(tx.send(value)))
    expect(dropped).toEqual(upTo(capacity, capacity + 3))
    expect(tx.trySend(1000)).toBe('sent')
    expect(dropped.at(-1)).toBe(1000)
    expect(tx.length).toBe(capacity)
    await settled()
    expect(sends.every((send) => send.state === 'fulfilled')).toBe(true)
    await tx.sendMany([1001, 1002])
    expect(dropped.slice(-2)).toEqual([1001, 1002])
    tx.close()
    expect(await rest(rx)).toEqual(upTo(0, capacity))
    expect(dropped.length).toBe(6)
  })
})

describe.each(BOUNDED)('a channel of capacity %s that fails on overflow', (capacity) => {
  it('rejects with FULL and the value, whatever the timeout, and goes on', async () => {
    const undelivered: number[] = []
    const [tx, rx] = channel<number>(capacity, {
      overflow: 'fail',
      name: 'strict',
      onUndelivered: (value) => undelivered.push(value),
    })
    for (const value of upTo(0, capacity)) await tx.send(value)
    for (const timeout of [0, 1000, Infinity]) {
      const reason = await failureOf(() => tx.send(-1, { timeout }))
      expectSendError(reason, 'FULL', -1)
      expect((reason as Error).message).toContain('strict')
    }
    expectSendError(await failureOf(() => tx.send(-2)), 'FULL', -2)
    expect(tx.trySend(-3)).toBe('full')
    expect(tx.closed).toBe(false)
    for (const value of upTo(0, capacity)) expect(rx.tryRecv()).toEqual({ ok: true, value })
    const receiving = rx.recv()
    await tx.send(7)
    expect(await receiving).toBe(7)
    expect(rx.close()).toBe(true)
    expect(undelivered).toEqual([])
  })

  it('makes sendMany stop at the first value that did not fit', async () => {
    const [tx, rx] = channel<number>(capacity, { overflow: 'fail' })
    const values = upTo(0, capacity + 5)
    expectSendError(await failureOf(() => tx.sendMany(values)), 'FULL', capacity)
    expect(rx.length).toBe(capacity)
  })
})

describe('overflow', () => {
  it.each(['drop-oldest', 'drop-newest', 'fail', 'block'] as const)(
    'of an unbounded channel never happens (%s)',
    async (overflow) => {
      const dropped: number[] = []
      const [tx, rx] = channel<number>(Infinity, { overflow, onUndelivered: (value) => dropped.push(value) })
      for (const value of upTo(0, 2000)) await tx.send(value)
      expect(rx.length).toBe(2000)
      expect(dropped).toEqual([])
    },
  )

  it.each(['drop-oldest', 'drop-newest'] as const)('by %s needs a capacity of 1 or more', (overflow) => {
    expect(() => channel(0, { overflow })).toThrow(RangeError)
    expect(channel(1, { overflow }).length).toBe(2)
  })

  it('blocks when it is not said otherwise', async () => {
    const [tx, rx] = channel<number>(1, { overflow: 'block' })
    await tx.send(1)
    const waiting = watch(tx.send(2))
    await settled()
    expect(waiting.state).toBe('pending')
    expect(rx.tryRecv()).toEqual({ ok: true, value: 1 })
    await settled()
    expect(waiting.state).toBe('fulfilled')
  })
})
