/** Unpacks Zstandard, RFC 8878, frame by frame. */
import type { TransformCallback } from 'node:stream'
import { Frames } from './frames.ts'

const NONE = Buffer.alloc(0)

/** Node 22, Bun and Deno say nothing of a file that is cut off, and just give less: so its parts are counted here. */
export class ZstdFrames extends Frames {
  readonly #parts = parts()
  #part = this.#parts.next(NONE).value
  /** What has come of the part; of one that nobody looks at, only how much. */
  #kept: Buffer = NONE
  #came = 0

  override _transform(packed: Buffer, encoding: BufferEncoding, done: TransformCallback): void {
    for (let at = 0; at < packed.length;) {
      const { length, seen } = this.#part
      const bytes = packed.subarray(at, at + length - this.#came)
      at += bytes.length
      this.#came += bytes.length
      if (seen) this.#kept = Buffer.concat([this.#kept, bytes])
      if (this.#came === length) this.#next()
    }
    super._transform(packed, encoding, done)
  }

  #next(): void {
    do {
      this.#part = this.#parts.next(this.#kept).value
      this.#kept = NONE
      this.#came = 0
    } while (this.#part.length === 0)
  }

  protected override finish(): void {
    if (this.#came > 0 || !this.#part.first) throw new Error('unexpected end of file')
  }
}

interface Part {
  length: number
  /** Whether it is needed to know what follows. */
  seen?: boolean
  /** Before it, the file may end. */
  first?: boolean
}

/** The parts of a file; takes the bytes of each that is `seen`. */
function* parts(): Generator<Part, never, Buffer> {
  for (;;) {
    const magic = (yield { length: 4, seen: true, first: true }).readUInt32LE()
    if (magic >>> 4 === 0x184d2a5) {
      yield { length: (yield { length: 4, seen: true }).readUInt32LE() }
      continue
    }
    const [flags] = yield { length: 1, seen: true }
    const single = flags & 32
    // The window, the number of the dictionary, and how much it is unpacked.
    const size = [single ? 1 : 0, 2, 4, 8][flags >> 6]
    yield { length: (single ? 0 : 1) + [0, 1, 2, 4][flags & 3] + size }
    for (let last = 0; last === 0;) {
      const block = (yield { length: 3, seen: true }).readUIntLE(0, 3)
      last = block & 1
      // Of one that is the same byte again and again, that byte is there.
      yield { length: (block & 6) === 2 ? 1 : block >> 3 }
    }
    if (flags & 4) yield { length: 4 }
  }
}
