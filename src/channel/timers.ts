/**
 * Time as channels, for `select`: `after`, `tick`, `never`.
 *
 * No timer runs while nobody waits: what is due is worked out from the clock when somebody looks, and a timer is
 * armed only while somebody waits. So a forgotten channel holds no process alive and costs nothing.
 */
import { demand, demandTime } from '../errors.ts'
import { Exchange, put } from './exchange.ts'
import { Fifo } from './fifo.ts'
import { newReceiver, type Receiver } from './handles.ts'
import { startTimer } from './clock.ts'

/** A channel that makes its own values: asked before every look, armed while somebody waits. Nothing is stuck there. */
class Clock extends Exchange<number> {
  readonly #start = performance.now()
  #stop: (() => void) | undefined
  /** How many periods have been seen. */
  #seen = 0

  constructor(
    name: string,
    readonly ms: number,
    readonly most: number,
  ) {
    super(1, name, new Fifo(), { daemon: true })
    this.senders = 1
  }

  override get length(): number {
    this.#poll()
    return super.length
  }

  override readable(): boolean {
    this.#poll()
    return super.readable()
  }

  override waits(_begin: boolean): void {
    if (this.readers.head) return this.#arm()
    this.#stop?.()
    this.#stop = undefined
  }

  get #due(): number {
    return this.#start + (this.#seen + 1) * this.ms
  }

  #poll(): void {
    if (this.#seen >= this.most || !this.accepting) return
    const now = performance.now()
    const due = this.#due
    if (now < due) return
    this.#seen = Math.max(this.#seen + 1, Math.floor((now - this.#start) / this.ms) || 0)
    if (this.buffer.length === 0) put(this, due)
  }

  #arm(): void {
    if (this.#stop !== undefined || this.#seen >= this.most) return
    // Timers may fire a little early: then the rest is waited for.
    this.#stop = startTimer(Math.max(0, Math.ceil(this.#due - performance.now())), () => {
      this.#stop = undefined
      this.#poll()
      if (this.readers.head) this.#arm()
    })
  }
}

/**
 * A receiver that gets one value once `ms` milliseconds have passed since this call, then stays open and silent.
 * The value is the time at which it was due, as `performance.now()` counts. Holds the process alive only while
 * somebody waits on it.
 *
 * @throws RangeError for a negative time or NaN.
 * @example
 * import { after, channel, select } from 'sluice'
 *
 * const [tx, answers] = channel<string>(1)
 * const { key } = await select({ answers, timeout: after(5) })
 * key // => 'timeout'
 * tx.close()
 */
export function after(ms: number): Receiver<number> {
  demandTime(ms, 'create after', 'ms')
  return newReceiver(new Clock(`after ${ms} ms`, ms, 1))
}

/**
 * A receiver that gets a value every `ms` milliseconds, the first after `ms`. Ticks that nobody took coalesce into
 * one; the phase does not drift. The value is the time at which the tick was due, as `performance.now()` counts.
 *
 * @throws RangeError for a time that is not above zero.
 * @example
 * import { tick } from 'sluice'
 *
 * const ticks = tick(2)
 * const first = await ticks.recv()
 * const second = await ticks.recv()
 * second > first // => true
 */
export function tick(ms: number): Receiver<number> {
  demand(typeof ms === 'number' && ms > 0, 'create tick', 'ms', 'a number of milliseconds > 0', ms)
  return newReceiver(new Clock(`tick ${ms} ms`, ms, Infinity))
}

/**
 * A receiver that never gets a value: the case of a select that is switched off.
 *
 * @example
 * import { after, never, select } from 'sluice'
 *
 * const { key } = await select({ off: never(), on: after(1) })
 * key // => 'on'
 */
export function never(): Receiver<never> {
  const core = new Exchange<never>(0, 'never', new Fifo(), { daemon: true })
  core.senders = 1
  return newReceiver(core)
}
