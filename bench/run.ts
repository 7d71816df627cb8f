// npm run bench -- [scenario …] [--values 1000000] [--rounds 5] [--times 5] [--rival name …]
//
// Every rival runs in a fresh process of plain Node, one after the other, in alternating order from round to
// round. A process gives the median of `--times` measurements; a row shows the median over the rounds, the
// lowest and the highest, and the ratio to the baseline row. `sluice` is the built package: build it first.

import { execFile } from 'node:child_process'
import { parseArgs, promisify } from 'node:util'
import { bundleForNode } from './bundle.ts'
import { median, printMachine } from './machine.ts'
import type { Scenario } from './scenario.ts'
import { scenarios } from './scenarios/index.ts'

const { positionals, values: options } = parseArgs({
  allowPositionals: true,
  options: {
    values: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    times: { type: 'string', default: '5' },
    rival: { type: 'string', multiple: true },
  },
})
const unknown = positionals.filter((asked) => !scenarios.some(({ name }) => name === asked))
if (unknown.length > 0) {
  throw new Error(
    `No scenario ${unknown.join(', ')}; there are ${scenarios.map(({ name }) => name).join(', ')}`,
  )
}

const worker = await bundleForNode('bench/worker.ts')
printMachine(['rxjs', 'effect', 'ix', 'p-map', 'streaming-iterables'])
for (const scenario of scenarios) {
  if (positionals.length === 0 || positionals.includes(scenario.name)) await compare(scenario)
}

interface Measured {
  nanoseconds: number[]
  peakMegabytes: number
}

async function compare(scenario: Scenario): Promise<void> {
  const size = Number(options.values ?? scenario.values)
  const names = Object.keys(scenario.rivals)
  const running = names.filter((name, i) => scenario.rivals[name] !== 'n/a' && (i === 0 || isAsked(name)))
  const measured = new Map<string, Measured[]>(running.map((name) => [name, []]))
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const name of round % 2 === 0 ? running : running.toReversed()) {
      measured.get(name)?.push(await runOnce(scenario.name, name, size))
    }
  }
  console.log(`\n${scenario.name}: ${scenario.claim}`)
  console.log(`${size.toLocaleString('en')} values, ${options.rounds} processes × ${options.times} times`)
  row('', 'ns/value', 'from', 'to', 'ratio', 'peak MB')
  const baseline = median(mediansOf(measured.get(names[0])))
  for (const name of names.filter((name, i) => i === 0 || isAsked(name))) {
    const medians = mediansOf(measured.get(name))
    if (medians.length === 0) row(name, 'n/a', 'n/a', 'n/a', 'n/a', 'n/a')
    else {
      const [middle, low, high] = [median(medians), Math.min(...medians), Math.max(...medians)]
      const peak = Math.max(...(measured.get(name) ?? []).map(({ peakMegabytes }) => peakMegabytes))
      row(name, show(middle), show(low), show(high), (middle / baseline).toFixed(2), peak.toFixed(0))
    }
  }
}

function isAsked(name: string): boolean {
  return !options.rival || options.rival.some((asked) => name.startsWith(asked))
}

function mediansOf(measured: readonly Measured[] = []): number[] {
  return measured.map(({ nanoseconds }) => median(nanoseconds))
}

async function runOnce(scenario: string, rival: string, size: number): Promise<Measured> {
  const args = [worker, scenario, rival, String(size), options.times]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return JSON.parse(stdout) as Measured
}

function show(nanoseconds: number): string {
  return nanoseconds.toFixed(nanoseconds < 100 ? 1 : 0)
}

function row(name: string, ...cells: string[]): void {
  console.log(name.padEnd(42) + cells.map((cell) => cell.padStart(10)).join(''))
}
