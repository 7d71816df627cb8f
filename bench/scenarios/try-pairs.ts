// A channel without waiting: what is left is the buffer and the checks around it.

import type { Scenario } from '../scenario.ts'

const capacity = 256

export const tryPairs: Scenario = {
  name: 'try-pairs',
  claim: `trySend and tryRecv in turns, ${capacity / 2} of each, beside rings in an array`,
  values: 1_000_000,
  expected: (values) => (values * (values - 1)) / 2,
  goals: [{ anyOf: [{ perSecond: 50e6 }, { rival: 'ring, push and shift', atMost: 3 }] }],
  rivals: {
    'ring in an array, inline': async () => (values) => {
      const ring = new Array<number>(capacity).fill(0)
      let total = 0
      for (let sent = 0, taken = 0; taken < values;) {
        while (sent < values && sent - taken < capacity / 2) ring[sent & (capacity - 1)] = sent++
        while (taken < sent) total += ring[taken++ & (capacity - 1)]
      }
      return total
    },
    'ring, push and shift': async () => {
      const { Ring } = await import('./ring.ts')
      return (values) => {
        const ring = new Ring(capacity)
        let total = 0
        for (let sent = 0, taken = 0; taken < values;) {
          for (; sent < values && sent - taken < capacity / 2; sent++) ring.push(sent)
          for (; taken < sent; taken++) total += ring.shift() ?? 0
        }
        return total
      }
    },
    'array, push and shift': async () => (values) => {
      const array: number[] = []
      let total = 0
      for (let sent = 0, taken = 0; taken < values;) {
        for (; sent < values && sent - taken < capacity / 2; sent++) array.push(sent)
        for (; taken < sent; taken++) total += array.shift() ?? 0
      }
      return total
    },
    sluice: async () => {
      const { channel } = await import('sluice')
      return (values) => {
        const [tx, rx] = channel<number>(capacity)
        let total = 0
        for (let sent = 0, taken = 0; taken < values;) {
          for (; sent < values && sent - taken < capacity / 2; sent++) tx.trySend(sent)
          for (; taken < sent; taken++) {
            const got = rx.tryRecv()
            if (got.ok) total += got.value
          }
        }
        tx.close()
        rx.close()
        return total
      }
    },
    'effect Queue, unsafe': async () => {
      const { Effect, Exit, Queue } = await import('effect')
      return (values) => {
        const queue = Effect.runSync(Queue.bounded<number>(capacity))
        let total = 0
        for (let sent = 0, taken = 0; taken < values;) {
          for (; sent < values && sent - taken < capacity / 2; sent++) Queue.offerUnsafe(queue, sent)
          for (; taken < sent; taken++) {
            const got = Queue.takeUnsafe(queue)
            if (got && Exit.isSuccess(got)) total += got.value
          }
        }
        return total
      }
    },
  },
}
