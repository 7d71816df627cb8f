/**
 * Where fields and rows of CSV begin and end: RFC 4180, and what is found in the wild.
 *
 * A field that begins with a quote goes on to the next quote that is not doubled, line ends included. A quote inside a
 * field that does not begin with one stands for itself. Rows end with LF or CR LF, mixed if need be, or all with CR:
 * the first line end outside of quotes tells.
 *
 * Why no library: `csv-parse` is complete and takes fourteen times as long; `udsv` is as fast as this,
 * but takes the fields of a short row from the next one without a word, and needs one kind of line end throughout;
 * neither says where a field stood. Tests compare this with `csv-parse`, over random input (bench: orders).
 *
 * A row that breaks the rules costs no other row: reading goes on in the line after the one where it began.
 *
 * What comes out depends on the text alone, not on where the blocks of a file end. So a row is too long where it is not
 * over in the first `most` characters and a line end, whether what follows has been read or not.
 */
import { type CsvFormat, CR, firstLineEnd, LF, SPACE, TAB } from './csv-format.ts'

/** What the scanner tells. */
export interface CsvSink {
  /** A row whose fields stand in the text as they are: `starts` and `ends`, up to `count`. The arrays are used again. */
  spans(starts: readonly number[], ends: readonly number[], count: number, from: number): void
  /** Any other row: `fields` up to `count`, and the text between `from` and `to`. The array is used again. */
  row(fields: string[], count: number, from: number, to: number): void
  /** A row that breaks the rules: what is wrong, and where. */
  broken(what: string, at: number, from: number, to: number): void
}

/** What it must know to go on in the middle of a file, as plain data. */
export interface ScannerState {
  /** What ends a row: 10 or 13, or 0: not known yet. */
  end: number
  /** The rest of a line that is too long is passed over. */
  skipping: boolean
  /** The last row was given without its end, which may come when the file grows. */
  open?: boolean
}

/** The code of the one character of `text`, or one that no character has. */
const codeOf = (text: string): number => (text === '' ? -1 : text.charCodeAt(0))

export class CsvScanner {
  readonly #delimiter: number
  readonly #quote: number
  readonly #escape: number
  readonly #comment: number
  readonly #trim: boolean
  /** No wish that each field would have to be looked at for. */
  readonly #plain: boolean
  readonly #fields: string[] = []
  readonly #starts: number[] = []
  readonly #ends: number[] = []
  /** What ends a row: a LF, maybe after a CR, or a CR. */
  #end: number
  #skipping: boolean
  #open: boolean
  /** Line ends so far: those inside of fields, and those of rows. */
  lines = 0
  /** Where in the text its first line begins: behind the end of a row that was given without it. */
  begin = 0
  /** Where the quoted field that was read last begins, and where it is over, or -1: it goes on behind the text. */
  #opened = 0
  #behind = 0

  constructor(
    readonly format: CsvFormat,
    readonly sink: CsvSink,
    { end, skipping, open = false }: ScannerState = { end: 0, skipping: false },
  ) {
    this.#end = end
    this.#skipping = skipping
    this.#open = open
    this.#delimiter = codeOf(format.delimiter)
    this.#quote = codeOf(format.quote)
    this.#escape = codeOf(format.escape)
    this.#comment = codeOf(format.comment)
    this.#trim = format.trim
    this.#plain = !format.trim && format.comment === '' && format.escape === format.quote
  }

  /** What a row ends with: 10 or 13. */
  get end(): number {
    return this.#end
  }

