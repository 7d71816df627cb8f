/**
 * What a task spends its time on. Kernels are timed by the scheduler, per step; a stage of the user tells when it begins
 * to wait, and when it goes on.
 */

export type Doing = 'nothing' | 'busy' | 'input' | 'output'

export class Meter {
  /** What it does from the end of this step on. */
  doing: Doing = 'nothing'
  readonly #spent = { nothing: 0, busy: 0, input: 0, output: 0 }
  /** What it has done since `#since`. */
  #before: Doing = 'nothing'
  #since: number

  constructor(now: number) {
    this.#since = now
  }

  /** Begins to do something else. */
  change(doing: Doing): void {
    const now = performance.now()
    this.stepped(now, now)
    this.doing = this.#before = doing
  }

  /** A step took from `began` to `ended`. */
  stepped(began: number, ended: number): void {
    this.#spent[this.#before] += began - this.#since
    this.#spent.busy += ended - began
    this.#before = this.doing
    this.#since = ended
  }

  /** Milliseconds spent so far, what it does now included. */
  until(now: number): Record<Doing, number> {
    const before = this.doing === 'nothing' ? 'nothing' : this.#before
    return { ...this.#spent, [before]: this.#spent[before] + now - this.#since }
  }
}
