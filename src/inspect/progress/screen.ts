/**
 * The block of lines at the bottom of a terminal, shared by all who show something there.
 *
 * It stands above an empty line, in which the cursor is: whatever ends the process, even without a word, leaves a
 * terminal to go on with, and the cursor need not be hidden. What the program writes takes the block away first and goes
 * where the cursor would have been without it; the block comes back when the program gives way, so that a thousand
 * lines cost one drawing. A line that the program has begun is left alone above the block and continued later.
 *
 * Tried and rejected: holding back a line until it is complete (nobody would see a question before its answer), and
 * saving the position of the cursor in the terminal (it does not scroll with the text). Nothing listens for a change of
 * the size: it is asked for at each drawing, and terminals break lines anew that have become too long.
 */
import { Cursor, ESC } from './cursor.ts'
import { Tap } from './tap.ts'
import { cut, firstLine, widthOf } from './width.ts'

/** Where progress is shown: `process.stderr`, or what looks like it. */
export interface ProgressStream {
  write(text: string): unknown
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  readonly rows?: number | undefined
}

/** A part of the block. */
export interface Picture {
  /** Its lines, none of which may be longer than `width` cells, and `height` of them at most. */
  lines(width: number, height: number): readonly Line[]
}

/** What is drawn, and in how many cells. */
export interface Line {
  readonly drawn: string
  readonly width: number
}

interface Host {
  readonly process?: {
    readonly stdout?: ProgressStream
    readonly stderr?: ProgressStream
    prependListener?(event: 'warning', listener: () => void): void
    off?(event: 'warning', listener: () => void): void
    emitWarning?(message: string, type: string): void
  }
  setImmediate?(call: () => void): { unref?(): void }
}
const host = globalThis as unknown as Host

const RESET = `${ESC}[0m`
const CLEAR_LINE = `${ESC}[K`
const CLEAR_BELOW = `${ESC}[J`
const up = (rows: number): string => `${ESC}[${rows}A`

const screens = /* @__PURE__ */ new Set<Screen>()

/** The screen that this stream writes to. The two of the process write to the same one where both are terminals. */
export function screenOf(stream: ProgressStream): Screen {
  const { stdout, stderr } = host.process ?? {}
  const pair = stream === stdout || stream === stderr ? [stdout, stderr] : []
  const streams = new Set([stream, ...pair.filter((each) => each?.isTTY)] as ProgressStream[])
  return [...screens].find((screen) => screen.streams.has(stream)) ?? new Screen(stream, streams)
}

/** Says that a stream has thrown: what it was to show concerns nobody else. */
export function warnOf(error: unknown): void {
  const message = `Cannot show progress any more: ${firstLine(error)}`
  host.process?.emitWarning?.(message, 'SluiceWarning')
}

export class Screen {
  readonly #pictures = new Set<Picture>()
  readonly #cursor = new Cursor()
  #taps: Tap[] = []
  /** The widths of the lines on the screen. */
  #drawn: readonly number[] = []
  /** Nobody is told of what is written meanwhile. */
  #drawing = false
  #drawsSoon = false
  #knowsCursor = false

  constructor(
    readonly stream: ProgressStream,
    readonly streams: ReadonlySet<ProgressStream>,
  ) {}

