// npm run compare -- [check …] [--peer name …]
//
// Runs every check on every peer, each in a process of its own with an end to its time, two at a time, and writes
// the table into the README. Where checks or peers are named, it prints their cells only. `sluice` is the built
// package.

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { bundleForNode } from '../bundle.ts'
import { root, versionOf } from '../machine.ts'
import type { Check, Verdict } from './check.ts'
import { checks } from './checks/index.ts'
import type { Peer } from './peer.ts'
import { peers } from './peers/index.ts'
import { writeReadme } from '../readme.ts'
import { render } from './table.ts'

const timeLimit = 20_000
const atOnce = 2

const { positionals, values: options } = parseArgs({
  allowPositionals: true,
  options: { peer: { type: 'string', multiple: true } },
})
const askedChecks = checks.filter(({ id }) => positionals.length === 0 || positionals.includes(id))
const askedPeers = peers.filter(({ name }) => options.peer?.includes(name) ?? true)
const isWhole = askedChecks.length === checks.length && askedPeers.length === peers.length
if (askedChecks.length === 0 || askedPeers.length === 0) {
  throw new Error(
    `There are the checks ${checks.map(({ id }) => id).join(', ')} and the peers ${peers.map(({ name }) => name).join(', ')}`,
  )
}

if (!existsSync(`${root}dist/index.js`)) throw new Error('There is no dist/: run `npm run build` first')

const program = await bundleForNode('bench/compare/cell.ts')

/** Runs one cell. A process that does not end in time, or ends without a word, is an answer as well. */
function measure(check: Check, peer: Peer): Promise<string> {
  return new Promise((resolve) => {
    const args = [program, check.id, peer.name]
    execFile(
      process.execPath,
      args,
      { timeout: timeLimit, killSignal: 'SIGKILL' },
      (error, stdout, stderr) => {
        if (stdout && !error) resolve(cell(JSON.parse(stdout) as Verdict | null))
        else if (error?.killed) resolve('✗ hang')
        else {
          console.error(`${check.id}, ${peer.name}: ${stderr || 'ended without a word'}`)
          resolve('✗ crash')
        }
      },
    )
  })
}

function cell(verdict: Verdict | null): string {
  return verdict ? `${verdict.ok ? '✓' : '✗'} ${verdict.text}` : 'n/a'
}

const jobs = askedChecks.flatMap((check) => askedPeers.map((peer) => ({ check, peer })))
const cells = new Map<Check, Map<Peer, string>>(askedChecks.map((check) => [check, new Map()]))

async function work(): Promise<void> {
  for (let job = jobs.shift(); job; job = jobs.shift()) {
    const { check, peer } = job
    const text = await measure(check, peer)
    cells.get(check)?.set(peer, text)
    console.log(`${check.id.padEnd(20)}${peer.name.padEnd(26)}${text}`)
  }
}

await Promise.all(Array.from({ length: atOnce }, work))
if (isWhole) {
  const report = render({
    date: new Date().toISOString().slice(0, 10),
    versions: [`Node ${process.versions.node}`, ...peers.flatMap(({ packages }) => packages).map(versionOf)],
    columns: peers.map(({ name }) => name),
    rows: checks.map((check) => ({ check, cells: peers.map((peer) => cells.get(check)?.get(peer) ?? '') })),
  })
  await writeReadme('compare', report)
  console.log('README.md has the table')
}
