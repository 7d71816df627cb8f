/**
 * Time that stands still until a test moves it.
 *
 * `@sinonjs/fake-timers` replaces the globals and keeps the timers; its way of moving time is not used. It lets the
 * event loop turn once between two timers, and that is not enough: a value may need several turns on its way through
 * a pipeline, and would come out too late by the clock. So here everything comes to rest before the next timer fires.
 *
 * What is at rest? The scheduler of the pipelines lives on the real event loop. While it has work it asks for the next
 * turn, which Node tells (an `Immediate` is pending), and it gives up a turn only after 5 ms of work, which shows in
 * the real clock anywhere. So a few short turns in which nobody asks for another mean that nothing moves any more.
 */
import { install } from '@sinonjs/fake-timers'
import { demandOptions } from '../connect/options.ts'
import { demand } from '../errors.ts'
import { LEFT, type Watched } from './released.ts'
import { platformModule, processOf } from './platform.ts'

// Bound when the module loads: rest is looked for in real time.
const realNow = /* @__PURE__ */ performance.now.bind(performance)
type Globals = Partial<Pick<typeof globalThis, 'setImmediate' | 'MessageChannel'>>
const { MessageChannel } = globalThis as Globals
// A browser that is played in Node, as in Jest with jsdom, has neither.
const { setImmediate } =
  'setImmediate' in globalThis ? globalThis : (platformModule<Globals>('node:timers') ?? {})

/** So many quiet turns in a row are rest. */
const QUIET_TURNS = 5
/** A turn in which the scheduler worked until it had to give way is longer than this, in milliseconds. */
const LONG_TURN = 2
/** After so many turns without rest, or timers without an end, something goes round for ever. */
const MOST_TURNS = 5_000
const MOST_TIMERS = 10_000
/** Longer delays make `setTimeout` fire at once. */
const LONGEST = 2 ** 31 - 1

const FAKED = [
  'setTimeout',
  'clearTimeout',
  'setInterval',
  'clearInterval',
  'Date',
  'performance',
] as const satisfies NonNullable<Parameters<typeof install>[0]>['toFake']

/** What `virtualTime` takes. */
export interface VirtualTimeOptions {
  /** What the clock on the wall says at the start: a `Date`, or milliseconds since 1970. Default: 0. */
  date?: Date | number | undefined
}

/** A clock that the test moves. */
export interface VirtualTime extends Disposable {
  /** Milliseconds since the start, an integer. */
  readonly now: number
  /** How many timers are waiting. */
  readonly pending: number
  /**
   * Moves the time by `ms`, an integer. Timers on the way fire in order, each at its own time; before, between and
   * after them everything that can happen does. `advance(0)` waits for just that. Rejects with what a timer throws.
   */
  advance(ms: number): Promise<void>
  /** Moves the time from timer to timer until none is left. */
  runAll(): Promise<void>
  /** Moves the time from timer to timer until the promise has settled, and gives what it gives. */
  runUntil<T>(promise: PromiseLike<T>): Promise<T>
  /** Brings real time back. Timers that still wait never fire. `using` does it at the end of the block. */
  restore(): void
}

