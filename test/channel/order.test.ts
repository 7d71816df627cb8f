// First in, first out: for values, for waiting senders, for waiting receivers. Nobody overtakes.
import { channel, type Receiver, type Sender } from 'sluice'
import { describe, expect, it } from 'vitest'
import { BOUNDED, CAPACITIES } from '../support/capacities.ts'
import { settled, watch } from '../support/watched.ts'

/** Fills the buffer with 0, 1, 2 … and says how many went in. */
function fill(tx: Sender<number>): number {
  let count = 0
  while (count < tx.capacity && tx.trySend(count) === 'sent') count++
  return count
}

async function takeAll<T>(rx: Receiver<T>): Promise<T[]> {
  const values: T[] = []
  for await (const value of rx) values.push(value)
  return values
}

describe.each(CAPACITIES)('order in a channel of capacity %s', (capacity) => {
  it('delivers values in the order in which they were sent', async () => {
    const [tx, rx] = channel<number>(capacity)
    const sent = Array.from({ length: 250 }, (_, i) => i)
    const produce = async (): Promise<void> => {
      for (const value of sent) await tx.send(value)
      tx.close()
    }
    const [received] = await Promise.all([takeAll(rx), produce()])
    expect(received).toEqual(sent)
  })

  it('keeps the order of sends that were not awaited, whatever waits and whatever is buffered', async () => {
    const [tx, rx] = channel<number>(capacity)
    const sent = Array.from({ length: 150 }, (_, i) => i)
    const sends = sent.map((value) => tx.send(value))
    tx.close()
    expect(await takeAll(rx)).toEqual(sent)
    await Promise.all(sends)
  })

  it('keeps the order between the handles of several senders: the order of the calls', async () => {
    const [tx, rx] = channel<string>(capacity)
    const other = tx.clone()
    const sends = [tx.send('a'), other.send('b'), other.send('c'), tx.send('d'), other.send('e')]
    tx.close()
    other.close()
    expect(await takeAll(rx)).toEqual(['a', 'b', 'c', 'd', 'e'])
    await Promise.all(sends)
  })

  it('serves waiting receivers of every kind in the order in which they came', async () => {
    const [tx, rx] = channel<number>(capacity)
    const other = rx.clone()
    const log: string[] = []
    const first = watch(rx.recv(), log, 'recv')
    const second = watch(other.next(), log, 'next')
    const third = watch(rx.recvMany(5), log, 'recvMany')
    const fourth = watch(other.recv(), log, 'recv again')
    for (const value of [1, 2, 3, 4]) {
      expect(tx.trySend(value)).toBe('sent')
      await settled()
    }
    expect(first.value).toBe(1)
    expect(second.value).toEqual({ done: false, value: 2 })
    expect(third.value).toEqual([3])
    expect(fourth.value).toBe(4)
    expect(log).toEqual(['recv', 'next', 'recvMany', 'recv again'])
  })

  it('takes effect at the call, not later', async () => {
    const [tx, rx] = channel<number>(capacity)
    const sending = tx.send(1)
    expect(tx.length).toBe(capacity === 0 ? 0 : 1)
    const receiving = rx.recv()
    expect(tx.length).toBe(0)
    expect(rx.tryRecv()).toEqual({ ok: false, reason: 'empty' })
    await sending
    expect(await receiving).toBe(1)
  })

  it('gives a value to the receiver that waits, not to one that comes after the send', async () => {
    const [tx, rx] = channel<number>(capacity)
    const waiting = rx.recv()
    const sending = tx.send(1)
    expect(rx.tryRecv()).toEqual({ ok: false, reason: 'empty' })
    const late = watch(rx.recv())
    await sending
    expect(await waiting).toBe(1)
    await settled()
    expect(late.state).toBe('pending')
    expect(tx.trySend(2)).toBe('sent')
    await settled()
    expect(late.value).toBe(2)
  })
})

