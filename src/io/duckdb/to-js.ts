/**
 * Values of DuckDB as plain JavaScript, by the type of their column, so that a column never changes its kind midway.
 *
 * - Integers of up to 32 bits, `FLOAT` and `DOUBLE` are numbers; wider integers are bigints, or numbers on demand.
 * - `DECIMAL` is a number up to 15 digits, which a double holds exactly, and a string where it is declared wider.
 * - `DATE` and timestamps are Dates (UTC), or DuckDB's own text on demand; `TIME`, `UUID`, `BIT` and `ENUM` are strings.
 * - `LIST` and `ARRAY` are arrays, `STRUCT` an object, `MAP` a Map, `UNION` `{ tag, value }`, `BLOB` a Uint8Array,
 *   `INTERVAL` `{ months, days, micros }`, JSON its text.
 */
import {
  type DuckDBArrayType,
  type DuckDBArrayValue,
  type DuckDBBlobValue,
  type DuckDBDateValue,
  type DuckDBDecimalType,
  type DuckDBDecimalValue,
  type DuckDBIntervalValue,
  type DuckDBListType,
  type DuckDBListValue,
  type DuckDBMapType,
  type DuckDBMapValue,
  type DuckDBStructType,
  type DuckDBStructValue,
  type DuckDBTimestampMillisecondsValue,
  type DuckDBTimestampNanosecondsValue,
  type DuckDBTimestampSecondsValue,
  type DuckDBTimestampValue,
  type DuckDBType,
  DuckDBTypeId as Id,
  type DuckDBUnionType,
  type DuckDBUnionValue,
  type DuckDBValue,
} from '@duckdb/node-api'

export interface Choices {
  readonly integers: 'bigint' | 'number'
  readonly timestamps: 'date' | 'text'
}

/** Makes JavaScript of a value that is not null; throws where the value has no equal. */
export type ToJs = (value: NonNullable<DuckDBValue>) => unknown
/** What a type makes of its values. The library types a value by its column only at run time: hence the casts here. */
type Making = (type: DuckDBType, choices: Choices) => ToJs

const same: ToJs = (value) => value
const text: ToJs = (value) => String(value)
/** The infinities of 64 bits. */
const INFINITE = 2n ** 63n - 1n
/** As many digits as every double keeps. */
const EXACT_DIGITS = 15

const wide: Making = (_, { integers }) => (integers === 'number' ? safeNumber : same)

function safeNumber(value: unknown): number {
  const number = Number(value)
  if (!Number.isSafeInteger(number)) throw new RangeError(`${String(value)} does not fit a number exactly`)
  return number
}

function dateOf(ms: number, textOf: () => unknown): Date {
  const date = new Date(ms)
  if (Number.isNaN(date.getTime())) throw new RangeError(`${String(textOf())} is out of the range of a Date`)
  return date
}

/** The bigint divided, and rounded down. */
function floored(value: bigint, by: bigint): number {
  const rest = value % by
  return Number((value - (rest < 0n ? rest + by : rest)) / by)
}

/** A maker for a kind of timestamp, given what it counts and the milliseconds of that. */
function timestamp<V, C extends number | bigint>(count: (value: V) => C, ms: (counted: C) => number): Making {
  const textOf: ToJs = (value) => momentText(value, count(value as V))
  return (_, { timestamps }) =>
    timestamps === 'text' ? textOf : (value) => dateOf(ms(count(value as V)), () => textOf(value))
}

/** DuckDB's client takes the infinities of some kinds for moments. */
function momentText(value: NonNullable<DuckDBValue>, count: number | bigint): string {
  const { isFinite } = value as Partial<DuckDBDateValue>
  return isFinite === false ? (count < 0 ? '-infinity' : 'infinity') : String(value)
}

const fromMicros = timestamp(
  ({ micros }: DuckDBTimestampValue) => micros,
  (micros) => floored(micros, 1000n),
)

function items(type: DuckDBType, choices: Choices): ToJs {
  const item = nullable((type as DuckDBListType | DuckDBArrayType).valueType, choices)
  return (value) => (value as DuckDBListValue | DuckDBArrayValue).items.map(item)
}

