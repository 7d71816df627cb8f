/**
 * Values on their way to SQLite and back. It knows null, integers of 64 bits, doubles, text and bytes; what is added
 * here is said in the docs: booleans are 0 and 1, Dates text as `toISOString` gives it. The rest is refused.
 */
import { isWellFormed } from '../../connect/well-formed.ts'
import { type Row, show, type SqlValue } from './driver.ts'

/** A value for a parameter of a query. */
export type SqliteParam = SqlValue | boolean | Date

const WANTED =
  'it must be null, a boolean, number, bigint of 64 bits, string of whole characters, valid Date or Uint8Array'

/** The value as SQLite takes it; throws where there is no such. */
export function toSql(value: unknown): SqlValue {
  if (value === null || value === undefined) return null
  if (value instanceof Uint8Array) return value
  // Half of a pair has no UTF-8: SQLite would get U+FFFD, and two keys could become one.
  if (typeof value === 'string' && isWellFormed(value)) return value
  // As a double, 1 would be "1.0" in a column of text.
  if (typeof value === 'number') return numberOf(value)
  if (typeof value === 'boolean') return value ? 1n : 0n
  if (typeof value === 'bigint' && value === BigInt.asIntN(64, value)) return value
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString()
  throw new TypeError(`${WANTED}, got ${show(value)}`)
}

function numberOf(value: number): number | bigint {
  // SQLite would make NULL of it.
  if (Number.isNaN(value)) throw new TypeError(`${WANTED}, got NaN`)
  return Number.isSafeInteger(value) && !Object.is(value, -0) ? BigInt(value) : value
}

/** The row as a plain object; throws for an integer that a number cannot hold. */
export function fromSql(row: Row, bigints: boolean): Row {
  const plain: Row = {}
  for (const name of Object.keys(row)) {
    let value = row[name]
    if (typeof value === 'bigint' && !bigints) {
      const number = Number(value)
      if (!Number.isSafeInteger(number))
        throw new RangeError(`Cannot read column ${show(name)}: ${value} does not fit a number exactly`)
      value = number
    }
    if (name !== '__proto__') plain[name] = value
    else Object.defineProperty(plain, name, { value, enumerable: true, configurable: true, writable: true })
  }
  return plain
}

/** The type of a column that holds such values, and those before it. */
export function typeFor(before: string | undefined, value: SqlValue): string | undefined {
  if (value === null) return before
  const type =
    typeof value === 'bigint'
      ? 'INTEGER'
      : typeof value === 'number'
        ? 'REAL'
        : typeof value === 'string'
          ? 'TEXT'
          : 'BLOB'
  if (before === undefined || before === type) return type
  return [before, type].every((name) => name === 'INTEGER' || name === 'REAL') ? 'REAL' : 'ANY'
}
