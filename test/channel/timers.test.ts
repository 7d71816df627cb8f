// after, tick and never: time as a receiver. The clock is virtual; each test is a script of moments.
import { after, channel, never, select, tick, trySelect } from 'sluice'
import { virtualTime, type VirtualTime } from 'sluice/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { failureOf, settled, watch } from '../support/watched.ts'

let time: VirtualTime
beforeEach(() => void (time = virtualTime()))
afterEach(() => time.restore())

async function pass(ms: number): Promise<void> {
  await time.advance(ms)
}

describe('after', () => {
  it('gives one value when its time has come, and is then open and silent', async () => {
    const timer = after(50)
    const first = watch(timer.recv())
    await pass(49)
    expect(first.state).toBe('pending')
    await pass(1)
    expect(typeof first.value).toBe('number')
    const second = watch(timer.recv())
    await pass(500)
    expect(second.state).toBe('pending')
    expect(timer.closed).toBe(false)
    expect(timer.tryRecv()).toEqual({ ok: false, reason: 'empty' })
    expect(timer.close()).toBe(true)
    await settled()
    expect(second.state).toBe('rejected')
  })

  it('counts from its creation, whether somebody waits or not', async () => {
    const waitedLate = after(50)
    const neverWaited = after(50)
    await pass(30)
    const value = watch(waitedLate.recv())
    await pass(19)
    expect(value.state).toBe('pending')
    expect(neverWaited.tryRecv()).toEqual({ ok: false, reason: 'empty' })
    await pass(1)
    expect(value.state).toBe('fulfilled')
    await pass(100)
    expect(neverWaited.tryRecv().ok).toBe(true)
    expect(neverWaited.tryRecv()).toEqual({ ok: false, reason: 'empty' })
  })

  it('gives its value to one receiver only', async () => {
    const timer = after(10)
    const other = timer.clone()
    const waits = [watch(timer.recv()), watch(other.recv())]
    await pass(30)
    expect(waits.map((wait) => wait.state)).toEqual(['fulfilled', 'pending'])
  })

  it('works again after a wait on it was given up', async () => {
    const timer = after(50)
    const controller = new AbortController()
    const aborted = watch(timer.recv({ signal: controller.signal }))
    const timed = watch(timer.recv({ timeout: 20 }))
    await pass(21)
    controller.abort('enough')
    await settled()
    expect(aborted.reason).toBe('enough')
    expect(timed.state).toBe('rejected')
    const last = watch(timer.recv())
    await pass(28)
    expect(last.state).toBe('pending')
    await pass(1)
    expect(last.state).toBe('fulfilled')
  })

  it('bounds a select', async () => {
    const [tx, rx] = channel<string>(0)
    const first = watch(select({ rx, timeout: after(20) }))
    await pass(20)
    expect(first.value?.key).toBe('timeout')
    expect(first.value?.done).toBe(false)
    const second = watch(select({ rx, timeout: after(20) }))
    await pass(19)
    expect(tx.trySend('in time')).toBe('sent')
    await pass(100)
    expect(second.value).toEqual({ key: 'rx', done: false, value: 'in time' })
  })

  it('leaves no timer behind when the select it bounds is over and it is closed', async () => {
    const [tx, rx] = channel<number>(0)
    const timeout = after(1000)
    const selecting = watch(select({ rx, timeout }))
    tx.trySend(1)
    timeout.close()
    await settled()
    expect(selecting.value?.key).toBe('rx')
    expect(time.pending).toBe(0)
  })

  it('waits longer than 2^31 - 1 where it is told to', async () => {
    const far = after(2 ** 31 + 1000)
    const value = watch(far.recv())
    await pass(2 ** 31)
    expect(value.state).toBe('pending')
    await pass(1001)
    expect(value.state).toBe('fulfilled')
  })

  it('may be 0: it is ready soon', async () => {
    const value = watch(after(0).recv())
    await pass(1)
    expect(value.state).toBe('fulfilled')
  })
})