  add(picture: Picture): void {
    if (this.#pictures.size === 0) this.#open()
    this.#pictures.add(picture)
    this.draw()
  }

  /** Leaves `lines` above the block in its place, for ever. */
  remove(picture: Picture, lines: readonly Line[]): void {
    if (!this.#pictures.delete(picture)) return
    this.#erase()
    this.#leave(lines)
    if (this.#pictures.size === 0) this.#close()
    else this.draw()
  }

  get #columns(): number {
    return this.stream.columns || 80
  }

  /** How many cells and lines there are for the block. The last cell of a row would make the terminal go to the next. */
  get size(): { width: number; height: number } {
    return { width: Math.max(1, this.#columns - 1), height: (this.stream.rows || 24) - 2 }
  }

  /** Draws the block over itself. Where the program has to write on first, later. */
  draw(): void {
    if (!this.#cursor.isFixed || this.#drawing) return
    const lines = this.#compose()
    const rows = this.#rows()
    if (lines.length === 0) return this.#erase()
    const start = rows > 0 ? `\r${up(rows)}` : this.#newLine()
    const text = lines.map(({ drawn }) => `${drawn}${CLEAR_LINE}\n`).join('')
    this.#drawn = lines.map((line) => line.width)
    this.#write(start + (this.#cursor.colours && RESET) + text + CLEAR_BELOW)
  }

  /** Shares the height: whoever needs less leaves it to the next. Those for whom there is none are counted. */
  #compose(): Line[] {
    const { width, height } = this.size
    const isFull = this.#pictures.size > height && height > 1
    const room = isFull ? height - 1 : height
    const shown = isFull ? [...this.#pictures].slice(0, room) : [...this.#pictures]
    const lines: Line[] = []
    let left = shown.length
    for (const picture of shown)
      lines.push(...picture.lines(width, Math.floor((room - lines.length) / left--)))
    if (isFull) {
      const drawn = cut(`  … and ${this.#pictures.size - room} runs more`, width)
      lines.push({ drawn, width: widthOf(drawn) })
    }
    return lines
  }

  /** How many rows the block takes now. */
  #rows(): number {
    return this.#drawn.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / this.#columns)), 0)
  }

  /** Takes the block away and the cursor back to where the program has left it. */
  #erase(): void {
    const rows = this.#rows()
    if (rows === 0) return
    this.#drawn = []
    const column = this.#cursor.columnIn(this.#columns)
    const back = (this.#cursor.begun ? up(1) : '') + (column > 0 ? `${ESC}[${column}C` : '')
    this.#write(`\r${up(rows)}${CLEAR_BELOW}${back}${this.#cursor.colours}`)
  }

  /** Writes lines as the program would. */
  #leave(lines: readonly Line[]): void {
    const { colours } = this.#cursor
    const start = this.#newLine()
    const text = lines.map(({ drawn }) => `${drawn}\n`).join('')
    this.#cursor.reset()
    this.#write(start + (colours && RESET) + text + colours)
  }

  /** From where the program has left the cursor to the beginning of a line. */
  #newLine(): string {
    if (this.#knowsCursor) return this.#cursor.begun ? '\n' : ''
    this.#knowsCursor = true
    // It may have begun a line before: a row of spaces goes to the next row, unless it began at the first cell.
    return this.stream.columns ? `${' '.repeat(this.stream.columns)}\r` : ''
  }

  #write(text: string): void {
    this.#drawing = true
    try {
      this.#taps[0]?.write(text)
    } catch (error) {
      this.#giveUp(error)
    } finally {
      this.#drawing = false
    }
  }

  /** Nothing can be shown here any more. */
  #giveUp(error: unknown): void {
    this.#pictures.clear()
    this.#drawn = []
    this.#close()
    warnOf(error)
  }

  /** The program writes. */
  #pass(args: readonly unknown[], forward: () => unknown): unknown {
    const [chunk, encoding] = args
    const { length } = Object(chunk) as { length?: number }
    if (this.#drawing || !length) return forward()
    this.#erase()
    try {
      return forward()
    } finally {
      this.#cursor.follow(chunk, encoding, this.#columns)
      this.#drawSoon()
    }
  }

  #drawSoon(): void {
    if (this.#drawsSoon || !host.setImmediate) return
    this.#drawsSoon = true
    const draw = (): void => {
      this.#drawsSoon = false
      if (this.#pictures.size > 0) this.draw()
    }
    host.setImmediate(draw).unref?.()
  }

  #open(): void {
    screens.add(this)
    this.#taps = [...this.streams].map((stream) => new Tap(stream, (...call) => this.#pass(...call)))
    if (this.#isOfProcess) host.process?.prependListener?.('warning', this.#warned)
  }

  #close(): void {
    screens.delete(this)
    for (const tap of this.#taps.splice(0).reverse()) tap.release()
    if (this.#isOfProcess) host.process?.off?.('warning', this.#warned)
  }

  get #isOfProcess(): boolean {
    return host.process?.stderr !== undefined && this.streams.has(host.process.stderr)
  }

  /** Node is going to write a warning, past the stream. */
  readonly #warned = (): void => {
    this.#erase()
    this.#leave([])
    this.#drawSoon()
  }
}
