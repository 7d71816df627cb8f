/**
 * The bytes of one input, block by block.
 *
 * Whoever reads hands back what it could not use yet, the beginning of a row, and finds it in front of the next block:
 * so a row is always in one piece, and how far a file has been read is known to the byte. A plain file is read into
 * two buffers in turn, the next block while this one is worked on, with room in front for what is left of the last
 * one: nothing is copied but that.
 */
import { close, constants, createReadStream, fstat, open, read, type Stats } from 'node:fs'
import { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { unpackerFor } from './packing.ts'

const openFile = promisify(open)
const closeFile = promisify(close)
const statFile: (fd: number) => Promise<Stats> = promisify(fstat)
const readInto = promisify(read)

/** How much is read at a time. */
const BLOCK = 64 * 1024
/** Room in front of a block for what is left of the last one. */
const FRONT = 16 * 1024

export interface Blocks {
  /** What was `left`, and more behind it; `undefined` at the end. A call may overwrite what the one before it gave. */
  next(left: Uint8Array): Promise<Buffer | undefined>
  /** No more is wanted: gives what it has read already, then ends. */
  stop?(): void
  close(): PromiseLike<unknown> | void
  /** A pipe or the like: what was read of it is nowhere else. */
  readonly live: boolean
  /** Which file it is; a file keeps it when it is moved or written to. */
  readonly id: string
  /** How long the file was when it was opened, where that is known. */
  readonly size?: number
  /** Behind what has been read. */
  readonly at: number
}

/** Opens an input. `from`: so many bytes are passed over. */
export async function openBlocks(file: string, from: number): Promise<Blocks> {
  if (file === '-') return new StreamBlocks(process.stdin, 0, true)
  const unpack = unpackerFor(file)
  // Without O_NONBLOCK, a FIFO that nobody writes to would keep a thread waiting.
  const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)
  const fd = await openFile(file, flags).catch((error: unknown) => {
    throw cannotRead(file, error)
  })
  try {
    const stats = await statFile(fd)
    if (stats.isDirectory()) throw cannotRead(file, { code: 'EISDIR' })
    const live = stats.isFIFO() || stats.isSocket()
    if (unpack === undefined && stats.isFile()) return new FileBlocks(file, fd, from, stats)
    const stream = live
      ? new Socket({ fd, readable: true, writable: false })
      : createReadStream(file, { fd, highWaterMark: BLOCK })
    return new StreamBlocks(unpack ? unpack(stream) : stream, from, live && !unpack, idOf(stats))
  } catch (error) {
    await closeFile(fd)
    throw error
  }
}

/** Numbers of files are used again: the time at which it was made tells them apart. */
export function idOf({ ino, birthtimeMs }: Stats): string {
  return `${ino}:${birthtimeMs}`
}

const REASONS: Record<string, string> = {
  ENOENT: 'no such file',
  EISDIR: 'it is a directory',
  EACCES: 'permission denied',
}

export function cannotRead(file: string, error: unknown): Error {
  const { code = '', message = '' } = error as { code?: string; message?: string }
  return new Error(`Cannot read ${file}: ${REASONS[code] ?? message}`, { cause: error })
}

/** A plain file. */
export class FileBlocks implements Blocks {
  readonly live = false
  readonly id: string
  readonly size: number
  /** The buffer that is read into next, and the one that is in use. */
  #spare = Buffer.allocUnsafeSlow(FRONT + BLOCK)
  #used = Buffer.allocUnsafeSlow(FRONT + BLOCK)
  #reading: Promise<{ bytesRead: number }> | undefined

  constructor(
    readonly file: string,
    readonly fd: number,
    public at: number,
    stats: Stats,
  ) {
    this.id = idOf(stats)
    this.size = stats.size
  }

  /** Asks for the next block, unless that has been done. */
  #read(): Promise<{ bytesRead: number }> {
    if (this.#reading) return this.#reading
    this.#reading = readInto(this.fd, this.#spare, FRONT, BLOCK, this.at)
    // Nobody may come for it.
    this.#reading.catch(() => {})
    return this.#reading
  }

  async next(left: Uint8Array): Promise<Buffer | undefined> {
    const { bytesRead } = await this.#read().catch((error: unknown) => {
      throw cannotRead(this.file, error)
    })
    this.#reading = undefined
    if (bytesRead === 0) return undefined
    this.at += bytesRead
    const block = this.#spare
    const end = FRONT + bytesRead
    const start = FRONT - left.length
    const whole = start < 0 ? Buffer.concat([left, block.subarray(FRONT, end)]) : block.subarray(start, end)
    if (start >= 0) block.set(left, start)
    this.#spare = this.#used
    this.#used = block
    void this.#read()
    return whole
  }

  /** A descriptor must not be closed, and perhaps used again, under a read. */
  async settled(): Promise<void> {
    await this.#reading?.catch(() => {})
  }

  async close(): Promise<void> {
    await this.settled()
    await closeFile(this.fd)
  }
}

const NEWS = ['readable', 'end', 'error', 'close']

/** A pipe, a terminal, or what is unpacked on the way. */
class StreamBlocks implements Blocks {
  at = 0
  #failure: { error: Error } | undefined
  #ended = false
  #stopped = false
  #notify = (): void => {}
  readonly #heard = (event: string, error?: Error): void => {
    if (error) this.#failure ??= { error }
    this.#ended ||= event === 'end' || event === 'close'
    this.#notify()
  }

  constructor(
    readonly stream: Readable,
    /** So many bytes are passed over. */
    readonly from: number,
    readonly live: boolean,
    readonly id = '',
  ) {
    for (const event of NEWS) stream.on(event, (error?: Error) => this.#heard(event, error))
  }

  async next(left: Uint8Array): Promise<Buffer | undefined> {
    for (;;) {
      const chunk = this.stream.read() as Buffer | string | null
      if (chunk !== null) {
        const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
        const rest = bytes.subarray(Math.max(0, Math.min(bytes.length, this.from - this.at)))
        this.at += bytes.length
        if (rest.length > 0) return left.length > 0 ? Buffer.concat([left, rest]) : rest
      } else if (this.#failure) throw this.#failure.error
      else if (this.#ended || this.#stopped) return undefined
      else await new Promise<void>((resolve) => (this.#notify = resolve))
    }
  }

  stop(): void {
    this.#stopped = true
    this.#notify()
  }

  close(): void {
    this.stream.destroy()
  }
}
