// CSV to DuckDB and Parquet: an export from somewhere else, cleaned on the way, with the rows that cannot be used kept
// in a file of dead letters that says where each stood and what is wrong with it.
//
//     orders.csv ─▶ readCsv ─▶ clean ─┬▶ orders (a table of DuckDB)
//                      │         │    └▶ orders.parquet
//                      └─────────┴─▶ rejected.jsonl

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { channel, concat, fanOut, map, pipeline, range, source } from 'sluice'
import { readDuckDb, readParquet, writeDuckDb, writeParquet } from 'sluice/duckdb'
import { readCsv, readJsonl, writeJsonl, writeLines } from 'sluice/io'

const folder = await mkdtemp(join(tmpdir(), 'sluice-orders-'))
const csv = join(folder, 'orders.csv')
const database = join(folder, 'orders.duckdb')

// ---- the export: a row without an amount, one with a comma that is not quoted, one from the future

const wrong = new Map([
  [17, '17,Paris,,2026-03-01'],
  [400, '400,Paris, France,12.50,2026-03-01'],
  [731, '731,Rome,9.99,2126-03-01'],
])
const rowOf = (id: number) =>
  wrong.get(id) ?? `${id},"${id % 2 === 0 ? 'Paris' : ' rome'}",${id}.5,2026-03-01`
const rows = pipeline(range(1000), map(rowOf))
await pipeline(concat(['id,city,amount,day'], rows), writeLines(csv)).run()

// ---- the job

interface Rejected {
  row: unknown
  reason: string
}
const [reject, rejected] = channel<Rejected>(64)
const onError = ({ value, error }: { value: unknown; error: unknown }) =>
  reject.send({ row: value, reason: (error as Error).message.replace(`${folder}/`, '') })

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1).toLowerCase()

const keeping = pipeline(source(rejected), writeJsonl(join(folder, 'rejected.jsonl'))).run()
const written = await pipeline(
  readCsv(csv, { types: { id: 'number', city: 'string', amount: 'number', day: 'date' }, onError }),
  map(
    ({ id, city, amount, day }) => {
      if (day.getTime() > Date.UTC(2027, 0))
        throw new RangeError(`the day is in the future: ${day.getUTCFullYear()}`)
      return { id, city: capital(city.trim()), cents: Math.round(amount * 100), day }
    },
    { name: 'clean', onError },
  ),
  fanOut({
    table: writeDuckDb('orders', {
      database,
      columns: { id: 'INTEGER', city: 'VARCHAR', cents: 'INTEGER', day: 'DATE' },
      key: 'id',
    }),
    file: writeParquet(join(folder, 'orders.parquet')),
  }),
)
  .run()
  // Also where the job fails, the dead letters so far are kept.
  .finally(() => {
    reject.close()
    return keeping
  })

console.log(`${written.table.count} rows in the table, ${written.file.count} in the file`)
for (const { reason } of await pipeline(readJsonl<Rejected>(join(folder, 'rejected.jsonl'))).run())
  console.log(reason)

const sums = 'SELECT city, sum(cents)::DOUBLE / 100 AS amount FROM orders GROUP BY city ORDER BY city'
const inTable = await pipeline(readDuckDb(sums, { database })).run()
console.log(inTable)

assert.deepEqual(inTable, [
  { city: 'Paris', amount: 249_349.5 },
  { city: 'Rome', amount: 249_501 },
])
const inFile = await pipeline(readParquet(join(folder, 'orders.parquet'), { integers: 'number' })).run()
assert.equal(inFile.length, 997)
await rm(folder, { recursive: true })
