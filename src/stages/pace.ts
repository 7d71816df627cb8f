/**
 * When values go on: `delay`, `throttle`, `sample`, `idleTimeout`.
 *
 * None of them hoards: what must wait waits in the input channel, so that its capacity is the bound. A stage has one
 * timer at most, and only while there is something to wait for; time is read from the clock, timers only wake, so that
 * those that fire early or late do not add up.
 */
import { startTimer } from '../channel/clock.ts'
import { Alarm, SLACK } from '../pipeline/alarm.ts'
import { demand, demandCount, demandOptions, demandTime } from '../errors.ts'
import { type Kernel, part, pass, type Port, type Stage, type StageOptions } from '../pipeline/stage.ts'

/** Remembers when the values in its input came: as many at a time as it found. */
class Delaying<T> implements Kernel<T, T> {
  readonly eager = true
  readonly #alarm = new Alarm()
  /** The values that have not been read yet, in groups of those that came together. */
  #groups: { time: number; count: number }[] = []
  #first = 0
  #known = 0

  constructor(readonly ms: number) {}

  get wants(): string | undefined {
    return this.#known > 0 ? 'the time of its next value' : undefined
  }

  run(port: Port<T, T>): void {
    const now = performance.now()
    this.#note(port.stock, now)
    const { items, out } = port
    for (let group = this.#groups[this.#first]; group !== undefined; group = this.#groups[this.#first]) {
      if (group.time + this.ms > now + SLACK) {
        this.#alarm.set(port, group.time + this.ms, now)
        break
      }
      const from = port.at
      const end = Math.min(port.end, from + group.count, from + port.room - port.count)
      while (port.at < end) out[port.count++] = items[port.at++]!
      this.#known -= port.at - from
      group.count -= port.at - from
      if (group.count > 0) {
        port.full = port.count >= port.room
        break
      }
      this.#first++
    }
    if (this.#known === 0) this.#alarm.clear()
    port.held = this.#known > 0 && (port.full || port.at < port.end)
  }

  #note(stock: number, time: number): void {
    if (this.#first > 0 && this.#first * 2 >= this.#groups.length) {
      this.#groups = this.#groups.slice(this.#first)
      this.#first = 0
    }
    if (stock > this.#known) this.#groups.push({ time, count: stock - this.#known })
    this.#known = stock
  }

  close(): void {
    this.#alarm.clear()
  }
}

/**
 * Passes each value on `ms` milliseconds after it came.
 *
 * - Values wait in the channel before this stage, as many as that holds. What comes 10 ms apart leaves 10 ms apart, as
 *   long as there is room for it there; at capacity 0 one value waits at a time.
 * - At the end, a stop or a failure, what waits still comes out at its time.
 *
 * Ordered. Concurrency 1. Holds nothing. On error: cannot fail.
 *
 * @throws RangeError for a negative time or NaN.
 * @example
 * import { delay, pipeline, range } from 'sluice'
 *
 * const begin = performance.now()
 * await pipeline(range(3), delay(10)).run() // => [0, 1, 2]
 * performance.now() - begin >= 10 // => true
 */
export function delay<T>(ms: number, options: StageOptions = {}): Stage<T, T> {
  demandTime(ms, 'create delay', 'ms')
  return part('stage', 'delay', options, { kernel: () => new Delaying<T>(ms) })
}

/** The pace of a `throttle`. */
export interface ThrottleOptions extends StageOptions {
  /** How many values may pass in … */
  count: number
  /** … so many milliseconds. */
  per: number
  /** How many may pass at once after a pause. Default: 1. */
  burst?: number | undefined
}

/** What a timer that fires late may be made up for, in milliseconds, where a turn is shorter: timers are no finer. */
const GRAIN = 4

/** For how long after it a timer is made up for: neighbours with little room need a moment to bring and to take what comes then. */
const GRACE = 1

/**
 * Each value has its turn, `per / count` after the one before it. A value may be `burst - 1` turns early; turns that
 * nobody took are lost. This is the leaky bucket of ATM networks, the "generic cell rate algorithm", which needs no
 * counter and no list of times.
 */
class Throttling<T> implements Kernel<T, T> {
  readonly #alarm = new Alarm()
  readonly #each: number
  readonly #early: number
  #turn = -Infinity
  /** The next value waits for nothing but its turn: if it comes late, the timer was. */
  #waited = false
  /** Until when that is made up for. */
  #grace = -Infinity

  constructor(count: number, per: number, burst: number) {
    this.#each = per / count
    this.#early = (burst - 1) * this.#each
  }

  get wants(): string | undefined {
    return this.#waited ? 'the time of its next value' : undefined
  }

