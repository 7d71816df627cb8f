// Channels as a program uses them, value by value: a task that sends, one that squares, one that adds up.

import type { Scenario } from '../scenario.ts'
import { square } from './cheap-functions.ts'

const capacity = 256

/** 0² + 1² + … + (values − 1)², added up as every rival does: the last digits depend on it beyond 2⁵³. */
function sumOfSquares(values: number): number {
  let total = 0
  for (let i = 0; i < values; i++) total += i * i
  return total
}

export const byHand: Scenario = {
  name: 'by-hand',
  claim: `three tasks joined by two channels of capacity ${capacity}, value by value`,
  values: 200_000,
  expected: sumOfSquares,
  goals: [
    { row: 'sluice, send and recv', rival: 'rust sync_channel', atMost: 1 },
    { row: 'sluice, send and recv', rival: 'go chan', atMost: 1 },
    { row: 'sluice, try first', rival: 'rust sync_channel', atMost: 1 },
    { row: 'sluice, try first', rival: 'go chan', atMost: 1 },
  ],
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
    // Who waits only where there is need pays for no promise elsewhere: an `await` alone costs 45 ns.
    'sluice, try first': async () => {
      const { channel } = await import('sluice')
      return async (values) => {
        const [numbers, toSquare] = channel<number>(capacity)
        const [squares, toSum] = channel<number>(capacity)
        const send = async () => {
          for (let i = 0; i < values; i++) if (numbers.trySend(i) !== 'sent') await numbers.send(i)
          numbers.close()
        }
        const work = async () => {
          for (let i = 0; i < values; i++) {
            const got = toSquare.tryRecv()
            const value = square(got.ok ? got.value : await toSquare.recv())
            if (squares.trySend(value) !== 'sent') await squares.send(value)
          }
          squares.close()
        }
        let total = 0
        const add = async () => {
          for (let i = 0; i < values; i++) {
            const got = toSum.tryRecv()
            total += got.ok ? got.value : await toSum.recv()
          }
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
    'web streams, write and read': async () => {
      const room = new CountQueuingStrategy({ highWaterMark: capacity })
      return async (values) => {
        const numbers = new TransformStream<number, number>(undefined, room)
        const squares = new TransformStream<number, number>(undefined, room)
        const send = async () => {
          const writer = numbers.writable.getWriter()
          for (let i = 0; i < values; i++) {
            await writer.ready
            void writer.write(i)
          }
          await writer.close()
        }
        const work = async () => {
          const reader = numbers.readable.getReader()
          const writer = squares.writable.getWriter()
          for (;;) {
            const { done, value } = await reader.read()
            if (done) return writer.close()
            await writer.ready
            void writer.write(square(value))
          }
        }
        let total = 0
        const add = async () => {
          const reader = squares.readable.getReader()
          for (;;) {
            const { done, value } = await reader.read()
            if (done) return
            total += value
          }
        }
        await Promise.all([send(), work(), add()])
        return total
      }
    },
    'rust sync_channel': { source: 'three-tasks.rs', args: [String(capacity)] },
    'rust channel, unbounded': { source: 'three-tasks.rs', args: ['unbounded'] },
    'go chan': { source: 'three-tasks.go', args: [String(capacity)] },
    'go chan, on one core': {
      source: 'three-tasks.go',
      args: [String(capacity)],
      env: { GOMAXPROCS: '1' },
    },
  },
}
