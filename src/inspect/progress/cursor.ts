/**
 * Where the program has left the cursor of the terminal, and in which colours: so that a block of lines can be drawn
 * below and the program goes on writing as if nothing had been there.
 *
 * It follows what is written, nothing is held back. There are places that it cannot come back to; nothing may be drawn then.
 */
import { cellsOf } from './width.ts'

export const ESC = '\u001B'
const BEL = '\u0007'

/** An escape code: CSI with its parameters, a string such as the title of the window, or a short one. */
const CODES = new RegExp(
  `(${ESC}(?:\\[[0-?]*[ -/]*[@-~]|[\\]PX^_][^${BEL}${ESC}]*(?:${BEL}|${ESC}\\\\)|[ -/]*[0-OQ-WYZ\\\\\`-~]))`,
)
/** The beginning of one, at the end of a text. */
const BEGUN = new RegExp(`${ESC}(?:\\[[0-?]*[ -/]*|[\\]PX^_][^${BEL}${ESC}]*${ESC}?|[ -/]*)$`)
const COLOURS = new RegExp(`^${ESC}\\[([\\d;:]*)m$`)
const IN_ROW = new RegExp(`^${ESC}\\[(\\d*)([CDGK])$`)
/** What goes on for longer is no escape code. */
const LONGEST_CODE = 4096
/** So many colours are remembered. More can only be a gradient. */
const MOST_COLOURS = 50
const TAB = 8

export class Cursor {
  /** Whether there is anything in its line. */
  begun = false
  /** How many cells of the line are in rows above, and its place in the row. The place behind the last cell counts. */
  #above = 0
  #column = 0
  #columns = 80
  /** The codes for colours that still hold. The last one of the same kind decides, so each is here once. */
  readonly #colours = new Set<string>()
  /** The first bytes of a character, and the beginning of an escape code. */
  #bytes: Uint8Array = new Uint8Array()
  #code = ''

  /**
   * Whether it can be found again when it has been elsewhere: not within a character or an escape code, and not behind
   * the last cell of a row, from where a character would go to the next row and a line break would not.
   */
  get isFixed(): boolean {
    return this.#bytes.length === 0 && this.#code === '' && this.#column < this.#columns
  }

  /** Switches on again what the program has switched on. */
  get colours(): string {
    return [...this.#colours].join('')
  }

  /** Its place in the row. Terminals break lines anew when they get another width. */
  columnIn(columns: number): number {
    if (columns !== this.#columns) {
      const cells = this.#above + this.#column
      this.#columns = columns
      this.#column = cells % columns
      this.#above = cells - this.#column
    }
    return this.#column
  }

  /** The program has written this. */
  follow(chunk: unknown, encoding: unknown, columns: number): void {
    this.columnIn(columns)
    const [text, begun] = this.#textOf(chunk, encoding)
    this.#code = begun
    text.split(CODES).forEach((piece, i) => {
      if (i % 2 === 0) this.#move(piece)
      else this.#obey(piece)
    })
  }

  /** Somebody else has moved it to the beginning of a line. */
  reset(): void {
    this.#newLine()
    this.#bytes = new Uint8Array()
    this.#code = ''
  }

  #newLine(): void {
    this.begun = false
    this.#above = this.#column = 0
  }

  /** What is complete of it, and the beginning of an escape code. */
  #textOf(chunk: unknown, encoding: unknown): [text: string, begun: string] {
    const text = this.#code + this.#decode(chunk, encoding)
    const begun = BEGUN.exec(text)?.[0] ?? ''
    return begun.length > LONGEST_CODE ? [text, ''] : [text.slice(0, text.length - begun.length), begun]
  }

  #decode(chunk: unknown, encoding: unknown): string {
    if (typeof chunk === 'string' && !isOther(encoding)) {
      this.#bytes = new Uint8Array()
      return chunk
    }
    const bytes = joined(this.#bytes, bytesOf(chunk, encoding))
    const end = bytes.length - unfinished(bytes)
    this.#bytes = bytes.slice(end)
    return new TextDecoder().decode(bytes.subarray(0, end))
  }

  #move(text: string): void {
    const line = text.lastIndexOf('\n') + 1
    if (line > 0) this.#newLine()
    for (const char of line > 0 ? text.slice(line) : text) this.#step(char)
  }

  #step(char: string): void {
    const [column, last] = [this.#column, this.#columns - 1]
    if (char === '\r') this.#column = 0
    else if (char === '\b') this.#column = Math.max(0, Math.min(column, last) - 1)
    else if (char === '\t') this.#column = Math.min(column + TAB - (column % TAB), last)
    else this.#put(cellsOf(char))
    this.begun ||= this.#column > 0
  }

  #put(cells: number): void {
    // What does not fit in a row goes to the next as a whole.
    if (cells > 0 && this.#column + cells > this.#columns) {
      this.#above += this.#columns
      this.#column = 0
    }
    this.#column += cells
  }

  #obey(code: string): void {
    const colours = COLOURS.exec(code)
    if (colours) {
      if (/^0*(;|$)/.test(colours[1])) this.#colours.clear()
      this.#colours.delete(code)
      if (/[1-9]/.test(colours[1])) this.#colours.add(code)
      if (this.#colours.size > MOST_COLOURS) this.#colours.delete([...this.#colours][0])
    }
    const [, steps, way] = IN_ROW.exec(code) ?? []
    if (way === undefined) return
    const last = this.#columns - 1
    const column = Math.min(this.#column, last)
    if (way === 'K') {
      // To the end of the row, of which it is at the beginning.
      if (steps !== '1' && column === 0 && this.#above === 0) this.begun = false
      return
    }
    const count = Math.max(1, Number(steps))
    const wanted = way === 'G' ? count - 1 : column + (way === 'C' ? count : -count)
    this.#column = Math.min(Math.max(0, wanted), last)
    this.begun ||= this.#column > 0
  }
}

/** Text in an encoding whose characters are not those of the string: `hex`, `base64`. */
function isOther(encoding: unknown): boolean {
  return typeof encoding === 'string' && !/^utf-?8$/i.test(encoding)
}

const host = globalThis as { Buffer?: { from(text: string, encoding: string): Uint8Array } }

function bytesOf(chunk: unknown, encoding: unknown): Uint8Array {
  if (typeof chunk === 'string') return host.Buffer?.from(chunk, encoding as string) ?? new Uint8Array()
  if (!ArrayBuffer.isView(chunk)) return new Uint8Array()
  return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
}

function joined(before: Uint8Array, after: Uint8Array): Uint8Array {
  if (before.length === 0) return after
  const both = new Uint8Array(before.length + after.length)
  both.set(before)
  both.set(after, before.length)
  return both
}

/** How many bytes at the end are the beginning of a character in UTF-8. */
function unfinished(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]
    if (byte < 0x80) return 0
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0
  }
  return 0
}
