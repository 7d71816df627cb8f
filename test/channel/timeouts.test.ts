// Waiting can be given up after a time. The clock is virtual.
import { channel } from 'sluice'
import { virtualTime, type VirtualTime } from 'sluice/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BOUNDED, CAPACITIES } from '../support/capacities.ts'
import { expectRecvError, expectSendError } from '../support/failures.ts'
import { failureOf, settled, watch } from '../support/watched.ts'

const LONGEST_TIMER = 2 ** 31 - 1

let time: VirtualTime
beforeEach(() => void (time = virtualTime()))
afterEach(() => time.restore())

describe.each(CAPACITIES)('a receive with a timeout at capacity %s', (capacity) => {
  it('rejects with TIMEOUT when its time is up and not before', async () => {
    const [tx, rx] = channel<number>(capacity, { name: 'slow one' })
    const recv = watch(rx.recv({ timeout: 50 }))
    const many = watch(rx.recvMany(3, { timeout: 80 }))
    await time.advance(49)
    expect([recv.state, many.state]).toEqual(['pending', 'pending'])
    await time.advance(2)
    expectRecvError(recv.reason, 'TIMEOUT')
    expect((recv.reason as Error).message).toContain('slow one')
    expect(many.state).toBe('pending')
    await time.advance(30)
    expectRecvError(many.reason, 'TIMEOUT')
    expect(tx.trySend(1)).toBe(capacity === 0 ? 'full' : 'sent')
  })

  it('has taken nothing when it gave up: the next value goes to who waits behind it', async () => {
    const [tx, rx] = channel<number>(capacity)
    const first = watch(rx.recv({ timeout: 5 }))
    const second = watch(rx.recv())
    await time.advance(6)
    expect(tx.trySend(1)).toBe('sent')
    await settled()
    expectRecvError(first.reason, 'TIMEOUT')
    expect(second.value).toBe(1)
  })

  it('leaves no timer behind when a value comes, when the channel ends, fails or is closed', async () => {
    const value = channel<number>(capacity)
    const ended = channel<number>(capacity)
    const failed = channel<number>(capacity)
    const closed = channel<number>(capacity)
    const waits = [value, ended, failed, closed].map(([, rx]) => watch(rx.recv({ timeout: 1000 })))
    await settled()
    expect(time.pending).toBeGreaterThan(0)
    value[0].trySend(1)
    ended[0].close()
    failed[0].fail('cause')
    closed[1].close()
    await settled()
    expect(waits.map((wait) => wait.state)).toEqual(['fulfilled', 'rejected', 'rejected', 'rejected'])
    expect(time.pending).toBe(0)
  })

  it('tries once when the timeout is 0', async () => {
    const [tx, rx] = channel<number>(capacity)
    const nothing = watch(rx.recv({ timeout: 0 }))
    const nothingAtAll = watch(rx.recvMany(2, { timeout: 0 }))
    expect(tx.trySend(1)).toBe(capacity === 0 ? 'full' : 'sent')
    const sending = watch(tx.send(2))
    const something = watch(rx.recv({ timeout: 0 }))
    await settled()
    expectRecvError(nothing.reason, 'TIMEOUT')
    expectRecvError(nothingAtAll.reason, 'TIMEOUT')
    expect(something.value).toBe(capacity === 0 ? 2 : 1)
    expect(sending.state).toBe('fulfilled')
    expect(time.pending).toBe(0)
  })

  it('waits for ever when the timeout is Infinity, and as long as it says above 2^31 - 1', async () => {
    const [tx, rx] = channel<number>(capacity)
    const endless = watch(rx.recv({ timeout: Infinity }))
    const long = watch(rx.recv({ timeout: LONGEST_TIMER + 1000 }))
    const longer = watch(rx.recv({ timeout: 3 * LONGEST_TIMER }))
    await time.advance(LONGEST_TIMER + 500)
    expect([endless.state, long.state, longer.state]).toEqual(['pending', 'pending', 'pending'])
    await time.advance(501)
    expectRecvError(long.reason, 'TIMEOUT')
    await time.advance(2 * LONGEST_TIMER - 1100)
    expect(longer.state).toBe('pending')
    await time.advance(101)
    expectRecvError(longer.reason, 'TIMEOUT')
    expect(endless.state).toBe('pending')
    tx.trySend(1)
    await settled()
    expect(endless.value).toBe(1)
  })

  it('says CLOSED of a closed channel, even with a timeout of 0', async () => {
    const [tx, rx] = channel<number>(capacity)
    tx.close()
    expectRecvError(await failureOf(() => rx.recv({ timeout: 0 })), 'CLOSED')
    expect(await rx.recvMany(1, { timeout: 0 })).toEqual([])
    rx.close()
    expectSendError(await failureOf(() => tx.send(1, { timeout: 0 })), 'CLOSED', 1)
  })

  it.each([-1, -0.001, -Infinity, NaN])('refuses a timeout of %s with a RangeError', async (timeout) => {
    const [tx, rx] = channel<number>(capacity)
    expect(await failureOf(() => rx.recv({ timeout }))).toBeInstanceOf(RangeError)
    expect(await failureOf(() => rx.recvMany(1, { timeout }))).toBeInstanceOf(RangeError)
    expect(await failureOf(() => tx.send(1, { timeout }))).toBeInstanceOf(RangeError)
    expect(await failureOf(() => tx.sendMany([1], { timeout }))).toBeInstanceOf(RangeError)
    expect(rx.tryRecv()).toEqual({ ok: false, reason: 'empty' })
  })
})

