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

describe('select()', () => {
  it('rejects with a TypeError where there is no case', async () => {
    const promise = select({})
    expect(await failureOf(() => promise)).toBeInstanceOf(TypeError)
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
