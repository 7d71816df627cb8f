/**
 * Where fields and rows of CSV begin and end: RFC 4180, and what is found in the wild.
 *
 * A field that begins with a quote goes on to the next quote that is not doubled, line ends included. A quote inside a
 * field that does not begin with one stands for itself. Rows end with LF or CR LF, mixed if need be, or all with CR.
 *
 * Why no library: `csv-parse` is complete and takes four times as long as all else together; `udsv` is as fast as this,
 * but takes the fields of a short row from the next one without a word, and needs one kind of line end throughout;
 * neither says where a field stood. Tests compare this with `csv-parse`, over random input (bench: orders).
 *
 * A row that breaks the rules costs no other row: reading goes on in the line after the one where it began.
 */
export interface CsvFormat {
  delimiter: string
  /** `''`: none. */
  quote: string
  escape: string
  /** Rows that begin with it are left out. `''`: none. */
  comment: string
  trim: boolean
}

/** What the scanner tells. */
export interface CsvSink {
  /** A row whose fields stand in the text as they are: `starts` and `ends`, up to `count`. The arrays are used again. */
  spans(starts: readonly number[], ends: readonly number[], count: number, from: number): void
  /** Any other row: `fields` up to `count`, and the text between `from` and `to`. The array is used again. */
  row(fields: string[], count: number, from: number, to: number): void
  /** A row that breaks the rules: what is wrong, and where. */
  broken(what: string, at: number, from: number, to: number): void
}

const LF = 10
const CR = 13
const SPACE = 32
const TAB = 9

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
  /** What ends a row: a CR where there is no LF in the first block, else a LF, maybe after a CR. */
  #end = 0
  /** Line ends so far: those inside of fields, and those of rows. */
  lines = 0
  /** Where the quoted field that was read last begins, and where it is over, or -1: it goes on behind the text. */
  #opened = 0
  #behind = 0

  constructor(
    format: CsvFormat,
    readonly sink: CsvSink,
  ) {
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

  /** Scans the whole rows of a text. Gives where the first one begins that is not whole; `final`: the last row needs no end. */
  scan(text: string, final: boolean, most: number): number {
    const { length } = text
    if (this.#end === 0 && !this.#findEnd(text, final || length > most)) return 0
    let at = 0
    while (at < length) {
      if (this.#plain) at = this.#plainRows(text, at)
      if (at === length) break
      const next = this.#isComment(text, at) ? this.#afterLine(text, at, final) : this.#row(text, at, final)
      if (next >= 0) at = next
      // It goes on behind the text: that may be too far.
      else if (final || length - at > most) at = this.#endless(text, at)
      else break
    }
    return at
  }

  /**
   * The rows up to one that is not plain: with a doubled quote, or not whole. Gives where that begins.
   *
   * All in one loop over characters, which needs no look at the end of the text: as far as there is a line end, a field
   * that is not quoted ends. Half of the time of `#row` (bench: orders).
   */
  #plainRows(text: string, at: number): number {
    const delimiter = this.#delimiter
    const quote = this.#quote
    const rowEnd = this.#end
    const starts = this.#starts
    const ends = this.#ends
    const last = text.lastIndexOf(rowEnd === LF ? '\n' : '\r')
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

  /** Looks for the first line end. */
  #findEnd(text: string, final: boolean): boolean {
    const cr = text.indexOf('\r')
    const lf = text.indexOf('\n')
    // A CR at the end of the text may be the first half of CR LF.
    if (lf < 0 && !final && (cr < 0 || cr === text.length - 1)) return false
    this.#end = cr >= 0 && lf < 0 ? CR : LF
    return true
  }

  #isComment(text: string, at: number): boolean {
    return this.#comment >= 0 && text.charCodeAt(at) === this.#comment
  }

  /** Where the next line begins, or -1. */
  #afterLine(text: string, at: number, final: boolean): number {
    const end = text.indexOf(this.#end === LF ? '\n' : '\r', at)
    if (end < 0 && !final) return -1
    this.lines++
    return end < 0 ? text.length : end + 1
  }

  /** A row that never ends. */
  #endless(text: string, from: number): number {
    const unclosed = this.#behind < 0
    const much = `${text.length - from} characters`
    const what = unclosed ? `a quoted field is not closed in ${much}` : `the row has more than ${much}`
    return this.#breakOff(text, from, unclosed ? this.#opened : from, what)
  }

  /** Gives up the first line of a row, and goes on in the next one. */
  #breakOff(text: string, from: number, at: number, what: string): number {
    const next = this.#afterLine(text, from, true)
    this.sink.broken(what, at, from, this.#lineEnd(text, next))
    return next
  }

  /** The end of the line before `next`, without what ends it. */
  #lineEnd(text: string, next: number): number {
    let end = next
    if (text.charCodeAt(end - 1) === this.#end) end--
    if (this.#end === LF && text.charCodeAt(end - 1) === CR) end--
    return end
  }

  /** One row. Gives where the next one begins, or -1 where this one is not whole. */
  #row(text: string, from: number, final: boolean): number {
    const { length } = text
    const fields = this.#fields
    const delimiter = this.#delimiter
    const rowEnd = this.#end
    const before = this.lines
    this.#behind = 0
    let count = 0
    let at = from
    for (;;) {
      let code = at < length ? text.charCodeAt(at) : -1
      if (this.#trim) while (code === SPACE || code === TAB) code = ++at < length ? text.charCodeAt(at) : -1
      if (code === this.#quote && code >= 0) {
        fields[count++] = this.#quoted(text, at + 1, final)
        if (this.#behind < 0) {
          this.lines = before
          return -1
        }
        at = this.#behind
        code = at < length ? text.charCodeAt(at) : -1
        if (this.#trim) while (code === SPACE || code === TAB) code = ++at < length ? text.charCodeAt(at) : -1
        if (code === CR && rowEnd === LF && (text.charCodeAt(at + 1) === LF || (final && at + 1 === length)))
          code = text.charCodeAt(++at)
        if (at < length && code !== delimiter && code !== rowEnd) {
          this.lines = before
          // A CR at the end may be the first half of CR LF.
          if (code === CR && at + 1 === length && !final) return -1
          const what = `a quoted field is followed by ${JSON.stringify(text.charAt(at))}`
          return this.#breakOff(text, from, at, what)
        }
      } else {
        const start = at
        while (at < length && code !== delimiter && code !== rowEnd) code = text.charCodeAt(++at)
        let end = at
        if (rowEnd === LF && (code === LF || at === length) && end > start && text.charCodeAt(end - 1) === CR)
          end--
        const field = text.slice(start, end)
        fields[count++] = this.#trim ? field.trimEnd() : field
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
    this.sink.row(fields, count, from, at)
    return at
  }

  /** A quoted field from behind its quote on. */
  #quoted(text: string, from: number, final: boolean): string {
    const { length } = text
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
