/**
 * A run under watch: time is a fake clock that moves a little in each turn of the event loop, waits are bounded in
 * turns, and at the end nothing may be left: no timer, no listener on the signal, no rejection, no open resource, and
 * no call or pull after the run had settled.
 */
import { getEventListeners } from 'node:events'
import { expect, vi } from 'vitest'
import { type StageError } from 'sluice'
import { outcome, turns, type Outcome } from '../../pipeline/support-waiting.ts'
import { releasesOf, type Opened, type Resource } from './source-kinds.ts'

/** How many turns an ending may take that waits for work in memory, and one that waits for nothing. */
const SOON = 2_000
const AT_ONCE = 10

export class Watch {
  readonly controller = new AbortController()
  readonly signal = this.controller.signal
  /** How often functions of the user were called. */
  calls = 0
  readonly #opened: Opened[] = []

  /** `perTurn`: how many milliseconds pass in one turn. */
  constructor(readonly perTurn: number) {}

  /** Resources to look at in the end. */
  follow<O extends Opened>(opened: O): O {
    this.#opened.push(opened)
    return opened
  }

  async tick(times = 1): Promise<void> {
    for (let n = 0; n < times; n++) {
      vi.advanceTimersByTime(this.perTurn)
      await turns()
    }
  }

  /** Lets `ms` milliseconds pass, and the turns that what was waiting for them needs. */
  async pass(ms: number): Promise<void> {
    vi.advanceTimersByTime(ms)
    await turns(AT_ONCE)
  }

  /** Waits for a fact. Says whether it came true in bounded time. */
  async sees(fact: () => boolean, within = SOON): Promise<boolean> {
    for (let turn = 0; turn < within && !fact(); turn++) {
      // Whoever takes his time gets more of it, so that what is bounded is work and not time.
      if (turn > 30) vi.advanceTimersByTime(this.perTurn * 10)
      await this.tick()
    }
    return fact()
  }

  async until(fact: () => boolean): Promise<void> {
    if (!(await this.sees(fact))) throw new Error(`waited ${SOON} turns in vain for ${String(fact)}`)
  }

  /** How a promise ends, which must be within a number of turns. */
  async soon<T>(promise: PromiseLike<T>, within = SOON): Promise<Outcome<T>> {
    let ended: Outcome<T> | undefined
    void outcome(promise).then((end) => (ended = end))
    await this.sees(() => ended !== undefined, within)
    if (ended === undefined) throw new Error(`not settled within ${within} turns of the event loop`)
    return ended
  }

  /** The same for what need not wait for anything. */
  atOnce<T>(promise: PromiseLike<T>): Promise<Outcome<T>> {
    return this.soon(promise, AT_ONCE)
  }

  async value<T>(promise: PromiseLike<T>): Promise<T> {
    const end = await this.soon(promise)
    if (end.state === 'rejected') throw new Error('expected a result', { cause: end.error })
    return end.value
  }

  /** The `StageError` that a promise rejects with. */
  async failure(promise: PromiseLike<unknown>): Promise<StageError> {
    const end = await this.soon(promise)
    expect(end).toMatchObject({ state: 'rejected', error: { name: 'StageError' } })
    return (end as { error: StageError }).error
  }

  /** Nothing runs any more, whatever `later` brings, and every resource was released as often as it should be. */
  async quiet(later: () => void = () => {}): Promise<void> {
    const now = () => [
      this.calls,
      ...this.#opened.map(({ resources }) => resources.map(({ pulled }) => pulled)),
    ]
    const before = now()
    expect(vi.getTimerCount(), 'timers left').toBe(0)
    later()
    await this.tick(2)
    await this.pass(200_000)
    expect(now(), 'calls and pulls after the end').toEqual(before)
    for (const { resources } of this.#opened)
      for (const resource of resources) {
        expectReleased(resource)
        resource.drop?.()
      }
  }
}

function expectReleased(resource: Resource): void {
  const { title, state } = resource
  const { released, wanted } = releasesOf(resource)
  expect({ state, released }, title).toEqual({ state, released: wanted })
}

/** Runs `body` under watch, and looks at what it left behind. */
export async function watched(perTurn: number, body: (watch: Watch) => Promise<void>): Promise<void> {
  const unhandled: unknown[] = []
  const see = (error: unknown) => void unhandled.push(error)
  process.on('unhandledRejection', see)
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
  })
  try {
    const watch = new Watch(perTurn)
    await body(watch)
    await turns(2)
    expect(vi.getTimerCount(), 'timers left').toBe(0)
    expect(getEventListeners(watch.signal, 'abort'), 'listeners left').toEqual([])
    expect(unhandled, 'unhandled rejections').toEqual([])
  } finally {
    vi.useRealTimers()
    process.off('unhandledRejection', see)
  }
}
