// Twenty thousand inputs. No timing is asserted; but if all were looked at for each of them, that would take minutes,
// and the limit of twenty seconds would end it.
import { count, pipeline, zip } from 'sluice'
import { expect, it } from 'vitest'
import { deferred } from '../pipeline/support-waiting.ts'

it(
  'zip waits for very many inputs that come one by one, as mergeSorted does',
  { timeout: 20_000 },
  async () => {
    const inputs = Array.from({ length: 20_000 }, () => deferred<number[]>())
    const counted = pipeline(zip(...inputs.map(({ promise }) => promise)), count()).run()
    for (const [i, { resolve }] of inputs.entries()) {
      resolve([i])
      await new Promise(setImmediate)
    }
    expect(await counted).toBe(1)
  },
)
