// What `sluice/sqlite` does, over any SQLite: the tests run it over one in WebAssembly, which every runtime has, and
// sqlite-program.ts over that of the runtime, on a file.

import assert from 'node:assert/strict'
import { forEach, map, pipeline, range, source, take } from 'sluice'
import {
  readSqlite,
  type ReadSqliteOptions,
  type SqliteDatabase,
  writeSqlite,
  type WriteSqliteOptions,
} from 'sluice/sqlite'

type Check = (database: SqliteDatabase) => Promise<void>
type Failed = Error & { value?: unknown; cause?: Error }

const read = (database: SqliteDatabase, sql: string, options: Partial<ReadSqliteOptions> = {}) =>
  pipeline(readSqlite(sql, { database, ...options })).run()
const write = (
  database: SqliteDatabase,
  rows: Iterable<object>,
  options: Partial<WriteSqliteOptions<object>> = {},
  table = 't',
) => pipeline(source(rows), writeSqlite<object>(table, { database, ...options })).run()
const failed = (run: Promise<unknown>): Promise<Failed> =>
  run.then(
    () => assert.fail('the run did not fail'),
    (error: unknown) => error as Failed,
  )
const has = (error: Error, text: string) => assert.ok(error.message.includes(text), error.message)
const count = async (database: SqliteDatabase, table = 't') =>
  (await read(database, `SELECT count(*) AS n FROM ${table}`))[0].n
const columns = async (database: SqliteDatabase, table = 't') =>
  Object.fromEntries(
    (await read(database, `SELECT name, type FROM pragma_table_info('${table}')`)).map(
      ({ name, type }) => [name, type] as const as [string, unknown],
    ),
  )

