/**
 * SQLite as the runtime has it: `node:sqlite` in Node 22.13 and later and in Deno, `bun:sqlite` in Bun.
 *
 * Both are synchronous, and both block the thread while they wait for a lock of another connection. Another connection
 * of this very process could then never let go of it: so nobody waits in here. Who meets a lock tries again later.
 */
import { isName } from '../../connect/names.ts'
import { demand } from '../../errors.ts'

/** What SQLite knows: NULL, a number, an integer, text, a blob. */
export type SqlValue = null | number | bigint | string | Uint8Array
/** A row: the columns by their names. */
export type Row = Record<string, unknown>

/** What is used of a statement, in Node and in Bun. */
interface Prepared {
  iterate(...params: unknown[]): Iterator<Row>
  run(...params: unknown[]): unknown
  setReadBigInts?(on: boolean): void
  safeIntegers?(on: boolean): unknown
  columns?(): { name: string }[]
  readonly columnNames?: string[]
}

/** A database of the user's: a `DatabaseSync` of `node:sqlite`, a `Database` of `bun:sqlite`. */
export interface SqliteConnection {
  exec(sql: string): unknown
  prepare(sql: string): unknown
  close(): unknown
}

/** A path, or a database that is open. `':memory:'` is refused: what is in it would be gone at the end. */
export type SqliteDatabase = string | SqliteConnection

interface Modules {
  DatabaseSync?: new (path: string, options: object) => SqliteConnection
  Database?: new (path: string, options: object) => SqliteConnection
}

/** Throws unless `database` can be opened. */
export function demandDatabase(database: unknown, action: string): void {
  const { exec, prepare } = Object(database) as Partial<SqliteConnection>
  const path = isName(database) && database !== ':memory:'
  const open = typeof exec === 'function' && typeof prepare === 'function'
  demand(path || open, action, 'database', 'a path or an open database of SQLite', database, TypeError)
}

/** The database, and whether it is ours to close. */
export function openDatabase(
  database: SqliteDatabase,
  readOnly: boolean,
): { connection: SqliteConnection; release: () => void } {
  if (typeof database !== 'string') return { connection: database, release: () => {} }
  const connection = openPath(database, readOnly)
  return { connection, release: () => void connection.close() }
}

function openPath(path: string, readOnly: boolean): SqliteConnection {
  // Asked for, not imported: bundlers look for what they see imported, and webpack also where a variable names it.
  const modules = process.getBuiltinModule('Bun' in globalThis ? 'bun:sqlite' : 'node:sqlite')
  // Deno's is refused to readers.
  const others = readOnly ? 'Bun has it' : 'Bun and Deno have it'
  if (!modules) throw new Error(`this runtime has no SQLite: Node has it from 22.13 on, ${others}`)
  const { DatabaseSync, Database } = modules as Modules
  if (DatabaseSync) return new DatabaseSync(path, { readOnly, timeout: 0 })
  const how = readOnly ? { readonly: true } : { readwrite: true, create: true }
  return new Database!(path, { ...how, strict: true })
}

/** A statement that gives integers as bigints, which alone are exact. */
export function prepare(connection: SqliteConnection, sql: string): Prepared {
  const statement = connection.prepare(sql) as Prepared
  statement.setReadBigInts?.(true)
  statement.safeIntegers?.(true)
  return statement
}

/** The names of the columns that a statement gives, where the runtime tells. */
export function columnNames(statement: Prepared): readonly string[] {
  return statement.columnNames ?? statement.columns?.().map(({ name }) => name) ?? []
}

/** Whether another connection has locked what is needed. */
export function isBusy(error: unknown): boolean {
  const { errcode, errno, message } = Object(error) as { errcode?: number; errno?: number; message?: string }
  // The low byte is the code, 5 is SQLITE_BUSY, 6 SQLITE_LOCKED.
  const code = Number(errcode ?? errno) & 0xff
  return code === 5 || code === 6 || String(message).includes('database is locked')
}

/** Lets everything else have its turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** A name as SQL: whatever is in it, it stays one name. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** How a database is called in messages. */
export function nameOf(database: SqliteDatabase): string {
  return typeof database === 'string' ? JSON.stringify(database) : 'the given database'
}

/** The error of SQLite, with what was being done. */
export function failure(action: string, cause: unknown): Error {
  return new Error(`Cannot ${action}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
}

/** A value in a message, cut where it is long. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
  if (typeof value === 'bigint') return `${value}n`
  return Object(value) === value ? {}.toString.call(value).slice(8, -1) : String(value)
}
