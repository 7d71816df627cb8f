/** The values of a statement's parameters, as DuckDB takes them. */
import {
  BIGINT,
  BLOB,
  blobValue,
  BOOLEAN,
  DOUBLE,
  type DuckDBType,
  type DuckDBValue,
  HUGEINT,
  INTEGER,
  LIST,
  listValue,
  SQLNULL,
  TIMESTAMP,
  timestampValue,
  VARCHAR,
} from '@duckdb/node-api'
import { isRecordOrList } from '../../connect/record.ts'
import { isWellFormed } from '../../connect/well-formed.ts'
import { demand } from '../../errors.ts'

/** For `$1`, `?` an array, for `$name` an object. */
export type Params = readonly Param[] | Readonly<Record<string, Param>>
/** A value for a parameter; an array is a list. */
export type Param = null | boolean | number | bigint | string | Date | Uint8Array | readonly Param[]

interface Bound {
  value: DuckDBValue
  type: DuckDBType
}

/** Throws unless every parameter has a type. */
export function demandParams(params: unknown, action: string): void {
  if (params === undefined) return
  demand(isRecordOrList(params), action, 'params', 'an array or an object', params, TypeError)
  for (const [name, value] of Object.entries(params)) {
    const wanted =
      'null, a boolean, number, bigint, string of whole characters, valid Date, Uint8Array or an array of these'
    demand(bind(value) !== undefined, action, `params.${name}`, wanted, value, TypeError)
  }
}

/** What `stream` takes. */
export function toParams(params: Params | undefined): {
  values?: DuckDBValue[] | Record<string, DuckDBValue>
  types?: DuckDBType[] | Record<string, DuckDBType>
} {
  if (params === undefined) return {}
  if (Array.isArray(params)) {
    const bound = (params as readonly Param[]).map((value) => bind(value)!)
    return { values: bound.map(({ value }) => value), types: bound.map(({ type }) => type) }
  }
  const bound = Object.entries(params).map(([name, value]) => [name, bind(value)!] as const)
  return {
    values: Object.fromEntries(bound.map(([name, { value }]) => [name, value])),
    types: Object.fromEntries(bound.map(([name, { type }]) => [name, type])),
  }
}

function bind(value: unknown): Bound | undefined {
  if (value === null) return { value, type: SQLNULL }
  if (typeof value === 'boolean') return { value, type: BOOLEAN }
  // Half of a character would become U+FFFD, and two keys one.
  if (typeof value === 'string') return isWellFormed(value) ? { value, type: VARCHAR } : undefined
  if (typeof value === 'bigint') return bindBigint(value)
  if (typeof value === 'number') return bindNumber(value)
  if (value instanceof Uint8Array) return { value: blobValue(value), type: BLOB }
  if (value instanceof Date) {
    const ms = value.getTime()
    return Number.isNaN(ms) ? undefined : { value: timestampValue(BigInt(ms) * 1000n), type: TIMESTAMP }
  }
  return Array.isArray(value) ? bindList(value) : undefined
}

function bindNumber(value: number): Bound {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) return { value, type: DOUBLE }
  if (value === (value | 0)) return { value, type: INTEGER }
  return { value: BigInt(value), type: BIGINT }
}

function bindBigint(value: bigint): Bound | undefined {
  if (value === BigInt.asIntN(64, value)) return { value, type: BIGINT }
  return value === BigInt.asIntN(128, value) ? { value, type: HUGEINT } : undefined
}

/** A list has one type: that of its widest value. */
function bindList(values: readonly unknown[]): Bound | undefined {
  const bound = values.map(bind)
  if (!bound.every((item) => item !== undefined)) return undefined
  const type = bound.map((item) => item.type).reduce<DuckDBType>(wider, SQLNULL)
  const items = bound.map(({ value }) => {
    if (type === DOUBLE && value !== null) return Number(value)
    return typeof value === 'number' && type !== INTEGER ? BigInt(value) : value
  })
  return { value: listValue(items), type: LIST(type) }
}

function wider(one: DuckDBType, other: DuckDBType): DuckDBType {
  const order: DuckDBType[] = [SQLNULL, INTEGER, BIGINT, HUGEINT, DOUBLE]
  const [a, b] = [order.indexOf(one), order.indexOf(other)]
  return a < 0 ? one : b < 0 || b > a ? other : one
}
