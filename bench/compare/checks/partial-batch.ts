// Values that came before an error are as good as any.

import { type Check, hang } from '../check.ts'
import { read, Watched } from '../watched.ts'

export const partialBatch: Check = {
  id: 'partial-batch',
  title: 'Half-full batch when the source fails',
  meaning: 'Batches of 100, or of 500 ms; the source fails after 3 values. How many of them come out.',
  rule: 'all 3',
  measure: ({ batch }) =>
    batch &&
    (async () => {
      let values = 0
      const output = batch(new Watched().values({ count: 3, pause: 5, ending: 'fail' }), 100, 500)
      const ended = await read(output, (some) => {
        values += some.length
        return false
      })
      if (ended === 'hang') return hang
      if (ended !== 'error') return { ok: false, text: `ended with ${ended}` }
      return { ok: values === 3, text: values === 3 ? 'delivered' : `${3 - values} of 3 lost` }
    })(),
}
