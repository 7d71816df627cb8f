/** Lines, JSON values and CSV rows into files. */
import { demand } from '../../errors.ts'
import type { Sink } from '../../pipeline/stage.ts'
import { type FileWriteOptions, textSink, type Written } from './write-file.ts'

/**
 * Writes lines of text: each value, and `\n`.
 *
 * - The file appears whole or not at all: it is written under a temporary name beside its place, and renamed at the end; a run
 *   that fails or is aborted leaves what was there before. With `append`, lines are added in place as they come.
 * - `path`: a path or `file:` URL; `'-'` is the standard output. What ends in `.gz`, `.br` or (Node 22.15 and later) `.zst` is packed.
 * - `sync`: the end waits until the disk has it. UTF-8.
 * - A value that is no string, or holds a line end, follows `onError`.
 * - Gives `{ file, count, bytes }`.
 *
 * Ordered. Concurrency 1. Holds up to 512 KiB. On error: fails, or follows `onError`.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * import { pipeline, source } from 'sluice'
 * import { writeLines } from 'sluice/io'
 *
 * await pipeline(source(['one', 'two']), writeLines('lines.txt')).run() // => { file: 'lines.txt', count: 2, bytes: 8 }
 */
export function writeLines(
  path: string | URL,
  options: FileWriteOptions<string> = {},
): Sink<string, Written> {
  return textSink('writeLines', path, options, () => ({ encode: lineOf }))
}

function lineOf(line: string): string {
  if (typeof line !== 'string')
    throw new TypeError(`Cannot write a line: it must be a string, got ${typeof line}`)
  if (line.includes('\n')) throw new RangeError('Cannot write a line: it holds a line end')
  return line
}

/**
 * Writes JSON Lines: each value as JSON on a line of its own.
 *
 * - What `path` and the options mean, and how the file appears: see `writeLines`.
 * - A value that JSON has no text for (`undefined`, a function, a cycle, a bigint) follows `onError`.
 * - Gives `{ file, count, bytes }`.
 *
 * Ordered. Concurrency 1. Holds up to 512 KiB. On error: fails, or follows `onError`.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * import { pipeline, source } from 'sluice'
 * import { readLines, writeJsonl } from 'sluice/io'
 *
 * await pipeline(source([{ id: 1 }, null]), writeJsonl('values.jsonl')).run()
 * await pipeline(readLines('values.jsonl')).run() // => ['{"id":1}', 'null']
 */
export function writeJsonl<T>(path: string | URL, options: FileWriteOptions<T> = {}): Sink<T, Written> {
  return textSink('writeJsonl', path, options, () => ({ encode: jsonOf }))
}

function jsonOf(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined
  if (text === undefined) throw new TypeError(`Cannot write a value as JSON: ${typeof value} has no text`)
  return text
}

export interface CsvWriteOptions<In> extends FileWriteOptions<In> {
  /** What stands in the columns, in this order: other keys are left out. Default: the keys of the first row, and a row with others is a bad one. */
  columns?: readonly string[]
  /** Whether the names of the columns come first, where the file is new. Default: `true`; for rows that are arrays, `false`. */
  header?: boolean
  /** One character between fields. Default: `','`, and a tab for a path that ends in `.tsv`. */
  delimiter?: string
  /** What ends a row: `'\n'` or `'\r\n'`. Default: `'\n'`. */
  newline?: '\n' | '\r\n'
}

/**
 * Writes CSV: a row for each object, or for each array of fields.
 *
 * - What `path` and the options mean, and how the file appears: see `writeLines`. The rest: see `CsvWriteOptions`.
 * - RFC 4180: a field with a delimiter, a quote or a line end is quoted. `null`, `undefined` and a key that is not there are empty;
 *   a `Date` is written as ISO 8601, another object as JSON.
 * - Gives `{ file, count, bytes }`; the header does not count.
 *
 * Ordered. Concurrency 1. Holds up to 512 KiB. On error: fails, or follows `onError`.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * import { pipeline, source } from 'sluice'
 * import { readLines, writeCsv } from 'sluice/io'
 *
 * await pipeline(source([{ id: 1, city: 'Paris, France' }]), writeCsv('rows.csv')).run()
 * await pipeline(readLines('rows.csv')).run() // => ['id,city', '1,"Paris, France"']
 */
