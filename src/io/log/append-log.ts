/** The sink over a log. What it adds to `openLog` is the values: their lines, their failures, their acknowledgement. */
import { type ChunkWriter, chunkSink, type SinkContext, type WriteOptions } from '../../connect/chunk-sink.ts'
import { demandFunction } from '../../errors.ts'
import type { Sink } from '../../pipeline/stage.ts'
import type { Appender, Heard } from './appender.ts'
import { type Disk, disk as systemDisk } from './disk.ts'
import { type Block, blocksOf, demandLine } from './block.ts'
import { type LogSummary, openAppender } from './open-log.ts'
import { type LogOptions, logSettings } from './options.ts'
import type { LogPosition } from './position.ts'

/** What `appendLog` takes. */
export interface AppendLogOptions<T> extends WriteOptions<T>, LogOptions {
  /** Makes a line of a value, without its newline. Default: strings as they are. */
  line?: ((value: T) => string) | undefined
  /** Told of the values whose lines have reached the level, in their order. What it gives is waited for. */
  onAcknowledged?: ((values: readonly T[]) => PromiseLike<unknown> | void) | undefined
}

/**
 * Appends each value as a line to a file, so that no crash tears a line or loses one that was acknowledged.
 *
 * - After a crash at any moment the file is whole lines and at most one torn one, which is repaired at the next start.
 * - `level`: a line is done when it is `'written'`, which survives `kill -9` (default), or `'synced'` (`fdatasync`, one
 *   for all lines that have come meanwhile), which survives a power cut. `onAcknowledged` is told.
 * - `flush`: a batch is written at `count` lines, `bytes` (524,288), or `ms` (1,000) after its first line. Default: at
 *   once.
 * - `rotate`: at `bytes` or `ms`, between two lines; `keep` old files, with `gzip` compressed.
 * - `whenFull`: on a full disk, a quota or a limit on the size of files, what has been written of a line is taken back.
 *   Then the stage fails, or with `'wait'` it holds the producers and tries again each `retry` ms (500) until there is
 *   room; meanwhile the stats show it as waiting for room. A `stop` ends that as a failure, an abort at once.
 * - `torn`: `'cut'` removes a torn line at the start (default), `'end'` gives it a newline; `onRepaired` is told of it.
 * - A value whose line is no string, or has a newline or half of a character (a lone surrogate) inside, follows `onError`.
 * - One log at a time may write to a file. Who moves it away takes along what is written later, so rotate it with `rotate`;
 *   where it was removed, the run fails at its end. The run is worth a `LogSummary`.
 *
 * Ordered. Concurrency 1. Holds two batches, and with `onAcknowledged` the values that are not acknowledged. On error:
 * fails, or follows `onError`.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * import { mkdtemp, readFile, rm } from 'node:fs/promises'
 * import { pipeline, source } from 'sluice'
 * import { appendLog } from 'sluice/io'
 *
 * const folder = await mkdtemp('log-')
 * const { lines, bytes } = await pipeline(source(['one', 'two']), appendLog(`${folder}/app.log`)).run()
 * const written = [lines, bytes, await readFile(`${folder}/app.log`, 'utf8')]
 * written // => [2, 8, 'one\ntwo\n']
 * await rm(folder, { recursive: true })
 */
export function appendLog<T = string>(
  file: string,
  options: AppendLogOptions<T> & { line: (value: T) => string },
): Sink<T, LogSummary>
export function appendLog(file: string, options?: AppendLogOptions<string>): Sink<string, LogSummary>
export function appendLog<T>(file: string, options: AppendLogOptions<T> = {}): Sink<T, LogSummary> {
  return appendTo(systemDisk, file, options)
}

/** The same on another disk, for tests. */
export function appendTo<T>(disk: Disk, file: string, options: AppendLogOptions<T>): Sink<T, LogSummary> {
  const settings = logSettings('appendLog', file, options)
  const { line, onAcknowledged } = options
  for (const [name, fn] of Object.entries({ line, onAcknowledged }))
    if (fn !== undefined) demandFunction(fn, 'create appendLog', name)
  return chunkSink<T, T, LogSummary>('appendLog', options, {
    async open(context, from) {
      const pending: T[] | undefined = onAcknowledged && []
      const acknowledged = onAcknowledged && ((lines: number) => onAcknowledged(pending!.splice(0, lines)))
      const heard = heardIn(context, acknowledged)
      const start = from === undefined ? undefined : { ...(from as LogPosition), own: context.own }
      const appender = await openAppender(file, settings, heard, start, disk)
      return new Writer(file, appender, context, line, pending)
    },
  })
}

/** What happens to the log, told to the stage. */
function heardIn(context: SinkContext, acknowledged: Heard['acknowledged']): Heard {
  return {
    ...(acknowledged && { acknowledged }),
    waits: (what) => context.waits(what),
    broke: (error) => context.broke(error),
    get signal() {
      return context.signal
    },
  }
}

class Writer<T> implements ChunkWriter<T, LogSummary> {
  constructor(
    readonly file: string,
    readonly appender: Appender,
    readonly context: SinkContext,
    readonly line: ((value: T) => string) | undefined,
    /** The values that are not acknowledged, where somebody is told of them. */
    readonly pending: T[] | undefined,
  ) {}

  write(values: readonly T[]): Promise<void> | undefined {
    // Where values are lines, all are looked at together.
    const blocks = this.line ? undefined : blocksOf(values)
    return blocks ? this.#take(values, blocks) : this.#takeFrom(values, 0)
  }

  /** Takes the values from there on, one by one: a bad one follows `onError`, behind those before it. */
  #takeFrom(values: readonly T[], from: number): Promise<void> | undefined {
    const lines: string[] = []
    let failure: { error: unknown } | undefined
    for (let at = from; at < values.length && !failure; at++) {
      try {
        lines.push(this.#lineOf(values[at]))
      } catch (error) {
        failure = { error }
      }
    }
    const end = from + lines.length
    const taken = this.#take(values.slice(from, end), blocksOf(lines)!)
    return failure ? this.#goOnBehind(values, end, failure.error, taken) : taken
  }

  async #goOnBehind(values: readonly T[], bad: number, error: unknown, taken: Promise<void> | undefined) {
    await taken
    await this.context.failed(values[bad], error)
    // After an abort nobody wants the others.
    if (!this.context.signal.aborted) await this.#takeFrom(values, bad + 1)
  }

  #lineOf(value: T): string {
    const line: unknown = this.line ? this.line(value) : value
    demandLine(line)
    return line
  }

  #take(values: readonly T[], blocks: readonly Block[]): Promise<void> | undefined {
    if (this.pending) for (const value of values) this.pending.push(value)
    return this.appender.take(blocks)
  }

  async end(): Promise<LogSummary> {
    await this.appender.close()
    return { file: this.file, ...this.appender.counts }
  }

  stop(): void {
    this.appender.stop()
  }

  abandon(aborted: boolean): Promise<void> {
    return aborted ? this.appender.abort() : this.appender.abandon()
  }

  position(): LogPosition {
    return this.appender.file.position
  }
}
