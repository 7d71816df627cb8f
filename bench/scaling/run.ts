// npm run bench:scaling -- [sweep …] [--rounds 3] [--up-to 100000000] [--write] [--draw]
//
// Each size in fresh processes, up and down in turns; a point is the median of the rounds, and the memory is that
// of one process more, which does the job once. `--write` puts the
// pictures and the tables into the README, `--draw` does so without measuring. `sluice` is the built package.

import { execFile } from 'node:child_process'
import { parseArgs, promisify } from 'node:util'
import { bundleForNode } from '../bundle.ts'
import { digits, whole } from '../format.ts'
import { median, printMachine, type Surroundings } from '../machine.ts'
import { mergeResults, readResults } from '../results.ts'
import { sweeps, type Sweep } from './sweep.ts'
import { writeScaling, type Scaled } from './write.ts'

const { positionals, values: options } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    'up-to': { type: 'string', default: 'Infinity' },
    write: { type: 'boolean', default: false },
    draw: { type: 'boolean', default: false },
  },
})
const names = sweeps.map(({ name }) => name)
const unknown = positionals.filter((asked) => !names.includes(asked))
if (unknown.length > 0) throw new Error(`No sweep ${unknown.join(', ')}; there are ${names.join(', ')}`)

const results = options.draw ? [] : await measureAll()
if (options.write) await mergeResults('scaling', names, results)
if (options.write || options.draw) await writeScaling(readResults<Scaled>('scaling'))

async function measureAll(): Promise<Scaled[]> {
  const worker = await bundleForNode('bench/scaling/worker.ts')
  const where = printMachine()
  const scaled: Scaled[] = []
  for (const sweep of sweeps) {
    if (positionals.length === 0 || positionals.includes(sweep.name)) {
      scaled.push(await measure(sweep, worker, where))
    }
  }
  return scaled
}

async function measure(sweep: Sweep, worker: string, where: Surroundings): Promise<Scaled> {
  const sizes = sweep.sizes.filter((size) => size <= Number(options['up-to']))
  const times = new Map<number, number[]>(sizes.map((size) => [size, []]))
  const number = async (...args: string[]) =>
    Number((await promisify(execFile)(process.execPath, [worker, sweep.name, ...args])).stdout)
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const size of round % 2 === 0 ? sizes : sizes.toReversed()) {
      times.get(size)?.push(await number(String(size)))
    }
  }
  const line = (...cells: string[]) => console.log(cells.map((cell) => cell.padStart(14)).join(''))
  console.log(`\n${sweep.title}: ${sweep.note}`)
  line('', 'ns/value', 'peak MB')
  const points: { size: number; time: number; peak: number }[] = []
  for (const size of sizes) {
    const point = { size, time: median(times.get(size) ?? []), peak: await number(String(size), 'once') }
    line(whole(size), digits(point.time), whole(point.peak))
    points.push(point)
  }
  return { name: sweep.name, where, points }
}
