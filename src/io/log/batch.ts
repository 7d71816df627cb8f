/** Lines that are written together, as the bytes they are in the file. */
import type { Block } from './block.ts'

const NEWLINE = 0x0a
/** So much room there is from the beginning, at most: what is allowed need not come. */
const ROOM = 2 ** 22

/** When a batch takes no more. */
interface Limits {
  readonly bytes: number
  readonly count: number
}

export class Batch {
  buffer: Buffer
  bytes = 0
  lines = 0
  /** How much of it is in the file, which is at the end of a line. */
  written = 0

  constructor(size: number) {
    this.buffer = Buffer.allocUnsafeSlow(Math.min(size, ROOM))
  }

  /** Takes lines of the block until it is full. Gives how many. */
  fill(block: Block, { bytes, count }: Limits): number {
    const part = block.next(count - this.lines, bytes - this.bytes)
    this.#makeRoom(part.bytes)
    block.moveTo(this.buffer, this.bytes, part)
    this.bytes += part.bytes
    this.lines += part.lines
    return part.lines
  }

  #makeRoom(length: number): void {
    const needed = this.bytes + length
    if (needed <= this.buffer.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2))
    this.buffer.copy(larger, 0, 0, this.bytes)
    this.buffer = larger
  }

  /** The end of the last line that ends at `limit` or before; where none does, that of what is in the file. */
  lineEndAt(limit: number): number {
    if (limit >= this.bytes) return this.bytes
    if (limit <= this.written) return this.written
    return Math.max(this.written, this.buffer.lastIndexOf(NEWLINE, limit - 1) + 1)
  }

  /** The end of the first line that is not in the file. */
  nextLineEnd(): number {
    return this.buffer.indexOf(NEWLINE, this.written) + 1
  }

  /** How many lines end between what is in the file and there. */
  linesUpTo(end: number): number {
    let lines = 0
    for (let at = this.buffer.indexOf(NEWLINE, this.written); at >= 0 && at < end; lines++)
      at = this.buffer.indexOf(NEWLINE, at + 1)
    return lines
  }

  clear(): void {
    this.bytes = this.lines = this.written = 0
  }
}
