// Of several ready cases each gets its share; the shares are counted over many rounds.
import { channel, never, type Receiver, select, sendCase, type Sender, trySelect } from 'sluice'
import { describe, expect, it } from 'vitest'

describe('the choice among ready cases', () => {
  const ROUNDS = 3000
  type Choice = { key: string } | undefined

  async function shares(choose: () => Choice | Promise<Choice>): Promise<Record<string, number>> {
    const counts: Record<string, number> = {}
    for (let round = 0; round < ROUNDS; round++) {
      const key = (await choose())?.key ?? 'none'
      counts[key] = (counts[key] ?? 0) + 1 / ROUNDS
    }
    return counts
  }

  function endless(): Receiver<number> {
    const [tx, rx] = channel<number>(Infinity)
    for (let i = 0; i < ROUNDS; i++) tx.trySend(i)
    return rx
  }

  it.each([
    ['select', select],
    ['trySelect', trySelect],
  ] as const)('of %s is fair between channels that always have a value', async (_, choose) => {
    const cases = { a: endless(), b: endless(), c: endless() }
    const counts = await shares(() => choose(cases))
    for (const key of ['a', 'b', 'c']) expect(counts[key], key).toBeGreaterThan(0.28)
  })

  it('is fair also where most cases are not ready, wherever they stand', async () => {
    const cases = { a: endless(), b: endless(), w: never(), x: never(), y: never(), z: never() }
    const counts = await shares(() => select(cases))
    expect(counts['a']).toBeGreaterThan(0.42)
    expect(counts['b']).toBeGreaterThan(0.42)
  })

  it('is fair between sends, receives and ended channels', async () => {
    const [endedTx, ended] = channel<number>(1)
    endedTx.close()
    const [out, sink] = channel<number>(1, { overflow: 'drop-oldest' })
    const rx = endless()
    const counts = await shares(() => select({ out: sendCase(out, 1), rx, ended }))
    for (const key of ['out', 'rx', 'ended']) expect(counts[key], key).toBeGreaterThan(0.28)
    expect(sink.length).toBe(1)
  })

  it('is always the first one when it is biased', async () => {
    const cases = { b: endless(), a: endless() }
    expect(Object.keys(await shares(() => select(cases, { biased: true })))).toEqual(['b'])
  })

  it('keeps nobody out in a rendezvous of two producers', async () => {
    const [aTx, a] = channel<number>(0)
    const [bTx, b] = channel<number>(0)
    const controller = new AbortController()
    const produce = async (tx: Sender<number>): Promise<void> => {
      for (let i = 0; ; i++) await tx.send(i, { signal: controller.signal })
    }
    const producers = Promise.allSettled([produce(aTx), produce(bTx)])
    const counts = await shares(() => select({ a, b }))
    controller.abort()
    await producers
    expect(counts['a']).toBeGreaterThan(0.2)
    expect(counts['b']).toBeGreaterThan(0.2)
  })
})
