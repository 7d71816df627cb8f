// A terminal that tests can read: what is written to it becomes rows of cells, as xterm does it. It wraps late, scrolls,
// keeps what has scrolled away, and breaks lines anew when its width changes. An escape code that it does not know is an
// error, so none gets through unseen. Widths are those that Node itself gives a character.

import { PassThrough } from 'node:stream'
import { createInterface } from 'node:readline'

interface Cell {
  char: string
  colour: string
}
interface Line {
  cells: Cell[]
  /** Goes on in the next one. */
  wraps: boolean
}

const ESC = '\u001B'
const BEL = '\u0007'
const line = (): Line => ({ cells: [], wraps: false })
const token = new RegExp(`(${ESC}\\[[0-?]*[ -/]*[@-~]|${ESC}\\][^${BEL}]*${BEL})`)

export class Terminal {
  readonly isTTY = true
  #lines: Line[] = [line()]
  #y = 0
  /** The column; that behind the last one while the next character is going to wrap. */
  #x = 0
  #colour = ''
  #bytes: number[] = []
  #code = ''
  /** How often something was written. */
  writes = 0

  constructor(
    public columns = 80,
    public rows = 20,
  ) {}

  write(
    chunk: string | Uint8Array,
    encoding?: BufferEncoding | (() => void),
    done: (() => void) | undefined = typeof encoding === 'function' ? encoding : undefined,
  ): boolean {
    this.writes++
    this.#read(Buffer.from(chunk as string, typeof encoding === 'string' ? encoding : 'utf8'))
    done?.()
    return this.writes % 2 === 0
  }

  /** All lines, those that have scrolled away too, without spaces and empty lines at the end. */
  get text(): string[] {
    const texts = this.#lines.map(({ cells }) => textOf(cells).trimEnd())
    while (texts.at(-1) === '') texts.pop()
    return texts
  }

