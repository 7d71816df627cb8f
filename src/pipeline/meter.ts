/**
 * What a task spends its time on. Kernels are timed by the scheduler, per step; a stage of the user tells when it begins
 * to wait, and when it goes on.
 *
 * Short steps are not all timed. One that was not is taken to have been as long as the last one that was.
 */

export type Doing = 'nothing' | 'busy' | 'input' | 'output'

export class Meter {
  /** What it does from the end of this step on. */
  doing: Doing = 'nothing'
  readonly #spent = { nothing: 0, busy: 0, input: 0, output: 0 }
  /** What it has done between its steps since `#since`. */
  #before: Doing = 'nothing'
  #since: number
  /** How many steps it has made since, and how long one takes. */
  #steps = 0
  #took = 0

  constructor(now: number) {
    this.#since = now
  }

  /** Begins to do something else. */
  change(doing: Doing): void {
    this.#account(performance.now())
    this.doing = this.#before = doing
  }

  /** A step took from `began` to `ended`; or it was not timed. */
  stepped(began?: number, ended?: number): void {
    this.#steps++
    if (ended !== undefined) {
      this.#took = ended - began!
      this.#account(ended)
    } else if (this.doing !== this.#before) this.#account(performance.now())
  }

  #account(now: number): void {
    const busy = this.#busyUntil(now)
    this.#spent[this.#before] += now - this.#since - busy
    this.#spent.busy += busy
    this.#before = this.doing
    this.#since = now
    this.#steps = 0
  }

  /** How much of the time since was spent in steps. */
  #busyUntil(now: number): number {
    return Math.min(now - this.#since, this.#steps * this.#took)
  }

  /** Milliseconds spent so far, what it does now included. */
  until(now: number): Record<Doing, number> {
    const { busy } = this.#spent
    // The run may have ended within a step, which was accounted after that.
    const until = Math.max(now, this.#since)
    const stepping = this.#busyUntil(until)
    const before = this.doing === 'nothing' ? 'nothing' : this.#before
    const spent = { ...this.#spent, busy: busy + stepping }
    spent[before] += until - this.#since - stepping
    return spent
  }
}
