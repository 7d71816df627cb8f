// Waiting can be given up by a signal: the reason comes back as it is, and nothing of the wait is left.
import { getEventListeners } from 'node:events'
import { channel, select, sendCase } from 'sluice'
import { describe, expect, it } from 'vitest'
import { BOUNDED, BUFFERED, CAPACITIES } from '../support/capacities.ts'
import { expectRecvError, expectSendError } from '../support/failures.ts'
import { failureOf, settled, watch } from '../support/watched.ts'

/** A signal that knows how many of its 'abort' listeners are still there, and how many there ever were. */
function countedSignal(): { controller: AbortController; left(): number; added(): number } {
  const controller = new AbortController()
  const { signal } = controller
  let added = 0
  const add = signal.addEventListener.bind(signal)
  signal.addEventListener = (...args: Parameters<typeof add>): void => {
    added++
    add(...args)
  }
  return { controller, left: () => getEventListeners(signal, 'abort').length, added: () => added }
}

function filled(capacity: number): ReturnType<typeof channel<number>> {
  const ends = channel<number>(capacity)
  for (let i = 0; i < capacity; i++) ends[0].trySend(i)
  return ends
}

const REASONS: unknown[] = [new Error('why'), 'a string', undefined, null, { plain: 'object' }]
/** An `undefined` reason becomes an AbortError in the platform itself; `signal.reason` is what counts. */
function abortedSignal(reason: unknown): AbortSignal {
  const controller = new AbortController()
  controller.abort(reason)
  return controller.signal
}

describe.each(CAPACITIES)('an aborted signal at capacity %s', (capacity) => {
  it('makes every wait reject with the reason itself', async () => {
    for (const reason of REASONS) {
      const signal = abortedSignal(reason)
      const [tx, rx] = channel<number>(capacity)
      const outcomes = [
        () => rx.recv({ signal }),
        () => rx.recvMany(1, { signal }),
        () => tx.send(1, { signal }),
        () => tx.sendMany([1], { signal }),
        () => select({ rx }, { signal }),
      ]
      for (const call of outcomes) expect(await failureOf(call)).toBe(signal.reason)
    }
  })

  it('touches nothing: nothing is sent, nothing is taken, nothing is pulled', async () => {
    const signal = abortedSignal('stop')
    const [tx, rx] = channel<number>(capacity)
    const stuffed = Math.min(capacity, 2)
    for (let i = 0; i < stuffed; i++) tx.trySend(i)
    let touched = 0
    const source: Iterable<number> = {
      [Symbol.iterator]() {
        touched++
        return [1, 2][Symbol.iterator]()
      },
    }
    expect(await failureOf(() => tx.sendMany(source, { signal }))).toBe('stop')
    expect(await failureOf(() => tx.send(9, { signal }))).toBe('stop')
    expect(await failureOf(() => rx.recv({ signal }))).toBe('stop')
    expect(await failureOf(() => rx.recvMany(5, { signal }))).toBe('stop')
    expect(await failureOf(() => select({ rx, tx: sendCase(tx, 8) }, { signal }))).toBe('stop')
    expect(touched).toBe(0)
    expect(rx.length).toBe(stuffed)
    for (let i = 0; i < stuffed; i++) expect(rx.tryRecv()).toEqual({ ok: true, value: i })
    expect(rx.tryRecv()).toEqual({ ok: false, reason: 'empty' })
  })

  it('goes before a closed channel and before a timeout of 0', async () => {
    const signal = abortedSignal('stop')
    const [tx, rx] = channel<number>(capacity)
    tx.close()
    expect(await failureOf(() => rx.recv({ signal, timeout: 0 }))).toBe('stop')
    expect(await failureOf(() => rx.recvMany(2, { signal }))).toBe('stop')
    rx.close()
    expect(await failureOf(() => tx.send(1, { signal, timeout: 0 }))).toBe('stop')
    expect(await failureOf(() => rx.recv({ signal }))).toBe('stop')
  })
})

