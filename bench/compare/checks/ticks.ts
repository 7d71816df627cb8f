// A long run of promises that are settled already lets no timer fire, and no I/O through, unless someone gives way.

import { type Check, hang } from '../check.ts'
import type { Tools } from '../peer.ts'
import { read, Watched } from '../watched.ts'

const items = 20_000
const allowed = 20

interface Run {
  ticks: number
  elapsed: number
}

async function run({ map }: Tools): Promise<Run | undefined> {
  let ticks = 0
  const clock = setInterval(() => ticks++, 1)
  const start = performance.now()
  const ended = await read(map(new Watched().values({ count: items }), [async (value) => value], 8))
  clearInterval(clock)
  return ended === 'end' ? { ticks, elapsed: performance.now() - start } : undefined
}

export const ticks: Check = {
  id: 'ticks',
  title: 'Timer ticks while 20,000 values pass',
  meaning:
    'Values in memory and a function that is async and does nothing, a map of 8; ticks of an interval of 1 ms, and the time that it took. The shortest of 3 runs.',
  rule: `one at least, and one in every ${allowed} ms`,
  measure: async (tools) => {
    const runs = [await run(tools), await run(tools), await run(tools)].filter((one) => one !== undefined)
    if (runs.length < 3) return hang
    const [shortest] = runs.sort((a, b) => a.elapsed - b.elapsed)
    const elapsed = Math.round(shortest.elapsed)
    return {
      ok: shortest.ticks >= Math.max(1, Math.floor(elapsed / allowed)),
      text: `${shortest.ticks} in ${elapsed.toLocaleString('en')} ms`,
    }
  },
}
