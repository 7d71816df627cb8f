/**
 * The rows of a statement, chunk by chunk (2,048 rows) as DuckDB makes them: the result is never there as a whole.
 *
 * DuckDB's client does not tell a result that failed midway from one that has ended. A failed statement spoils its
 * transaction, though: each one runs in a transaction, which is asked at the end whether it is well. What went wrong
 * is learnt by running the statement once more, for its hash alone.
 */
import type { DuckDBConnection, DuckDBDataChunk, DuckDBResult, DuckDBValue } from '@duckdb/node-api'
import type { ChunkReader, SourceContext } from '../../connect/chunk-source.ts'
import { failure, interrupted, openDatabase, type DuckDbDatabase, type Opened } from './database.ts'
import { type Params, toParams } from './params.ts'
import { type Choices, put, toJs, type ToJs } from './to-js.ts'

/** A row: the columns by their names. */
export type Row = Record<string, unknown>

export interface Statement {
  readonly sql: string
  readonly params: Params | undefined
  readonly database: DuckDbDatabase
  readonly choices: Choices
  /** What is done, for messages: `read "x.parquet"`. */
  readonly action: string
}

/** Runs the statement and gives the reader of its rows. */
export async function openReading(statement: Statement, context: SourceContext): Promise<Reading> {
  let opened: Opened | undefined
  try {
    opened = await openDatabase(statement.database)
    const { connection } = opened
    const { signal } = context
    signal.throwIfAborted()
    const begun = begin(connection, statement)
    // A statement may think for long before it gives its first row.
    const stop = (): void => void interrupted(connection, begun)
    signal.addEventListener('abort', stop, { once: true })
    try {
      const result = await begun
      try {
        return new Reading(statement, context, opened, result)
      } catch (error) {
        await cut(connection, result)
        throw error
      }
    } finally {
      signal.removeEventListener('abort', stop)
    }
  } catch (error) {
    opened?.release()
    throw failure(statement.action, error)
  }
}

async function begin(connection: DuckDBConnection, { sql, params }: Statement): Promise<DuckDBResult> {
  await connection.run('BEGIN')
  const { values, types } = toParams(params)
  return connection.stream(sql, values, types)
}

/**
 * An open result keeps the file locked until it is collected, and whoever opens the file again then waits for ever: a
 * fetch after an interrupt closes it, once what DuckDB has made ahead (a megabyte at most) has been taken.
 */
async function cut(connection: DuckDBConnection, result: DuckDBResult): Promise<void> {
  let chunk: DuckDBDataChunk | null
  do {
    connection.interrupt()
    chunk = await result.fetchChunk()
  } while (chunk !== null && chunk.rowCount > 0)
}

/** Gives each name once. DuckDB's client would make names that are there already. */
function distinct(names: readonly string[]): string[] {
  const taken = new Set(names)
  const next = new Map<string, number>()
  return names.map((name) => {
    let n = next.get(name)
    let fresh = name
    if (n === undefined) n = 1
    else while (taken.has((fresh = `${name}:${n++}`)));
    next.set(name, n)
    taken.add(fresh)
    return fresh
  })
}

export class Reading implements ChunkReader<Row> {
  readonly #names: readonly string[]
  readonly #makers: readonly ToJs[]
  #fetching: Promise<unknown> = Promise.resolve()
  #ended = false

  constructor(
    readonly statement: Statement,
    readonly context: SourceContext,
    readonly opened: Opened,
    readonly result: DuckDBResult,
  ) {
    this.#names = distinct(result.columnNames())
    this.#makers = result.columnTypes().map((type) => toJs(type, statement.choices))
  }

  next(): Promise<readonly Row[] | undefined> {
    const next = this.#next()
    this.#fetching = next
    return next
  }

  async #next(): Promise<readonly Row[] | undefined> {
    const chunk = await this.result.fetchChunk()
    if (chunk !== null && chunk.rowCount > 0) return this.#rows(chunk)
    await this.#checkEnd(this.opened.connection)
    this.#ended = true
    return undefined
  }

  async #checkEnd(connection: DuckDBConnection): Promise<void> {
    try {
      await connection.run('SELECT 1')
    } catch (spoilt) {
      this.#ended = true
      throw failure(this.statement.action, (await this.#reasonAgain(connection)) ?? spoilt)
    }
    try {
      await connection.run('COMMIT')
    } catch (error) {
      throw failure(this.statement.action, error)
    }
  }

  /** Why the statement failed, where it fails once more. */
  async #reasonAgain(connection: DuckDBConnection): Promise<unknown> {
    if (this.context.signal.aborted) return undefined
    try {
      await connection.run('ROLLBACK')
      const { values, types } = toParams(this.statement.params)
      const inner = this.statement.sql.trim().replace(/;+$/, '')
      await connection.run(`SELECT bit_xor(hash(r)) FROM (\n${inner}\n) AS r`, values, types)
      return undefined
    } catch (error) {
      return error
    }
  }

  async #rows(chunk: DuckDBDataChunk): Promise<readonly Row[]> {
    const columns = this.#makers.map((_, i) => chunk.getColumnValues(i))
    const rows: Row[] = []
    for (let at = 0; at < chunk.rowCount; at++) {
      try {
        rows.push(this.#row(columns, at))
      } catch (error) {
        await this.context.failed(this.#raw(columns, at), error)
      }
    }
    return rows
  }

  #row(columns: readonly DuckDBValue[][], at: number): Row {
    const row: Row = {}
    const names = this.#names
    for (let i = 0; i < names.length; i++) {
      const value = columns[i][at]
      try {
        put(row, names[i], value === null ? null : this.#makers[i](value))
      } catch (error) {
        throw failure(`read column ${JSON.stringify(names[i])}`, error)
      }
    }
    return row
  }

  /** A row that cannot be read, as far as text can say it. */
  #raw(columns: readonly DuckDBValue[][], at: number): Row {
    const row: Row = {}
    this.#names.forEach((name, i) => put(row, name, columns[i][at] === null ? null : String(columns[i][at])))
    return row
  }

  async close(): Promise<void> {
    const { connection, release } = this.opened
    if (!this.#ended) {
      // Its failure has been told by `next`; here it is only to be over.
      await interrupted(connection, this.#fetching)
      await cut(connection, this.result)
    }
    release()
  }
}
