// select: exactly one case happens, chosen fairly among those that are ready; the others leave no trace.
import {
  type Cases,
  channel,
  never,
  type Receiver,
  select,
  type SendCase,
  sendCase,
  type Sender,
  trySelect,
} from 'sluice'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { BUFFERED, CAPACITIES } from '../support/capacities.ts'
import { failureOf, settled, watch } from '../support/watched.ts'

/** A channel with one value ready for each receive, waiting or buffered. */
function ready<T>(capacity: number, value: T): [Sender<T>, Receiver<T>] {
  const ends = channel<T>(capacity)
  void ends[0].send(value)
  return ends
}

describe.each(CAPACITIES)('select at capacity %s', (capacity) => {
  it('takes the value that is ready, at the call', async () => {
    const [tx, rx] = ready(capacity, 'value')
    const [silentTx, silent] = channel<number>(capacity)
    const selecting = select({ silent, rx })
    expect(rx.tryRecv()).toEqual({ ok: false, reason: 'empty' })
    expect(await selecting).toEqual({ key: 'rx', done: false, value: 'value' })
    expect([tx.closed, silentTx.closed]).toEqual([false, false])
  })

  it('waits for the first case that becomes ready', async () => {
    const [firstTx, first] = channel<number>(capacity)
    const [secondTx, second] = channel<string>(capacity)
    const selecting = watch(select({ first, second }))
    await settled()
    expect(selecting.state).toBe('pending')
    expect(secondTx.trySend('x')).toBe('sent')
    await settled()
    expect(selecting.value).toEqual({ key: 'second', done: false, value: 'x' })
    expect(firstTx.trySend(1)).toBe(capacity === 0 ? 'full' : 'sent')
    expect(first.tryRecv().ok).toBe(capacity > 0)
  })

  it('sends where there is room or a receiver, and gives undefined as the value', async () => {
    const [tx, rx] = channel<number>(capacity)
    const receiving = watch(rx.recv())
    expect(await select({ out: sendCase(tx, 5) })).toEqual({ key: 'out', done: false, value: undefined })
    await settled()
    expect(receiving.value).toBe(5)
  })

  it('delivers any value, undefined included', async () => {
    for (const value of [undefined, null, NaN, new Error('a value')]) {
      const [tx, rx] = channel<unknown>(capacity)
      const receiving = select({ rx })
      await select({ tx: sendCase(tx, value) })
      const selected = await receiving
      expect(selected.done).toBe(false)
      expect(Object.is(selected.value, value)).toBe(true)
    }
  })

  it('stands in the same queue as recv, next and recvMany', async () => {
    const [tx, rx] = channel<number>(capacity)
    const log: string[] = []
    const waits = [
      watch<unknown>(rx.recv(), log, 'recv'),
      watch<unknown>(select({ rx, other: never() }), log, 'select'),
      watch<unknown>(rx.next(), log, 'next'),
      watch<unknown>(select({ rx: rx.clone() }), log, 'select of a clone'),
      watch<unknown>(rx.recvMany(2), log, 'recvMany'),
    ]
    for (const value of [1, 2, 3, 4, 5]) {
      expect(tx.trySend(value)).toBe('sent')
      await settled()
    }
    expect(waits.map((wait) => wait.value)).toEqual([
      1,
      { key: 'rx', done: false, value: 2 },
      { done: false, value: 3 },
      { key: 'rx', done: false, value: 4 },
      [5],
    ])
    expect(log).toEqual(['recv', 'select', 'next', 'select of a clone', 'recvMany'])
  })

  it('leaves no trace in the channels that were not chosen', async () => {
    const [tx, rx] = channel<number>(capacity)
    const [otherTx, other] = channel<number>(capacity)
    const selecting = Array.from({ length: 5 }, () => select({ rx, other }))
    for (let i = 0; i < 5; i++) expect(tx.trySend(i)).toBe('sent')
    await Promise.all(selecting)
    expect(otherTx.trySend(1)).toBe(capacity === 0 ? 'full' : 'sent')
    const late = watch(other.recv())
    if (capacity === 0) expect(otherTx.trySend(1)).toBe('sent')
    await settled()
    expect(late.value).toBe(1)
    expect(rx.length).toBe(0)
  })

  it('finds an ended channel ready', async () => {
    const [tx, rx] = channel<number>(capacity)
    const [openTx, open] = channel<number>(capacity)
    tx.close()
    expect(await select({ open, rx })).toEqual({ key: 'rx', done: true, value: undefined })
    expect(trySelect({ open, rx })).toEqual({ key: 'rx', done: true, value: undefined })
    expect(openTx.closed).toBe(false)
  })

  it('is woken by the end of a channel, in queue order with the other waits', async () => {
    const [tx, rx] = channel<number>(capacity)
    const log: string[] = []
    const waits = [
      watch<unknown>(rx.next(), log, 'next'),
      watch<unknown>(select({ silent: never(), rx }), log, 'select'),
      watch<unknown>(rx.recvMany(1), log, 'recvMany'),
    ]
    tx.close()
    await settled()
    expect(waits[1].value).toEqual({ key: 'rx', done: true, value: undefined })
    expect(log).toEqual(['next', 'select', 'recvMany'])
  })

  it('takes what is left in a closed channel before it says that it is done', async () => {
    const [tx, rx] = channel<number>(capacity)
    const sends = Promise.all([tx.send(1), tx.send(2)])
    tx.close()
    expect(await select({ rx })).toEqual({ key: 'rx', done: false, value: 1 })
    expect(await select({ rx })).toEqual({ key: 'rx', done: false, value: 2 })
    expect(await select({ rx })).toEqual({ key: 'rx', done: true, value: undefined })
    await sends
  })

  it('hands the value of a send back where the channel is closed or failed, or the handle is', async () => {
    const value = { some: 'value' }
    const back = { key: 'out', done: true, value }
    const [abandoned, rx] = channel<object>(capacity)
    const closedHandle = abandoned.clone()
    closedHandle.close()
    expect(await select({ out: sendCase(closedHandle, value), silent: never() })).toEqual(back)
    rx.close()
    const selected = await select({ out: sendCase(abandoned, value), silent: never() })
    expect(selected).toEqual(back)
    expect(selected.value).toBe(value)
    const [failed] = channel<object>(capacity)
    failed.fail('cause')
    expect(await select({ out: sendCase(failed, value) })).toEqual(back)
    expect(trySelect({ out: sendCase(failed, value) })).toEqual(back)
  })

  it('is done with a receiver whose own handle is closed, also while it waits', async () => {
    const [tx, rx] = channel<number>(capacity)
    const other = rx.clone()
    const waiting = watch(select({ silent: never(), rx }))
    await settled()
    rx.close()
    await settled()
    expect(waiting.value).toEqual({ key: 'rx', done: true, value: undefined })
    const sending = tx.send(1)
    expect(await select({ rx })).toEqual({ key: 'rx', done: true, value: undefined })
    expect(await other.recv()).toBe(1)
    await sending
  })

  it('rejects with the cause of a failed channel, and trySelect throws it', async () => {
    const cause = new Error('broken')
    const [tx, rx] = channel<number>(capacity)
    const waiting = watch(select({ silent: never(), rx }))
    tx.fail(cause)
    await settled()
    expect(waiting.reason).toBe(cause)
    await expect(select({ rx, silent: never() })).rejects.toBe(cause)
    expect(await failureOf(() => trySelect({ rx }))).toBe(cause)
  })

  it('rejects with the reason of its signal and leaves no trace', async () => {
    const [tx, rx] = channel<number>(capacity)
    const [otherTx, other] = channel<number>(0)
    const controller = new AbortController()
    const reason = { any: 'thing' }
    const selecting = watch(select({ rx, out: sendCase(otherTx, 9) }, { signal: controller.signal }))
    const behind = watch(rx.recv())
    controller.abort(reason)
    expect(tx.trySend(1)).toBe('sent')
    expect(other.tryRecv()).toEqual({ ok: false, reason: 'empty' })
    await settled()
    expect(selecting.reason).toBe(reason)
    expect(behind.value).toBe(1)
  })

  it('takes the first ready case in order when it is biased', async () => {
    const [, a] = ready(capacity, 'a')
    const [, b] = ready(capacity, 'b')
    const [endedTx, ended] = channel<string>(capacity)
    endedTx.close()
    expect((await select({ silent: never(), b, a, ended }, { biased: true })).key).toBe('b')
    expect(trySelect({ silent: never(), ended, a }, { biased: true })?.key).toBe('ended')
    expect(trySelect({ b, a, ended }, { biased: true })?.key).toBe('a')
    expect(trySelect({ b, a, ended }, { biased: true })?.key).toBe('ended')
  })
})

