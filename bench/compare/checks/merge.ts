// Many sources into one: each gets its turn, and none is left open.

import { type Check, hang, type Verdict } from '../check.ts'
import { read, settles, Watched } from '../watched.ts'

const rule = 'both within 500 ms'
const among = 20

async function released(sources: readonly Watched[]): Promise<Verdict> {
  const closed = await Promise.all(sources.map((source) => settles(source.released, 500)))
  const count = closed.filter(Boolean).length
  return { ok: count === sources.length, text: `${count} of ${sources.length}` }
}

export const fairness: Check = {
  id: 'fairness',
  title: 'Share of the first of two merged sources',
  meaning: `Two sources of 10,000 values that never wait; the first ${among} values that come out.`,
  rule: '25 to 75 %',
  measure: ({ merge }) =>
    merge &&
    (async () => {
      const inputs = [0, 1_000_000].map((from) => new Watched().values({ from, count: 10_000 }))
      const values: number[] = []
      const ended = await read(merge(inputs), (value) => values.push(value) === among)
      if (ended === 'hang' && values.length < among) return hang
      const share = values.filter((value) => value < 1_000_000).length / among
      return { ok: share >= 0.25 && share <= 0.75, text: `${Math.round(share * 100)} %` }
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
