/**
 * What a task spends its time on. Kernels are timed by the scheduler, per step; a stage of the user tells when it begins
 * to wait, and when it goes on.
 *
 * Short steps are not all timed. One that was not is taken to have been as long as the last one that was.
 */
import { worked } from './scheduler.ts'

/** `busy` can take no more, `called` has calls in flight, or values whose time has not come, but could. */
export type Doing = 'nothing' | 'busy' | 'called' | 'input' | 'output'

/** Milliseconds. */
export type Times = Record<Doing, number>

/** `delayed`: how much of it passed, between its own steps, while other tasks had the event loop. */
export interface Spent {
  readonly times: Times
  readonly delayed: Times
}

const none = (): Times => ({ nothing: 0, busy: 0, called: 0, input: 0, output: 0 })

export class Meter {
  /** What it does from the end of this step on. */
  doing: Doing = 'nothing'
  readonly #spent: Spent = { times: none(), delayed: none() }
  /** What it has done between its steps since `#since`. */
  before: Doing = 'nothing'
  /** How many steps it has made since. The run queue counts them, since a call for each would cost more than the rest. */
  steps = 0
  #since: number
  /** How much all tasks had worked then. */
  #worked = worked
  /** How long one takes, and how long those took that are not among them any more. */
  #took = 0
  #stepping = 0
  /** When it has left: from then on it does nothing. */
  #left = Infinity

  constructor(now: number) {
    this.#since = now
  }

  /** It has begun to do something else, be it with the last step, which was not timed. */
  change(doing = this.doing): void {
    this.doing = doing
    this.#account(performance.now())
  }

  /** It does nothing more. This may be within a step, which is accounted after it. */
  leave(): void {
    this.doing = 'nothing'
    this.#left = performance.now()
  }

  /** The last step took from `began` to `ended`. */
  stepped(began: number, ended: number): void {
    // What a function does after it has ended its stage, by an abort, is not of its time.
    const took = Math.max(0, Math.min(ended, this.#left) - began)
    this.#stepping += (this.steps - 1) * this.#took + took
    this.#took = took
    this.steps = 0
    if (this.doing !== this.before) this.#account(ended)
  }

  #account(now: number): void {
    this.#add(this.#spent, this.before, this.#withinLife(now))
    this.before = this.doing
    this.#since = now
    this.#worked = worked
    this.#stepping = this.steps = 0
  }

  /** Adds the time since. Between its steps it has done what it did `before`. */
  #add({ times, delayed }: Spent, before: Doing, now: number): void {
    const passed = now - this.#since
    const stepping = Math.min(passed, this.#stepping + this.steps * this.#took)
    const between = passed - stepping
    times.busy += stepping
    times[before] += between
    delayed[before] += Math.min(between, Math.max(0, worked - this.#worked - stepping))
  }

  /** What it has spent so far, what it does now included. */
  until(now: number): Spent {
    const { times, delayed } = this.#spent
    const spent = { times: { ...times }, delayed: { ...delayed } }
    this.#add(spent, this.before, this.#withinLife(now))
    return spent
  }

  /** The task or the run may have ended long before what it did then is accounted, and within a step. */
  #withinLife(now: number): number {
    return Math.max(Math.min(now, this.#left), this.#since)
  }
}
