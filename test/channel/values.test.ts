// Any value is delivered as it is; each value reaches exactly one receiver.
import { channel, type Receiver } from 'sluice'
import { describe, expect, it } from 'vitest'
import { BUFFERED, CAPACITIES } from '../support/capacities.ts'
import { settled, watch } from '../support/watched.ts'

const thenable = {
  then(resolve: (value: string) => void): void {
    resolve('the value of the thenable')
  },
}
const shared = { some: 'object' }
const ODD_VALUES: unknown[] = [
  undefined,
  null,
  NaN,
  -0,
  0,
  false,
  '',
  Symbol.iterator,
  new Error('a value, not a failure'),
  { done: true, value: 1 },
  { ok: false, reason: 'closed' },
  shared,
  [],
  () => 'a function',
  10n,
]

describe.each(CAPACITIES)('values through a channel of capacity %s', (capacity) => {
  it('come out of recv as they went in, whatever they are', async () => {
    const [tx, rx] = channel<unknown>(capacity)
    for (const value of ODD_VALUES) {
      const sending = tx.send(value)
      expect(Object.is(await rx.recv(), value)).toBe(true)
      await sending
    }
  })

  it('come as they went in to a receiver that waits already', async () => {
    const [tx, rx] = channel<unknown>(capacity)
    for (const value of ODD_VALUES) {
      const receiving = rx.next()
      expect(tx.trySend(value)).toBe('sent')
      const result = await receiving
      expect(result.done).toBe(false)
      expect(Object.is(result.value, value)).toBe(true)
    }
  })

  it('come as they went in through next, tryRecv, recvMany and loops, promises and thenables included', async () => {
    const rejected = Promise.reject(new Error('a rejection that is only a value'))
    rejected.catch(() => undefined)
    const values = [...ODD_VALUES, Promise.resolve(1), thenable, rejected, new Promise(() => undefined)]
    const [tx, rx] = channel<unknown>(capacity)
    const sends = Promise.all([values, values, values, values].flat().map((value) => tx.send(value)))
    tx.close()
    const byNext: unknown[] = []
    const byTry: unknown[] = []
    const byMany: unknown[] = []
    const byLoop: unknown[] = []
    for (let i = 0; i < values.length; i++) byNext.push((await rx.next()).value)
    for (let i = 0; i < values.length; i++) {
      const taken = rx.tryRecv()
      if (taken.ok) byTry.push(taken.value)
    }
    while (byMany.length < values.length) byMany.push(...(await rx.recvMany(values.length - byMany.length)))
    for await (const value of rx) byLoop.push(value)
    await sends
    for (const received of [byNext, byTry, byMany, byLoop]) {
      expect(received.length).toBe(values.length)
      expect(received.every((value, i) => Object.is(value, values[i]))).toBe(true)
    }
  })

  it('are awaited by recv where they are promises, as by any promise', async () => {
    const [tx, rx] = channel<unknown>(capacity)
    const rejected = Promise.reject(shared)
    rejected.catch(() => undefined)
    const sends = [tx.send(Promise.resolve('inner')), tx.send(thenable), tx.send(rejected)]
    expect(await rx.recv()).toBe('inner')
    expect(await rx.recv()).toBe('the value of the thenable')
    await expect(rx.recv()).rejects.toBe(shared)
    await Promise.all(sends)
  })

  it('reach exactly one receiver each, in order within each receiver', async () => {
    const [tx, rx] = channel<number>(capacity)
    const senders = [tx, tx.clone(), tx.clone(), tx.clone()]
    const receivers = [rx, rx.clone(), rx.clone()]
    const perSender = 300
    const produce = senders.map(async (sender, s) => {
      for (let i = 0; i < perSender; i++) await sender.send(s * perSender + i)
      sender.close()
    })
    const consume = receivers.map(async (receiver) => {
      const got: number[] = []
      for await (const value of receiver) got.push(value)
      return got
    })
    const received = await Promise.all(consume)
    await Promise.all(produce)
    expect(received.flat().sort((a, b) => a - b)).toEqual(
      Array.from({ length: senders.length * perSender }, (_, i) => i),
    )
    for (const got of received) {
      const lastOf = new Map<number, number>()
      for (const value of got) {
        const sender = Math.floor(value / perSender)
        expect(value).toBeGreaterThan(lastOf.get(sender) ?? -1)
        lastOf.set(sender, value)
      }
    }
  })

  it('go to the receivers that wait, one each, however many wait', async () => {
    const [tx, rx] = channel<number>(capacity)
    const receivers: Receiver<number>[] = [rx, rx.clone(), rx.clone()]
    const waiting = Array.from({ length: 30 }, (_, i) => watch(receivers[i % 3].recv()))
    await tx.sendMany(Array.from({ length: 30 }, (_, i) => i))
    await settled()
    expect(waiting.map((receive) => receive.value)).toEqual(Array.from({ length: 30 }, (_, i) => i))
  })
})

describe.each(BUFFERED)('the buffer of a channel of capacity %s', (capacity) => {
  it('counts undefined as a value', async () => {
    const [tx, rx] = channel<undefined>(capacity)
    await tx.send(undefined)
    expect(rx.length).toBe(1)
    expect(rx.tryRecv()).toEqual({ ok: true, value: undefined })
    expect(rx.length).toBe(0)
    expect(rx.tryRecv()).toEqual({ ok: false, reason: 'empty' })
  })

  it('stays in order over many turns of its storage', async () => {
    const [tx, rx] = channel<number>(capacity)
    let sent = 0
    let received = 0
    for (let round = 0; round < 400; round++) {
      for (let i = 0; i < (round % 7) + 1; i++) if (tx.trySend(sent) === 'sent') sent++
      for (let i = 0; i < (round % 5) + 1; i++) {
        const taken = rx.tryRecv()
        if (taken.ok) expect(taken.value).toBe(received++)
      }
      expect(rx.length).toBe(sent - received)
    }
    expect(sent).toBeGreaterThan(300)
  })
})
