/**
 * Rows on their way into a table of SQLite: a prepared statement for each, all in one transaction.
 *
 * A statement that fails takes back only itself, so that a row that the table refuses can follow `onError` and the
 * others stay; where it took back the transaction, the run fails. The columns are learnt from the first rows where nobody says.
 */
import type { ChunkWriter, SinkContext } from '../../connect/chunk-sink.ts'
import { byColumns, folded, refuseRows, SAMPLE } from '../../connect/column-names.ts'
import {
  failure,
  isBusy,
  nameOf,
  nextTurn,
  openDatabase,
  prepare,
  quoteName,
  type Row,
  show,
  type SqliteConnection,
  type SqliteDatabase,
  type SqlValue,
} from './driver.ts'
import { toSql, typeFor } from './values.ts'
import type { Written } from './write.ts'

export interface Into {
  database: SqliteDatabase
  table: string
  /** The columns, where they were said. */
  names: readonly string[] | undefined
  /** Their types, where they were said. */
  types: Readonly<Record<string, string>>
  key: readonly string[]
  create: boolean
  batch: number
  patience: number
}

/** Opens the database and begins the transaction. */
export async function openWriting(into: Into, context: SinkContext): Promise<Writing> {
  const action = `write to table ${show(into.table)} of SQLite ${nameOf(into.database)}`
  try {
    const { connection, release } = openDatabase(into.database, false)
    try {
      await patiently(into.patience, context.signal, () => connection.exec('BEGIN IMMEDIATE'))
    } catch (error) {
      release()
      throw error
    }
    const writing = new Writing(into, context, connection, release, action)
    try {
      writing.look()
      return writing
    } catch (error) {
      writing.abandon()
      throw error
    }
  } catch (error) {
    throw failure(action, error)
  }
}

/** Tries again while another connection is in the way: the lock may be one of this process. */
async function patiently(patience: number, signal: AbortSignal, work: () => void): Promise<void> {
  const end = performance.now() + patience
  for (let wait = 1; ; wait = Math.min(wait * 2, 50)) {
    try {
      return work()
    } catch (error) {
      if (!isBusy(error) || performance.now() >= end || signal.aborted) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, wait))
  }
}

export class Writing implements ChunkWriter<Row, Written> {
  #existing: readonly string[] | undefined
  #columns: readonly string[]
  /** Those that make doubles of integers. */
  #reals: ReadonlySet<string> = new Set()
  #learnt: Map<string, string | undefined>
  #sample: Row[] = []
  #insert: ReturnType<typeof prepare> | undefined
  #count = 0
  #since = 0
  #over = false

  constructor(
    readonly into: Into,
    readonly context: SinkContext,
    readonly connection: SqliteConnection,
    readonly release: () => void,
    readonly action: string,
  ) {
    this.#columns = into.names ?? []
    this.#learnt = new Map(this.#columns.map((name) => [name, undefined]))
  }

  /** Whether the table is there, and with which columns. */
  look(): void {
    const columns = this.#ofTable()
    if (columns.length > 0) this.#existing = columns.map(({ name }) => name)
    else if (!this.into.create) throw new Error('there is no such table, and "create" is false')
  }

