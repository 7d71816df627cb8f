/** `writePostgres`: a table as a sink. How its transactions go is in writing.ts. */
import { chunkSink, type SinkContext, type WriteOptions } from '../../connect/chunk-sink.ts'
import { isName } from '../../connect/names.ts'
import { ownCopy } from '../../connect/own-copy.ts'
import { demandOptions } from '../../connect/options.ts'
import { demand, demandCount } from '../../errors.ts'
import type { Sink } from '../../pipeline/stage.ts'
import { isMissingTable, named } from './failures.ts'
import { Lines } from './lines.ts'
import { demandConnection, type PostgresConnection, Session } from './session.ts'
import { Describe } from './statement.ts'
import { nameOf, type PostgresWritten, type Target, TableWriter } from './writing.ts'

/** What `writePostgres` takes. */
export interface WritePostgresOptions<In> extends WriteOptions<In> {
  /** A connection string, or a `ClientConfig`, connected `Client` or `Pool` of `pg`. `{}` is what the `PG…` variables say. */
  connection: PostgresConnection
  /** The schema of the table. Default: the table is looked for as the server does for any name. */
  schema?: string | undefined
  /** The columns to write; other keys of the rows are left out. Default: the keys of the first row. */
  columns?: readonly string[] | undefined
  /** The column, or columns, of a unique key: a row whose key is in the table takes the place of that one. */
  key?: string | readonly string[] | undefined
  /** With `key`, and for `commit: 'batch'`: how many rows a batch has. Default: 10,000. */
  batch?: number | undefined
  /** `'end'` is all or nothing; with `'batch'`, the batches before a failure stay. Default: `'end'`. */
  commit?: 'end' | 'batch' | undefined
}

/**
 * Writes rows to a table of Postgres, in bulk by `COPY`. The run is worth the table and how many rows were written.
 *
 * - All or nothing: a run that fails or is aborted leaves the table as it was, unless `commit` is `'batch'`.
 * - With `key`, rows are inserted or take the place of those with the same key, so the same rows may be written twice. Of
 *   rows with one key, the last one stays.
 * - A row that lacks a column is written with NULL there. A key that is no column is an error that names it.
 * - Values are written as `pg` writes parameters; arrays and dates in a json column are JSON. Text for a json column
 *   must be JSON itself.
 * - On a client of yours that is in a transaction, it takes part in that one.
 *
 * Ordered. Concurrency 1. Holds about 64 KB of rows. On error: fails with the server's own error, which says the row and
 * column where the server does; a row that cannot be encoded follows `onError`.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * ```ts no-run
 * import { pipeline, source } from 'sluice'
 * import { writePostgres } from 'sluice/postgres'
 *
 * const orders = [
 *   { id: 1, city: 'Oslo', created: new Date() },
 *   { id: 2, city: 'Bergen', created: new Date() },
 * ]
 * const target = writePostgres('orders', { connection: 'postgres://app@localhost/shop', key: 'id' })
 * await pipeline(source(orders), target).run() // => { table: 'orders', count: 2 }
 * ```
 */
export function writePostgres<In extends object = Record<string, unknown>>(
  table: string,
  options: WritePostgresOptions<In>,
): Sink<In, PostgresWritten> {
  const action = 'create writePostgres'
  demand(isName(table), action, 'table', 'a name', table, TypeError)
  demandOptions(options, action)
  demandConnection(options.connection, 'writePostgres')
  const { connection } = options
  const target = targetOf(table, options, action)
  return chunkSink<In, string, PostgresWritten, TableWriter>('writePostgres', options, {
    open: (context) => open(connection, target, context),
    encode: (row, _index, writer) => writer.lines.line(row),
  })
}

function targetOf<In>(table: string, options: WritePostgresOptions<In>, action: string): Target {
  const { schema, columns, batch = 10_000, commit = 'end' } = options
  const key = typeof options.key === 'string' ? [options.key] : options.key
  demand(schema === undefined || isName(schema), action, 'schema', 'a name', schema, TypeError)
  demand(columns === undefined || areNames(columns), action, 'columns', 'distinct names', columns, TypeError)
  demand(key === undefined || areNames(key), action, 'key', 'one or more distinct names', key, TypeError)
  const missing = columns && key?.find((column) => !columns.includes(column))
  demand(missing === undefined, action, 'key', 'among the columns', missing, TypeError)
  demandCount(batch, action, 'batch', 1)
  const known = commit === 'end' || commit === 'batch'
  demand(known, action, 'commit', "'end' or 'batch'", commit, TypeError)
  return { table, schema, columns: ownCopy(columns), key: ownCopy(key), batch, commit }
}

function areNames(names: unknown): boolean {
  return (
    Array.isArray(names) && names.length > 0 && names.every(isName) && new Set(names).size === names.length
  )
}

async function open(
  connection: PostgresConnection,
  target: Target,
  context: SinkContext,
): Promise<TableWriter> {
  let session: Session | undefined
  const action = `write to table "${target.table}"`
  // A lock may keep the server from answering: whoever gives up meanwhile does not wait for it.
  const giveUp = (): void => void session?.close()
  try {
    session = await Session.open(connection, context)
    context.signal.addEventListener('abort', giveUp)
    const described = session.begin(new Describe(`SELECT * FROM ${nameOf(target)}`))
    await described.done()
    // It may have gone with the answer, when nobody was told yet.
    session.demandWhole()
    const { table, columns, key = [] } = target
    return new TableWriter(session, target, new Lines(table, described.fields, columns, key), (error) =>
      context.broke(error),
    )
  } catch (error) {
    await session?.close()
    if (isMissingTable(error) && target.table.includes('.') && target.schema === undefined)
      (error as Error).message += ', the schema is an option of its own'
    throw named(error, action)
  } finally {
    context.signal.removeEventListener('abort', giveUp)
  }
}