function struct(type: DuckDBType, choices: Choices): ToJs {
  const { entryNames, entryTypes } = type as DuckDBStructType
  const makers = entryTypes.map((entry) => nullable(entry, choices))
  // DuckDB's client has lost it by then.
  if (entryNames.includes('__proto__')) throw new TypeError('a struct with a "__proto__" cannot be read')
  return (value) => {
    const { entries } = value as DuckDBStructValue
    const object: Record<string, unknown> = {}
    entryNames.forEach((name, i) => put(object, name, makers[i](entries[name])))
    return object
  }
}

function map(type: DuckDBType, choices: Choices): ToJs {
  const { keyType, valueType } = type as DuckDBMapType
  const [toKey, toValue] = [nullable(keyType, choices), nullable(valueType, choices)]
  return (value) =>
    new Map((value as DuckDBMapValue).entries.map((entry) => [toKey(entry.key), toValue(entry.value)]))
}

function union(type: DuckDBType, choices: Choices): ToJs {
  return (value) => {
    const { tag, value: inner } = value as DuckDBUnionValue
    return { tag, value: nullable((type as DuckDBUnionType).memberTypeForTag(tag), choices)(inner) }
  }
}

const MAKING: Partial<Record<Id, Making>> = {
  [Id.BIGINT]: wide,
  [Id.UBIGINT]: wide,
  [Id.HUGEINT]: wide,
  [Id.UHUGEINT]: wide,
  [Id.BIGNUM]: wide,
  [Id.DECIMAL]: (type) =>
    (type as DuckDBDecimalType).width > EXACT_DIGITS
      ? text
      : (value) => Number((value as DuckDBDecimalValue).toString()),
  [Id.DATE]: timestamp(
    ({ days }: DuckDBDateValue) => days,
    (days) => days * 86_400_000,
  ),
  [Id.TIMESTAMP]: fromMicros,
  [Id.TIMESTAMP_TZ]: fromMicros,
  [Id.TIMESTAMP_S]: timestamp(
    ({ seconds }: DuckDBTimestampSecondsValue) => seconds,
    (seconds) => Number(seconds) * 1000,
  ),
  [Id.TIMESTAMP_MS]: timestamp(({ millis }: DuckDBTimestampMillisecondsValue) => millis, Number),
  // Its infinities would be moments that a Date can hold.
  [Id.TIMESTAMP_NS]: timestamp(
    ({ nanos }: DuckDBTimestampNanosecondsValue) => nanos,
    (nanos) => (nanos === INFINITE || nanos === -INFINITE ? NaN : floored(nanos, 1_000_000n)),
  ),
  [Id.TIME]: () => text,
  [Id.TIME_TZ]: () => text,
  [Id.TIME_NS]: () => text,
  [Id.UUID]: () => text,
  [Id.BIT]: () => text,
  // A Buffer over DuckDB's chunk: a copy is smaller and stays what it is.
  [Id.BLOB]: () => (value) => Uint8Array.from((value as DuckDBBlobValue).bytes),
  [Id.INTERVAL]: () => (value) => {
    const { months, days, micros } = value as DuckDBIntervalValue
    return { months, days, micros }
  },
  [Id.LIST]: items,
  [Id.ARRAY]: items,
  [Id.STRUCT]: struct,
  [Id.MAP]: map,
  [Id.UNION]: union,
}
const AS_THEY_ARE: readonly Id[] = [
  Id.BOOLEAN,
  Id.TINYINT,
  Id.SMALLINT,
  Id.INTEGER,
  Id.UTINYINT,
  Id.USMALLINT,
  Id.UINTEGER,
  Id.FLOAT,
  Id.DOUBLE,
  Id.VARCHAR,
  Id.ENUM,
  Id.SQLNULL,
]

/** What makes JavaScript of the values of a column. Throws for the types that are not plain data. */
export function toJs(type: DuckDBType, choices: Choices): ToJs {
  if (AS_THEY_ARE.includes(type.typeId)) return same
  const making = MAKING[type.typeId]
  if (!making) throw new TypeError(`${String(type)} cannot be read: cast it to VARCHAR`)
  return making(type, choices)
}

function nullable(type: DuckDBType, choices: Choices): (value: DuckDBValue) => unknown {
  const make = toJs(type, choices)
  return (value) => (value === null ? null : make(value))
}

/** Sets a property of that name, whatever the name. */
export function put(row: Record<string, unknown>, name: string, value: unknown): void {
  if (name !== '__proto__') row[name] = value
  else Object.defineProperty(row, name, { value, enumerable: true, configurable: true, writable: true })
}
