/** How fast a count grows, and a point for each second of the last minute. */
import { Pace } from '../pace.ts'

/** How many points are kept. */
const MINUTE = 60
const SECOND = 1000

export class History {
  readonly #pace = new Pace(SECOND)
  #rate = 0
  /** Milliseconds of the run at the last look: when it has ended they stand still, and so does this. */
  #at = -1
  #seconds = 0
  readonly points: number[] = []

  /** `at`: milliseconds of the run; `seconds`: how many points there should be. Gives the counts per second. */
  add(count: number, at: number, seconds: number): number {
    if (at > this.#at) {
      this.#pace.add(at, count)
      this.#rate = +this.#pace.perSecond.toFixed(1)
    }
    this.#at = at
    if (seconds > this.#seconds) this.points.push(this.#rate)
    if (this.points.length > MINUTE) this.points.shift()
    this.#seconds = seconds
    return this.#rate
  }
}
