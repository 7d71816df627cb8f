/**
 * Plain JavaScript as values of DuckDB, by the type of the column: the inverse of to-js.ts.
 *
 * Whatever would be changed on the way is refused, with what was wanted: an integer that is out of range, a number
 * that is no exact decimal, a time of day for a `DATE`, a property that a struct does not have.
 */
import {
  arrayValue,
  bitValue,
  blobValue,
  dateValue,
  decimalValue,
  type DuckDBArrayType,
  type DuckDBDecimalType,
  type DuckDBEnumType,
  DuckDBIntervalValue,
  type DuckDBListType,
  type DuckDBMapType,
  type DuckDBStructType,
  type DuckDBType,
  DuckDBTypeId as Id,
  type DuckDBValue,
  intervalValue,
  listValue,
  mapValue,
  structValue,
  timestampMillisValue,
  timestampNanosValue,
  timestampSecondsValue,
  timestampTZValue,
  timestampValue,
  timeValue,
  uuidValue,
} from '@duckdb/node-api'
import { isWellFormed } from '../../connect/well-formed.ts'
import { show } from './shape.ts'

/** Makes a value of DuckDB; throws where the value does not fit. */
export type FromJs = (value: unknown) => DuckDBValue
type Making = (type: DuckDBType, all: Makings) => FromJs
export type Makings = Partial<Record<Id, Making>>

const DAY = 86_400_000

function refuse(wanted: string, value: unknown): never {
  throw new TypeError(`it must be ${wanted}, got ${show(value)}`)
}

const boolean: FromJs = (value) => (typeof value === 'boolean' ? value : refuse('a boolean', value))

/** Integers that are numbers to DuckDB's client. */
function narrow(least: number, most: number): Making {
  return () => (value) => {
    const number = typeof value === 'bigint' ? Number(value) : value
    const fits = Number.isInteger(number) && (number as number) >= least && (number as number) <= most
    return fits ? (number as number) : refuse(`an integer from ${least} to ${most}`, value)
  }
}

/** Integers that are bigints to DuckDB's client. */
function wide(bits: number, signed: boolean): Making {
  const wanted = `${signed ? 'a' : 'an unsigned'} ${bits}-bit integer`
  const cut = (value: bigint): bigint => (signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value))
  return () => (value) => {
    if (typeof value !== 'bigint' && !Number.isSafeInteger(value)) refuse(wanted, value)
    const integer = BigInt(value as bigint | number)
    return integer === cut(integer) ? integer : refuse(wanted, value)
  }
}

/** A number, rounded to so many bits as DuckDB does; an integer stays what it is. */
function float(round: (value: number) => number): Making {
  return ({ typeId }) =>
    (value) => {
      if (typeof value !== 'number' && typeof value !== 'bigint') return refuse('a number', value)
      const number = round(Number(value))
      // Infinity is what was given, or what is out of range.
      if (!Number.isFinite(number))
        return Object.is(number, value) ? number : refuse(`a number that ${Id[typeId]} holds`, value)
      return typeof value === 'number' || BigInt(number) === value ? number : refuse('a number', value)
    }
}

const string: FromJs = (value) => {
  if (typeof value !== 'string') return refuse('a string', value)
  // Half of a pair has no UTF-8.
  return isWellFormed(value) ? value : refuse('a string of whole characters', value)
}

/** JSON is written as text; a string is taken for such a text. */
const json: FromJs = (value) => {
  try {
    if (typeof value !== 'string') return JSON.stringify(value) ?? refuse('JSON', value)
    JSON.parse(value)
    return string(value)
  } catch {
    return refuse('JSON, or a text of it', value)
  }
}

const DECIMAL = /^(-?)(\d+)(?:\.(\d*))?(?:e([+-]?\d+))?$/

function decimal(type: DuckDBType): FromJs {
  const { width, scale } = type as DuckDBDecimalType
  const wanted = `an exact decimal of ${width} digits, ${scale} of them behind the point`
  return (value) => {
    const kind = typeof value
    const parts =
      kind === 'number' || kind === 'bigint' || kind === 'string' ? DECIMAL.exec(String(value)) : null
    if (!parts) return refuse(wanted, value)
    const [, sign, whole, fraction = '', exponent = '0'] = parts
    const shift = scale - fraction.length + Number(exponent)
    // Without this, `1e999999` would be a very long number.
    if (Math.abs(shift) > 400) return refuse(wanted, value)
    const digits = BigInt(whole + fraction)
    const factor = 10n ** BigInt(Math.abs(shift))
    if (shift < 0 && digits % factor !== 0n) return refuse(wanted, value)
    const scaled = shift < 0 ? digits / factor : digits * factor
    if (scaled >= 10n ** BigInt(width)) return refuse(wanted, value)
    return decimalValue(sign ? -scaled : scaled, width, scale)
  }
}

