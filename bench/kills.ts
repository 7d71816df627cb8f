// npm run kills -- [--runs 500] [--seed 1]
//
// Writers of a log are killed with SIGKILL at random moments: eight producers, each line numbered. Each kind of log is begun
// anew after 10 kills. After every kill the log is read, and must have all that was acknowledged, each line once, whole and
// in its order: test/io/killed-logs.ts. The first log that has not ends the program with an error.

import { parseArgs } from 'node:util'
import { bundledWriter, KINDS, killWriters } from '../test/io/killed-logs.ts'
import { Random } from '../test/support/random.ts'
import { printMachine } from './machine.ts'

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '500' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
  },
})
const runs = Number(options.runs)
const random = new Random(Number(options.seed))
const chain = 10
const program = await bundledWriter()
printMachine()
console.log(`\n${runs} kills, seed ${options.seed}`)

const sums = new Map(KINDS.map((kind) => [kind, { runs: 0, lines: 0, acknowledged: 0, torn: 0 }]))
for (let done = 0, turn = 0; done < runs; turn++) {
  const kind = KINDS[turn % KINDS.length]
  const killed = await killWriters(program, kind, Math.min(chain, runs - done), () => random.next())
  const sum = sums.get(kind)!
  for (const key of ['runs', 'lines', 'acknowledged', 'torn'] as const) sum[key] += killed[key]
  done += killed.runs
}
const row = (...cells: (string | number)[]) =>
  console.log(
    cells
      .map((cell, i) => (i === 0 ? String(cell).padEnd(16) : cell.toLocaleString('en').padStart(14)))
      .join(''),
  )
row('', 'kills', 'lines', 'acknowledged', 'torn tails')
for (const [kind, sum] of sums) row(kind, sum.runs, sum.lines, sum.acknowledged, sum.torn)
console.log('No acknowledged line was lost; no line was torn in the middle, moved, or there twice')
