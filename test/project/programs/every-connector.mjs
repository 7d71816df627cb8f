/* global console, setTimeout, TextDecoder */
// Every connector of sluice/io once, and DuckDB, on a runtime that is not Node 20: `npm run runtimes`.
import { deepStrictEqual, rejects } from 'node:assert'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { forEach, map, pipeline, range, source } from 'sluice'
import * as io from 'sluice/io'
import { readDuckDb, readParquet, writeDuckDb, writeParquet } from 'sluice/duckdb'

const folder = mkdtempSync(join(tmpdir(), 'sluice-connectors-'))
const at = (name) => join(folder, name)
const rows = Array.from({ length: 20_000 }, (_, id) => ({
  id,
  city: id % 2 ? 'Paris, "France"' : 'São Paulo\n',
}))
const run = (...stages) => pipeline(...stages).run()

for (const end of ['', '.gz', '.br', '.zst']) {
  const zstd = end !== '.zst' || 'createZstdCompress' in (await import('node:zlib'))
  if (!zstd) continue
  const written = await run(source(rows), io.writeCsv(at(`rows.csv${end}`)))
  deepStrictEqual(written.count, rows.length)
  const types = { id: 'number', city: 'string' }
  deepStrictEqual(await run(io.readCsv(at(`rows.csv${end}`), { types })), rows)
  await run(source(rows), io.writeJsonl(at(`rows.jsonl${end}`)))
  deepStrictEqual(await run(io.readJsonl(at(`rows.jsonl${end}`))), rows)
  if (end === '') continue
  // Of a file that is cut off, what is there comes, then it fails.
  const packed = readFileSync(at(`rows.jsonl${end}`))
  writeFileSync(at(`cut${end}`), packed.subarray(0, packed.length - 1))
  const got = []
  const cut = run(
    io.readJsonl(at(`cut${end}`)),
    forEach((row) => void got.push(row)),
  )
  await rejects(cut, /unexpected end of file/)
  deepStrictEqual(got, rows.slice(0, got.length))
}
await run(source(['a', 'b']), io.writeLines(at('lines.txt')))
deepStrictEqual(await run(io.readLines(at('*.txt'))), ['a', 'b'])
const bytes = await run(io.readBytes(at('lines.txt')))
deepStrictEqual(new TextDecoder().decode(bytes[0]), 'a\nb\n')

// A file that grows, until the run is stopped.
const seen = []
const following = pipeline(
  io.readLines(at('lines.txt'), { follow: true }),
  forEach((line) => {
    seen.push(line)
    if (line === 'c') void following.stop()
  }),
).start()
while (seen.length < 2) await new Promise((resolve) => setTimeout(resolve, 1))
await run(source(['c']), io.writeLines(at('lines.txt'), { append: true }))
await following.result
deepStrictEqual(seen, ['a', 'b', 'c'])

const lines = Array.from({ length: 1000 }, (_, i) => `line ${i}`)
const summary = await run(
  source(lines),
  io.appendLog(at('app.log'), { level: 'synced', rotate: { bytes: 2000 } }),
)
deepStrictEqual(summary.lines, 1000)
deepStrictEqual(
  await run(
    io.readLines(
      readdirSync(folder)
        .filter((name) => /^app\.log\./.test(name))
        .sort()
        .concat('app.log')
        .map(at),
    ),
  ),
  lines,
)

const job = io.checkpoint(
  at('job'),
  pipeline(
    io.readJsonl(at('rows.jsonl')),
    map(({ id }) => String(id)),
    io.writeLines(at('ids.txt'), { append: true, sync: true }),
  ),
  { every: 5 },
)
await job.run()
await job.run()
deepStrictEqual(
  await run(io.readLines(at('ids.txt'))),
  rows.map(({ id }) => String(id)),
)

const database = at('some.duckdb')
await run(
  range(5000),
  map((id) => ({ id, half: id / 2 })),
  writeDuckDb('numbers', { database, key: 'id' }),
)
const numbers = readDuckDb('SELECT id, half FROM numbers WHERE id < 3 ORDER BY id', {
  database,
  integers: 'number',
})
deepStrictEqual(
  await run(numbers),
  [0, 1, 2].map((id) => ({ id, half: id / 2 })),
)
await run(readDuckDb('FROM numbers ORDER BY id', { database }), writeParquet(at('numbers.parquet')))
deepStrictEqual((await run(readParquet(at('numbers.parquet')))).length, 5000)

rmSync(folder, { recursive: true })
console.log('all connectors right')
