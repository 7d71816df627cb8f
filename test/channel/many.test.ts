// sendMany and recvMany.
import { channel } from 'sluice'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { BOUNDED, CAPACITIES } from '../support/capacities.ts'
import { expectRecvError, expectSendError } from '../support/failures.ts'
import { failureOf, settled, watch } from '../support/watched.ts'

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i)
}

/** A source that notes how much was pulled and whether it was told to stop. */
function observedSource(count: number) {
  const notes = { pulled: 0, returned: 0 }
  const source: Iterable<number> = {
    [Symbol.iterator]: () => ({
      next: () =>
        notes.pulled < count ? { done: false, value: notes.pulled++ } : { done: true, value: undefined },
      return: () => {
        notes.returned++
        return { done: true, value: undefined }
      },
    }),
  }
  return { source, notes }
}

describe.each(CAPACITIES)('sendMany at capacity %s', (capacity) => {
  it('sends the values of arrays, generators and async generators in order', async () => {
    const [tx, rx] = channel<number>(capacity)
    function* generated(): Generator<number> {
      yield 3
      yield 4
    }
    async function* asynchronous(): AsyncGenerator<number> {
      yield 5
      await settled()
      yield 6
    }
    const produce = async (): Promise<void> => {
      await tx.sendMany([0, 1, 2])
      await tx.sendMany([])
      await tx.sendMany(generated())
      await tx.sendMany(asynchronous())
      await tx.sendMany(new Set([7, 8]))
      tx.close()
    }
    const producing = produce()
    const got: number[] = []
    for await (const value of rx) got.push(value)
    await producing
    expect(got).toEqual(upTo(9))
  })

  it('sends promises in an array as they are', async () => {
    const [tx, rx] = channel<Promise<number>>(capacity)
    const promises = [Promise.resolve(1), new Promise<number>(() => undefined)]
    const sending = tx.sendMany(promises)
    expect((await rx.next()).value).toBe(promises[0])
    expect((await rx.next()).value).toBe(promises[1])
    await sending
  })

  it('waits as send does: it pulls nothing it cannot place', async () => {
    const [tx, rx] = channel<number>(capacity)
    const { source, notes } = observedSource(150)
    const sending = watch(tx.sendMany(source))
    await settled()
    expect(notes.pulled).toBe(Math.min(capacity + 1, 150))
    expect(sending.state).toBe(capacity >= 150 ? 'fulfilled' : 'pending')
    for (const value of upTo(150)) {
      expect(await rx.recv()).toBe(value)
      await settled()
    }
    expect(sending.state).toBe('fulfilled')
    expect(notes).toEqual({ pulled: 150, returned: 0 })
  })

  it('rejects with the error of its source, after the values before it', async () => {
    const [tx, rx] = channel<number>(capacity)
    const broken = new Error('the source broke')
    function* source(): Generator<number> {
      yield 1
      throw broken
    }
    const sending = watch(tx.sendMany(source()))
    expect(await rx.recv()).toBe(1)
    await settled()
    expect(sending.reason).toBe(broken)
    expect(tx.closed).toBe(false)
  })

  it('closes its source when the channel is closed, and hands back the first value not accepted', async () => {
    const [tx, rx] = channel<number>(capacity)
    const notes = { returned: 0 }
    async function* source(): AsyncGenerator<number> {
      try {
        for (let i = 0; ; i++) {
          yield i
          await settled()
        }
      } finally {
        notes.returned++
      }
    }
    const sending = watch(tx.sendMany(source()))
    for (const value of [0, 1, 2, 3, 4]) expect(await rx.recv()).toBe(value)
    rx.close()
    while (sending.state === 'pending') await settled()
    expectSendError(sending.reason, 'CLOSED', (sending.reason as { value: number }).value)
    expect((sending.reason as { value: number }).value).toBeGreaterThanOrEqual(5)
    await settled()
    expect(notes.returned).toBe(1)
  })

  it('is not kept by a source that hangs when it is left', async () => {
    const [tx] = channel<number>(capacity)
    const controller = new AbortController()
    let returns = 0
    const hanging: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<never>(() => undefined),
        return: () => {
          returns++
          return new Promise<never>(() => undefined)
        },
      }),
    }
    const sending = watch(tx.sendMany(hanging, { signal: controller.signal }))
    await settled()
    expect(sending.state).toBe('pending')
    controller.abort('enough')
    await settled()
    expect(sending.reason).toBe('enough')
    expect(returns).toBe(1)
  })
})