  /** The text with lines that go over several rows as one. */
  get unwrapped(): string[] {
    const texts = joined(this.#lines).map((cells) => textOf(cells).trimEnd())
    while (texts.at(-1) === '') texts.pop()
    return texts
  }

  /** What is written in a colour, piece by piece, as `31:text`. */
  get coloured(): string[] {
    const cells = joined(this.#lines)
      .flat()
      .filter(({ char }) => char.trim())
    const pieces: string[] = []
    cells.forEach(({ char, colour }, i) => {
      if (colour === '') return
      if (cells[i - 1]?.colour === colour) pieces.push(pieces.pop()! + char)
      else pieces.push(`${colour}:${char}`)
    })
    return pieces
  }

  /** Where the cursor is: the column, and how many rows below the last text. */
  get cursor(): [column: number, below: number] {
    return [this.#x, this.#y - this.text.length + 1]
  }

  resize(columns: number, rows = this.rows): void {
    const above = this.#lines.slice(0, this.#y)
    const owner = above.filter(({ wraps }) => !wraps).length
    const place = this.#x + this.#lengthOfWrapped(above)
    const logical = joined(this.#lines).map((cells) => broken(trimmed(cells), columns))
    this.#lines = logical.flat()
    this.#y = logical.slice(0, owner).flat().length + Math.floor(place / columns)
    this.#x = place % columns
    while (this.#lines.length <= this.#y) this.#lines.push(line())
    // Empty rows below the cursor make room.
    while (this.#lines.length > this.#y + 1 && this.#lines.at(-1)!.cells.length === 0) this.#lines.pop()
    this.columns = columns
    this.rows = rows
  }

  /** How many cells of the cursor's own line are in rows above. */
  #lengthOfWrapped(above: readonly Line[]): number {
    let length = 0
    for (let i = above.length - 1; i >= 0 && above[i].wraps; i--) length += this.columns
    return length
  }

  #read(bytes: Uint8Array): void {
    const all = [...this.#bytes, ...bytes]
    const text = new TextDecoder('utf-8', { fatal: false }).decode(new Uint8Array(all), { stream: true })
    this.#bytes = all.slice(Buffer.byteLength(text))
    const whole = this.#code + text
    const begun = new RegExp(`${ESC}(\\[[0-?]*[ -/]*|\\][^${BEL}]*)?$`).exec(whole)?.[0] ?? ''
    this.#code = begun
    for (const piece of whole.slice(0, whole.length - begun.length).split(token)) {
      if (piece.startsWith('\u001B]')) continue
      if (piece.startsWith('\u001B')) this.#obey(piece)
      else for (const char of piece) this.#put(char)
    }
  }

  get #top(): number {
    return Math.max(0, this.#lines.length - this.rows)
  }

  #put(char: string): void {
    if (char === '\n') this.#down()
    else if (char === '\r') this.#x = 0
    else if (char === '\b') this.#x = Math.max(0, Math.min(this.#x, this.columns - 1) - 1)
    else if (char === '\t') this.#x = Math.min(this.columns - 1, (Math.floor(this.#x / 8) + 1) * 8)
    else if (char < ' ' || char === '\u007F' || char === '\u001B')
      throw new Error(`The terminal got ${JSON.stringify(char)}`)
    else this.#draw(char, cellsOf(char))
  }

  /** A line break of the tty, which goes to the first column. */
  #down(): void {
    this.#x = 0
    this.#y++
    if (this.#y === this.#lines.length) this.#lines.push(line())
  }

  #draw(char: string, width: number): void {
    if (width > 0 && this.#x + width > this.columns) {
      this.#lines[this.#y].wraps = true
      this.#down()
    }
    const { cells } = this.#lines[this.#y]
    if (width === 0) {
      const last = cells[this.#x - 1]
      if (last) last.char += char
      return
    }
    while (cells.length < this.#x) cells.push({ char: ' ', colour: '' })
    cells[this.#x] = { char, colour: this.#colour }
    if (width === 2) cells[this.#x + 1] = { char: '', colour: '' }
    this.#x += width
  }

  #obey(code: string): void {
    const [, parameters, letter] = new RegExp(`^${ESC}\\[([\\d;]*)([A-Za-z])$`).exec(code) ?? []
    const count = Math.max(1, Number(parameters))
    if (letter === undefined) throw new Error(`The terminal got ${JSON.stringify(code)}`)
    if (letter === 'm') return this.#paint(parameters)
    this.#x = Math.min(this.#x, this.columns - 1)
    if (letter === 'A') this.#y = Math.max(this.#top, this.#y - count)
    else if (letter === 'C') this.#x = Math.min(this.columns - 1, this.#x + count)
    else if (letter === 'D') this.#x = Math.max(0, this.#x - count)
    else if (letter === 'G') this.#x = Math.min(this.columns, count) - 1
    else if (letter === 'K') this.#clear(this.#y, parameters === '2' ? 0 : this.#x)
    else if (letter === 'J') {
      this.#clear(this.#y, this.#x)
      for (let y = this.#y + 1; y < this.#lines.length; y++) this.#clear(y, 0)
    } else throw new Error(`The terminal got ${JSON.stringify(code)}`)
  }

  #clear(y: number, x: number): void {
    this.#lines[y].cells.splice(x)
    this.#lines[y].wraps = false
  }

  #paint(parameters: string): void {
    if (/^0?$/.test(parameters) || parameters === '39') this.#colour = ''
    else if (/^3\d$/.test(parameters)) this.#colour = parameters
  }
}

const textOf = (cells: readonly Cell[]) => Array.from(cells, (cell) => (cell ? cell.char : ' ')).join('')

function joined(lines: readonly Line[]): Cell[][] {
  const all: Cell[][] = []
  lines.forEach(({ cells }, i) => {
    if (lines[i - 1]?.wraps) all.at(-1)!.push(...cells)
    else all.push([...cells])
  })
  return all
}

function trimmed(cells: readonly Cell[]): readonly Cell[] {
  const end = cells.findLastIndex(({ char }) => char !== ' ') + 1
  return cells.slice(0, end)
}

function broken(cells: readonly Cell[], columns: number): Line[] {
  const lines: Line[] = []
  for (let at = 0; at < cells.length || at === 0; at += columns) {
    lines.push({ cells: cells.slice(at, at + columns), wraps: at + columns < cells.length })
  }
  return lines
}

const reader = createInterface({ input: new PassThrough(), output: new PassThrough(), terminal: true })
reader.setPrompt('')
const known = new Map<string, number>()

/** How many cells a character takes, as Node says when it edits a line. */
export function cellsOf(char: string): number {
  if (!known.has(char)) {
    Object.assign(reader, { line: char, cursor: char.length })
    known.set(char, reader.getCursorPos().cols)
  }
  return known.get(char)!
}
