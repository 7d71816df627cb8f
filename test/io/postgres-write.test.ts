/** `writePostgres` against a real server: what is in the table afterwards, also after a failure. */
import { type EventEmitter, once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { PassThrough, pipeline as pipe, Transform } from 'node:stream'
import { Client, type ClientConfig, Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test, type TestContext, vi } from 'vitest'
import { drain, forEach, map, pipeline, range, source, type StageError } from 'sluice'
import { readPostgres, type Row, writePostgres, type WritePostgresOptions } from 'sluice/postgres'
import { never } from '../pipeline/support-waiting.ts'
import { Random, seedOfRun } from '../support/random.ts'
import { isLost, noPostgres, postgresBin, type PostgresServer, startPostgres } from './postgres-server.ts'

let server: PostgresServer
let admin: Client
let connection: ClientConfig

beforeAll(async () => {
  if (!postgresBin) return console.warn(noPostgres)
  server = await startPostgres()
  connection = server.socket
  admin = new Client({ ...connection, application_name: 'admin' })
  await admin.connect()
}, 60_000)
afterAll(async () => {
  await admin?.end()
  await server?.[Symbol.asyncDispose]()
})

type Options = Partial<WritePostgresOptions<Row>>

const write = (rows: Iterable<Row>, options: Options = {}, table = 'people') =>
  pipeline(source(rows), writePostgres<Row>(table, { connection, ...options })).run()

const people = async (columns = '*') =>
  (await admin.query<Row>(`SELECT ${columns} FROM people ORDER BY id`)).rows

const failureOf = (run: Promise<unknown>) =>
  run.then(
    () => expect.fail('it did not fail'),
    (error: unknown) => error as StageError & { cause: Error & { code?: string } },
  )

const nobodyLeft = () =>
  expect
    .poll(
      async () =>
        (
          await admin.query<Row>(
            "SELECT state, query FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name <> 'admin'",
          )
        ).rows,
      { timeout: 10_000 },
    )
    .toEqual([])

/** Ends the connection of the run, once it is there. */
const kill = () =>
  expect
    .poll(
      async () =>
        (
          await admin.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sluice' AND query <> ''",
          )
        ).rowCount,
      { timeout: 10_000 },
    )
    .toBe(1)

/** The server has taken rows, and waits for more. */
const copied = () =>
  expect
    .poll(
      async () =>
        (await admin.query('SELECT 1 FROM pg_stat_progress_copy WHERE tuples_processed > 0')).rowCount,
      { timeout: 10_000 },
    )
    .toBe(1)

async function connected(application_name?: string): Promise<Client & AsyncDisposable> {
  const client = new Client({ ...connection, application_name })
  await client.connect()
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() })
}

/** Lets a minute of timers pass as soon as nothing else goes on, or as much of it as the work takes. */
async function withoutWaiting(work: () => Promise<unknown>): Promise<void> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  let over = false
  const done = work().finally(() => (over = true))
  for (let ms = 0; ms < 60_000 && !over; ms += 100) {
    await new Promise(setImmediate)
    await vi.advanceTimersByTimeAsync(100)
  }
  vi.useRealTimers()
  await done
}

/** A line to the server that can fall silent: then nothing comes through, and nobody new is heard. */
async function lineTo({ host, port }: ClientConfig) {
  let quiet = Promise.resolve()
  let speak = (): void => {}
  let silent = false
  const held = () =>
    new Transform({ transform: (chunk, _, pass) => void quiet.then(() => pass(null, chunk)) })
  const line = createServer({ allowHalfOpen: true }, (socket) => {
    if (silent) return void pipe(socket, new PassThrough().resume(), () => socket.destroy())
    const upstream = connect({ port: port!, host, allowHalfOpen: true })
    pipe(socket, held(), upstream, () => {})
    pipe(upstream, held(), socket, () => {})
  }).listen(0, '127.0.0.1')
  await once(line, 'listening')
  return {
    port: (line.address() as AddressInfo).port,
    keepSilent() {
      silent = true
      quiet = new Promise((resolve) => (speak = resolve))
    },
    speak: () => speak(),
    async [Symbol.asyncDispose]() {
      speak()
      line.close()
      await once(line, 'close')
    },
  }
}