describe.each(CAPACITIES)('aborting a waiting receive at capacity %s', (capacity) => {
  it('rejects it with the reason, takes nothing and passes its place on', async () => {
    const [tx, rx] = channel<number>(capacity)
    const controller = new AbortController()
    const reason = { any: 'thing' }
    const first = watch(rx.recv({ signal: controller.signal }))
    const many = watch(rx.recvMany(2, { signal: controller.signal }))
    const second = watch(rx.recv())
    controller.abort(reason)
    expect(tx.trySend(1)).toBe('sent')
    expect(tx.trySend(2)).toBe(capacity === 0 ? 'full' : 'sent')
    await settled()
    expect(first.reason).toBe(reason)
    expect(many.reason).toBe(reason)
    expect(second.value).toBe(1)
  })

  it('comes too late when a value was delivered in the same turn', async () => {
    const [tx, rx] = channel<number>(capacity)
    const controller = new AbortController()
    const receiving = watch(rx.recv({ signal: controller.signal }))
    expect(tx.trySend(1)).toBe('sent')
    controller.abort('late')
    await settled()
    expect(receiving.value).toBe(1)
    expect(rx.tryRecv()).toEqual({ ok: false, reason: 'empty' })
  })

  it('leaves no listener behind, however the wait ends', async () => {
    const { controller, left, added } = countedSignal()
    const { signal } = controller
    const [tx, rx] = channel<number>(capacity)
    const other = channel<number>(capacity)
    const waits = [
      watch<unknown>(rx.recv({ signal })),
      watch<unknown>(rx.recvMany(2, { signal })),
      watch<unknown>(select({ rx }, { signal })),
      watch<unknown>(rx.recv({ signal, timeout: 5 })),
      watch<unknown>(rx.recv({ signal })),
      watch<unknown>(other[1].recv({ signal })),
      watch<unknown>(other[1].clone().recv({ signal })),
    ]
    await settled()
    expect(added()).toBeGreaterThan(0)
    expect(left()).toBeGreaterThan(0)
    for (const value of [1, 2, 3]) tx.trySend(value)
    await new Promise((resolve) => setTimeout(resolve, 8))
    expectRecvError(waits[3].reason, 'TIMEOUT')
    tx.close()
    other[0].fail('cause')
    await settled()
    expect(waits.every((wait) => wait.state !== 'pending')).toBe(true)
    expect(left()).toBe(0)
    const immediate = channel<number>(Math.max(capacity, 1))
    await immediate[0].send(1, { signal })
    await immediate[1].recv({ signal })
    expect(left()).toBe(0)
  })

  it('leaves no listener behind after the abort either', async () => {
    const { controller, left } = countedSignal()
    const [, rx] = channel<number>(capacity)
    const waits = Array.from({ length: 20 }, () => watch(rx.recv({ signal: controller.signal })))
    controller.abort('all of them')
    await settled()
    expect(waits.map((wait) => wait.reason)).toEqual(Array.from({ length: 20 }, () => 'all of them'))
    expect(left()).toBe(0)
  })
})

describe.each(BOUNDED)('aborting a waiting send at capacity %s', (capacity) => {
  it('rejects it with the reason, does not deliver it and passes its place on', async () => {
    const [tx, rx] = filled(capacity)
    const controller = new AbortController()
    const reason = new Error('given up')
    const log: string[] = []
    const sends = [
      watch(tx.send(1000), log, 'first'),
      watch(tx.send(1001, { signal: controller.signal }), log, 'aborted'),
      watch(tx.send(1002), log, 'third'),
    ]
    controller.abort(reason)
    await settled()
    expect(sends[1].reason).toBe(reason)
    tx.close()
    const received: number[] = []
    for await (const value of rx) received.push(value)
    expect(received).toEqual([...Array.from({ length: capacity }, (_, i) => i), 1000, 1002])
    expect(log).toEqual(['aborted', 'first', 'third'])
  })

  it('comes too late when the value was taken in the same turn', async () => {
    const [tx, rx] = filled(capacity)
    const controller = new AbortController()
    const sending = watch(tx.send(1000, { signal: controller.signal }))
    rx.tryRecv()
    controller.abort('late')
    await settled()
    expect(sending.state).toBe('fulfilled')
    let last: unknown
    for (let taken = rx.tryRecv(); taken.ok; taken = rx.tryRecv()) last = taken.value
    expect(last).toBe(capacity === 0 ? undefined : 1000)
  })

  it('leaves no listener behind, however the wait ends', async () => {
    const { controller, left } = countedSignal()
    const { signal } = controller
    const [tx, rx] = filled(capacity)
    const sends = [
      watch(tx.send(1, { signal })),
      watch(tx.sendMany([2, 3, 4], { signal })),
      watch(tx.send(5, { signal, timeout: 5 })),
      watch(tx.send(6, { signal })),
    ]
    await settled()
    expect(left()).toBeGreaterThan(0)
    await new Promise((resolve) => setTimeout(resolve, 8))
    expectSendError(sends[2].reason, 'TIMEOUT', 5)
    rx.tryRecv()
    rx.tryRecv()
    rx.close()
    await settled()
    expect(sends.every((send) => send.state !== 'pending')).toBe(true)
    expect(left()).toBe(0)
  })
})

describe.each(BUFFERED)('a signal that is never aborted at capacity %s', (capacity) => {
  it('serves any number of waits without a warning about listeners', async () => {
    const warnings: Error[] = []
    const collect = (warning: Error): void => void warnings.push(warning)
    process.on('warning', collect)
    try {
      const { controller, left } = countedSignal()
      const { signal } = controller
      const [tx, rx] = channel<number>(capacity)
      const waits = Array.from({ length: 500 }, () => watch(rx.recv({ signal })))
      const others = Array.from({ length: 50 }, () => channel<number>(capacity))
      const many = others.map(([, receiver]) => watch(receiver.recv({ signal })))
      await settled()
      const values = Array.from({ length: 500 }, (_, i) => i)
      await tx.sendMany(values, { signal })
      await settled()
      expect(waits.map((wait) => wait.value)).toEqual(values)
      controller.abort('enough')
      await settled()
      expect(many.every((wait) => wait.reason === 'enough')).toBe(true)
      expect(others.every(([sender]) => !sender.closed)).toBe(true)
      expect(left()).toBe(0)
      expect(warnings.filter((warning) => warning.name === 'MaxListenersExceededWarning')).toEqual([])
    } finally {
      process.off('warning', collect)
    }
  })
})
