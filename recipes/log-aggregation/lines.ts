// Bytes into lines. A read ends anywhere, in the middle of a line or of a character: what comes after the last
// newline is kept as bytes until the next read completes it. (A newline is never part of a longer character.)

/** A longer line is cut into pieces of this size, so that a file without newlines cannot fill the memory. */
export const longestLine = 2 ** 20

const newline = 0x0a
const carriageReturn = 0x0d

export class LineSplitter {
  /** The beginning of a line whose end has not come. */
  #rest: Buffer[] = []
  #held = 0
  #begun = false
  /** How many cuts were made in lines that were too long. */
  cuts = 0

  /** The lines that end in `bytes`. A carriage return at the end of a line is left for later. */
  add(bytes: Buffer): string[] {
    const pieces: string[] = []
    while (this.#held + bytes.length > longestLine) {
      // Only the first line may be too long: a read brings less than that.
      const first = bytes.indexOf(newline)
      if (first >= 0 && this.#held + first <= longestLine) break
      const room = longestLine - this.#held
      this.#keep(bytes.subarray(0, room))
      pieces.push(this.#cut())
      bytes = bytes.subarray(room)
    }
    const end = bytes.lastIndexOf(newline)
    const lines = end < 0 ? [] : this.#complete(bytes.subarray(0, end)).split('\n')
    this.#keep(bytes.subarray(end + 1))
    return pieces.length === 0 ? lines : [...pieces, ...lines]
  }

  /** The last line, where it has no newline. */
  end(): string[] {
    return this.#held === 0 ? [] : [this.#complete(Buffer.alloc(0))]
  }

  /** A copy, because the reader uses its buffer again. */
  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return
    this.#rest.push(Buffer.from(bytes))
    this.#held += bytes.length
  }

  #complete(bytes: Buffer): string {
    if (this.#held > 0) {
      bytes = Buffer.concat([...this.#rest, bytes])
      this.#rest = []
      this.#held = 0
    }
    const text = bytes.toString('utf8')
    if (this.#begun) return text
    this.#begun = true
    return text.startsWith('\uFEFF') ? text.slice(1) : text
  }

  /** All that is held, but for a character at its end that may not be complete, or a line end that may not be. */
  #cut(): string {
    const held = Buffer.concat(this.#rest)
    this.cuts++
    let end = held.length
    if (held.at(-1) === carriageReturn) end--
    for (let back = 1; back <= 3; back++) {
      const byte = held[held.length - back]
      if (byte < 0x80) break
      if (byte < 0xc0) continue
      end = held.length - back
      break
    }
    this.#rest = [held.subarray(0, end)]
    this.#held = end
    const piece = this.#complete(Buffer.alloc(0))
    this.#keep(held.subarray(end))
    return piece
  }
}
