// npm run rounds -- [100] [--seed 1] [-- vitest options and files …]
//
// The whole suite again and again, each time in another order: the seed of a round is the first seed plus its number.
// Stops at the first round that fails and prints what runs it again.

import { spawn } from 'node:child_process'
import { parseArgs } from 'node:util'
import { root } from './sources.ts'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string', default: String(Date.now() % 1_000_000_000) } },
})
const [rounds = '100', ...files] = positionals
const first = Number(values.seed)
if (!Number.isInteger(Number(rounds)) || !Number.isInteger(first)) {
  throw new Error(`Cannot run rounds: wanted two integers, got "${rounds}" and "${values.seed}"`)
}

/** Runs the suite in one order. Gives its exit code and what it printed. */
function runSuite(seed: number): Promise<{ code: number | null; output: string }> {
  const args = [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--sequence.shuffle',
    `--sequence.seed=${seed}`,
    ...files,
  ]
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, output }))
  })
}

for (let round = 0; round < Number(rounds); round++) {
  const seed = first + round
  const began = performance.now()
  const { code, output } = await runSuite(seed)
  const seconds = ((performance.now() - began) / 1000).toFixed(0)
  const totals = /^\d+ passed, \d+ failed$/m.exec(output)?.[0] ?? 'no totals'
  console.log(`round ${round + 1} of ${rounds}, seed ${seed}: ${totals}, ${seconds} s`)
  if (code !== 0) {
    console.log(output)
    console.log(`again: npm run rounds -- 1 --seed ${seed} ${files.join(' ')}`.trimEnd())
    process.exitCode = 1
    break
  }
}
