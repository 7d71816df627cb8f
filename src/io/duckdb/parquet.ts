/**
 * `readParquet` and `writeParquet`: DuckDB as a reader and writer of Parquet.
 *
 * DuckDB writes a Parquet file only from a statement, and a statement cannot wait for rows that are still to come. So
 * they go to a table in a file beside the target first, which DuckDB keeps compressed and out of memory, and are
 * copied out at the end. Gathering them in memory was rejected, and so was a file of many parts: readers want one.
 */
import { randomBytes } from 'node:crypto'
import { open, rename, rm, stat } from 'node:fs/promises'
import { DuckDBInstance } from '@duckdb/node-api'
import { chunkSink, type WriteOptions } from '../../connect/chunk-sink.ts'
import { chunkSource } from '../../connect/chunk-source.ts'
import { isName } from '../../connect/names.ts'
import { absent, placeOf, temporaryFor, whyNot } from '../../connect/new-file.ts'
import { ownCopy } from '../../connect/own-copy.ts'
import { demand, demandCount } from '../../errors.ts'
import type { Sink, Source } from '../../pipeline/stage.ts'
import { type Columns, demandColumns } from './columns.ts'
import { quoteName, quoteText } from './database.ts'
import { demandParams, type Params } from './params.ts'
import { choicesOf, type DuckDbValueOptions } from './read.ts'
import { openReading, type Row } from './reading.ts'
import { type Plan, RowWriting } from './rows.ts'

/** What `readParquet` takes. */
export interface ReadParquetOptions extends DuckDbValueOptions {
  /** The columns to read; what is not read is not decoded. Default: all. */
  columns?: readonly string[] | undefined
  /** A condition in SQL, which also skips the row groups that cannot match: no place for what strangers say. */
  where?: string | undefined
  /** The values for the parameters of `where`. */
  params?: Params | undefined
}

/**
 * Reads the rows of Parquet files, as objects: of a path, of several, or of a glob such as `'logs/*.parquet'`.
 *
 * - The files are never in memory as a whole: 2,048 rows are asked for when there is room for them.
 * - Several files are read in the order given, those of a glob in the order of their names; they must have the same
 *   columns.
 * - Values are as those of `readDuckDb`.
 *
 * Ordered. Concurrency 1. Holds at most 2,048 rows. On error: fails; a value that JavaScript cannot hold follows
 * `onError`.
 *
 * @throws TypeError for wrong arguments.
 * @example
 * ```ts no-run
 * import { forEach, pipeline } from 'sluice'
 * import { readParquet } from 'sluice/duckdb'
 *
 * const slow = readParquet<{ url: string; ms: number }>('logs/*.parquet', {
 *   columns: ['url', 'ms'],
 *   where: 'ms > $1',
 *   params: [500],
 * })
 * await pipeline(slow, forEach(({ url, ms }) => console.log(url, ms))).run()
 * ```
 */
export function readParquet<T extends object = Row>(
  path: string | readonly string[],
  options: ReadParquetOptions = {},
): Source<T> {
  const make = 'readParquet'
  const action = `create ${make}`
  const paths: readonly unknown[] = Array.isArray(path) ? path : [path]
  demand(paths.length > 0 && paths.every(isName), action, 'path', 'a path, or paths', path, TypeError)
  const { columns, where, params } = Object(options) as ReadParquetOptions
  const listed =
    columns === undefined || (Array.isArray(columns) && columns.length > 0 && columns.every(isName))
  demand(listed, action, 'columns', 'names of columns', columns, TypeError)
  demand(where === undefined || isName(where), action, 'where', 'a condition of SQL', where, TypeError)
  demandParams(params, action)
  const files = paths.map(quoteText).join(', ')
  const from = `SELECT ${columns?.map(quoteName).join(', ') ?? '*'} FROM read_parquet([${files}])`
  const sql = where === undefined ? from : `${from} WHERE (\n${where}\n)`
  const named = `read Parquet ${paths.map((file) => JSON.stringify(file)).join(', ')}`
  const choices = choicesOf(options, action)
  const statement = { sql, params: ownCopy(params), database: ':memory:', choices, action: named }
  // What the rows are is between the user and the files.
  return chunkSource(make, options, (context) => openReading(statement, context)) as unknown as Source<T>
}

const COMPRESSIONS = ['zstd', 'snappy', 'gzip', 'lz4', 'brotli', 'uncompressed'] as const

/** What `writeParquet` takes. */
export interface WriteParquetOptions<In> extends WriteOptions<In> {
  /** As for `writeDuckDb`. */
  columns?: Columns | undefined
  /** Default: `'zstd'`. */
  compression?: (typeof COMPRESSIONS)[number] | undefined
  /** How many rows are in a group, about: DuckDB rounds to 2,048. Default: 122,880. */
  rowGroup?: number | undefined
}

/** What a run is worth: how many rows were written. */
export interface WrittenParquet {
  path: string
  count: number
}

