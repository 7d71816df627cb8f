// The checks of `sluice/sqlite` on files, with the SQLite of the runtime it is started in, and what only files show.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { forEach, map, pipeline, range, source } from 'sluice'
import { readSqlite, type SqliteDatabase, writeSqlite } from 'sluice/sqlite'
import { checks } from './sqlite-checks.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-sqlite-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))

const read = (database: SqliteDatabase, sql: string, integers?: 'bigint') =>
  pipeline(readSqlite(sql, { database, ...(integers && { integers }) })).run()

const onFiles: [string, (database: string) => Promise<void>][] = [
  ...checks,
  [
    'two runs at a time on one file take turns, and the program goes on',
    async (database) => {
      const into = (table: string) =>
        pipeline(
          range(20_000),
          map((i) => ({ i })),
          writeSqlite(table, { database }),
        ).run()
      let turns = 0
      const ticking = setInterval(() => turns++, 1)
      await Promise.all([into('a'), into('b'), into('c')]).finally(() => clearInterval(ticking))
      assert.ok(turns > 10, `the event loop had ${turns} turns`)
      for (const table of ['a', 'b', 'c'])
        assert.deepEqual(await read(database, `SELECT count(*) AS n FROM ${table}`), [{ n: 20_000 }])
    },
  ],
  [
    'a lock that stays is an error when patience is at its end',
    async (database) => {
      let told = 0
      const sink = writeSqlite<object>('a', {
        database,
        columns: { a: 'INTEGER' },
        // By now the transaction has begun.
        async onError() {
          const other = pipeline(source([{ a: 1 }]), writeSqlite('b', { database, patience: 20 })).run()
          await assert.rejects(other, /Cannot write to table "b" of SQLite .*locked/)
          told++
        },
      })
      await pipeline(source<object>([{ a: [] }, { a: 1 }]), sink).run()
      assert.equal(told, 1)
      assert.deepEqual(await read(database, 'SELECT name FROM sqlite_schema'), [{ name: 'a' }])
    },
  ],
  [
    'integers are exact, as numbers or as bigints',
    async (database) => {
      const rows = source([{ i: 1, big: 2n ** 62n, r: 5.5 }])
      await pipeline(rows, writeSqlite('t', { database })).run()
      assert.deepEqual(await read(database, 'SELECT * FROM t', 'bigint'), [{ i: 1n, big: 2n ** 62n, r: 5.5 }])
    },
  ],
  [
    'two columns of one name are refused, and a strange name is kept',
    async (database) => {
      await pipeline(source([{ i: 1 }]), writeSqlite('t', { database })).run()
      await assert.rejects(
        read(database, 'SELECT 1 AS a, 2 AS a'),
        /two columns are called "a": name one with AS/,
      )
    },
  ],
  [
    'a path is read only: nothing is made, nothing is changed',
    async (database) => {
      await assert.rejects(read(`${database}.missing`, 'SELECT 1'), /Cannot read from SQLite .*missing.*: /)
      await pipeline(source([{ i: 1 }]), writeSqlite('t', { database })).run()
      await assert.rejects(read(database, 'DELETE FROM t RETURNING i'), /readonly/)
      const seen: unknown[] = []
      const named = readSqlite('SELECT i FROM t WHERE i = $i', { database, params: { i: 1 } })
      await pipeline(
        named,
        forEach((row) => void seen.push(row)),
      ).run()
      assert.deepEqual(seen, [{ i: 1 }])
    },
  ],
]

const wrong: unknown[] = []
for (const [i, [title, check]] of onFiles.entries()) {
  if (process.env.TRACE) console.error(title)
  await check(join(folder, `${i}.db`)).catch((error: unknown) => wrong.push(title, error))
}
if (wrong.length > 0) console.error(...wrong)
console.log(`${onFiles.length - wrong.length / 2} of ${onFiles.length} checks of SQLite hold`)
process.exitCode = wrong.length > 0 ? 1 : 0
