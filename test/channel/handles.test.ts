// Handles: cloning, closing, `using`, and what the properties say.
import { channel } from 'sluice'
import { describe, expect, it } from 'vitest'
import { CAPACITIES } from '../support/capacities.ts'
import { expectRecvError, expectSendError } from '../support/failures.ts'
import { failureOf, settled, watch } from '../support/watched.ts'

describe.each(CAPACITIES)('the handles of a channel of capacity %s', (capacity) => {
  it('know the capacity, the name and the length of the channel, clones too', () => {
    const [tx, rx] = channel<number>(capacity, { name: 'lines' })
    if (capacity > 0) tx.trySend(1)
    for (const handle of [tx, rx, tx.clone(), rx.clone()]) {
      expect(handle.capacity).toBe(capacity)
      expect(handle.name).toBe('lines')
      expect(handle.length).toBe(capacity > 0 ? 1 : 0)
      expect(handle.closed).toBe(false)
    }
  })

  it('can be closed once each; a second time is a no-op', async () => {
    const [tx, rx] = channel<number>(capacity)
    const sender = tx.clone()
    const receiver = rx.clone()
    expect([tx.close(), tx.close(), tx.close()]).toEqual([true, false, false])
    expect(sender.closed).toBe(false)
    expect([rx.close(), rx.close()]).toEqual([true, false])
    expect(receiver.closed).toBe(false)
    const receiving = receiver.recv()
    expect(sender.trySend(3)).toBe('sent')
    expect(await receiving).toBe(3)
  })

  it('say true to the first close whatever became of the channel', () => {
    const [tx, rx] = channel<number>(capacity)
    const other = rx.clone()
    expect(tx.close()).toBe(true)
    expect(rx.closed).toBe(true)
    expect(rx.close()).toBe(true)
    expect(other.close()).toBe(true)
    const [late, reader] = channel<number>(capacity)
    reader.close()
    expect(late.closed).toBe(true)
    expect(late.close()).toBe(true)
    expect(late.close()).toBe(false)
  })

  it('refuse sends when they are closed, with the value, while others go on', async () => {
    const [tx, rx] = channel<number>(capacity, { name: 'half open' })
    const other = tx.clone()
    tx.close()
    expect(tx.trySend(1)).toBe('closed')
    const reason = await failureOf(() => tx.send(2))
    expectSendError(reason, 'CLOSED', 2)
    expect((reason as Error).message).toContain('half open')
    expectSendError(await failureOf(() => tx.sendMany([3, 4])), 'CLOSED', 3)
    const receiving = rx.recv()
    await other.send(5)
    expect(await receiving).toBe(5)
    expect(rx.length).toBe(0)
  })

  it('receive nothing when they are closed, while others go on', async () => {
    const [tx, rx] = channel<number>(capacity)
    const other = rx.clone()
    rx.close()
    const sending = tx.send(1)
    expect(rx.closed).toBe(true)
    expectRecvError(await failureOf(() => rx.recv()), 'CLOSED')
    expect(await rx.next()).toEqual({ done: true, value: undefined })
    expect(await rx.recvMany(3)).toEqual([])
    expect(rx.tryRecv()).toEqual({ ok: false, reason: 'closed' })
    for await (const value of rx) expect.fail(`received ${value}`)
    expect(await other.recv()).toBe(1)
    await sending
  })

  it('cannot be cloned once closed, but can whenever they are not', () => {
    const [tx, rx] = channel<number>(capacity)
    const keptSender = tx.clone()
    const keptReceiver = rx.clone()
    tx.close()
    rx.close()
    expect(() => tx.clone()).toThrow(TypeError)
    expect(() => rx.clone()).toThrow(TypeError)
    expect(keptSender.clone().closed).toBe(false)
    keptReceiver.close()
    expect(keptSender.clone().closed).toBe(true)
  })

  it('can be cloned from an open handle of a channel that has ended', () => {
    const [tx, rx] = channel<number>(capacity)
    tx.close()
    const late = rx.clone()
    expect(late.closed).toBe(true)
    expect(late.tryRecv()).toEqual({ ok: false, reason: 'closed' })
    expect(late.close()).toBe(true)
  })

  it('count: the channel ends with the last of many senders and receivers', async () => {
    const [tx, rx] = channel<number>(capacity)
    const senders = [tx, ...Array.from({ length: 20 }, () => tx.clone())]
    const receivers = [rx, ...Array.from({ length: 20 }, () => rx.clone())]
    const waiting = watch(rx.next())
    for (const sender of senders.slice(1)) {
      sender.close()
      sender.close()
    }
    await settled()
    expect(waiting.state).toBe('pending')
    for (const receiver of receivers.slice(1)) {
      receiver.close()
      receiver.close()
    }
    expect(tx.closed).toBe(false)
    tx.close()
    await settled()
    expect(waiting.value).toEqual({ done: true, value: undefined })
  })

  it('are closed by using at the end of the block, also when it throws', async () => {
    const [tx, rx] = channel<number>(capacity)
    const outer = rx.clone()
    const block = (): void => {
      using sender = tx
      using receiver = rx
      expect([sender.closed, receiver.closed]).toEqual([false, false])
      throw new Error('out of the block')
    }
    expect(block).toThrow('out of the block')
    expect(tx.closed).toBe(true)
    expect(rx.closed).toBe(true)
    expect(await outer.next()).toEqual({ done: true, value: undefined })
    expect(tx.close()).toBe(false)
    expect(rx.close()).toBe(false)
  })

  it('may be disposed of after they were closed by hand', () => {
    const [tx, rx] = channel<number>(capacity)
    {
      using sender = tx
      using receiver = rx
      sender.close()
      receiver.close()
    }
    tx[Symbol.dispose]()
    rx[Symbol.dispose]()
    expect([tx.closed, rx.closed]).toEqual([true, true])
  })
})

describe('a channel with no name given', () => {
  it('still has one on every handle', () => {
    const [tx, rx] = channel<number>(1)
    expect(typeof tx.name).toBe('string')
    expect(rx.name).toBe(tx.name)
    expect(tx.clone().name).toBe(tx.name)
  })
})
