// Stages that wait for something can wait at the same time.

import { setTimeout as sleep } from 'node:timers/promises'
import { type Check, hang } from '../check.ts'
import type { Tools, Work } from '../peer.ts'
import { read, Watched } from '../watched.ts'

const most = 80
const slow: Work = (value) => sleep(5, value)

async function milliseconds(map: Tools['map']): Promise<number> {
  const start = performance.now()
  const ended = await read(map(new Watched().values({ count: 10 }), [slow, slow], 1))
  return ended === 'end' ? performance.now() - start : Infinity
}

/** What else the machine does can only make it longer. */
async function shortest(map: Tools['map']): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < 5; i++) times.push(await milliseconds(map))
  return Math.round(Math.min(...times))
}

export const overlap: Check = {
  id: 'overlap',
  title: 'Two stages of 5 ms over 10 values',
  meaning:
    'A value at a time in each stage: about 55 ms where the stages overlap, 100 where they take turns. The shortest of 5 runs; in brackets with a buffer between the stages, where that is an option.',
  rule: `at most ${most} ms without the option`,
  measure: async ({ map, bufferedMap }) => {
    const plain = await shortest(map)
    if (plain === Infinity) return hang
    const buffered = bufferedMap ? ` (${await shortest(bufferedMap)})` : ''
    return { ok: plain <= most, text: `${plain} ms${buffered}` }
  },
}
