/** `readDuckDb`: the rows of any SQL. */
import { chunkSource, type ReadOptions } from '../../connect/chunk-source.ts'
import { ownCopy } from '../../connect/own-copy.ts'
import { demand } from '../../errors.ts'
import type { Source } from '../../pipeline/stage.ts'
import { demandDatabase, type DuckDbDatabase, nameOf } from './database.ts'
import { demandParams, type Params } from './params.ts'
import { openReading, type Row } from './reading.ts'
import type { Choices } from './to-js.ts'

/** How values are read. */
export interface DuckDbValueOptions extends ReadOptions {
  /** What becomes of integers of 64 bits and more. As numbers, one that is not exact follows `onError`. Default: `'bigint'`. */
  integers?: 'bigint' | 'number' | undefined
  /**
   * What becomes of dates and timestamps: Dates, which cut off what is finer than a millisecond, or DuckDB's text,
   * which keeps all. Default: `'date'`.
   */
  timestamps?: 'date' | 'text' | undefined
}

/** What `readDuckDb` takes. */
export interface ReadDuckDbOptions extends DuckDbValueOptions {
  /** A path, an instance of yours, which is never closed, or a database of its own in memory. Default: `':memory:'`. */
  database?: DuckDbDatabase | undefined
  /** The values for `?` and `$1` as an array, for `$name` as an object. */
  params?: Params | undefined
}

/**
 * Reads the rows that a statement of SQL gives, as objects, while DuckDB makes them.
 *
 * - The result is never in memory as a whole: 2,048 rows are asked for when there is room for them.
 * - The statement has a connection and a transaction of its own, which is committed behind the last row and rolled
 *   back where the run ends before. Sources and sinks over one file in one process share the database.
 * - Integers of 64 bits and more are bigints, `DECIMAL` is a number up to 15 digits and else a string, dates and
 *   timestamps are Dates in UTC, lists arrays, structs objects, maps Maps, blobs Uint8Arrays, intervals
 *   `{ months, days, micros }`, and times, UUIDs, bits, enums and JSON strings.
 * - A column that is there twice is called `a` and `a:1`, or by the next number that no column has.
 * - Extensions are not downloaded.
 *
 * Ordered. Concurrency 1. Holds at most 2,048 rows. On error: fails; a value that JavaScript cannot hold follows
 * `onError`.
 *
 * @throws TypeError for wrong arguments.
 * @example
 * import { pipeline } from 'sluice'
 * import { readDuckDb } from 'sluice/duckdb'
 *
 * const sql = 'SELECT i, i * i AS square FROM range($1::INTEGER) AS t(i)'
 * await pipeline(readDuckDb(sql, { params: [3], integers: 'number' })).run()
 * // => [{ i: 0, square: 0 }, { i: 1, square: 1 }, { i: 2, square: 4 }]
 */
export function readDuckDb<T extends object = Row>(sql: string, options: ReadDuckDbOptions = {}): Source<T> {
  const make = 'readDuckDb'
  const action = `create ${make}`
  demand(typeof sql === 'string' && sql.trim() !== '', action, 'sql', 'a statement of SQL', sql, TypeError)
  // `chunkSource` throws for options that are none.
  const { database = ':memory:', params } = Object(options) as ReadDuckDbOptions
  demandDatabase(database, action, true)
  demandParams(params, action)
  const choices = choicesOf(options, action)
  const statement = {
    sql,
    params: ownCopy(params),
    database,
    choices,
    action: `read from DuckDB ${nameOf(database)}`,
  }
  // What the rows are is between the user and the statement.
  return chunkSource(make, options, (context) => openReading(statement, context)) as unknown as Source<T>
}

/** How values are read, checked. */
export function choicesOf(options: DuckDbValueOptions, action: string): Choices {
  const { integers = 'bigint', timestamps = 'date' } = Object(options) as DuckDbValueOptions
  const known = integers === 'bigint' || integers === 'number'
  demand(known, action, 'integers', "'bigint' or 'number'", integers, TypeError)
  const ok = timestamps === 'date' || timestamps === 'text'
  demand(ok, action, 'timestamps', "'date' or 'text'", timestamps, TypeError)
  return { integers, timestamps }
}