export const checks: [string, Check][] = [
  [
    'a table is made with the types of the first rows, and the rows come back',
    async (database) => {
      const row = { i: 1, r: 0.5, s: 'a🦆', b: Uint8Array.of(0, 255), any: 1, big: 2n ** 60n }
      assert.deepEqual(await write(database, [row, { any: 'x' }]), { table: 't', count: 2 })
      const types = { i: 'INTEGER', r: 'REAL', s: 'TEXT', b: 'BLOB', any: 'ANY', big: 'INTEGER' }
      assert.deepEqual(await columns(database), types)
      const options = { onError: 'skip' as const }
      assert.deepEqual(await read(database, 'SELECT i, r, s, b, "any" FROM t', options), [
        { i: 1, r: 0.5, s: 'a🦆', b: Uint8Array.of(0, 255), any: 1 },
        { i: null, r: null, s: null, b: null, any: 'x' },
      ])
      // One that no number holds follows onError.
      assert.equal((await read(database, 'SELECT big FROM t', options)).length, 1)
      has(
        await failed(read(database, 'SELECT big FROM t')),
        'Cannot read column "big": 1152921504606846976 does not fit',
      )
    },
  ],
  [
    'booleans are 0 and 1, Dates text, whole numbers integers; the rest is refused, and named',
    async (database) => {
      await write(database, [{ b: true, d: new Date(0), n: 1 }], {
        columns: { b: 'ANY', d: 'TEXT', n: 'ANY' },
      })
      const sql = 'SELECT b, d, n, typeof(b) AS tb, typeof(n) AS tn FROM t'
      const row = { b: 1, d: '1970-01-01T00:00:00.000Z', n: 1, tb: 'integer', tn: 'integer' }
      assert.deepEqual(await read(database, sql), [row])
      for (const b of [NaN, {}, [1], 2n ** 63n, new Date(NaN), Symbol.iterator]) {
        const error = await failed(write(database, [{ b }]))
        has(error, 'Stage "writeSqlite" failed: Cannot write column "b": it must be null, a boolean, number')
        assert.deepEqual(error.value, { b })
      }
      assert.equal(await count(database), 1)
    },
  ],
  [
    'an integer that a column of REAL would round follows onError',
    async (database) => {
      const odd = 2n ** 53n + 1n
      const rows = [{ v: odd }, { v: 0.5 }, { v: odd + 1n }, { v: 2 }]
      const all = [0.5, Number(odd + 1n), 2]
      await write(database, [], { columns: { v: 'DOUBLE PRECISION' } }, 'there').catch(() => {})
      for (const [table, options] of [
        ['learnt', {}],
        ['said', { columns: { v: 'REAL' } }],
        ['there', {}],
      ] as const) {
        const error = await failed(write(database, rows, options, table))
        has(error, 'Cannot write column "v": REAL does not hold 9007199254740993n exactly')
        assert.deepEqual(error.value, { v: odd })
        await write(database, rows, { ...options, onError: 'skip' }, table)
        assert.deepEqual(
          (await read(database, `SELECT v FROM ${table}`)).map(({ v }) => v),
          all,
        )
      }
      await write(database, [{ v: odd }], { columns: { v: 'INTEGER' } }, 'integers')
      assert.deepEqual(await read(database, 'SELECT v FROM integers', { integers: 'bigint' }), [{ v: odd }])
    },
  ],
  [
    'half of a character has no text in SQLite: it is refused, as it would become the same as another half',
    async (database) => {
      const told: unknown[] = []
      const onError = ({ value }: { value: unknown }) => void told.push(value)
      const rows = [{ k: 'a🦆' }, { k: 'a\ud83e' }, { k: '\udd86' }]
      assert.deepEqual(await write(database, rows, { key: 'k', onError }), { table: 't', count: 1 })
      assert.deepEqual(told, rows.slice(1))
      assert.deepEqual(await read(database, 'SELECT k FROM t'), [{ k: 'a🦆' }])
      has(await failed(write(database, [rows[1]])), 'Cannot write column "k": it must be null, a boolean')
    },
  ],
  [
    'a column has no half of a character and no NUL in its name: it would get another one',
    async (database) => {
      for (const name of ['a\ud800', 'a\0b']) {
        const error = await failed(write(database, [{ [name]: 1 }]))
        has(error, `Cannot write column ${JSON.stringify(name)}: its name holds half of a character, or NUL`)
        assert.throws(() => writeSqlite('t', { database, columns: [name] }), /"columns" must be names/)
        assert.throws(() => writeSqlite('t', { database: `x${name}` }), /"database" must be a path/)
      }
    },
  ],
  [
    'rows are read in steps, with parameters, and no further than is wanted',
    async (database) => {
      await write(
        database,
        Array.from({ length: 3000 }, (_, i) => ({ i })),
      )
      const all = await read(database, 'SELECT i FROM t WHERE i >= ? ORDER BY i', { params: [1000] })
      assert.deepEqual(
        all.map(({ i }) => i),
        Array.from({ length: 2000 }, (_, i) => i + 1000),
      )
      const endless = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n'
      const few = pipeline(readSqlite(endless, { database, capacity: 1 }), take(2))
      assert.deepEqual(await few.run(), [{ i: 1 }, { i: 2 }])
      const run = pipeline(
        readSqlite(endless, { database }),
        forEach(() => void run.abort(new Error('enough')).catch(() => {})),
      ).start()
      has(await failed(run.result), 'enough')
      await write(database, [{ i: -1 }])
      assert.equal(await count(database), 3001)
    },
  ],
  [
    'with a key, the same rows twice change nothing, and the last of a key counts',
    async (database) => {
      const rows = Array.from({ length: 3000 }, (_, v) => ({ a: v % 1000, b: 'x', v }))
      for (let i = 0; i < 2; i++) {
        assert.deepEqual(await write(database, rows, { key: ['a', 'b'] }), { table: 't', count: 3000 })
        const sql = 'SELECT count(*) AS n, min(v - a) AS low, max(v - a) AS high FROM t'
        assert.deepEqual(await read(database, sql), [{ n: 1000, low: 2000, high: 2000 }])
      }
      await write(database, [{ a: 1, b: 'x' }], { key: ['a', 'b'], columns: ['a', 'b'] })
      assert.deepEqual(await read(database, 'SELECT v FROM t WHERE a = 1'), [{ v: 2001 }])
      has(
        await failed(write(database, [{ a: null, b: 'x' }], { key: ['a', 'b'] })),
        '"a": it is of the key and is null',
      )
      has(await failed(write(database, [{ a: 1 }], { key: 'a' })), 'ON CONFLICT clause does not match')
      has(await failed(write(database, [{ a: 1 }], { key: 'k' }, 'u')), 'no row has the key "k"')
    },
  ],
  [
    'a row that the table refuses follows onError, and the others stay',
    async (database) => {
      await write(database, [], { columns: { a: 'INTEGER UNIQUE', b: "TEXT NOT NULL DEFAULT 'z'" } })
      const rows = [{ a: 1 }, { a: 1 }, 5 as never, { a: 'x' }, { a: 2 }, { b: 'y' }]
      const told: unknown[] = []
      const written = await write(database, rows, {
        columns: ['a'],
        onError: ({ value, error }) =>
          void told.push([value, (error as Error).message.includes('Cannot write')]),
      })
      assert.deepEqual(written, { table: 't', count: 3 })
      assert.deepEqual(told, [
        // What is no row is found while the columns are learnt, before the first row is written.
        [5, true],
        [{ a: 1 }, true],
        [{ a: 'x' }, true],
      ])
      assert.deepEqual(await read(database, 'SELECT * FROM t ORDER BY a'), [
        { a: null, b: 'z' },
        { a: 1, b: 'z' },
        { a: 2, b: 'z' },
      ])
      const error = await failed(
        write(database, [
          { a: 9, b: 'ok' },
          { a: 9, b: 'no' },
        ]),
      )
      has(error, 'Cannot write to table "t" of SQLite')
      has(error, 'UNIQUE constraint failed')
      assert.deepEqual(error.value, { a: 9, b: 'no' })
      assert.ok(error.cause?.cause instanceof Error)
      assert.equal(await count(database), 3)
    },
  ],
  [
    'a property that is no column fails its row, and names it',
    async (database) => {
      const rows = Array.from({ length: 1500 }, (_, i) => (i === 1400 ? { i, late: 1 } : { i }))
      has(
        await failed(write(database, rows)),
        'Cannot write column "late": the first 1000 rows have no such column',
      )
      await write(database, [{ i: 1 }])
      has(await failed(write(database, [{ j: 1 }])), 'Cannot write column "j": the table has no such column')
      assert.deepEqual(await write(database, rows, { onError: 'skip' }), { table: 't', count: 1499 })
    },
  ],
  [
    'a column may be written with large or small letters, but as one',
    async (database) => {
      await write(database, [], { columns: { ID: 'INTEGER UNIQUE', Ä: 'INTEGER', late: 'INTEGER' } })
      assert.deepEqual(await write(database, [{ id: 1, Ä: 2 }]), { table: 't', count: 1 })
      await write(database, [{ iD: 1, Ä: 3 }], { key: 'iD' })
      assert.deepEqual(await read(database, 'SELECT id, Ä FROM t'), [{ ID: 1, Ä: 3 }])
      has(await failed(write(database, [{ ä: 1 }])), 'Cannot write column "ä": the table has no such column')
      for (const table of ['t', 'u']) {
        for (const rows of [[{ id: 5, ID: 6 }], [{ id: 5 }, { id: 6, ID: 6 }], [{ id: 5 }, { ID: 6, id: 6 }]])
          has(await failed(write(database, rows, {}, table)), 'it is the same column as "')
        const rows = Array.from({ length: 1000 }, (_, i) => ({ Id: i + 7 }))
        await write(database, [{ id: 5 }, { ID: 6 }, ...rows], {}, table)
        const sql = `SELECT count(*) AS n, sum(ID) AS sum FROM ${table} WHERE ID > 4`
        assert.deepEqual(await read(database, sql), [{ n: 1002, sum: 11 + 506_500 }])
      }
      const rows = Array.from({ length: 1001 }, (_, i) => (i === 1000 ? { late: i } : { id: i + 2000 }))
      has(await failed(write(database, rows)), 'column "late": the first 1000 rows have no such column')
    },
  ],
  [
    'all or nothing: a run that fails or is aborted leaves no row and no table',
    async (database) => {
      await write(database, [{ i: -1 }])
      const until = (stop: (i: number) => void) =>
        map((i: number) => {
          if (i === 5000) stop(i)
          return { i }
        })
      const boom = until(() => {
        throw new Error('boom')
      })
      for (const table of ['t', 'fresh'])
        has(await failed(pipeline(range(Infinity), boom, writeSqlite(table, { database })).run()), 'boom')
      const aborts = until(() => void run.abort(new Error('enough')).catch(() => {}))
      const run = pipeline(range(Infinity), aborts, writeSqlite('t', { database })).start()
      has(await failed(run.result), 'enough')
      assert.deepEqual(await read(database, 'SELECT * FROM t'), [{ i: -1 }])
      assert.deepEqual(await read(database, "SELECT name FROM sqlite_schema WHERE name = 'fresh'"), [])
    },
  ],
  [
    'a row whose failure takes back the transaction fails the run, also with onError, and nothing is written',
    async (database) => {
      await write(database, [{ id: 1 }], { columns: { id: 'INTEGER UNIQUE ON CONFLICT ROLLBACK' } }, 'strict')
      const rows = [2, 3, 1, 4, 5].map((id) => ({ id }))
      const error = await failed(write(database, rows, { onError: 'skip' }, 'strict'))
      has(error, 'Cannot write to table "strict" of SQLite')
      has(error, 'UNIQUE constraint failed: strict.id')
      assert.deepEqual(await read(database, 'SELECT id FROM strict'), [{ id: 1 }])
      // The connection can be used as before.
      assert.deepEqual(await write(database, [{ id: 6 }], {}, 'strict'), { table: 'strict', count: 1 })
    },
  ],
  [
    'an abort while onError is waited for writes nothing more',
    async (database) => {
      const sink = writeSqlite<object>('t', {
        database,
        columns: { i: 'INTEGER' },
        onError: async () => {
          void run.abort(new Error('enough')).catch(() => {})
          await new Promise((resolve) => setImmediate(resolve))
        },
      })
      const run = pipeline(source<object>([{ i: {} }, { i: 1 }]), sink).start()
      has(await failed(run.result), 'enough')
      assert.deepEqual(await read(database, 'SELECT name FROM sqlite_schema'), [])
    },
  ],
  [
    'names cannot break out of their quotes',
    async (database) => {
      const table = `t"; DROP TABLE t; --`
      const row = { [`a"b'); --`]: 1, select: 3, "'": 4 }
      await write(database, [{ i: 1 }])
      await write(database, [row, row], { key: [`a"b'); --`] }, table)
      assert.deepEqual(await read(database, `SELECT * FROM "${table.replaceAll('"', '""')}"`), [row])
      assert.equal(await count(database), 1)
    },
  ],
  [
    'a table may be called "excluded", as the row is that SQLite did not insert',
    async (database) => {
      for (const name of ['one', 'two']) await write(database, [{ id: 1, name }], { key: 'id' }, 'excluded')
      assert.deepEqual(await read(database, 'SELECT * FROM excluded'), [{ id: 1, name: 'two' }])
    },
  ],
  [
    'without a row it makes only what "columns" says; "create: false" makes nothing',
    async (database) => {
      assert.deepEqual(await write(database, []), { table: 't', count: 0 })
      await write(database, [], { columns: { a: 'INTEGER' } }, 'u')
      assert.deepEqual(await read(database, 'SELECT name FROM sqlite_schema'), [{ name: 'u' }])
      const error = await failed(write(database, [{ a: 1 }], { create: false }))
      has(error, 'Cannot write to table "t" of SQLite')
      has(error, 'there is no such table, and "create" is false')
    },
  ],
  [
    'rows without a column are refused where no row has one, and follow onError',
    async (database) => {
      const rows = Array.from({ length: 1001 }, (): object => ({}))
      const error = await failed(write(database, [{}]))
      has(error, 'Cannot write a row without columns')
      assert.deepEqual(error.value, {})
      let told = 0
      const onError = () => void told++
      assert.deepEqual(await write(database, rows, { onError }), { table: 't', count: 0 })
      assert.equal(told, 1001)
      assert.deepEqual(await write(database, [{}, { a: 1 }]), { table: 't', count: 2 })
      // Also where the table is there.
      has(await failed(write(database, [{}])), 'Cannot write a row without columns')
      assert.deepEqual(await read(database, 'SELECT a FROM t'), [{ a: null }, { a: 1 }])
    },
  ],
  [
    'a query that is wrong, or fails midway, says so',
    async (database) => {
      has(await failed(read(database, 'SELEC 1')), 'Stage "readSqlite" failed: Cannot read from SQLite')
      await write(
        database,
        Array.from({ length: 1000 }, (_, i) => ({ i: i === 900 ? '{' : '1' })),
      )
      has(await failed(read(database, 'SELECT json(i) AS j FROM t')), 'malformed JSON')
    },
  ],
]
