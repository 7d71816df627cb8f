// What it costs that a run can tell what it does: the cheap stages with the meter, and built with one that measures nothing.
// The clock is read in both, since the run queue needs it. `npm run bench:stats`.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build, type Plugin } from 'esbuild'

const ROUNDS = 12
const VALUES = 2_000_000
const GOAL = 3
const entry = new URL('../src/index.ts', import.meta.url).pathname
const folder = mkdtempSync(join(tmpdir(), 'sluice-stats-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))

const nothing = `
  const none = { nothing: 0, busy: 0, called: 0, input: 0, output: 0 }
  export class Meter {
    doing = 'nothing'
    before = 'nothing'
    steps = 0
    change() {}
    stepped() {}
    changed() { this.before = this.doing }
    leave() {}
    until() { return { times: none, delayed: none } }
  }`
const unmetered: Plugin = {
  name: 'unmetered',
  setup(builder) {
    builder.onLoad({ filter: /\/meter\.ts$/ }, () => ({ contents: nothing, loader: 'js' }))
  },
}

async function bundle(name: string, plugins: Plugin[]): Promise<string> {
  const outfile = join(folder, `${name}.mjs`)
  await build({ entryPoints: [entry], bundle: true, format: 'esm', target: 'es2022', outfile, plugins })
  return outfile
}

const program = join(folder, 'program.mjs')
writeFileSync(
  program,
  `const { batch, drain, filter, map, pipeline, range } = await import(process.argv[2])
  let best = Infinity
  for (let i = 0; i < 8; i++) {
    const began = process.hrtime.bigint()
    await pipeline(
      range(${VALUES}), map((n) => n + 1), filter((n) => n % 2 === 0), map((n) => n * 2), filter((n) => n % 3 !== 0),
      batch(100), drain(),
    ).run()
    best = Math.min(best, Number(process.hrtime.bigint() - began) / ${VALUES})
  }
  console.log(best)`,
)
const bundles = { metered: await bundle('metered', []), unmetered: await bundle('unmetered', [unmetered]) }
const measured: Record<keyof typeof bundles, number[]> = { metered: [], unmetered: [] }
const names = Object.keys(bundles) as (keyof typeof bundles)[]
for (let round = 0; round < ROUNDS; round++) {
  for (const name of round % 2 ? names : names.toReversed())
    measured[name].push(
      Number(execFileSync(process.execPath, [program, bundles[name]], { encoding: 'utf8' })),
    )
}
const sorted = (values: number[]) => values.sort((a, b) => a - b)
for (const name of names) {
  const values = sorted(measured[name])
  const [least, median] = [values[0], values[values.length >> 1]]
  console.log(
    `${name.padEnd(10)} ${least.toFixed(2)} ns per value at best, ${median.toFixed(2)} in the median`,
  )
}
const cost = (sorted(measured.metered)[0] / sorted(measured.unmetered)[0] - 1) * 100
console.log(`cost       ${cost.toFixed(1)} % of the best, goal: under ${GOAL} %`)
