// A job that is killed again and again: lines of a file, of which the later one of a key counts, into a table.
import { writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClientConfig } from 'pg'
import { map, pipeline } from 'sluice'
import { checkpoint, readLines } from 'sluice/io'
import { writePostgres } from 'sluice/postgres'

const [folder, server] = process.argv.slice(2)
const connection = JSON.parse(server) as ClientConfig
let calls = 0
const parse = async (line: string) => {
  if (calls++ === 0) writeSync(1, 'begun\n')
  if (calls % 4 === 0) await sleep(1)
  const [id, text] = line.split('\t')
  return { id: Number(id), text }
}
const job = pipeline(
  readLines(`${folder}/lines.txt`),
  map(parse),
  writePostgres('copied', { connection, key: 'id', batch: 50 }),
)
await checkpoint(`${folder}/job.checkpoint`, job, { every: 40 }).run({ capacity: 16 })
