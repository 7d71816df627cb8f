// A timer that nobody needs any more keeps the process alive until it fires.

import { type AtExit, type Check, hang } from '../check.ts'
import { type Ended, read, Watched } from '../watched.ts'

const window = 1500
const most = 300
const rule = `the process ends within ${most} ms`

const lived: AtExit = (milliseconds) => ({
  ok: milliseconds <= most,
  text: `${Math.round(milliseconds).toLocaleString('en')} ms`,
})

const judged = (ended: Ended, wanted: Ended) => {
  if (ended === 'hang') return hang
  return ended === wanted ? lived : { ok: false, text: `ended with ${ended}` }
}

export const timerAfterBreak: Check = {
  id: 'timer-break',
  title: 'Process lives on after a batch by time is left',
  meaning: 'Batches of 2, or of 1,500 ms, from 5 values; the loop is left at the first batch.',
  rule,
  measure: ({ batch }) =>
    batch &&
    read(batch(new Watched().values({ count: 5, ending: 'stall' }), 2, window), () => true).then((ended) =>
      judged(ended, 'left'),
    ),
}

export const timerAfterError: Check = {
  id: 'timer-error',
  title: 'Process lives on after the batched source fails',
  meaning: 'Batches of 100, or of 1,500 ms; the source fails after 3 values.',
  rule,
  measure: ({ batch }) =>
    batch &&
    read(batch(new Watched().values({ count: 3, pause: 5, ending: 'fail' }), 100, window)).then((ended) =>
      judged(ended, 'error'),
    ),
}
