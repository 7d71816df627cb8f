/**
 * A sink of rows: learns the columns from the first of them where nobody says, then writes in one transaction.
 *
 * What comes at the end differs: a table is committed, a Parquet file is copied out.
 */
import type { ChunkWriter, SinkContext } from '../../connect/chunk-sink.ts'
import { byColumns, refuseRows, SAMPLE } from '../../connect/column-names.ts'
import { type Columns, Sampling } from './columns.ts'
import { interrupted, type Opened, quoteName } from './database.ts'
import type { Row } from './reading.ts'
import { show } from './shape.ts'
import { TableWriting } from './table.ts'

export interface Plan<R> {
  readonly opened: Opened
  /** The full name of the table, as SQL. */
  readonly table: string
  /** The columns of the table, where it is there. */
  readonly existing: readonly string[] | undefined
  readonly columns: Columns | undefined
  readonly key: readonly string[]
  /** The table is ours alone, and gone after the run. */
  readonly private: boolean
  /** An error of DuckDB or of the system, with what was being done. */
  readonly failure: (error: unknown) => Error
  /** Makes last what is in the table; there is none where neither a row nor a column came. `checkOver` throws after an abort. */
  finish(count: number, columns: readonly string[] | undefined, checkOver: () => void): Promise<R>
  /** All is over, well or not. */
  close?(): Promise<unknown>
}

export class RowWriting<R> implements ChunkWriter<Row, R> {
  readonly #sampling: Sampling
  #sample: Row[] = []
  #table: TableWriting | undefined
  #busy: Promise<unknown> = Promise.resolve()
  #over = false
  #closed = false

  constructor(
    readonly plan: Plan<R>,
    readonly context: SinkContext,
  ) {
    this.#sampling = new Sampling(plan.columns, plan.existing !== undefined)
  }

  write(rows: readonly Row[]): Promise<void> {
    return this.#during(() => this.#write(rows))
  }

  async #write(rows: readonly Row[]): Promise<void> {
    for (const row of rows) {
      const work = this.#table ? this.#add(this.#table, row) : this.#learn(row)
      if (!work) continue
      await work
      if (this.#over) return
    }
  }

  #learn(row: Row): Promise<void> | undefined {
    try {
      demandRow(row)
      this.#sampling.add(this.#byColumns(row))
    } catch (error) {
      return this.context.failed(row, error)
    }
    this.#sample.push(row)
    return this.#sample.length >= SAMPLE ? this.#begin() : undefined
  }

  /** The columns are known: makes the table where it is missing, and writes what has come. */
  async #begin(): Promise<void> {
    const { opened, table, existing, key } = this.plan
    const { names } = this.#sampling
    if (names.length === 0) return refuseRows(this.#sample.splice(0), this.context)
    const missing = key.find((name) => !names.includes(name))
    if (missing !== undefined) throw new TypeError(`no row has the key ${show(missing)}`)
    if (!existing) await opened.connection.run(`CREATE TABLE ${table} ${this.#sampling.definition(key)}`)
    const writing = new TableWriting(opened, { name: table, columns: names, key, private: this.plan.private })
    await writing.prepare()
    this.#table = writing
    const sample = this.#sample
    this.#sample = []
    await this.#write(sample)
  }

  #add(table: TableWriting, row: Row): Promise<void> | undefined {
    try {
      demandRow(row)
      return table.add(this.#byColumns(row)) ? table.move() : undefined
    } catch (error) {
      return this.context.failed(row, error)
    }
  }

  #byColumns(row: Row): Row {
    const { columns, existing } = this.plan
    if (columns) return row
    return byColumns(row, { learnt: this.#sampling.shapes, existing, fixed: this.#table !== undefined })
  }

  end(): Promise<R> {
    return this.#during(async () => {
      if (!this.#table) await this.#begin()
      this.#checkOver()
      await this.#table?.move(true)
      this.#checkOver()
      const columns = this.#table && this.#sampling.names
      const result = await this.plan.finish(this.#table?.count ?? 0, columns, () => this.#checkOver())
      this.#over = true
      await this.#close()
      return result
    })
  }

  /** Aborted meanwhile: nothing may be made last any more. */
  #checkOver(): void {
    if (this.#over) throw new Error('it was aborted')
  }

  async abandon(): Promise<void> {
    this.#over = true
    // Its failure has been told where it was waited for; here it is only to be over.
    await interrupted(this.plan.opened.connection, this.#busy)
    try {
      this.#table?.drop()
    } finally {
      await this.#close()
    }
  }

  /** A transaction that is still open is rolled back with its connection. */
  async #close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.plan.opened.release()
    await this.plan.close?.()
  }

  async #during<T>(work: () => Promise<T>): Promise<T> {
    const busy = work()
    this.#busy = busy
    try {
      return await busy
    } catch (error) {
      throw this.#named(error)
    }
  }

  /** An error of DuckDB says what was done; one that belongs to a row is told as it is. */
  #named(error: unknown): unknown {
    return error instanceof Error && error.constructor === Error ? this.plan.failure(error) : error
  }
}

function demandRow(value: unknown): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return
  throw new TypeError(`Cannot write a row: it must be an object, got ${show(value)}`)
}

/** DuckDB knows its tables by names whose letters of ASCII may be large or small. `lower` would change others as well. */
const folded = (name: string): string =>
  `translate(${name}, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')`

/** The columns that a table has, in order; `undefined` where there is no such table. */
export async function columnsOf(
  opened: Opened,
  schema: string,
  table: string,
): Promise<string[] | undefined> {
  const sql =
    'SELECT column_name FROM duckdb_columns() WHERE database_name = current_database() ' +
    `AND ${folded('schema_name')} = ${folded('$1')} AND ${folded('table_name')} = ${folded('$2')} ` +
    'ORDER BY column_index'
  const rows = await (await opened.connection.run(sql, [schema, table])).getRows()
  return rows.length === 0 ? undefined : rows.map(([name]) => String(name))
}

/** The full name of a table of the database that was opened, as SQL. */
export async function fullName(opened: Opened, schema: string, table: string): Promise<string> {
  const [[catalog]] = await (await opened.connection.run('SELECT current_database()')).getRows()
  return [String(catalog), schema, table].map(quoteName).join('.')
}
