/** CSV files as rows. */
import { missingIn, twiceIn } from '../../connect/names.ts'
import { ownCopy } from '../../connect/own-copy.ts'
import { demand, demandCount } from '../../errors.ts'
import type { Complete, Source } from '../../pipeline/stage.ts'
import { checkTypes, type ColumnType, type ColumnValue, FieldError, RowMaker } from './csv-columns.ts'
import { checkFormat, type CsvFormat, delimiterFor } from './csv-format.ts'
import { CsvScanner, type CsvSink, type ScannerState } from './csv-scanner.ts'
import { FormatError, type Place, quoted } from './format-error.ts'
import type { Inputs } from './inputs.ts'
import { type Batch, type FileOptions, type Origin, type Parser, rowSource } from './rows.ts'
import { lastLineEnd } from './text.ts'

type CsvFormatOptions = { [K in keyof CsvFormat]?: CsvFormat[K] | undefined }

/** What `readCsv` takes. */
export interface CsvOptions<Types extends Record<string, ColumnType> = Record<string, ColumnType>>
  extends FileOptions, CsvFormatOptions {
  /**
   * Where the names of the columns come from: `true`, the first row of each file; a list, for files that have none; a
   * function, which gives them for the first row; `false`, nowhere: rows are arrays of text. Default: `true`.
   */
  header?: boolean | readonly string[] | ((names: string[]) => readonly string[]) | undefined
  /** What the text of a column is turned into. Default: it stays text. */
  types?: Types | undefined
  /** What becomes of a row with fewer fields than columns: a bad row, or filled up with `''`. Default: `'fail'`. */
  short?: 'fail' | 'fill' | undefined
  /** How many characters a row may have, the CR of a CR LF included; a longer one, as behind a quote that is never closed, is a bad row. Default: 1 MiB. */
  maxRow?: number | undefined
}

/** A row: the columns that `types` names have their types; what others there are is text. */
export type CsvRow<Types> = [keyof Types] extends [never]
  ? Record<string, string>
  : { -readonly [C in keyof Types]: ColumnValue<Types[C]> } & { [column: string]: unknown }

type Settings = Complete<Pick<CsvOptions, 'header' | 'types' | 'short' | 'maxRow'>> & CsvFormat
/** The name of each file tells its delimiter, where none was given. */
type OpenSettings = Omit<Settings, 'delimiter'> & { delimiter: string | undefined }

interface CsvState extends ScannerState {
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
  /** The line of the text that was counted to last, and where it begins. */
  #line = 0
  #lineStart = 0
  /** The line in which the text begins. */
  #first: number

  constructor(
    readonly origin: Origin,
    readonly settings: Settings,
  ) {
    const state = origin.state as CsvState | undefined
    this.#scanner = new CsvScanner(settings, this, state)
    this.#first = origin.line
    const { columns, width } = state ?? {}
    const named = Array.isArray(settings.header) ? (settings.header as readonly string[]) : columns
    if (named) this.#name(named, 0)
    else if (width !== undefined) this.#width = width
  }

