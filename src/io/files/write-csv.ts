/** Rows into CSV files. */
import { twiceIn } from '../../connect/names.ts'
import { ownCopy } from '../../connect/own-copy.ts'
import { isWellFormed } from '../../connect/well-formed.ts'
import { demand } from '../../errors.ts'
import type { Sink } from '../../pipeline/stage.ts'
import { openBlocks } from './blocks.ts'
import { delimiterFor } from './csv-format.ts'
import { CsvScanner } from './csv-scanner.ts'
import { quoted } from './format-error.ts'
import { decoderFor } from './text.ts'
import {
  cannotEncode,
  type FileWriteOptions,
  notWhole,
  type Target,
  textSink,
  type Written,
} from './write-file.ts'

/** What `writeCsv` takes. */
export interface CsvWriteOptions<In> extends FileWriteOptions<In> {
  /** What stands in the columns, in this order: other keys are left out. Default: those of the file that is appended to, else the keys of the first row; a row with others is a bad one then. */
  columns?: readonly string[] | undefined
  /** Whether the names of the columns come first, where the file is new or has no row yet. Default: `true`; for rows that are arrays, where `columns` is given. */
  header?: boolean | undefined
  /** One character between fields. Default: `','`, and a tab for a path that ends in `.tsv`. */
  delimiter?: string | undefined
  /** What ends a row: `'\n'` or `'\r\n'`. Default: `'\n'`. */
  newline?: '\n' | '\r\n' | undefined
}

/**
 * Writes CSV: a row for each object, or for each array of fields.
 *
 * - What `path` and the options mean, and how the file appears: see `writeLines`. The rest: see `CsvWriteOptions`.
 * - RFC 4180: a field with a delimiter, a quote or a line end is quoted. `null`, `undefined` and a key that is not there are empty;
 *   a `Date` is written as ISO 8601, another object as JSON. A row that cannot be written, as with half of a character, follows `onError`.
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
  const sink = textSink<T>('writeCsv', path, options, (target) => encoderFor<T>(format, target))
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
  const { delimiter = delimiterFor(path) } = options
  const names =
    columns === undefined ||
    (Array.isArray(columns) && columns.every((name) => typeof name === 'string' && isWellFormed(name)))
  demand(names && columns?.length !== 0, action, 'columns', 'a list of at least one name', columns, TypeError)
  const twice = columns && twiceIn(columns)
  demand(twice === undefined, action, 'columns', 'names of which none comes twice', twice)
  demand(
    header === undefined || typeof header === 'boolean',
    action,
    'header',
    'a boolean',
    header,
    TypeError,
  )
  const one = typeof delimiter === 'string' && /^[^"\r\n\ud800-\udfff]$/.test(delimiter)
  demand(one, action, 'delimiter', 'one character that is no quote and ends no line', delimiter)
  demand(newline === '\n' || newline === '\r\n', action, 'newline', "'\\n' or '\\r\\n'", newline)
  const escaped = delimiter.replace(/[\\\]^-]/, '\\$&')
  // Spaces at the ends are quoted: some readers take them away.
  return {
    columns: ownCopy(columns),
    header,
    delimiter,
    newline,
    special: new RegExp(`["\\r\\n${escaped}]|^\\s|\\s$`),
  }
}

/** Where rows are added to a file, they have the columns of that file. */
async function encoderFor<T extends object>(format: Format, target: Target): Promise<CsvEncoder<T>> {
  const { file, hasContent, state } = target
  const { columns, header } = format
  const known = (state as State | undefined)?.columns
  if (!hasContent || header === false || known) return new CsvEncoder(format, !hasContent, columns ?? known)
  const found = await headerOf(file, format.delimiter)
  if (columns && found && (found.length !== columns.length || columns.some((name, i) => name !== found[i])))
    throw new Error(
      `Cannot write ${file}: its columns are ${found.map(quoted).join(', ')}, not ${columns.map(quoted).join(', ')}`,
    )
  // Packed, a file of nothing has a size.
  return new CsvEncoder(format, found === undefined, columns ?? found)
}

/** The first row of a file, where it has one. */
async function headerOf(file: string, delimiter: string): Promise<string[] | undefined> {
  const rows: string[][] = []
  let text = ''
  const scanner = new CsvScanner(
    { delimiter, quote: '"', escape: '"', comment: '', trim: false },
    {
      spans: (starts, ends, count) =>
        void rows.push(Array.from({ length: count }, (_, i) => text.slice(starts[i], ends[i]))),
      row: (fields, count) => void rows.push(fields.slice(0, count)),
      broken(what) {
        throw new Error(`Cannot add to ${file}: its first row cannot be read: ${what}`)
      },
    },
  )
  const blocks = await openBlocks(file, 0)
  try {
    for (let left: Uint8Array = new Uint8Array(0); rows.length === 0;) {
      const block = await blocks.next(left)
      const bytes = block ?? Buffer.from(left)
      text = decoderFor('utf-8')
        .decode(bytes, 0, bytes.length)
        .replace(/^\uFEFF/, '')
      const first = text.search(/[^\r\n]/)
      text = text.slice(Math.max(0, first))
      scanner.scan(text, block === undefined, HEADER)
      if (block === undefined) break
      left = block
    }
  } finally {
    await blocks.close()
  }
  return rows[0]
}

