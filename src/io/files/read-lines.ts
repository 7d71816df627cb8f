/** Bytes, lines and JSON values of files. */
import { demandOptions } from '../../connect/options.ts'
import { demandCount } from '../../errors.ts'
import { said, type Source } from '../../pipeline/stage.ts'
import { FormatError, quoted } from './format-error.ts'
import type { Inputs } from './inputs.ts'
import { type Batch, type FileOptions, type Origin, type Parser, rowSource } from './rows.ts'
import { lastLineEnd, nextLineEnd } from './text.ts'
import { placeOfJsonError } from './json-place.ts'

const LF = 10

/** What `readLines` and `readJsonl` take. */
export interface LineOptions extends FileOptions {
  /** How many bytes a line may have, without its line feed; of a longer one, which follows `onError`, the first so many are told. Default: 16 MiB. */
  maxLine?: number | undefined
}

/** Text in whole lines: what remains is up to who knows what a line is. */
abstract class LineParser<T> implements Parser<T> {
  line: number
  /** `true`: the last line was given without its end, which may come when the file grows. `'long'`: the rest of one is passed over. */
  state: true | 'long' | undefined

  constructor(
    readonly origin: Origin,
    readonly maxLine: number,
  ) {
    this.line = origin.line
    if (origin.state === true || origin.state === 'long') this.state = origin.state
  }

  parse(bytes: Buffer, final: boolean, batch: Batch<T>): number {
    const { decoder } = this.origin
    const whole = final ? bytes.length : bytes.length - (bytes.length % decoder.unit)
    let at = this.state === 'long' ? this.#passOver(bytes, 0, whole) : 0
    // No line of a block that is not longer itself is too long.
    while (whole - at > this.maxLine) {
      const long = this.#firstTooLong(bytes, at, whole)
      if (long < 0) break
      this.#give(bytes, at, long, batch)
      this.#refuse(bytes, long, batch)
      at = this.#passOver(bytes, long, whole)
    }
    const end = Math.max(at, final ? whole : lastLineEnd(bytes, decoder, LF))
    this.#give(bytes, at, end, batch)
    return end
  }

  #give(bytes: Buffer, from: number, to: number, batch: Batch<T>): void {
    if (from === to) return
    const { decoder } = this.origin
    const lines = linesOf(decoder.decode(bytes, from, to))
    if (this.state && lines[0] === '') lines.shift()
    this.state = lastLineEnd(bytes, decoder, LF, to) < to || undefined
    this.take(lines, batch)
    this.line += lines.length
  }

  /** Where the first line begins that is too long, or -1. */
  #firstTooLong(bytes: Buffer, start: number, whole: number): number {
    const { decoder } = this.origin
    for (let from = start; from < whole;) {
      const next = nextLineEnd(bytes, decoder, from)
      if ((next < 0 ? whole : next - decoder.unit) - from > this.maxLine) return from
      if (next < 0) return -1
      from = next
    }
    return -1
  }

  #refuse(bytes: Buffer, from: number, batch: Batch<T>): void {
    const { file, decoder } = this.origin
    const value = decoder.decode(bytes, from, from + this.maxLine - (this.maxLine % decoder.unit))
    const place = { file, line: ++this.line, column: 1 }
    const error = new FormatError(place, `the line has more than ${this.maxLine} bytes ("maxLine")`)
    batch.bad.push({ at: batch.rows.length, value, error })
  }

  /** The rest of a line that is too long. */
  #passOver(bytes: Buffer, from: number, whole: number): number {
    const next = nextLineEnd(bytes, this.origin.decoder, from)
    this.state = next < 0 ? 'long' : undefined
    return next < 0 ? whole : next
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
    if (batch.rows.length === 0) batch.rows = lines
    else for (const line of lines) batch.rows.push(line)
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
    const column = placeOfJsonError(text) + 1
    const place = { file: this.origin.file, line: this.line + index + 1, column }
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
 * - `encoding`: default what a byte order mark says, else UTF-8. `maxLine`: in bytes, default 16 MiB. A longer line follows `onError`.
 * - `follow`: waits for more at the end, as `tail -F` does, also when the file is rotated or cut; `from: 'end'` begins there,
 *   and looks at the beginning only for a byte order mark, and the header of CSV.
 * - After a `stop`, what has been read goes out. A line that has not ended is left in its file; that of a pipe goes out, too.
 *
 * Ordered. Concurrency 1. Holds what one read of 64 KiB brought. On error: fails, and names the file, or follows `onError`.
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
 * - A line that is no JSON value, a blank one included, or too long, follows `onError`; `value` is its text, and `error` a `FormatError`
 *   with file, line and column.
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

/** Bytes that nobody shares, as Web Streams want them. Before TypeScript 5.7 there is one type for all. */
type OwnBytes = ReturnType<Uint8Array['slice']>

/** Gives the bytes as they come. */
class Bytes implements Parser<OwnBytes> {
  readonly line = 0

  parse(bytes: Buffer, _final: boolean, batch: Batch<OwnBytes>): number {
    // The block is read into again.
    if (bytes.length > 0) batch.rows.push(new Uint8Array(bytes))
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
): Source<OwnBytes> {
  demandOptions(options, 'create readBytes')
  return rowSource('readBytes', path, said(options, { encoding: 'latin1' }), () => new Bytes())
}
