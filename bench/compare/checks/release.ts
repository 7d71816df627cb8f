// A source holds something: a file, a connection. Its `finally` is where it lets go.

import { setTimeout as sleep } from 'node:timers/promises'
import { type Check, hang, type Verdict, yesOrNo } from '../check.ts'
import type { Tools, Work } from '../peer.ts'
import { type Ended, read, settles, Watched } from '../watched.ts'

const rule = 'its `finally` has run within 500 ms'

async function release(
  { map }: Tools,
  work: Work,
  wanted: Ended,
  leave?: (value: number) => boolean,
): Promise<Verdict> {
  const source = new Watched()
  const ended = await read(map(source.values({ pause: 1 }), [work], 2), leave)
  if (ended === 'hang') return hang
  if (ended !== wanted) return { ok: false, text: `ended with ${ended}` }
  return yesOrNo(await settles(source.released, 500))
}

export const releaseOnBreak: Check = {
  id: 'release-break',
  title: 'Source released after a `break`',
  meaning: 'An endless source, a map of 2, and a loop that is left at the third value.',
  rule,
  measure: (tools) => {
    let count = 0
    return release(
      tools,
      (value) => sleep(1, value),
      'left',
      () => ++count === 3,
    )
  },
}

export const releaseOnRejection: Check = {
  id: 'release-rejection',
  title: 'Source released after a mapper rejects',
  meaning: 'The same, read on; the function rejects at the fourth value.',
  rule,
  measure: (tools) =>
    release(
      tools,
      async (value) => {
        await sleep(1)
        if (value === 3) throw new Error('The mapper has rejected')
        return value
      },
      'error',
    ),
}

export const releaseOnThrow: Check = {
  id: 'release-throw',
  title: 'Source released after a mapper throws',
  meaning: 'The same; the function throws before it gives a promise.',
  rule,
  measure: (tools) =>
    release(
      tools,
      (value) => {
        if (value === 3) throw new Error('The mapper has thrown')
        return sleep(1, value)
      },
      'error',
    ),
}