/** The same value in a column of each type that takes it. */
const VALUES: [type: string, values: unknown[]][] = [
  [
    'text',
    [
      '',
      ' ',
      '\\N',
      '\\.',
      'tab\t line\n return\r back\\slash \b\f\v',
      'Zürich 東京 🚀',
      'NULL',
      '{}',
      '"',
      7,
      true,
      10n,
      null,
      undefined,
    ],
  ],
  [
    'text',
    [
      { a: ['\n', '\\', '"'] },
      Buffer.from('bytes as text: ü'),
      { toPostgres: () => 'own\ttext' },
      { toJSON: () => undefined },
    ],
  ],
  ['int', [0, -1, 2147483647, '42', 3n]],
  ['bigint', ['9223372036854775807', 9007199254740993n, 12]],
  ['numeric', ['NaN', NaN, '123456789012345678901234567890.123456789', 0.1, 1e21]],
  ['float8', [Infinity, -Infinity, NaN, -0, 5e-324, 1.7976931348623157e308, '1.5']],
  ['bool', [true, false, 't', 'no', 1 > 2]],
  [
    'timestamptz',
    [
      new Date(0),
      new Date('2026-11-26T17:10:27.123Z'),
      new Date(-1),
      'infinity',
      'now',
      new Date('0099-01-01T00:00:00Z'),
      new Date(Date.UTC(12024, 0, 1)),
      new Date(-70000000000000),
    ],
  ],
  [
    'timestamp',
    [new Date('2026-07-01T12:00:00.5Z'), new Date('2026-01-01T00:00:00Z'), '2026-01-01 00:00:00'],
  ],
  ['date', [new Date('2026-07-01T12:00:00Z'), '2026-02-28', 'infinity']],
  [
    'bytea',
    [
      Buffer.from([0, 1, 9, 10, 13, 92, 255]),
      Buffer.alloc(0),
      new Uint8Array([1, 2, 3]),
      new Uint8Array([9, 92, 7, 7]).subarray(1, 3),
      '\\x00ff',
    ],
  ],
  [
    'int[]',
    [
      [1, null, 3],
      [],
      [
        [1, 2],
        [3, 4],
      ],
      '{5,6}',
    ],
  ],
  ['text[]', [['a,b', '"', '\\', null, 'NULL', '', '\t\n', '{}'], [['x']]]],
  ['bytea[]', [[Buffer.from([0, 92, 255]), null]]],
  ['timestamptz[]', [[new Date(0), null]]],
  [
    'json',
    [
      { a: [1, '\n\t\\', null], b: { c: 'é' } },
      '{"text": 1}',
      '[1]',
      7,
      true,
      '"quoted"',
      { toJSON: () => undefined },
    ],
  ],
  ['jsonb', [{ a: [1, '\n\t\\', null], b: { c: 'é' } }, '{"text": 1}', 7, false]],
  ['json[]', [[{ a: '\\' }, { b: '"' }]]],
  ['uuid', ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']],
  ['interval', ['1 day 02:03:04.5']],
  ['int4range', ['[1,5)']],
  ['inet', ['10.0.0.1/8']],
]

describe.runIf(postgresBin)('writePostgres()', { timeout: 30_000 }, () => {
  beforeEach(async () => {
    await admin.query(
      'DROP TABLE IF EXISTS people; CREATE TABLE people (id int PRIMARY KEY, name text, age int DEFAULT 18)',
    )
  })

  test.each(VALUES)('writes values of %s as pg does', async (type, values) => {
    await admin.query(`DROP TABLE people; CREATE TABLE people (id serial, value ${type})`)
    for (const value of values) await admin.query('INSERT INTO people (value) VALUES ($1)', [value])
    const expected = await people('value::text')
    // 'now' is the time of the statement.
    const isNow = (i: number) => values[i] === 'now'
    await admin.query('TRUNCATE people')
    await write(values.map((value, id) => ({ id, value })))
    const written = await people('value::text')
    expect(written.filter((_, i) => !isNow(i))).toEqual(expected.filter((_, i) => !isNow(i)))
    expect(written).toHaveLength(values.length)
  })

  test('what pg cannot write to a json column is JSON', async () => {
    await admin.query('DROP TABLE people; CREATE TABLE people (id int, a json, b jsonb)')
    const values = [[1, '\\', { c: null }], [], new Date(0)]
    await write(values.map((value, id) => ({ id, a: value, b: value })))
    const as = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
    expect(await people()).toEqual(values.map((value, id) => ({ id, a: as(value), b: as(value) })))
  })

  test('what was read can be written again, whatever it is', async () => {
    await admin.query(
      "DROP TABLE IF EXISTS many; CREATE TABLE many AS SELECT n AS id, repeat(chr(n), n % 5) || E'\\t\\\\' AS text, n * 1.5 AS amount, timestamptz '2026-01-01' + n * interval '1001 ms' AS at, n % 2 = 0 AS even, CASE WHEN n % 3 = 0 THEN json_build_object('n', n, 't', E'\\n') END AS json, decode(lpad(to_hex(n), 6, '0'), 'hex') AS bytes, ARRAY[n, NULL] AS list FROM generate_series(1, 20000) n; DROP TABLE IF EXISTS copy; CREATE TABLE copy (LIKE many)",
    )
    const copy = pipeline(
      readPostgres('SELECT * FROM many', { connection }),
      writePostgres('copy', { connection }),
    )
    expect(await copy.run()).toEqual({ table: 'copy', count: 20_000 })
    const differences =
      'SELECT count(*)::int AS n FROM (SELECT id, text, amount, at, even, json::jsonb, bytes, list FROM many EXCEPT SELECT id, text, amount, at, even, json::jsonb, bytes, list FROM copy) x'
    expect((await admin.query(differences)).rows).toEqual([{ n: 0 }])
    await nobodyLeft()
  })

  test('the columns are the keys of the first row, and a row that lacks one has NULL there', async () => {
    expect(await write([{ name: 'Ada', id: 1, age: 36 }, { id: 2 }, { age: 5, id: 3 }])).toEqual({
      table: 'people',
      count: 3,
    })
    expect(await people()).toEqual([
      { id: 1, name: 'Ada', age: 36 },
      { id: 2, name: null, age: null },
      { id: 3, name: null, age: 5 },
    ])
    await nobodyLeft()
  })

  test('a row that lacks a column has NULL there, though every object inherits such a property', async () => {
    await admin.query('CREATE TABLE races (id int, constructor text, "toString" text, "__proto__" text)')
    const columns = ['id', 'constructor', 'toString', '__proto__']
    await write([{ id: 1, constructor: 'Ferrari' }, { id: 2 }], { columns }, 'races')
    const { rows } = await admin.query<Row>('SELECT * FROM races ORDER BY id')
    expect(
      rows.map((row) => columns.map((column) => Object.entries(row).find(([key]) => key === column)![1])),
    ).toEqual([
      [1, 'Ferrari', null, null],
      [2, null, null, null],
    ])
    await admin.query('DROP TABLE races')
  })

  test('a column that no row has keeps its default', async () => {
    await write([{ id: 1, name: 'Ada' }])
    expect(await people()).toEqual([{ id: 1, name: 'Ada', age: 18 }])
  })

  test('named columns are written, and other keys left out', async () => {
    await write([{ id: 1, name: 'Ada', age: 3, other: 4 }], { columns: ['name', 'id'] })
    expect(await people()).toEqual([{ id: 1, name: 'Ada', age: 18 }])
  })

  test('names of tables, schemas and columns are quoted', async () => {
    await admin.query(
      'CREATE SCHEMA IF NOT EXISTS "my ""schema"; DROP TABLE IF EXISTS "my ""schema"."a.b"; CREATE TABLE "my ""schema"."a.b" ("select" int PRIMARY KEY, "x""; --" text, n int)',
    )
    const rows = [{ select: 1, 'x"; --': 'one', n: 1 }]
    const options = { schema: 'my "schema', key: 'select' }
    expect(await write(rows, options, 'a.b')).toEqual({ table: 'a.b', count: 1 })
    expect((await admin.query('SELECT * FROM "my ""schema"."a.b"')).rows).toEqual(rows)
  })

  test('bytes that are no UTF-8 are refused by a column of text, as the server does it', async () => {
    const error = await failureOf(write([{ id: 1, name: Buffer.from([0x61, 0xff]) }]))
    expect(error.message).toContain('Cannot write column "name" of table "people"')
    expect(error.message).toContain('Cannot write bytes that are no UTF-8 to a column of text')
    await write([{ id: 1, name: Buffer.from('é') }])
    expect(await people('name')).toEqual([{ name: 'é' }])
  })

  test('a statement of the user that fails in front of the commit fails the run: nothing was written', async () => {
    await using client = await connected()
    let theirs: Promise<unknown> | undefined
    const rows = [1, 2].map((id) => ({ id }))
    // It stands behind the COPY, and in front of the COMMIT.
    const begun = (client.connection as unknown as EventEmitter).once.bind(client.connection)
    begun('copyInResponse', () => {
      theirs = failureOf(client.query('SELECT 1 / 0'))
    })
    const error = await failureOf(write(rows, { connection: client }))
    expect(error.message).toContain('Cannot write to table "people": the transaction was rolled back')
    await theirs
    expect(client.getTransactionStatus()).toBe('I')
    expect(await people()).toEqual([])
  })

  test('no rows are written to a table that is there', async () => {
    expect(await write([])).toEqual({ table: 'people', count: 0 })
    expect((await failureOf(write([], {}, 'nowhere'))).cause).toMatchObject({ code: '42P01' })
    await nobodyLeft()
  })

  describe('with a key', () => {
    test('a table may be called "excluded", as the rows are that Postgres did not insert', async () => {
      await admin.query(
        'DROP TABLE IF EXISTS excluded; CREATE TABLE excluded (id int PRIMARY KEY, name text)',
      )
      for (const name of ['one', 'two']) await write([{ id: 1, name }], { key: 'id' }, 'excluded')
      expect((await admin.query('TABLE excluded')).rows).toEqual([{ id: 1, name: 'two' }])
    })

    const rows = Array.from({ length: 300 }, (_, i) => ({ id: i % 200, name: `name ${i}`, age: i }))
    const last = rows
      .slice(200)
      .concat(rows.slice(100, 200))
      .sort((a, b) => a.id - b.id)

    test.each([1, 7, 100, 250, 299, 300, 10_000])(
      'the last row of each key stays, in batches of %i',
      async (batch) => {
        await admin.query("INSERT INTO people VALUES (5, 'old', 1), (-1, 'stays', 2)")
        for (let i = 0; i < 2; i++) {
          expect(await write(rows, { key: 'id', batch })).toEqual({ table: 'people', count: 300 })
          expect(await people()).toEqual([{ id: -1, name: 'stays', age: 2 }, ...last])
        }
        await nobodyLeft()
      },
    )

    test('of several columns, which are all there is', async () => {
      await admin.query('DROP TABLE people; CREATE TABLE people (id int, name text, PRIMARY KEY (name, id))')
      const pairs = [
        { id: 1, name: 'a' },
        { id: 1, name: 'b' },
        { id: 1, name: 'a' },
      ]
      await write(pairs, { key: ['name', 'id'] })
      await write(pairs, { key: ['id', 'name'] })
      expect(await people()).toEqual(pairs.slice(0, 2))
    })

    test('with NULL in it, rows are never the same', async () => {
      await admin.query('DROP TABLE people; CREATE TABLE people (id int, name text UNIQUE)')
      await write(
        [
          { id: 1, name: null },
          { id: 2, name: null },
          { id: 3, name: 'x' },
          { id: 4, name: 'x' },
        ],
        { key: 'name' },
      )
      expect(await people()).toEqual([
        { id: 1, name: null },
        { id: 2, name: null },
        { id: 4, name: 'x' },
      ])
    })

    const skipBefore15 = async (context: TestContext) => {
      const { rows } = await admin.query<{ n: number }>(
        "SELECT current_setting('server_version_num')::int AS n",
      )
      if (rows[0].n < 150_000) context.skip('NULLS NOT DISTINCT came with Postgres 15')
    }

    test('with NULL in it, the last row stays where the NULLs of the key are not distinct', async (context) => {
      await skipBefore15(context)
      await admin.query(
        `DROP TABLE people; CREATE TABLE people (id int, name text, "o\\'s" int, UNIQUE (id)); ` +
          `CREATE UNIQUE INDEX ON people ("o\\'s", name) INCLUDE (id) NULLS NOT DISTINCT`,
      )
      const pair = (id: number, name: string | null, other: number | null) => ({ id, name, "o\\'s": other })
      const twice = [
        pair(1, null, 1),
        pair(2, null, 1),
        pair(3, null, null),
        pair(4, null, null),
        pair(5, 'a', 1),
      ]
      await write(twice, { key: ['name', "o\\'s"] })
      expect(await people()).toEqual([twice[1], twice[3], twice[4]])
      await write([pair(6, null, null)], { key: ["o\\'s", 'name'] })
      expect(await people()).toEqual([twice[1], twice[4], pair(6, null, null)])
    })

    test('with NULL in it, rows are never the same, though another key has NULLs that are', async (context) => {
      await skipBefore15(context)
      await admin.query(
        'DROP TABLE people; CREATE TABLE people (id int, name text UNIQUE, age int, UNIQUE NULLS NOT DISTINCT (name, age))',
      )
      await write(
        [1, 2, 2].map((age, id) => ({ id, name: id < 2 ? null : 'x', age })),
        { key: 'name' },
      )
      expect(await people('id')).toEqual([{ id: 0 }, { id: 1 }, { id: 2 }])
    })

    test('into identity columns, and beside one that is called n', async () => {
      await admin.query(
        'DROP TABLE people; CREATE TABLE people (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int, n_ text NOT NULL)',
      )
      await write(
        [
          { id: 7, n: 1, n_: 'a' },
          { id: 7, n: 2, n_: 'b' },
        ],
        { key: 'id' },
      )
      expect(await people()).toEqual([{ id: 7, n: 2, n_: 'b' }])
    })

    test('that is not unique, the server says so', async () => {
      const error = await failureOf(write([{ id: 1, name: 'a' }], { key: 'name' }))
      expect(error.cause).toMatchObject({ code: '42P10' })
      expect(error.message).toContain(
        'Cannot write to table "people": there is no unique or exclusion constraint',
      )
      await nobodyLeft()
    })

    test('that the rows do not have, it fails', async () => {
      const error = await failureOf(write([{ name: 'a' }], { key: 'id' }))
      expect(error.message).toContain('the key "id" is not among the columns')
    })
  })

  describe.each([{}, { key: 'id', batch: 4 }])('all or nothing, with %o', (options) => {
    const bad = Array.from({ length: 20 }, (_, id) => ({ id, age: id === 13 ? 'old' : id }))

    test('a row that the server refuses takes back all', async () => {
      await admin.query("INSERT INTO people VALUES (-1, 'stays', 2)")
      const error = await failureOf(write(bad, options))
      expect(error).toMatchObject({
        stage: 'writePostgres',
        message:
          'Stage "writePostgres" failed: Cannot write to table "people": invalid input syntax for type integer: "old" (row 14, column age: "old")',
        cause: { code: '22P02' },
        suppressed: [],
      })
      expect(await people()).toHaveLength(1)
      await nobodyLeft()
    })

    test('a failure before it takes back all', async () => {
      const failing = map((id: number) => {
        if (id === 15) throw new Error('boom')
        return { id }
      })
      const run = pipeline(range(20), failing, writePostgres('people', { connection, ...options })).run()
      expect(await failureOf(run)).toMatchObject({ stage: 'map' })
      expect(await people()).toEqual([])
      await nobodyLeft()
    })

    test('an abort takes back all', async () => {
      const gate = map(async (id: number) => (id < 15 ? { id } : never()))
      const run = pipeline(range(20), gate, writePostgres('people', { connection, ...options })).start()
      await expect.poll(() => run.stats().stages[2].received, { timeout: 10_000 }).toBe(15)
      await run.abort(new Error('enough'))
      await expect(run.result).rejects.toThrow('enough')
      expect(await people()).toEqual([])
      await nobodyLeft()
    })

    test('a server that goes away takes back all, also while no row comes', async () => {
      async function* rows() {
        for (let id = 0; id < 15; id++) yield { id }
        await kill()
        await never()
      }
      const run = pipeline(source(rows), writePostgres('people', { connection, ...options })).start()
      const error = await failureOf(run.result)
      expect(error).toMatchObject({ stage: 'writePostgres', suppressed: [] })
      expect(error.message).toMatch(/Cannot write to table "people": ./)
      expect(error.cause).toSatisfy(isLost)
      expect(await people()).toEqual([])
      await nobodyLeft()
    })
  })

  test('a server that ends a COPY in which no row comes is heard out', async () => {
    for (const key of ['id', undefined]) {
      async function* rows() {
        // More than what is gathered, less than twice as much.
        for (let id = 0; id < 10; id++) yield { id, name: 'x'.repeat(10_000) }
        await copied()
        await kill()
        await never()
      }
      await using client = await connected('sluice')
      const options = { connection: client, ...(key !== undefined && { key }) }
      const run = pipeline(source(rows), writePostgres('people', options)).run()
      const error = await failureOf(run)
      expect(error).toMatchObject({ cause: { code: '57P01' }, suppressed: [] })
      expect(error.message).toMatch(
        /Cannot write to table "people": terminating connection due to administrator command$/,
      )
      expect(client.listenerCount('error')).toBe(0)
      expect(await people()).toEqual([])
    }
    await nobodyLeft()
  })

  test.each([1, 2, 3, 4, 5, 6])(
    'a connection that goes with answer %i fails the run, though no other row comes',
    async (nth) => {
      await using client = await connected()
      let answers = 0
      // As where the answer and the last words of the server come in one piece.
      client.connection.on('readyForQuery', () => {
        if (++answers === nth) client.connection.emit('error', new Error('gone'))
      })
      async function* rows() {
        yield* [{ id: 1 }, { id: 2 }]
        await never()
      }
      const options = { connection: client, key: 'id', batch: 2 }
      const error = await failureOf(pipeline(source(rows), writePostgres('people', options)).run())
      expect(error).toMatchObject({
        cause: { message: 'Cannot write to table "people": gone' },
        suppressed: [],
      })
      expect(await people()).toEqual([])
    },
  )

  test('a row that is refused while no other comes fails the run', async () => {
    async function* rows() {
      for (let id = 0; id < 20_000; id++) yield { id: id % 15_000, name: 'x'.repeat(10) }
      await never()
    }
    const run = pipeline(source(rows), writePostgres('people', { connection })).run()
    expect((await failureOf(run)).cause).toMatchObject({ code: '23505' })
    await nobodyLeft()
  })

  test('the row is named also where a type or a trigger says more, and in a table of any name', async () => {
    const table = 'odd, "name'
    const quoted = '"odd, ""name"'
    await admin.query(`
      CREATE TEMPORARY TABLE ${quoted} (id int, doc jsonb);
      CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF NEW.id = 2 THEN RAISE 'not two'; END IF; RETURN NEW; END $$;
      CREATE TRIGGER refuse BEFORE INSERT ON ${quoted} FOR EACH ROW EXECUTE FUNCTION pg_temp.refuse()`)
    const messageOf = async (row: object) => {
      const rows: object[] = [{ id: 1, doc: null }, row]
      const run = pipeline(source(rows), writePostgres<object>(table, { connection: admin })).run()
      return (await failureOf(run)).message
    }
    expect(await messageOf({ id: 'no' })).toContain('(row 2, column id: "no")')
    expect(await messageOf({ id: 1, doc: '{' })).toContain('type json (row 2, column doc:')
    expect(await messageOf({ id: 2, doc: 1 })).toContain('not two (row 2')
    await admin.query(`DROP TABLE ${quoted}`)
  })

  test('commit: "batch" keeps the batches before a failure', async () => {
    for (const key of [undefined, 'id']) {
      await admin.query('TRUNCATE people')
      const rows = Array.from({ length: 20 }, (_, id) => ({ id, age: id === 13 ? 'old' : id }))
      const options = { batch: 5, commit: 'batch', ...(key !== undefined && { key }) } as const
      expect((await failureOf(write(rows, options))).message).toContain('(row 14, column age: "old")')
      expect(await people()).toHaveLength(10)
    }
    expect(await write([{ id: 50 }, { id: 51 }, { id: 52 }], { batch: 2, commit: 'batch' })).toMatchObject({
      count: 3,
    })
    expect(await people()).toHaveLength(13)
    await nobodyLeft()
  })

  describe('a row that cannot be encoded', () => {
    const rows: Row[] = [
      { id: 1, name: 'a' },
      { id: 2, name: 'NUL \0' },
      { id: 3, name: 'c' },
    ]

    test.each([
      [
        'has a NUL character',
        rows[1],
        'Cannot write column "name" of table "people": Cannot write a text with a NUL character',
      ],
      [
        'has half of a character',
        { id: 2, name: '🦆'.slice(0, 1) },
        'Cannot write column "name" of table "people": Cannot write a text with half of a character',
      ],
      [
        'has a key that is no column',
        { id: 2, nme: 'b' },
        'Cannot write to table "people": it has no column "nme"',
      ],
      [
        'has a column that the first did not have',
        { id: 2, age: 1 },
        'the first row had no "age", so "columns" must name it',
      ],
      ['has an invalid date', { id: 2, name: new Date(NaN) }, 'invalid date'],
      ['has an invalid date in an array', { id: 2, name: [[new Date(NaN)]] }, 'invalid date'],
      ['has a buffer that has no view', { id: 2, name: new ArrayBuffer(3) }, 'a Uint8Array of it'],
      ['has a function', { id: 2, name: () => 1 }, 'Cannot write a function'],
      ['has bytes where they make no sense', { id: Buffer.from('1'), name: 'b' }, 'neither bytea nor text'],
      ['is no row', 'b' as unknown as Row, 'it must be an object'],
    ])('because it %s fails the run, or is skipped', async (_, row, message) => {
      const all = [rows[0], row, rows[2]]
      const error = await failureOf(write(all))
      expect(error).toMatchObject({ stage: 'writePostgres', value: row })
      expect(error.message).toContain(message)
      expect(await people()).toEqual([])
      expect(await write(all, { onError: 'skip' })).toMatchObject({ count: 2 })
      expect(await people('id')).toEqual([{ id: 1 }, { id: 3 }])
      await nobodyLeft()
    })

    test('though it is the first one, leaves the columns to the next', async () => {
      const told: unknown[] = []
      const first = { id: 0, nme: 'a' }
      await write([first, ...rows.slice(2)], { onError: ({ value }) => void told.push(value) })
      expect(told).toEqual([first])
      expect(await people('id, name')).toEqual([{ id: 3, name: 'c' }])
    })
  })

  describe('on a client of the user', () => {
    test('it takes part in the transaction, and a failure takes back its own rows only', async () => {
      await using client = await connected()
      await client.query('BEGIN')
      await client.query("INSERT INTO people VALUES (100, 'mine', 1)")
      for (const key of ['id', undefined]) {
        const options: Options = { connection: client, ...(key !== undefined && { key }) }
        await failureOf(
          write(
            [
              { id: 1, age: 1 },
              { id: 2, age: 'old' },
            ],
            options,
          ),
        )
        await write([{ id: key === undefined ? 3 : 4 }], options)
      }
      expect(await people()).toEqual([])
      await client.query('COMMIT')
      expect(await people('id')).toEqual([{ id: 3 }, { id: 4 }, { id: 100 }])
      expect(client.listenerCount('error')).toBe(0)
    })

    test('an abort at any moment is through when it says so, and no cancel hits what comes next', async () => {
      const random = new Random(seedOfRun())
      await using client = await connected()
      const long = "SELECT n, repeat('x', 200) FROM generate_series(1, 20000) n"
      const rows = map((id: number) => ({ id, name: 'x'.repeat(10_000) }))
      const jobs = [
        () => pipeline(range(50), rows, writePostgres('people', { connection: client })).start(),
        () =>
          pipeline(
            range(50),
            rows,
            writePostgres('people', { connection: client, key: 'id', batch: 5 }),
          ).start(),
        () => pipeline(readPostgres(long, { connection: client }), drain()).start(),
        () => pipeline(readPostgres(long, { connection: client, copy: false, batch: 10 }), drain()).start(),
      ]
      for (let i = 0; i < 120; i++) {
        const run = jobs[i % jobs.length]()
        for (let turns = random.below(25); turns > 0; turns--) await new Promise(setImmediate)
        await run.abort(new Error('enough'))
        await run.result.catch(() => {})
        expect((await client.query('SELECT 1 AS a')).rows).toEqual([{ a: 1 }])
        await client.query('TRUNCATE people')
      }
      expect(client.listenerCount('error')).toBe(0)
    })

    test('an abort leaves it so that it can be used again', async () => {
      await using client = await connected()
      for (const key of ['id', undefined]) {
        const options = { connection: client, ...(key !== undefined && { key, batch: 5 }) }
        const gate = map(async (id: number) => (id < 15 ? { id, name: 'x'.repeat(10_000) } : never()))
        const run = pipeline(range(20), gate, writePostgres('people', options)).start()
        await expect.poll(() => run.stats().stages[2].received, { timeout: 10_000 }).toBe(15)
        await run.abort(new Error('enough'))
        await run.result.catch(() => {})
        expect((await client.query('SELECT id FROM people')).rows).toEqual([])
        expect(client.getTransactionStatus()).toBe('I')
      }
    })
  })

  test('an abort does not wait for a silent line, and what it has begun is taken back before what is asked next', async () => {
    await using line = await lineTo(server.tcp)
    await admin.query('CREATE TABLE others (LIKE people INCLUDING ALL)')
    const long = "SELECT i, repeat('x', 1000) FROM generate_series(1, 20000) AS i"
    const rows = map(async (id: number) => (id < 15 ? { id, name: 'x'.repeat(10_000) } : never()))
    const make = [
      (client: Client) => pipeline(readPostgres(long, { connection: client }), forEach(never)),
      (client: Client) => pipeline(readPostgres(long, { connection: client, copy: false }), forEach(never)),
      (client: Client) => pipeline(range(20), rows, writePostgres('people', { connection: client })),
      (client: Client) =>
        pipeline(range(20), rows, writePostgres('others', { connection: client, key: 'id', batch: 5 })),
    ]
    const runs = await Promise.all(
      make.map(async (making) => {
        const client = new Client({ ...server.tcp, port: line.port, application_name: 'sluice' })
        await client.connect()
        const run = making(client).start()
        await expect.poll(() => run.stats().stages.at(-1)!.received, { timeout: 10_000 }).toBeGreaterThan(0)
        return { client, run }
      }),
    )
    const own = { ...server.tcp, port: line.port }
    const more = map(async (id: number) => (id < 515 ? { id } : never()))
    const alone = pipeline(
      range(500, 520),
      more,
      writePostgres('others', { connection: own, key: 'id', batch: 5 }),
    ).start()
    await expect.poll(() => alone.stats().stages[2].received, { timeout: 10_000 }).toBe(15)
    await expect
      .poll(() => runs.slice(2).map(({ run }) => run.stats().stages[2].received), { timeout: 10_000 })
      .toEqual([15, 15])
    line.keepSilent()
    const all = [...runs.map(({ run }) => run), alone]
    for (const run of all) run.result.catch(() => {})
    await withoutWaiting(() => Promise.all(all.map((run) => run.abort(new Error('enough')))))
    const sql = 'SELECT count(*)::int AS n FROM (TABLE people UNION ALL TABLE others) AS rows'
    const answers = runs.map(({ client }) => client.query<Row>(sql))
    line.speak()
    for (const [i, { client }] of runs.entries()) {
      expect((await answers[i]).rows).toEqual([{ n: 0 }])
      expect(client.getTransactionStatus()).toBe('I')
      expect(client.listenerCount('error')).toBe(0)
      await client.end()
    }
    await admin.query('DROP TABLE others')
    await nobodyLeft()
  })

  test('a pool gets its client back, but not one that was left in the middle', async () => {
    const pool = new Pool({ ...connection, max: 2 })
    await write([{ id: 1 }], { connection: pool })
    await write([{ id: 2 }], { connection: pool, key: 'id' })
    expect([pool.totalCount, pool.idleCount]).toEqual([1, 1])
    await failureOf(write([{ id: 2 }, { id: 2 }], { connection: pool }))
    expect(pool.totalCount).toBe(0)
    await pool.end()
    expect(await people('id')).toEqual([{ id: 1 }, { id: 2 }])
    await nobodyLeft()
  })

  test('a COMMIT that fails is not taken back: a pool keeps its client, and a client hears no warning', async () => {
    await admin.query('DROP TABLE people; CREATE TABLE people (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)')
    const twice = [{ id: 1 }, { id: 1 }]
    const pool = new Pool({ ...connection, max: 1 })
    expect((await failureOf(write(twice, { connection: pool }))).cause).toMatchObject({ code: '23505' })
    expect([pool.totalCount, pool.idleCount]).toEqual([1, 1])
    await pool.end()
    await using client = await connected()
    const notices: unknown[] = []
    client.on('notice', (notice) => notices.push(notice.message))
    expect((await failureOf(write(twice, { connection: client }))).cause).toMatchObject({ code: '23505' })
    await client.query('SELECT 1')
    expect(notices).toEqual([])
    expect(await people()).toEqual([])
  })

  test('waits while the server takes no more', async () => {
    // The locks are those of another connection: in a transaction, what is seen of the others stands still.
    await using locker = await connected()
    await locker.query("SET application_name = 'admin'; BEGIN; LOCK TABLE people")
    let made = 0
    const rows = map((id: number) => ({ id, name: 'x'.repeat(1000), n: made++ }))
    const sink = writePostgres('people', { connection, columns: ['id', 'name'] })
    const run = pipeline(range(50_000), rows, sink).start()
    const waiting =
      "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'sluice'"
    await expect.poll(async () => (await admin.query(waiting)).rowCount, { timeout: 10_000 }).toBe(1)
    expect(made).toBeLessThan(10_000)
    await locker.query('COMMIT')
    expect(await run.result).toEqual({ table: 'people', count: 50_000 })
  })

  test('an abort does not wait for a lock', async () => {
    // The locks are those of another connection: in a transaction, what is seen of the others stands still.
    await using locker = await connected()
    await locker.query("SET application_name = 'admin'; BEGIN; LOCK TABLE people")
    const run = pipeline(
      range(5),
      map((id) => ({ id })),
      writePostgres('people', { connection }),
    ).start()
    const waiting =
      "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'sluice'"
    await expect.poll(async () => (await admin.query(waiting)).rowCount, { timeout: 10_000 }).toBe(1)
    await run.abort(new Error('enough'))
    await run.result.catch(() => {})
    await locker.query('COMMIT')
    await nobodyLeft()
  })

  test.each([{}, { key: 'id' }])(
    'a query_timeout of the connection ends the wait for a lock, with %o',
    async (options) => {
      await admin.query('BEGIN; LOCK TABLE people')
      const limited = { connection: { ...connection, query_timeout: 50 }, ...options }
      const error = await failureOf(write([{ id: 1, name: 'a' }], limited)).finally(() =>
        // A server that waits for a lock does not see that its client has gone.
        admin.query('ROLLBACK'),
      )
      expect(error.message).toContain('Cannot write to table "people": Query read timeout')
      await nobodyLeft()
    },
  )

  test('a table whose name has a dot is not one in a schema, and the error says so', async () => {
    const error = await failureOf(write([{ id: 1 }], {}, 'public.people'))
    expect(error.message).toContain('"public.people" does not exist, the schema is an option of its own')
  })

  test('at a wrong password, it fails', async () => {
    const error = await failureOf(write([{ id: 1 }], { connection: { ...server.tcp, password: 'wrong' } }))
    expect(error).toMatchObject({ cause: { code: '28P01' } })
    expect(error.message).toContain('Cannot write to table "people": password authentication failed')
  })

  test('a pipeline may read and write one table', async () => {
    await write(Array.from({ length: 5000 }, (_, id) => ({ id, name: 'a' })))
    const job = pipeline(
      readPostgres<{ id: number }>('SELECT id FROM people', { connection }),
      map(({ id }) => ({ id, name: `b${id}` })),
      writePostgres('people', { connection, key: 'id', batch: 500 }),
    )
    expect(await job.run()).toEqual({ table: 'people', count: 5000 })
    expect((await people("count(*) FILTER (WHERE name = 'b' || id)::int AS n, 1 AS id")).length).toBe(1)
    const seen: Row[] = []
    await pipeline(
      readPostgres("SELECT count(*)::int AS n FROM people WHERE name = 'b' || id", { connection }),
      forEach((row: Row) => void seen.push(row)),
    ).run()
    expect(seen).toEqual([{ n: 5000 }])
  })
})

describe('writePostgres() refuses', () => {
  const options = { connection: {} }
  test.each([
    ['no table', () => writePostgres('', options), '"table" must be a name, got ""'],
    [
      'no connection',
      () => writePostgres('t', {} as typeof options),
      '"connection" must be a connection string, or a ClientConfig, Client or Pool of pg, got undefined',
    ],
    [
      'no columns',
      () => writePostgres('t', { ...options, columns: [] }),
      '"columns" must be distinct names, got Array',
    ],
    [
      'columns twice',
      () => writePostgres('t', { ...options, columns: ['a', 'a'] }),
      '"columns" must be distinct names, got Array',
    ],
    [
      'an empty key',
      () => writePostgres('t', { ...options, key: '' }),
      '"key" must be one or more distinct names, got Array',
    ],
    [
      'a key that is no column',
      () => writePostgres('t', { ...options, key: 'b', columns: ['a'] }),
      '"key" must be among the columns, got "b"',
    ],
    [
      'a batch of 0',
      () => writePostgres('t', { ...options, batch: 0 }),
      '"batch" must be an integer >= 1, got 0',
    ],
    [
      'another commit',
      () => writePostgres('t', { ...options, commit: 'never' as 'end' }),
      `"commit" must be 'end' or 'batch', got "never"`,
    ],
    [
      'another onError',
      () => writePostgres('t', { ...options, onError: 'ignore' as 'skip' }),
      `"onError" must be 'fail', 'skip' or a function, got "ignore"`,
    ],
  ])('%s', (_, make, message) => {
    expect(make).toThrow(`Cannot create writePostgres: ${message}`)
  })
})
