/** `readPostgres` against a real server: the rows are those of `client.query`, and nothing is left behind. */
import { Client, type ClientConfig, Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { count, drain, forEach, pipeline, type StageError, take, toArray } from 'sluice'
import { readPostgres, type ReadPostgresOptions, type Row } from 'sluice/postgres'
import { never } from '../pipeline/support-waiting.ts'
import { isLost, noPostgres, postgresBin, type PostgresServer, startPostgres } from './postgres-server.ts'

let server: PostgresServer
let admin: Client
let connection: ClientConfig

// A machine without Postgres passes the other tests; `.ci/run` installs it.
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

/** Everything but the tests' own connection has gone. */
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

const read = (sql: string, options: Partial<ReadPostgresOptions> = {}) =>
  pipeline(readPostgres(sql, { connection, ...options }), toArray()).run()

const failureOf = (run: Promise<unknown>) =>
  run.then(
    () => expect.fail('it did not fail'),
    (error: unknown) => error as StageError & { cause: Error & { code?: string } },
  )

/** One of each type, and what is hard to get right; each is a query of its own. */
const HOSTILE = [
  "SELECT E'tab\\t, line\\n, return\\r, \\\\ backslash, \\b\\f\\x0b' AS text",
  "SELECT '\\N' AS a, '\\.' AS b, '' AS c, NULL::text AS d, '\\\\N' AS e",
  "SELECT 'Zürich 東京 🚀 \u00a0\u2028' AS \"ünïcode 🚀\", E'\\u0001' AS control",
  "SELECT n, repeat(chr(233), n % 7) AS accents, CASE WHEN n % 3 = 0 THEN NULL ELSE E'a\\\\b\\n' END AS x FROM generate_series(1, 5000) n",
  "SELECT 1::int2 AS a, '-2147483648'::int4 AS b, 2147483647 AS c, 9223372036854775807::int8 AS d, 42::oid AS e",
  "SELECT 'NaN'::numeric AS a, 12345678901234567890.123456789 AS b, 'Infinity'::float8 AS c, '-Infinity'::float4 AS d, 1e-300::float8 AS e, '-0'::float8 AS f",
  'SELECT true AS yes, false AS no, NULL::bool AS neither',
  "SELECT 'infinity'::timestamptz AS a, '-infinity'::timestamp AS b, 'infinity'::date AS c",
  "SELECT '0044-03-15 BC'::timestamptz AS a, '0099-01-01 00:00:00+00'::timestamptz AS b, '12024-01-01'::timestamptz AS c, '0001-02-03'::date AS d",
  "SELECT '2026-11-26 17:10:27.123456+00'::timestamptz AS a, '2026-11-26 17:10:27.57+00'::timestamptz AS b, '1969-12-31 23:59:59.999+00'::timestamptz AS c, '2026-03-29 02:30'::timestamp AS d, '2026-03-29'::date AS e",
  "SELECT '1880-01-01 12:00:00+00'::timestamptz AS seconds_in_the_zone, '10:11:12.5'::time AS t, '10:11:12+05:30'::timetz AS tz, '1 year 2 mons -3 days 04:05:06.789'::interval AS i",
  "SELECT timestamptz '1999-12-31 12:00+00' + n * interval '7919 seconds 517 milliseconds' AS t FROM generate_series(1, 3000) n",
  "SELECT '\\x00ff5c0a09'::bytea AS bytes, ''::bytea AS none, decode(repeat('5c', 100), 'hex') AS slashes",
  "SELECT ARRAY[1, NULL, 3] AS ints, ARRAY['a,b', '\"', '\\', NULL, 'NULL', ''] AS texts, ARRAY[[1, 2], [3, 4]] AS nested, '{}'::int[] AS empty, ARRAY['\\x01'::bytea] AS bytes, ARRAY['2026-11-26 17:10:27.5+00'::timestamptz, NULL] AS times",
  'SELECT \'{"a": [1, "\\n\\t\\\\", null], "b": "\\u00e9"}\'::json AS j, \'{"c": 1e3}\'::jsonb AS jb, \'"text"\'::json AS s, \'null\'::jsonb AS n, ARRAY[\'{"d": 1}\'::json] AS js',
  "SELECT ROW(1, E'a\\tb\"\\\\', NULL) AS composite, int4range(1, 5) AS r, '(1,2)'::point AS p, '<(1,2),3>'::circle AS c, '{1,2,3}'::line AS l",
  "SELECT 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid AS u, '10.0.0.1/8'::inet AS i, '08:00:2b:01:02:03'::macaddr AS m, B'101' AS bits, 12.5::money AS money, '<a>\n</a>'::xml AS x, 'pad'::char(6) AS padded, 'c'::\"char\" AS c, 'a & b'::tsquery AS q",
  'SELECT 1 AS a, 2 AS b, 3 AS a',
  'SELECT 1 AS "__proto__", 2 AS constructor, 3 AS "1", 4',
  'SELECT',
  'SELECT WHERE false',
  'SELECT 1 AS a WHERE false',
  "SELECT repeat('long', 500000) AS long, repeat(E'\\n', 70000) AS lines FROM generate_series(1, 3)",
]

const SETTINGS = [
  [],
  ["SET TimeZone = 'Asia/Kolkata'"],
  ["SET TimeZone = 'America/New_York'", "SET bytea_output = 'escape'", "SET IntervalStyle = 'iso_8601'"],
  ["SET DateStyle = 'German, DMY'", 'SET extra_float_digits = 0'],
  ["SET DateStyle = 'SQL, MDY'", "SET TimeZone = 'Europe/Berlin'"],
]

describe.runIf(postgresBin)('readPostgres()', { timeout: 60_000 }, () => {
  describe.each(SETTINGS.map((settings) => [settings.join('; ') || 'no settings', settings] as const))(
    'with %s, gives what client.query gives',
    (_, settings) => {
      test.each(HOSTILE)('for %s', async (sql) => {
        await using client = await connected()
        for (const setting of settings) await client.query(setting)
        const { rows } = await client.query<Row>(sql)
        for (const copy of [true, false]) {
          const given = await read(sql, { connection: client, copy, batch: 1000 })
          expect(given).toStrictEqual(rows)
          expect(given.map(Object.keys)).toEqual(rows.map(Object.keys))
        }
      })
    },
  )

  async function connected(): Promise<Client & AsyncDisposable> {
    const client = new Client(connection)
    await client.connect()
    return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() })
  }

  test.each([
    ['a semicolon', 'SELECT 1 AS a; '],
    ['a comment at its end', 'SELECT 1 AS a -- not 2'],
    ['a comment before it', '-- one\n/* two -- */ SELECT 1 AS a'],
    ['a comment behind its semicolon', 'SELECT 1 AS a; -- done'],
    ['a semicolon in a text', "SELECT 1 AS a WHERE ';' <> '; -- '"],
    ['parentheses', '(SELECT 1 AS a) UNION (SELECT 1)'],
    ['WITH', 'WITH x AS (SELECT 1 AS a) SELECT * FROM x'],
    ['VALUES', 'VALUES (1)'],
    ['RETURNING', 'INSERT INTO written VALUES (1) RETURNING a'],
    ['WITH and RETURNING', 'WITH x AS (INSERT INTO written VALUES (1) RETURNING a) SELECT a FROM x'],
    ['SHOW', 'SHOW server_version_num'],
    ['EXPLAIN', 'EXPLAIN SELECT 1'],
    ['no rows', 'INSERT INTO written VALUES (1)'],
    ['no statement', '-- nothing'],
  ])('reads a statement with %s', async (_, sql) => {
    await admin.query('CREATE TABLE IF NOT EXISTS written (a int)')
    const { rows } = await admin.query<Row>(sql)
    expect(await read(sql)).toStrictEqual(rows)
    await nobodyLeft()
  })

  test('sends parameters as pg does', async () => {
    const params = [
      7,
      'seven',
      new Date('2026-11-26T00:00:00Z'),
      { a: 1 },
      [1, 2],
      null,
      Buffer.from([1, 255]),
    ]
    const sql =
      'SELECT $1::int AS a, $2::text AS b, $3::timestamptz AS c, $4::json AS d, $5::int[] AS e, $6::text AS f, $7::bytea AS g'
    const { rows } = await admin.query<Row>(sql, params)
    expect(await read(sql, { params })).toStrictEqual(rows)
  })

  test('uses the type parsers of the client', async () => {
    const types = { getTypeParser: () => (text: string) => `<${text}>` } as unknown as NonNullable<
      ClientConfig['types']
    >
    const config = { ...connection, types }
    expect(
      await read("SELECT 1 AS a, true AS b, now() - now() AS c, E'x\\n' AS d", { connection: config }),
    ).toEqual([{ a: '<1>', b: '<t>', c: '<00:00:00>', d: '<x\n>' }])
  })

  test.each([true, false])('a parser that throws fails the run with its error (copy: %s)', async (copy) => {
    const parse = () => {
      throw new Error('no such number')
    }
    const types = { getTypeParser: () => parse } as unknown as NonNullable<ClientConfig['types']>
    const client = new Client({ ...connection, types })
    await client.connect()
    const error = await failureOf(
      read('SELECT i FROM generate_series(1, 3000) i', { connection: client, copy }),
    )
    expect(error.message).toContain('Cannot read from Postgres: no such number')
    expect(client.getTransactionStatus()).toBe('I')
    await client.end()
  })

  test('a parameter that cannot be sent says so', async () => {
    const circular: Record<string, unknown> = {}
    circular.self = circular
    const error = await failureOf(read('SELECT $1::json', { params: [circular] }))
    expect(error.message).toContain('Cannot read from Postgres: Converting circular structure to JSON')
  })

  test.each([['\ud83d'], [['whole', '\udc00']]])(
    'a parameter with half of a character is refused: %j',
    async (key) => {
      const error = await failureOf(read('SELECT $1', { params: [key] }))
      expect(error.message).toContain('Cannot send a text with half of a character')
    },
  )

  test('sees one state of the table, whatever is written meanwhile', async () => {
    await admin.query(
      'DROP TABLE IF EXISTS growing; CREATE TABLE growing AS SELECT n FROM generate_series(1, 200000) n',
    )
    let seen = 0
    let written = false
    await pipeline(
      readPostgres('SELECT n FROM growing', { connection }),
      forEach(async () => {
        if (seen++ > 0 || written) return
        written = true
        await admin.query('INSERT INTO growing SELECT n FROM generate_series(1, 1000) n')
      }),
    ).run()
    expect(seen).toBe(200_000)
  })

  const MILLION = "SELECT n AS id, repeat('x', 100) AS text FROM generate_series(1, 1000000) n"

  test.each([true, false])('reads no further than there is room (copy: %s)', async (copy) => {
    const run = pipeline(readPostgres(MILLION, { connection, copy }), forEach(never)).start()
    run.result.catch(() => {})
    const activity = "SELECT wait_event, query FROM pg_stat_activity WHERE application_name = 'sluice'"
    const waits = async () => (await admin.query<{ wait_event: string; query: string }>(activity)).rows[0]
    // It waits until we read, or until we ask for the next rows.
    const expected = copy
      ? { wait_event: 'ClientWrite', query: /^COPY/ }
      : { wait_event: 'ClientRead', query: /^SELECT/ }
    await expect
      .poll(waits, { timeout: 10_000 })
      .toMatchObject({ ...expected, query: expect.stringMatching(expected.query) as string })
    expect(run.stats().stages[0].sent).toBeLessThan(1000)
    await run.abort(new Error('enough'))
    await nobodyLeft()
  })

  test('a big table takes little memory', async () => {
    global.gc?.()
    const before = process.memoryUsage()
    let most = 0
    let seen = 0
    await pipeline(
      readPostgres(MILLION, { connection }),
      forEach(() => {
        if (++seen % 50_000 === 0)
          most = Math.max(most, process.memoryUsage().arrayBuffers - before.arrayBuffers)
      }),
    ).run()
    expect(seen).toBe(1_000_000)
    expect(most).toBeLessThan(100e6)
  })

  describe.each([true, false])('left early (copy: %s)', (copy) => {
    test('it cancels the query and leaves no connection', async () => {
      const rows = await pipeline(readPostgres(MILLION, { connection, copy }), take(1)).run()
      expect(rows).toEqual([{ id: 1, text: 'x'.repeat(100) }])
      await nobodyLeft()
    })

    test('by an abort while the server computes, it cancels the query', async () => {
      const run = pipeline(readPostgres('SELECT pg_sleep(600)', { connection, copy }), drain()).start()
      const sleeping = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
      await expect.poll(async () => (await admin.query(sleeping)).rowCount, { timeout: 10_000 }).toBe(1)
      await run.abort(new Error('enough'))
      await expect(run.result).rejects.toThrow('enough')
      await nobodyLeft()
    })

    test('by a stop while the server computes, it ends', async () => {
      const run = pipeline(readPostgres('SELECT pg_sleep(600)', { connection, copy }), toArray()).start()
      const sleeping = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
      await expect.poll(async () => (await admin.query(sleeping)).rowCount, { timeout: 10_000 }).toBe(1)
      expect(await run.stop()).toEqual([])
      await nobodyLeft()
    })

    test('a client of the user can be used again', async () => {
      await using client = await connected()
      for (let i = 0; i < 3; i++) {
        expect(
          await pipeline(readPostgres(MILLION, { connection: client, copy }), take(1), count()).run(),
        ).toBe(1)
        expect((await client.query('SELECT 1 AS a')).rows).toEqual([{ a: 1 }])
      }
      expect(client.listenerCount('error')).toBe(0)
    })

    test('a pool has no broken client, and one that was read to its end again', async () => {
      const pool = new Pool({ ...connection, max: 1 })
      expect(await pipeline(readPostgres(MILLION, { connection: pool, copy }), take(1), count()).run()).toBe(
        1,
      )
      expect(pool.totalCount).toBe(0)
      expect(await read('SELECT 1 AS a', { connection: pool, copy })).toEqual([{ a: 1 }])
      expect([pool.totalCount, pool.idleCount]).toEqual([1, 1])
      await pool.end()
      await nobodyLeft()
    })
  })

  test('runs again, and twice at a time', async () => {
    const job = pipeline(readPostgres('SELECT 1 AS a', { connection }), toArray())
    expect(await Promise.all([job.run(), job.run()])).toEqual([[{ a: 1 }], [{ a: 1 }]])
    await nobodyLeft()
  })

  test('runs on a connection string', async () => {
    const { user, password, port } = server.tcp
    const url = `postgres://${user}:${password as string}@127.0.0.1:${port}/postgres`
    expect(await read('SELECT 1 AS a', { connection: url })).toEqual([{ a: 1 }])
  })

  describe('fails', () => {
    test.each([true, false])('with the error of the server (copy: %s)', async (copy) => {
      const error = await failureOf(read('SELECT * FROM nowhere', { copy }))
      expect(error).toMatchObject({
        name: 'StageError',
        stage: 'readPostgres',
        message: 'Stage "readPostgres" failed: Cannot read from Postgres: relation "nowhere" does not exist',
        cause: { code: '42P01' },
        suppressed: [],
      })
      await nobodyLeft()
    })

    test.each([true, false])('after the rows that came before (copy: %s)', async (copy) => {
      const sql = 'SELECT n, 1 / (3000 - n) AS x FROM generate_series(1, 5000) n'
      let seen = 0
      const run = pipeline(
        readPostgres(sql, { connection, copy }),
        forEach(() => void seen++),
      ).run()
      expect(await failureOf(run)).toMatchObject({ cause: { code: '22012' } })
      expect(seen).toBe(2999)
      await nobodyLeft()
    })

    test.each(['COPY (SELECT 1) TO STDOUT', 'COPY written FROM STDIN'])(
      'where it is told to %s',
      async (sql) => {
        await admin.query('CREATE TABLE IF NOT EXISTS written (a int)')
        expect((await failureOf(read(sql))).message).toMatch(/COPY/)
        await nobodyLeft()
      },
    )

    test('at a wrong password', async () => {
      const error = await failureOf(read('SELECT 1', { connection: { ...server.tcp, password: 'wrong' } }))
      expect(error.cause).toMatchObject({ code: '28P01' })
      expect(error.message).toContain('Cannot read from Postgres: password authentication failed')
    })

    test('where nobody listens', async () => {
      const error = await failureOf(
        read('SELECT 1', { connection: { ...server.tcp, host: 'localhost', port: 1 } }),
      )
      expect(error.message).toMatch(/Cannot read from Postgres: .*ECONNREFUSED/)
    })

    test.each([true, false])('when the server goes away in the middle (copy: %s)', async (copy) => {
      let killed: Promise<unknown> | undefined
      const kill = () =>
        (killed ??= admin.query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sluice'",
        ))
      const run = pipeline(readPostgres(MILLION, { connection, copy }), forEach(kill)).run()
      const error = await failureOf(run)
      expect(error).toMatchObject({ stage: 'readPostgres', suppressed: [] })
      expect(error.message).toMatch(/Cannot read from Postgres: ./)
      expect(error.cause).toSatisfy(isLost)
      await nobodyLeft()
    })

    test('when a client of the user loses its connection', async () => {
      const client = new Client({ ...connection, application_name: 'lost' })
      await client.connect()
      const kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lost'"
      let killed: Promise<unknown> | undefined
      const run = pipeline(
        readPostgres(MILLION, { connection: client }),
        forEach(() => (killed ??= admin.query(kill))),
      ).run()
      const error = await failureOf(run)
      expect(error.suppressed).toEqual([])
      expect(error.cause).toSatisfy(isLost)
      expect(client.listenerCount('error')).toBe(0)
      await client.end()
      await nobodyLeft()
    })

    test('when a client of a pool loses its connection, which the pool drops', async () => {
      const pool = new Pool({ ...connection, application_name: 'pooled', max: 1 })
      const told: unknown[] = []
      pool.on('error', (error) => told.push(error))
      const kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pooled'"
      let killed: Promise<unknown> | undefined
      const run = pipeline(
        readPostgres(MILLION, { connection: pool }),
        forEach(() => (killed ??= admin.query(kill))),
      ).run()
      const error = await failureOf(run)
      expect(error.suppressed).toEqual([])
      expect(error.cause).toSatisfy(isLost)
      expect(pool.totalCount).toBe(0)
      expect(await read('SELECT 1 AS a', { connection: pool })).toEqual([{ a: 1 }])
      expect(told).toEqual([])
      await pool.end()
      await nobodyLeft()
    })

    test('on a client that another stage has, instead of waiting for ever', async () => {
      await using client = await connected()
      const first = pipeline(
        readPostgres(MILLION, { connection: client, name: 'first' }),
        forEach(async () => {
          expect((await failureOf(read('SELECT 1', { connection: client }))).message).toContain(
            'but first has it',
          )
        }),
      )
      await expect(pipeline(readPostgres('SELECT 1', { connection: client }), drain()).run()).resolves.toBe(
        undefined,
      )
      const run = first.start()
      await expect.poll(() => run.stats().stages[1].received, { timeout: 10_000 }).toBeGreaterThan(2)
      await run.abort()
      await run.result.catch(() => {})
    })

    test('on a client that was never connected', async () => {
      const error = await failureOf(read('SELECT 1', { connection: new Client(connection) }))
      expect(error.message).toContain('it must be connected')
    })

    test.each([true, false])('on a client that was ended before (copy: %s)', async (copy) => {
      const client = new Client(connection)
      await client.connect()
      await client.end()
      const error = await failureOf(read('SELECT 1', { connection: client, copy }))
      expect(error.message).toBe(
        'Stage "readPostgres" failed: Cannot read from Postgres: Client was closed and is not queryable',
      )
    })

    test('when a client of the user loses its connection while the query stands behind another', async () => {
      const client = new Client({ ...connection, application_name: 'queued' })
      await client.connect()
      const before = client.query('SELECT pg_sleep(1000)').catch((error: unknown) => error)
      const run = failureOf(read('SELECT 1', { connection: client }))
      const kill =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'queued' AND query LIKE '%sleep%'"
      await expect.poll(async () => (await admin.query(kill)).rowCount, { timeout: 10_000 }).toBe(1)
      expect(await before).toSatisfy(isLost)
      expect((await run).message).toContain('Cannot read from Postgres: ')
      await client.end()
      await nobodyLeft()
    })
  })

  describe.each([{ copy: true }, { copy: false }, { params: [1] }])(
    'in a transaction of a client, with %o',
    (options) => {
      const sql = options.params ? 'SELECT $1::int AS n, i FROM generate_series(1, 1000000) i' : MILLION

      test.each(['take', 'abort', 'failure'])(
        'a run that ends early by %s leaves it going on',
        async (how) => {
          await using client = await connected()
          await admin.query('CREATE TABLE IF NOT EXISTS noted (how text)')
          await client.query('BEGIN')
          await client.query('INSERT INTO noted VALUES ($1)', [how])
          const rows = readPostgres(sql, { connection: client, ...options })
          if (how === 'take') expect(await pipeline(rows, take(3)).run()).toHaveLength(3)
          else {
            const failing = forEach(() => {
              if (how === 'failure') throw new Error('enough')
              void run.abort(new Error('enough'))
            })
            const run = pipeline(rows, failing).start()
            await expect(run.result).rejects.toThrow('enough')
          }
          expect(await read('SELECT how FROM noted', { connection: client })).toEqual([{ how }])
          await client.query('COMMIT')
          expect((await admin.query('SELECT how FROM noted')).rows).toEqual([{ how }])
          await admin.query('DROP TABLE noted')
        },
      )

      test('what was read to its end stays done, and no savepoint is left', async () => {
        await using client = await connected()
        await admin.query('CREATE TABLE noted (how text)')
        await client.query('BEGIN')
        const writing = "WITH done AS (INSERT INTO noted VALUES ('read') RETURNING how) SELECT how FROM done"
        expect(await read(writing, { connection: client, copy: options.copy ?? true })).toEqual([
          { how: 'read' },
        ])
        await expect(client.query('ROLLBACK TO SAVEPOINT sluice_read')).rejects.toThrow('does not exist')
        await client.query('ROLLBACK')
        await client.query('BEGIN')
        await read(writing, { connection: client, copy: options.copy ?? true })
        await client.query('COMMIT')
        expect((await admin.query('SELECT how FROM noted')).rows).toEqual([{ how: 'read' }])
        await admin.query('DROP TABLE noted')
      })
    },
  )

  test('behind the end of a transaction of a client it reads as without one', async () => {
    await using client = await connected()
    await client.query('BEGIN')
    const run = read('SELECT 1 AS a', { connection: client })
    await Promise.all([client.query('COMMIT'), run])
    expect(await run).toEqual([{ a: 1 }])
  })

  test('an abort does not wait for a pool that has no client', async () => {
    const pool = new Pool({ ...connection, max: 1 })
    const held = await pool.connect()
    const run = pipeline(readPostgres('SELECT 1', { connection: pool }), drain()).start()
    await expect.poll(() => pool.waitingCount).toBe(1)
    const reason = new Error('enough')
    await run.abort(reason)
    expect(await run.result.catch((error: unknown) => error)).toBe(reason)
    // It is the user's: nothing is added to it.
    expect(reason.message).toBe('enough')
    held.release()
    await expect.poll(() => [pool.idleCount, pool.waitingCount]).toEqual([1, 0])
    await pool.end()
  })
})

describe('readPostgres() refuses', () => {
  const options = { connection: {} }
  test.each([
    ['no query', () => readPostgres('', options), '"sql" must be a query, got ""'],
    [
      'no connection',
      () => readPostgres('SELECT 1', {} as ReadPostgresOptions),
      '"connection" must be a connection string, or a ClientConfig, Client or Pool of pg, got undefined',
    ],
    [
      'a connection that is not awaited',
      () => readPostgres('SELECT 1', { connection: Promise.resolve('') as never }),
      '"connection" must be a connection string, or a ClientConfig, Client or Pool of pg, got Promise',
    ],
    [
      'a batch of 0',
      () => readPostgres('SELECT 1', { ...options, batch: 0 }),
      '"batch" must be an integer >= 1, got 0',
    ],
    [
      'params that are no array',
      () => readPostgres('SELECT 1', { ...options, params: 'a' as never }),
      '"params" must be an array, got "a"',
    ],
    [
      'a name that is none',
      () => readPostgres('SELECT 1', { ...options, name: 1 as never }),
      '"name" must be a string, got 1',
    ],
  ])('%s', (_, make, message) => {
    expect(make).toThrow(`Cannot create readPostgres: ${message}`)
  })
})
