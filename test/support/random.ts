/** A reproducible source of randomness (mulberry32): the same seed gives the same program. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** A float in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  /** An integer in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.next() * limit)
  }

  /** Puts `list` in a random order, in place. */
  shuffle<T>(list: T[]): T[] {
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      const held = list[i]
      list[i] = list[j]
      list[j] = held
    }
    return list
  }
}

/** The seed of this run: SLUICE_SEED where it is set, so that a failure can be replayed. */
export function seedOfRun(): number {
  const given = process.env['SLUICE_SEED']
  return given === undefined ? (Date.now() ^ (process.pid << 12)) >>> 0 : Number(given) >>> 0
}
