/**
 * What a writer that is killed writes, and what must be there afterwards.
 *
 * Eight producers write lines with numbers of their own, and each line tells what it must be. A writer that begins goes on
 * where the lines in the log end. So whatever was lost, torn, moved or written twice breaks the row of some producer.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

export const PRODUCERS = 8

const TEXT = 'abcdefghé'.repeat(3000)

/** The line number `index` of a producer: 20 to 300 bytes, some of them characters of two; or 100 times as many. */
export function lineOf(producer: number, index: number, long = false): string {
  const length = (index * 2_654_435_761 + producer * 40_503) % 281
  return `${producer} ${index} ${TEXT.slice(0, long ? length * 90 : length)}.`
}

/** The whole lines of a log, the oldest first, and how many bytes are torn at its end. */
export function readLog(folder: string): { lines: string[]; torn: number } {
  const names = new Set(readdirSync(folder))
  // A compressed file that stands beside its plain one is the same.
  const twice = (name: string) => name.endsWith('.gz') && names.has(name.slice(0, -3))
  const old = [...names].filter((name) => /\.\d{6}(\.gz)?$/.test(name) && !twice(name))
  const read = (name: string): Buffer => {
    const bytes = readFileSync(join(folder, name))
    return name.endsWith('.gz') ? gunzipSync(bytes) : bytes
  }
  const texts = old.sort().map(read)
  for (const text of texts)
    if (text.at(-1) !== 0x0a) throw new Error('A file that was rotated ends in a torn line')
  const newest = names.has('app.log') ? read('app.log') : Buffer.alloc(0)
  const end = newest.lastIndexOf(0x0a) + 1
  const lines = Buffer.concat([...texts, newest.subarray(0, end)])
    .toString('utf8')
    .split('\n')
  lines.pop()
  return { lines, torn: newest.length - end }
}

/** How many lines there are of each producer; throws where they are not these, in this order. */
export function countLines(lines: readonly string[], long = false): number[] {
  const counts = Array.from({ length: PRODUCERS }, () => 0)
  for (const [at, line] of lines.entries()) {
    const producer = Number(line[0])
    const expected = lineOf(producer, counts[producer]++, long)
    if (line !== expected) throw new Error(`Line ${at + 1} is ${show(line)} instead of ${show(expected)}`)
  }
  return counts
}

const show = (line: string): string => JSON.stringify(line.length > 400 ? `${line.slice(0, 400)}…` : line)
