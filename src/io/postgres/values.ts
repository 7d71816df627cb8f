/**
 * Values as the server reads them: what `pg` makes of a parameter, as text that stands in a COPY.
 *
 * Where `pg` does not know a column and the server would refuse what it sends, the type of the column decides: an array
 * or a date for a json column is JSON. An instant is written in UTC, which is the same instant.
 */
import pg from 'pg'

/** A value of a parameter as `pg` sends it. Its types do not have this function. */
const { prepareValue } = (
  pg as unknown as { utils: { prepareValue: (value: unknown) => string | Buffer | null } }
).utils

export const prepared = (value: unknown): string | Buffer | null => prepareValue(value)

const JSON_TYPES = new Set([114, 3802])
const BYTEA = 17
const TIMESTAMPTZ = 1184
const TEXT_TYPES = new Set([25, 1043, 1042, 18, 19, 114, 3802, 142])

/** What must be escaped, and what a text of the server cannot have. */
const SPECIAL = /[\\\t\n\r\0]/
const ESCAPES: Record<string, string> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }

/** How an object becomes text in a column of this type. */
export type Encode = (value: object) => string

/** The text of a value in a COPY; that of null is `\N`. */
export function encoded(value: unknown, encode: Encode): string {
  switch (typeof value) {
    case 'string':
      return SPECIAL.test(value) ? escaped(value) : value
    case 'number':
    case 'boolean':
    case 'bigint':
      return String(value)
    case 'undefined':
      return '\\N'
    case 'object':
      return value === null ? '\\N' : encode(value)
    case 'function':
    case 'symbol':
      throw new TypeError(`Cannot write a ${typeof value}`)
  }
}

function escaped(text: string): string {
  if (text.includes('\0')) throw new TypeError('Cannot write a text with a NUL character: Postgres has none')
  return text.replace(/[\\\t\n\r]/g, (character) => ESCAPES[character])
}

/** What `pg` sends for it, escaped. */
function asText(value: object, oid: number): string {
  const text = prepareValue(value)
  if (text === null) return '\\N'
  if (typeof text === 'string') return encoded(text, never)
  if (oid === BYTEA) return `\\\\x${text.toString('hex')}`
  if (TEXT_TYPES.has(oid)) return encoded(text.toString('utf8'), never)
  throw new TypeError('Cannot write bytes to a column that is neither bytea nor text')
}

const never: Encode = () => {
  throw new TypeError('unreachable')
}

function asJson(value: object, oid: number): string {
  const own = Buffer.isBuffer(value) || ArrayBuffer.isView(value) || 'toPostgres' in value
  const text = own ? undefined : JSON.stringify(value)
  return text === undefined ? asText(value, oid) : encoded(text, never)
}

function asInstant(value: object, oid: number): string {
  if (!(value instanceof Date)) return asText(value, oid)
  const year = value.getUTCFullYear()
  if (Number.isNaN(year)) throw new TypeError('Cannot write an invalid date')
  return year >= 1 && year <= 9999 ? value.toISOString() : asText(value, oid)
}

function asMoment(value: object, oid: number): string {
  if (value instanceof Date && Number.isNaN(value.getTime()))
    throw new TypeError('Cannot write an invalid date')
  return asText(value, oid)
}

/** How objects are written to a column of the type with this number. */
export function encoderOf(oid: number): Encode {
  const encode = JSON_TYPES.has(oid) ? asJson : oid === TIMESTAMPTZ ? asInstant : asMoment
  return (value) => encode(value, oid)
}
