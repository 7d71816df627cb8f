// What the ancestors test, in our own words: the sieve, crossing selects and counts of Go's test/chan, the
// rendezvous and many-to-many cases of crossbeam-channel.
import { channel, type Receiver, select, sendCase, type Sender } from 'sluice'
import { describe, expect, it } from 'vitest'
import { CAPACITIES } from '../support/capacities.ts'
import { settled, watch } from '../support/watched.ts'

async function collect<T>(rx: AsyncIterable<T>): Promise<T[]> {
  const values: T[] = []
  for await (const value of rx) values.push(value)
  return values
}

describe.each(CAPACITIES.filter((capacity) => capacity <= 10))('over channels of capacity %s', (capacity) => {
  it('the sieve of Eratosthenes finds the primes, and closing its end stops every filter', async () => {
    const tasks: Promise<unknown>[] = []
    async function generate(tx: Sender<number>): Promise<void> {
      for (let i = 2; !tx.closed; i++) await tx.send(i)
    }
    async function sift(prime: number, rx: Receiver<number>, tx: Sender<number>): Promise<void> {
      for await (const value of rx) if (value % prime !== 0) await tx.send(value)
    }
    const [tx, first] = channel<number>(capacity)
    tasks.push(generate(tx))
    let rx = first
    const primes: number[] = []
    while (primes.length < 40) {
      const prime = await rx.recv()
      primes.push(prime)
      const [out, next] = channel<number>(capacity)
      tasks.push(sift(prime, rx, out))
      rx = next
    }
    rx.close()
    const outcomes = await Promise.allSettled(tasks)
    expect(primes.slice(-3)).toEqual([163, 167, 173])
    expect(outcomes.every((task) => task.status === 'rejected')).toBe(true)
  })

  it('a select that sends on one channel and receives from another moves every value', async () => {
    const [inTx, input] = channel<number>(capacity)
    const [outTx, output] = channel<number>(capacity)
    async function relay(): Promise<void> {
      const held: number[] = []
      for (let open = true; open || held.length > 0;) {
        const selected =
          held.length === 0
            ? await select({ input })
            : open
              ? await select({ input, output: sendCase(outTx, held[0]) })
              : await select({ output: sendCase(outTx, held[0]) })
        if (selected.key === 'output') held.shift()
        else if (selected.done) open = false
        else held.push(selected.value)
      }
      outTx.close()
    }
    const values = Array.from({ length: 500 }, (_, i) => i)
    const sending = inTx.sendMany(values).then(() => inTx.close())
    const relaying = relay()
    expect(await collect(output)).toEqual(values)
    await Promise.all([sending, relaying])
  })

  it('many producers and consumers that all use select pass each value once', async () => {
    const routes = Array.from({ length: 4 }, () => channel<number>(capacity))
    const perProducer = 200
    const producers = [0, 1, 2].map(async (producer) => {
      const own = routes.map(([tx]) => tx.clone())
      for (let i = 0; i < perProducer; i++) {
        const value = producer * perProducer + i
        await select({
          first: sendCase(own[0], value),
          second: sendCase(own[1], value),
          third: sendCase(own[2], value),
          fourth: sendCase(own[3], value),
        })
      }
      for (const tx of own) tx.close()
    })
    const consumers = [0, 1, 2].map(async () => {
      const open = new Map(routes.map(([, rx], i) => [`route${i}`, rx.clone()]))
      const got: number[] = []
      while (open.size > 0) {
        const selected = await select(Object.fromEntries(open))
        if (selected.done) open.delete(selected.key)
        else got.push(selected.value)
      }
      return got
    })
    for (const [tx, rx] of routes) {
      tx.close()
      rx.close()
    }
    const received = (await Promise.all(consumers)).flat()
    await Promise.all(producers)
    expect(received.sort((a, b) => a - b)).toEqual(Array.from({ length: 3 * perProducer }, (_, i) => i))
  })

  it('values that some receivers give up on, by timeout or abort, are neither lost nor doubled', async () => {
    const [tx, rx] = channel<number>(capacity)
    const count = 400
    const got: number[] = []
    const consume = async (receiver: Receiver<number>, patience: number): Promise<void> => {
      for (let turn = 0; ; turn++) {
        const controller = new AbortController()
        const receiving = receiver.next()
        const impatient = watch(
          turn % 2 === 0
            ? receiver.recvMany(2, { timeout: 0 })
            : receiver.recvMany(2, { signal: controller.signal }),
        )
        for (let i = 0; i < patience; i++) await Promise.resolve()
        controller.abort()
        const result = await receiving
        if (!result.done) got.push(result.value)
        while (impatient.state === 'pending') await Promise.resolve()
        got.push(...(impatient.value ?? []))
        if (result.done) return
      }
    }
    const consumers = [0, 1, 2, 3].map((patience) => consume(rx.clone(), patience))
    rx.close()
    for (let i = 0; i < count; i++) await tx.send(i)
    tx.close()
    await Promise.all(consumers)
    expect(got.sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i))
  })

  it('a ring of tasks hands one token round and round', async () => {
    const size = 20
    const links = Array.from({ length: size }, () => channel<number>(capacity))
    const tasks = links.map(async ([, rx], i) => {
      const [next] = links[(i + 1) % size]
      for await (const token of rx) {
        if (token < 1000) await next.send(token + 1)
        if (token > 1000 - size) {
          next.close()
          break
        }
      }
      return true
    })
    await links[0][0].send(0)
    expect(await Promise.all(tasks)).toEqual(Array.from({ length: size }, () => true))
  })
})

describe('a rendezvous', () => {
  it('keeps two tasks in step: the sender is never ahead by more than the value in its hands', async () => {
    const [tx, rx] = channel<number>(0)
    let sent = 0
    const produce = async (): Promise<void> => {
      for (let i = 0; i < 100; i++) {
        await tx.send(i)
        sent = i + 1
      }
      tx.close()
    }
    const producing = produce()
    for (let i = 0; i < 100; i++) {
      await settled()
      expect(sent).toBe(i)
      expect(await rx.recv()).toBe(i)
    }
    await producing
    expect(sent).toBe(100)
  })

  it('of many senders and receivers pairs each send with one receive', async () => {
    const [tx, rx] = channel<number>(0)
    const half = Array.from({ length: 50 }, () => watch(rx.recv()))
    const sends = Array.from({ length: 100 }, (_, i) => watch(tx.send(i)))
    await settled()
    expect(sends.filter((send) => send.state === 'fulfilled').length).toBe(50)
    const rest = Array.from({ length: 50 }, () => watch(rx.recv()))
    await settled()
    expect([...half, ...rest].map((receive) => receive.value)).toEqual(
      Array.from({ length: 100 }, (_, i) => i),
    )
    expect(sends.every((send) => send.state === 'fulfilled')).toBe(true)
  })
})
