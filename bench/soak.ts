// npm run soak -- [--minutes 10] [--seed 1] [--runs 1000000000] [--abreast 8] [--tolerance 512]
//
// Random pipelines over all rows of the test tables, with random capacities and endings, side by side and one after
// the other (soak-run.ts). Every 10 s all runs come to their end, the heap is swept and printed. In the end a line is
// fitted through the second half of these points: it may not rise by more than `--tolerance` kB in that time. A run
// that breaks a rule, or does not end within 10 s, stops the soak and prints what runs it again.

import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { printMachine } from './machine.ts'
import { describeRun, runOnce } from './soak-run.ts'

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
    runs: { type: 'string', default: '1000000000' },
    abreast: { type: 'string', default: '8' },
    tolerance: { type: 'string', default: '512' },
  },
})
const first = Number(options.seed)
const abreast = Number(options.abreast)
const tolerance = Number(options.tolerance)
const most = Number(options.runs)
const PATIENCE = 10_000
const SAMPLE = 10_000

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

interface Point {
  seconds: number
  kilobytes: number
}

const began = performance.now()
const end = began + Number(options.minutes) * 60_000
const elapsed = (): number => (performance.now() - began) / 1000
const points: Point[] = []
const underWay = new Set<number>()
let runs = 0

/** Says what was running, and ends. */
function giveUp(why: string, seeds: Iterable<number>, error?: unknown): never {
  console.error(`\n${why}`)
  for (const seed of seeds) {
    console.error(`  ${describeRun(seed)}\n  again: npm run soak -- --seed ${seed} --runs 1`)
  }
  if (error !== undefined) console.error(error)
  process.exit(1)
}

process.on('unhandledRejection', (error) => giveUp('An unhandled rejection in one of:', underWay, error))
process.on('warning', (warning) => giveUp('A process warning in one of:', underWay, warning))

async function one(seed: number): Promise<void> {
  underWay.add(seed)
  const alarm = setTimeout(() => giveUp('A run that does not end:', [seed]), PATIENCE)
  try {
    await runOnce(seed)
  } catch (error) {
    giveUp('A run that is not as it must be:', [seed], error)
  } finally {
    clearTimeout(alarm)
    underWay.delete(seed)
  }
}

/** Runs one pipeline after the other until it is time to look at the heap. */
async function lane(until: number): Promise<void> {
  while (performance.now() < until && runs < most) await one(first + runs++)
}

async function sample(): Promise<void> {
  // What was dropped in the last turn is swept in the next.
  for (let round = 0; round < 3; round++) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    collect()
  }
  const kilobytes = process.memoryUsage().heapUsed / 1024
  points.push({ seconds: elapsed(), kilobytes })
  console.log(
    `${elapsed().toFixed(0).padStart(6)} s ${String(runs).padStart(9)} runs ${(kilobytes / 1024).toFixed(2).padStart(8)} MB`,
  )
}

/** Least squares: by how much the line through these points rises from the first to the last. */
function riseOf(line: readonly Point[]): number {
  const mean = (of: (point: Point) => number): number =>
    line.reduce((sum, point) => sum + of(point), 0) / line.length
  const [x, y] = [mean(({ seconds }) => seconds), mean(({ kilobytes }) => kilobytes)]
  const across = mean(({ seconds, kilobytes }) => (seconds - x) * (kilobytes - y))
  const along = mean(({ seconds }) => (seconds - x) ** 2)
  return (across / along) * (line.at(-1)!.seconds - line[0].seconds)
}

printMachine()
console.log(`soak: seed ${first}, ${options.minutes} min, ${abreast} abreast\n`)
while (performance.now() < end && runs < most) {
  const until = Math.min(end, performance.now() + SAMPLE)
  await Promise.all(Array.from({ length: abreast }, () => lane(until)))
  await sample()
}
const second = points.slice(points.length >> 1)
if (second.length < 3)
  console.log(`\n${runs} runs, all as they must be; too short to say anything of the heap`)
else {
  const rise = riseOf(second)
  const verdict = rise > tolerance ? 'grows' : 'is flat'
  console.log(
    `\n${runs} runs, all as they must be. The heap ${verdict}: ${rise.toFixed(0)} kB in the second half, ${tolerance} allowed`,
  )
  if (rise > tolerance) process.exitCode = 1
}
