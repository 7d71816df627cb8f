/**
 * Files in blocks of any size, so that each row is cut everywhere:
 *
 * vi.mock('../../src/io/files/blocks.ts', async (original) => (await import('./support-blocks.ts')).inPieces(await original()))
 */
import type * as blocks from '../../src/io/files/blocks.ts'

type Module = typeof blocks
type Blocks = blocks.Blocks

export const pieces = { size: Infinity }

/** Gives what `work` gives with blocks of that size. */
export async function withBlocksOf<T>(size: number, work: () => Promise<T>): Promise<T> {
  pieces.size = size
  try {
    return await work()
  } finally {
    pieces.size = Infinity
  }
}

export function inPieces(actual: Module): Module {
  return {
    ...actual,
    async openBlocks(...args) {
      const blocks = await actual.openBlocks(...args)
      return pieces.size === Infinity ? blocks : new Pieces(blocks, pieces.size)
    },
  }
}

class Pieces implements Blocks {
  readonly live: boolean
  readonly id: string
  #rest = Buffer.alloc(0)

  constructor(
    readonly blocks: Blocks,
    readonly size: number,
  ) {
    this.live = blocks.live
    this.id = blocks.id
  }

  get at(): number {
    return this.blocks.at - this.#rest.length
  }

  async next(left: Uint8Array): Promise<Buffer | undefined> {
    if (this.#rest.length === 0) {
      const block = await this.blocks.next(new Uint8Array(0))
      if (block === undefined) return undefined
      this.#rest = Buffer.from(block)
    }
    const piece = this.#rest.subarray(0, this.size)
    this.#rest = this.#rest.subarray(this.size)
    return Buffer.concat([left, piece])
  }

  stop(): void {
    this.blocks.stop?.()
  }

  close(): PromiseLike<unknown> | void {
    return this.blocks.close()
  }
}
