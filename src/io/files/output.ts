/** Where bytes go: a file, through what packs it, or the standard output. One call at a time. */
import { randomBytes } from 'node:crypto'
import { chmod, constants, type FileHandle, open, rename, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Transform } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import { absent, placeOf, syncFolder, temporaryFor, whyNot } from '../../connect/new-file.ts'
import { openBlocks } from './blocks.ts'
import { packerFor } from './packing.ts'

export interface Output {
  /** Resolves when the bytes are not needed any more. */
  write(bytes: Uint8Array): Promise<void>
  /** All has been written: the file gets its name. */
  end(): Promise<void>
  /** Leaves what was written on the spot; removes a file that has no name yet. */
  abandon(): Promise<void>
  /** A write has failed behind these of its bytes, which stay when it is abandoned. */
  readonly torn?: Uint8Array | undefined
  /** Takes back the last bytes that it has added, unless somebody else has added to it. */
  takeBack?(bytes: number): Promise<void>
  /** Whether somebody may read what has been written at once. */
  readonly live: boolean
  /** Whether what has been written stays there when it is abandoned. */
  readonly stays: boolean
  /** Whether the last line of what was there before has no end. */
  readonly isCutOff: boolean
  /** How many bytes have been written; how long the file is, where it was appended to. */
  readonly bytes: number
  readonly size: number
}

export interface OutputOptions {
  append: boolean
  sync: boolean
  /** The file is cut to this size first. */
  from: number | undefined
  /** It has this size by itself: what is behind it is not ours to cut. */
  own: boolean
  /** A later run is to go on where this one has come to. */
  goesOn: boolean
  /** Whether the last line there has no end, where that is known. */
  cutOff: boolean | undefined
  /** Nobody waits for it any more. */
  signal: AbortSignal
}

export async function openOutput(file: string, options: OutputOptions): Promise<Output> {
  if (file === '-') return new StandardOutput()
  const packer = packerFor(file)
  const target = await openTarget(file, options).catch((error: unknown) => {
    throw cannotWrite(file, error)
  })
  if (packer === undefined) return target
  try {
    const { cutOff = options.from === undefined && target.before > 0 && (await isCutOffPacked(file)) } =
      options
    return new PackedOutput(target, packer(), cutOff)
  } catch (error) {
    await target.abandon()
    throw error
  }
}

/** All of it has to be unpacked for that. */
async function isCutOffPacked(file: string): Promise<boolean> {
  const blocks = await openBlocks(file, 0)
  try {
    let last: number | undefined
    for (let block = await blocks.next(NONE); block; block = await blocks.next(NONE)) last = block.at(-1)
    return last !== undefined && last !== NEWLINE
  } finally {
    await blocks.close()
  }
}

const NONE = new Uint8Array()
const NEWLINE = 10

function notAlone(size: number, wanted: number): Error {
  return new Error(`it has ${size} bytes, and should have ${wanted} by now: somebody else writes to it`)
}

function cannotWrite(file: string, error: unknown): Error {
  return new Error(`Cannot write ${file}: ${whyNot(error)}`, { cause: error })
}

async function openTarget(file: string, options: OutputOptions): Promise<FileOutput> {
  const there = await stat(file).catch(absent)
  // A pipe that the shell has put there has a name, but no place; and what has gone into one is not there to go on from.
  const keeps = there === undefined || there.isFile()
  const place = keeps ? await placeOf(file) : file
  const from = keeps ? options.from : undefined
  // Whoever reads it is told of an end with each part, and what the next one writes may reach nobody.
  if (options.goesOn && there?.isFIFO()) throw new Error('it is a pipe, which keeps nothing to go on from')
  const size = there?.size ?? 0
  if (from !== undefined && (size < from || (options.own && size > from))) throw notAlone(size, from)
  // Before it has taken anything: it would fail at its end.
  if (options.sync && (there?.isFIFO() || there?.isCharacterDevice()))
    throw new Error('it is no file: it cannot be synced')
  if (!options.append && keeps) return openTemporary(file, place, there?.mode, options)
  // Nothing of a pipe is read: where it could be, nobody else would be waited for, and what is written be lost.
  const pipe = there?.isFIFO() ? await openRead(place, options.signal) : undefined
  const handle = await open(place, options.append && keeps ? 'a+' : 'w').finally(() => pipe?.close())
  const output = new FileOutput(file, handle, options.sync, undefined, from ?? size, from !== undefined)
  try {
    // Not where there is nothing to cut: what somebody else adds just now would be.
    if (from !== undefined && size > from) await handle.truncate(from)
    if (options.append && there?.isFile()) await output.lookAtEnd()
    return output
  } catch (error) {
    await output.abandon()
    throw error
  }
}

/** Opens a pipe as soon as somebody reads it: to open it in the usual way keeps a thread until then, and cannot be given up. */
async function openRead(pipe: string, signal: AbortSignal): Promise<FileHandle> {
  for (;;) {
    try {
      return await open(pipe, constants.O_WRONLY | constants.O_NONBLOCK)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error
    }
    await wait(20, undefined, { signal })
  }
}

async function openTemporary(
  file: string,
  place: string,
  mode: number | undefined,
  { sync }: OutputOptions,
): Promise<FileOutput> {
  // A name of its own for each run: of a process that was killed, one may be left.
  const temporary = temporaryFor(place, randomBytes(6).toString('hex'))
  const handle = await open(temporary, 'wx', mode ?? 0o666)
  const output = new FileOutput(file, handle, sync, { temporary, place })
  try {
    if (mode !== undefined) await setMode(handle, temporary, mode & 0o7777)
    return output
  } catch (error) {
    await output.abandon()
    throw error
  }
}

