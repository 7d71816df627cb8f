/**
 * A file that grows, as `tail -F` reads it: at its end, it is waited for more. When another file has taken its place,
 * or it was cut, it has ended, and whoever reads opens the name again.
 */
import { type Stats, watch } from 'node:fs'
import { open, readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type Blocks, FileBlocks, idOf, openBlocks } from './blocks.ts'

/** Milliseconds after which is looked anyway: file systems of networks tell nothing. */
const PATIENCE = 1000

/**
 * Waits until there is such a file. `undefined`: it was stopped before. Where reading goes on, and the file `id` has
 * been moved away meanwhile, its rest comes first.
 */
export async function followBlocks(
  file: string,
  from: number | 'end',
  stop: AbortSignal,
  id?: string,
): Promise<Blocks | undefined> {
  if (id !== undefined && (await idAt(file)) !== id) {
    const moved = await named(id, dirname(file))
    if (moved !== undefined && from !== 'end') return openBlocks(moved, from)
    process.emitWarning(`The rest of the file that was ${file} is gone: it is read from its beginning`)
    from = 0
  }
  const news = new News(file, stop)
  try {
    return await firstOf(file, from, stop, news)
  } finally {
    news.close()
  }
}

async function firstOf(
  file: string,
  from: number | 'end',
  stop: AbortSignal,
  news: News,
): Promise<Blocks | undefined> {
  while (!stop.aborted) {
    const change = news.next()
    const handle = await open(file, 'r').catch(absent)
    if (handle) {
      const stats = await handle.stat()
      // The handle closes its descriptor when it is collected: it is kept as long as the blocks are.
      return new Following(handle, file, from === 'end' ? stats.size : from, stats, stop)
    }
    await change
  }
  return undefined
}

async function idAt(file: string): Promise<string | undefined> {
  const stats = await stat(file).catch(absent)
  return stats && idOf(stats)
}

/** The file of a folder that has this id. */
async function named(id: string, folder: string): Promise<string | undefined> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name)
    if ((await idAt(path)) === id) return path
  }
  return undefined
}

/** A file may not be there, or not be there any more. */
function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

class Following implements Blocks {
  readonly live = false
  readonly id: string
  readonly #blocks: FileBlocks
  readonly #news: News

  constructor(
    readonly handle: Awaited<ReturnType<typeof open>>,
    readonly file: string,
    public at: number,
    stats: Stats,
    readonly signal: AbortSignal,
  ) {
    this.id = idOf(stats)
    this.#blocks = new FileBlocks(file, handle.fd, at, stats)
    this.#news = new News(file, signal)
  }

  async next(left: Uint8Array): Promise<Buffer | undefined> {
    let gone = false
    while (!this.signal.aborted) {
      const change = this.#news.next()
      const block = await this.#blocks.next(left)
      if (block) {
        this.at += block.length - left.length
        return block
      }
      // Once more, as somebody may have written between the last look and the change of names.
      if (gone) return undefined
      gone = await this.#isGone()
      if (!gone) await change
    }
    return undefined
  }

  async #isGone(): Promise<boolean> {
    const there = await stat(this.file).catch(absent)
    // One that was moved away may still be written to, until there is a new one.
    return there !== undefined && (idOf(there) !== this.id || there.size < this.at)
  }

  async close(): Promise<void> {
    this.#news.close()
    await this.#blocks.settled()
    await this.handle.close()
  }
}

/** Tells when something may have happened to a file. */
class News {
  #notify = (): void => {}
  readonly #timer: ReturnType<typeof setInterval>
  readonly #watcher: ReturnType<typeof watch> | undefined
  readonly #tell = (): void => this.#notify()

  constructor(
    file: string,
    readonly signal: AbortSignal,
  ) {
    this.#timer = setInterval(this.#tell, PATIENCE)
    signal.addEventListener('abort', this.#tell)
    const name = basename(file)
    try {
      this.#watcher = watch(dirname(file), (_, changed) => {
        if (changed === null || changed === name) this.#notify()
      })
      // The timer is left.
      this.#watcher.on('error', () => {})
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** Settles at the next news. */
  next(): Promise<void> {
    if (this.signal.aborted) return Promise.resolve()
    return new Promise((resolve) => (this.#notify = resolve))
  }

  close(): void {
    clearInterval(this.#timer)
    this.#watcher?.close()
    this.signal.removeEventListener('abort', this.#tell)
  }
}