describe.each(BOUNDED)('sendMany into a channel that fills up at capacity %s', (capacity) => {
  it('hands back the first value that was not accepted when the last receiver closes', async () => {
    const [tx, rx] = channel<number>(capacity)
    const { source, notes } = observedSource(1000)
    const sending = watch(tx.sendMany(source))
    await settled()
    expect(rx.tryRecv()).toEqual({ ok: true, value: 0 })
    await settled()
    rx.close()
    await settled()
    expectSendError(sending.reason, 'CLOSED', capacity + 1)
    expect(notes).toEqual({ pulled: capacity + 2, returned: 1 })
  })

  it('hands back the first value that was not accepted, and the cause, when the channel fails', async () => {
    const [tx] = channel<number>(capacity)
    const sending = watch(tx.sendMany(upTo(1000)))
    await settled()
    const other = tx.clone()
    other.fail('broken')
    await settled()
    expectSendError(sending.reason, 'CLOSED', capacity)
    expect((sending.reason as Error).cause).toBe('broken')
  })

  it('hands back the first value that did not go in time', async () => {
    const [tx, rx] = channel<number>(capacity)
    const { source, notes } = observedSource(1000)
    expectSendError(await failureOf(() => tx.sendMany(source, { timeout: 0 })), 'TIMEOUT', capacity)
    expect(notes).toEqual({ pulled: capacity + 1, returned: 1 })
    expect(rx.length).toBe(capacity)
  })

  it('rejects with the reason of its signal; what was waiting is not delivered', async () => {
    const [tx, rx] = channel<number>(capacity)
    const controller = new AbortController()
    const { source, notes } = observedSource(1000)
    const sending = watch(tx.sendMany(source, { signal: controller.signal }))
    await settled()
    controller.abort('enough')
    await settled()
    expect(sending.reason).toBe('enough')
    expect(notes).toEqual({ pulled: capacity + 1, returned: 1 })
    tx.close()
    const got: number[] = []
    for await (const value of rx) got.push(value)
    expect(got).toEqual(upTo(capacity))
  })
})

describe('a source of sendMany', () => {
  it('from which nothing is pulled any more once the signal is aborted, even if a value has just gone', async () => {
    const [tx, rx] = channel<number>(0)
    const controller = new AbortController()
    const { source, notes } = observedSource(10)
    const sending = watch(tx.sendMany(source, { signal: controller.signal }))
    await settled()
    expect(rx.tryRecv()).toEqual({ ok: true, value: 0 })
    controller.abort('enough')
    await settled()
    expect(sending.reason).toBe('enough')
    expect(notes).toEqual({ pulled: 1, returned: 1 })
  })

  it('that hangs does not keep a sendMany whose signal was aborted when a value had just gone', async () => {
    const [tx, rx] = channel<number>(0)
    const controller = new AbortController()
    async function* source(): AsyncGenerator<number> {
      yield 0
      await new Promise(() => undefined)
    }
    const sending = watch(tx.sendMany(source(), { signal: controller.signal }))
    await settled()
    expect(rx.tryRecv()).toEqual({ ok: true, value: 0 })
    controller.abort('enough')
    await settled()
    expect(sending.reason).toBe('enough')
  })

  it('that aborts the signal itself, and hangs then, does not keep it either', async () => {
    const [tx, rx] = channel<number>(0)
    const controller = new AbortController()
    const source: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next() {
          controller.abort('enough')
          return new Promise<never>(() => undefined)
        },
      }),
    }
    const sending = watch(tx.sendMany(source, { signal: controller.signal }))
    await settled()
    expect(sending.reason).toBe('enough')
    expect(rx.closed).toBe(false)
  })

  it('that failed is not returned, as in any loop', async () => {
    const [tx, rx] = channel<number>(4)
    let returns = 0
    const returned = (): IteratorResult<number> => {
      returns++
      return { done: true, value: undefined }
    }
    const throwing: Iterable<number> = {
      [Symbol.iterator]: () => ({
        next: () => {
          throw new Error('broken')
        },
        return: returned,
      }),
    }
    const rejecting: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.reject(new Error('broken')),
        return: () => Promise.resolve(returned()),
      }),
    }
    await expect(tx.sendMany(throwing)).rejects.toThrow('broken')
    await expect(tx.sendMany(rejecting)).rejects.toThrow('broken')
    await settled()
    expect(returns).toBe(0)
    expect(rx.length).toBe(0)
  })

  it.each(['throws', 'rejects'])(
    'whose return %s does not hide why it was left, as in any loop',
    async (how) => {
      const [tx, rx] = channel<number>(0)
      const broken = new Error('the return broke')
      const source: AsyncIterable<number> = {
        [Symbol.asyncIterator]: () => ({
          next: () => Promise.resolve({ done: false, value: 5 }),
          return() {
            if (how === 'throws') throw broken
            return Promise.reject(broken)
          },
        }),
      }
      const sending = watch(tx.sendMany(source))
      await settled()
      rx.close()
      await settled()
      expectSendError(sending.reason, 'CLOSED', 5)
    },
  )
})