/**
 * The mask of the process does not hold for a file that was there before. By its path, as `node --permission` refuses `fchmod`, only where
 * that is in force: somebody else who may write to the folder could have put a link to a file of ours in its place.
 */
function setMode(handle: FileHandle, path: string, mode: number): Promise<void> {
  return 'permission' in process ? chmod(path, mode) : handle.chmod(mode)
}

class FileOutput implements Output {
  bytes = 0
  isCutOff = false
  torn: Uint8Array | undefined
  #abandoned = false

  constructor(
    readonly file: string,
    readonly handle: FileHandle,
    readonly sync: boolean,
    readonly names: { temporary: string; place: string } | undefined,
    readonly before = 0,
    /** Its size is a position to go on from: nobody else may add to it. */
    readonly alone = false,
  ) {}

  get live(): boolean {
    return this.names === undefined
  }

  get stays(): boolean {
    return this.live
  }

  /** A last line without an end is not to become one with what is added. */
  async lookAtEnd(): Promise<void> {
    if (this.before === 0) return
    const { buffer } = await this.handle.read(Buffer.alloc(1), 0, 1, this.before - 1)
    this.isCutOff = buffer[0] !== NEWLINE
  }

  get size(): number {
    return this.before + this.bytes
  }

  async write(bytes: Uint8Array): Promise<void> {
    let at = 0
    try {
      while (at < bytes.length) {
        const { bytesWritten } = await this.handle.write(bytes, at, bytes.length - at)
        if (bytesWritten === 0) throw new Error('nothing was written')
        at += bytesWritten
        this.bytes += bytesWritten
      }
    } catch (error) {
      this.torn = bytes.subarray(0, at)
      throw cannotWrite(this.file, error)
    }
  }

  async takeBack(bytes: number): Promise<void> {
    if (bytes === 0 || (await this.handle.stat()).size !== this.size) return
    this.bytes -= bytes
    await this.handle.truncate(this.size)
  }

  async #demandThere(): Promise<void> {
    const there = await this.handle.stat()
    if (!there.isFile()) return
    if (there.nlink === 0) throw new Error('somebody has removed it, and what was written with it')
    if (this.alone && there.size !== this.size) throw notAlone(there.size, this.size)
  }

  async end(): Promise<void> {
    try {
      if (!this.names) await this.#demandThere()
      if (this.sync) await this.handle.sync()
      await this.handle.close()
      // Aborted meanwhile: what was there before stays.
      if (!this.names || this.#abandoned) return
      await rename(this.names.temporary, this.names.place)
      if (this.sync) await syncFolder(dirname(this.names.place))
    } catch (error) {
      throw cannotWrite(this.file, error)
    }
  }

  async abandon(): Promise<void> {
    this.#abandoned = true
    try {
      await this.handle.close()
    } finally {
      if (this.names) await unlink(this.names.temporary).catch(absent)
    }
  }
}

class PackedOutput implements Output {
  /** Settles when all that was packed is written. */
  readonly #through: Promise<void>
  #failure: { error: unknown } | undefined
  /** Ends the write that is under way: of one that is destroyed in its midst the packer never tells. */
  #giveUp: ((error: unknown) => void) | undefined
  /** Nothing is added to a file where there is nothing to add; a new one is packed all the same, as no bytes are no packed file. */
  #isDue: boolean

  constructor(
    readonly target: FileOutput,
    readonly packer: Transform,
    readonly isCutOff: boolean,
  ) {
    this.#isDue = target.before === 0
    this.#through = this.#pass()
    this.#through.catch((error: unknown) => {
      this.#failure = { error }
      this.packer.destroy()
      this.#giveUp?.(error)
    })
  }

  async #pass(): Promise<void> {
    for await (const bytes of this.packer) await this.target.write(bytes as Uint8Array)
  }

  get live(): boolean {
    return false
  }

  get stays(): boolean {
    return this.target.stays
  }

  get bytes(): number {
    return this.target.bytes
  }

  get size(): number {
    return this.target.size
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#failure) throw this.#failure.error
    this.#isDue = true
    await new Promise<void>((resolve, reject) => {
      this.#giveUp = reject
      this.packer.write(bytes, (error) => (error ? reject(error) : resolve()))
    }).catch((error: unknown) => {
      // It is destroyed by a failure of the file: that one tells more.
      throw this.#failure?.error ?? error
    })
  }

  async end(): Promise<void> {
    if (this.#isDue) {
      this.packer.end()
      await this.#through
    } else {
      this.packer.destroy()
      await this.#through.catch(() => {})
    }
    await this.target.end()
  }

  async abandon(): Promise<void> {
    // Without its end, what was packed makes the file one that cannot be read.
    const ends = this.stays && this.#isDue
    if (ends) this.packer.end()
    else this.packer.destroy()
    try {
      await this.#through.catch(async (error: unknown) => {
        await this.target.takeBack(this.bytes)
        if (ends) throw error
      })
    } finally {
      await this.target.abandon()
    }
  }
}

/** The standard output outlives every pipeline. */
class StandardOutput implements Output {
  readonly live = true
  readonly stays = true
  readonly isCutOff = false
  bytes = 0
  #failure: Error | undefined
  readonly #heard = (error: Error): void => void (this.#failure ??= cannotWrite('-', error))

  constructor() {
    process.stdout.on('error', this.#heard)
  }

  get size(): number {
    return this.bytes
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#failure) throw this.#failure
    await new Promise<void>((resolve, reject) => {
      process.stdout.write(bytes, (error) => (error ? reject(cannotWrite('-', error)) : resolve()))
    })
    this.bytes += bytes.length
  }

  async end(): Promise<void> {
    process.stdout.off('error', this.#heard)
  }

  async abandon(): Promise<void> {
    process.stdout.off('error', this.#heard)
  }
}
