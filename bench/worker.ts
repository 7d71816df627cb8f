// One rival in one process: warms it up, measures it a few times, prints its numbers as JSON.
// Arguments: scenario, rival, number of values, number of measurements. Bytes are counted in a pass of their own,
// after the last time was taken.

import { bytesAllocatedBy } from './allocation.ts'
import { type Delay, delaysDuring } from './delay.ts'
import { scenarios } from './scenarios/index.ts'

const [, , scenarioName, rivalName, valuesText, timesText] = process.argv
const scenario = scenarios.find(({ name }) => name === scenarioName)
const rival = scenario?.rivals[rivalName]
if (!scenario || typeof rival !== 'function') throw new Error(`There is no ${rivalName} in ${scenarioName}`)

/** A measurement may be cut short: a slow rival does not need as many to be known as slow. */
const enoughTime = 1000
const warmUpTime = 300
/** Over so many values a run's own objects weigh nothing. */
const enoughToCount = 1_000_000
const patience = scenario.patience ?? 600

const asked = Number(valuesText)
const job = await rival()

async function measure(size: number): Promise<number> {
  const start = performance.now()
  const result = await job(size)
  const elapsed = performance.now() - start
  const expected = scenario?.expected(size)
  if (result !== expected) throw new Error(`${rivalName} returned ${result} instead of ${expected}`)
  return elapsed
}

/** Begins with few values, so that a rival which is very slow is not asked for more; returns the time per value. */
async function warmUp(): Promise<number> {
  let size = Math.min(asked, 1000)
  for (let spent = 0; ;) {
    const elapsed = await measure(size)
    spent += elapsed
    if (spent >= warmUpTime) return elapsed / size
    if (size * 100 <= asked && elapsed < warmUpTime / 10) size *= 10
  }
}

const perValue = await warmUp()
let values = asked
while (values >= 10_000 && perValue * values > patience) values = Math.ceil(values / 10)

const nanoseconds: number[] = []
const delays: Delay[] = []
for (let spent = 0; nanoseconds.length < Number(timesText) && spent < enoughTime;) {
  let elapsed = 0
  const once = async () => (elapsed = await measure(values))
  if (scenario.figure === 'delay') delays.push(await delaysDuring(once))
  else await once()
  spent += elapsed
  nanoseconds.push((elapsed * 1e6) / values)
}
const peak = process.resourceUsage().maxRSS / 1024
const counted = Math.min(values, enoughToCount)
const bytes = (await bytesAllocatedBy(() => measure(counted))) / counted
console.log(JSON.stringify({ values, nanoseconds, peak, delays, bytes }))