  run(port: Port<T, T>): void {
    const { items, out } = port
    if (port.at === port.end) return
    const now = performance.now()
    if (this.#waited) this.#grace = now + GRACE
    const from = now > this.#grace ? now : now - Math.max(this.#each, GRAIN)
    while (port.at < port.end && port.count < port.room) {
      if (now + SLACK < this.#turn - this.#early) {
        this.#waited = port.held = true
        return this.#alarm.set(port, this.#turn - this.#early, now)
      }
      this.#turn = Math.max(this.#turn, from) + this.#each
      out[port.count++] = items[port.at++]!
    }
    // There is no more, or no room: what comes of that is no lateness.
    this.#waited = false
    this.#alarm.clear()
  }

  close(): void {
    this.#alarm.clear()
  }
}

/**
 * Lets `count` values pass in `per` milliseconds, evenly spaced. Never drops any: those that must wait hold back the
 * stages before.
 *
 * - `burst` values may pass at once after a pause; the pace on the average stays the same.
 * - Does not drift: a timer that fires late is made up for, by one value or 4 ms' worth of them. So in any `per`
 *   milliseconds `count + burst` values pass at most, or 4 ms' worth more where turns are shorter than that.
 *
 * Ordered. Concurrency 1. Holds nothing. On error: cannot fail.
 *
 * @throws RangeError for wrong arguments.
 * @example
 * import { pipeline, range, throttle } from 'sluice'
 *
 * const begin = performance.now()
 * await pipeline(range(4), throttle({ count: 2, per: 10 })).run() // => [0, 1, 2, 3]
 * performance.now() - begin >= 15 // => true
 */
export function throttle<T>(options: ThrottleOptions): Stage<T, T> {
  const action = 'create throttle'
  demandOptions(options, action)
  const { count, per, burst = 1 } = options
  demandCount(count, action, 'count', 1)
  demand(Number.isFinite(per) && per > 0, action, 'per', 'a finite number of milliseconds > 0', per)
  demandCount(burst, action, 'burst', 1)
  return part('stage', 'throttle', options, { kernel: () => new Throttling<T>(count, per, burst) })
}

class Sampling<T> implements Kernel<T, T> {
  readonly eager = true
  readonly #alarm = new Alarm()
  readonly #start = performance.now()
  #held: { value: T } | undefined
  /** The end of the interval from which the held value is. */
  #due = 0

  constructor(readonly ms: number) {}

  get wants(): string | undefined {
    return this.#held === undefined ? undefined : 'the end of the interval'
  }

  run(port: Port<T, T>): void {
    const { items, end } = port
    if (this.#held === undefined && port.at === end) return
    const now = performance.now()
    this.#flush(port, now)
    if (port.at < end) {
      if (this.#held === undefined) this.#due = this.#next(now)
      this.#held = { value: items[end - 1] }
      port.at = end
      this.#flush(port, now)
    }
    if (this.#held !== undefined && !port.full) this.#alarm.set(port, this.#due, now)
  }

  /** The next point of the grid. */
  #next(now: number): number {
    return this.#start + (Math.floor((now + SLACK - this.#start) / this.ms) + 1) * this.ms
  }

  #flush(port: Port<T, T>, now: number): void {
    if (this.#held === undefined || now + SLACK < this.#due) return
    if ((port.full = port.count >= port.room)) return
    port.out[port.count++] = this.#held.value
    this.#held = undefined
  }

  end(port: Port<T, T>): void {
    if (this.#held !== undefined) port.out[port.count++] = this.#held.value
    this.close()
  }

  close(): void {
    this.#alarm.clear()
  }
}

/**
 * Divides the time of the run into intervals of `ms` milliseconds and passes on, at the end of each, the latest value
 * that came in it; nothing where none did. The others are dropped.
 *
 * - Where there is no room at the end of an interval, the latest value is passed on as soon as there is.
 * - The value that is held comes out at the end, at a stop, and before a failure passes.
 *
 * Ordered. Concurrency 1. Holds at most one value. On error: cannot fail.
 *
 * @throws RangeError for a time that is not above zero.
 * @example
 * import { pipeline, range, sample } from 'sluice'
 *
 * await pipeline(range(1000), sample(60_000)).run() // => [999]
 */
export function sample<T>(ms: number, options: StageOptions = {}): Stage<T, T> {
  const isTime = typeof ms === 'number' && ms > 0
  demand(isTime, 'create sample', 'ms', 'a number of milliseconds > 0', ms)
  return part('stage', 'sample', options, { kernel: () => new Sampling<T>(ms) })
}

/**
 * How long it has really been waiting is told when the timer fires. There is none while the stage is held up by who
 * comes after: it is run when that is over.
 */
class Watching<T> implements Kernel<T, T> {
  #since = performance.now()
  #stopTimer: (() => void) | undefined

  constructor(
    readonly port: Port<T, T>,
    readonly ms: number,
  ) {}

  run(port: Port<T, T>): void {
    if (this.#stopTimer === undefined) this.#arm(this.ms)
    pass(port)
    if (port.count > 0) this.#since = performance.now()
  }

  #arm(ms: number): void {
    this.#stopTimer = startTimer(Math.ceil(ms), () => {
      const { port } = this
      this.#stopTimer = undefined
      // Values wait here, or an end does.
      if (port.stock > 0 || port.full) return
      const left = this.#since + this.ms - performance.now()
      if (left > 0) return this.#arm(left)
      port.fail(new DOMException(`No value came for ${this.ms} ms`, 'TimeoutError'))
    })
  }

  end(): void {
    this.close()
  }

  close(): void {
    this.#stopTimer?.()
  }
}

/**
 * Passes values on, and fails when none has come for `ms` milliseconds, from the start of the run or from the value
 * before.
 *
 * - Only waiting for a value counts; being held up by what comes after does not.
 *
 * Ordered. Concurrency 1. Holds nothing. On error: fails with an error named `TimeoutError`.
 *
 * @throws RangeError for a negative time or NaN.
 * @example
 * import { channel, idleTimeout, pipeline, source } from 'sluice'
 *
 * const [tx, silent] = channel<string>(1)
 * const run = pipeline(source(silent), idleTimeout(10)).run()
 * await run // => throws StageError: Stage "idleTimeout" failed: No value came for 10 ms
 * tx.close()
 */
export function idleTimeout<T>(ms: number, options: StageOptions = {}): Stage<T, T> {
  demandTime(ms, 'create idleTimeout', 'ms')
  return part('stage', 'idleTimeout', options, { kernel: (port) => new Watching<T>(port, ms) })
}
