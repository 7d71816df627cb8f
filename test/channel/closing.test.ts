// The two ends of a channel: graceful from the senders' side, final from the receivers'.
import { channel } from 'sluice'
import { describe, expect, it } from 'vitest'
import { BOUNDED, BUFFERED, CAPACITIES } from '../support/capacities.ts'
import { expectRecvError, expectSendError } from '../support/failures.ts'
import { failureOf, settled, watch } from '../support/watched.ts'

describe.each(CAPACITIES)('closing the last sender of a channel of capacity %s', (capacity) => {
  it('ends an empty channel at once, for every way to receive', async () => {
    const [tx, rx] = channel<number>(capacity, { name: 'lonely' })
    expect(rx.closed).toBe(false)
    expect(tx.close()).toBe(true)
    expect(rx.closed).toBe(true)
    const reason = await failureOf(() => rx.recv())
    expectRecvError(reason, 'CLOSED')
    expect((reason as Error).message).toContain('lonely')
    expect(await rx.next()).toEqual({ done: true, value: undefined })
    expect(await rx.recvMany(3)).toEqual([])
    const tried = rx.tryRecv()
    expect(tried).toEqual({ ok: false, reason: 'closed' })
    expect('cause' in tried).toBe(false)
    for await (const value of rx) expect.fail(`received ${value}`)
    for await (const value of rx.values()) expect.fail(`received ${value}`)
  })

  it('settles every pending receive at once, in queue order', async () => {
    const [tx, rx] = channel<number>(capacity)
    const other = rx.clone()
    const log: string[] = []
    const recv = watch(rx.recv(), log, 'recv')
    const next = watch(other.next(), log, 'next')
    const many = watch(rx.recvMany(2), log, 'recvMany')
    const again = watch(other.recv(), log, 'recv again')
    const loop = watch(
      (async () => {
        for await (const value of rx) expect.fail(`received ${value}`)
      })(),
    )
    await settled()
    tx.close()
    await settled()
    expectRecvError(recv.reason, 'CLOSED')
    expect(next.value).toEqual({ done: true, value: undefined })
    expect(many.value).toEqual([])
    expectRecvError(again.reason, 'CLOSED')
    expect(loop.state).toBe('fulfilled')
    expect(log).toEqual(['recv', 'next', 'recvMany', 'recv again'])
  })

  it('still delivers what was sent before, waiting sends included, and ends then', async () => {
    const [tx, rx] = channel<number>(capacity)
    const sends = Array.from({ length: 105 }, (_, i) => watch(tx.send(i)))
    tx.close()
    expect(rx.closed).toBe(false)
    for (let i = 0; i < 105; i++) {
      expect(rx.closed).toBe(false)
      expect(rx.tryRecv()).toEqual({ ok: true, value: i })
    }
    expect(rx.closed).toBe(true)
    expectRecvError(await failureOf(() => rx.recv()), 'CLOSED')
    await settled()
    expect(sends.every((send) => send.state === 'fulfilled')).toBe(true)
  })

  it('ends nothing while a clone is open', async () => {
    const [tx, rx] = channel<number>(capacity)
    const other = tx.clone()
    const receiving = watch(rx.recv())
    expect(tx.close()).toBe(true)
    expect(tx.closed).toBe(true)
    expect(other.closed).toBe(false)
    await settled()
    expect(receiving.state).toBe('pending')
    expect(rx.closed).toBe(false)
    expect(other.trySend(7)).toBe('sent')
    await settled()
    expect(receiving.value).toBe(7)
    other.close()
    expect(rx.closed).toBe(true)
  })

  it('ends the channel as well when the waiting sends that were left are given up', async () => {
    const [tx, rx] = channel<number>(capacity)
    const controller = new AbortController()
    const sends = Array.from({ length: 102 }, () => watch(tx.send(1, { signal: controller.signal })))
    const buffered = Math.min(capacity, 102)
    tx.close()
    controller.abort('given up')
    await settled()
    expect(sends.filter((send) => send.state === 'fulfilled').length).toBe(buffered)
    for (let i = 0; i < buffered; i++) expect(rx.tryRecv().ok).toBe(true)
    expect(rx.tryRecv()).toEqual({ ok: false, reason: 'closed' })
    expect(rx.closed).toBe(true)
  })
})

