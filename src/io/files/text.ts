/** Bytes to text, in whole rows. */
import { isAscii } from 'node:buffer'
// Not the global one: a browser that a test plays (Jest's jsdom) has none.
import { TextDecoder } from 'node:util'
import { demand } from '../../errors.ts'

/** Turns bytes that end at the end of a character into text. */
export interface Decoder {
  readonly decode: (bytes: Buffer, start: number, end: number) => string
  /** Bytes of a line end: 1, or 2 in UTF-16. */
  readonly unit: 1 | 2
  /** Whether the lower byte of a unit comes first. */
  readonly little: boolean
}

/** Checks the name of an encoding where the stage is made. */
export function checkEncoding(make: string, encoding: string): void {
  let known = true
  try {
    new TextDecoder(encoding)
  } catch {
    known = false
  }
  demand(known, `create ${make}`, 'encoding', 'an encoding that TextDecoder knows', encoding)
}

/** How many bytes of a byte order mark the input begins with, and the encoding it tells. */
export function byteOrderMark(bytes: Buffer): { length: number; encoding?: string } {
  const [a, b, c] = bytes
  if (a === 0xef && b === 0xbb && c === 0xbf) return { length: 3, encoding: 'utf-8' }
  if (a === 0xff && b === 0xfe) return { length: 2, encoding: 'utf-16le' }
  if (a === 0xfe && b === 0xff) return { length: 2, encoding: 'utf-16be' }
  return { length: 0 }
}

/** Whether these bytes are the beginning of a byte order mark, and more are needed to tell. */
export function beginsMark(bytes: Buffer): boolean {
  const [a, b] = bytes
  if (bytes.length === 0) return true
  if (bytes.length === 1) return a === 0xef || a === 0xff || a === 0xfe
  return bytes.length === 2 && a === 0xef && b === 0xbb
}

/** What windows-1252 has in place of the control characters from 0x80 on; five stay what they are. */
const WESTERN =
  '\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f' +
  '\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178'

/** Node 20 and 22 have it wrong: they drop a first byte 0xff, or take it for ISO 8859-1. */
function decodeWestern(bytes: Buffer, start: number, end: number): string {
  return bytes
    .toString('latin1', start, end)
    .replace(/[\x80-\x9f]/g, (char) => WESTERN[char.charCodeAt(0) - 0x80])
}

export function decoderFor(encoding: string): Decoder {
  const decoder = new TextDecoder(encoding, { ignoreBOM: true })
  const unit = decoder.encoding.startsWith('utf-16') ? 2 : 1
  const little = decoder.encoding !== 'utf-16be'
  if (decoder.encoding === 'windows-1252') return { unit, little, decode: decodeWestern }
  if (decoder.encoding !== 'utf-8')
    return { unit, little, decode: (bytes, start, end) => decoder.decode(bytes.subarray(start, end)) }
  return {
    unit,
    little,
    // Most files are ASCII for the most part, and text of one byte a character is made and searched faster.
    decode(bytes, start, end) {
      const part = bytes.subarray(start, end)
      return part.toString(isAscii(part) ? 'latin1' : 'utf8')
    },
  }
}

/** Where the last line end before `end` is over, or 0. `code`: a line feed, or a carriage return. */
export function lastLineEnd(
  bytes: Buffer,
  { unit, little }: Decoder,
  code: number,
  end = bytes.length,
): number {
  if (unit === 1) return end > 0 ? bytes.lastIndexOf(code, end - 1) + 1 : 0
  const [low, high] = little ? [0, 1] : [1, 0]
  for (let at = end - (end % 2) - 2; at >= 0; at -= 2)
    if (bytes[at + low] === code && bytes[at + high] === 0) return at + 2
  return 0
}

/** Where the first line feed from `start` on is over, or -1. */
export function nextLineEnd(bytes: Buffer, { unit, little }: Decoder, start: number): number {
  if (unit === 1) {
    const at = bytes.indexOf(10, start)
    return at < 0 ? -1 : at + 1
  }
  const [low, high] = little ? [0, 1] : [1, 0]
  for (let at = start; at + 1 < bytes.length; at += 2)
    if (bytes[at + low] === 10 && bytes[at + high] === 0) return at + 2
  return -1
}
