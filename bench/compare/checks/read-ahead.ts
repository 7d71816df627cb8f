// How much is read that nobody has asked for yet. It is lost when the program ends, and held in memory until then.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Check, Verdict } from '../check.ts'
import type { Tools, Work } from '../peer.ts'
import { settles, Watched } from '../watched.ts'

const length = 100_000
const bound = 1000
const rule = `at most ${bound.toLocaleString('en')} of the ${length.toLocaleString('en')}`
const slow: Work = (value) => sleep(1, value)

async function pulled(map: Tools['map'], stages: readonly Work[]): Promise<number> {
  const source = new Watched()
  const output = map(source.values({ count: length }), stages, 8)[Symbol.asyncIterator]()
  const reading = (async () => {
    for (let i = 0; i < 10; i++) await output.next()
  })()
  await settles(reading, 2000)
  await sleep(300)
  return source.pulled
}

async function throughOneAndTwo(map: Tools['map']): Promise<Verdict> {
  const one = await pulled(map, [slow])
  const two = await pulled(map, [slow, slow])
  const text = `${one.toLocaleString('en')} / ${two.toLocaleString('en')}`
  return { ok: Math.max(one, two) <= bound, text }
}

export const readAhead: Check = {
  id: 'read-ahead',
  title: 'Values pulled when 10 were consumed',
  meaning:
    'A source of 100,000 through one / two maps of 8, with the buffers that each library has by itself; then a wait of 300 ms.',
  rule,
  measure: ({ map }) => throughOneAndTwo(map),
}

export const tightReadAhead: Check = {
  id: 'tight-read-ahead',
  title: 'Pulled, with the smallest buffers',
  meaning: 'The same, where smaller buffers than those can be asked for.',
  rule,
  measure: ({ tightMap }) => tightMap && throughOneAndTwo(tightMap),
}