describe('tick', () => {
  it('gives its first value after its time and one each time from then on', async () => {
    const ticks = tick(10)
    let count = 0
    const loop = watch(
      (async () => {
        for await (const at of ticks) {
          expect(typeof at).toBe('number')
          if (++count === 5) break
        }
      })(),
    )
    for (let expected = 0; expected <= 5; expected++) {
      expect(count).toBe(expected)
      await pass(9)
      expect(count).toBe(expected)
      await pass(1)
    }
    expect(loop.state).toBe('fulfilled')
    expect(ticks.closed).toBe(true)
    expect(time.pending).toBe(0)
  })

  it('coalesces the ticks nobody took into one', async () => {
    const ticks = tick(10)
    await pass(1005)
    expect(ticks.tryRecv().ok).toBe(true)
    expect(ticks.tryRecv()).toEqual({ ok: false, reason: 'empty' })
    expect(await failureOf(() => ticks.recv({ timeout: 0 }))).toBeInstanceOf(Error)
  })

  it('keeps its phase when it is read late', async () => {
    const ticks = tick(10)
    await pass(13)
    expect(ticks.tryRecv().ok).toBe(true) // the tick of 10
    await pass(6)
    expect(ticks.tryRecv().ok).toBe(false) // 19
    await pass(1)
    expect(ticks.tryRecv().ok).toBe(true) // 20
    await pass(35)
    const late = watch(ticks.recv()) // the ticks of 30, 40 and 50 in one
    await settled()
    expect(late.state).toBe('fulfilled')
    const next = watch(ticks.recv())
    await pass(4)
    expect(next.state).toBe('pending') // 59
    await pass(1)
    expect(next.state).toBe('fulfilled') // 60
  })

  it('does not drift over many rounds in which each value is read late', async () => {
    const ticks = tick(10)
    let now = 0
    for (let round = 1; round <= 50; round++) {
      const late = (round * 7) % 5
      await pass(10 * round + late - now)
      now = 10 * round + late
      expect(ticks.tryRecv().ok).toBe(true)
      expect(ticks.tryRecv().ok).toBe(false)
    }
  })

  it('gives each tick to one of those who wait, in turn', async () => {
    const ticks = tick(10)
    const waits = [watch(ticks.recv()), watch(ticks.clone().recv()), watch(ticks.recv())]
    await pass(10)
    expect(waits.map((wait) => wait.state)).toEqual(['fulfilled', 'pending', 'pending'])
    await pass(10)
    expect(waits.map((wait) => wait.state)).toEqual(['fulfilled', 'fulfilled', 'pending'])
    await pass(10)
    expect(waits.map((wait) => wait.state)).toEqual(['fulfilled', 'fulfilled', 'fulfilled'])
  })
})

describe('never', () => {
  it('is open, silent and never ready', async () => {
    const silent = never()
    const waiting = watch(silent.next())
    await pass(10_000)
    expect(waiting.state).toBe('pending')
    expect(silent.closed).toBe(false)
    expect(silent.tryRecv()).toEqual({ ok: false, reason: 'empty' })
    expect(trySelect({ silent })).toBeUndefined()
    silent.close()
    await settled()
    expect(waiting.value).toEqual({ done: true, value: undefined })
  })

  it('can be given up like any other receiver', async () => {
    const waiting = watch(never().recv({ timeout: 10 }))
    const controller = new AbortController()
    const aborted = watch(never().recv({ signal: controller.signal }))
    controller.abort('enough')
    await pass(11)
    expect(waiting.state).toBe('rejected')
    expect(aborted.reason).toBe('enough')
  })
})

describe.each([
  ['after', after],
  ['tick', tick],
])('%s', (_, timer) => {
  it.each([-1, -Infinity, NaN])('refuses a time of %s with a RangeError', (ms) => {
    expect(() => timer(ms)).toThrow(RangeError)
  })
})

describe('the message of a wrong time', () => {
  it.each([
    [() => after(-1), 'Cannot create after: "ms" must be a number of milliseconds >= 0, got -1'],
    [() => tick(0), 'Cannot create tick: "ms" must be a number of milliseconds > 0, got 0'],
    [() => tick(NaN), 'Cannot create tick: "ms" must be a number of milliseconds > 0, got NaN'],
  ])('says what was given and what is wanted: %s', (make, message) => {
    expect(make).toThrow(new RangeError(message))
  })
})
