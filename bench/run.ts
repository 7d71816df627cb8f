// npm run bench -- [scenario …] [--values 1000000] [--rounds 5] [--times 5] [--rival name …] [--write] [--draw]
//
// Every rival runs in a fresh process of plain Node, one after the other, in alternating order from round to
// round. A process gives the median of `--times` measurements; a row shows the median over the rounds, the
// lowest and the highest, and the ratio to the baseline row. `--write` puts tables and pictures into the README,
// `--draw` does so without measuring. `sluice` is the built package: build it first.

import { parseArgs } from 'node:util'
import { bundleForNode } from './bundle.ts'
import { printMachine, type Surroundings } from './machine.ts'
import { measure } from './measure.ts'
import { compilerVersions } from './native.ts'
import { mergeResults, readResults } from './results.ts'
import type { Scenario } from './scenario.ts'
import { scenarios } from './scenarios/index.ts'
import { writeSpeed } from './speed.ts'
import { goalsOf, print, type Result } from './table.ts'

const { positionals, values: options } = parseArgs({
  allowPositionals: true,
  options: {
    values: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    times: { type: 'string', default: '5' },
    rival: { type: 'string', multiple: true },
    write: { type: 'boolean', default: false },
    draw: { type: 'boolean', default: false },
  },
})
const names = scenarios.map(({ name }) => name)
const unknown = positionals.filter((asked) => !names.includes(asked))
if (unknown.length > 0) throw new Error(`No scenario ${unknown.join(', ')}; there are ${names.join(', ')}`)
if (options.write && options.rival) throw new Error('With --rival there is nothing whole to write')

const results = options.draw ? [] : await measureAll()
if (options.write) await mergeResults('speed', names, results)
if (options.write || options.draw) await writeSpeed(readResults<Result>('speed'))

async function measureAll(): Promise<Result[]> {
  const worker = await bundleForNode('bench/worker.ts')
  const packages = ['rxjs', 'effect', 'ix', 'p-map', 'streaming-iterables']
  const where = printMachine(packages, compilerVersions())
  const measured: Result[] = []
  for (const scenario of scenarios) {
    if (positionals.length > 0 && !positionals.includes(scenario.name)) continue
    const result = await compare(scenario, worker, where)
    print(result, goalsOf(scenario.goals, result))
    measured.push(result)
  }
  return measured
}

async function compare(scenario: Scenario, worker: string, where: Surroundings): Promise<Result> {
  const { name, claim, figure = 'time' } = scenario
  const size = {
    values: Number(options.values ?? scenario.values),
    rounds: Math.min(Number(options.rounds), scenario.rounds ?? Infinity),
    times: Math.min(Number(options.times), scenario.times ?? Infinity),
  }
  const rivals = Object.keys(scenario.rivals).filter((rival, i) => i === 0 || isAsked(rival))
  const rows = await measure(scenario, rivals, { worker, ...size })
  return { name, claim, figure, ...size, where, rows }
}

function isAsked(name: string): boolean {
  return !options.rival || options.rival.some((asked) => name.startsWith(asked))
}
