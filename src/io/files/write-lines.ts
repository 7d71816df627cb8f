/** Lines and JSON values into files. */
import type { Sink } from '../../pipeline/stage.ts'
import { cannotEncode, type FileWriteOptions, textSink, type Written } from './write-file.ts'

/**
 * Writes lines of text: each value, and `\n`.
 *
 * - The file appears whole or not at all: it is written under a temporary name beside its place, and renamed at the end; a run
 *   that fails or is aborted before that leaves what was there before. With `append`, lines are added in place as they come, behind a
 *   last line that had no end; a `.gz` is unpacked once to see that. Where there is no more room, the file ends with the last line that
 *   is whole, a `.gz` as it was before. Where the file was removed meanwhile, the run fails at its end.
 * - `path`: a path or `file:` URL; `'-'` is the standard output. What ends in `.gz`, `.br` or (Node 22.15 and later) `.zst` is packed;
 *   to a `.br` or `.zst` nothing can be appended.
 * - `sync`: the end waits until the disk has it; a pipe or a device, which cannot do that, is refused.
 * - A value that is no string, or holds a line end or half of a character (a lone surrogate), which has no UTF-8, follows `onError`.
 * - Gives `{ file, count, bytes }`.
 *
 * Ordered. Concurrency 1. Holds up to 512 KiB. On error: fails, or follows `onError`.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * import { pipeline, source } from 'sluice'
 * import { writeLines } from 'sluice/io'
 *
 * await pipeline(source(['one', 'two']), writeLines('lines.txt')).run() // => { file: 'lines.txt', count: 2, bytes: 8 }
 */
export function writeLines(
  path: string | URL,
  options: FileWriteOptions<string> = {},
): Sink<string, Written> {
  return textSink('writeLines', path, options, () => ({ line: 'line', encode: lineOf }))
}

function lineOf(line: string): string {
  if (typeof line !== 'string')
    throw new TypeError(`Cannot write a line: it must be a string, got ${typeof line}`)
  if (line.includes('\n')) throw new RangeError('Cannot write a line: it holds a line end')
  return line
}

/**
 * Writes JSON Lines: each value as JSON on a line of its own.
 *
 * - What `path` and the options mean, and how the file appears: see `writeLines`.
 * - A value that JSON has no text for (`undefined`, a function, a cycle, a bigint) follows `onError`. Half of a character is escaped.
 * - Gives `{ file, count, bytes }`.
 *
 * Ordered. Concurrency 1. Holds up to 512 KiB. On error: fails, or follows `onError`.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * import { pipeline, source } from 'sluice'
 * import { readLines, writeJsonl } from 'sluice/io'
 *
 * await pipeline(source([{ id: 1 }, null]), writeJsonl('values.jsonl')).run()
 * await pipeline(readLines('values.jsonl')).run() // => ['{"id":1}', 'null']
 */
export function writeJsonl<T>(path: string | URL, options: FileWriteOptions<T> = {}): Sink<T, Written> {
  return textSink('writeJsonl', path, options, () => ({ line: 'line', encode: jsonOf }))
}

function jsonOf(value: unknown): string {
  const text = textOf(value)
  if (text === undefined) throw new TypeError(`Cannot write a value as JSON: ${typeof value} has no text`)
  return text
}

function textOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch (cause) {
    throw cannotEncode('a value as JSON', cause)
  }
}
