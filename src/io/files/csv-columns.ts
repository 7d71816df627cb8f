/**
 * From the fields of a row, which are text, to an object.
 *
 * The object is a copy of a template that has all the columns, so that all rows have one shape: adding keys one by one
 * takes a third longer, and a function made of source text, which some runtimes forbid, a tenth less (bench: orders).
 */
import { isRecord } from '../../connect/record.ts'
import { demand } from '../../errors.ts'
import { quoted } from './format-error.ts'

/**
 * What the text of a column is turned into. An empty field stays `''` as a string; else it makes the row a bad one, or is
 * `undefined` with a question mark. Booleans are `true`, `false`, `1` and `0`, dates what `Date` reads, and in digits only days that there are. A function gets the text; what it throws makes the row a bad one.
 */
export type ColumnType =
  | 'string'
  | 'number'
  | 'number?'
  | 'bigint'
  | 'bigint?'
  | 'boolean'
  | 'boolean?'
  | 'date'
  | 'date?'
  | 'json'
  | 'json?'
  | ((text: string) => unknown)

interface Named {
  string: string
  number: number
  bigint: bigint
  boolean: boolean
  date: Date
  json: unknown
}

/** What a column is in the rows. */
export type ColumnValue<C> = C extends (text: string) => infer R
  ? R
  : C extends `${infer N extends keyof Named}?`
    ? Named[N] | undefined
    : C extends keyof Named
      ? Named[C]
      : never

