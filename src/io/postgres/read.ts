/** `readPostgres`: the rows of a query as a source. How they come is in reading.ts. */
import { type ChunkReader, chunkSource, type SourceContext } from '../../connect/chunk-source.ts'
import { ownCopy } from '../../connect/own-copy.ts'
import { demandOptions } from '../../connect/options.ts'
import { demand, demandCount } from '../../errors.ts'
import type { Source, StageOptions } from '../../pipeline/stage.ts'
import { isOutside, isRefused, named } from './failures.ts'
import { canCopy, type Question, Reading } from './reading.ts'
import type { Row } from './rows.ts'
import { demandConnection, type PostgresConnection, Session } from './session.ts'
import { Command } from './statement.ts'
import { prepared } from './values.ts'

/** What `readPostgres` takes. */
export interface ReadPostgresOptions extends StageOptions {
  /** A connection string, or a `ClientConfig`, connected `Client` or `Pool` of `pg`. `{}` is what the `PG…` variables say. */
  connection: PostgresConnection
  /** The values of `$1`, `$2` … in the query. */
  params?: readonly unknown[] | undefined
  /** Where the rows come through a portal: how many at a time. Default: 1000. */
  batch?: number | undefined
  /** Whether rows may come through `COPY`, which is faster. Default: true. */
  copy?: boolean | undefined
}

/** How much of a COPY may wait for its turn. */
const BYTES = 256 * 1024

/**
 * Reads the rows of a query from Postgres, as the objects that `client.query` of `pg` gives.
 *
 * - One statement, so one snapshot: rows that are written meanwhile are not seen.
 * - The server is read no faster than there is room, whatever the size of the table.
 * - Left early, it tells the server to cancel the query. A connection of its own is closed, one of a pool given back or
 *   dropped, a client of yours stays connected and can be used again, also within a transaction. A statement that writes
 *   should be read to its end.
 * - Values are made by the type parsers of `pg`, those of the client included: int8 and numeric are text.
 * - Without `params` a `SELECT`, `VALUES`, `TABLE` or `WITH` goes through `COPY`, anything else through a portal: the rows
 *   are the same.
 *
 * Ordered. Concurrency 1. Holds about 256 KB of rows, or `batch` rows. On error: fails with the server's own error.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * ```ts no-run
 * import { filter, pipeline, toArray } from 'sluice'
 * import { readPostgres } from 'sluice/postgres'
 *
 * const orders = readPostgres<{ id: number; city: string }>('SELECT id, city FROM orders WHERE amount > $1', {
 *   connection: 'postgres://app@localhost/shop',
 *   params: [100],
 * })
 * await pipeline(
 *   orders,
 *   filter(({ city }) => city === 'Oslo'),
 *   toArray(),
 * ).run()
 * ```
 */
export function readPostgres<T = Row>(sql: string, options: ReadPostgresOptions): Source<T> {
  const action = 'create readPostgres'
  demand(typeof sql === 'string' && sql.trim() !== '', action, 'sql', 'a query', sql, TypeError)
  demandOptions(options, action)
  const { connection, params = [], batch = 1000, copy = true } = options
  demandConnection(connection, 'readPostgres')
  demand(Array.isArray(params), action, 'params', 'an array', params, TypeError)
  demandCount(batch, action, 'batch', 1)
  demand(typeof copy === 'boolean', action, 'copy', 'a boolean', copy, TypeError)
  const question = {
    text: sql,
    params: ownCopy(params),
    batch,
    bytes: BYTES,
    copy: copy && params.length === 0,
  }
  return chunkSource<T>('readPostgres', options, (context) => open(connection, question, context))
}

type Asked = Omit<Question, 'params'> & { params: readonly unknown[] }

async function open<T>(
  connection: PostgresConnection,
  asked: Asked,
  context: SourceContext,
): Promise<ChunkReader<T>> {
  try {
    const question = { ...asked, params: asked.params.map(prepared) }
    // A connection that breaks fails the statement.
    return new PostgresReader<T>(await Session.open(connection, context), question)
  } catch (error) {
    throw named(error, ACTION)
  }
}

const ACTION = 'read from Postgres'

/** What a transaction of the user's goes on from where the rest of the rows is not wanted. */
const SAVEPOINT = 'sluice_read'

class PostgresReader<T> implements ChunkReader<T> {
  #reading: Reading | undefined
  #began = false
  #stopped = false
  /** What takes back what was begun. */
  #undo: string | undefined

  constructor(
    readonly session: Session,
    readonly question: Question,
  ) {
    if (!this.#saving) this.#reading = this.#ask(question)
  }

  /** A cancel fails the transaction that it hits, and one of the user's must go on. */
  get #saving(): boolean {
    return this.session.of === 'user' && this.session.inTransaction && canCopy(this.question.text)
  }

  #ask(question: Question): Reading {
    const { client } = this.session
    const parserOf = (oid: number): ((text: string) => unknown) =>
      client.getTypeParser(oid, 'text') as (text: string) => unknown
    return this.session.begin(new Reading(question, parserOf))
  }

  async next(): Promise<readonly T[] | undefined> {
    try {
      return (await this.#next()) as readonly T[] | undefined
    } catch (error) {
      throw named(error, ACTION)
    }
  }

  async #next(): Promise<readonly Row[] | undefined> {
    if (this.#reading === undefined) await this.#save()
    if (this.#stopped) return undefined
    const reading = (this.#reading ??= this.#ask(this.question))
    try {
      const rows = await reading.next()
      this.#began ||= rows !== undefined && rows.length > 0
      return rows
    } catch (error) {
      const lost = this.session.inTransaction && this.#undo === undefined
      if (this.#began || !reading.copying || !isRefused(error) || lost) throw error
      // What cannot be copied may be read all the same.
      await reading.idle
      if (this.#undo !== undefined) await this.#run(`ROLLBACK TO SAVEPOINT ${SAVEPOINT}`)
      this.#reading = this.#ask({ ...this.question, copy: false })
      return this.#reading.next()
    }
  }

  async #save(): Promise<void> {
    try {
      await this.#run(`SAVEPOINT ${SAVEPOINT}`)
    } catch (error) {
      // The user's end of it stood before.
      if (isOutside(error)) return
      throw error
    }
    this.#undo = `ROLLBACK TO SAVEPOINT ${SAVEPOINT}; RELEASE SAVEPOINT ${SAVEPOINT}`
  }

  #run(sql: string): Promise<void> {
    return this.session.begin(new Command(sql)).done()
  }

  stop(): void {
    this.#stopped = true
    this.#reading?.stop()
  }

  close(): Promise<void> {
    const whole = this.#undo !== undefined && this.#reading?.whole === true
    return this.session.close(whole ? `RELEASE SAVEPOINT ${SAVEPOINT}` : this.#undo)
  }
}
