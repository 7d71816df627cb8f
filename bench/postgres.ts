// npm run bench:postgres -- [--rows 1000000] [--rounds 3]
//
// readPostgres and writePostgres beside `\copy` of psql, for the same rows of the same server: out of a table and into
// an empty one. psql moves lines between the server and a file; we make objects of them, or the lines of objects. psql is
// a fresh process each time, which takes it a few milliseconds. The rounds alternate; the middle one counts.

import { execFileSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { Client } from 'pg'
import { count, pipeline, source, toArray } from 'sluice'
import { readPostgres, writePostgres } from 'sluice/postgres'
import { noPostgres, postgresBin, startPostgres } from '../test/io/postgres-server.ts'
import { median, printMachine } from './machine.ts'

const { values: options } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '3' },
  },
})
const rows = Number(options.rows)
const rounds = Number(options.rounds)
if (!postgresBin) throw new Error(noPostgres)

const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-postgres-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
const file = join(folder, 'sales.txt')

await using server = await startPostgres({ shared_buffers: '512MB', max_wal_size: '4GB' })
const { socket: connection } = server
const admin = new Client(connection)
await admin.connect()
await admin.query(`
  CREATE TABLE sales (id int, customer text, city text, amount numeric, created timestamptz, paid boolean, note text);
  INSERT INTO sales SELECT n, 'Customer ' || n % 5000, (ARRAY['Berlin', 'Köln', 'Paris', 'London', 'Oslo'])[1 + n % 5],
    (n % 100000) * 0.01, timestamptz '2024-01-01' + n * interval '17 seconds', n % 3 = 0,
    CASE WHEN n % 4 > 0 THEN 'note ' || n || ', paid by card' END
  FROM generate_series(1, ${rows}) n;
  CREATE TABLE target (LIKE sales)`)
await admin.query('VACUUM ANALYZE sales')

function psql(command: string): void {
  const { user, database, host, port } = connection
  const args = ['-X', '-q', '-h', host!, '-p', String(port), '-U', user!, '-d', database!, '-c', command]
  execFileSync(join(server.bin, 'psql'), args)
}

psql(`\\copy sales TO '${file}'`)
const objects = await pipeline(readPostgres('SELECT * FROM sales', { connection }), toArray()).run()

const ways = {
  out: {
    'psql \\copy': () => psql(`\\copy sales TO '${file}'`),
    readPostgres: () => pipeline(readPostgres('SELECT * FROM sales', { connection }), count()).run(),
  },
  in: {
    'psql \\copy': () => psql(`\\copy target FROM '${file}'`),
    writePostgres: () => pipeline(source(objects), writePostgres('target', { connection })).run(),
  },
}

printMachine(['pg'], [execFileSync(join(server.bin, 'postgres'), ['--version'], { encoding: 'utf8' }).trim()])
console.log(
  `\n${rows.toLocaleString('en')} rows, ${Math.round(statSync(file).size / 1e6)} MB, ${rounds} rounds\n`,
)
console.log(
  `${''.padEnd(20)}${'ms'.padStart(8)}${'rows/s'.padStart(12)}${'of psql'.padStart(9)}${'CPU ms'.padStart(9)}`,
)
for (const [direction, pair] of Object.entries(ways)) await compare(direction, Object.entries(pair))

async function compare(direction: string, pair: [string, () => unknown][]): Promise<void> {
  const times = new Map<string, number[]>(pair.map(([name]) => [name, []]))
  const cpus = new Map<string, number[]>(pair.map(([name]) => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const [name, way] of round % 2 === 0 ? pair : pair.toReversed()) {
      if (direction === 'in') await admin.query('TRUNCATE target; CHECKPOINT')
      const begin = performance.now()
      const used = process.cpuUsage()
      await way()
      // The first round only warms up.
      if (round === 0) continue
      times.get(name)!.push(performance.now() - begin)
      cpus.get(name)!.push(process.cpuUsage(used).user / 1000)
      if (direction === 'in') await check()
    }
  }
  const baseline = median(times.get(pair[0][0])!)
  for (const [name] of pair) {
    const ms = median(times.get(name)!)
    const cpu = name.startsWith('psql') ? '' : median(cpus.get(name)!).toFixed(0)
    const share = `${Math.round((100 * baseline) / ms)} %`
    const rate = Math.round(rows / (ms / 1000)).toLocaleString('en')
    console.log(
      `${`${direction}, ${name}`.padEnd(20)}${ms.toFixed(0).padStart(8)}${rate.padStart(12)}${share.padStart(9)}${cpu.padStart(9)}`,
    )
  }
}

async function check(): Promise<void> {
  const {
    rows: [{ n }],
  } = await admin.query<{ n: string }>('SELECT count(*) AS n FROM target')
  if (Number(n) !== rows) throw new Error(`${n} rows were written`)
}

await admin.end()