/**
 * Makes time stand still until the test moves it, for everything that uses the global `setTimeout`, `clearTimeout`,
 * `setInterval`, `clearInterval`, `Date` and `performance`. All times and timers of this package do.
 *
 * - A timeline is exact: before a timer fires, all promises and all stages have come to rest. What several branches or inputs
 *   give at one and the same time is merged in any order.
 * - Time starts at 0. `performance.now()` does too, and `Date` unless told otherwise.
 * - In Node also virtual: what modules import from `node:timers` and `node:timers/promises`. Not so in Bun, and nowhere
 *   for what a CommonJS module took out of `require('timers/promises')` before.
 * - Not virtual: `AbortSignal.timeout` (pass a stage its `timeout`, or abort a controller in a `setTimeout`),
 *   `setImmediate`, `queueMicrotask`. A chain of `setImmediate` is waited for to its end in Node, elsewhere for
 *   a few turns.
 * - `runAll` and `runUntil` give up after 10,000 timers, `advance` after as many at one and the same time: they would go
 *   on for ever.
 * - Real I/O and workers are not waited for: await what a test needs of them before it moves the time.
 * - Of `stats()` the counts hold, the shares of time do not: work takes real time.
 * - A `retry` waits for a random part of its delay unless its `jitter` is 0.
 *
 * @throws Error where timers are faked already, by another virtual time, by Vitest or Jest (those of
 * `node:test` are not seen). TypeError for wrong options.
 * @example
 * import { after } from 'sluice'
 * import { virtualTime } from 'sluice/testing'
 *
 * using time = virtualTime()
 * const minute = after(60_000).recv()
 * await time.advance(59_999)
 * time.pending // => 1
 * await time.advance(1)
 * await minute // => 60_000
 * new Date() // => new Date('1970-01-01T00:01:00Z')
 */
export function virtualTime(options: VirtualTimeOptions = {}): VirtualTime {
  demandOptions(options, 'create virtual time')
  return new FakeTime(options)
}

class FakeTime implements VirtualTime, Watched {
  readonly #clock
  readonly #start: number
  /** The mark that `#fire` sets is not a timer of the test. */
  #marks = 0
  #moving = false
  #restored = false

  constructor({ date = 0 }: VirtualTimeOptions) {
    const start = date instanceof Date ? date.getTime() : date
    demand(
      Number.isInteger(start),
      'create virtual time',
      'date',
      'a valid Date or an integer',
      date,
      TypeError,
    )
    // So every version of the library marks what it has replaced, the one inside Vitest and Jest too.
    if ('clock' in setTimeout || 'clock' in Date)
      throw new Error('Cannot create virtual time: timers must be real, they are faked already')
    // Somebody's real timer that is cleared meanwhile, as one of `fetch` is, must not fire later.
    this.#clock = install({ now: start, toFake: [...FAKED], shouldClearNativeTimers: true })
    this.#start = start
    // As in Node: at 0 no time would pass between two ticks, below it the clock would run backwards.
    const { setInterval: every } = this.#clock
    const ticking: typeof every = (fn, ms, ...args) => every(fn, Number(ms) >= 1 ? ms : 1, ...args)
    // With what is noted there for the end.
    this.#clock.setInterval = Object.assign(ticking, every)
    const { scheduler, setTimeout: sleep } = timersPromises()
    if (scheduler) scheduler.wait = (ms, options) => sleep!(ms, undefined, options)
    tellModules()
  }

  get now(): number {
    return this.#clock.now - this.#start
  }

  get pending(): number {
    return this.#clock.countTimers() - this.#marks
  }

