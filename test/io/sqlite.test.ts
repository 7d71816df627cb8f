import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Database } from 'node-sqlite3-wasm'
import { pipeline, source } from 'sluice'
import { readSqlite, type SqliteConnection, writeSqlite } from 'sluice/sqlite'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { bundledFile } from '../support/bundled-program.ts'
import { runCommand } from '../support/child-program.ts'
import { checks } from './sqlite-checks.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-sqlite-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** SQLite in WebAssembly, with the methods that Node's and Bun's have in common. */
function inMemory(): SqliteConnection {
  const database = new Database()
  return {
    exec: (sql) => database.exec(sql),
    prepare(sql) {
      const statement = database.prepare(sql)
      return {
        run: (...values: (null | string)[]) => statement.run(values),
        iterate: (...values: (null | string)[]) => statement.iterate(values)[Symbol.iterator](),
      }
    },
    close: () => database.close(),
  }
}

describe('over a SQLite in memory, on a connection of the user', () => {
  test.each(checks)('%s', async (_, check) => {
    const database = inMemory()
    await check(database)
    // It was not closed.
    database.exec('SELECT 1')
    database.close()
  })
})

test(
  'over files, with the SQLite of the runtime, or it says which runtime has one',
  { timeout: 60_000 },
  async () => {
    const program = await bundledFile('test/io/sqlite-program.ts')
    const { stdout, stderr, code } = await runCommand(process.execPath, program, 50_000)
    const [major, minor] = process.versions.node.split('.').map(Number)
    if (major > 22 || (major === 22 && minor >= 13)) {
      expect(stdout, stderr).toMatch(/^(\d+) of \1 checks/)
      expect(code).toBe(0)
    } else {
      expect(stderr).toContain('this runtime has no SQLite: Node has it from 22.13 on, Bun and Deno have it')
      expect(stdout).toMatch(/^0 of \d+ checks/)
    }
  },
)

test('a runtime without SQLite is told which one has it: for reading, that is not Deno', async () => {
  const getBuiltin = vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined)
  try {
    const reading = pipeline(readSqlite('SELECT 1', { database: 'x.db' })).run()
    await expect(reading).rejects.toThrow(/Cannot read .*: Node has it from 22.13 on, Bun has it$/)
    const writing = pipeline(source([{ a: 1 }]), writeSqlite('t', { database: 'x.db' })).run()
    await expect(writing).rejects.toThrow(/Cannot write .*: Node has it from 22.13 on, Bun and Deno have it$/)
  } finally {
    getBuiltin.mockRestore()
  }
})

const database = 'x.db'
test.each([
  [
    'sql',
    () => readSqlite(' ', { database }),
    'Cannot create readSqlite: "sql" must be one statement of SQL, got " "',
  ],
  [
    'number of statements',
    () => readSqlite('SELECT 1; DELETE FROM t', { database }),
    '"sql" must be one statement of SQL, got "SELECT 1; DELETE FROM t"',
  ],
  ['comment alone', () => readSqlite('-- SELECT 1\n;', { database }), '"sql" must be one statement of SQL'],
  [
    'database',
    () => readSqlite('SELECT 1', {} as never),
    'Cannot create readSqlite: "database" must be a path or an open',
  ],
  [
    'params',
    () => readSqlite('SELECT 1', { database, params: 5 as never }),
    '"params" must be an array or an object, got 5',
  ],
  [
    'params',
    () => readSqlite('SELECT 1', { database, params: Promise.resolve([1]) as never }),
    '"params" must be an array or an object, got Promise',
  ],
  [
    'param',
    () => readSqlite('SELECT 1', { database, params: { a: NaN } }),
    '"params.a" is wrong: it must be null',
  ],
  [
    'integers',
    () => readSqlite('SELECT 1', { database, integers: 'x' as never }),
    `"integers" must be 'bigint' or 'number'`,
  ],
  ['table', () => writeSqlite('', { database }), 'Cannot create writeSqlite: "table" must be a name, got ""'],
  [
    'database in memory',
    () => writeSqlite('t', { database: ':memory:' }),
    '"database" must be a path or an open database',
  ],
  [
    'key',
    () => writeSqlite('t', { database, key: ['a', 'a'] }),
    '"key" must be the name of a column, or names, each once',
  ],
  [
    'columns',
    () => writeSqlite('t', { database, columns: {} }),
    '"columns" must be names of columns, or an object',
  ],
  [
    'key outside',
    () => writeSqlite('t', { database, columns: ['a'], key: 'b' }),
    '"key" must be among the columns, got "b"',
  ],
  [
    'create',
    () => writeSqlite('t', { database, create: 0 as never }),
    '"create" must be true or false, got 0',
  ],
])('a wrong %s is a TypeError where it is made', (_, make, message) => {
  expect(make).toThrow(TypeError)
  expect(make).toThrow(message)
})

test.each([
  'SELECT 1;',
  ';SELECT 1 ; -- a; b\n ; /* c;\nd */',
  `SELECT ';--', "a;b", [c;d], \`e;f\`, 'it''s; /*' FROM t`,
  "SELECT '--' -- '\n FROM t",
  "SELECT 1 -- it's\r a; b\u2028 c; d\n FROM t",
])('%j is one statement', (sql) => {
  expect(() => readSqlite(sql, { database })).not.toThrow()
})

test('a wrong batch or patience is a RangeError where it is made', () => {
  expect(() => writeSqlite('t', { database, batch: 0 })).toThrow(RangeError)
  expect(() => writeSqlite('t', { database, patience: -1 })).toThrow(RangeError)
})
