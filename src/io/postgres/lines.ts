/**
 * Rows as the lines of a COPY.
 *
 * The columns are those the user has named, or the keys of the first row. In the latter case every key of every row must
 * be one of them: what has no column would be lost. A row that lacks a column has NULL there.
 */
import type { FieldDef } from 'pg'
import { encoded, encoderOf, type Encode } from './values.ts'

export class Lines {
  #columns: readonly string[] = []
  #known: ReadonlySet<string> = new Set()
  #encoders: readonly Encode[] = []
  /** Which columns only count where the row itself has them: every object has a `constructor`. */
  #own: readonly boolean[] = []
  readonly #types: ReadonlyMap<string, number>

  constructor(
    readonly table: string,
    fields: readonly FieldDef[],
    /** The columns, where the user has named them. Other keys are left out then. */
    readonly named: readonly string[] | undefined,
    /** Columns that there must be. */
    readonly needed: readonly string[],
  ) {
    this.#types = new Map(fields.map(({ name, dataTypeID }) => [name, dataTypeID]))
    if (named) this.#take(named)
  }

  /** The columns that are written, once they are known. */
  get columns(): readonly string[] {
    return this.#columns
  }

  /** A row as a line. */
  line(row: unknown): string {
    if (typeof row !== 'object' || row === null || Array.isArray(row))
      throw new TypeError('Cannot write a value that is no row: it must be an object')
    if (this.#columns.length === 0) this.#take(Object.keys(row))
    else if (this.named === undefined) this.#check(row)
    return this.#join(row as Record<string, unknown>)
  }

  #join(row: Record<string, unknown>): string {
    const columns = this.#columns
    const encoders = this.#encoders
    const own = this.#own
    let line = ''
    for (let i = 0; i < columns.length; i++) {
      if (i > 0) line += '\t'
      try {
        const lacks = own[i] && !Object.hasOwn(row, columns[i])
        line += encoded(lacks ? null : row[columns[i]], encoders[i])
      } catch (error) {
        throw this.#inColumn(columns[i], error)
      }
    }
    return line + '\n'
  }

  #inColumn(column: string, error: unknown): unknown {
    if (!(error instanceof Error)) return error
    const message = `Cannot write column "${column}" of table "${this.table}": ${error.message}`
    return new TypeError(message, { cause: error })
  }

  #take(columns: readonly string[]): void {
    for (const column of columns) {
      if (!this.#types.has(column)) throw this.#missing(column)
    }
    if (columns.length === 0) throw new TypeError('Cannot write a row without columns')
    for (const column of this.needed) {
      if (!columns.includes(column))
        throw new TypeError(
          `Cannot write to table "${this.table}": the key "${column}" is not among the columns`,
        )
    }
    this.#columns = [...columns]
    this.#known = new Set(columns)
    this.#own = columns.map((column) => column in Object.prototype)
    this.#encoders = columns.map((column) => encoderOf(this.#types.get(column)!))
  }

  #missing(column: string): TypeError {
    return new TypeError(`Cannot write to table "${this.table}": it has no column "${column}"`)
  }

  /** Most rows have the same keys in the same order, which is quickly seen. */
  #check(row: object): void {
    let i = 0
    for (const key in row) if (key !== this.#columns[i++]) return this.#checkEach(row)
  }

  #checkEach(row: object): void {
    for (const key of Object.keys(row)) {
      if (this.#known.has(key)) continue
      if (!this.#types.has(key)) throw this.#missing(key)
      throw new TypeError(
        `Cannot write to table "${this.table}": the first row had no "${key}", so "columns" must name it`,
      )
    }
  }
}
