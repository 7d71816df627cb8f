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

/**
 * Warms up with few values and then with more, as long as ten times as many may fit into the patience: what a run
 * costs beside its values, thousands of branches for instance, must not pass for the price of a value. Returns how
 * many values a measurement gets.
 */
async function warmUp(): Promise<number> {
  let size = Math.min(asked, 1000)
  for (let spent = 0; ;) {
    // The first run at a size may be the one that is compiled in.
    const elapsed = Math.min(await measure(size), await measure(size))
    spent += 2 * elapsed
    const next = Math.min(asked, size * 10)
    const more = (elapsed * next) / size <= patience ? next : size
    if (more > size && more < asked) size = more
    else if (spent >= warmUpTime) return more
  }
}

const values = scenario.cold ? asked : await warmUp()
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
