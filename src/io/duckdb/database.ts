/**
 * Connections to DuckDB: one for each run, so that no run sees the statements of another.
 *
 * Two instances over one file would ruin it, so a file is opened through DuckDB's own cache of the process, which the
 * user's code may share. It knows files by their names alone: of two links to one file, the one that is open is opened. That cache waits for ever for an instance that was closed before its connections, and an
 * open result is as good as a connection: everything is let go of in order, and counted here.
 *
 * A connection of the user's is not taken, only an instance: a second statement on one connection cuts a result that
 * is being read short, and DuckDB does not tell.
 */
import { type BigIntStats, statSync } from 'node:fs'
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import { isName } from '../../connect/names.ts'
import { demand } from '../../errors.ts'

/** A path, `':memory:'`, or an instance of the user's. */
export type DuckDbDatabase = string | DuckDBInstance

export interface Opened {
  readonly connection: DuckDBConnection
  /** Closes the connection, and the database where it is ours and nobody else uses it. */
  readonly release: () => void
}

const shared = new Map<string, { instance: Promise<DuckDBInstance>; users: number }>()
/** Nothing is downloaded on our account: what Parquet and JSON need is built in. */
const QUIET = 'SET GLOBAL autoinstall_known_extensions = false'

/** Throws unless `database` can be opened. */
export function demandDatabase(database: unknown, action: string, memory: boolean): void {
  // DuckDB would leave out the slash.
  const path = isName(database) && !database.endsWith('/') && (memory || database !== ':memory:')
  const wanted = `a path${memory ? ", ':memory:'" : ''} or a DuckDBInstance`
  demand(path || isInstance(database), action, 'database', wanted, database, TypeError)
}

/** By its shape: the user's copy of the library may be another than ours. */
function isInstance(value: unknown): boolean {
  return typeof (Object(value) as Partial<DuckDBInstance>).connect === 'function'
}

/** Opens a connection whose time zone is UTC, so that a `Date` means the same in all types. */
export async function openDatabase(database: DuckDbDatabase): Promise<Opened> {
  const { instance, close } = await instanceOf(database)
  let connection: DuckDBConnection | undefined
  try {
    connection = await instance.connect()
    if (typeof database === 'string') await connection.run(QUIET)
    await connection.run("SET TimeZone = 'UTC'")
  } catch (error) {
    connection?.closeSync()
    close()
    throw error
  }
  const opened = connection
  const release = (): void => {
    opened.closeSync()
    close()
  }
  return { connection, release }
}

/** Interrupts `work` until it is over, well or not: what comes before a statement has begun is lost on DuckDB. */
export async function interrupted(connection: DuckDBConnection, work: Promise<unknown>): Promise<void> {
  connection.interrupt()
  const again = setInterval(() => connection.interrupt(), 20)
  await Promise.allSettled([work])
  clearInterval(again)
}

async function instanceOf(
  database: DuckDbDatabase,
): Promise<{ instance: DuckDBInstance; close: () => void }> {
  if (typeof database !== 'string') return { instance: database, close: () => {} }
  if (database === ':memory:') {
    const instance = await DuckDBInstance.create()
    return { instance, close: () => instance.closeSync() }
  }
  const name = shared.has(database) ? database : (linkTo(database) ?? database)
  const entry = shared.get(name) ?? { instance: DuckDBInstance.fromCache(name), users: 0 }
  shared.set(name, entry)
  entry.users++
  const leave = (): boolean => --entry.users === 0 && shared.delete(name)
  try {
    const instance = await entry.instance
    return { instance, close: () => void (leave() && instance.closeSync()) }
  } catch (error) {
    leave()
    throw error
  }
}

/** Another name of this file by which it is open. At once, as another stage may open it meanwhile. */
function linkTo(file: string): string | undefined {
  const there = shared.size > 0 ? lookAt(file) : undefined
  return [...shared.keys()].find((name) => {
    const open = there && lookAt(name)
    return open && open.ino === there.ino && open.dev === there.dev
  })
}

function lookAt(file: string): BigIntStats | undefined {
  try {
    return statSync(file, { bigint: true })
  } catch {
    // DuckDB may open what Node refuses to look at, as under `node --permission`, and says itself what is wrong.
    return undefined
  }
}

/** How a database is called in messages. */
export function nameOf(database: DuckDbDatabase): string {
  return typeof database === 'string' ? JSON.stringify(database) : 'the given DuckDBInstance'
}

/** A name as SQL: whatever is in it, it stays one name. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A text as SQL. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/** The error of DuckDB, with what was being done. */
export function failure(action: string, cause: unknown): Error {
  return new Error(`Cannot ${action}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
}