describe.each(CAPACITIES)('closing the last receiver of a channel of capacity %s', (capacity) => {
  it('rejects every later send with its value', async () => {
    const [tx, rx] = channel<object>(capacity, { name: 'abandoned' })
    const other = tx.clone()
    expect(rx.close()).toBe(true)
    const value = { some: 'value' }
    for (const sender of [tx, other]) {
      expect(sender.closed).toBe(true)
      expect(sender.trySend(value)).toBe('closed')
      const reason = await failureOf(() => sender.send(value))
      expectSendError(reason, 'CLOSED', value)
      expect((reason as Error).message).toContain('abandoned')
      expectSendError(await failureOf(() => sender.sendMany([value, {}])), 'CLOSED', value)
    }
  })

  it('is not done by closing one of several receivers', async () => {
    const [tx, rx] = channel<number>(capacity)
    const other = rx.clone()
    const waiting = other.recv()
    rx.close()
    expect(tx.closed).toBe(false)
    expect(tx.trySend(1)).toBe('sent')
    expect(await waiting).toBe(1)
    other.close()
    expect(tx.closed).toBe(true)
  })

  it('gives each buffered value to onUndelivered once, at once and in order', async () => {
    const undelivered: number[] = []
    const [tx, rx] = channel<number>(capacity, { onUndelivered: (value) => undelivered.push(value) })
    const count = Math.min(capacity, 120)
    for (let i = 0; i < count; i++) expect(tx.trySend(i)).toBe('sent')
    const expected = Array.from({ length: count }, (_, i) => i)
    if (count > 0) expect(rx.tryRecv()).toEqual({ ok: true, value: expected.shift() })
    rx.close()
    expect(undelivered).toEqual(expected)
    expect(tx.length).toBe(0)
    rx.close()
    tx.close()
    await settled()
    expect(undelivered).toEqual(expected)
  })

  it('gives a value to onUndelivered that was accepted before the sender closed', () => {
    const undelivered: number[] = []
    const [tx, rx] = channel<number>(capacity, { onUndelivered: (value) => undelivered.push(value) })
    const sent = tx.trySend(1)
    tx.close()
    rx.close()
    expect(undelivered).toEqual(sent === 'sent' ? [1] : [])
  })

  it('ends the own waits of the handle', async () => {
    const [, rx] = channel<number>(capacity)
    const other = rx.clone()
    const recv = watch(rx.recv())
    const foreign = watch(other.recv())
    const next = watch(rx.next())
    const many = watch(rx.recvMany(4))
    rx.close()
    await settled()
    expectRecvError(recv.reason, 'CLOSED')
    expect(next.value).toEqual({ done: true, value: undefined })
    expect(many.value).toEqual([])
    expect(foreign.state).toBe('pending')
  })

  it('passes the place of its own waits on to the receivers behind them', async () => {
    const [tx, rx] = channel<number>(capacity)
    const other = rx.clone()
    const own = watch(rx.recv())
    const behind = watch(other.recv())
    rx.close()
    expect(tx.trySend(5)).toBe('sent')
    await settled()
    expect(own.state).toBe('rejected')
    expect(behind.value).toBe(5)
  })
})

describe.each(BOUNDED)('closing the last receiver while senders wait at capacity %s', (capacity) => {
  it('rejects each waiting send with its own value, in queue order, and reports none of those', async () => {
    const undelivered: number[] = []
    const log: string[] = []
    const [tx, rx] = channel<number>(capacity, { onUndelivered: (value) => undelivered.push(value) })
    for (let i = 0; i < capacity; i++) tx.trySend(i)
    const handles = [tx, tx.clone(), tx.clone()]
    const sends = handles.map((sender, i) => watch(sender.send(1000 + i), log, `send ${i}`))
    tx.close()
    rx.close()
    await settled()
    for (const [i, send] of sends.entries()) expectSendError(send.reason, 'CLOSED', 1000 + i)
    expect(log).toEqual(['send 0', 'send 1', 'send 2'])
    expect(undelivered).toEqual(Array.from({ length: capacity }, (_, i) => i))
  })
})

describe.each(BUFFERED)('a value buffered at capacity %s', (capacity) => {
  it('is not reported as undelivered when a receiver gets it', async () => {
    const undelivered: number[] = []
    const [tx, rx] = channel<number>(capacity, { onUndelivered: (value) => undelivered.push(value) })
    await tx.send(1)
    tx.close()
    expect(await rx.recv()).toBe(1)
    rx.close()
    expect(undelivered).toEqual([])
  })
})

describe('whenClosed', () => {
  it('settles when the last receiver is closed, not before', async () => {
    const [tx, rx] = channel<number>(1)
    const other = rx.clone()
    const closed = watch(tx.whenClosed())
    rx.close()
    await settled()
    expect(closed.state).toBe('pending')
    other.close()
    await settled()
    expect(closed.state).toBe('fulfilled')
    expect(closed.value).toBeUndefined()
    await tx.whenClosed()
  })

  it('does not settle because senders close or values are read', async () => {
    const [tx, rx] = channel<number>(1)
    const closed = watch(tx.whenClosed())
    await tx.send(1)
    tx.close()
    const afterwards = watch(tx.whenClosed())
    expect(await rx.recv()).toBe(1)
    expect(await rx.next()).toEqual({ done: true, value: undefined })
    await settled()
    expect([closed.state, afterwards.state]).toEqual(['pending', 'pending'])
    rx.close()
    await settled()
    expect([closed.state, afterwards.state]).toEqual(['fulfilled', 'fulfilled'])
  })

  it('settles when the channel has failed', async () => {
    const [tx] = channel<number>(1)
    const other = tx.clone()
    const before = watch(tx.whenClosed())
    other.fail(new Error('broken'))
    const after = watch(tx.whenClosed())
    await settled()
    expect(before.state).not.toBe('pending')
    expect(after.state).not.toBe('pending')
  })
})
