/**
 * The file that lines are appended to, and how it is rotated.
 *
 * It knows nothing of lines: whoever writes says where they end. `end` is how long the file is as far as we wrote it, and
 * always what it was found or left at: nobody else may write to it. Within one process that is checked; another
 * process is noticed when the file is longer than we know, before anything of it would be cut off, and when it has rotated
 * the file, before one of its old files would be overwritten.
 *
 * A lock across processes was rejected: Node has none that ends with its process, and a file that says "locked" would
 * have to be removed by hand after every `kill -9`.
 */
import type { Stats } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { absent, placeOf, syncFolder } from '../../connect/new-file.ts'
import { codeOf, type Disk, trouble } from './disk.ts'
import type { LogSettings } from './options.ts'
import { goBack, type JobPosition, type LogPosition } from './position.ts'
import { tornBytes } from './repair.ts'
import { gzipName, lastRotation, rotatedName } from './rotated.ts'

/** The module may be there more than once, as ESM and as CommonJS: there is one list for all. */
const TAKEN: unique symbol = Symbol.for('sluice/io logs')
const shared = globalThis as { [TAKEN]?: Set<string> }
/** The files that are written to by this process. */
const taken = (shared[TAKEN] ??= new Set())

export class LogFile {
  /** How long the file is. */
  end = 0
  /** How many rotations there have been: the number of the last one. */
  rotated = 0
  /** How many bytes of a torn line were cut off, or ended, when it was opened. */
  repaired = 0
  /** The number of the oldest file that a job needs to go back: it is not removed. */
  needed: number | undefined
  /** When the file was begun. */
  #began = 0
  #renamed = false
  #closing: Promise<void> | undefined

  private constructor(
    readonly disk: Disk,
    /** Where it really is. */
    readonly path: string,
    readonly settings: LogSettings,
    private fd: number,
    /** It can be cut and rotated; a device cannot. */
    readonly regular: boolean,
    readonly readable: boolean,
  ) {}

  /** Opens it for appending, at this position where there is one, and repairs what a crash has left. */
  static async open(path: string, settings: LogSettings, disk: Disk, from?: unknown): Promise<LogFile> {
    const real = await placeOf(path)
    if (taken.has(real)) throw new Error('this process is writing to it already')
    taken.add(real)
    let fd: number | undefined
    try {
      if (from !== undefined) await goBack(real, from)
      const opened = await openToAppend(disk, real)
      fd = opened.fd
      const stats = await disk.stat(fd)
      if (stats.isFIFO() || stats.isSocket()) throw new Error('it is a pipe, which keeps nothing')
      const file = new LogFile(disk, real, settings, fd, stats.isFile(), opened.readable)
      if (!file.regular) taken.delete(real)
      await file.#begin(stats, from)
      return file
    } catch (error) {
      taken.delete(real)
      if (fd !== undefined) await disk.close(fd)
      throw error
    }
  }