function isDate(value: unknown): value is Date {
  return value instanceof Date && !Number.isNaN(value.getTime())
}

/** Of its 64 bits DuckDB takes no part of a day at the lower end. */
const [FIRST_NANOS, LAST_NANOS] = [-9_223_286_400_000, 9_223_372_036_854]
const NANOS = `a valid Date from ${show(new Date(FIRST_NANOS))} to ${show(new Date(LAST_NANOS))}`

const nanos: FromJs = (value) =>
  isDate(value) && value.getTime() >= FIRST_NANOS && value.getTime() <= LAST_NANOS
    ? timestampNanosValue(BigInt(value.getTime()) * 1_000_000n)
    : refuse(NANOS, value)

/** A Date in units of so many milliseconds, whole ones. */
function date(make: (ms: number) => DuckDBValue, wanted = 'a valid Date', unit = 1): Making {
  return () => (value) =>
    isDate(value) && value.getTime() % unit === 0 ? make(value.getTime()) : refuse(wanted, value)
}

const TIME = /^(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?$/

const time: FromJs = (value) => {
  const parts = typeof value === 'string' ? TIME.exec(value) : null
  if (!parts) return refuse('a time as "12:34:56.789"', value)
  const seconds = Number(parts[1]) * 3600 + Number(parts[2]) * 60 + Number(parts[3])
  const valid = Number(parts[2]) < 60 && Number(parts[3]) < 60 && seconds <= 86_400
  if (!valid) return refuse('a time as "12:34:56.789"', value)
  return timeValue(BigInt(seconds) * 1_000_000n + BigInt((parts[4] ?? '').padEnd(6, '0')))
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

const uuid: FromJs = (value) =>
  typeof value === 'string' && UUID.test(value)
    ? uuidValue(BigInt(`0x${value.replaceAll('-', '')}`))
    : refuse('a UUID', value)

const interval: FromJs = (value) => {
  const { months, days, micros } = Object(value) as Record<'months' | 'days' | 'micros', unknown>
  if (!Number.isInteger(months) || !Number.isInteger(days) || typeof micros !== 'bigint')
    return refuse('{ months, days, micros } with micros a bigint', value)
  const fits =
    [months, days].every((part) => part === Number(part) >> 0) && micros === BigInt.asIntN(64, micros)
  return fits
    ? intervalValue(months as number, days as number, micros)
    : refuse('{ months, days, micros } of 32, 32 and 64 bits', value)
}

function enumeration(type: DuckDBType): FromJs {
  const known = new Set((type as DuckDBEnumType).values)
  const wanted = `one of ${[...known].slice(0, 10).map(show).join(', ')}`
  return (value) => (typeof value === 'string' && known.has(value) ? value : refuse(wanted, value))
}

function list(type: DuckDBType, all: Makings): FromJs {
  const item = fromJs((type as DuckDBListType).valueType, all)
  return (value) => (Array.isArray(value) ? listValue(value.map(item)) : refuse('an array', value))
}

function array(type: DuckDBType, all: Makings): FromJs {
  const { valueType, length } = type as DuckDBArrayType
  const item = fromJs(valueType, all)
  return (value) =>
    Array.isArray(value) && value.length === length
      ? arrayValue(value.map(item))
      : refuse(`an array of ${length} values`, value)
}

function struct(type: DuckDBType, all: Makings): FromJs {
  const { entryNames, entryTypes } = type as DuckDBStructType
  const makers = entryNames.map((name, i) => [name, fromJs(entryTypes[i], all)] as const)
  const known = new Set(entryNames)
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse('an object', value)
    const strange = Object.keys(value).find((name) => !known.has(name))
    if (strange !== undefined)
      throw new TypeError(`its property ${show(strange)} is not one of ${entryNames.map(show).join(', ')}`)
    const object = value as Record<string, unknown>
    return structValue(
      Object.fromEntries(
        makers.map(([name, make]) => [name, make(Object.hasOwn(object, name) ? object[name] : null)]),
      ),
    )
  }
}

function map(type: DuckDBType, all: Makings): FromJs {
  const { keyType, valueType } = type as DuckDBMapType
  const [key, item] = [fromJs(keyType, all), fromJs(valueType, all)]
  return (value) => {
    if (!(value instanceof Map)) return refuse('a Map', value)
    const known = new Set<unknown>()
    const entries = [...(value as Map<unknown, unknown>)].map(([k, v]) => {
      const made = key(k)
      if (made === null) throw new TypeError('its key is null')
      if (known.size === known.add(identityOf(made)).size)
        throw new TypeError(`its key ${show(k)} is equal to one before it`)
      return { key: made, value: item(v) }
    })
    return mapValue(entries)
  }
}

/** The same for values of one type that are equal to DuckDB. */
function identityOf(made: DuckDBValue): unknown {
  return typeof made === 'object' ? JSON.stringify(made, plain) : made
}

function plain(_: string, value: unknown): unknown {
  if (value instanceof DuckDBIntervalValue) return normalized(value)
  // As text NaN is itself, and there is one zero.
  return typeof value === 'bigint' || typeof value === 'number' ? String(value) : value
}

/** As DuckDB compares them: a month is 30 days of 24 hours. */
function normalized({ months, days, micros }: DuckDBIntervalValue): string[] {
  const [day, month] = [86_400_000_000n, 2_592_000_000_000n]
  const [wholeDays, rest] = [BigInt(days), micros % month]
  return [BigInt(months) + wholeDays / 30n + micros / month, (wholeDays % 30n) + rest / day, rest % day].map(
    String,
  )
}

const micros = (ms: number): bigint => BigInt(ms) * 1000n

const MAKING: Makings = {
  [Id.BOOLEAN]: () => boolean,
  [Id.TINYINT]: narrow(-128, 127),
  [Id.SMALLINT]: narrow(-32_768, 32_767),
  [Id.INTEGER]: narrow(-2_147_483_648, 2_147_483_647),
  [Id.UTINYINT]: narrow(0, 255),
  [Id.USMALLINT]: narrow(0, 65_535),
  [Id.UINTEGER]: narrow(0, 4_294_967_295),
  [Id.BIGINT]: wide(64, true),
  [Id.UBIGINT]: wide(64, false),
  [Id.HUGEINT]: wide(128, true),
  [Id.UHUGEINT]: wide(128, false),
  [Id.FLOAT]: float(Math.fround),
  [Id.DOUBLE]: float(Number),
  [Id.DECIMAL]: decimal,
  [Id.VARCHAR]: ({ alias }) => (alias === 'JSON' ? json : string),
  [Id.ENUM]: enumeration,
  [Id.UUID]: () => uuid,
  [Id.BIT]: () => (value) =>
    typeof value === 'string' && /^[01]+$/.test(value)
      ? bitValue(value)
      : refuse('a string of 0 and 1', value),
  [Id.BLOB]: () => (value) =>
    value instanceof Uint8Array ? blobValue(value) : refuse('a Uint8Array', value),
  [Id.DATE]: date((ms) => dateValue(ms / DAY), 'a Date at midnight UTC', DAY),
  [Id.TIME]: () => time,
  [Id.TIMESTAMP]: date((ms) => timestampValue(micros(ms))),
  [Id.TIMESTAMP_TZ]: date((ms) => timestampTZValue(micros(ms))),
  [Id.TIMESTAMP_S]: date((ms) => timestampSecondsValue(BigInt(ms / 1000)), 'a Date of whole seconds', 1000),
  [Id.TIMESTAMP_MS]: date((ms) => timestampMillisValue(BigInt(ms))),
  [Id.TIMESTAMP_NS]: () => nanos,
  [Id.INTERVAL]: () => interval,
  [Id.LIST]: list,
  [Id.ARRAY]: array,
  [Id.STRUCT]: struct,
  [Id.MAP]: map,
}

/** Parquet has no integer of 128 bits: DuckDB makes doubles of them. */
function asDouble(make: Making): Making {
  return (...of) => {
    const integer = make(...of)
    return (value) => {
      const made = integer(value) as bigint
      if (BigInt(Number(made)) === made) return made
      return refuse('an integer of 64 bits in a Parquet file ("columns" may say DECIMAL(38, 0))', value)
    }
  }
}

/** Its intervals are whole milliseconds, in 32 bits, and none is negative. */
function asMillis(value: unknown): DuckDBValue {
  const made = interval(value)
  const { months, days, micros } = value as { months: number; days: number; micros: bigint }
  const whole = micros === BigInt.asUintN(32, micros / 1000n) * 1000n
  return months >= 0 && days >= 0 && whole
    ? made
    : refuse(
        '{ months, days, micros } of whole milliseconds below 2 ** 32, none negative, in a Parquet file',
        value,
      )
}

/** For what ends in a Parquet file, which has not all types: DuckDB would change such values without a word. */
export const PARQUET: Makings = {
  ...MAKING,
  [Id.HUGEINT]: asDouble(wide(128, true)),
  [Id.UHUGEINT]: asDouble(wide(128, false)),
  [Id.INTERVAL]: () => asMillis,
}

/** What makes values for a column of that type; null and undefined are NULL. Throws for a type that has no such. */
export function fromJs(type: DuckDBType, all = MAKING): FromJs {
  const making = all[type.typeId]
  if (!making) throw new TypeError(`${String(type)} cannot be written`)
  const make = making(type, all)
  return (value) => (value === null || value === undefined ? null : make(value))
}