describe.each(BUFFERED)('a send case at capacity %s', (capacity) => {
  it('goes into the buffer at the call and waits in turn when there is no room', async () => {
    const [tx, rx] = channel<number>(capacity)
    const count = Math.min(capacity, 100)
    for (let i = 0; i < count - 1; i++) tx.trySend(i)
    const selecting = select({ out: sendCase(tx, count - 1) })
    expect(tx.length).toBe(count)
    await selecting
    if (capacity > 100) return
    const waiting = watch(select({ out: sendCase(tx, count), silent: never() }))
    const behind = watch(tx.send(count + 1))
    await settled()
    expect([waiting.state, behind.state]).toEqual(['pending', 'pending'])
    expect(tx.trySend(-1)).toBe('full')
    expect(rx.tryRecv()).toEqual({ ok: true, value: 0 })
    await settled()
    expect([waiting.state, behind.state]).toEqual(['fulfilled', 'pending'])
    tx.close()
    const rest: number[] = []
    for await (const value of rx) rest.push(value)
    expect(rest).toEqual(Array.from({ length: count + 1 }, (_, i) => i + 1))
  })
})

describe('a select over both ends of one rendezvous', () => {
  it('never pairs its own send with its own receive', async () => {
    const [tx, rx] = channel<string>(0)
    expect(trySelect({ out: sendCase(tx, 'mine'), in: rx })).toBeUndefined()
    const selecting = watch(select({ out: sendCase(tx, 'mine'), in: rx }))
    await settled()
    expect(selecting.state).toBe('pending')
    expect(rx.tryRecv()).toEqual({ ok: true, value: 'mine' })
    await settled()
    expect(selecting.value).toEqual({ key: 'out', done: false, value: undefined })
  })

  it('pairs with another such select: one sends, the other receives', async () => {
    const [tx, rx] = channel<string>(0)
    const both = await Promise.all([
      select({ out: sendCase(tx, 'of the first'), in: rx }),
      select({ out: sendCase(tx, 'of the second'), in: rx }),
    ])
    expect(both.map((selected) => selected.key).sort()).toEqual(['in', 'out'])
    const [first, second] = both
    expect(first.key === 'in' ? first.value : second.value).toBe(
      first.key === 'in' ? 'of the second' : 'of the first',
    )
    expect(trySelect({ in: rx })).toBeUndefined()
    expect(tx.trySend('nobody waits')).toBe('full')
  })

  it('lets any number of them pair off, each value once', async () => {
    const [tx, rx] = channel<number>(0)
    const selects = await Promise.all(
      Array.from({ length: 100 }, (_, i) => select({ out: sendCase(tx, i), in: rx })),
    )
    const got = selects.flatMap((selected) => (selected.key === 'in' ? [selected.value] : []))
    const senders = selects.flatMap((selected, i) => (selected.key === 'out' ? [i] : []))
    expect(got.length).toBe(50)
    expect([...got].sort((a, b) => Number(a) - Number(b))).toEqual(senders)
  })
})

