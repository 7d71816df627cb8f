/** `writeDuckDb`: rows into a table. */
import { chunkSink, type WriteOptions } from '../../connect/chunk-sink.ts'
import { isName } from '../../connect/names.ts'
import { ownCopy } from '../../connect/own-copy.ts'
import { demand } from '../../errors.ts'
import type { Sink } from '../../pipeline/stage.ts'
import { type Columns, demandColumns, keyOf } from './columns.ts'
import { demandDatabase, type DuckDbDatabase, failure, nameOf, openDatabase } from './database.ts'
import type { Row } from './reading.ts'
import { columnsOf, fullName, type Plan, RowWriting } from './rows.ts'
import { show } from './shape.ts'

/** What `writeDuckDb` takes. */
export interface WriteDuckDbOptions<In> extends WriteOptions<In> {
  /** A path, or an instance of yours, which is never closed. */
  database: DuckDbDatabase
  /** Default: `'main'`. */
  schema?: string | undefined
  /**
   * The columns to write, as names, or as names and SQL types for a table that is still to be made. The types are SQL:
   * no place for what strangers say. Default: the properties of the first 1,000 rows, with types that hold their values.
   */
  columns?: Columns | undefined
  /** Rows with the same values here replace each other. A table that is there needs a unique constraint on it. */
  key?: string | readonly string[] | undefined
  /** Makes the table where it is missing. Default: `true`. */
  create?: boolean | undefined
}

/** What a run is worth: how many rows were written. */
export interface Written {
  table: string
  count: number
}

/**
 * Writes objects as rows of a table.
 *
 * - All or nothing: one transaction, which is committed at the end and rolled back after a failure or an abort.
 * - A table that is missing is made: whole numbers are `BIGINT`, others `DOUBLE`, bigints `BIGINT` or `HUGEINT`, Dates
 *   `TIMESTAMP WITH TIME ZONE`, Uint8Arrays `BLOB`, arrays lists, objects structs; what was always null is `VARCHAR`.
 * - With a `key`, a row replaces the one with the same key: to write the same rows again changes nothing.
 * - A property that is missing is NULL. One that is no column fails its row, unless `columns` leaves it out.
 * - Without a row and without `columns`, no table is made.
 * - DuckDB keeps a copy of the rows until the transaction ends, about as large as they are.
 * - What a constraint of the table refuses, such as `UNIQUE` or `NOT NULL`, fails the run, whatever `onError` says: with it DuckDB
 *   takes back the whole transaction.
 *
 * Ordered. Concurrency 1. Holds at most 61,440 rows, besides that copy. On error: fails; a row that does not fit the
 * columns follows `onError`.
 *
 * @throws TypeError for wrong arguments.
 * @example
 * import { DuckDBInstance } from '@duckdb/node-api'
 * import { pipeline, source } from 'sluice'
 * import { readDuckDb, writeDuckDb } from 'sluice/duckdb'
 *
 * const database = await DuckDBInstance.create() // or a path
 * const birds = [{ id: 1, name: 'duck' }, { id: 2, name: 'goose' }, { id: 1, name: 'mallard' }]
 * await pipeline(source(birds), writeDuckDb('birds', { database, key: 'id' })).run() // => { table: 'birds', count: 3 }
 * await pipeline(readDuckDb('SELECT name FROM birds ORDER BY id', { database })).run()
 * // => [{ name: 'mallard' }, { name: 'goose' }]
 */
export function writeDuckDb<In extends object>(
  table: string,
  options: WriteDuckDbOptions<In>,
): Sink<In, Written> {
  const make = 'writeDuckDb'
  const action = `create ${make}`
  const given = Object(options) as WriteDuckDbOptions<In>
  const { database, schema = 'main', columns, create = true } = given
  demand(isName(table), action, 'table', 'a name', table, TypeError)
  demand(isName(schema), action, 'schema', 'a name', schema, TypeError)
  demand(typeof create === 'boolean', action, 'create', 'true or false', create, TypeError)
  demandDatabase(database, action, false)
  const key = keyOf(given.key, action)
  demandColumns(columns, key, action)
  const into = { database, schema, table, columns: ownCopy(columns), key: ownCopy(key), create }
  return chunkSink<In, Row, Written>(make, options, {
    open: async (context) => new RowWriting(await planOf(into), context),
    // Rows are looked at one by one as they are written, so that what fails is told in their order.
    encode: (row) => row as Row,
  })
}

interface Into {
  database: DuckDbDatabase
  schema: string
  table: string
  columns: Columns | undefined
  key: readonly string[]
  create: boolean
}

async function planOf({ database, schema, table, columns, key, create }: Into): Promise<Plan<Written>> {
  const action = `write to table ${show(table)} of ${nameOf(database)}`
  const failed = (error: unknown): Error => failure(action, error)
  const opened = await openDatabase(database).catch((error: unknown) => {
    throw failed(error)
  })
  try {
    const { connection } = opened
    await connection.run('BEGIN')
    const existing = await columnsOf(opened, schema, table)
    if (!existing && !create) throw new Error('there is no such table, and "create" is false')
    const finish = async (count: number): Promise<Written> => {
      await connection.run('COMMIT')
      return { table, count }
    }
    const name = await fullName(opened, schema, table)
    return { opened, table: name, existing, columns, key, private: false, failure: failed, finish }
  } catch (error) {
    opened.release()
    throw failed(error)
  }
}
