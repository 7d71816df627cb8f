/** A log outside of pipelines: for a program that has its own loop and wants to know when its lines are safe. */
import { demand, demandSignal } from '../../errors.ts'
import { Appender, type Heard } from './appender.ts'
import { type Block, blocksOf, demandLine } from './block.ts'
import { type Disk, disk as systemDisk } from './disk.ts'
import { LogFile, logTrouble } from './log-file.ts'
import { type LogOptions, type LogSettings, logSettings } from './options.ts'
import { isPosition, type LogPosition } from './position.ts'

/** What a log has come to. */
export interface LogSummary {
  /** Its name, as it was given. */
  file: string
  /** What was written. */
  lines: number
  bytes: number
  batches: number
  /** The number of the last rotation, those of earlier runs included. */
  rotated: number
  /** How many bytes of a torn line were found at the start. */
  repaired: number
  /** How many milliseconds it waited for room on the disk. */
  waited: number
}

/** A log file that is open. `await using` closes it at the end of the block. */
export interface Log {
  readonly file: string
  /** Settles when the lines have reached the level; rejects where they may not be in the file. */
  append(lines: string | readonly string[]): Promise<void>
  /** Writes what is held back, and settles as `append` does. */
  flush(): Promise<void>
  /** What has been written so far. */
  summary(): LogSummary
  /** Where a later run could go on. */
  position(): LogPosition
  /** Writes everything, and lets go. Closing twice is the same as once. */
  close(): Promise<LogSummary>
  [Symbol.asyncDispose](): Promise<void>
}

/** What `openLog` takes. */
export interface OpenLogOptions extends LogOptions {
  /** Cuts the log back to this position, before anything is written. */
  from?: LogPosition | undefined
  /** Once it is aborted, the log waits for room no more: it tries once, and then fails. */
  signal?: AbortSignal | undefined
}

/**
 * Opens a log file: only whole lines are written, behind what is there.
 *
 * - After a crash at any moment the file is whole lines and at most one torn one, which is repaired at the next start.
 * - A line is acknowledged when it has reached the level: `'written'` survives `kill -9`, `'synced'` a power cut.
 * - On a full disk what has been written of a line is taken back; with `whenFull: 'wait'` it goes on when there is room,
 *   and also `close` waits for that, until `signal` is aborted.
 * - A file is rotated between two lines, and no old file is removed before its compressed one is whole.
 * - One log at a time may write to a file.
 *
 * Ordered. Holds two batches, and lines whose `append` nobody has waited for. On error: `append`, `flush` and `close`
 * reject.
 *
 * @throws TypeError or RangeError for wrong arguments. Rejects where the file cannot be opened.
 * @example
 * import { mkdtemp, readFile, rm } from 'node:fs/promises'
 * import { openLog } from 'sluice/io'
 *
 * const folder = await mkdtemp('log-')
 * const log = await openLog(`${folder}/app.log`, { level: 'synced' })
 * await log.append(['one', 'two'])
 * await log.close()
 * await readFile(`${folder}/app.log`, 'utf8') // => 'one\ntwo\n'
 * await rm(folder, { recursive: true })
 */
export function openLog(file: string, options: OpenLogOptions = {}): Promise<Log> {
  const settings = logSettings('openLog', file, options)
  demandSignal(options.signal, 'create openLog')
  const { from } = options
  const ok = from === undefined || isPosition(from)
  demand(ok, 'create openLog', 'from', 'a position of a log', from, TypeError)
  return openOn(file, settings, options)
}

async function openOn(file: string, settings: LogSettings, { from, signal }: OpenLogOptions): Promise<Log> {
  const appender = await openAppender(file, settings, signal ? { signal } : {}, from)
  let closing: Promise<void> | undefined
  const summary = (): LogSummary => ({ file, ...appender.counts })
  const close = async (): Promise<LogSummary> => {
    await (closing ??= appender.close())
    return summary()
  }
  return {
    file,
    append: async (lines) => appender.append(linesOf(lines)),
    flush: () => appender.flush(),
    summary,
    position: () => appender.file.position,
    close,
    [Symbol.asyncDispose]: async () => void (await close()),
  }
}

/** Opens the file, and makes what writes to it. */
export async function openAppender(
  name: string,
  settings: LogSettings,
  heard: Heard,
  from?: unknown,
  disk: Disk = systemDisk,
): Promise<Appender> {
  try {
    return new Appender(name, await LogFile.open(name, settings, disk, from), heard)
  } catch (error) {
    throw logTrouble(name, error)
  }
}

function linesOf(lines: string | readonly string[]): Block[] {
  const all = typeof lines === 'string' ? [lines] : lines
  if (!Array.isArray(all))
    throw new TypeError(`Cannot append lines: wanted a string or an array of strings, got ${typeof lines}`)
  const blocks = blocksOf(all)
  // `forEach` would step over holes.
  if (!blocks) for (const line of all) demandLine(line)
  return blocks!
}
