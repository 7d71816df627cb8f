// Misuse is told at once, with the kind of error that says which argument was wrong.
import { channel, RecvError, SendError, select, trySelect } from 'sluice'
import { describe, expect, it } from 'vitest'
import { failureOf } from '../support/watched.ts'

describe('channel()', () => {
  it.each([-1, -0.5, 0.5, 1.5, NaN, -Infinity, Number.EPSILON])(
    'refuses a capacity of %s with a RangeError',
    (capacity) => {
      expect(() => channel(capacity)).toThrow(RangeError)
    },
  )

  it.each([undefined, null, '1', true, {}, [2], 3n])(
    'refuses a capacity that is no number with a RangeError: %s',
    (capacity) => {
      expect(() => channel(capacity as number)).toThrow(RangeError)
    },
  )

  it.each([0, 1, 2, 65_536, Number.MAX_SAFE_INTEGER, Infinity])('takes a capacity of %s', (capacity) => {
    const [tx, rx] = channel<number>(capacity)
    expect([tx.capacity, rx.capacity, tx.length]).toEqual([capacity, capacity, 0])
  })

  it('refuses an unknown overflow with a TypeError', () => {
    expect(() => channel(1, { overflow: 'drop' as 'block' })).toThrow(TypeError)
    expect(() => channel(1, { overflow: '' as 'block' })).toThrow(TypeError)
  })

  it.each([
    [null, '"options" must be an object, got null'],
    [{ name: 5 }, '"name" must be a string, got 5'],
    [{ onUndelivered: 'log' }, '"onUndelivered" must be a function, got "log"'],
  ])('refuses %j with a TypeError that names what is wrong', (options, message) => {
    const make = () => channel(1, options as never)
    expect(make).toThrow(TypeError)
    expect(make).toThrow(`Cannot create channel: ${message}`)
  })

  it('takes options that are inherited, as those of a class are', async () => {
    const lost: number[] = []
    class Strict {
      get overflow() {
        return 'fail' as const
      }
      onUndelivered(value: number) {
        lost.push(value)
      }
    }
    const [tx, rx] = channel(1, new Strict())
    tx.trySend(1)
    expect(await failureOf(() => tx.send(2, { timeout: 1 }))).toMatchObject({ code: 'FULL', value: 2 })
    rx.close()
    expect(lost).toEqual([1])
  })

  it('gives fresh channels that know nothing of each other', () => {
    const [tx, rx] = channel<number>(1)
    const [otherTx, otherRx] = channel<number>(1)
    tx.trySend(1)
    tx.close()
    expect(otherTx.trySend(2)).toBe('sent')
    expect(otherRx.tryRecv()).toEqual({ ok: true, value: 2 })
    expect(rx.tryRecv()).toEqual({ ok: true, value: 1 })
    expect(otherTx.closed).toBe(false)
  })
})

describe('waiting', () => {
  it.each([5, {}, 'abort'])('refuses %j as a signal with a TypeError, and touches nothing', async (wrong) => {
    const [tx, rx] = channel<number>(1)
    const options = { signal: wrong as never }
    const waits = [
      [() => tx.send(1, options), 'send'],
      [() => tx.sendMany([1], options), 'send'],
      [() => rx.recv(options), 'receive'],
      [() => rx.recvMany(1, options), 'receive'],
      [() => select({ rx }, options), 'select'],
    ] as const
    for (const [wait, action] of waits) {
      const error = await failureOf(wait)
      expect(error).toBeInstanceOf(TypeError)
      expect(String(error)).toContain(`Cannot ${action}: "signal" must be an AbortSignal, got`)
    }
    expect(tx.length).toBe(0)
  })
})

describe('the options of a wait', () => {
  it.each([
    [5, '5'],
    ['slow', '"slow"'],
    [true, 'true'],
    [0, '0'],
    [NaN, 'NaN'],
    ['', '""'],
    [null, 'null'],
  ])('are refused with a TypeError where they are %j, and nothing is touched', async (wrong, shown) => {
    const [tx, rx] = channel<number>(2)
    tx.trySend(1)
    const waits = [
      [() => tx.send(2, wrong as never), 'send'],
      [() => tx.sendMany([2], wrong as never), 'send'],
      [() => rx.recv(wrong as never), 'receive'],
      [() => rx.recvMany(1, wrong as never), 'receive'],
      [() => select({ rx }, wrong as never), 'select'],
    ] as const
    for (const [wait, action] of waits)
      expect(await failureOf(wait)).toEqual(
        new TypeError(`Cannot ${action}: "options" must be an object, got ${shown}`),
      )
    expect(tx.length).toBe(1)
  })

  it('reject a select, and are thrown by trySelect, where they are null', async () => {
    const [tx, rx] = channel<number>(1)
    tx.trySend(1)
    const refusal = new TypeError('Cannot select: "options" must be an object, got null')
    const selected = select({ rx }, null as never)
    expect(await failureOf(() => selected)).toEqual(refusal)
    expect(() => trySelect({ rx }, null as never)).toThrow(refusal)
    expect(tx.length).toBe(1)
  })
})

describe('select()', () => {
  it('rejects with a TypeError for what holds no cases, which trySelect() throws', async () => {
    for (const cases of [null, undefined, 5, 'rx']) {
      const error = await failureOf(() => select(cases as never))
      expect(error).toBeInstanceOf(TypeError)
      expect((error as Error).message).toContain('Cannot select: "cases" must be an object of cases, got ')
      expect(() => trySelect(cases as never)).toThrow(error)
    }
  })

  it('rejects with a TypeError where there is no case', async () => {
    const promise = select({})
    expect(await failureOf(() => promise)).toBeInstanceOf(TypeError)
  })

  it('rejects, and does not throw, where its options cannot be read', async () => {
    const [, rx] = channel<number>(1)
    const options = {
      get biased(): boolean {
        throw new Error('no bias')
      },
    }
    const selected = select({ rx }, options)
    await expect(selected).rejects.toThrow('no bias')
  })

  it('is undefined in its non-blocking form where there is no case', () => {
    expect(trySelect({})).toBeUndefined()
  })
})

describe('the errors', () => {
  it('are errors, with a name of their own and a stack', async () => {
    const [tx, rx] = channel<number>(1)
    const recvError = await failureOf(() => rx.recv({ timeout: 0 }))
    rx.close()
    const sendError = await failureOf(() => tx.send(1))
    expect(recvError).toBeInstanceOf(RecvError)
    expect(recvError).not.toBeInstanceOf(SendError)
    expect(sendError).toBeInstanceOf(SendError)
    expect((recvError as Error).name).toBe('RecvError')
    expect((sendError as Error).name).toBe('SendError')
    expect((sendError as Error).stack).toContain((sendError as Error).message)
  })
})
