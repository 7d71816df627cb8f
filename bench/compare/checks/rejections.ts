// An unhandled rejection ends a Node program, whatever its `catch` says.

import { setTimeout as sleep } from 'node:timers/promises'
import { type Check, hang } from '../check.ts'
import { read, Watched } from '../watched.ts'

export const rejections: Check = {
  id: 'rejections',
  title: 'Unhandled rejections when 6 calls fail',
  meaning: 'A map of 8; six calls reject, three of them at once, and the loop catches the error it gets.',
  rule: 'none',
  measure: async ({ map }) => {
    let unhandled = 0
    process.on('unhandledRejection', () => unhandled++)
    const work = async (value: number) => {
      await sleep(value < 3 ? 5 : 5 + 3 * value)
      if (value < 6) throw new Error(`Call ${value} has failed`)
      return value
    }
    const ended = await read(map(new Watched().values({ count: 100 }), [work], 8))
    if (ended === 'hang') return hang
    if (ended !== 'error') return { ok: false, text: `ended with ${ended}` }
    await sleep(200)
    return { ok: unhandled === 0, text: String(unhandled) }
  },
}
