/**
 * Rows on their way into a table: a transaction from the first row to the last.
 *
 * Rows are laid out in chunks of 2,048 and appended to a table of the session, which is a copy in memory and takes
 * about a millisecond. Every 30 chunks DuckDB moves them into the target on a thread of its own, and with the columns, defaults
 * and conflicts of the target. Appending to the target itself was rejected: the appender works on JavaScript's thread,
 * and compressing a row group there held it for up to 900 ms.
 */
import { DuckDBDataChunk, type DuckDBAppender, type DuckDBType, type DuckDBValue } from '@duckdb/node-api'
import { type Opened, quoteName } from './database.ts'
import { type FromJs, fromJs, type Makings, PARQUET } from './from-js.ts'

export interface Target {
  /** Its full name, as SQL. */
  readonly name: string
  readonly columns: readonly string[]
  readonly key: readonly string[]
  /** The table is ours alone: each move may be committed, which lets go of the memory of those before. */
  readonly private: boolean
}

const CHUNK = 2048
/** Half of DuckDB's row group: what is held is small, and the moves are few. */
const MOVE = 30 * CHUNK

export class TableWriting {
  #appender: DuckDBAppender | undefined
  #types: readonly DuckDBType[] = []
  #makers: readonly FromJs[] = []
  readonly #values: DuckDBValue[][]
  #filled = 0
  /** Rows that lie in the session's table. */
  #staged = 0
  #table = 0
  count = 0

  constructor(
    readonly opened: Opened,
    readonly target: Target,
  ) {
    this.#values = target.columns.map(() => [])
  }

  /** Makes the session's table like the target. */
  async prepare(): Promise<void> {
    const { connection } = this.opened
    const { name, columns } = this.target
    const table = `sluice_rows_${++this.#table}`
    const list = columns.map(quoteName).join(', ')
    await connection.run(`CREATE TEMP TABLE ${table} AS SELECT ${list} FROM ${name} LIMIT 0`)
    const appender = await connection.createAppender(table, 'main', 'temp')
    this.#appender = appender
    if (this.#makers.length > 0) return
    this.#types = columns.map((_, i) => appender.columnType(i))
    // What is ours alone is copied to a Parquet file.
    const all = this.target.private ? PARQUET : undefined
    this.#makers = this.#types.map((type, i) => makerOf(type, columns[i], all))
  }

  /** Takes a row, or throws what is wrong with it. True when a `move` is due. */
  add(row: Record<string, unknown>): boolean {
    const { columns } = this.target
    const at = this.#filled
    for (let i = 0; i < columns.length; i++) {
      const name = columns[i]
      // `undefined` where the row has only inherited it.
      const value = Object.hasOwn(row, name) ? row[name] : undefined
      try {
        const made = this.#makers[i](value)
        if (made === null && this.target.key.includes(name))
          throw new TypeError('it is of the key and is null')
        this.#values[i][at] = made
      } catch (error) {
        throw columnFailure(name, error)
      }
    }
    this.count++
    if (++this.#filled === CHUNK) this.#append()
    return this.#staged >= MOVE
  }

  #append(): void {
    const rows = this.#filled
    if (rows === 0) return
    const chunk = DuckDBDataChunk.create(this.#types, rows)
    this.#values.forEach((values, i) => {
      values.length = rows
      chunk.setColumnValues(i, values)
    })
    this.#appender!.appendDataChunk(chunk)
    this.#filled = 0
    this.#staged += rows
  }

  /** Moves what was added into the target. */
  async move(last = false): Promise<void> {
    this.#append()
    if (this.#staged === 0) return
    const { connection } = this.opened
    this.#appender!.closeSync()
    this.#appender = undefined
    const stage = `temp.main.sluice_rows_${this.#table}`
    await connection.run(moveOf(stage, this.target))
    // Deleting the rows would keep them until the end of the transaction.
    await connection.run(`DROP TABLE ${stage}`)
    // A commit is a write to the disk: at each move it would take four times as long.
    if (this.target.private && this.#table % 8 === 0) await connection.run('COMMIT; BEGIN')
    this.#staged = 0
    if (!last) await this.prepare()
  }

  /** Lets go of what was appended. */
  drop(): void {
    this.#appender?.clear()
    this.#appender?.closeSync()
    this.#appender = undefined
  }
}

function makerOf(type: DuckDBType, column: string, all: Makings | undefined): FromJs {
  try {
    return fromJs(type, all)
  } catch (error) {
    throw columnFailure(column, error)
  }
}

/** Says which column it was. */
export function columnFailure(column: string, error: unknown): Error {
  const message = error instanceof Error ? error.message : String(error)
  return new TypeError(`Cannot write column ${JSON.stringify(column)}: ${message}`, { cause: error })
}

function moveOf(stage: string, { name, columns, key }: Target): string {
  const list = columns.map(quoteName).join(', ')
  if (key.length === 0) return `INSERT INTO ${name} (${list}) SELECT ${list} FROM ${stage}`
  const keys = key.map(quoteName).join(', ')
  // Other names than theirs, as a column may be called "rowid", and the table "excluded".
  const staged = columns.map((_, i) => `c${i}`)
  const parts = key.map((column) => staged[columns.indexOf(column)])
  const others = columns.filter((column) => !key.includes(column)).map(quoteName)
  const set = others.map((column) => `${column} = EXCLUDED.${column}`).join(', ')
  // Of several rows with one key the last one counts, as if they had been written one by one.
  return [
    `INSERT INTO ${name} AS target (${list}) SELECT ${staged.join(', ')} FROM ${stage} AS rows(${staged.join(', ')})`,
    `QUALIFY row_number() OVER (PARTITION BY ${parts.join(', ')} ORDER BY rowid DESC) = 1`,
    `ON CONFLICT (${keys}) DO ${set ? `UPDATE SET ${set}` : 'NOTHING'}`,
  ].join(' ')
}