/** A field is not what its column should be. */
export class FieldError extends Error {
  constructor(
    readonly index: number,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

type Convert = (text: string) => unknown

/** Thrown by converters: completes "must be". */
class Wanted extends Error {}

const converters: Record<keyof Named, Convert> = {
  string: (text) => text,
  number(text) {
    const number = Number(text)
    if (number !== number || (number === 0 && text.trim() === '')) throw new Wanted('a number')
    // What is no safe integer may have lost digits.
    if (number > Number.MAX_SAFE_INTEGER || number < -Number.MAX_SAFE_INTEGER) {
      if (/^\s*[-+]?\d+\s*$/.test(text))
        throw new Wanted('a number that keeps all its digits (or of type "bigint")')
      if (!Number.isFinite(number) && !text.includes('Infinity'))
        throw new Wanted('a number that JavaScript can hold')
    }
    return number
  },
  bigint(text) {
    if (!/^\s*[-+]?\d+\s*$/.test(text)) throw new Wanted('an integer')
    return BigInt(text.replace('+', ''))
  },
  boolean(text) {
    if (/^(?:true|1)$/i.test(text)) return true
    if (/^(?:false|0)$/i.test(text)) return false
    throw new Wanted('true, false, 1 or 0')
  },
  date(text) {
    const date = new Date(text)
    if (Number.isNaN(date.getTime()) || !isDay(text, date)) throw new Wanted('a date')
    return date
  },
  json(text) {
    try {
      return JSON.parse(text) as unknown
    } catch {
      throw new Wanted('a JSON value')
    }
  },
}

/** Days that not every month has, and their month: year, month and day, or month, day and year. */
const LATE_IN_MONTH = /^\s*(?:(?:[-+]\d\d)?\d{4}[-/. ](\d\d?)[-/. ](29|3\d)|(\d\d?)[-/. ](29|3\d)[-/. ]\d)/

/** `Date` takes the 30th of February for the 1st of March. */
function isDay(text: string, date: Date): boolean {
  const late = LATE_IN_MONTH.exec(text)
  if (late === null) return true
  const [, month = late[3], day = late[4]] = late
  return Number(day) <= new Date(Date.UTC(date.getFullYear(), Number(month), 0)).getUTCDate()
}

function converterFor(type: ColumnType): Convert {
  if (typeof type === 'function') return type
  const convert = converters[type.replace('?', '') as keyof Named]
  return type.endsWith('?') ? (text) => (text === '' ? undefined : convert(text)) : convert
}

/** Checks the option where the stage is made. */
export function checkTypes(make: string, types: Record<string, ColumnType>): void {
  demand(isRecord(types), `create ${make}`, 'types', 'an object', types, TypeError)
  for (const [column, type] of Object.entries(types)) {
    const known =
      typeof type === 'function' ||
      (typeof type === 'string' && /^(?:string|(?:number|bigint|boolean|date|json)\??)$/.test(type))
    const wanted =
      "'string', one of 'number', 'bigint', 'boolean', 'date', 'json' with or without a '?', or a function"
    demand(known, `create ${make}`, `types.${column}`, wanted, type, TypeError)
  }
}

/** Turns the fields of a row into an object; throws a `FieldError`. There are as many fields as columns. */
export class RowMaker {
  readonly #columns: readonly string[]
  readonly #template: Record<string, unknown>
  /** `undefined`: text stays text. */
  readonly #convert: readonly (Convert | undefined)[]
  readonly #isNumber: readonly boolean[]
  readonly #set: typeof setPlain

  constructor(columns: readonly string[], types: Record<string, ColumnType>) {
    const own = columns.map((column) => (Object.hasOwn(types, column) ? types[column] : 'string'))
    this.#columns = columns
    this.#convert = own.map((type) => (type === 'string' ? undefined : converterFor(type)))
    this.#isNumber = own.map((type) => type === 'number')
    this.#template = Object.fromEntries(columns.map((column, i) => [column, this.#isNumber[i] ? 0.5 : '']))
    this.#set = columns.includes('__proto__') ? setOwn : setPlain
  }

  /** From fields that stand in a text. Plain numbers are read off it. */
  fromSpans(text: string, starts: readonly number[], ends: readonly number[]): Record<string, unknown> {
    const columns = this.#columns
    const isNumber = this.#isNumber
    const convert = this.#convert
    const set = this.#set
    const row = { ...this.#template }
    for (let i = 0; i < columns.length; i++) {
      const start = starts[i]
      const end = ends[i]
      let value: unknown = isNumber[i] ? numberIn(text, start, end) : undefined
      if (value === undefined) {
        value = text.slice(start, end)
        if (convert[i] !== undefined) value = this.#converted(value as string, i)
      }
      set(row, columns[i], value)
    }
    return row
  }

  fromFields(fields: readonly string[]): Record<string, unknown> {
    const row = { ...this.#template }
    for (let i = 0; i < this.#columns.length; i++)
      this.#set(row, this.#columns[i], this.#convert[i] ? this.#converted(fields[i], i) : fields[i])
    return row
  }

  #converted(text: string, index: number): unknown {
    try {
      return this.#convert[index]!(text)
    } catch (error) {
      const column = quoted(this.#columns[index])
      if (error instanceof Wanted)
        throw new FieldError(index, `column ${column} must be ${error.message}, got ${quoted(text)}`)
      const message = error instanceof Error ? error.message : String(error)
      throw new FieldError(index, `column ${column}: ${message}, got ${quoted(text)}`, { cause: error })
    }
  }
}

function setPlain(row: Record<string, unknown>, column: string, value: unknown): void {
  row[column] = value
}

/** An assignment to `__proto__` would set something else. */
function setOwn(row: Record<string, unknown>, column: string, value: unknown): void {
  Object.defineProperty(row, column, { value, writable: true, enumerable: true, configurable: true })
}

const ZERO = 48
const MINUS = 45
const POINT = 46
const POWERS = Array.from({ length: 16 }, (_, i) => 10 ** i)

/**
 * A number of up to 15 digits, maybe with a point; `undefined` for all else. An integer that a double holds divided by
 * a power of ten that a double holds is rounded once: it is the number that `Number` gives, in a fifth of the time.
 */
function numberIn(text: string, start: number, end: number): number | undefined {
  let at = start
  const negative = text.charCodeAt(at) === MINUS
  if (negative) at++
  const length = end - at
  if (length < 1 || length > 15) return undefined
  let digits = 0
  let point = -1
  for (; at < end; at++) {
    const digit = text.charCodeAt(at) - ZERO
    if (digit >= 0 && digit <= 9) digits = digits * 10 + digit
    else if (digit === POINT - ZERO && point < 0 && length > 1) point = at
    else return undefined
  }
  const number = point < 0 ? digits : digits / POWERS[end - 1 - point]
  return negative ? -number : number
}
