/** `writeSqlite`: rows into a table, in one transaction. */
import { chunkSink, type WriteOptions } from '../../connect/chunk-sink.ts'
import { isName } from '../../connect/names.ts'
import { ownCopy } from '../../connect/own-copy.ts'
import { demand, demandCount, demandTime } from '../../errors.ts'
import type { Sink } from '../../pipeline/stage.ts'
import { demandDatabase, type Row, type SqliteDatabase } from './driver.ts'
import { openWriting } from './writing.ts'

/** What `writeSqlite` takes. */
export interface WriteSqliteOptions<In> extends WriteOptions<In> {
  /** A path, or an open database of yours, which is never closed: what you do with it meanwhile is in our transaction. */
  database: SqliteDatabase
  /**
   * The columns to write, as names, or as names and SQL types for a table that is still to be made. The types are SQL:
   * no place for what strangers say. Default: the properties of the first 1,000 rows.
   */
  columns?: readonly string[] | Readonly<Record<string, string>> | undefined
  /** Rows with the same values here replace each other. A table that is there needs a unique constraint on it. */
  key?: string | readonly string[] | undefined
  /** Makes the table where it is missing. Default: `true`. */
  create?: boolean | undefined
  /** After so many rows the event loop has its turn. Default: 256. */
  batch?: number | undefined
  /** How long to try again where another connection has locked the database, in milliseconds. Default: 5,000. */
  patience?: number | undefined
}

/** What a run is worth: how many rows were written. */
export interface Written {
  table: string
  count: number
}

/**
 * Writes objects as rows of a table, by the SQLite of the runtime: Node from 22.13 on, Bun or Deno.
 *
 * - All or nothing: one transaction, which is committed at the end and rolled back after a failure or an abort.
 * - A table that is missing is made `STRICT`, with the types of the first 1,000 rows: `INTEGER`, `REAL`, `TEXT`,
 *   `BLOB`, or `ANY` where they differ.
 * - Booleans are written as 0 and 1, Dates as text in ISO 8601; objects and arrays are refused, and integers that a
 *   column of `REAL` would round.
 * - With a `key`, a row replaces the one with the same key: to write the same rows again changes nothing.
 * - A property that is missing is NULL. One that is no column fails its row, unless `columns` leaves it out.
 * - A lock of another connection is waited for without holding the program.
 *
 * Ordered. Concurrency 1. Holds at most 1,000 rows. On error: fails; a row that the table refuses follows `onError`.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * ```ts no-run
 * import { pipeline, source } from 'sluice'
 * import { writeSqlite } from 'sluice/sqlite'
 *
 * const birds = source([{ id: 1, name: 'duck' }, { id: 2, name: 'goose' }])
 * await pipeline(birds, writeSqlite('birds', { database: 'birds.db', key: 'id' })).run()
 * // { table: 'birds', count: 2 }
 * ```
 */
export function writeSqlite<In extends object>(
  table: string,
  options: WriteSqliteOptions<In>,
): Sink<In, Written> {
  const make = 'writeSqlite'
  const action = `create ${make}`
  const given = Object(options) as WriteSqliteOptions<In>
  const { database, columns, create = true, batch = 256, patience = 5000 } = given
  demand(isName(table), action, 'table', 'a name', table, TypeError)
  demand(typeof create === 'boolean', action, 'create', 'true or false', create, TypeError)
  demandDatabase(database, action)
  demandCount(batch, action, 'batch', 1)
  demandTime(patience, action, 'patience')
  const key = keyOf(given.key, action)
  demandColumns(columns, key, action)
  const names: readonly string[] | undefined =
    columns && (isList(columns) ? ownCopy(columns) : Object.keys(columns))
  const types = columns && !isList(columns) ? ownCopy(columns) : {}
  const into = { database, table, names, types, key: ownCopy(key), create, batch, patience }
  return chunkSink<In, Row, Written>(make, options, {
    open: (context) => openWriting(into, context),
    // Rows are looked at one by one as they are written, so that what fails is told in their order.
    encode: (row) => row as Row,
  })
}

function isList(columns: NonNullable<WriteSqliteOptions<never>['columns']>): columns is readonly string[] {
  return Array.isArray(columns)
}

function keyOf(key: unknown, action: string): readonly string[] {
  if (key === undefined) return []
  const names: unknown[] = Array.isArray(key) ? key : [key]
  const ok = names.length > 0 && names.every(isName) && new Set(names).size === names.length
  demand(ok, action, 'key', 'the name of a column, or names, each once', key, TypeError)
  return names
}

function demandColumns(columns: unknown, key: readonly string[], action: string): void {
  if (columns === undefined) return
  const wanted = 'names of columns, or an object of names and types'
  demand(typeof columns === 'object' && columns !== null, action, 'columns', wanted, columns, TypeError)
  const list = (Array.isArray(columns) ? columns : Object.keys(columns)) as unknown[]
  const types: unknown[] = Array.isArray(columns) ? [] : Object.values(columns)
  const ok = list.length > 0 && [...list, ...types].every(isName) && new Set(list).size === list.length
  demand(ok, action, 'columns', `${wanted}, each once and none empty`, columns, TypeError)
  const missing = key.find((name) => !list.includes(name))
  demand(missing === undefined, action, 'key', 'among the columns', missing, TypeError)
}