  /** The columns of the table, none where there is no such table. */
  #ofTable(): { name: string; type: string }[] {
    const columns: { name: string; type: string }[] = []
    const sql = 'SELECT name, type FROM pragma_table_xinfo(?) WHERE hidden <> 1'
    const found = prepare(this.connection, sql).iterate(this.into.table)
    for (let row = found.next(); !row.done; row = found.next())
      columns.push({ name: String(row.value.name), type: String(row.value.type) })
    return columns
  }

  async write(rows: readonly Row[]): Promise<void> {
    for (const row of rows) {
      const refused = this.#insert ? this.#put(row) : this.#learn(row)
      if (refused) await this.context.failed(row, refused.error)
      if (this.#over) return
      if (!this.#insert && this.#sample.length >= SAMPLE) await this.#begin()
      if (++this.#since >= this.into.batch) {
        this.#since = 0
        await nextTurn()
        if (this.#over) return
      }
    }
  }

  #learn(row: Row): { error: unknown } | undefined {
    try {
      const values = this.#valuesOf(row, this.into.names)
      for (const [name, value] of values) this.#learnt.set(name, typeFor(this.#learnt.get(name), value))
      this.#sample.push(row)
      return undefined
    } catch (error) {
      return { error }
    }
  }

  /** The columns are known: makes the table where it is missing, and writes what has come. */
  async #begin(): Promise<void> {
    const { table, key } = this.into
    const names = [...this.#learnt.keys()]
    if (names.length === 0) return refuseRows(this.#sample.splice(0), this.context)
    try {
      const missing = key.find((name) => !names.includes(name))
      if (missing !== undefined) throw new TypeError(`no row has the key ${show(missing)}`)
      if (!this.#existing)
        this.connection.exec(`CREATE TABLE ${quoteName(table)} ${this.#definition(names)} STRICT`)
      this.#insert = prepare(this.connection, insertOf(table, names, key))
    } catch (error) {
      throw failure(this.action, error)
    }
    this.#columns = names
    const reals = new Set(
      this.#ofTable()
        .filter(isReal)
        .map(({ name }) => folded(name)),
    )
    this.#reals = new Set(names.filter((name) => reals.has(folded(name))))
    const sample = this.#sample
    this.#sample = []
    await this.write(sample)
  }

  #definition(names: readonly string[]): string {
    const { types, key } = this.into
    const columns = names.map((name) => {
      const type = Object.hasOwn(types, name) ? types[name] : (this.#learnt.get(name) ?? 'ANY')
      return `${quoteName(name)} ${type}`
    })
    const primary = key.length > 0 ? [`PRIMARY KEY (${key.map(quoteName).join(', ')})`] : []
    return `(${[...columns, ...primary].join(', ')})`
  }

  #put(row: Row): { error: unknown } | undefined {
    let values: [string, SqlValue][]
    try {
      values = this.#valuesOf(row, this.#columns)
    } catch (error) {
      return { error }
    }
    try {
      this.#insert!.run(...values.map(([, value]) => value))
      this.#count++
      return undefined
    } catch (error) {
      const named = failure(this.action, error)
      // The rows before are gone, and those to come would stand alone: that is nobody's row.
      if (this.#rolledBack()) throw named
      return { error: named }
    }
  }

  /** A full disk, or a rule of the table (`RAISE(ROLLBACK)`), takes back the whole transaction. */
  #rolledBack(): boolean {
    try {
      this.connection.exec('BEGIN')
    } catch {
      // It is still open, as it should be.
      return false
    }
    this.connection.exec('ROLLBACK')
    return true
  }

  /** Of all its columns, where no names are given. */
  #valuesOf(given: Row, names: readonly string[] | undefined): [string, SqlValue][] {
    if (typeof given !== 'object' || given === null || Array.isArray(given))
      throw new TypeError(`Cannot write a row: it must be an object, got ${show(given)}`)
    const fixed = this.#insert !== undefined
    const row = this.into.names
      ? given
      : byColumns(given, { learnt: this.#learnt, existing: this.#existing, fixed })
    return (names ?? Object.keys(row)).map((name) => {
      try {
        const value = toSql(Object.hasOwn(row, name) ? row[name] : null)
        if (value === null && this.into.key.includes(name))
          throw new TypeError('it is of the key and is null')
        if (typeof value === 'bigint' && this.#reals.has(name) && BigInt(Number(value)) !== value)
          throw new TypeError(`REAL does not hold ${value}n exactly`)
        return [name, value]
      } catch (error) {
        throw new TypeError(`Cannot write column ${show(name)}: ${(error as Error).message}`, {
          cause: error,
        })
      }
    })
  }

  async end(): Promise<Written> {
    if (!this.#insert) await this.#begin()
    const { patience, table } = this.into
    try {
      await patiently(patience, this.context.signal, () => {
        // Aborted meanwhile: what is to be committed is gone.
        if (!this.#over) this.connection.exec('COMMIT')
      })
    } catch (error) {
      throw failure(this.action, error)
    }
    if (!this.#over) {
      this.#over = true
      this.release()
    }
    return { table, count: this.#count }
  }

  abandon(): void {
    this.#over = true
    try {
      this.connection.exec('ROLLBACK')
    } catch (error) {
      // After some failures SQLite has rolled back by itself.
      if (!/no transaction is active/.test(String(error))) throw failure(this.action, error)
    } finally {
      this.release()
    }
  }
}

/** As SQLite takes a type for one of doubles. */
function isReal({ type }: { type: string }): boolean {
  return /real|floa|doub/i.test(type) && !/int|char|clob|text|blob/i.test(type)
}

function insertOf(table: string, columns: readonly string[], key: readonly string[]): string {
  const list = columns.map(quoteName).join(', ')
  const values = columns.map(() => '?').join(', ')
  // By another name, as a table may be called "excluded".
  const insert = `INSERT INTO ${quoteName(table)} AS target (${list}) VALUES (${values})`
  if (key.length === 0) return insert
  const others = columns.filter((name) => !key.includes(name)).map(quoteName)
  const set = others.map((name) => `${name} = excluded.${name}`).join(', ')
  return `${insert} ON CONFLICT (${key.map(quoteName).join(', ')}) DO ${set ? `UPDATE SET ${set}` : 'NOTHING'}`
}