/** How many characters a header has at most. */
const HEADER = 2 ** 20

const [QUOTE, NEWLINE] = Buffer.from('"\n')

interface State {
  columns: readonly string[] | undefined
}

class CsvEncoder<T extends object> {
  readonly line = 'row'
  /** `undefined`: rows are arrays, or there was none yet. */
  #columns: readonly string[] | undefined
  /** The columns of the latest row by name: a list of thousands is not to be searched for each key of each row. */
  #known: { columns: readonly string[]; names: ReadonlySet<string> } = { columns: [], names: new Set() }
  #first = true

  constructor(
    readonly format: Format,
    readonly isNew: boolean,
    /** Those that are known before there is a row. */
    readonly known: readonly string[] | undefined,
  ) {
    this.#columns = format.columns
  }

  readonly encode = (row: T): string => {
    if (!this.#first) return this.#lineOf(row, this.#columns)
    const columns = this.#columns ?? (Array.isArray(row) ? undefined : (this.known ?? keysOf(row)))
    const { header = columns !== undefined, newline } = this.format
    const line = this.#lineOf(row, columns)
    const text = header && this.isNew && columns ? `${this.#headerLine(columns)}${newline}${line}` : line
    if (!isWellFormed(text)) throw notWhole(this.line)
    // Only now: a row that cannot be written says nothing about the others.
    this.#first = false
    this.#columns = columns
    return text
  }

  readonly empty = (): string => {
    const { columns, header = true, newline } = this.format
    return header && this.isNew && columns ? this.#headerLine(columns).concat(newline) : ''
  }

  /** A line end between quotes is of a field. */
  readonly whole = (bytes: Uint8Array): number => {
    let end = 0
    let isQuoted = false
    for (const [at, byte] of bytes.entries()) {
      if (byte === QUOTE) isQuoted = !isQuoted
      else if (byte === NEWLINE && !isQuoted) end = at + 1
    }
    return end
  }

  readonly state = (): State => ({ columns: this.#columns ?? this.known })

  #headerLine(columns: readonly string[]): string {
    return this.#join(columns)
  }

  #lineOf(row: T, columns: readonly string[] | undefined): string {
    const fields = Array.isArray(row) ? (row as unknown[]) : this.#valuesOf(row, columns)
    if (columns && fields.length !== columns.length)
      throw new RangeError(`Cannot write a row: it must have ${columns.length} fields, got ${fields.length}`)
    const line = this.#join(fields, columns)
    return this.format.newline === '\n' ? line : `${line}\r`
  }

  #join(fields: readonly unknown[], columns?: readonly string[]): string {
    let line = ''
    let i = 0
    try {
      for (; i < fields.length; i++) line += (i === 0 ? '' : this.format.delimiter) + this.#field(fields[i])
    } catch (cause) {
      throw cannotEncode(columns ? `column ${quoted(columns[i])}` : `field ${i + 1}`, cause)
    }
    // A single empty field would be a blank line, which is no row.
    return line === '' ? '""' : line
  }

  #valuesOf(row: T, columns: readonly string[] | undefined): unknown[] {
    demandRow(row)
    if (columns === undefined)
      throw new TypeError('Cannot write a row: it must be an array, as the ones before, got an object')
    const fields = row as Record<string, unknown>
    if (this.format.columns === undefined)
      for (const key in fields)
        if (!this.#isColumn(key, columns) && Object.hasOwn(fields, key))
          throw new RangeError(
            `Cannot write a row: it has a key "${key}" that is no column: ${columns.join(', ')}`,
          )
    return columns.map((column) => {
      const value = fields[column]
      return (typeof value === 'object' || typeof value === 'function') && isInAll(column, row)
        ? undefined
        : value
    })
  }

  #isColumn(key: string, columns: readonly string[]): boolean {
    if (this.#known.columns !== columns) this.#known = { columns, names: new Set(columns) }
    return this.#known.names.has(key)
  }

  #field(value: unknown): string {
    if (typeof value === 'number') return String(value)
    const text = typeof value === 'string' ? value : textOf(value)
    return this.format.special.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  }
}

/** Every object has it: the row itself says nothing about that column. */
function isInAll(column: string, row: object): boolean {
  return column in Object.prototype && !Object.hasOwn(row, column)
}

function demandRow(row: unknown): void {
  if (typeof row === 'object' && row !== null) return
  const got = row === null ? 'null' : typeof row
  throw new TypeError(`Cannot write a row: it must be an object or an array, got ${got}`)
}

/** The columns that a first row gives. */
function keysOf(row: object): readonly string[] {
  demandRow(row)
  const keys = Object.keys(row)
  if (keys.length === 0)
    throw new RangeError('Cannot write a row: it has no keys, and "columns" is not given')
  return keys
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'bigint' || typeof value === 'boolean') return value.toString()
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw new RangeError('the date is invalid')
    return value.toISOString()
  }
  const json = typeof value === 'object' ? (JSON.stringify(value) as string | undefined) : undefined
  if (json !== undefined) return json
  throw new TypeError(`${typeof value === 'object' ? 'an' : 'a'} ${typeof value} has no text`)
}
