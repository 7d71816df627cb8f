// One slow value at the head of the line: do the others go on?

import { setTimeout as sleep } from 'node:timers/promises'
import { median } from '../../machine.ts'
import type { Check } from '../check.ts'
import type { Tools } from '../peer.ts'
import { read, Watched } from '../watched.ts'

const items = 100

async function startsInTime(map: Tools['map']): Promise<number> {
  let starts = 0
  let inTime = 0
  const work = (value: number) => {
    if (starts++ === 0) setTimeout(() => (inTime = starts), 300)
    return sleep(value === 0 ? 600 : 5, value)
  }
  await read(map(new Watched().values({ count: items }), [work], 4))
  return inTime
}

export const headOfLine: Check = {
  id: 'head-of-line',
  title: 'Calls begun beside a slow one',
  meaning:
    '100 values, 4 at a time; the first takes 600 ms, the others 5 ms. The calls begun in the first 300 ms, with results in any order where the library can, else in order. Median of 3.',
  rule: 'more than half of the 100',
  measure: async ({ map, ordered, unorderedMap }) => {
    const best = unorderedMap ?? map
    const starts = median([await startsInTime(best), await startsInTime(best), await startsInTime(best)])
    const order = ordered && !unorderedMap ? 'in order' : 'any order'
    return { ok: starts > items / 2, text: `${starts}, ${order}` }
  },
}