describe('a waiting send case', () => {
  it('gets its value back when the last receiver closes or the channel fails', async () => {
    const [tx, rx] = channel<number>(0)
    const first = watch(select({ out: sendCase(tx, 1), silent: never() }))
    rx.close()
    const [failingTx, failingRx] = channel<number>(0)
    const second = watch(select({ silent: never(), out: sendCase(failingTx.clone(), 2) }))
    failingTx.fail('cause')
    await settled()
    expect(first.value).toEqual({ key: 'out', done: true, value: 1 })
    expect(second.value).toEqual({ key: 'out', done: true, value: 2 })
    expect(failingRx.closed).toBe(true)
  })

  it('that another case cancelled is not delivered, and its place passes on', async () => {
    const [tx, rx] = channel<number>(0)
    const [otherTx, other] = channel<string>(0)
    const selecting = watch(select({ out: sendCase(tx, 1), other }))
    const behind = watch(tx.send(2))
    expect(otherTx.trySend('first')).toBe('sent')
    expect(rx.tryRecv()).toEqual({ ok: true, value: 2 })
    await settled()
    expect(selecting.value).toEqual({ key: 'other', done: false, value: 'first' })
    expect(behind.state).toBe('fulfilled')
    expect(rx.tryRecv()).toEqual({ ok: false, reason: 'empty' })
  })

  it('does not keep a receive case of the same select from being served', async () => {
    const [aTx, a] = channel<number>(0)
    const [bTx, b] = channel<number>(0)
    const crossing = [select({ out: sendCase(aTx, 1), b }), select({ out: sendCase(bTx, 2), a })]
    const results = await Promise.all(crossing)
    expect(results.filter((selected) => selected.key === 'out').length).toBe(1)
    expect([aTx.trySend(3), bTx.trySend(3)]).toEqual(['full', 'full'])
    expect([a.tryRecv().ok, b.tryRecv().ok]).toEqual([false, false])
  })
})

