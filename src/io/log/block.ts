/**
 * Lines that are known to be lines, strings without a newline inside, and joined while that was looked at.
 *
 * To look for a newline in each takes a third of all the time that a line costs; in the text of many, next to none. So
 * they are joined when they are given, with a space between them, and the newlines are put there when it is bytes. The
 * engine looks, joins and encodes at 4 GB/s (lines of 130 bytes); where each line is looked at and encoded where it is to
 * be, at 2. Blocks stay small, for a string of over 128 kB is allocated apart, and dear.
 */
import { isWellFormed } from '../../connect/well-formed.ts'

const NEWLINE = 0x0a
/** So many characters are joined at most, of two bytes each; a line that is longer is a block of its own. */
const JOINED = 60_000
/** So many blocks of the lines that are given together stay joined until they are written: more would take the memory twice. */
const STAY = 64

/** Lines that go into batches, the first of them first. */
export class Block {
  /** Whether each character is one byte. */
  readonly #ascii: boolean
  /** The lines with a character between them: a space, or a newline where some characters have more bytes. */
  #text: string | undefined
  /** How many bytes all lines have, newlines included. */
  readonly #bytes: number
  /** The next line, and where it begins in the text. */
  #next = 0
  #begin = 0

  constructor(
    readonly lines: readonly string[],
    /** They, with spaces between them. */
    spaced: string,
    stays: boolean,
  ) {
    this.#bytes = Buffer.byteLength(spaced) + 1
    this.#ascii = this.#bytes === spaced.length + 1
    if (stays && this.#ascii) this.#text = spaced
  }

  get empty(): boolean {
    return this.#next === this.lines.length
  }

  /** What goes together of it: so many lines at most, and until they have so many bytes. */
  next(count: number, bytes: number): Part {
    const left = this.lines.length - this.#next
    if (this.#next === 0 && left <= count && this.#bytes <= bytes) return { lines: left, bytes: this.#bytes }
    const part = { lines: 0, bytes: 0 }
    for (; part.lines < Math.min(count, left) && part.bytes < bytes; part.lines++) {
      const line = this.lines[this.#next + part.lines]
      part.bytes += (this.#ascii ? line.length : Buffer.byteLength(line)) + 1
    }
    return part
  }

  /** Puts its next part there, as bytes. */
  moveTo(buffer: Buffer, at: number, { lines, bytes }: Part): void {
    const moved = this.lines.slice(this.#next, this.#next + lines)
    let length = bytes
    if (!this.#ascii) length = moved.reduce((sum, line) => sum + line.length + 1, 0)
    this.#text ??= this.lines.join(this.#ascii ? ' ' : '\n')
    const text = this.#text.slice(this.#begin, this.#begin + length - 1)
    // What is one byte for each character is copied, which is four times as fast as to encode it.
    buffer.write(text, at, this.#ascii ? 'latin1' : 'utf8')
    if (this.#ascii) {
      let end = at
      for (const line of moved) buffer[(end += line.length + 1) - 1] = NEWLINE
    } else buffer[at + bytes - 1] = NEWLINE
    this.#next += lines
    this.#begin += length
    // It may be one of very many that were given together.
    if (this.empty) this.part()
  }

  /** The lines are not joined any more: they will be once more when their turn comes. */
  part(): void {
    this.#text = undefined
  }
}

/** Some lines of a block, and how many bytes they have, newlines included. */
interface Part {
  lines: number
  bytes: number
}

/**
 * The lines as blocks; nothing where one of them is no line. It is a copy: what their giver does to the array meanwhile
 * changes nothing.
 */
export function blocksOf(lines: readonly unknown[]): Block[] | undefined {
  const blocks: Block[] = []
  for (let at = 0; at < lines.length;) {
    const from = at
    for (let room = JOINED; at < lines.length; at++) {
      const line = lines[at]
      if (typeof line !== 'string') return undefined
      room -= line.length + 1
      if (room < 0 && at > from) break
    }
    const together = lines.slice(from, at) as string[]
    const spaced = together.join(' ')
    if (spaced.includes('\n') || !isWellFormed(spaced)) return undefined
    blocks.push(new Block(together, spaced, blocks.length < STAY))
  }
  return blocks
}

/** Throws unless it is one line. */
export function demandLine(line: unknown): asserts line is string {
  if (typeof line !== 'string')
    throw new TypeError(`Cannot append a line: wanted a string, got ${typeof line}`)
  if (line.includes('\n'))
    throw new TypeError('Cannot append a line: it has a newline inside, so it would be two')
  if (!isWellFormed(line))
    throw new TypeError('Cannot append a line: it holds half of a character (a lone surrogate)')
}
