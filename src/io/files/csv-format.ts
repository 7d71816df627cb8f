/** What CSV looks like: the characters that mean something, and which line ends a file has. */
import { demand } from '../../errors.ts'

/** The characters that mean something in CSV. */
export interface CsvFormat {
  /** Between fields. Default: `','`, and a tab for a file that ends in `.tsv`. */
  delimiter: string
  /** Around a field that has a delimiter or a line end in it. `''`: none. Default: `'"'`. */
  quote: string
  /** In front of a quote that belongs to the field. Default: the quote itself. */
  escape: string
  /** Rows that begin with it are left out. `''`, the default: none. */
  comment: string
  /** Whether spaces and tabs around a field are left out; those in quotes stay. Default: no. */
  trim: boolean
}

export const LF = 10
export const CR = 13
export const SPACE = 32
export const TAB = 9

/** Checks a format where the stage is made: each part is one character that no other part is. */
export function checkFormat({ delimiter, quote, escape, comment, trim }: CsvFormat): void {
  const action = 'create readCsv'
  const one = (name: string, text: string, least: number): void =>
    demand(
      typeof text === 'string' && text.length <= 1 && text.length >= least && !/[\r\n]/.test(text),
      action,
      name,
      `one character that ends no line${least === 0 ? ", or ''" : ''}`,
      text,
    )
  one('delimiter', delimiter, 1)
  one('quote', quote, 0)
  one('escape', escape, 0)
  one('comment', comment, 0)
  demand(delimiter !== quote, action, 'delimiter', 'other than "quote"', delimiter)
  demand(delimiter !== escape, action, 'escape', 'other than "delimiter"', escape)
  const apart = comment === '' || (comment !== delimiter && comment !== quote)
  demand(apart, action, 'comment', 'other than "delimiter" and "quote"', comment)
  demand(typeof trim === 'boolean', action, 'trim', 'a boolean', trim, TypeError)
}

/** The delimiter that the name of a file speaks of. */
export function delimiterFor(path: unknown): string {
  return /\.tsv(?:\.(?:gz|br|zst))?$/.test(String(path)) ? '\t' : ','
}

/**
 * What ends the rows of a text, by its first line end outside of quotes: 10 or 13, or 0 where it has none yet. Where
 * no more is to come, or to be looked at, the first line end of all tells.
 */
export function firstLineEnd(text: string, format: CsvFormat, isLast: boolean, isFull: boolean): number {
  const end = lineEndAt(text, placeOfLineEnd(text, format), isLast)
  if (end !== 0 || !(isLast || isFull)) return end
  return lineEndAt(text, text.search(/[\r\n]/), isLast) || LF
}

/** A CR at the end of the text may be the first half of CR LF. */
function lineEndAt(text: string, at: number, isLast: boolean): number {
  if (at < 0) return 0
  let next = at
  while (text.charCodeAt(next) === CR) next++
  if (next === text.length) return isLast ? CR : 0
  return text.charCodeAt(next) === LF ? LF : CR
}

/** Where the first line end stands that is not in quotes, or -1. */
function placeOfLineEnd(text: string, { delimiter, quote, escape, comment, trim }: CsvFormat): number {
  if (comment !== '' && text.startsWith(comment)) return text.search(/[\r\n]/)
  let inside = false
  /** At the beginning of a field. */
  let fresh = true
  let closed = -2
  for (let at = 0; at < text.length; at++) {
    const char = text[at]
    if (inside) {
      if (char === escape && escape !== quote) at++
      else if (char === quote) {
        inside = false
        closed = at
      }
    } else if (char === '\r' || char === '\n') return at
    // The second of two quotes goes on with the field.
    else if (char === quote && (fresh || closed === at - 1)) {
      inside = true
      fresh = false
    } else fresh = char === delimiter || (fresh && trim && (char === ' ' || char === '\t'))
  }
  return -1
}