export function writeCsv<T extends object>(
  path: string | URL,
  options: CsvWriteOptions<T> = {},
): Sink<T, Written> {
  const sink = textSink<T>('writeCsv', path, options, (isNew) => new CsvEncoder<T>(format, isNew))
  const format = formatOf(path, options)
  return sink
}

interface Format {
  columns: readonly string[] | undefined
  header: boolean | undefined
  delimiter: string
  newline: string
  /** What makes quotes necessary. */
  special: RegExp
}

function formatOf<T>(path: string | URL, options: CsvWriteOptions<T>): Format {
  const action = 'create writeCsv'
  const { columns, header, newline = '\n' } = options
  const { delimiter = /\.tsv(?:\.\w+)?$/.test(String(path)) ? '\t' : ',' } = options
  const names =
    columns === undefined || (Array.isArray(columns) && columns.every((name) => typeof name === 'string'))
  demand(names && columns?.length !== 0, action, 'columns', 'a list of at least one name', columns, TypeError)
  demand(
    header === undefined || typeof header === 'boolean',
    action,
    'header',
    'a boolean',
    header,
    TypeError,
  )
  const one = typeof delimiter === 'string' && delimiter.length === 1 && !/["\r\n]/.test(delimiter)
  demand(one, action, 'delimiter', 'one character', delimiter)
  demand(newline === '\n' || newline === '\r\n', action, 'newline', "'\\n' or '\\r\\n'", newline)
  const escaped = delimiter.replace(/[\\\]^-]/, '\\$&')
  // Spaces at the ends are quoted: some readers take them away.
  return { columns, header, delimiter, newline, special: new RegExp(`["\\r\\n${escaped}]|^\\s|\\s$`) }
}

class CsvEncoder<T extends object> {
  /** `undefined`: rows are arrays, or there was none yet. */
  #columns: readonly string[] | undefined
  #first = true

  constructor(
    readonly format: Format,
    readonly isNew: boolean,
  ) {
    this.#columns = format.columns
  }

  readonly encode = (row: T): string => {
    if (!this.#first) return this.#lineOf(row)
    if (!Array.isArray(row)) this.#columns ??= Object.keys(Object(row) as object)
    const line = this.#lineOf(row)
    this.#first = false
    const { header = !Array.isArray(row) || this.format.columns !== undefined } = this.format
    return header && this.isNew && this.#columns ? `${this.#headerLine()}${this.format.newline}${line}` : line
  }

  readonly empty = (): string => {
    const { columns, header = true, newline } = this.format
    return header && this.isNew && columns ? this.#headerLine() + newline : ''
  }

  #headerLine(): string {
    return this.#columns!.map((name) => this.#field(name)).join(this.format.delimiter)
  }

  #lineOf(row: T): string {
    const fields = Array.isArray(row) ? (row as unknown[]) : this.#valuesOf(row)
    const columns = this.#columns
    if (columns && fields.length !== columns.length)
      throw new RangeError(`Cannot write a row: it must have ${columns.length} fields, got ${fields.length}`)
    let line = ''
    for (let i = 0; i < fields.length; i++)
      line += (i === 0 ? '' : this.format.delimiter) + this.#field(fields[i])
    // A single empty field would be a blank line, which is no row.
    if (line === '') line = '""'
    return this.format.newline === '\n' ? line : `${line}\r`
  }

  #valuesOf(row: T): unknown[] {
    if (typeof row !== 'object' || row === null)
      throw new TypeError(
        `Cannot write a row: it must be an object or an array, got ${row === null ? 'null' : typeof row}`,
      )
    const columns = this.#columns!
    const fields = row as Record<string, unknown>
    if (this.format.columns === undefined)
      for (const key in fields)
        if (Object.hasOwn(fields, key) && !columns.includes(key))
          throw new RangeError(
            `Cannot write a row: it has a key "${key}" that is no column: ${columns.join(', ')}`,
          )
    return columns.map((column) => fields[column])
  }

  #field(value: unknown): string {
    if (typeof value === 'number') return String(value)
    const text = typeof value === 'string' ? value : textOf(value)
    return this.format.special.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  }
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'bigint' || typeof value === 'boolean') return value.toString()
  if (value instanceof Date) return value.toISOString()
  if (typeof value === 'object') return JSON.stringify(value)
  throw new TypeError(`Cannot write a field: a ${typeof value} has no text`)
}
