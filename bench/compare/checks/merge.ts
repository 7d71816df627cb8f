// Many sources into one: each gets its turn, and none is left open.

import { setTimeout as sleep } from 'node:timers/promises'
import { type Check, hang, type Verdict } from '../check.ts'
import type { Tools } from '../peer.ts'
import { read, settles, Watched } from '../watched.ts'

const rule = 'both within 500 ms'
const among = 20

async function released(sources: readonly Watched[]): Promise<Verdict> {
  const closed = await Promise.all(sources.map((source) => settles(source.released, 500)))
  const count = closed.filter(Boolean).length
  return { ok: count === sources.length, text: `${count} of ${sources.length}` }
}

/** The share of the first of two sources that always have a value, for a loop that takes so long for each. */
async function share(merge: NonNullable<Tools['merge']>, pause: number): Promise<number> {
  const inputs = [0, 1_000_000].map((from) => new Watched().values({ from, count: 10_000 }))
  const values: number[] = []
  await read(merge(inputs), (value) => {
    const enough = values.push(value) === among
    return pause > 0 ? sleep(pause, enough) : enough
  })
  return values.filter((value) => value < 1_000_000).length / values.length
}

export const fairness: Check = {
  id: 'fairness',
  title: 'Share of the first of two merged sources',
  meaning: `Two sources of 10,000 values that never wait; the first ${among} values that come out, in a loop that takes each at once / that takes 1 ms for each.`,
  rule: '25 to 75 % in both',
  measure: ({ merge }) =>
    merge &&
    (async () => {
      const shares = [await share(merge, 0), await share(merge, 1)]
      return {
        ok: shares.every((part) => part >= 0.25 && part <= 0.75),
        text: `${shares.map((part) => Math.round(part * 100)).join(' / ')} %`,
      }
    })(),
}

export const losersOnBreak: Check = {
  id: 'merge-break',
  title: 'Merged sources closed after a `break`',
  meaning: 'Two endless sources, a value a millisecond each; the loop is left at the sixth value.',
  rule,
  measure: ({ merge }) =>
    merge &&
    (async () => {
      const sources = [new Watched(), new Watched()]
      let count = 0
      const output = merge(sources.map((source) => source.values({ pause: 1 })))
      const ended = await read(output, () => ++count === 6)
      return ended === 'hang' ? hang : released(sources)
    })(),
}

export const losersOnFailure: Check = {
  id: 'merge-failure',
  title: 'Others closed when a merged source fails',
  meaning: 'The same with a third source, which fails after 3 values; the loop reads on.',
  rule,
  measure: ({ merge }) =>
    merge &&
    (async () => {
      const sources = [new Watched(), new Watched()]
      const failing = new Watched().values({ pause: 1, count: 3, ending: 'fail' })
      const output = merge([...sources.map((source) => source.values({ pause: 1 })), failing])
      const ended = await read(output)
      return ended === 'hang' ? hang : released(sources)
    })(),
}
