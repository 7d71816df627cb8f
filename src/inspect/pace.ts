/** How fast a count grows, over the last while: whole, so that it is 0 as soon as nothing has come for that long. */
export class Pace {
  readonly #samples: { at: number; count: number }[] = []

  constructor(readonly window: number) {}

  /** `at` in milliseconds since the count was 0. */
  add(at: number, count: number): void {
    const samples = this.#samples
    if (samples.length === 0 && at < this.window) samples.push({ at: 0, count: 0 })
    samples.push({ at, count })
    // The first one is at the beginning of the window, or before.
    while (samples.length > 2 && samples[1].at <= at - this.window) samples.shift()
  }

  get perSecond(): number {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)!]
    return perSecond(last.count - first.count, last.at - first.at)
  }
}

export function perSecond(count: number, ms: number): number {
  return ms > 0 ? (count / ms) * 1_000 : 0
}
