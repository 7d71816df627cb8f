// One size of one sweep in one process. Arguments: sweep, size, and `once` where the memory is asked for: then the
// job is done a single time, so that what is held at most is what the size needs. Prints a number: nanoseconds per
// value, or megabytes.

import { median } from '../machine.ts'
import { sweeps } from './sweep.ts'

const [, , name, sizeText, once] = process.argv
const sweep = sweeps.find((each) => each.name === name)
if (!sweep) throw new Error(`There is no ${name}`)

const warmUpTime = 300
/** One measurement does the job as often as it takes to fill this time. */
const enoughTime = 30
const times = 5
const longEnough = 1000

const { values } = sweep
const size = Number(sizeText)
const job = await sweep.load()

async function run(): Promise<number> {
  const start = performance.now()
  const result = await job(size)
  const elapsed = performance.now() - start
  const expected = values(size)
  if (result !== expected) throw new Error(`${name} ${size}: ${result} instead of ${expected}`)
  return elapsed
}

/** Nanoseconds per value, of as many runs as fill the time. */
async function measure(): Promise<number> {
  let spent = 0
  let runs = 0
  for (; spent < enoughTime; runs++) spent += await run()
  return (spent * 1e6) / (runs * values(size))
}

async function timePerValue(): Promise<number> {
  for (let spent = 0; spent < warmUpTime;) spent += await run()
  const measured: number[] = []
  const end = performance.now() + longEnough
  while (measured.length < times && performance.now() < end) measured.push(await measure())
  return median(measured)
}

async function peak(): Promise<number> {
  await run()
  return process.resourceUsage().maxRSS / 1024
}

console.log(once ? await peak() : await timePerValue())
