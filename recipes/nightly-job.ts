// A job for every night: it takes what has come since last night, shows how far it is, and when it is stopped or killed
// it goes on where its output had got to. Nothing is missing then, and nothing is there twice.
//
//     orders.jsonl ─▶ parse ─▶ only paid ─▶ total ─▶ totals.csv
//          └─────────── job.checkpoint ───────────┘

import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { filter, map, pipeline, range } from 'sluice'
import { progress } from 'sluice/inspect'
import { checkpoint, readJsonl, writeCsv, writeJsonl } from 'sluice/io'

interface Order {
  id: number
  status: 'paid' | 'open'
  amount: number
  quantity: number
}

const folder = await mkdtemp(join(tmpdir(), 'sluice-nightly-'))
const input = join(folder, 'orders.jsonl')
const output = join(folder, 'totals.csv')

/** The shop adds its orders to a file. */
async function sell(from: number, to: number) {
  const order = (id: number): Order => ({
    id,
    status: id % 3 === 0 ? 'open' : 'paid',
    amount: id % 7,
    quantity: 2,
  })
  await pipeline(range(from, to), map(order), writeJsonl(input, { append: true })).run()
}

const job = checkpoint(
  join(folder, 'job.checkpoint'),
  pipeline(
    readJsonl<Order>(input),
    filter(({ status }) => status === 'paid'),
    map(({ id, amount, quantity }) => ({ id, total: amount * quantity })),
    // Appending, and synced: what the checkpoint says is there, is there, and what came after it is cut off again.
    writeCsv(output, { append: true, sync: true }),
  ),
  { every: 50 },
)

async function night(stopAfter?: number) {
  const run = job.start({ name: 'nightly' })
  using _display = progress(run, { stream: process.stdout })
  if (stopAfter !== undefined) {
    while ((run.stats().stages.at(-1)?.received ?? 0) < stopAfter) await new Promise(setImmediate)
    // As Ctrl-C would. A `kill -9` loses the part that is under way, at most, and that is done again.
    await run.stop()
  } else await run.result
}

const rows = async () => (await readFile(output, 'utf8')).trimEnd().split('\n').slice(1)

await sell(0, 60_000)
await night(1000)
const before = (await rows()).length
console.log(`stopped early: ${before < 40_000 ? 'some' : 'all'} of the orders are done`)
await night()
console.log(`gone on: ${(await rows()).length} totals`)
await sell(60_000, 90_000)
await night()
console.log(`the next night: ${(await rows()).length} totals`)

const ids = (await rows()).map((row) => Number(row.split(',')[0]))
assert.deepEqual(
  ids,
  [...Array(90_000).keys()].filter((id) => id % 3 !== 0),
)
await rm(folder, { recursive: true })
