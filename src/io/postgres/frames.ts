/**
 * The rows of a COPY as they lie in the blocks of the socket.
 *
 * `pg` makes a message, a Buffer and an event of each row, which costs more than all else. So while a COPY goes on, we
 * read the socket ourselves: what comes in many frames of a row each (`d`, four bytes of length, the row) is handed on
 * as one block, and everything else goes to `pg` as it came. The bytes of the length are overwritten by zeros, so that
 * a block can be decoded at once, and each row begins `HEADER` characters behind the end of the one before it.
 *
 * The socket is paused while more than `most` bytes wait.
 */
import type { Duplex } from 'node:stream'

/** How many characters precede each row of a block. */
export const HEADER = 5

const COPY_DATA = 0x64
/** What may come between the rows: a notice, a parameter, a notification. */
const ASIDES = new Set([0x4e, 0x53, 0x41])
/** What comes before the first row. */
const PROLOGUE = new Set([0x31, 0x32, 0x48, 0x74, 0x54, 0x6e])
/** What ends the rows: all that follows is for `pg`. */
const ENDS = new Set([0x63, 0x45, 0x43, 0x5a])

type Listener = (chunk: Buffer) => void

export class Frames {
  /** Blocks of whole rows. */
  readonly blocks: Buffer[] = []
  #bytes = 0
  /** The beginning of a frame whose end has not come, and how much of it there must be to go on. */
  #parts: Buffer[] = []
  #held = 0
  #needed = 0
  #listeners: Listener[] | undefined
  #discarding = false

  constructor(
    readonly stream: Duplex,
    readonly most: number,
    /** There is a block, or the socket belongs to `pg` again. */
    readonly onNews: () => void,
    readonly onLost: (error: Error) => void,
  ) {
    this.#listeners = stream.listeners('data') as Listener[]
    for (const listener of this.#listeners) stream.removeListener('data', listener)
    stream.on('data', this.#arrived)
  }

  /** Takes a block, and lets more come. */
  take(): Buffer | undefined {
    const block = this.blocks.shift()
    if (block === undefined) return undefined
    this.#bytes -= block.length
    if (this.#bytes < this.most && this.#listeners) this.stream.resume()
    return block
  }

  /** The rest is not wanted: it is read, but nothing is kept. */
  discard(): void {
    this.#discarding = true
    this.blocks.length = this.#bytes = 0
    this.stream.resume()
  }

  /** Gives the socket back to `pg`. */
  detach(): void {
    if (this.#listeners === undefined) return
    this.stream.removeListener('data', this.#arrived)
    for (const listener of this.#listeners) this.stream.on('data', listener)
    this.#listeners = undefined
    this.stream.resume()
  }

  readonly #arrived = (chunk: Buffer): void => {
    const whole = this.#join(chunk)
    if (whole === undefined) return
    const at = this.#scan(whole)
    if (at < whole.length) this.#keep(whole.subarray(at))
    if (this.blocks.length === 0) return
    if (this.#bytes >= this.most && this.#listeners) this.stream.pause()
    this.onNews()
  }

  /** What was kept and what has come, once it is enough to go on: a long row is put together only once. */
  #join(chunk: Buffer): Buffer | undefined {
    if (this.#held === 0) return chunk
    this.#parts.push(chunk)
    this.#held += chunk.length
    if (this.#held < this.#needed) return undefined
    const whole = Buffer.concat(this.#parts, this.#held)
    this.#parts = []
    this.#held = 0
    // Only the header was there: now it says how much there must be.
    if (this.#needed > HEADER || whole.length >= frameEnd(whole, 0)) return whole
    this.#keep(whole)
    return undefined
  }

  #keep(rest: Buffer): void {
    this.#parts = [rest]
    this.#held = rest.length
    this.#needed = rest.length < HEADER ? HEADER : frameEnd(rest, 0)
  }

  /** Goes through all whole frames; gives where the next one begins. */
  #scan(buffer: Buffer): number {
    const { length } = buffer
    let at = 0
    /** Where the rows begin that are not in a block yet. */
    let rows = 0
    while (length - at >= HEADER) {
      const end = frameEnd(buffer, at)
      if (buffer[at] === COPY_DATA) {
        if (end > length) break
        buffer[at + 1] = buffer[at + 2] = buffer[at + 3] = buffer[at + 4] = 0
        at = end
        continue
      }
      this.#emit(buffer, rows, at)
      rows = at
      if (!this.#isFrame(buffer[at])) return length
      if (ENDS.has(buffer[at])) {
        this.#handBack(buffer.subarray(at))
        return length
      }
      if (end > length) break
      this.#pass(buffer.subarray(at, end))
      rows = at = end
    }
    this.#emit(buffer, rows, at)
    return at
  }

  #emit(buffer: Buffer, from: number, to: number): void {
    if (from === to || this.#discarding) return
    this.blocks.push(buffer.subarray(from, to))
    this.#bytes += to - from
  }

  #isFrame(type: number): boolean {
    if (ENDS.has(type) || ASIDES.has(type) || PROLOGUE.has(type)) return true
    this.onLost(new Error(`Lost the thread of the answer: a message of type 0x${type.toString(16)}`))
    return false
  }

  #pass(frames: Buffer): void {
    for (const listener of this.#listeners ?? []) listener(frames)
  }

  #handBack(rest: Buffer): void {
    const listeners = this.#listeners ?? []
    this.detach()
    for (const listener of listeners) listener(rest)
    this.onNews()
  }
}

/** Where the frame ends that begins at `at`. */
function frameEnd(buffer: Buffer, at: number): number {
  return (
    at + 1 + buffer[at + 1] * 0x1000000 + ((buffer[at + 2] << 16) | (buffer[at + 3] << 8) | buffer[at + 4])
  )
}