describe.each(BOUNDED)('a send with a timeout at capacity %s', (capacity) => {
  function full(): ReturnType<typeof channel<number>> {
    const ends = channel<number>(capacity, { name: 'jammed' })
    for (let i = 0; i < capacity; i++) ends[0].trySend(i)
    return ends
  }

  it('rejects with TIMEOUT and its value, and will not be delivered', async () => {
    const [tx, rx] = full()
    const given = watch(tx.send(-1, { timeout: 50 }))
    const patient = watch(tx.send(-2))
    await time.advance(49)
    expect(given.state).toBe('pending')
    await time.advance(2)
    expectSendError(given.reason, 'TIMEOUT', -1)
    expect((given.reason as Error).message).toContain('jammed')
    tx.close()
    const received: number[] = []
    for (let taken = rx.tryRecv(); taken.ok; taken = rx.tryRecv()) received.push(taken.value)
    expect(received).toEqual([...Array.from({ length: capacity }, (_, i) => i), -2])
    await settled()
    expect(patient.state).toBe('fulfilled')
  })

  it('tries once when the timeout is 0', async () => {
    const [tx, rx] = full()
    expectSendError(await failureOf(() => tx.send(-1, { timeout: 0 })), 'TIMEOUT', -1)
    if (capacity > 0) {
      rx.tryRecv()
      await tx.send(-2, { timeout: 0 })
      expect(tx.length).toBe(capacity)
    } else {
      const receiving = rx.recv()
      await tx.send(-2, { timeout: 0 })
      expect(await receiving).toBe(-2)
    }
  })

  it('waits for ever when the timeout is Infinity, and as long as it says above 2^31 - 1', async () => {
    const [tx] = full()
    const endless = watch(tx.send(-1, { timeout: Infinity }))
    const long = watch(tx.send(-2, { timeout: 2 ** 32 }))
    await time.advance(2 ** 32 - 10)
    expect(long.state).toBe('pending')
    await time.advance(11)
    expectSendError(long.reason, 'TIMEOUT', -2)
    expect(endless.state).toBe('pending')
  })

  it('leaves no timer behind', async () => {
    const [tx, rx] = full()
    const sends = Array.from({ length: 5 }, (_, i) => watch(tx.send(i, { timeout: 100 + i })))
    for (let i = 0; i < capacity + 3; i++) rx.tryRecv()
    await settled()
    expect(sends.filter((send) => send.state === 'fulfilled').length).toBeGreaterThanOrEqual(3)
    rx.close()
    await settled()
    expect(sends.every((send) => send.state !== 'pending')).toBe(true)
    expect(time.pending).toBe(0)
  })
})
