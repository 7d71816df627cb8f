/**
 * One run of `writePostgres`: rows go into the table by COPY, or with a key into a temporary table, and from there batch
 * by batch into the table.
 *
 * A transaction lasts for the run, or for a batch. In one of the user's a savepoint is what is taken back. Of rows of a
 * batch with one key only the last one may reach the table, since Postgres refuses to change a row twice in one
 * statement; they are told apart by the order in which they came. Keys with a NULL in them are never the same, unless the
 * key is of an index whose NULLs are not distinct.
 */
import type { ChunkWriter } from '../../connect/chunk-sink.ts'
import { named } from './failures.ts'
import type { Lines } from './lines.ts'
import type { Session } from './session.ts'
import { Command, CopyIn } from './statement.ts'

/** What a run of `writePostgres` is worth. */
export interface PostgresWritten {
  table: string
  /** How many rows were written. */
  count: number
}

export interface Target {
  table: string
  schema: string | undefined
  columns: readonly string[] | undefined
  key: readonly string[] | undefined
  batch: number
  commit: 'end' | 'batch'
}

/** How much text is gathered before it is sent (bench: postgres). */
const CHUNK = 64 * 1024
const STAGED = 'pg_temp."sluice_rows"'
const SAVEPOINT = 'sluice_write'

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** A text as SQL, whatever the server takes a backslash for. */
const literal = (text: string): string => ` E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`

export function nameOf({ schema, table }: Target): string {
  return (schema === undefined ? '' : `${quoted(schema)}.`) + quoted(table)
}

export class TableWriter implements ChunkWriter<string, PostgresWritten> {
  readonly #batch: number
  #text = ''
  #count = 0
  /** Rows of the batch that is under way. */
  #inBatch = 0
  #copy: CopyIn | undefined
  /** What takes back what was begun. */
  #undo: string | undefined
  /** Somebody waits, and will be told of a failure. */
  #busy = false
  #over = false

  constructor(
    readonly session: Session,
    readonly target: Target,
    readonly lines: Lines,
    /** Is told of a failure that nobody waits for. */
    readonly broke: (error: unknown) => void,
  ) {
    const { key, batch, commit } = target
    this.#batch = key || commit === 'batch' ? batch : Infinity
    session.onBroken = this.#failed
  }

  readonly #failed = (error: Error): void => {
    if (this.#busy || this.#over) return
    this.#over = true
    // A server that ends says why, and closes the connection then.
    this.broke(this.#name(this.#copy?.error ?? error))
  }

  write(lines: readonly string[]): Promise<void> | void {
    if (this.#inBatch + lines.length >= this.#batch)
      return this.#named(this.#written(this.#fillBatches(lines)))
    this.#add(lines)
    if (this.#text.length >= CHUNK) return this.#named(this.#written(this.#send()))
  }

  #add(lines: readonly string[]): void {
    this.#text += lines.join('')
    this.#inBatch += lines.length
  }

  /** A connection that went with the last answer was told to nobody, as somebody waited; maybe no row comes that would find out. */
  async #written(work: Promise<void>): Promise<void> {
    await work
    this.session.demandWhole()
  }

  async #fillBatches(lines: readonly string[]): Promise<void> {
    for (let from = 0; from < lines.length;) {
      const to = from + this.#batch - this.#inBatch
      this.#add(lines.slice(from, to))
      from = to
      if (this.#inBatch === this.#batch) await this.#endBatch()
      else if (this.#text.length >= CHUNK) await this.#send()
    }
  }

  async #send(): Promise<void> {
    const text = this.#text
    this.#text = ''
    this.#copy ??= await this.#beginCopy()
    await this.#copy.send(text)
  }

  async #beginCopy(): Promise<CopyIn> {
    if (this.#undo === undefined) await this.#begin()
    const columns = this.lines.columns.map(quoted).join(', ')
    const into = this.target.key ? STAGED : nameOf(this.target)
    const copy = this.session.begin(new CopyIn(`COPY ${into} (${columns}) FROM STDIN`))
    // The server may refuse a row while no other comes.
    void copy.idle.then(() => copy.error && this.#failed(copy.error))
    return copy.opened()
  }

  async #begin(): Promise<void> {
    const within = this.session.inTransaction
    this.#undo = within ? `ROLLBACK TO SAVEPOINT ${SAVEPOINT}; RELEASE SAVEPOINT ${SAVEPOINT}` : 'ROLLBACK'
    await this.#run(within ? `SAVEPOINT ${SAVEPOINT}` : 'BEGIN')
    if (this.target.key) await this.#run(this.#staging())
  }

  /** The server has taken the rows of the batch; with a key, they are in the table now. */
  async #endBatch(): Promise<void> {
    if (this.#text !== '') await this.#send()
    await this.#copy?.finish()
    this.#copy = undefined
    this.#count += this.#inBatch
    if (this.target.key) await this.#run(this.#upsert(this.target.key))
    this.#inBatch = 0
    if (this.target.commit === 'batch') await this.#commit()
    else if (this.target.key) await this.#run(`TRUNCATE ${STAGED}`)
  }

  async #commit(): Promise<void> {
    if (this.#undo === undefined) return
    if (this.target.key) await this.#run(`DROP TABLE ${STAGED}`)
    await this.#run(this.#undo === 'ROLLBACK' ? 'COMMIT' : `RELEASE SAVEPOINT ${SAVEPOINT}`)
    this.#undo = undefined
  }

  async end(): Promise<PostgresWritten> {
    await this.#named(this.#finish())
    this.#over = true
    await this.session.close()
    return { table: this.target.table, count: this.#count }
  }

  async #finish(): Promise<void> {
    if (this.#inBatch > 0) await this.#endBatch()
    await this.#commit()
  }

  abandon(): Promise<void> {
    this.#over = true
    return this.session.close(this.#undo)
  }

  #run(sql: string): Promise<void> {
    return this.session.begin(new Command(sql)).done()
  }

  /** Has the columns of the table, but not its rules, and the order in which rows came. */
  #staging(): string {
    const columns = this.lines.columns.map(quoted).join(', ')
    return (
      `CREATE TEMPORARY TABLE ${STAGED} ON COMMIT DROP AS SELECT ${columns} FROM ${nameOf(this.target)} WITH NO DATA; ` +
      `ALTER TABLE ${STAGED} ADD COLUMN ${quoted(this.#order())} bigint GENERATED ALWAYS AS IDENTITY`
    )
  }

  /** A name that no column has. */
  #order(): string {
    let name = 'n'
    while (this.lines.columns.includes(name)) name += '_'
    return name
  }