  get state(): ScannerState {
    return { end: this.#end, skipping: this.#skipping, open: this.#open }
  }

  /**
   * Scans the whole rows of a text. Gives where the first one begins that is not whole; `final`: the last row needs no
   * end. `most`: how many characters a row may have.
   */
  scan(text: string, final: boolean, most: number): number {
    const { length } = text
    const room = most + 1
    if (this.#end === 0) {
      this.#end = firstLineEnd(text.slice(0, room), this.format, final && length <= room, length >= room)
      if (this.#end === 0) return 0
    }
    let at = (this.begin = this.#open ? this.#lateEnd(text) : 0)
    while (at < length) {
      if (this.#skipping) at = this.#skip(text, at)
      if (this.#plain) at = this.#plainRows(text, at, Math.min(length, at + room))
      if (at === length) break
      const limit = Math.min(length, at + room)
      const isLast = final && limit === length
      const next = this.#isComment(text, at)
        ? this.#afterLine(text, at, limit, isLast)
        : this.#row(text, at, limit, isLast)
      if (next >= 0) at = next
      else if (isLast || limit - at === room) at = this.#endless(text, at, limit, isLast, most)
      else break
    }
    if (at > 0) this.#open = !this.#skipping && text.charCodeAt(at - 1) !== this.#end
    return at
  }

  /** How long the line end is that has come to a row which was given without it. */
  #lateEnd(text: string): number {
    const crs = this.#end === LF && text.startsWith('\r') ? 1 : 0
    return text.charCodeAt(crs) === this.#end ? crs + 1 : 0
  }

  /**
   * The rows up to one that is not plain: with a doubled quote, or not whole. Gives where that begins.
   *
   * All in one loop over characters, which needs no look at the end of the text: as far as there is a line end, a field
   * that is not quoted ends. Half of the time of `#row` (bench: orders).
   */
  #plainRows(text: string, at: number, limit: number): number {
    const delimiter = this.#delimiter
    const quote = this.#quote
    const rowEnd = this.#end
    const starts = this.#starts
    const ends = this.#ends
    const last = text.lastIndexOf(rowEnd === LF ? '\n' : '\r', limit - 1)
    while (at <= last) {
      let inside = 0
      let count = 0
      let to = at
      let code: number
      do {
        code = text.charCodeAt(to)
        if (code === quote) {
          starts[count] = ++to
          while (to <= last && (code = text.charCodeAt(to)) !== quote) {
            if (code === rowEnd) inside++
            to++
          }
          if (to > last) return at
          ends[count++] = to
          code = text.charCodeAt(++to)
          if (code === CR && rowEnd === LF && text.charCodeAt(to + 1) === LF) code = text.charCodeAt(++to)
          if (code !== delimiter && code !== rowEnd) return at
        } else {
          starts[count] = to
          while (code !== delimiter && code !== rowEnd) code = text.charCodeAt(++to)
          ends[count++] = to
        }
        to++
      } while (code !== rowEnd)
      // A field that is not quoted has the CR of a CR LF.
      const end = ends[count - 1]
      if (rowEnd === LF && end === to - 1 && end > starts[count - 1] && text.charCodeAt(end - 1) === CR)
        ends[count - 1]--
      this.lines += inside + 1
      this.sink.spans(starts, ends, count, at)
      at = to
    }
    return at
  }

  #isPadding(code: number): boolean {
    return this.#trim && (code === SPACE || code === TAB) && code !== this.#delimiter
  }

  #isComment(text: string, at: number): boolean {
    return this.#comment >= 0 && text.charCodeAt(at) === this.#comment
  }

  /** Where the next line begins, or -1. */
  #afterLine(text: string, at: number, limit: number, isLast: boolean): number {
    const end = text.indexOf(this.#end === LF ? '\n' : '\r', at)
    const found = end >= 0 && end < limit
    this.#behind = 0
    if (!found && !isLast) return -1
    this.lines++
    return found ? end + 1 : text.length
  }

  /** The rest of a line that is too long. */
  #skip(text: string, at: number): number {
    const end = text.indexOf(this.#end === LF ? '\n' : '\r', at)
    if (end < 0) return text.length
    this.#skipping = false
    this.lines++
    return end + 1
  }

  /** A row that is not over where it should be: its first line is given up. */
  #endless(text: string, from: number, limit: number, isLast: boolean, most: number): number {
    const unclosed = this.#behind < 0
    const within = isLast ? '' : ` within ${most} characters ("maxRow")`
    const what = unclosed
      ? `a quoted field is not closed${within}`
      : `the row has more than ${most} characters ("maxRow")`
    const at = unclosed ? this.#opened : from
    const next = this.#breakOff(text, from, limit, isLast, at, what)
    if (next >= 0) return next
    this.#skipping = true
    if (!this.#isComment(text, from)) this.sink.broken(what, at, from, from + most)
    return limit
  }

  /** Gives up the first line of a row, and goes on in the next one; -1 where that line is not whole. */
  #breakOff(text: string, from: number, limit: number, isLast: boolean, at: number, what: string): number {
    const next = this.#afterLine(text, from, limit, isLast)
    if (next >= 0) this.sink.broken(what, at, from, this.#lineEnd(text, from, next))
    return next
  }

  /** The end of the line before `next`, without what ends it. */
  #lineEnd(text: string, from: number, next: number): number {
    let end = next
    if (end > from && text.charCodeAt(end - 1) === this.#end) end--
    if (end > from && this.#end === LF && text.charCodeAt(end - 1) === CR) end--
    return end
  }

  /** One row. Gives where the next one begins, or -1 where this one is not whole. */
  #row(text: string, from: number, length: number, final: boolean): number {
    const fields = this.#fields
    const delimiter = this.#delimiter
    const rowEnd = this.#end
    const before = this.lines
    this.#behind = 0
    let count = 0
    let at = from
    for (;;) {
      let code = at < length ? text.charCodeAt(at) : -1
      while (this.#isPadding(code)) code = ++at < length ? text.charCodeAt(at) : -1
      if (code === this.#quote && code >= 0) {
        fields[count++] = this.#quoted(text, at + 1, length, final)
        if (this.#behind < 0) {
          this.lines = before
          return -1
        }
        at = this.#behind
        code = at < length ? text.charCodeAt(at) : -1
        while (this.#isPadding(code)) code = ++at < length ? text.charCodeAt(at) : -1
        if (code === CR && rowEnd === LF && (final || at + 1 < length) && this.#endsAt(text, at + 1, length))
          code = ++at < length ? text.charCodeAt(at) : -1
        if (at < length && code !== delimiter && code !== rowEnd) {
          this.lines = before
          // At the end of the text, it may be the first half of CR LF, or of a character.
          if (at + 1 === length && !final) return -1
          const what = `a quoted field is followed by ${JSON.stringify(String.fromCodePoint(text.codePointAt(at)!))}`
          return this.#breakOff(text, from, length, final, at, what)
        }
      } else {
        const start = at
        while (at < length && code !== delimiter && code !== rowEnd) code = text.charCodeAt(++at)
        let end = at
        if (rowEnd === LF && (code === LF || at === length) && end > start && text.charCodeAt(end - 1) === CR)
          end--
        while (end > start && this.#isPadding(text.charCodeAt(end - 1))) end--
        fields[count++] = text.slice(start, end)
      }
      if (at >= length) {
        if (!final) {
          this.lines = before
          return -1
        }
        break
      }
      at++
      if (code === rowEnd) break
    }
    this.lines++
    this.sink.row(fields, count, from, this.#lineEnd(text, from, at))
    return at
  }

  /** Whether a LF, or the end of all, stands there. */
  #endsAt(text: string, at: number, length: number): boolean {
    return at === length || text.charCodeAt(at) === LF
  }

  /** A quoted field from behind its quote on. */
  #quoted(text: string, from: number, length: number, final: boolean): string {
    const quote = this.#quote
    const escape = this.#escape
    const rowEnd = this.#end
    let value = ''
    let at = from
    this.#opened = from - 1
    for (; at < length; at++) {
      const code = text.charCodeAt(at)
      if (code === rowEnd) this.lines++
      if (code !== escape && code !== quote) continue
      const next = at + 1 < length ? text.charCodeAt(at + 1) : -1
      // It may be the first of two.
      if (next < 0 && !final) break
      if (code === escape && (next === quote || (next === escape && escape !== quote))) {
        value += text.slice(from, at)
        from = ++at
      } else if (code === quote) {
        this.#behind = at + 1
        return value + text.slice(from, at)
      }
    }
    this.#behind = -1
    return ''
  }
}
