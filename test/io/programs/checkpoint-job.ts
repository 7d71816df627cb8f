// A job that is killed again and again: two files and a counter, stages that leave out, double, gather and reorder.
import { appendFileSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { batch, fanIn, filter, flatMap, forEach, map, pipeline, range, unbatch } from 'sluice'
import { checkpoint, readCsv, readLines, writeLines } from 'sluice/io'

const [folder, mode] = process.argv.slice(2)
const csv = pipeline(
  readCsv(`${folder}/rows.csv`),
  map(({ id }) => `csv ${id}`),
)
const counted = pipeline(
  range(500),
  map((n) => `count ${n}`),
)
const job = pipeline(
  fanIn(readLines(`${folder}/lines.txt`), csv, counted),
  filter((text) => !text.endsWith('7')),
  flatMap((text) => [`${text} a`, `${text} b`]),
  map(async (text) => (await sleep(Math.random() < 0.02 ? 2 : 0), text), { concurrency: 8, ordered: false }),
  batch(7),
  unbatch<string>(),
  mode === 'exactly once'
    ? writeLines(`${folder}/out.txt`, { append: true, sync: true })
    : forEach((text: string) => appendFileSync(`${folder}/out.txt`, `${text}\n`)),
)
writeSync(1, 'begun\n')
await checkpoint(`${folder}/job.checkpoint`, job, { every: 20 }).run({ capacity: 16 })
