/**
 * A file that grows, as `tail -F` reads it: at its end, it is waited for more. When another file has taken its place,
 * or it was cut, it has ended, and whoever reads opens the name again. As long as the new file is empty, whoever writes may
 * not know of it, and writes to the old one.
 *
 * A slow reader may miss a whole file, which got its name and lost it again meanwhile. So what is opened next is the
 * oldest file with a name that rotation gives (`app.log.1`, `app.log-20261126`, `app.1.log`) that was written to after
 * the one before: only then the file that has the name now.
 */
import { type Stats, watch } from 'node:fs'
import { type FileHandle, open, readdir, stat } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import { absent } from '../../connect/new-file.ts'
import { type Blocks, cannotRead, FileBlocks, idOf } from './blocks.ts'

/** Milliseconds after which is looked anyway: file systems of networks tell nothing. */
const PATIENCE = 1000

interface Found {
  path: string
  id: string
  written: number
  born: number
}

/** Opens a name again and again. */
export class Follower {
  /** The file that was read last, where another one took its name. */
  #last: Found | undefined
  readonly #seen = new Set<string>()
  /** What is to be read next, as it was found at one look: to look anew for each of hundreds takes long. */
  #found: Found[] = []

  constructor(
    readonly file: string,
    readonly stop: AbortSignal,
  ) {}

  /**
   * Waits until there is such a file. `undefined`: it was stopped before. Where reading goes on, and the file `id` has
   * been moved away meanwhile, its rest comes first.
   */
  async open(from: number | 'end', id?: string): Promise<Blocks | undefined> {
    try {
      if (id === undefined) return await this.#open(from)
      const found = await this.#reopen(from, id)
      if (found) return found
      process.emitWarning(
        `The rest of the file that was ${this.file} is gone: the new one is read from its beginning`,
      )
      return await this.#open(0)
    } catch (error) {
      throw cannotRead(this.file, error)
    }
  }

  async #reopen(from: number | 'end', id: string): Promise<Blocks | undefined> {
    const there = await lookAt(this.file)
    const found = there?.id === id ? there : (await this.#folder()).find((other) => other.id === id)
    if (found === undefined) return undefined
    const handle = await this.#openFound(found)
    // It is being moved right now.
    return handle ? this.#follow(handle, from) : this.#reopen(from, id)
  }

  async #open(from: number | 'end'): Promise<Blocks | undefined> {
    const news = new News(this.file, this.stop)
    try {
      for (let begin = from; !this.stop.aborted; begin = 0) {
        const change = news.next()
        const handle = (await this.#openNext()) ?? (await open(this.file, 'r').catch(absent))
        if (handle) return await this.#follow(handle, begin)
        await change
      }
      return undefined
    } finally {
      news.close()
    }
  }

  /** The file after the last one, where that has lost the name already. */
  async #openNext(): Promise<FileHandle | undefined> {
    const last = this.#last
    if (last === undefined) return undefined
    // Opened before the folder is read: what loses the name in between is found there.
    const current = await open(this.file, 'r').catch(absent)
    const now = current && foundOf(this.file, await current.stat())
    const next = await this.#between(last, now)
    if (next === undefined) return current
    await current?.close()
    const handle = await this.#openFound(next)
    // Where it has been moved again, the others have been as well.
    this.#found = handle ? this.#found.slice(1) : []
    return handle ?? this.#openNext()
  }

  /** The oldest file that had the name after the last one, and before the one that has it now. */
  async #between(last: Found, now: Found | undefined): Promise<Found | undefined> {
    if (this.#found.length > 0) return this.#found[0]
    this.#found = (await this.#folder((name) => this.#isRotated(name)))
      .filter((found) => found.written >= last.written)
      // The one that had the name just now may have lost it meanwhile, and one after it as well: that is not its turn.
      // Clocks of file systems tick every few milliseconds: the one before it may be as old.
      .filter((found) => now === undefined || (found.id !== now.id && found.born <= now.born))
      .filter(({ id }) => id !== last.id && !this.#seen.has(id))
      .sort((a, b) => a.written - b.written || a.born - b.born)
    return this.#found[0]
  }

  async #openFound({ path, id }: Found): Promise<FileHandle | undefined> {
    const handle = await open(path, 'r').catch(absent)
    if (handle === undefined || idOf(await handle.stat()) === id) return handle
    await handle.close()
    return undefined
  }

  async #follow(handle: FileHandle, from: number | 'end'): Promise<Blocks> {
    const stats = await handle.stat()
    return new Following(
      handle,
      this.file,
      from === 'end' ? stats.size : from,
      idOf(stats),
      this.stop,
      async (last, now, begun) => {
        if (!begun && (await this.#between(last, now)) === undefined) return false
        this.#last = last
        this.#seen.add(last.id)
        return true
      },
    )
  }

  /** The files beside it, of those names that are wanted. */
  async #folder(wanted = (_name: string): boolean => true): Promise<Found[]> {
    const folder = dirname(this.file)
    const found = new Map<string, Found>()
    // What is renamed while the names are looked at is missed: until a look tells nothing new, or others never cease to make files.
    for (let looks = 0, before = -1; looks < 10 && found.size > before; looks++) {
      before = found.size
      const names = (await readdir(folder)).filter(wanted)
      const looked = await Promise.all(names.map((name) => lookAt(join(folder, name))))
      for (const file of looked) if (file) found.set(file.id, file)
    }
    return [...found.values()]
  }

  #isRotated(name: string): boolean {
    const base = basename(this.file)
    const extension = extname(base)
    const stem = base.slice(0, base.length - extension.length)
    const inside = name.startsWith(stem) && name.endsWith(extension) && name.length > base.length
    const added = name.startsWith(base)
      ? name.slice(base.length)
      : inside
        ? name.slice(stem.length, name.length - extension.length)
        : ''
    return /^[-._]\d[-._\dT:]*$/.test(added)
  }
}

async function lookAt(path: string): Promise<Found | undefined> {
  const stats = await stat(path).catch(absent)
  return stats?.isFile() ? foundOf(path, stats) : undefined
}

function foundOf(path: string, stats: Stats): Found {
  return { path, id: idOf(stats), written: stats.mtimeMs, born: stats.birthtimeMs }
}

class Following implements Blocks {
  readonly live = false
  readonly slow = true
  readonly #blocks: FileBlocks
  readonly #news: News
  #closed: Promise<void> | undefined

  constructor(
    // It closes its descriptor when it is collected: it is kept as long as the blocks are.
    readonly handle: FileHandle,
    readonly file: string,
    public at: number,
    readonly id: string,
    readonly signal: AbortSignal,
    /** Told that another file has the name, and whether that has `begun`. Says whether the turn is that one's, or of one in between. */
    readonly moved: (last: Found, now: Found, begun: boolean) => Promise<boolean>,
  ) {
    this.#blocks = new FileBlocks(file, handle.fd, at, id)
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
    if (there === undefined) return false
    if (idOf(there) === this.id) return there.size < this.at
    const ours = await this.handle.stat()
    // What was removed can be found by nobody who goes on later.
    const begun = there.size > 0 || ours.nlink === 0
    return this.moved(foundOf(this.file, ours), foundOf(this.file, there), begun)
  }

  beginning(): Blocks {
    return this.#blocks.beginning()
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close())
  }

  async #close(): Promise<void> {
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
