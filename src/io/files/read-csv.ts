/** CSV files as rows. */
import { demand, demandCount } from '../../errors.ts'
import type { Source } from '../../pipeline/stage.ts'
import { checkTypes, type ColumnType, type ColumnValue, FieldError, RowMaker } from './csv-columns.ts'
import { type CsvFormat, CsvScanner, type CsvSink } from './csv-scanner.ts'
import { FormatError, quoted } from './format-error.ts'
import type { Inputs } from './inputs.ts'
import { type Batch, type FileOptions, type Origin, type Parser, rowSource } from './rows.ts'
import { lastLineEnd } from './text.ts'

export interface CsvOptions<Types extends Record<string, ColumnType> = Record<string, ColumnType>>
  extends FileOptions, Partial<CsvFormat> {
  /**
   * Where the names of the columns come from: `true`, the first row of each file; a list, for files that have none; a
   * function, which gives them for the first row; `false`, nowhere: rows are arrays of text. Default: `true`.
   */
  header?: boolean | readonly string[] | ((names: string[]) => readonly string[])
  /** What the text of a column is turned into. Default: it stays text. */
  types?: Types
  /** What becomes of a row with fewer fields than columns: a bad row, or filled up with `''`. Default: `'fail'`. */
  short?: 'fail' | 'fill'
  /** How many characters a row may have; a longer one, as behind a quote that is never closed, is a bad row. Default: 1 MiB. */
  maxRow?: number
}

/** A row: the columns that `types` names have their types; what others there are is text. */
export type CsvRow<Types> = [keyof Types] extends [never]
  ? Record<string, string>
  : { -readonly [C in keyof Types]: ColumnValue<Types[C]> } & { [column: string]: unknown }

type Settings = Required<Pick<CsvOptions, 'header' | 'types' | 'short' | 'maxRow'>> & CsvFormat

interface CsvState {
  columns: readonly string[] | undefined
  width: number | undefined
}

class CsvParser implements Parser<unknown>, CsvSink {
  readonly #scanner: CsvScanner
  #make: RowMaker | undefined
  #columns: readonly string[] | undefined
  /** How many fields a row has. */
  #width = -1
  #text = ''
  #batch!: Batch<unknown>
  /** The line in which the text begins. */
  #first: number

  constructor(
    readonly origin: Origin,
    readonly settings: Settings,
  ) {
    this.#scanner = new CsvScanner(settings, this)
    this.#first = origin.line
    const { columns, width } = (origin.state ?? {}) as Partial<CsvState>
    const named = Array.isArray(settings.header) ? (settings.header as readonly string[]) : columns
    if (named) this.#name(named)
    else if (width !== undefined) this.#width = width
  }

  /** What is known once the first row was read. */
  get state(): CsvState {
    return { columns: this.#columns, width: this.#width < 0 ? undefined : this.#width }
  }

  get line(): number {
    return this.#first
  }

  parse(bytes: Buffer, final: boolean, batch: Batch<unknown>): number {
    const { decoder } = this.origin
    const whole = final ? bytes.length : bytes.length - (bytes.length % decoder.unit)
    const text = decoder.decode(bytes, 0, whole)
    this.#text = text
    this.#batch = batch
    const used = this.#scanner.scan(text, final, this.settings.maxRow)
    this.#first = this.origin.line + this.#scanner.lines
    this.#text = ''
    return used === text.length ? whole : this.#bytesUpTo(text, used, bytes, whole)
  }

  /** Where in the bytes the text has come to `used`: behind a line end, and line ends are the same in both. */
  #bytesUpTo(text: string, used: number, bytes: Buffer, whole: number): number {
    if (used === 0) return 0
    const { decoder } = this.origin
    if (decoder.unit === 2) return whole - 2 * (text.length - used)
    const code = this.#scanner.end
    const end = String.fromCharCode(code)
    let at = lastLineEnd(bytes, decoder, code, whole)
    for (let i = text.indexOf(end, used); i >= 0; i = text.indexOf(end, i + 1))
      at = lastLineEnd(bytes, decoder, code, at - 1)
    return at
  }

