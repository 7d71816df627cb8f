/** `readSqlite`: the rows of a query, stepped through as they are wanted. */
import { twiceIn } from '../../connect/names.ts'
import {
  type ChunkReader,
  chunkSource,
  type ReadOptions,
  type SourceContext,
} from '../../connect/chunk-source.ts'
import { isRecordOrList } from '../../connect/record.ts'
import { demand } from '../../errors.ts'
import type { Source } from '../../pipeline/stage.ts'
import {
  columnNames,
  demandDatabase,
  failure,
  nameOf,
  nextTurn,
  openDatabase,
  prepare,
  type Row,
  type SqliteDatabase,
} from './driver.ts'
import { fromSql, type SqliteParam, toSql } from './values.ts'

/** What `readSqlite` takes. */
export interface ReadSqliteOptions extends ReadOptions {
  /** A path, or an open database of yours, which is never closed. A path is opened for reading only. */
  database: SqliteDatabase
  /** The values for `?` as an array, for `$name` as an object. */
  params?: readonly SqliteParam[] | Readonly<Record<string, SqliteParam>> | undefined
  /** What becomes of integers. As numbers, one that is not exact follows `onError`. Default: `'number'`. */
  integers?: 'number' | 'bigint' | undefined
}

/** Rows are stepped through so many at a time, then the event loop has its turn. */
const STEP = 256

/**
 * Reads the rows that a query gives, as objects, by the SQLite of the runtime: Node from 22.13 on, or Bun.
 *
 * - The result is never in memory as a whole: 256 rows are stepped through when there is room for them.
 * - SQLite has no threads: a query that thinks before its first row, as a sort does, holds the program for that long.
 * - Deno's SQLite is refused: it does not tell of a query that fails midway.
 * - Two columns of one name fail the run: one of them would be lost.
 *
 * Ordered. Concurrency 1. Holds at most 256 rows. On error: fails; an integer that a number cannot hold follows
 * `onError`.
 *
 * @throws TypeError for wrong arguments.
 * @example
 * ```ts no-run
 * import { forEach, pipeline } from 'sluice'
 * import { readSqlite } from 'sluice/sqlite'
 *
 * const sql = 'SELECT name, eggs FROM birds WHERE eggs > ?'
 * const birds = readSqlite<{ name: string; eggs: number }>(sql, { database: 'birds.db', params: [10] })
 * await pipeline(birds, forEach(({ name, eggs }) => console.log(name, eggs))).run()
 * ```
 */
export function readSqlite<T extends object = Row>(sql: string, options: ReadSqliteOptions): Source<T> {
  const make = 'readSqlite'
  const action = `create ${make}`
  const one = typeof sql === 'string' && countStatements(sql) === 1
  demand(one, action, 'sql', 'one statement of SQL', sql, TypeError)
  const { database, params, integers = 'number' } = Object(options) as ReadSqliteOptions
  demandDatabase(database, action)
  const ok = params === undefined || isRecordOrList(params)
  demand(ok, action, 'params', 'an array or an object', params, TypeError)
  const known = integers === 'bigint' || integers === 'number'
  demand(known, action, 'integers', "'bigint' or 'number'", integers, TypeError)
  const bound = bindingsOf(params, action)
  const open = async (context: SourceContext): Promise<ChunkReader<Row>> => {
    const doing = `read from SQLite ${nameOf(database)}`
    try {
      // Checked with Deno 2: the rows would end at the failure as if there were no more.
      if ('Deno' in globalThis) throw new Error("Deno's SQLite does not tell of a query that fails midway")
      const opened = openDatabase(database, true)
      try {
        const statement = prepare(opened.connection, sql)
        checkNames(columnNames(statement))
        return new Stepping(
          statement.iterate(...bound),
          integers === 'bigint',
          context,
          doing,
          opened.release,
        )
      } catch (error) {
        opened.release()
        throw error
      }
    } catch (error) {
      throw failure(doing, error)
    }
  }
  // What the rows are is between the user and the query.
  return chunkSource(make, options, open) as unknown as Source<T>
}

/** SQLite prepares the first statement and says nothing of others; where it ends, not every runtime tells. */
function countStatements(sql: string): number {
  const bare = sql.replace(COMMENT_OR_QUOTED, (found) => (/^[-/]/.test(found) ? ' ' : 'x'))
  return bare.split(';').filter((statement) => statement.trim() !== '').length
}

const COMMENT_OR_QUOTED = /--[^\n]*|\/\*[^]*?(?:\*\/|$)|'[^']*'?|"[^"]*"?|`[^`]*`?|\[[^\]]*\]?/g

function bindingsOf(params: ReadSqliteOptions['params'], action: string): unknown[] {
  if (params === undefined) return []
  const bind = (value: unknown, name: string | number): unknown => {
    try {
      return toSql(value)
    } catch (error) {
      throw new TypeError(`Cannot ${action}: "params.${name}" is wrong: ${(error as Error).message}`, {
        cause: error,
      })
    }
  }
  if (Array.isArray(params)) return (params as readonly SqliteParam[]).map(bind)
  return [Object.fromEntries(Object.entries(params).map(([name, value]) => [name, bind(value, name)]))]
}

function checkNames(names: readonly string[]): void {
  const twice = twiceIn(names)
  if (twice !== undefined)
    throw new Error(`two columns are called ${JSON.stringify(twice)}: name one with AS`)
}

class Stepping implements ChunkReader<Row> {
  #closed = false
  /** Node 22 begins anew when it is asked once more. */
  #ended = false

  constructor(
    readonly iterator: Iterator<Row>,
    readonly bigints: boolean,
    readonly context: SourceContext,
    readonly doing: string,
    readonly release: () => void,
  ) {}

  async next(): Promise<readonly Row[] | undefined> {
    if (this.#ended) return undefined
    await nextTurn()
    const rows: Row[] = []
    while (rows.length < STEP && !this.#closed) {
      const row = this.#step()
      if (row === undefined) return rows.length > 0 ? rows : undefined
      try {
        rows.push(fromSql(row, this.bigints))
      } catch (error) {
        await this.context.failed(row, error)
      }
    }
    return rows
  }

  #step(): Row | undefined {
    try {
      const result = this.iterator.next()
      if (!result.done) return result.value
      this.#ended = true
      return undefined
    } catch (error) {
      throw failure(this.doing, error)
    }
  }

  close(): void {
    this.#closed = true
    try {
      this.iterator.return?.()
    } finally {
      this.release()
    }
  }
}
