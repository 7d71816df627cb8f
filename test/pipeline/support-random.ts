/**
 * Properties with a seed: a law is tried many times, each with its own seed, and a failure names the seed.
 * `SLUICE_SEED=123 npx vitest run test/stages/laws.test.ts` runs that one again.
 */
import { turns } from './support-waiting.ts'

export interface Random {
  /** An integer in from … to, both included. */
  int(from: number, to: number): number
  pick<T>(values: readonly [T, ...T[]]): T
  /** A pause: none, some microtasks, or some turns of the event loop. */
  pause(): Promise<void>
}

/** mulberry32: 32 bits of state are enough for a test, and the same seed gives the same run everywhere. */
export function randomFrom(seed: number): Random {
  let state = seed | 0
  const fraction = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  const int = (from: number, to: number) => from + Math.floor(fraction() * (to - from + 1))
  return {
    int,
    pick: (values) => values[int(0, values.length - 1)],
    async pause() {
      const kind = int(0, 3)
      if (kind === 1) for (let n = int(1, 5); n > 0; n--) await null
      if (kind === 2) await turns(int(1, 3))
    },
  }
}

/** Tries a law `times` times; what fails is reported with its seed. */
export async function law(times: number, body: (random: Random) => Promise<void>): Promise<void> {
  const replay = process.env['SLUICE_SEED']
  const first = replay === undefined ? Date.now() % 1_000_000_000 : Number(replay)
  for (let round = 0; round < (replay === undefined ? times : 1); round++) {
    const seed = first + round
    try {
      await body(randomFrom(seed))
    } catch (error) {
      throw new Error(`Law broken with SLUICE_SEED=${seed}: ${String(error)}`, { cause: error })
    }
  }
}