describe('the timeout of sendMany', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  it('bounds each wait, not all of them together', async () => {
    vi.useFakeTimers()
    const [tx, rx] = channel<number>(0)
    const sending = watch(tx.sendMany(upTo(6), { timeout: 40 }))
    for (const value of upTo(5)) {
      await vi.advanceTimersByTimeAsync(35)
      await settled()
      expect(rx.tryRecv()).toEqual({ ok: true, value })
      await settled()
    }
    await vi.advanceTimersByTimeAsync(39)
    await settled()
    expect(sending.state).toBe('pending')
    await vi.advanceTimersByTimeAsync(2)
    await settled()
    expectSendError(sending.reason, 'TIMEOUT', 5)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe.each(CAPACITIES)('recvMany at capacity %s', (capacity) => {
  it('takes what is there, from waiting senders too, in order and up to its maximum', async () => {
    const [tx, rx] = channel<number>(capacity)
    const sends = upTo(120).map((value) => watch(tx.send(value)))
    expect(await rx.recvMany(50)).toEqual(upTo(50))
    expect(await rx.recvMany(1)).toEqual([50])
    expect(rx.length).toBe(Math.min(capacity, 69))
    expect(await rx.recvMany(1000)).toEqual(upTo(120).slice(51))
    await settled()
    expect(sends.every((send) => send.state === 'fulfilled')).toBe(true)
    expect(rx.tryRecv()).toEqual({ ok: false, reason: 'empty' })
  })

  it('waits for one value when nothing is there', async () => {
    const [tx, rx] = channel<number>(capacity)
    const receiving = watch(rx.recvMany(10))
    await settled()
    expect(receiving.state).toBe('pending')
    expect(tx.trySend(1)).toBe('sent')
    await settled()
    expect(receiving.value).toEqual([1])
  })

  it('gives the rest and then empty arrays once the channel has ended', async () => {
    const [tx, rx] = channel<number>(capacity)
    const sends = Promise.all(upTo(5).map((value) => tx.send(value)))
    tx.close()
    expect(await rx.recvMany(3)).toEqual([0, 1, 2])
    expect(await rx.recvMany(3)).toEqual([3, 4])
    expect(await rx.recvMany(3)).toEqual([])
    expect(await rx.recvMany(3)).toEqual([])
    await sends
  })

  it('takes everything there is when its maximum is Infinity', async () => {
    const [tx, rx] = channel<number>(capacity)
    const sends = Promise.all(upTo(250).map((value) => tx.send(value)))
    expect(await rx.recvMany(Infinity)).toEqual(upTo(250))
    await sends
  })

  it('does not take a second time what another receive has', async () => {
    const [tx, rx] = channel<number>(capacity)
    const sends = Promise.all(upTo(20).map((value) => tx.send(value)))
    const parts = await Promise.all([rx.recvMany(7), rx.recv(), rx.recvMany(7), rx.clone().recvMany(7)])
    expect(parts.flat()).toEqual(upTo(20))
    await sends
  })

  it('can be given up like any other receive', async () => {
    const [tx, rx] = channel<number>(capacity)
    const controller = new AbortController()
    const aborted = watch(rx.recvMany(5, { signal: controller.signal }))
    controller.abort('enough')
    expectRecvError(await failureOf(() => rx.recvMany(5, { timeout: 1 })), 'TIMEOUT')
    expect(aborted.reason).toBe('enough')
    const sending = tx.send(1)
    expect(rx.tryRecv()).toEqual({ ok: true, value: 1 })
    await sending
  })

  it.each([0, -1, -Infinity])('refuses a maximum of %s with a RangeError', async (max) => {
    const [tx, rx] = channel<number>(capacity)
    const sending = watch(tx.send(1))
    expect(await failureOf(() => rx.recvMany(max))).toBeInstanceOf(RangeError)
    expect(rx.tryRecv()).toEqual({ ok: true, value: 1 })
    await settled()
    expect(sending.state).toBe('fulfilled')
  })
})