  #upsert(key: readonly string[]): string {
    const columns = this.lines.columns.map(quoted)
    const keys = key.map(quoted)
    const rest = columns.filter((column) => !keys.includes(column))
    const order = quoted(this.#order())
    const set = rest.map((column) => `${column} = EXCLUDED.${column}`).join(', ')
    const withNull = keys.map((column) => `${column} IS NULL`).join(' OR ')
    const apart = `CASE WHEN (${withNull}) AND NOT ${this.#sameNulls(key)} THEN ${order} END`
    const distinct = [...keys, apart].join(', ')
    // By another name, as a table may be called "excluded".
    return (
      `INSERT INTO ${nameOf(this.target)} AS target (${columns.join(', ')}) OVERRIDING SYSTEM VALUE ` +
      `SELECT DISTINCT ON (${distinct}) ${columns.join(', ')} FROM ${STAGED} ORDER BY ${distinct}, ${order} DESC ` +
      `ON CONFLICT (${keys.join(', ')}) DO ${set === '' ? 'NOTHING' : `UPDATE SET ${set}`}`
    )
  }

  /** Whether the index of the key takes NULLs for the same. By way of JSON, as servers before 15 have no such column. */
  #sameNulls(key: readonly string[]): string {
    return (
      `EXISTS (SELECT FROM pg_index, to_jsonb(pg_index) AS more WHERE indrelid = ${literal(nameOf(this.target))}::regclass ` +
      `AND indisunique AND indpred IS NULL AND (more ->> 'indnullsnotdistinct')::boolean ` +
      `AND (more ->> 'indnkeyatts')::int = ${key.length} AND ${key.length} = (SELECT count(*) FROM pg_attribute ` +
      `WHERE attrelid = indrelid AND attname IN (${key.map(literal).join(', ')}) ` +
      `AND attnum = ANY ((indkey::int2[])[0:${key.length - 1}])))`
    )
  }

  async #named(work: Promise<void>): Promise<void> {
    this.#busy = true
    try {
      await work
    } catch (error) {
      this.#over = true
      throw this.#name(error)
    }
    this.#busy = false
  }

  /** With the row where the server stood, counted from the first that was written: the server begins anew in each COPY. */
  #name(error: unknown): unknown {
    return named(error, `write to table "${this.target.table}"`, this.#count)
  }
}
