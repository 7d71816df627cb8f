// A source that gives nothing any more, as a connection that is down without saying so.

import { setTimeout as sleep } from 'node:timers/promises'
import { type Check, hang } from '../check.ts'
import { settles, Watched } from '../watched.ts'

const rule = 'it settles within 500 ms'
const ok = { ok: true, text: 'settles' }
const pass = (value: number) => Promise.resolve(value)

export const stalledReturn: Check = {
  id: 'stalled-return',
  title: '`return()` while the source is stalled',
  meaning: 'A source that hangs after its first value, a second `next()` that waits, then `return()`.',
  rule,
  measure: async ({ map }) => {
    const input = new Watched().values({ count: 1, ending: 'stall' })
    const output = map(input, [pass], 2)[Symbol.asyncIterator]()
    await output.next()
    output.next().catch(() => {})
    await sleep(50)
    const returned = Promise.resolve(output.return?.())
    return (await settles(returned, 500)) ? ok : hang
  },
}

export const stalledAbort: Check = {
  id: 'stalled-abort',
  title: 'Abort while the source is stalled',
  meaning: 'The same source, read by the library itself; an `AbortSignal` that it was given aborts.',
  rule,
  measure: ({ abortable }) =>
    abortable &&
    (async () => {
      const controller = new AbortController()
      const input = new Watched().values({ count: 1, ending: 'stall' })
      const running = abortable(input, pass, controller.signal)
      if (await settles(running, 50)) return { ok: false, text: 'ends before' }
      controller.abort()
      return (await settles(running, 500)) ? ok : hang
    })(),
}
