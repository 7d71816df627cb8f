/**
 * The types of a table that is still to be made, from its first rows.
 *
 * As DuckDB does it for JSON: whole numbers are `BIGINT` unless a fraction comes, and the type of a column is the
 * narrowest that holds all of its values. A value that goes with no such type is an error of its row; the shape then
 * stays as it was.
 */
import { quoteName } from './database.ts'

/** `undefined` where only nulls have come. Never changed, only replaced. */
export type Shape =
  Scalar | { readonly list: Shape } | { readonly struct: ReadonlyMap<string, Shape> } | undefined
type Scalar = 'BOOLEAN' | 'BIGINT' | 'HUGEINT' | 'DOUBLE' | 'VARCHAR' | 'BLOB' | 'TIMESTAMP WITH TIME ZONE'

/** From narrow to wide. */
const NUMBERS: readonly Shape[] = ['BIGINT', 'HUGEINT', 'DOUBLE']

/** The type that holds both. Throws where there is none. */
export function widened(shape: Shape, value: unknown): Shape {
  return value === null || value === undefined ? shape : union(shape, shapeOf(value))
}

function shapeOf(value: unknown): Shape {
  if (typeof value === 'boolean') return 'BOOLEAN'
  if (typeof value === 'string') return 'VARCHAR'
  if (typeof value === 'number') return Number.isSafeInteger(value) ? 'BIGINT' : 'DOUBLE'
  if (typeof value === 'bigint') return value === BigInt.asIntN(64, value) ? 'BIGINT' : 'HUGEINT'
  if (value instanceof Date) return 'TIMESTAMP WITH TIME ZONE'
  if (value instanceof Uint8Array) return 'BLOB'
  if (Array.isArray(value)) return { list: value.reduce<Shape>(widened, undefined) }
  if (!isPlain(value)) throw new TypeError(`no type is known for ${show(value)}: say it in "columns"`)
  const entries = Object.entries(value).map(([name, item]) => [name, widened(undefined, item)] as const)
  return { struct: new Map(entries) }
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

function union(one: Shape, other: Shape): Shape {
  if (one === undefined || one === other) return other
  if (other === undefined) return one
  const [a, b] = [NUMBERS.indexOf(one), NUMBERS.indexOf(other)]
  if (a >= 0 && b >= 0) return NUMBERS[Math.max(a, b)]
  if (typeof one === 'object' && typeof other === 'object') {
    if ('list' in one && 'list' in other) return { list: union(one.list, other.list) }
    if ('struct' in one && 'struct' in other) return { struct: merged(one.struct, other.struct) }
  }
  throw new TypeError(`it was ${sqlOf(one)} in the rows before and is ${sqlOf(other)} here`)
}

function merged(one: ReadonlyMap<string, Shape>, other: ReadonlyMap<string, Shape>): Map<string, Shape> {
  const all = new Map(one)
  for (const [name, shape] of other) all.set(name, union(all.get(name), shape))
  return all
}

/** As SQL. What was only ever null is text; an object that was always empty has no struct, but is JSON. */
export function sqlOf(shape: Shape): string {
  if (shape === undefined) return 'VARCHAR'
  if (typeof shape === 'string') return shape
  if ('list' in shape) return `${sqlOf(shape.list)}[]`
  if (shape.struct.size === 0) return 'JSON'
  return `STRUCT(${[...shape.struct].map(([name, item]) => `${quoteName(name)} ${sqlOf(item)}`).join(', ')})`
}

/** A value in a message, cut where it is long. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
  if (typeof value === 'bigint') return `${value}n`
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
  return Object(value) === value ? {}.toString.call(value).slice(8, -1) : String(value)
}
