// fail(cause): what came before is still received, then everybody learns the cause.
import { channel, type RecvError, type SendError } from 'sluice'
import { describe, expect, it } from 'vitest'
import { BOUNDED, CAPACITIES } from '../support/capacities.ts'
import { expectSendError } from '../support/failures.ts'
import { failureOf, settled, watch } from '../support/watched.ts'

describe.each(CAPACITIES)('a failed channel of capacity %s', (capacity) => {
  it('gives the buffered values first and then rejects with the cause itself, every time', async () => {
    const cause = new Error('broken')
    const [tx, rx] = channel<number>(capacity)
    const count = Math.min(capacity, 4)
    for (let i = 0; i < count; i++) tx.trySend(i)
    expect(tx.fail(cause)).toBe(true)
    expect(rx.closed).toBe(count === 0)
    for (let i = 0; i < count; i++) expect(await rx.recv()).toBe(i)
    expect(rx.closed).toBe(true)
    await expect(rx.recv()).rejects.toBe(cause)
    await expect(rx.next()).rejects.toBe(cause)
    await expect(rx.recvMany(2)).rejects.toBe(cause)
    await expect(rx.recv()).rejects.toBe(cause)
    await expect(rx.next()).rejects.toBe(cause)
    expect(rx.tryRecv()).toEqual({ ok: false, reason: 'closed', cause })
  })

  it('makes loops throw the cause after the last value', async () => {
    const cause = { not: 'an error' }
    const [tx, rx] = channel<number>(capacity)
    const got: number[] = []
    const loop = (async () => {
      for await (const value of rx) got.push(value)
    })()
    for (const value of [1, 2, 3]) await tx.send(value)
    tx.fail(cause)
    await expect(loop).rejects.toBe(cause)
    expect(got).toEqual([1, 2, 3])
  })

  it('rejects every pending receive with the cause, in queue order', async () => {
    const cause = new Error('broken')
    const [tx, rx] = channel<number>(capacity)
    const log: string[] = []
    const waits = [
      watch<unknown>(rx.recv(), log, 'recv'),
      watch<unknown>(rx.next(), log, 'next'),
      watch<unknown>(rx.recvMany(2), log, 'recvMany'),
      watch<unknown>(rx.clone().recv(), log, 'recv of a clone'),
    ]
    tx.fail(cause)
    await settled()
    expect(waits.map((wait) => wait.reason)).toEqual([cause, cause, cause, cause])
    expect(waits.every((wait) => wait.reason === cause)).toBe(true)
    expect(log).toEqual(['recv', 'next', 'recvMany', 'recv of a clone'])
  })

  it('rejects sends with a SendError that has the value and the cause', async () => {
    const cause = new Error('broken')
    const [tx] = channel<number>(capacity)
    const other = tx.clone()
    tx.fail(cause)
    for (const sender of [tx, other]) {
      expect(sender.closed).toBe(true)
      expect(sender.trySend(1)).toBe('closed')
      const reason = await failureOf(() => sender.send(2))
      expectSendError(reason, 'CLOSED', 2)
      expect((reason as SendError<number>).cause).toBe(cause)
    }
  })

  it('keeps its first cause: a second fail is false and changes nothing', async () => {
    const [tx, rx] = channel<number>(capacity)
    const other = tx.clone()
    expect(tx.fail('first')).toBe(true)
    expect(tx.fail('second')).toBe(false)
    expect(other.fail('third')).toBe(false)
    await expect(rx.recv()).rejects.toBe('first')
    await expect(rx.clone().recv()).rejects.toBe('first')
    expect(((await failureOf(() => other.send(1))) as SendError<number>).cause).toBe('first')
  })

  it('has failed even where the cause is undefined', async () => {
    const [tx, rx] = channel<number>(capacity)
    expect(tx.fail(undefined)).toBe(true)
    const outcomes = await Promise.allSettled([rx.recv(), rx.next(), rx.recvMany(1)])
    for (const outcome of outcomes) expect(outcome).toEqual({ status: 'rejected', reason: undefined })
    const tried = rx.tryRecv()
    expect(tried.ok).toBe(false)
    expect('cause' in tried).toBe(true)
  })

  it('leaves the handles open: they can be cloned, and closed once', async () => {
    const [tx, rx] = channel<number>(capacity)
    tx.fail('cause')
    await expect(rx.clone().recv()).rejects.toBe('cause')
    expect(tx.clone().closed).toBe(true)
    expect([tx.close(), tx.close()]).toEqual([true, false])
    expect([rx.close(), rx.close()]).toEqual([true, false])
  })

  it('can be told apart from one that ended', async () => {
    const [tx, rx] = channel<number>(capacity)
    tx.close()
    expect('cause' in rx.tryRecv()).toBe(false)
    const reason = (await failureOf(() => rx.recv())) as RecvError
    expect(reason.code).toBe('CLOSED')
    expect(reason.cause).toBeUndefined()
  })
})

describe.each(BOUNDED)('failing while senders wait at capacity %s', (capacity) => {
  it('rejects them at once with their values; only what was buffered is received', async () => {
    const cause = new Error('broken')
    const undelivered: number[] = []
    const log: string[] = []
    const [tx, rx] = channel<number>(capacity, { onUndelivered: (value) => undelivered.push(value) })
    for (let i = 0; i < capacity; i++) tx.trySend(i)
    const waiting = [0, 1, 2].map((i) => watch(tx.clone().send(1000 + i), log, `send ${i}`))
    tx.fail(cause)
    await settled()
    for (const [i, send] of waiting.entries()) {
      expectSendError(send.reason, 'CLOSED', 1000 + i)
      expect((send.reason as Error).cause).toBe(cause)
    }
    expect(log).toEqual(['send 0', 'send 1', 'send 2'])
    for (let i = 0; i < capacity; i++) expect(rx.tryRecv()).toEqual({ ok: true, value: i })
    expect(rx.tryRecv()).toEqual({ ok: false, reason: 'closed', cause })
    expect(undelivered).toEqual([])
  })
})

describe('fail', () => {
  it('is false on a closed handle, and the channel lives on', async () => {
    const [tx, rx] = channel<number>(1)
    const other = tx.clone()
    tx.close()
    expect(tx.fail('cause')).toBe(false)
    await other.send(1)
    expect(await rx.recv()).toBe(1)
    other.close()
    expect(rx.tryRecv()).toEqual({ ok: false, reason: 'closed' })
  })

  it('is false when no receiver is left, and sends still say that they are closed, without a cause', async () => {
    const [tx, rx] = channel<number>(1)
    rx.close()
    expect(tx.fail('cause')).toBe(false)
    const reason = await failureOf(() => tx.send(1))
    expectSendError(reason, 'CLOSED', 1)
    expect((reason as Error).cause).toBeUndefined()
  })

  it('hands buffered values to onUndelivered once the last receiver is closed', () => {
    const undelivered: number[] = []
    const [tx, rx] = channel<number>(3, { onUndelivered: (value) => undelivered.push(value) })
    tx.trySend(1)
    tx.trySend(2)
    tx.fail('cause')
    expect(undelivered).toEqual([])
    rx.close()
    expect(undelivered).toEqual([1, 2])
  })
})
