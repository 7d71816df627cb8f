// Twenty thousand inputs. No timing is asserted; but if all were looked at for each of them, that would take minutes,
// and the limit of twenty seconds would end it.
import { count, mergeSorted, pipeline, type Source, zip } from 'sluice'
import { expect, it } from 'vitest'
import { deferred } from '../pipeline/support-waiting.ts'

const LIMIT = 20_000
const COUNT = 20_000

/** How many values come out when each of the inputs gives one, in a turn of the event loop of its own. */
async function oneByOne(join: (inputs: Promise<number[]>[]) => Source<unknown>): Promise<number> {
  const inputs = Array.from({ length: COUNT }, () => deferred<number[]>())
  const counted = pipeline(join(inputs.map(({ promise }) => promise)), count()).run()
  for (const [i, { resolve }] of inputs.entries()) {
    resolve([i])
    await new Promise(setImmediate)
  }
  return counted
}

it('zip waits for very many inputs that come one by one', { timeout: LIMIT }, async () => {
  expect(await oneByOne((inputs) => zip(...inputs))).toBe(1)
})

it('mergeSorted waits for very many inputs that come one by one', { timeout: LIMIT }, async () => {
  expect(await oneByOne((inputs) => mergeSorted((a, b) => a - b, ...inputs))).toBe(COUNT)
})
