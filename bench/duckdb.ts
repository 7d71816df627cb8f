// What rows of JavaScript cost on their way into DuckDB and out of it, beside DuckDB's own SQL over the same rows.
// `npm run bench:duckdb [rows]`. The memory is that of the whole process, DuckDB's included, at its highest.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { count, map, pipeline, range } from 'sluice'
import { readDuckDb, readParquet, writeDuckDb, writeParquet } from 'sluice/duckdb'

const rows = Number(process.argv[2] ?? 1_000_000)
const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
const file = (name: string) => join(folder, name)

/** Milliseconds, and the highest memory and longest wait for a turn meanwhile. */
async function measured(work: () => Promise<unknown>): Promise<{ ms: number; mb: number; wait: number }> {
  let [mb, wait, last] = [0, 0, performance.now()]
  const watch = setInterval(() => {
    mb = Math.max(mb, process.memoryUsage.rss() / 1e6)
    wait = Math.max(wait, performance.now() - last)
    last = performance.now()
  }, 5)
  const begun = performance.now()
  await work().finally(() => clearInterval(watch))
  return { ms: performance.now() - begun, mb, wait }
}

const made = () =>
  pipeline(
    range(rows),
    map((i) => ({ i, name: `row number ${i % 1000}`, half: i / 2 })),
  )
const types = { i: 'INTEGER', name: 'VARCHAR', half: 'DOUBLE' }
const own =
  "SELECT i::INTEGER AS i, 'row number ' || (i % 1000) AS name, i / 2 AS half FROM range($n) t(i)".replace(
    '$n',
    String(rows),
  )
const instance = await DuckDBInstance.create(file('own.db'))
const connection = await instance.connect()
const sql = (text: string) => () => connection.run(text)
const database = file('ours.db')
const seen = async (input: Promise<number>) => {
  const found = await input
  if (found !== rows) throw new Error(`${found} of ${rows} rows`)
}

const claims: [string, () => Promise<unknown>, () => Promise<unknown>][] = [
  [
    'rows into a table',
    () => pipeline(made(), writeDuckDb('t', { database, columns: types })).run(),
    sql(`CREATE TABLE t AS ${own}`),
  ],
  [
    'the same again, by key',
    () => pipeline(made(), writeDuckDb('k', { database, columns: types, key: 'i' })).run(),
    sql(`CREATE TABLE k(i INTEGER PRIMARY KEY, name VARCHAR, half DOUBLE); INSERT OR REPLACE INTO k ${own}`),
  ],
  [
    'a table out to rows',
    () => seen(pipeline(readDuckDb('FROM t', { database }), count()).run()),
    sql('SELECT bit_xor(hash(t)) FROM t'),
  ],
  [
    'rows into Parquet',
    () => pipeline(made(), writeParquet(file('ours.parquet'), { columns: types })).run(),
    sql(`COPY (${own}) TO '${file('own.parquet')}' (FORMAT parquet, COMPRESSION zstd)`),
  ],
  [
    'Parquet out to rows',
    () => seen(pipeline(readParquet(file('ours.parquet')), count()).run()),
    sql(`SELECT bit_xor(hash(t)) FROM read_parquet('${file('own.parquet')}') t`),
  ],
]

console.log(`${rows} rows of an integer, a string and a double; Node ${process.version}`)
for (const [name, ours, theirs] of claims) {
  const [mine, sqls] = [await measured(ours), await measured(theirs)]
  const ns = (mine.ms * 1e6) / rows
  console.log(
    `${name.padEnd(24)} ${mine.ms.toFixed(0).padStart(6)} ms  ${ns.toFixed(0).padStart(5)} ns a row  ` +
      `SQL alone ${sqls.ms.toFixed(0).padStart(5)} ms  ratio ${(mine.ms / sqls.ms).toFixed(1).padStart(5)}  ` +
      `${mine.mb.toFixed(0).padStart(4)} MB  longest wait ${mine.wait.toFixed(0)} ms`,
  )
}
connection.closeSync()
instance.closeSync()
