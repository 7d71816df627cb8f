/** Unpacks Brotli, RFC 7932, which has one part: Node says nothing of what follows it, and Deno nothing of one that is cut off. */
import type { Transform } from 'node:stream'
import { createBrotliDecompress } from 'node:zlib'
import { Frames } from './frames.ts'

export class BrotliPart extends Frames {
  protected override readonly probes = true
  #begun = false

  constructor(unpacker: () => Transform = createBrotliDecompress) {
    super(unpacker)
  }

  protected override begin(packed: Buffer): Buffer {
    if (this.#begun) throw new Error('there is more behind its end, and a .br has one part')
    this.#begun = true
    return packed
  }

  protected override finish(): void {
    if (!this.#begun) throw new Error('unexpected end of file')
  }
}
