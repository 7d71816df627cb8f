/** Bytes, lines and JSON values of files. */
import { demandCount } from '../../errors.ts'
import type { Source } from '../../pipeline/stage.ts'
import { FormatError, quoted } from './format-error.ts'
import type { Inputs } from './inputs.ts'
import { type Batch, type FileOptions, type Origin, type Parser, rowSource } from './rows.ts'
import { lastLineEnd } from './text.ts'

const LF = 10

export interface LineOptions extends FileOptions {
  /** How many bytes a line may have; a longer one fails the stage. Default: 16 MiB. */
  maxLine?: number
}

/** Text in whole lines: what remains is up to who knows what a line is. */
abstract class LineParser<T> implements Parser<T> {
  line: number

  constructor(
    readonly origin: Origin,
    readonly maxLine: number,
  ) {
    this.line = origin.line
  }

  parse(bytes: Buffer, final: boolean, batch: Batch<T>): number {
    const { decoder, file } = this.origin
    const end = final ? bytes.length : lastLineEnd(bytes, decoder, LF)
    if (bytes.length - end > this.maxLine) {
      const place = { file, line: this.line + 1, column: 1 }
      throw new FormatError(place, `the line has more than ${this.maxLine} bytes ("maxLine")`)
    }
    if (end === 0) return 0
    const lines = linesOf(decoder.decode(bytes, 0, end))
    this.take(lines, batch)
    this.line += lines.length
    return end
  }

  protected abstract take(lines: string[], batch: Batch<T>): void
}

function linesOf(text: string): string[] {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  if (text.includes('\r'))
    for (let i = 0; i < lines.length; i++) if (lines[i].endsWith('\r')) lines[i] = lines[i].slice(0, -1)
  return lines
}

class Lines extends LineParser<string> {
  protected take(lines: string[], batch: Batch<string>): void {
    batch.rows = lines
  }
}

class JsonLines<T> extends LineParser<T> {
  protected take(lines: string[], batch: Batch<T>): void {
    for (let i = 0; i < lines.length; i++) {
      try {
        batch.rows.push(JSON.parse(lines[i]) as T)
      } catch (error) {
        batch.bad.push({
          at: batch.rows.length,
          value: lines[i],
          error: this.#explain(lines[i], i, error as Error),
        })
      }
    }
  }

  #explain(text: string, index: number, cause: Error): FormatError {
    // The runtimes say where, each in its way.
    const at = /(?:at position |column |char )(\d+)/.exec(cause.message)?.[1]
    const place = { file: this.origin.file, line: this.line + index + 1, column: Number(at ?? 0) + 1 }
    const what = text.trim() === '' ? 'a blank line is no JSON value' : `not a JSON value: ${quoted(text)}`
    return new FormatError(place, what, { cause })
  }
}

function linesFrom<T>(
  make: string,
  path: Inputs,
  options: LineOptions,
  Kind: new (origin: Origin, maxLine: number) => Parser<T>,
): Source<T> {
  const source = rowSource<T>(make, path, options, (origin) => new Kind(origin, maxLine))
  const { maxLine = 16 * 2 ** 20 } = options
  demandCount(maxLine, `create ${make}`, 'maxLine', 1, true)
  return source
}

/**
 * Reads the lines of files, without their ends, `\n` or `\r\n`.
 *
 * - `path`: a path or `file:` URL, a pattern such as `'logs/*.log'` (with the package `tinyglobby`), `'-'` for the standard input, or a list
 *   of these, read one after the other. What ends in `.gz`, `.br` or (Node 22.15 and later) `.zst` is unpacked.
 * - `encoding`: default what a byte order mark says, else UTF-8. `maxLine`: in bytes, default 16 MiB.
 * - `follow`: waits for more at the end, as `tail -F` does, also when the file is rotated or cut; `from: 'end'` begins there.
 * - After a `stop`, what has been read goes out. A line that has not ended is left in its file; that of a pipe goes out, too.
 *
 * Ordered. Concurrency 1. Holds what one read of 64 KiB brought. On error: fails, and names the file.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * import { map, pipeline, source } from 'sluice'
 * import { readLines, writeLines } from 'sluice/io'
 *
 * await pipeline(source(['one', 'two']), writeLines('numbers.txt')).run()
 * await pipeline(
 *   readLines('numbers.txt'),
 *   map((line) => line.toUpperCase()),
 * ).run() // => ['ONE', 'TWO']
 */
export function readLines(path: Inputs, options: LineOptions = {}): Source<string> {
  return linesFrom('readLines', path, options, Lines)
}

/**
 * Reads JSON Lines: a JSON value in each line. The type of the values is yours to name: nothing checks it.
 *
 * - What `path` and the options mean: see `readLines`.
 * - A line that is no JSON value, a blank one included, follows `onError`; `value` is its text, and `error` a `FormatError` with file,
 *   line and column.
 *
 * Ordered. Concurrency 1. Holds what one read of 64 KiB brought. On error: fails, or follows `onError`.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * import { pipeline, source } from 'sluice'
 * import { readJsonl, writeLines } from 'sluice/io'
 *
 * await pipeline(source(['{"id":1}', '{"id":', 'null']), writeLines('ids.jsonl')).run()
 * await pipeline(readJsonl('ids.jsonl', { onError: 'skip' })).run() // => [{ id: 1 }, null]
 */
export function readJsonl<T = unknown>(path: Inputs, options: LineOptions = {}): Source<T> {
  return linesFrom('readJsonl', path, options, JsonLines<T>)
}

/** Gives the bytes as they come. */
class Bytes implements Parser<Uint8Array> {
  readonly line = 0

  parse(bytes: Buffer, _final: boolean, batch: Batch<Uint8Array>): number {
    // The block is read into again.
    if (bytes.length > 0) batch.rows.push(Uint8Array.prototype.slice.call(bytes))
    return bytes.length
  }
}

/**
 * Reads files as bytes, in pieces of up to 64 KiB.
 *
 * - What `path` and the options mean: see `readLines`. What is packed is unpacked.
 *
 * Ordered. Concurrency 1. Holds one piece. On error: fails, and names the file.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * import { pipeline, reduce, source } from 'sluice'
 * import { readBytes, writeLines } from 'sluice/io'
 *
 * await pipeline(source(['four']), writeLines('four.txt')).run()
 * const length = reduce((sum: number, bytes: Uint8Array) => sum + bytes.length, 0)
 * await pipeline(readBytes('four.txt'), length).run() // => 5
 */
export function readBytes(
  path: Inputs,
  options: Omit<FileOptions, 'encoding' | 'onError'> = {},
): Source<Uint8Array> {
  return rowSource('readBytes', path, { ...options, encoding: 'latin1' }, () => new Bytes())
}
