/** Where bytes go: a file, through what packs it, or the standard output. One call at a time. */
import { constants } from 'node:fs'
import { type FileHandle, open, realpath, rename, stat, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Transform } from 'node:stream'
import { packerFor } from './packing.ts'

export interface Output {
  /** Resolves when the bytes are not needed any more. */
  write(bytes: Uint8Array): Promise<void>
  /** All has been written: the file gets its name. */
  end(): Promise<void>
  /** Leaves what was written on the spot; removes a file that has no name yet. */
  abandon(): Promise<void>
  /** Whether somebody may read what has been written at once. */
  readonly live: boolean
  /** How many bytes have been written; how long the file is, where it was appended to. */
  readonly bytes: number
  readonly size: number
}

export interface OutputOptions {
  append: boolean
  sync: boolean
  /** The file is cut to this size first. */
  from: number | undefined
}

export async function openOutput(file: string, options: OutputOptions): Promise<Output> {
  if (file === '-') return new StandardOutput()
  const target = await openTarget(file, options).catch((error: unknown) => {
    throw cannotWrite(file, error)
  })
  const packer = packerFor(file)
  return packer === undefined ? target : new PackedOutput(target, packer())
}

function cannotWrite(file: string, error: unknown): Error {
  return new Error(`Cannot write ${file}: ${(error as Error).message}`, { cause: error })
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

/** Tells temporary names of one process apart. */
let made = 0

async function openTarget(file: string, options: OutputOptions): Promise<FileOutput> {
  const { append, from } = options
  // A link stays one: what it points at is written.
  const place = (await realpath(file).catch(absent)) ?? file
  const there = await stat(place).catch(absent)
  const inPlace = append || (there !== undefined && !there.isFile())
  if (!inPlace) {
    const temporary = join(dirname(place), `.${basename(place)}.${process.pid}-${++made}.tmp`)
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL
    const handle = await open(temporary, flags, there === undefined ? 0o666 : there.mode)
    return new FileOutput(file, handle, options.sync, { temporary, place })
  }
  const handle = await open(place, append ? 'a' : 'w')
  if (from === undefined) return new FileOutput(file, handle, options.sync, undefined, there?.size ?? 0)
  if ((there?.size ?? 0) < from) {
    await handle.close()
    throw new Error(`it has ${there?.size ?? 0} bytes, and should have ${from} by now`)
  }
  await handle.truncate(from)
  return new FileOutput(file, handle, options.sync, undefined, from)
}

class FileOutput implements Output {
  bytes = 0

  constructor(
    readonly file: string,
    readonly handle: FileHandle,
    readonly sync: boolean,
    readonly names: { temporary: string; place: string } | undefined,
    readonly before = 0,
  ) {}

  get live(): boolean {
    return this.names === undefined
  }

  get size(): number {
    return this.before + this.bytes
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const { bytesWritten } = await this.handle
        .write(bytes, at, bytes.length - at)
        .catch((error: unknown) => {
          throw cannotWrite(this.file, error)
        })
      at += bytesWritten
      this.bytes += bytesWritten
    }
  }

  async end(): Promise<void> {
    try {
      if (this.sync) await this.handle.sync()
      await this.handle.close()
      if (this.names) await rename(this.names.temporary, this.names.place)
    } catch (error) {
      throw cannotWrite(this.file, error)
    }
  }

  async abandon(): Promise<void> {
    await this.handle.close()
    if (this.names) await unlink(this.names.temporary).catch(absent)
  }
}

class PackedOutput implements Output {
  /** Settles when all that was packed is written. */
  readonly #through: Promise<void>
  #failure: { error: unknown } | undefined

  constructor(
    readonly target: FileOutput,
    readonly packer: Transform,
  ) {
    this.#through = this.#pass()
    this.#through.catch((error: unknown) => {
      this.#failure = { error }
      this.packer.destroy()
    })
  }

  async #pass(): Promise<void> {
    for await (const bytes of this.packer) await this.target.write(bytes as Uint8Array)
  }

  get live(): boolean {
    return false
  }

  get bytes(): number {
    return this.target.bytes
  }

  get size(): number {
    return this.target.size
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#failure) throw this.#failure.error
    await new Promise<void>((resolve, reject) => {
      this.packer.write(bytes, (error) => (error ? reject(error) : resolve()))
    }).catch((error: unknown) => {
      // It is destroyed by a failure of the file: that one tells more.
      throw this.#failure?.error ?? error
    })
  }

  async end(): Promise<void> {
    this.packer.end()
    await this.#through
    await this.target.end()
  }

  async abandon(): Promise<void> {
    this.packer.destroy()
    await this.#through.catch(() => {})
    await this.target.abandon()
  }
}

/** The standard output outlives every pipeline. */
class StandardOutput implements Output {
  readonly live = true
  bytes = 0
  #failure: Error | undefined
  readonly #heard = (error: Error): void => void (this.#failure ??= error)

  constructor() {
    process.stdout.on('error', this.#heard)
  }

  get size(): number {
    return this.bytes
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#failure) throw this.#failure
    await new Promise<void>((resolve, reject) => {
      process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()))
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
