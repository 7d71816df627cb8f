// A hundred thousand waits that are given up in random order. No timing is asserted; but a queue that is searched
// for each of them would take hours, and the limit of twenty seconds would end it.
import { channel, select, type Sender } from 'sluice'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { Random, seedOfRun } from '../support/random.ts'
import { settled } from '../support/watched.ts'

const COUNT = 100_000
const LIMIT = 20_000
const SEED = seedOfRun()

/** How many of the promises were rejected with this reason, once they all have settled. */
async function rejectedWith(promises: Promise<unknown>[], reason: unknown): Promise<number> {
  const outcomes = await Promise.allSettled(promises)
  return outcomes.filter((one) => one.status === 'rejected' && one.reason === reason).length
}

type Listener = (event: { target: PlainSignal }) => void

/**
 * All that one wait asks of a signal. One of the platform costs many times as much as the wait that it ends: the limit
 * would be one on the platform.
 */
class PlainSignal {
  aborted = false
  reason: unknown
  #listener: Listener | undefined

  get signal(): AbortSignal {
    return this as unknown as AbortSignal
  }

  addEventListener(_: string, listener: Listener): void {
    this.#listener = listener
  }

  removeEventListener(): void {
    this.#listener = undefined
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason
  }

  abort(reason: unknown): void {
    this.aborted = true
    this.reason = reason
    this.#listener?.({ target: this })
  }
}

function controllers(count: number): PlainSignal[] {
  return Array.from({ length: count }, () => new PlainSignal())
}

describe('very many waits', () => {
  // So many sends on one handle cause the warning that another test checks.
  beforeAll(() => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
  })
  afterAll(() => {
    vi.restoreAllMocks()
  })

  it(
    'to send settle when they are aborted one by one in random order, and leave nothing',
    async () => {
      const [tx, rx] = channel<number>(1)
      tx.trySend(-1)
      const own = controllers(COUNT)
      const sends = own.map(({ signal }, i) => tx.send(i, { signal }))
      const rejected = rejectedWith(sends, 'enough')
      for (const controller of new Random(SEED).shuffle([...own])) controller.abort('enough')
      expect(await rejected).toBe(COUNT)
      expect(rx.tryRecv()).toEqual({ ok: true, value: -1 })
      expect(rx.tryRecv()).toEqual({ ok: false, reason: 'empty' })
      expect([tx.trySend(1), tx.trySend(2)]).toEqual(['sent', 'full'])
    },
    LIMIT,
  )

  it(
    'on ten thousand clones end with their own clone, one clone after the other',
    async () => {
      const [tx, rx] = channel<number>(1)
      const clones = Array.from({ length: COUNT / 10 }, () => rx.clone())
      const ends = Array.from({ length: 10 }, () => clones.map((clone) => clone.recvMany(1))).flat()
      const last = rx.recv()
      for (const clone of new Random(SEED).shuffle([...clones])) clone.close()
      expect(new Set((await Promise.all(ends)).map((values) => values.length))).toEqual(new Set([0]))
      expect(tx.trySend(7)).toBe('sent')
      expect(await last).toBe(7)
    },
    LIMIT,
  )

  it(
    'to receive settle when they are aborted one by one in random order, and leave nothing',
    async () => {
      const [tx, rx] = channel<number>(1)
      const own = controllers(COUNT)
      const rejected = rejectedWith(
        own.map(({ signal }) => rx.recv({ signal })),
        'enough',
      )
      for (const controller of new Random(SEED).shuffle([...own])) controller.abort('enough')
      expect(await rejected).toBe(COUNT)
      expect(tx.trySend(1)).toBe('sent')
      expect(tx.trySend(2)).toBe('full')
      expect(rx.tryRecv()).toEqual({ ok: true, value: 1 })
    },
    LIMIT,
  )

  it(
    'on one shared signal settle when it is aborted, sends and receives, and leave nothing',
    async () => {
      const controller = new AbortController()
      const { signal } = controller
      const [tx, unread] = channel<number>(0)
      const [unfed, rx] = channel<number>(0)
      const sends = Array.from({ length: COUNT }, (_, i) => tx.send(i, { signal }))
      const receives = Array.from({ length: COUNT }, () => rx.recv({ signal }))
      const rejected = Promise.all([rejectedWith(sends, 'enough'), rejectedWith(receives, 'enough')])
      controller.abort('enough')
      expect(await rejected).toEqual([COUNT, COUNT])
      expect(unread.tryRecv()).toEqual({ ok: false, reason: 'empty' })
      expect(unfed.trySend(1)).toBe('full')
    },
    LIMIT,
  )

  it(
    'on one signal that is never aborted come and go',
    async () => {
      const { signal } = new AbortController()
      const [tx, rx] = channel<number>(0)
      const receives = Array.from({ length: COUNT }, () => rx.recv({ signal }))
      for (let i = 0; i < COUNT; i++)
        if (tx.trySend(i) !== 'sent') expect.fail(`value ${i} found no receiver`)
      const values = await Promise.all(receives)
      expect(values.every((value, i) => value === i)).toBe(true)
    },
    LIMIT,
  )

  it(
    'of which every second one is given up keep their order',
    async () => {
      const [tx, rx] = channel<number>(0)
      const own = controllers(COUNT)
      const sends = Promise.allSettled(own.map(({ signal }, i) => tx.send(i, { signal })))
      const odd = own.filter((_, i) => i % 2 === 1)
      for (const controller of new Random(SEED).shuffle(odd)) controller.abort('enough')
      for (let i = 0; i < COUNT; i += 2) {
        const taken = rx.tryRecv()
        if (!taken.ok || taken.value !== i) expect.fail(`expected ${i}, got ${JSON.stringify(taken)}`)
      }
      expect(rx.tryRecv()).toEqual({ ok: false, reason: 'empty' })
      const outcomes = await sends
      expect(outcomes.filter((one) => one.status === 'fulfilled').length).toBe(COUNT / 2)
    },
    LIMIT,
  )

  it(
    'of selects are cancelled by the case that happened, in both queues',
    async () => {
      const [tx, rx] = channel<number>(0)
      const [otherTx, other] = channel<number>(0)
      const selects = Array.from({ length: COUNT }, () => select({ rx, other }))
      const sendTo: Sender<number>[] = [tx, otherTx]
      const random = new Random(SEED)
      for (let i = 0; i < COUNT; i++)
        if (sendTo[random.below(2)].trySend(i) !== 'sent') expect.fail(`value ${i} found no select`)
      const results = await Promise.all(selects)
      expect(results.every((selected, i) => selected.value === i)).toBe(true)
      await settled()
      expect([tx.trySend(0), otherTx.trySend(0)]).toEqual(['full', 'full'])
    },
    LIMIT,
  )

  it(
    'end with their handles or with their channel',
    async () => {
      const [tx, rx] = channel<number>(0)
      const clones = Array.from({ length: 100 }, () => rx.clone())
      const nexts = Array.from({ length: COUNT }, (_, i) => clones[i % clones.length].next())
      for (const clone of new Random(SEED).shuffle([...clones]).slice(0, clones.length / 2)) clone.close()
      tx.close()
      const results = await Promise.all(nexts)
      expect(results.every((result) => result.done === true)).toBe(true)
      expect(rx.closed).toBe(true)
    },
    LIMIT,
  )
})
