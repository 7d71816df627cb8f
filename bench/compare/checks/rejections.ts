// An unhandled rejection ends a Node program, whatever its `catch` says.

import { setTimeout as sleep } from 'node:timers/promises'
import { type Check, hang } from '../check.ts'
import { read, Watched } from '../watched.ts'

const milliseconds = {
  'at once': () => 5,
  'one after the other': (value: number) => 5 + 3 * value,
  'the last one first': (value: number) => 25 - 3 * value,
}

export const rejections: Check = {
  id: 'rejections',
  title: 'Unhandled rejections when 6 calls fail',
  meaning:
    'A map of 8; the first six calls reject, and the loop catches the error it gets. Three runs: all at once, one after the other, the last one first.',
  rule: 'none in all three',
  measure: async ({ map }) => {
    let unhandled = 0
    process.on('unhandledRejection', () => unhandled++)
    for (const wait of Object.values(milliseconds)) {
      const work = async (value: number) => {
        await sleep(value < 6 ? wait(value) : 20)
        if (value < 6) throw new Error(`Call ${value} has failed`)
        return value
      }
      const ended = await read(map(new Watched().values({ count: 100 }), [work], 8))
      if (ended === 'hang') return hang
      if (ended !== 'error') return { ok: false, text: `ended with ${ended}` }
      await sleep(200)
    }
    return { ok: unhandled === 0, text: String(unhandled) }
  },
}