  async #begin(stats: Stats, from: unknown): Promise<void> {
    const { rotate, level } = this.settings
    if (!this.regular) {
      if (rotate || from !== undefined) throw new Error('it is no file: it cannot be rotated or cut back')
      if (level === 'synced') await this.#demandSync()
      return
    }
    this.end = stats.size
    this.#began = Math.min(stats.birthtimeMs || Infinity, Date.now())
    const { rotated: before = 0, own } = Object(from) as Partial<JobPosition>
    // The last one before the position stays, too: without it nothing tells that this is the log of that position.
    if (own !== undefined) this.needed = before
    this.rotated = Math.max(before, await lastRotation(this.path))
    if (this.readable && from === undefined) await this.#repair()
    if (level === 'synced') await this.#last()
  }

  /** A device may have nothing to sync to: that is better known now than at the first line. */
  async #demandSync(): Promise<void> {
    await this.sync().catch((error: unknown) => {
      throw new Error('it is no file: it cannot be synced', { cause: error })
    })
  }

  async #repair(): Promise<void> {
    const { disk, fd } = this
    const { torn, onRepaired } = this.settings
    const bytes = await tornBytes(disk, fd, this.end)
    if (bytes === 0) return
    if (torn === 'cut') await this.cutTo(this.end - bytes)
    else this.end += await disk.write(fd, Buffer.from('\n'), 0, 1)
    this.repaired = bytes
    const what = torn === 'cut' ? 'Cut off' : 'Ended'
    if (onRepaired) onRepaired(bytes)
    else process.emitWarning(`${what} a torn line of ${bytes} bytes in ${this.path}`, 'LogWarning')
  }

  /** What is in it, and that it is there, outlives a power cut. */
  async #last(): Promise<void> {
    await this.disk.sync(this.fd)
    await syncFolder(dirname(this.path))
  }

  /** Gives how much of it was written, which may be less. */
  async write(bytes: Uint8Array, from: number, to: number): Promise<number> {
    const count = await this.disk.write(this.fd, bytes, from, to - from)
    this.end += count
    return count
  }

  sync(): Promise<void> {
    return this.disk.sync(this.fd)
  }

  /** Takes the last bytes back. */
  async takeBack(bytes: number): Promise<void> {
    if (bytes === 0) return
    const { size } = await this.disk.stat(this.fd)
    if (size > this.end)
      throw new Error(`somebody else writes to it: it has ${size} bytes, of which ${this.end} are ours`)
    // Where somebody has emptied it to make room, it has what was written since, of which the last line is torn.
    if (size < this.end)
      await this.cutTo(size - (this.readable ? await tornBytes(this.disk, this.fd, size) : 0))
    else await this.cutTo(size - bytes)
  }

  private async cutTo(end: number): Promise<void> {
    await this.disk.truncate(this.fd, end)
    this.end = end
  }

  /** Whether it takes no more lines because of its age. */
  get old(): boolean {
    const { rotate } = this.settings
    const now = Date.now()
    // A clock that is set back does not keep it from growing old.
    this.#began = Math.min(this.#began, now)
    return rotate !== undefined && this.end > 0 && now - this.#began >= rotate.ms
  }

  /** How many bytes it may still take. */
  get room(): number {
    return (this.settings.rotate?.bytes ?? Infinity) - this.end
  }

  /** Begins another file. One that failed may be tried again. */
  async rotate(): Promise<void> {
    const { disk, path } = this
    const { level } = this.settings
    if (level === 'synced') await disk.sync(this.fd)
    if (!this.#renamed) await this.#rename()
    const fd = await disk.open(path, 'a+')
    const old = this.fd
    this.fd = fd
    this.rotated++
    this.#renamed = false
    this.end = 0
    this.#began = Date.now()
    await disk.close(old)
    if (level === 'synced') await this.#last()
  }

  async #rename(): Promise<void> {
    const { disk, path } = this
    // What only looks like an old file, as a copy with a date does, is in nobody's way.
    const next = this.rotated + 1
    if (
      (await isThere(rotatedName(path, next))) ||
      (await isThere(gzipName(path, next))) ||
      (!(await this.#hasName()) && (await lastRotation(path)) > this.rotated)
    )
      throw new Error('somebody else writes to it, and has rotated it')
    await disk.rename(path, rotatedName(path, next))
    this.#renamed = true
  }

  /** Whether the file that has the name is ours. */
  async #hasName(): Promise<boolean> {
    const [there, ours] = await Promise.all([stat(this.path).catch(absent), this.disk.stat(this.fd)])
    return there?.ino === ours.ino && there.dev === ours.dev
  }

  get position(): LogPosition {
    return { rotated: this.rotated, bytes: this.end }
  }

  /** Throws where somebody has removed the file: what was written is in none. */
  async demandThere(): Promise<void> {
    if (this.regular && (await this.disk.stat(this.fd)).nlink === 0)
      throw new Error('somebody has removed it, and what was written with it')
  }

  /** Once: by the second time its number may be that of another file. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    if (this.regular) taken.delete(this.path)
    await this.disk.close(this.fd)
  }
}

const isThere = async (path: string): Promise<boolean> => (await stat(path).catch(absent)) !== undefined

/** One that may be appended to, but not read, is taken as it is: nothing tells how it ends. */
async function openToAppend(disk: Disk, path: string): Promise<{ fd: number; readable: boolean }> {
  try {
    return { fd: await disk.open(path, 'a+'), readable: true }
  } catch (error) {
    if (codeOf(error) !== 'EACCES') throw error
  }
  const fd = await disk.open(path, 'a')
  process.emitWarning(
    `Cannot look at the end of ${path}, which may be torn: it may not be read`,
    'LogWarning',
  )
  return { fd, readable: false }
}

/** What a log fails with. */
export const logTrouble = (file: string, error: unknown): Error => trouble(`append to "${file}"`, error)