/**
 * Writes objects to one Parquet file.
 *
 * - The file appears whole or not at all: until the end it has another name in the same folder, and it takes the place
 *   of one that was there; a link stays one. Nothing is left after a failure or an abort.
 * - It takes little memory (the process 190 MB at a million rows of three columns, 320 MB at eight million), but room on the
 *   disk: the rows wait in a file beside it, compressed, until all have come; then they are copied.
 * - Columns and types are as those of `writeDuckDb`. Without a row and without types in `columns`, it fails.
 * - Parquet has no integers beyond 64 bits, and its intervals are whole milliseconds: a value that would be changed does
 *   not fit.
 *
 * Ordered. Concurrency 1. Holds at most 61,440 rows, and what DuckDB buffers. On error: fails; a row that does not fit
 * the columns follows `onError`.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * import { mkdtemp, rm } from 'node:fs/promises'
 * import { tmpdir } from 'node:os'
 * import { join } from 'node:path'
 * import { pipeline, source } from 'sluice'
 * import { readParquet, writeParquet } from 'sluice/duckdb'
 *
 * const folder = await mkdtemp(join(tmpdir(), 'parquet-'))
 * const path = join(folder, 'birds.parquet')
 * const birds = [{ name: 'duck', eggs: 12.5 }, { name: 'goose', eggs: 5 }]
 * const { count } = await pipeline(source(birds), writeParquet(path)).run()
 * count // => 2
 * await pipeline(readParquet(path, { where: 'eggs > 10' })).run() // => [{ name: 'duck', eggs: 12.5 }]
 * await rm(folder, { recursive: true })
 */
export function writeParquet<In extends object>(
  path: string,
  options: WriteParquetOptions<In> = {},
): Sink<In, WrittenParquet> {
  const make = 'writeParquet'
  const action = `create ${make}`
  const given = Object(options) as WriteParquetOptions<In>
  const { columns, compression = 'zstd', rowGroup = 122_880 } = given
  demand(isName(path), action, 'path', 'a path', path, TypeError)
  demandColumns(columns, [], action)
  const known = COMPRESSIONS.includes(compression)
  demand(known, action, 'compression', `one of ${COMPRESSIONS.join(', ')}`, compression, TypeError)
  demandCount(rowGroup, action, 'rowGroup', 1)
  const form = `FORMAT parquet, COMPRESSION ${compression}, ROW_GROUP_SIZE ${rowGroup}`
  const taken = ownCopy(columns)
  return chunkSink<In, Row, WrittenParquet>(make, options, {
    open: async (context) => new RowWriting(await planOf(path, form, taken), context),
    beginsAnew: '',
    // Rows are looked at one by one as they are written, so that what fails is told in their order.
    encode: (row) => row as Row,
  })
}

/** What DuckDB may take for it: the rest lies in the file. */
const MEMORY = '256MB'

/** Rows to a table in a file beside the target, and from there to the target. */
async function planOf(
  path: string,
  form: string,
  columns: Columns | undefined,
): Promise<Plan<WrittenParquet>> {
  const action = `write Parquet ${JSON.stringify(path)}`
  const [place, copy] = await filesAt(path).catch((error: unknown) => {
    throw new Error(`Cannot ${action}: ${whyNot(error)}`, { cause: error })
  })
  const waiting = `${copy}.duckdb`
  // DuckDB keeps a log beside its file, and what does not fit in memory.
  const waitingFiles = [waiting, `${waiting}.wal`, `${waiting}.tmp`]
  const close = (): Promise<unknown> => remove([...waitingFiles, copy])
  const failed = (error: unknown): Error =>
    new Error(`Cannot ${action}: ${named(whyNot(error), copy, place)}`, { cause: error })
  try {
    const instance = await DuckDBInstance.create(waiting, {
      autoinstall_known_extensions: 'false',
      memory_limit: MEMORY,
    })
    const connection = await instance.connect()
    await connection.run('BEGIN')
    const release = (): void => {
      connection.closeSync()
      instance.closeSync()
    }
    const finish: Plan<WrittenParquet>['finish'] = async (count, names, checkOver) => {
      if (!names) throw new Error('no row came, and "columns" has no names: a file without columns is none')
      await connection.run(`COPY (SELECT * FROM waiting) TO ${quoteText(copy)} (${form})`)
      await flushed(copy)
      // What takes time comes before: an abort that comes behind the rename is too late.
      release()
      await remove(waitingFiles)
      checkOver()
      await rename(copy, place)
      return { path, count }
    }
    return {
      opened: { connection, release },
      table: 'waiting',
      existing: undefined,
      columns,
      key: [],
      private: true,
      failure: failed,
      finish,
      close,
    }
  } catch (error) {
    await close()
    throw failed(error)
  }
}

/**
 * Where the file really is, or will be, and what it is made as. Told before a row comes: what is no file, as a device, would be gone at
 * the end, or in the way; and DuckDB would tell of a folder by the name of a file that the user does not know.
 */
async function filesAt(path: string): Promise<[place: string, copy: string]> {
  const place = await placeOf(path)
  const there = await stat(place).catch(absent)
  if (there?.isFile() === false) throw new Error('what is there is no file')
  const copy = temporaryFor(place, randomBytes(6).toString('hex'))
  const handle = await open(copy, 'wx')
  await handle.close()
  await rm(copy)
  return [place, copy]
}

/** DuckDB tells of its files by names that the user does not know. */
function named(message: string, copy: string, place: string): string {
  const [before, ...parts] = message.split(copy)
  return [before, ...parts.map((part) => part.replace(/^[\w./-]*/, ''))].join(place)
}

function remove(files: readonly string[]): Promise<unknown> {
  return Promise.all(files.map((file) => rm(file, { recursive: true, force: true })))
}

/** The name must not last longer than what it names. */
async function flushed(file: string): Promise<void> {
  const handle = await open(file, 'r+')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
