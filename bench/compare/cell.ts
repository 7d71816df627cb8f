// One check of one peer, in a process of its own: `cell.ts <check> <peer>` prints the verdict as JSON, or `null`
// where the peer has no answer. What goes wrong beside it is the business of other checks.

import { writeSync } from 'node:fs'
import type { Verdict } from './check.ts'
import { checks } from './checks/index.ts'
import { peers } from './peers/index.ts'

const [, , id, name] = process.argv
const check = checks.find((one) => one.id === id)
const peer = peers.find((one) => one.name === name)
if (!check || !peer) throw new Error(`There is no check ${id} of ${name}`)

process.on('unhandledRejection', () => {})
const print = (verdict: Verdict | null) => writeSync(1, JSON.stringify(verdict))

const measured = (await check.measure(await peer.load())) ?? null
if (typeof measured === 'function') {
  const done = performance.now()
  process.on('exit', () => print(measured(performance.now() - done)))
} else {
  print(measured)
  process.exit()
}
