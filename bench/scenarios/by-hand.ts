// Channels as a program uses them, value by value: a task that sends, one that squares, one that adds up.

import type { Scenario } from '../scenario.ts'
import { square } from './cheap-functions.ts'

const capacity = 256

/** 0² + 1² + … + (values − 1)². */
const sumOfSquares = (values: number) => ((values - 1) * values * (2 * values - 1)) / 6

export const byHand: Scenario = {
  name: 'by-hand',
  claim: `three tasks joined by two channels of capacity ${capacity}, value by value`,
  values: 200_000,
  expected: sumOfSquares,
  rivals: {
    'async generators': async () => {
      const { map, range, reduce } = await import('./async-generators.ts')
      return (values) => reduce(map(range(values), square), (total, value) => total + value, 0)
    },
    'sluice, send and recv': async () => {
      const { channel, RecvError } = await import('sluice')
      return async (values) => {
        const [numbers, toSquare] = channel<number>(capacity)
        const [squares, toSum] = channel<number>(capacity)
        const send = async () => {
          for (let i = 0; i < values; i++) await numbers.send(i)
          numbers.close()
        }
        const work = async () => {
          for (;;) {
            try {
              await squares.send(square(await toSquare.recv()))
            } catch (error) {
              if (!(error instanceof RecvError)) throw error
              squares.close()
              return
            }
          }
        }
        let total = 0
        const add = async () => {
          for (let i = 0; i < values; i++) total += await toSum.recv()
        }
        await Promise.all([send(), work(), add()])
        return total
      }
    },
    'sluice, send and for await': async () => {
      const { channel } = await import('sluice')
      return async (values) => {
        const [numbers, toSquare] = channel<number>(capacity)
        const [squares, toSum] = channel<number>(capacity)
        const send = async () => {
          for (let i = 0; i < values; i++) await numbers.send(i)
          numbers.close()
        }
        const work = async () => {
          for await (const value of toSquare) await squares.send(square(value))
          squares.close()
        }
        let total = 0
        const add = async () => {
          for await (const value of toSum) total += value
        }
        await Promise.all([send(), work(), add()])
        return total
      }
    },
    'sluice, sendMany and recvMany': async () => {
      const { channel } = await import('sluice')
      const { integers } = await import('./cheap-functions.ts')
      return async (values) => {
        const [numbers, toSquare] = channel<number>(capacity)
        const [squares, toSum] = channel<number>(capacity)
        const send = async () => {
          await numbers.sendMany(integers(values))
          numbers.close()
        }
        const work = async () => {
          for (;;) {
            const some = await toSquare.recvMany(capacity)
            if (some.length === 0) break
            await squares.sendMany(some.map(square))
          }
          squares.close()
        }
        let total = 0
        const add = async () => {
          for (;;) {
            const some = await toSum.recvMany(capacity)
            if (some.length === 0) return
            for (const value of some) total += value
          }
        }
        await Promise.all([send(), work(), add()])
        return total
      }
    },
    'effect Queue': async () => {
      const { Effect, Fiber, Queue } = await import('effect')
      return (values) =>
        Effect.gen(function* () {
          const numbers = yield* Queue.bounded<number>(capacity)
          const squares = yield* Queue.bounded<number>(capacity)
          const send = Effect.gen(function* () {
            for (let i = 0; i < values; i++) yield* Queue.offer(numbers, i)
          })
          const work = Effect.gen(function* () {
            for (let i = 0; i < values; i++) yield* Queue.offer(squares, square(yield* Queue.take(numbers)))
          })
          const add = Effect.gen(function* () {
            let total = 0
            for (let i = 0; i < values; i++) total += yield* Queue.take(squares)
            return total
          })
          const tasks = [yield* Effect.forkChild(send), yield* Effect.forkChild(work)]
          const total = yield* add
          yield* Fiber.joinAll(tasks)
          return total
        }).pipe(Effect.runPromise)
    },
    rxjs: 'n/a',
  },
}

export const tryPairs: Scenario = {
  name: 'try-pairs',
  claim: `trySend and tryRecv in turns, ${capacity / 2} of each, beside a ring in an array`,
  values: 1_000_000,
  expected: (values) => (values * (values - 1)) / 2,
  rivals: {
    'ring in an array': async () => (values) => {
      const ring = new Array<number>(capacity).fill(0)
      let total = 0
      for (let sent = 0, taken = 0; taken < values;) {
        while (sent < values && sent - taken < capacity / 2) ring[sent & (capacity - 1)] = sent++
        while (taken < sent) total += ring[taken++ & (capacity - 1)]
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
    'effect Queue, offerUnsafe and takeUnsafe': async () => {
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