describe.each(BOUNDED)('a full channel of capacity %s', (capacity) => {
  it('accepts exactly as many values as its capacity without a receiver', () => {
    const [tx, rx] = channel<number>(capacity)
    expect(fill(tx)).toBe(capacity)
    expect(tx.trySend(-1)).toBe('full')
    expect(tx.length).toBe(capacity)
    expect(rx.length).toBe(capacity)
  })

  it('lets senders wait and releases them one by one, in order', async () => {
    const [tx, rx] = channel<number>(capacity)
    fill(tx)
    const log: string[] = []
    const waiting = ['a', 'b', 'c'].map((label, i) => watch(tx.clone().send(capacity + i), log, label))
    await settled()
    expect(waiting.map((send) => send.state)).toEqual(['pending', 'pending', 'pending'])
    for (const [i, expected] of [['a'], ['a', 'b'], ['a', 'b', 'c']].entries()) {
      expect(rx.tryRecv()).toEqual({ ok: true, value: i })
      await settled()
      expect(log).toEqual(expected)
    }
    for (let i = 3; i < capacity + 3; i++) expect(rx.tryRecv()).toEqual({ ok: true, value: i })
    expect(rx.tryRecv()).toEqual({ ok: false, reason: 'empty' })
  })

  it('is full for trySend while a sender waits, even at the moment a place is freed', async () => {
    const [tx, rx] = channel<number>(capacity)
    fill(tx)
    const waiting = tx.send(1000)
    const alsoWaiting = watch(tx.send(1001))
    rx.tryRecv()
    expect(tx.trySend(2000)).toBe('full')
    expect(tx.clone().trySend(2001)).toBe('full')
    await waiting
    expect(tx.trySend(2002)).toBe('full')
    expect(alsoWaiting.state).toBe('pending')
    const rest: number[] = []
    for (let taken = rx.tryRecv(); taken.ok; taken = rx.tryRecv()) rest.push(taken.value)
    expect(rest.slice(-1)).toEqual([1001])
    expect(rest.some((value) => value >= 2000)).toBe(false)
  })

  it('never has a length above its capacity, whoever waits', async () => {
    const [tx, rx] = channel<number>(capacity)
    const lengths: number[] = []
    const look = (): void => void lengths.push(tx.length, rx.length)
    const sends = Array.from({ length: capacity + 20 }, (_, i) => {
      const send = tx.send(i)
      look()
      return send
    })
    const taken: number[] = []
    while (taken.length < capacity + 20) {
      taken.push(await rx.recv())
      look()
    }
    await Promise.all(sends)
    expect(Math.max(...lengths)).toBe(capacity)
    expect(taken).toEqual(Array.from({ length: capacity + 20 }, (_, i) => i))
    expect(rx.length).toBe(0)
  })
})

describe('a rendezvous', () => {
  it('settles a send exactly when a receiver takes the value', async () => {
    const [tx, rx] = channel<string>(0)
    const send = watch(tx.send('x'))
    await settled()
    expect(send.state).toBe('pending')
    expect(tx.length).toBe(0)
    expect(rx.tryRecv()).toEqual({ ok: true, value: 'x' })
    await settled()
    expect(send.state).toBe('fulfilled')
  })

  it('lets trySend succeed only while a receiver waits, once for each', async () => {
    const [tx, rx] = channel<number>(0)
    expect(tx.trySend(0)).toBe('full')
    const receives = [rx.recv(), rx.recv()]
    expect([tx.trySend(1), tx.trySend(2), tx.trySend(3)]).toEqual(['sent', 'sent', 'full'])
    expect(await Promise.all(receives)).toEqual([1, 2])
  })
})

describe('an unbounded channel', () => {
  it('never makes a sender wait', async () => {
    const [tx, rx] = channel<number>(Infinity)
    const sends = Array.from({ length: 10_000 }, (_, i) => watch(tx.send(i)))
    await settled()
    expect(sends.every((send) => send.state === 'fulfilled')).toBe(true)
    expect(rx.length).toBe(10_000)
    expect(tx.capacity).toBe(Infinity)
    for (let i = 0; i < 10_000; i++) {
      const taken = rx.tryRecv()
      if (!taken.ok || taken.value !== i) expect.fail(`expected ${i}, got ${JSON.stringify(taken)}`)
      if (i % 3 === 0) tx.trySend(10_000 + i / 3)
    }
    expect(rx.length).toBe(3334)
    expect(rx.tryRecv()).toEqual({ ok: true, value: 10_000 })
  })
})
