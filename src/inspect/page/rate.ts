/** How fast a count grows: over the last second, and a point for each second of the last minute. */

/** How many points are kept. */
export const MINUTE = 60
const SECOND = 1000

export class Rate {
  #counts: { at: number; count: number }[] = [{ at: 0, count: 0 }]
  #rate = 0
  #points = 0
  readonly history: number[] = []

  /** `at`: milliseconds of the run; `points`: how many points there should be. Gives the counts per second. */
  add(count: number, at: number, points: number): number {
    const last = this.#counts.at(-1)!
    // When the run has ended its time stands still, and so does this.
    if (at > last.at) {
      this.#counts.push({ at, count })
      // One that is older than a second is kept, so that there is a whole second to look at.
      while (this.#counts.length > 2 && at - this.#counts[1].at >= SECOND) this.#counts.shift()
      const [since] = this.#counts
      this.#rate = +(((count - since.count) * SECOND) / (at - since.at)).toFixed(1)
    }
    if (points > this.#points) this.history.push(this.#rate)
    if (this.history.length > MINUTE) this.history.shift()
    this.#points = points
    return this.#rate
  }
}