describe('trySelect', () => {
  it('is undefined while nothing is ready, and leaves nothing waiting', async () => {
    const [tx, rx] = channel<number>(0)
    for (let i = 0; i < 10; i++) expect(trySelect({ rx, out: sendCase(tx, 1) })).toBeUndefined()
    expect(tx.trySend(1)).toBe('full')
    expect(rx.tryRecv()).toEqual({ ok: false, reason: 'empty' })
    const receiving = watch(rx.recv())
    expect(trySelect({ out: sendCase(tx, 2) })).toEqual({ key: 'out', done: false, value: undefined })
    await settled()
    expect(receiving.value).toBe(2)
    const sending = watch(tx.send(3))
    expect(trySelect({ rx })).toEqual({ key: 'rx', done: false, value: 3 })
    await settled()
    expect(sending.state).toBe('fulfilled')
  })
})

describe('the result of select', () => {
  it('is a union that the key tells apart, in types as well', async () => {
    const [tx, words] = channel<string>(1)
    const [numbersTx, numbers] = channel<number>(1)
    tx.trySend('word')
    const selected = await select({ words, numbers, out: sendCase(numbersTx, 7) }, { biased: true })
    if (selected.key === 'words' && !selected.done) expectTypeOf(selected.value).toEqualTypeOf<string>()
    if (selected.key === 'numbers' && !selected.done) expectTypeOf(selected.value).toEqualTypeOf<number>()
    if (selected.key === 'out' && !selected.done) expectTypeOf(selected.value).toEqualTypeOf<undefined>()
    if (selected.key === 'out' && selected.done) expectTypeOf(selected.value).toEqualTypeOf<number>()
    expectTypeOf(selected.key).toEqualTypeOf<'words' | 'numbers' | 'out'>()
    expect(selected).toEqual({ key: 'words', done: false, value: 'word' })
  })

  it('knows a case that is a send now and never() then, in types as well', async () => {
    const [tx, rx] = channel<number>(1)
    const queue: number[] = [7]
    const selected = await select({ rx, out: queue.length > 0 ? sendCase(tx, queue[0]) : never() })
    expectTypeOf(selected.key).toEqualTypeOf<'rx' | 'out'>()
    if (selected.key === 'out' && selected.done)
      expectTypeOf(selected.value).toEqualTypeOf<number | undefined>()
    expect(selected).toEqual({ key: 'out', done: false, value: undefined })
  })

  it('is one of cases that are put together one by one, in types as well', async () => {
    const [tx, rx] = channel<number>(1)
    const cases: Cases = { rx }
    cases.out = sendCase(tx, 7)
    const selected = await select(cases)
    expectTypeOf(selected.key).toEqualTypeOf<string>()
    expectTypeOf(selected.done).toEqualTypeOf<boolean>()
    expect(selected).toEqual({ key: 'out', done: false, value: undefined })
  })

  it('has keys that are strings, those of numbers too, in types as well', async () => {
    const [tx, rx] = channel<number>(1)
    tx.trySend(7)
    const selected = await select({ 1: rx })
    expectTypeOf(selected.key).toEqualTypeOf<'1'>()
    expect(selected).toEqual({ key: '1', done: false, value: 7 })
  })

  it('takes a send of a wider sender for a case of the wider type', async () => {
    const [tx, rx] = channel<number | string>(1)
    const out: SendCase<number | string> = sendCase(tx, 7)
    await select({ out })
    expect(await rx.recv()).toBe(7)
  })
})