  /** What is known once the first row was read. */
  get state(): CsvState {
    const width = this.#width < 0 ? undefined : this.#width
    return { ...this.#scanner.state, columns: this.#columns, width }
  }

  get begun(): CsvState | undefined {
    return this.#width < 0 ? undefined : { ...this.state, skipping: false }
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
    this.#lineStart = Infinity
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
      return this.row(this.#slices(starts, ends, count), count, from, this.#endOf(ends[count - 1]))
    try {
      this.#batch.rows.push(this.#make.fromSpans(text, starts, ends))
    } catch (error) {
      this.#badField(error, from, this.#endOf(ends[count - 1]))
    }
  }

  /** The end of a row: a last field that is quoted ends before its quote. */
  #endOf(end: number): number {
    return this.#text[end] === this.settings.quote ? end + 1 : end
  }

  #slices(starts: readonly number[], ends: readonly number[], count: number): string[] {
    return Array.from({ length: count }, (_, i) => this.#text.slice(starts[i], ends[i]))
  }

  row(fields: string[], count: number, from: number, to: number): void {
    if (this.#width !== 1 && count === 1 && fields[0] === '' && this.#isBlank(from, to)) return
    if (this.#width < 0) return this.#begin(fields.slice(0, count), from)
    if (count !== this.#width && !this.#fits(fields, count))
      return this.#bad(`the row must have ${this.#width} fields, got ${count}`, from, from, to)
    if (this.#make === undefined) return void this.#batch.rows.push(fields.slice(0, this.#width))
    try {
      this.#batch.rows.push(this.#make.fromFields(fields))
    } catch (error) {
      this.#badField(error, from, to)
    }
  }

  /** Nothing stands there, not even quotes. */
  #isBlank(from: number, to: number): boolean {
    return this.#text.slice(from, to).trim() === ''
  }

  #badField(error: unknown, from: number, to: number): void {
    if (!(error instanceof FieldError)) throw error
    this.#bad(error.message, this.#startOf(error.index, from, to), from, to, error.cause)
  }

  /** The first row that is not blank. */
  #begin(fields: string[], at: number): void {
    const { header } = this.settings
    if (header === false) {
      this.#width = fields.length
      this.#batch.rows.push(fields)
    } else this.#name(typeof header === 'function' ? header(fields) : fields, at)
  }

  #name(columns: readonly string[], at: number): void {
    if (!areNames(columns)) throw new TypeError('Cannot read CSV: "header" must give a list of names')
    const twice = twiceIn(columns)
    const missing = missingIn(columns, Object.keys(this.settings.types))
    const place = this.#placeOf(at)
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
    for (let i = count; i < this.#width; i++) fields[i] = ''
    return true
  }

  broken(what: string, at: number, from: number, to: number): void {
    // Without this row, the next one would be taken for the header.
    if (this.#width < 0 && this.settings.header !== false) throw new FormatError(this.#placeOf(at), what)
    this.#bad(what, at, from, to)
  }

  #bad(what: string, at: number, from: number, to: number, cause?: unknown): void {
    const text = this.#text
    const { rows, bad } = this.#batch
    const error = new FormatError(this.#placeOf(at), what, cause === undefined ? {} : { cause })
    bad.push({ at: rows.length, value: text.slice(from, to), error })
  }

  /** Most bad rows come in order: lines are counted from the last one on. */
  #placeOf(at: number): Place {
    const end = this.#scanner.end === 13 ? '\r' : '\n'
    const text = this.#text
    if (at < this.#lineStart) {
      this.#line = this.#first + 1
      this.#lineStart = this.#scanner.begin
    }
    for (let i = text.indexOf(end, this.#lineStart); i >= 0 && i < at; i = text.indexOf(end, i + 1)) {
      this.#line++
      this.#lineStart = i + 1
    }
    return { file: this.origin.file, line: this.#line, column: at - this.#lineStart + 1 }
  }

  /** Where field `index` of the row begins, at its end if it has none: it is only looked for when something is wrong with it. */
  #startOf(index: number, from: number, to: number): number {
    const { delimiter, quote, escape, trim } = this.settings
    const text = this.#text
    let at = from
    for (let left = index; ; left--, at++) {
      if (trim) while ((text[at] === ' ' || text[at] === '\t') && text[at] !== delimiter) at++
      if (left === 0) return at
      if (quote !== '' && text[at] === quote)
        for (at++; text[at] !== quote || (escape === quote && text[at + 1] === quote); at++)
          if (text[at] === escape && (text[at + 1] === quote || text[at + 1] === escape)) at++
      at = text.indexOf(delimiter, at)
      if (at < 0 || at >= to) return to
    }
  }
}

function checkHeader(header: NonNullable<CsvOptions['header']>, types: Record<string, ColumnType>): void {
  const action = 'create readCsv'
  const known = typeof header === 'boolean' || typeof header === 'function' || Array.isArray(header)
  demand(known, action, 'header', 'a boolean, a list of names or a function', header, TypeError)
  if (!Array.isArray(header)) return
  const names = header as readonly string[]
  demand(areNames(names), action, 'header', 'a list of at least one name, each a text', header, TypeError)
  const twice = twiceIn(names)
  demand(twice === undefined, action, 'header', 'a list of names that differ', twice)
  const missing = missingIn(names, Object.keys(types))
  demand(missing === undefined, action, 'types', 'for columns of "header"', missing)
}

function areNames(names: unknown): names is readonly string[] {
  return Array.isArray(names) && names.length > 0 && names.every((name) => typeof name === 'string')
}

function settingsOf(path: Inputs, options: CsvOptions): OpenSettings {
  const action = 'create readCsv'
  const { delimiter, quote = '"', escape = quote, comment = '', trim = false } = options
  const { header = true, types = {}, short = 'fail', maxRow = 2 ** 20 } = options
  const format = { delimiter, quote, escape, comment, trim }
  for (const file of [path].flat())
    checkFormat({ ...format, delimiter: delimiter === undefined ? delimiterFor(file) : delimiter })
  checkTypes('readCsv', types)
  checkHeader(header, types)
  const named = header !== false || Object.keys(types).length === 0
  demand(named, action, 'types', 'left out where "header" is false', types, TypeError)
  demand(short === 'fail' || short === 'fill', action, 'short', "'fail' or 'fill'", short, TypeError)
  demandCount(maxRow, action, 'maxRow', 1)
  return { ...format, header: ownCopy(header), types: ownCopy(types), short, maxRow }
}

/**
 * Reads CSV: each row as an object, by the names in the first row.
 *
 * - What `path` and the options for files mean: see `readLines`. `header`, `types`, `short`, `maxRow`: see `CsvOptions`. `delimiter`: default
 *   `','`, and a tab for each file whose name ends in `.tsv`. `quote`: default `'"'`; `escape`: what stands before a quote that is meant, default the quote itself.
 *   `comment`: rows that begin with it are left out. `trim`: whether spaces and tabs around fields are left out, default no.
 * - RFC 4180: quotes, doubled quotes, delimiters and line ends in quoted fields, CR LF and LF (mixed, too) or CR. A byte
 *   order mark is left out. Blank lines are left out, but where there is only one column.
 * - Text stays text unless `types` says more; an integer that would lose digits is not one.
 * - A bad row (too few or too many fields, a quote that is not closed, a field that is not what its type says) follows `onError`: `value` is its
 *   text, and `error` a `FormatError` with file, line and column. The rows behind it are read. A header that cannot be read fails the stage.
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
  // Beside a default of `Types`, TypeScript would not know what a function in `types` is given.
  options?: CsvOptions<Types> & { types?: Record<string, ColumnType> | undefined },
): Source<CsvRow<Types>>
export function readCsv(path: Inputs, options: CsvOptions = {}): Source<unknown> {
  const source = rowSource('readCsv', path, options, (origin) => {
    const { delimiter = delimiterFor(origin.file) } = settings
    return new CsvParser(origin, { ...settings, delimiter })
  })
  const settings = settingsOf(path, options)
  return source
}