  spans(starts: readonly number[], ends: readonly number[], count: number, from: number): void {
    const text = this.#text
    if (this.#make === undefined || count !== this.#width || (count === 1 && starts[0] === ends[0]))
      return this.row(this.#slices(starts, ends, count), count, from, ends[count - 1])
    try {
      this.#batch.rows.push(this.#make.fromSpans(text, starts, ends))
    } catch (error) {
      this.#badField(error, from, ends[count - 1])
    }
  }

  #slices(starts: readonly number[], ends: readonly number[], count: number): string[] {
    return Array.from({ length: count }, (_, i) => this.#text.slice(starts[i], ends[i]))
  }

  row(fields: string[], count: number, from: number, to: number): void {
    const blank = count === 1 && fields[0] === '' && this.#text.charCodeAt(from) !== 34
    if (blank && this.#width !== 1) return
    if (this.#width < 0) return this.#begin(fields.slice(0, count))
    if (count !== this.#width && !this.#fits(fields, count))
      return this.#bad(`the row must have ${this.#width} fields, got ${count}`, from, from, to)
    if (this.#make === undefined) return void this.#batch.rows.push(fields.slice(0, this.#width))
    try {
      this.#batch.rows.push(this.#make.fromFields(fields))
    } catch (error) {
      this.#badField(error, from, to)
    }
  }

  #badField(error: unknown, from: number, to: number): void {
    if (!(error instanceof FieldError)) throw error
    this.#bad(error.message, this.#startOf(error.index, from), from, to, error.cause)
  }

  /** The first row that is not blank. */
  #begin(fields: string[]): void {
    const { header } = this.settings
    if (header === false) {
      this.#width = fields.length
      this.#batch.rows.push(fields)
    } else this.#name(typeof header === 'function' ? header(fields) : fields)
  }

  #name(columns: readonly string[]): void {
    const { file } = this.origin
    const twice = columns.find((column, i) => columns.indexOf(column) < i)
    const missing = Object.keys(this.settings.types).find((column) => !columns.includes(column))
    const place = { file, line: Math.max(1, this.#scanner.lines + this.origin.line), column: 1 }
    if (twice !== undefined)
      throw new FormatError(place, `there are two columns ${quoted(twice)} (see "header")`)
    if (missing !== undefined)
      throw new FormatError(
        place,
        `there is no column ${quoted(missing)}, only ${columns.map(quoted).join(', ')}`,
      )
    this.#width = columns.length
    this.#columns = columns
    this.#make = new RowMaker(columns, this.settings.types)
  }

  /** Whether a row of another length is all right: it is filled up then. */
  #fits(fields: string[], count: number): boolean {
    if (this.settings.short !== 'fill' || count > this.#width) return false
    fields.fill('', count, this.#width)
    return true
  }

  broken(what: string, at: number, from: number, to: number): void {
    this.#bad(what, at, from, to)
  }

  #bad(what: string, at: number, from: number, to: number, cause?: unknown): void {
    const text = this.#text
    const { rows, bad } = this.#batch
    const error = new FormatError(this.#placeOf(at), what, cause === undefined ? {} : { cause })
    const value = text.slice(from, to).replace(/\r?\n$|\r$/, '')
    bad.push({ at: rows.length, value, error })
  }

  #placeOf(at: number) {
    const end = String.fromCharCode(this.#scanner.end)
    const before = this.#text.slice(0, at)
    const line = this.#first + before.split(end).length
    return { file: this.origin.file, line, column: at - before.lastIndexOf(end) }
  }

  /** Where field `index` of the row begins: it is only looked for when something is wrong with it. */
  #startOf(index: number, from: number): number {
    const { delimiter, quote } = this.settings
    let at = from
    let inside = false
    for (let left = index; left > 0; at++) {
      const char = this.#text[at]
      if (char === quote) inside = !inside
      else if (char === delimiter && !inside) left--
    }
    return at
  }
}

/** `'\t'` and the like: one character that no other part of the format is. */
function checkFormat({ delimiter, quote, escape, comment }: CsvFormat): void {
  const action = 'create readCsv'
  const one = (name: string, text: string, least: number): void =>
    demand(
      typeof text === 'string' && text.length <= 1 && text.length >= least && !/[\r\n]/.test(text),
      action,
      name,
      `one character${least === 0 ? " or ''" : ''}`,
      text,
    )
  one('delimiter', delimiter, 1)
  one('quote', quote, 0)
  one('escape', escape, 0)
  one('comment', comment, 0)
  const parts = [delimiter, quote, comment].filter((text) => text !== '')
  demand(
    new Set(parts).size === parts.length,
    action,
    'delimiter',
    'other than "quote" and "comment"',
    delimiter,
  )
}

function settingsOf(path: Inputs, options: CsvOptions): Settings {
  const action = 'create readCsv'
  const tabs = typeof path === 'string' && /\.tsv(?:\.\w+)?$/.test(path)
  const { delimiter = tabs ? '\t' : ',', quote = '"', escape = quote, comment = '', trim = false } = options
  const { header = true, types = {}, short = 'fail', maxRow = 2 ** 20 } = options
  const format = { delimiter, quote, escape, comment, trim }
  checkFormat(format)
  demand(typeof trim === 'boolean', action, 'trim', 'a boolean', trim, TypeError)
  const known = typeof header === 'boolean' || typeof header === 'function' || Array.isArray(header)
  demand(known, action, 'header', 'a boolean, a list of names or a function', header, TypeError)
  checkTypes('readCsv', types)
  const named = header !== false || Object.keys(types).length === 0
  demand(named, action, 'types', 'left out where "header" is false', types, TypeError)
  demand(short === 'fail' || short === 'fill', action, 'short', "'fail' or 'fill'", short, TypeError)
  demandCount(maxRow, action, 'maxRow', 1)
  return { ...format, header, types, short, maxRow }
}

/**
 * Reads CSV: each row as an object, by the names in the first row.
 *
 * - What `path` and the options for files mean: see `readLines`. `header`, `types`, `short`, `maxRow`: see `CsvOptions`. `delimiter`: default
 *   `','`, and a tab for a path that ends in `.tsv`. `quote`: default `'"'`; `escape`: what stands before a quote that is meant, default the quote itself.
 *   `comment`: rows that begin with it are left out. `trim`: whether white space around fields is left out, default no.
 * - RFC 4180: quotes, doubled quotes, delimiters and line ends in quoted fields, CR LF and LF (mixed, too) or CR. A byte
 *   order mark is left out. Blank lines are left out, but where there is only one column.
 * - Text stays text unless `types` says more; a number that would lose digits is not one.
 * - A bad row (too few or too many fields, a quote that is not closed, a field that is not what its type says) follows `onError`: `value` is its
 *   text, and `error` a `FormatError` with file, line and column. The rows behind it are read.
 *
 * Ordered. Concurrency 1. Holds what one read of 64 KiB brought. On error: fails, or follows `onError`.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * import { pipeline, source } from 'sluice'
 * import { readCsv, writeLines } from 'sluice/io'
 *
 * await pipeline(source(['id,city', '1,"Paris, France"', '2,Rome,Italy']), writeLines('cities.csv')).run()
 * const bad: unknown[] = []
 * const cities = readCsv('cities.csv', { types: { id: 'number' }, onError: ({ error }) => void bad.push(String(error)) })
 * await pipeline(cities).run() // => [{ id: 1, city: 'Paris, France' }]
 * bad // => ['FormatError: cities.csv:3:1: the row must have 2 fields, got 3']
 */
export function readCsv(path: Inputs, options: CsvOptions & { header: false }): Source<string[]>
export function readCsv<const Types extends Record<string, ColumnType> = Record<never, never>>(
  path: Inputs,
  options?: CsvOptions<Types>,
): Source<CsvRow<Types>>
export function readCsv(path: Inputs, options: CsvOptions = {}): Source<unknown> {
  const source = rowSource('readCsv', path, options, (origin) => new CsvParser(origin, settings))
  const settings = settingsOf(path, options)
  return source
}
