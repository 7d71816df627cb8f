import { execFileSync } from 'node:child_process'
import { linkSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { forEach, pipeline, range, map, source, take, type StageError } from 'sluice'
import { readDuckDb, type ReadDuckDbOptions, writeDuckDb, type WriteDuckDbOptions } from 'sluice/duckdb'
import { afterAll, describe, expect, test } from 'vitest'
import { root } from '../project/sources.ts'
import { bundledText } from '../support/bundled-program.ts'
import { runCommand } from '../support/child-program.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-duckdb-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let files = 0
const newFile = () => join(folder, `${++files}.db`)
/** To open one takes thirty times as long as to connect to it. */
const database = await DuckDBInstance.create()
const read = (sql: string, options: ReadDuckDbOptions = {}) =>
  pipeline(readDuckDb(sql, { database, ...options })).run()
const write = (rows: object[], table: string, options: WriteDuckDbOptions<object>) =>
  pipeline(source(rows), writeDuckDb(table, options)).run()
const failed = (run: Promise<unknown>) =>
  run.then(
    () => expect.fail('the run did not fail'),
    (error: unknown) => error as StageError,
  )
/** Opens the file in another process, which DuckDB allows only when nobody here has it open. */
const openElsewhere = (file: string) =>
  execFileSync(
    process.execPath,
    [
      '-e',
      `require('@duckdb/node-api').DuckDBInstance.create(process.argv[1]).then(() => console.log('opened'), (error) => console.log(error.message))`,
      file,
    ],
    { cwd: root, encoding: 'utf8', timeout: 20_000 },
  ).trim()

describe('readDuckDb', () => {
  test.each([
    ['true', true],
    ['1::TINYINT', 1],
    ['1::SMALLINT', 1],
    ['1::INTEGER', 1],
    ['9007199254740993::BIGINT', 9007199254740993n],
    ['255::UTINYINT', 255],
    ['65535::USMALLINT', 65535],
    ['4294967295::UINTEGER', 4294967295],
    ['18446744073709551615::UBIGINT', 18446744073709551615n],
    ['170141183460469231731687303715884105727::HUGEINT', 2n ** 127n - 1n],
    ['340282366920938463463374607431768211455::UHUGEINT', 2n ** 128n - 1n],
    ['0.1::DOUBLE', 0.1],
    ["'nan'::DOUBLE", NaN],
    ['1.5::FLOAT', 1.5],
    ['1234567890.12345::DECIMAL(15,5)', 1234567890.12345],
    ['-0.1::DECIMAL(2,1)', -0.1],
    ['12345678901234.567::DECIMAL(18,3)', '12345678901234.567'],
    ['\'🦆 "x"\'', '🦆 "x"'],
    ["'a'::ENUM('a', 'b')", 'a'],
    ['\'{"a": 1}\'::JSON', '{"a": 1}'],
    ["'\\xAA\\x00'::BLOB", Uint8Array.of(0xaa, 0)],
    ["'10101'::BIT", '10101'],
    ["'2026-11-26'::DATE", new Date('2026-11-26T00:00:00Z')],
    ["'12:34:56.789012'::TIME", '12:34:56.789012'],
    ["'2026-11-26 12:34:56.789'::TIMESTAMP", new Date('2026-11-26T12:34:56.789Z')],
    ["'1969-12-31 23:59:59.999999'::TIMESTAMP", new Date(-1)],
    ["'2026-11-26 12:34:56'::TIMESTAMP_S", new Date('2026-11-26T12:34:56Z')],
    ["'2026-11-26 12:34:56.789'::TIMESTAMP_MS", new Date('2026-11-26T12:34:56.789Z')],
    ["'2026-11-26 12:34:56.789'::TIMESTAMP_NS", new Date('2026-11-26T12:34:56.789Z')],
    ["'2026-11-26 12:34:56.789+02'::TIMESTAMPTZ", new Date('2026-11-26T10:34:56.789Z')],
    ["INTERVAL '1 month 2 days 3 seconds'", { months: 1, days: 2, micros: 3_000_000n }],
    ["'f81d4fae-7dec-11d0-a765-00a0c91e6bf6'::UUID", 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6'],
    ['[1, NULL, 3]', [1, null, 3]],
    ['[[1::BIGINT], []]', [[1n], []]],
    ['[1, 2]::INTEGER[2]', [1, 2]],
    ["{a: 1, b: ['x'], c: NULL}", { a: 1, b: ['x'], c: null }],
    ["MAP {'a': DATE '1970-01-02'}", new Map([['a', new Date(86_400_000)]])],
    ['union_value(n := 1)', { tag: 'n', value: 1 }],
    ['NULL', null],
    ['NULL::INTEGER[]', null],
  ])('gives %s as %o', async (sql, value) => {
    expect(await read(`SELECT ${sql} AS v`)).toStrictEqual([{ v: value }])
  })

  test('gives integers of 64 bits as numbers on demand, and refuses those that are not exact', async () => {
    expect(await read('SELECT 5::BIGINT AS v, [6::UBIGINT] AS l', { integers: 'number' })).toEqual([
      { v: 5, l: [6] },
    ])
    const error = await failed(read('SELECT 9007199254740993 AS v', { integers: 'number' }))
    expect(error.message).toBe(
      'Stage "readDuckDb" failed: Cannot read column "v": 9007199254740993 does not fit a number exactly',
    )
    expect(error.value).toEqual({ v: '9007199254740993' })
  })

  test('gives timestamps as text on demand, to the last digit', async () => {
    const sql = "SELECT '2026-11-26 12:34:56.789012'::TIMESTAMP AS a, '2026-11-26'::DATE AS b"
    expect(await read(sql, { timestamps: 'text' })).toEqual([
      { a: '2026-11-26 12:34:56.789012', b: '2026-11-26' },
    ])
  })

  test.each(['DATE', 'TIMESTAMP', 'TIMESTAMPTZ', 'TIMESTAMP_S', 'TIMESTAMP_MS', 'TIMESTAMP_NS'])(
    'an infinite %s is so as text, and no Date',
    async (type) => {
      const sql = `SELECT 'infinity'::${type} AS a, ['-infinity'::${type}] AS b`
      expect(await read(sql, { timestamps: 'text' })).toEqual([{ a: 'infinity', b: ['-infinity'] }])
      expect((await failed(read(sql))).message).toContain(
        'column "a": infinity is out of the range of a Date',
      )
    },
  )

  test('an abort while onError hangs leaves nothing behind', async () => {
    const database = newFile()
    const onError = (): Promise<void> => {
      void run.abort(new Error('enough')).catch(() => {})
      return new Promise(() => {})
    }
    const sql = 'SELECT 9223372036854775807 AS i'
    const run = pipeline(readDuckDb(sql, { database, integers: 'number', onError })).start()
    await expect(run.result).rejects.toThrow('enough')
    expect(openElsewhere(database)).toBe('opened')
  })

  test('a value that no Date holds follows onError', async () => {
    const sql = "SELECT * FROM (VALUES ('infinity'::TIMESTAMP), ('1970-01-01'::TIMESTAMP)) t(\"at\")"
    expect((await failed(read(sql))).message).toContain(
      'Cannot read column "at": infinity is out of the range',
    )
    const told: unknown[] = []
    const rows = await read(sql, { onError: ({ value }) => void told.push(value) })
    expect(rows).toEqual([{ at: new Date(0) }])
    expect(told).toEqual([{ at: 'infinity' }])
  })

  test('takes parameters by place and by name, with their types', async () => {
    const at = new Date('2026-11-26T12:34:56.789Z')
    const values = [
      1,
      2 ** 40,
      1.5,
      5n,
      2n ** 70n,
      'a',
      true,
      null,
      at,
      Uint8Array.of(1),
      [1, 2 ** 40],
      [1, 0.5],
    ]
    const sql = `SELECT ${values.map((_, i) => `typeof($${i + 1}) AS t${i}, $${i + 1} AS v${i}`).join(', ')}`
    const [row] = await read(sql, { params: values as never })
    expect(values.map((_, i) => [row[`t${i}`], row[`v${i}`]])).toEqual([
      ['INTEGER', 1],
      ['BIGINT', 2n ** 40n],
      ['DOUBLE', 1.5],
      ['BIGINT', 5n],
      ['HUGEINT', 2n ** 70n],
      ['VARCHAR', 'a'],
      ['BOOLEAN', true],
      ['"NULL"', null],
      ['TIMESTAMP', at],
      ['BLOB', Uint8Array.of(1)],
      ['BIGINT[]', [1n, 2n ** 40n]],
      ['DOUBLE[]', [1, 0.5]],
    ])
    expect(await read('SELECT $name AS v', { params: { name: "'; DROP TABLE x" } })).toEqual([
      { v: "'; DROP TABLE x" },
    ])
  })

  test('keeps columns of one name and of strange names', async () => {
    const sql = 'SELECT 1 AS a, 2 AS a, 3 AS "__proto__"'
    const [row] = await read(sql)
    expect(Object.entries(row)).toEqual([
      ['a', 1],
      ['a:1', 2],
      ['__proto__', 3],
    ])
    expect(Object.getPrototypeOf(row)).toBe(Object.prototype)
    expect((await failed(read("SELECT {'__proto__': 4} AS s"))).message).toContain(
      'a struct with a "__proto__" cannot',
    )
  })

  test('a column that is there twice gets a name that no other has', async () => {
    expect(await read('SELECT 1 AS a, 2 AS a, 3 AS "a:1", 4 AS a, 5 AS "a:1"')).toEqual([
      { a: 1, 'a:1': 3, 'a:2': 2, 'a:3': 4, 'a:1:1': 5 },
    ])
  })

  test('reads while the rows are made, and no further than there is room for', async () => {
    let seen = 0
    const run = pipeline(
      readDuckDb('FROM range(1000000000000) t(i)'),
      forEach(() => void (seen++ === 10_000 && void run.stop())),
    ).start()
    await run.result
    expect(seen).toBeGreaterThan(10_000)
    expect(seen).toBeLessThan(20_000)
  })

  test('a statement that fails midway fails the run, after the rows before it', async () => {
    const sql =
      "SELECT CASE WHEN i = 300000 THEN error('boom') ELSE i::VARCHAR END AS v FROM range($1::INTEGER) t(i);"
    let seen = 0
    const run = pipeline(
      readDuckDb(sql, { params: [500_000] }),
      forEach(() => void seen++),
    ).run()
    const error = await failed(run)
    expect(error.message).toContain('Cannot read from DuckDB ":memory:": ')
    expect(error.message).toContain('boom')
    expect(seen).toBeGreaterThan(0)
    expect(seen).toBeLessThanOrEqual(300_000)
  })

  test('a statement that is wrong says so, with the error of DuckDB as its cause', async () => {
    const error = await failed(read('SELEC 1', { database: ':memory:' }))
    expect(error.message).toContain('Cannot read from DuckDB ":memory:": ')
    expect(error.message).toContain('Parser Error: syntax error at or near "SELEC"')
    expect((error.cause as Error).cause).toBeInstanceOf(Error)
  })

  test('a type that is no plain data is refused', async () => {
    const error = await failed(read('SELECT 1::VARIANT AS v'))
    expect(error.message).toContain('VARIANT cannot be read: cast it to VARCHAR')
  })

  test('a statement that changes things does so when all its rows are read, and not before', async () => {
    const database = newFile()
    await write([{ id: 1 }], 't', { database })
    const sql = 'INSERT INTO t SELECT i FROM range(10000) s(i) RETURNING id'
    await pipeline(readDuckDb(sql, { database, capacity: 1 }), take(1)).run()
    expect(await read('SELECT count(*)::INTEGER AS n FROM t', { database })).toEqual([{ n: 1 }])
    expect(await read(sql, { database })).toHaveLength(10_000)
    expect(await read('SELECT count(*)::INTEGER AS n FROM t', { database })).toEqual([{ n: 10_001 }])
  })

  test('lets go of the file at the end, when it is left early, when it fails and when it is aborted', async () => {
    const database = newFile()
    await write([{ id: 1 }], 't', { database })
    const endless = 'SELECT i FROM range(100000000000) s(i)'
    for (let i = 0; i < 5; i++) {
      await pipeline(readDuckDb(endless, { database }), take(3)).run()
      const run = pipeline(
        readDuckDb(endless, { database }),
        forEach(() => void run.abort(new Error('enough')).catch(() => {})),
      ).start()
      await expect(run.result).rejects.toThrow('enough')
      await failed(read("SELECT error('no') FROM t", { database }))
    }
    expect(openElsewhere(database)).toBe('opened')
  })

  test(
    'lets go of the file where a table is left early of which DuckDB has more rows ready',
    { timeout: 30_000 },
    async () => {
      // A process of its own: it would wait for ever, even to exit.
      const program = `
      import { pipeline, map, range, take } from 'sluice'
      import { readDuckDb, writeDuckDb } from 'sluice/duckdb'
      const database = ${JSON.stringify(newFile())}
      await pipeline(range(20_000), map((id) => ({ id })), writeDuckDb('t', { database })).run()
      await pipeline(readDuckDb('FROM t', { database }), take(2)).run()
      console.log((await pipeline(readDuckDb('FROM t', { database })).run()).length)`
      await using bundle = await bundledText(program, 'left-early.ts')
      const { stdout, stderr } = await runCommand(process.execPath, bundle.args, 20_000)
      expect(stdout.trim(), stderr).toBe('20000')
    },
  )

  describe('an abort interrupts a statement of hours', () => {
    const hours = 'SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range % 7 = 3'

    test('that has not given a row yet', async () => {
      const run = pipeline(readDuckDb(hours)).start()
      setTimeout(() => void run.abort(new Error('enough')).catch(() => {}), 100)
      await expect(run.result).rejects.toThrow('enough')
    })

    test('that is just about to begin', async () => {
      const connection = await (await DuckDBInstance.create()).connect()
      const stream = connection.stream.bind(connection)
      connection.stream = (...statement) => {
        void run.abort(new Error('enough')).catch(() => {})
        return stream(...statement)
      }
      const database = { connect: () => Promise.resolve(connection) } as unknown as DuckDBInstance
      const run = pipeline(readDuckDb(hours, { database })).start()
      await expect(run.result).rejects.toThrow('enough')
    })

    test('before it is made', async () => {
      const run = pipeline(readDuckDb(hours)).start()
      await expect(run.abort(new Error('enough'))).resolves.toBeUndefined()
      await expect(run.result).rejects.toThrow('enough')
    })
  })

  test('downloads nothing: an extension that is not built in is an error', async () => {
    const rows = await read("SELECT current_setting('autoinstall_known_extensions') AS v", {
      database: newFile(),
    })
    expect(rows).toEqual([{ v: false }])
    const memory = { database: ':memory:' }
    expect(await read("SELECT current_setting('autoinstall_known_extensions') AS v", memory)).toEqual([
      { v: false },
    ])
    const error = await failed(read("SELECT * FROM 'http://127.0.0.1:9/x.parquet'", memory))
    expect(error.message).toContain('httpfs')
  })

  test.each([
    ['sql', () => readDuckDb(''), 'Cannot create readDuckDb: "sql" must be a statement of SQL, got ""'],
    [
      'database',
      () => readDuckDb('FROM t', { database: 5 as never }),
      `Cannot create readDuckDb: "database" must be a path, ':memory:' or a DuckDBInstance, got 5`,
    ],
    [
      'params',
      () => readDuckDb('FROM t', { params: Promise.resolve([1]) as never }),
      'Cannot create readDuckDb: "params" must be an array or an object, got Promise',
    ],
    [
      'params',
      () => readDuckDb('FROM t', { params: [{}] as never }),
      'Cannot create readDuckDb: "params.0" must be null, a boolean, number, bigint, string of whole ' +
        'characters, valid Date, Uint8Array or an array of these, got Object',
    ],
    [
      'params',
      () => readDuckDb('FROM t', { params: { key: ['whole', '\ud83d'] } }),
      'Cannot create readDuckDb: "params.key" must be null, a boolean, number, bigint, string of whole',
    ],
    [
      'integers',
      () => readDuckDb('FROM t', { integers: 'int' as never }),
      `Cannot create readDuckDb: "integers" must be 'bigint' or 'number', got "int"`,
    ],
    [
      'timestamps',
      () => readDuckDb('FROM t', { timestamps: 'x' as never }),
      `Cannot create readDuckDb: "timestamps" must be 'date' or 'text', got "x"`,
    ],
    [
      'options',
      () => readDuckDb('FROM t', null as never),
      'Cannot create readDuckDb: "options" must be an object',
    ],
  ])('a wrong %s is a TypeError where it is made', (_, make, message) => {
    expect(make).toThrow(TypeError)
    expect(make).toThrow(message)
  })
})

describe('writeDuckDb', () => {
  const twice = <K>(...keys: K[]) => keys.map((key, i) => [key, i] as const)

  const typesOf = (database: string, table: string) =>
    read(`SELECT column_name AS name, data_type AS type FROM duckdb_columns() WHERE table_name = $1`, {
      database,
      params: [table],
    }).then((rows) => Object.fromEntries(rows.map(({ name, type }) => [name, type]) as [string, unknown][]))

  test('makes a table with the types of the first rows, and the rows come back', async () => {
    const database = newFile()
    const at = new Date('2026-11-26T12:34:56.789Z')
    const row = {
      n: 1.5,
      s: 'a\0🦆',
      b: true,
      at,
      bytes: Uint8Array.of(0, 255),
      big: 2n ** 100n,
      list: [['x'], []],
      struct: { a: [1.5], b: null, c: { d: 'e' } },
    }
    const empty = { n: null, s: null, b: null, at: null, bytes: null, big: null, list: null, struct: null }
    expect(await write([row, {}, { i: 1 }], 't', { database })).toEqual({ table: 't', count: 3 })
    expect(await typesOf(database, 't')).toEqual({
      n: 'DOUBLE',
      s: 'VARCHAR',
      b: 'BOOLEAN',
      at: 'TIMESTAMP WITH TIME ZONE',
      bytes: 'BLOB',
      big: 'HUGEINT',
      list: 'VARCHAR[][]',
      struct: 'STRUCT(a DOUBLE[], b VARCHAR, c STRUCT(d VARCHAR))',
      i: 'BIGINT',
    })
    expect(await read('FROM t', { database })).toStrictEqual([
      { ...row, i: null },
      { ...empty, i: null },
      { ...empty, i: 1n },
    ])
  })

  test('widens a type while it learns', async () => {
    const database = newFile()
    await write([{ a: 1, b: 1, c: [], d: {} }, { a: 0.5, b: 2n ** 64n, c: [1], d: {} }, { c: [0.5] }], 't', {
      database,
    })
    expect(await typesOf(database, 't')).toEqual({ a: 'DOUBLE', b: 'HUGEINT', c: 'DOUBLE[]', d: 'JSON' })
  })

  test('what is read can be written again, for every type', async () => {
    const database = newFile()
    const columns = {
      a: 'TINYINT',
      b: 'UBIGINT',
      c: 'UHUGEINT',
      d: 'FLOAT',
      e: 'DECIMAL(18,3)',
      f: 'DECIMAL(4,2)',
      g: "ENUM('x', 'y')",
      h: 'JSON',
      i: 'BIT',
      j: 'DATE',
      k: 'TIME',
      l: 'TIMESTAMP',
      m: 'TIMESTAMP_S',
      n: 'TIMESTAMP_MS',
      o: 'TIMESTAMP_NS',
      p: 'INTERVAL',
      q: 'UUID',
      r: 'MAP(VARCHAR, INTEGER[])',
      s: 'INTEGER[2]',
      t: 'STRUCT(a INTEGER, b VARCHAR)[]',
    }
    const row = {
      a: -128,
      b: 2n ** 64n - 1n,
      c: 2n ** 128n - 1n,
      d: 0.25,
      e: '-12345678901234.567',
      f: -0.01,
      g: 'y',
      h: '{"a":[1]}',
      i: '0101',
      j: new Date('2026-11-26T00:00:00Z'),
      k: '23:59:59.000001',
      l: new Date(-1),
      m: new Date(-1000),
      n: new Date(1),
      o: new Date(2),
      p: { months: 1, days: -2, micros: 3n },
      q: 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6',
      r: new Map([['k', [1, 2]]]),
      s: [1, 2],
      t: [
        { a: 1, b: 'x' },
        { a: null, b: null },
      ],
    }
    await write([row, {}], 't', { database, columns })
    const [first, second] = await read('FROM t', { database })
    expect(first).toStrictEqual(row)
    expect(Object.values(second).every((value) => value === null)).toBe(true)
    await pipeline(readDuckDb('FROM t', { database }), writeDuckDb('u', { database, columns })).run()
    expect(await read('FROM u', { database })).toStrictEqual([first, second])
  })

  test.each([
    ['TINYINT', 128, 'an integer from -128 to 127, got 128'],
    ['INTEGER', 1.5, 'an integer from -2147483648 to 2147483647, got 1.5'],
    ['BIGINT', 2 ** 53, 'a 64-bit integer, got 9007199254740992'],
    ['UBIGINT', -1, 'an unsigned 64-bit integer, got -1'],
    ['DOUBLE', '1', 'a number, got "1"'],
    ['DOUBLE', 2n ** 53n + 1n, 'a number, got 9007199254740993n'],
    ['DOUBLE', 10n ** 400n, 'a number that DOUBLE holds, got 1000'],
    ['FLOAT', 1e300, 'a number that FLOAT holds, got 1e+300'],
    ['FLOAT', -3.4028236e38, 'a number that FLOAT holds, got -3.4028236e+38'],
    [
      'FLOAT',
      2n ** 200n,
      'a number that FLOAT holds, got 1606938044258990275541962092341162602522202993782792835301376n',
    ],
    ['FLOAT', 2n ** 24n + 1n, 'a number, got 16777217n'],
    ['DECIMAL(4,2)', 0.001, 'an exact decimal of 4 digits, 2 of them behind the point, got 0.001'],
    ['DECIMAL(4,2)', '100', 'an exact decimal of 4 digits'],
    ['DECIMAL(4,2)', '1e999999999', 'an exact decimal of 4 digits'],
    ['VARCHAR', 5, 'a string, got 5'],
    ['VARCHAR', '\ud83e', 'a string of whole characters'],
    ['BOOLEAN', 1, 'a boolean, got 1'],
    ['BLOB', 'x', 'a Uint8Array, got "x"'],
    ['DATE', new Date(1), 'a Date at midnight UTC, got 1970-01-01T00:00:00.001Z'],
    ['TIMESTAMP', new Date(NaN), 'a valid Date, got Invalid Date'],
    ['TIMESTAMP_S', new Date(1), 'a Date of whole seconds'],
    [
      'TIMESTAMP_NS',
      new Date(9_223_372_036_855),
      'a valid Date from 1677-09-22T00:00:00.000Z to 2262-04-11T23:47:16.854Z, got 2262-04-11T23:47:16.855Z',
    ],
    ['TIMESTAMP_NS', new Date(-9_223_286_400_001), 'a valid Date from 1677-09-22'],
    ['TIMESTAMP_NS[]', [new Date(8.64e15)], 'a valid Date from 1677-09-22'],
    ['TIME', '25:00:00', 'a time as "12:34:56.789", got "25:00:00"'],
    ['UUID', 'x', 'a UUID, got "x"'],
    ['JSON', '{', 'JSON, or a text of it, got "{"'],
    ["ENUM('a', 'b')", 'c', 'one of "a", "b", got "c"'],
    ['INTEGER[]', 5, 'an array, got 5'],
    ['INTEGER[]', ['x'], 'an integer from'],
    ['INTEGER[2]', [1], 'an array of 2 values, got Array'],
    ['STRUCT(a INTEGER)', { b: 1 }, 'its property "b" is not one of "a"'],
    ['MAP(VARCHAR, INTEGER)', {}, 'a Map, got Object'],
    ['MAP(VARCHAR, INTEGER)', new Map([[null, 1]]), 'its key is null'],
    ['MAP(VARCHAR, INTEGER)[]', [new Map([[undefined, 1]])], 'its key is null'],
    ['MAP(BIGINT, INTEGER)', new Map(twice<unknown>(1, 1n)), 'its key 1n is equal to one before it'],
    ['MAP(FLOAT, INTEGER)', new Map(twice(0.1, Math.fround(0.1))), 'its key 0.10000000149011612 is equal'],
    [
      'MAP(DOUBLE[], INTEGER)',
      new Map(twice([0, NaN], [-0, NaN])),
      'its key Array is equal to one before it',
    ],
    [
      'MAP(TIMESTAMP, INTEGER)',
      new Map(twice(new Date(5), new Date(5))),
      'its key 1970-01-01T00:00:00.005Z is',
    ],
    ['MAP(BLOB, INTEGER)', new Map(twice(Uint8Array.of(1), Uint8Array.of(1))), 'its key Uint8Array is equal'],
    [
      'MAP(INTERVAL, INTEGER)',
      new Map(twice({ months: -1, days: 31, micros: 1n }, { months: 0, days: 0, micros: 86_400_000_001n })),
      'its key Object is equal to one before it',
    ],
    ['INTERVAL', 5, '{ months, days, micros } with micros a bigint, got 5'],
    [
      'INTERVAL',
      { months: 2 ** 31, days: 0, micros: 0n },
      '{ months, days, micros } of 32, 32 and 64 bits, got Object',
    ],
    ['INTERVAL', { months: 0, days: -(2 ** 31) - 1, micros: 0n }, 'of 32, 32 and 64 bits'],
    ['INTERVAL', { months: 0, days: 0, micros: 2n ** 63n }, 'of 32, 32 and 64 bits'],
    ['BIT', '2', 'a string of 0 and 1'],
  ])('refuses for %s what does not fit: %o', async (type, v, message) => {
    const database = newFile()
    const error = await failed(write([{ v: null }, { v }], 't', { database, columns: { v: type } }))
    expect(error.message).toContain('Stage "writeDuckDb" failed: Cannot write column "v": ')
    expect(error.message).toContain(message)
    expect(error.value).toEqual({ v })
  })

  test.each([
    ['TIMESTAMP_NS', new Date(9_223_372_036_854)],
    ['TIMESTAMP_NS', new Date(-9_223_286_400_000)],
    ['INTERVAL', { months: 2 ** 31 - 1, days: -(2 ** 31), micros: -(2n ** 63n) }],
    ['FLOAT', 2 ** 128 - 2 ** 104],
    ['FLOAT[]', [Infinity, -Infinity, NaN]],
    ['DOUBLE', Number.MAX_VALUE],
    ['MAP(VARCHAR, INTEGER)', new Map(twice('null', 'NULL', '', '1'))],
    ['MAP(VARCHAR[], INTEGER)', new Map(twice(['a', 'b'], ['a, b'], ['a","b'], [null], ['null'], []))],
    ['MAP(DOUBLE[], INTEGER)', new Map(twice([0], [NaN], [null], [Infinity]))],
    [
      'MAP(STRUCT(a BLOB), INTEGER)',
      new Map(twice({ a: Uint8Array.of(1) }, { a: Uint8Array.of(2) }, { a: null })),
    ],
    [
      'MAP(INTERVAL, INTEGER)',
      new Map(twice({ months: 1, days: -1, micros: 0n }, { months: 0, days: 29, micros: 0n })),
    ],
  ])('takes for %s what fits but just: %o', async (type, v) => {
    const database = newFile()
    await write([{ v }], 't', { database, columns: { v: type } })
    expect(await read('FROM t', { database })).toStrictEqual([{ v }])
  })

  test('rows that do not fit follow onError, in the first rows and after them', async () => {
    const database = newFile()
    const told: unknown[] = []
    const rows = map((i: number): object =>
      i % 1000 === 7 ? { i: `no ${i}` } : i % 1000 === 8 ? { x: i, i } : { i },
    )
    const strange = map((row: object) => (Object.hasOwn(row, 'x') ? 5 : row) as object)
    const sink = writeDuckDb<object>('t', { database, onError: ({ value }) => void told.push(value) })
    expect(await pipeline(range(3000), rows, strange, sink).run()).toEqual({ table: 't', count: 2994 })
    expect(told).toEqual([{ i: 'no 7' }, 5, { i: 'no 1007' }, 5, { i: 'no 2007' }, 5])
    expect(await read('SELECT count(*)::INTEGER AS n, sum(i)::INTEGER AS s FROM t', { database })).toEqual([
      { n: 2994, s: (3000 * 2999) / 2 - (7 + 8 + 1007 + 1008 + 2007 + 2008) },
    ])
  })

  test('a property that is no column fails its row, and names it', async () => {
    const database = newFile()
    const rows = Array.from({ length: 1500 }, (_, i) => (i === 1400 ? { i, late: 1 } : { i }))
    const error = await failed(write(rows, 't', { database }))
    expect(error.message).toContain(
      'Cannot write column "late": the first 1000 rows have no such column: say in "columns" what is to be written',
    )
    expect(error.value).toEqual({ i: 1400, late: 1 })
    await write([{ i: 1 }], 't', { database })
    expect((await failed(write([{ j: 1 }], 't', { database }))).message).toContain(
      'the table has no such column',
    )
    await write([{ i: 2, j: 1 }], 't', { database, columns: ['i'] })
    expect(await read('FROM t', { database })).toEqual([{ i: 1n }, { i: 2n }])
  })

  test.each(['half of a character', 'NUL'])(
    '%s is no part of a name: another one would be made',
    async (what) => {
      const database = newFile()
      const half = what === 'NUL' ? '\0' : '\ud800'
      const error = await failed(write([{ [`a${half}`]: 1 }], 't', { database }))
      const column = JSON.stringify(`a${half}`)
      expect(error.message).toContain(
        `Cannot write column ${column}: its name holds half of a character, or NUL`,
      )
      expect(() => writeDuckDb(`t${half}`, { database })).toThrow('"table" must be a name')
      expect(() => writeDuckDb('t', { database, columns: [`a${half}`] })).toThrow('"columns" must be names')
      expect(() => writeDuckDb('t', { database: database + half })).toThrow('"database" must be a path')
    },
  )

  test('a column may be written with large or small letters, but as one', async () => {
    const database = newFile()
    await write([], 't', { database, columns: { ID: 'INTEGER UNIQUE', Ä: 'INTEGER', late: 'INTEGER' } })
    expect(await write([{ id: 1, Ä: 2 }], 't', { database })).toEqual({ table: 't', count: 1 })
    await write([{ iD: 1, Ä: 3 }], 't', { database, key: 'iD' })
    expect(await read('SELECT ID, Ä FROM t', { database, integers: 'number' })).toEqual([{ ID: 1, Ä: 3 }])
    for (const table of ['t', 'u']) {
      for (const rows of [[{ id: 5, ID: 6 }], [{ id: 5 }, { id: 6, ID: 6 }], [{ id: 5 }, { ID: 6, id: 6 }]])
        expect((await failed(write(rows, table, { database }))).message).toContain(
          'it is the same column as "',
        )
      await write([{ id: 5 }, { ID: 6 }, ...Array.from({ length: 1000 }, (_, i) => ({ Id: i + 7 }))], table, {
        database,
      })
      const sql = `SELECT count(*)::INTEGER AS n, sum(ID)::INTEGER AS sum FROM ${table} WHERE ID > 4`
      expect(await read(sql, { database })).toEqual([{ n: 1002, sum: 11 + 506_500 }])
    }
    const rows = Array.from({ length: 1001 }, (_, i) => (i === 1000 ? { late: i } : { id: i + 2000 }))
    expect((await failed(write(rows, 't', { database }))).message).toContain(
      'Cannot write column "late": the first 1000 rows have no such column',
    )
  })

  test('writes some columns of a table that is there, the others get their defaults', async () => {
    const instance = await DuckDBInstance.create()
    const connection = await instance.connect()
    await connection.run(
      'CREATE SCHEMA s; CREATE TABLE s.t(id INTEGER DEFAULT 42, name VARCHAR NOT NULL, up VARCHAR AS (upper(name)))',
    )
    await write([{ name: 'a' }], 't', { database: instance, schema: 's' })
    expect(await read('FROM s.t', { database: instance })).toEqual([{ id: 42, name: 'a', up: 'A' }])
    const error = await failed(write([{ name: null }], 't', { database: instance, schema: 's' }))
    expect(error.message).toContain(
      'Cannot write to table "t" of the given DuckDBInstance: Constraint Error: NOT NULL',
    )
    // It has taken back the transaction, so there are no other rows to go on with.
    const rows = [{ name: 'b' }, { name: null }, { name: 'c' }]
    const skipping = write(rows, 't', { database: instance, schema: 's', onError: 'skip' })
    expect((await failed(skipping)).message).toContain('Constraint Error: NOT NULL')
    // The user's own connection and instance are still open.
    expect((await connection.run('FROM s.t')).rowCount).toBe(1)
    connection.closeSync()
    instance.closeSync()
  })

  test('with a key, the same rows twice change nothing, and the last of a key counts', async () => {
    const database = newFile()
    const rows = Array.from({ length: 70_000 }, (_, i) => ({ a: i % 35_000, b: 'x', v: i }))
    const options = { database, key: ['b', 'a'] }
    for (let i = 0; i < 2; i++) {
      expect(await write(rows, 't', options)).toEqual({ table: 't', count: 70_000 })
      const sql =
        'SELECT count(*)::INTEGER AS n, min(v - a)::INTEGER AS low, max(v - a)::INTEGER AS high FROM t'
      expect(await read(sql, { database })).toEqual([{ n: 35_000, low: 35_000, high: 35_000 }])
    }
    await write([{ a: 5, b: 'x' }], 't', { ...options, columns: ['a', 'b'] })
    expect(await read('SELECT v FROM t WHERE a = 5', { database })).toEqual([{ v: 35_005n }])
  })

  test('with a key, a table may be called "excluded" and a column "rowid", as what DuckDB has itself', async () => {
    const database = newFile()
    const rows = ['a', 'b', 'c'].map((v) => ({ rowid: 1, v }))
    await write(rows, 'excluded', { database, key: 'rowid' })
    expect(await read('FROM main.excluded', { database })).toEqual([{ rowid: 1n, v: 'c' }])
    await write(rows.slice(0, 2), 'excluded', { database, key: 'rowid' })
    expect(await read('FROM main.excluded', { database })).toEqual([{ rowid: 1n, v: 'b' }])
  })

  test('a key needs a constraint, a value and a column', async () => {
    const database = newFile()
    await write([{ a: 1 }], 't', { database })
    expect((await failed(write([{ a: 1 }], 't', { database, key: 'a' }))).message).toContain(
      'UNIQUE/PRIMARY KEY',
    )
    const missing = await failed(write([{ a: 1, k: 1 }, { a: 2 }], 'u', { database, key: 'k' }))
    expect(missing.message).toContain('Cannot write column "k": it is of the key and is null')
    expect((await failed(write([{ a: 1 }], 'v', { database, key: 'k' }))).message).toContain(
      'no row has the key "k"',
    )
  })

  test('names cannot break out of their quotes', async () => {
    const database = newFile()
    const table = `t"; DROP TABLE t; --`
    const row = { [`a"b'); --`]: 1, '__proto__ ': 2, select: 3, "'": 4, ['' + '__proto__']: 5 }
    await write([{ i: 1 }], 't', { database })
    await write([row, row], table, { database, key: [`a"b'); --`, "'"] })
    expect(
      await read(`FROM "${table.replaceAll('"', '""')}"`, { database, integers: 'number' }),
    ).toStrictEqual([row])
    expect(await read('FROM t', { database })).toEqual([{ i: 1n }])
  })

  test('all or nothing: a run that fails or is aborted leaves no row and no table', async () => {
    const database = newFile()
    await write([{ i: -1 }], 't', { database })
    const fails = map((i: number) => {
      if (i === 150_000) throw new Error('boom')
      return { i }
    })
    for (const table of ['t', 'fresh'])
      await failed(pipeline(range(Infinity), fails, writeDuckDb(table, { database })).run())
    const aborts = map((i: number) => {
      if (i === 150_000) void run.abort(new Error('enough')).catch(() => {})
      return { i }
    })
    const run = pipeline(range(Infinity), aborts, writeDuckDb('t', { database })).start()
    await expect(run.result).rejects.toThrow('enough')
    expect(await read('FROM t', { database })).toEqual([{ i: -1n }])
    expect(await read("SELECT 1 FROM duckdb_tables() WHERE table_name = 'fresh'", { database })).toEqual([])
    expect(openElsewhere(database)).toBe('opened')
  })

  test.each<[string, () => Promise<void>]>([
    ['is waited for', () => new Promise((resolve) => setImmediate(resolve))],
    ['hangs', () => new Promise(() => {})],
  ])('an abort while onError %s leaves nothing behind', async (_what, wait) => {
    const database = newFile()
    const sink = writeDuckDb<object>('t', {
      database,
      columns: { i: 'INTEGER' },
      onError: async () => {
        void run.abort(new Error('enough')).catch(() => {})
        await wait()
      },
    })
    const run = pipeline(source<object>([{ i: 'x' }, { i: 1 }]), sink).start()
    await expect(run.result).rejects.toThrow('enough')
    expect(openElsewhere(database)).toBe('opened')
    expect(await read('SELECT 1 FROM duckdb_tables()', { database })).toEqual([])
  })

  test('two runs at a time on one file share the database', async () => {
    const database = newFile()
    const into = (table: string) =>
      pipeline(
        range(100_000),
        map((i) => ({ i })),
        writeDuckDb(table, { database }),
      ).run()
    await Promise.all([into('a'), into('b'), read('SELECT 1', { database })])
    const both = 'SELECT (SELECT count(*) FROM a)::INTEGER AS a, (SELECT count(*) FROM b)::INTEGER AS b'
    expect(await read(both, { database })).toEqual([{ a: 100_000, b: 100_000 }])
    // From one table to another of the same file.
    const copy = pipeline(readDuckDb('FROM a', { database }), writeDuckDb('c', { database }))
    expect(await copy.run()).toEqual({ table: 'c', count: 100_000 })
    expect(openElsewhere(database)).toBe('opened')
  })

  test('what Node cannot look at is left to DuckDB, also while another database is open', async () => {
    const loop = join(folder, 'loop.db')
    symlinkSync(loop, loop)
    const reason = () => write([{ a: 1 }], 't', { database: loop }).catch(({ message }: Error) => message)
    const alone = await reason()
    async function* rows() {
      yield { a: 1 }
      expect(await reason()).toBe(alone)
    }
    await pipeline(source(rows), writeDuckDb('t', { database: join(folder, 'beside.db') })).run()
    expect(alone).toContain(`of "${loop}": IO Error`)
  })

  test('two runs at a time on two links to one file share the database, and lose no row', async () => {
    const [database, link] = ['linked.db', 'link.db'].map((name) => join(folder, name))
    await write([{ i: 0 }], 't', { database })
    linkSync(database, link)
    const rows = Array.from({ length: 5000 }, (_, i) => ({ i }))
    await Promise.all([database, link].map((each) => write(rows, 't', { database: each })))
    const [{ n }] = (await read('SELECT count(*)::INTEGER AS n FROM t', { database })) as { n: number }[]
    expect(n).toBe(10_001)
  })

  test('without a row it makes only what "columns" says', async () => {
    const database = newFile()
    expect(await write([], 't', { database })).toEqual({ table: 't', count: 0 })
    expect(await write([], 'u', { database, columns: { a: 'INTEGER' }, key: 'a' })).toEqual({
      table: 'u',
      count: 0,
    })
    expect(await read('SELECT table_name AS name FROM duckdb_tables()', { database })).toEqual([
      { name: 'u' },
    ])
  })

  test('rows without a column are refused where no row has one, and follow onError', async () => {
    const database = newFile()
    const rows = Array.from({ length: 1001 }, (): object => ({}))
    const error = await failed(write([{}], 't', { database }))
    expect(error.message).toContain('Cannot write a row without columns')
    expect(error.value).toEqual({})
    let told = 0
    const onError = () => void told++
    expect(await write(rows, 't', { database, onError })).toEqual({ table: 't', count: 0 })
    expect(told).toBe(1001)
    expect(await write([{}, { a: true }], 't', { database })).toEqual({ table: 't', count: 2 })
    // Also where the table is there.
    expect((await failed(write([{}], 't', { database }))).message).toContain('a row without columns')
    expect(await read('FROM t', { database })).toEqual([{ a: null }, { a: true }])
  })

  test('"create: false" wants the table to be there', async () => {
    const database = newFile()
    const error = await failed(write([{ a: 1 }], 't', { database, create: false }))
    expect(error.message).toContain('Cannot write to table "t" of')
    expect(error.message).toContain('there is no such table, and "create" is false')
    expect(readdirSync(folder)).not.toContain(`${database}.wal`)
  })

  test('knows a table as DuckDB does, by large letters and small ones', async () => {
    const database = newFile()
    await read('CREATE SCHEMA Zoo', { database })
    await write([{ a: 1 }], 'Birds', { database, schema: 'ZOO', columns: { a: 'INTEGER PRIMARY KEY' } })
    await write([{ a: 1 }, { a: 2 }], 'birds', { database, schema: 'zoo', key: 'a', create: false })
    expect(await read('FROM Zoo.Birds ORDER BY a', { database })).toEqual([{ a: 1 }, { a: 2 }])
    // Letters beyond ASCII are two.
    await write([{ a: 1 }], 'Ä', { database })
    await write([{ b: 1 }], 'ä', { database })
    expect(await read('SELECT * FROM "Ä", "ä"', { database })).toEqual([{ a: 1n, b: 1n }])
  })

  test('a database that cannot be opened says which', async () => {
    const database = join(folder, 'missing', 'x.db')
    expect((await failed(write([{ a: 1 }], 't', { database }))).message).toContain(
      `of ${JSON.stringify(database)}: IO Error`,
    )
    expect((await failed(read('SELECT 1', { database }))).message).toContain(JSON.stringify(database))
  })

  const database = 'x.db'
  test.each([
    ['table', () => writeDuckDb('', { database }), '"table" must be a name, got ""'],
    [
      'database',
      () => writeDuckDb('t', { database: ':memory:' }),
      '"database" must be a path or a DuckDBInstance, got ":memory:"',
    ],
    [
      'database, as a folder',
      () => writeDuckDb('t', { database: 'x.db/' }),
      '"database" must be a path or a DuckDBInstance, got "x.db/"',
    ],
    [
      'database, missing',
      () => writeDuckDb('t', {} as never),
      '"database" must be a path or a DuckDBInstance, got undefined',
    ],
    [
      'key',
      () => writeDuckDb('t', { database, key: [] }),
      '"key" must be the name of a column, or names, each once',
    ],
    [
      'columns',
      () => writeDuckDb('t', { database, columns: ['a', 'a'] }),
      '"columns" must be names of columns',
    ],
    [
      'key outside',
      () => writeDuckDb('t', { database, columns: ['a'], key: 'b' }),
      '"key" must be among the columns, got "b"',
    ],
    [
      'create',
      () => writeDuckDb('t', { database, create: 1 as never }),
      '"create" must be true or false, got 1',
    ],
    ['schema', () => writeDuckDb('t', { database, schema: '' }), '"schema" must be a name, got ""'],
  ])('a wrong %s is a TypeError where it is made', (_, make, message) => {
    expect(make).toThrow(TypeError)
    expect(make).toThrow(`Cannot create writeDuckDb: ${message}`)
  })
})
