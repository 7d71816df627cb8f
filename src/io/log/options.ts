/** What may be asked of a log file, checked where the log is made, with the defaults filled in. */
import type { Complete } from '../../pipeline/stage.ts'
import { demandPath } from '../../connect/path.ts'
import { isRecord } from '../../connect/record.ts'
import { demandOptions } from '../../connect/options.ts'
import { demand, demandCount, demandFunction, demandTime } from '../../errors.ts'

/**
 * When a line counts as done. `written`: the system has it, it survives the end of the process, `kill -9` included.
 * `synced`: the disk has it (`fdatasync`, one for all lines that have come meanwhile), it survives a power cut.
 */
export type LogLevel = 'written' | 'synced'

/** How long a log holds lines back, to write them together. */
export interface FlushOptions {
  /** A batch is written when it has so many lines. Default: no limit. */
  count?: number | undefined
  /** … or so many bytes. Default: 524,288. */
  bytes?: number | undefined
  /** … or so many milliseconds after its first line. Default: 1,000. */
  ms?: number | undefined
}

/** When a log begins another file, and what becomes of the old ones. */
export interface RotateOptions {
  /** A file gets no longer than this, but for a single line that is. Default: no limit; one of `bytes` and `ms` is needed. */
  bytes?: number | undefined
  /** A file takes no more lines so many milliseconds after it was begun; the next line begins another. Default: never. */
  ms?: number | undefined
  /** How many old files are kept. Default: all. */
  keep?: number | undefined
  /** Whether old files are compressed, one at a time, beside the writing. Default: no. */
  gzip?: boolean | undefined
}

/** What a log promises of its lines, and what it does on a full disk and after a crash. */
export interface LogOptions {
  /** Default: `'written'`. */
  level?: LogLevel | undefined
  /** Holds lines back for larger writes. Default: what has come is written at once; what comes meanwhile, together. */
  flush?: FlushOptions | undefined
  /** Begins a new file now and then. The old ones are called `file.000001`, `file.000002` and so on. Default: never. */
  rotate?: RotateOptions | undefined
  /** On a full disk, a quota or a limit on the size of files. Default: `'fail'`. */
  whenFull?: 'wait' | 'fail' | undefined
  /** How long to wait before trying again, in milliseconds. Default: 500. */
  retry?: number | undefined
  /** What becomes of a line without an end that a crash has left: it is cut off, or ended. Default: `'cut'`. */
  torn?: 'cut' | 'end' | undefined
  /** Told of the length of such a line, in bytes. Default: a process warning. */
  onRepaired?: ((bytes: number) => void) | undefined
}

/** The options, complete. */
export interface LogSettings {
  readonly level: LogLevel
  readonly whenFull: 'wait' | 'fail'
  readonly retry: number
  readonly torn: 'cut' | 'end'
  readonly onRepaired: ((bytes: number) => void) | undefined
  /** Whether lines are held back. */
  readonly holds: boolean
  readonly flush: Readonly<Complete<FlushOptions>>
  readonly rotate: Readonly<Complete<RotateOptions>> | undefined
}

/** A call of the system costs as much as to encode 100 kB: of 256 kB a fifth is lost (bench: append-log). */
const BATCH_BYTES = 524_288
/** A line that waits for others is not forgotten when none come. */
const LONGEST_HOLD = 1000

export function logSettings(make: string, file: string, options: LogOptions): LogSettings {
  const action = `create ${make}`
  demandPath(file, action, 'file', 'the name of a file')
  demandOptions(options, action)
  const { level = 'written', whenFull = 'fail', torn = 'cut', retry = 500, onRepaired } = options
  oneOf(action, 'level', level, ['written', 'synced'])
  oneOf(action, 'whenFull', whenFull, ['wait', 'fail'])
  oneOf(action, 'torn', torn, ['cut', 'end'])
  demandTime(retry, action, 'retry')
  demand(retry < Infinity, action, 'retry', 'finite', retry)
  if (onRepaired !== undefined) demandFunction(onRepaired, action, 'onRepaired')
  const { flush = {}, rotate } = options
  const { count, bytes, ms } = flushing(action, flush)
  return {
    level,
    whenFull,
    torn,
    retry,
    onRepaired,
    holds: Object.values(flush).some((limit) => limit !== undefined),
    flush: { count, bytes, ms },
    rotate: rotate === undefined ? undefined : rotating(action, rotate),
  }
}

function oneOf(action: string, option: string, value: string, known: readonly string[]): void {
  const wanted = known.map((word) => `'${word}'`).join(' or ')
  demand(known.includes(value), action, option, wanted, value, TypeError)
}

function flushing(action: string, flush: FlushOptions): Complete<FlushOptions> {
  demand(isRecord(flush), action, 'flush', 'an object', flush, TypeError)
  const { count = Infinity, bytes = BATCH_BYTES, ms = LONGEST_HOLD } = flush
  demandCount(count, action, 'flush.count', 1, true)
  demandCount(bytes, action, 'flush.bytes', 1)
  demandTime(ms, action, 'flush.ms')
  return { count, bytes, ms }
}

function rotating(action: string, rotate: RotateOptions): Complete<RotateOptions> {
  demand(isRecord(rotate), action, 'rotate', 'an object', rotate, TypeError)
  const { bytes = Infinity, ms = Infinity, keep = Infinity, gzip = false } = rotate
  demandCount(bytes, action, 'rotate.bytes', 1, true)
  demandTime(ms, action, 'rotate.ms')
  demandCount(keep, action, 'rotate.keep', 1, true)
  demand(typeof gzip === 'boolean', action, 'rotate.gzip', 'true or false', gzip, TypeError)
  const ever = bytes < Infinity || ms < Infinity
  demand(ever, action, 'rotate', 'an object with "bytes" or "ms"', rotate, TypeError)
  return { bytes, ms, keep, gzip }
}
