// A job that is killed again and again, into a durable log. Arguments: the folder, the level, how many old files are kept.
import { writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { map, pipeline } from 'sluice'
import { appendLog, checkpoint, type LogLevel, readLines } from 'sluice/io'

const [folder, level, keep] = process.argv.slice(2)
const rotate = { bytes: 1500, gzip: true, ...(keep !== 'all' && { keep: Number(keep) }) }
const job = pipeline(
  readLines(`${folder}/lines.txt`),
  map(async (line) => (await sleep(Math.random() < 0.02 ? 2 : 0), line)),
  appendLog(`${folder}/logs/app.log`, { level: level as LogLevel, rotate, onRepaired: () => {} }),
)
writeSync(1, 'begun\n')
await checkpoint(`${folder}/job.checkpoint`, job, { every: 40 }).run({ capacity: 16 })