  advance(ms: number): Promise<void> {
    demand(Number.isInteger(ms) && ms >= 0, 'advance time', 'ms', 'an integer >= 0', ms)
    return this.#move('advance time', async () => {
      const end = this.#clock.now + ms
      let fired = 0
      let instant = this.#clock.now
      while (this.#fire(end) || this.#clock.now < end) {
        if (instant !== this.#clock.now) fired = 0
        instant = this.#clock.now
        this.#demandEnd(++fired, 'advance time')
        await this.#rest('advance time')
      }
    })
  }

  runAll(): Promise<void> {
    return this.#move('run all timers', async () => {
      for (let fired = 1; this.pending > 0; fired++) {
        this.#demandEnd(fired, 'run all timers')
        this.#clock.next()
        await this.#rest('run all timers')
      }
    })
  }

  async runUntil<T>(promise: PromiseLike<T>): Promise<T> {
    const action = 'run until the promise settles'
    // A pipeline that nobody has run would be given back, and nothing would happen.
    const { then } = Object(promise) as Partial<PromiseLike<T>>
    demand(typeof then === 'function', action, 'promise', 'a promise', promise, TypeError)
    let settled = false
    const settle = (): void => void (settled = true)
    // Asked once: a query that begins when its `then` is called would begin again.
    const result = Promise.resolve(promise)
    result.then(settle, settle)
    await this.#move(action, async () => {
      for (let fired = 1; !settled; fired++) {
        if (this.pending === 0)
          throw new Error(`Cannot ${action}: a timer must be left, none is at ${this.now} ms`)
        this.#demandEnd(fired, action)
        this.#clock.next()
        await this.#rest(action)
      }
    })
    return result
  }

  restore(): void {
    if (this.#restored) return
    this.#restored = true
    this.#clock.uninstall()
    // That of its class is there again.
    delete timersPromises().scheduler?.wait
    tellModules()
  }

  [Symbol.dispose](): void {
    this.restore()
  }

  [LEFT](): string[] {
    const { pending } = this
    return pending === 0 ? [] : [`${pending} timer${pending === 1 ? '' : 's'} pending at ${this.now} ms`]
  }

  /** Two that move the time at once would take timers from each other. */
  async #move(action: string, moving: () => Promise<void>): Promise<void> {
    this.#demandVirtual(action)
    if (this.#moving)
      throw new Error(`Cannot ${action}: nobody else may move it, another call has not settled`)
    this.#moving = true
    try {
      await this.#rest(action)
      await moving()
    } finally {
      this.#moving = false
    }
  }

  /** Fires the next timer that is due by `end`; where there is none, a mark set there comes first instead. */
  #fire(end: number): boolean {
    let found = true
    const mark = this.#clock.setTimeout(() => void (found = false), Math.min(end - this.#clock.now, LONGEST))
    this.#marks++
    try {
      this.#clock.next()
    } finally {
      this.#marks--
      this.#clock.clearTimeout(mark)
    }
    return found
  }

  /** Waits until nothing moves any more, as far as it can without time passing. */
  async #rest(action: string): Promise<void> {
    let quiet = 0
    for (let turns = 0; quiet < QUIET_TURNS; turns++) {
      if (turns === MOST_TURNS)
        throw new Error(
          `Cannot ${action}: everything must come to rest, work goes on after ${MOST_TURNS} turns`,
        )
      const began = realNow()
      await turn()
      // Two that wait for rest ask for turns for ever: of a test that has failed, none may be left.
      this.#demandVirtual(action)
      quiet = realNow() - began > LONG_TURN || isTurnAsked() ? 0 : quiet + 1
    }
  }

  #demandVirtual(action: string): void {
    if (this.#restored) throw new Error(`Cannot ${action}: it must be virtual, it has been restored`)
  }

  #demandEnd(fired: number, action: string): void {
    if (fired <= MOST_TIMERS) return
    throw new Error(
      `Cannot ${action}: timers must come to an end, ${MOST_TIMERS} have fired and ${this.pending} wait at ${this.now} ms`,
    )
  }
}

/** Somebody else has asked for the next turn of the event loop. */
function isTurnAsked(): boolean {
  return processOf().getActiveResourcesInfo?.().includes('Immediate') ?? false
}

/** One turn of the real event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    if (setImmediate !== undefined) return void setImmediate(resolve)
    const { port1, port2 } = new MessageChannel!()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(0)
  })
}

interface TimersPromises {
  setTimeout?: (ms: number, value: undefined, options: unknown) => Promise<void>
  /** Its `wait` does not look at what `setTimeout` has become. */
  scheduler?: { wait?: (ms: number, options?: unknown) => Promise<void> }
}

function timersPromises(): TimersPromises {
  return platformModule<TimersPromises>('node:timers/promises') ?? {}
}

/** `import { setTimeout } from 'node:timers/promises'` sees what has been replaced only once Node is told. */
function tellModules(): void {
  platformModule<{ syncBuiltinESMExports?(): void }>('node:module')?.syncBuiltinESMExports?.()
}
