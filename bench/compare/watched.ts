// Sources that tell what becomes of them, and waits with an end.

import { setTimeout as sleep } from 'node:timers/promises'

/** What a source does after its last value. */
type Ending = 'end' | 'fail' | 'stall'

interface Script {
  /** How many values; endless unless told. */
  count?: number
  /** The first value; the next ones count on. */
  from?: number
  /** Milliseconds before each value and before the end; none unless told. */
  pause?: number
  ending?: Ending
}

/** A source, how many values were pulled from it, and whether its `finally` has run. */
export class Watched {
  pulled = 0
  readonly released: Promise<void>
  #release = () => {}

  constructor() {
    this.released = new Promise((resolve) => (this.#release = resolve))
  }

  async *values({ count = Infinity, from = 0, pause = 0, ending = 'end' }: Script = {}) {
    try {
      for (let i = 0; i < count; i++) {
        if (pause > 0) await sleep(pause)
        this.pulled++
        yield from + i
      }
      if (pause > 0) await sleep(pause)
      if (ending === 'fail') throw new Error('The source has failed')
      if (ending === 'stall') await new Promise(() => {})
    } finally {
      this.#release()
    }
  }
}

/** Whether a promise settles in `ms`, one way or the other. */
export async function settles(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => (timer = setTimeout(resolve, ms, false)))
  const settled = promise.then(
    () => true,
    () => true,
  )
  const outcome = await Promise.race([settled, late])
  clearTimeout(timer)
  return outcome
}

/** How a loop over an output ended: with its last value, left early, with an error, or not in time. */
export type Ended = 'end' | 'left' | 'error' | 'hang'

/** Reads `output` until `leave` says so, until it ends, or for five seconds. */
export async function read<T>(
  output: AsyncIterable<T>,
  leave: (value: T) => boolean | Promise<boolean> = () => false,
): Promise<Ended> {
  let ended: Ended = 'hang'
  const reading = async () => {
    try {
      for await (const value of output) {
        const answer = leave(value)
        if (answer === true || (answer && (await answer))) return 'left'
      }
      return 'end'
    } catch {
      return 'error'
    }
  }
  await settles(
    reading().then((how) => (ended = how)),
    5000,
  )
  return ended
}
