// One rival in one process: warms it up, measures it a few times, prints its numbers as JSON.
// Arguments: scenario, rival, number of values, number of measurements.

import { scenarios } from './scenarios/index.ts'

const [, , scenarioName, rivalName, valuesText, timesText] = process.argv
const scenario = scenarios.find(({ name }) => name === scenarioName)
const rival = scenario?.rivals[rivalName]
if (!scenario || !rival || rival === 'n/a') throw new Error(`There is no ${rivalName} in ${scenarioName}`)

/** A measurement may be cut short: a slow rival does not need as many to be known as slow. */
const enoughTime = 3000
const warmUpTime = 300

const values = Number(valuesText)
const job = await rival()

async function measure(size: number): Promise<number> {
  const start = performance.now()
  const result = await job(size)
  const elapsed = performance.now() - start
  const expected = scenario?.expected(size)
  if (result !== expected) throw new Error(`${rivalName} returned ${result} instead of ${expected}`)
  return elapsed
}

const few = Math.ceil(values / 10)
for (let spent = 0; spent < warmUpTime;) spent += await measure(few)

const nanoseconds: number[] = []
for (let spent = 0; nanoseconds.length < Number(timesText) && spent < enoughTime;) {
  const elapsed = await measure(values)
  spent += elapsed
  nanoseconds.push((elapsed * 1e6) / values)
}
console.log(JSON.stringify({ nanoseconds, peakMegabytes: process.resourceUsage().maxRSS / 1024 }))
