/**
 * The bytes of one input, block by block.
 *
 * Whoever reads hands back what it could not use yet, the beginning of a row, and finds it in front of the next block:
 * so a row is always in one piece, and how far a file has been read is known to the byte. A plain file is read into
 * two buffers in turn, the next block while this one is worked on, with room in front for what is left of the last
 * one: nothing is copied but that.
 */
import { once } from 'node:events'
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
  /** A pipe or a device, packed or not: what it has given may be all for a long time. */
  readonly slow?: boolean
  /** The same file from its beginning, whatever its name is by now: for a while beside these, which keep it open. */
  beginning?(): Blocks
  /** Where to begin lies behind the end of the file: it has been cut. */
  readonly beyond?: boolean
  /** Which file it is: the same number is the same file. */
  readonly id: string
  /** Behind what has been read. */
  readonly at: number
}

/** Of a file that was read before: which it was, how much of it had been read, and whether that was all. */
export interface Before {
  id: string
  read?: number
  done?: boolean
}

/** Opens an input. `from`: so many bytes are passed over. */
export async function openBlocks(file: string, from: number, before?: Before): Promise<Blocks> {
  if (isStandardInput(file)) return new StandardInput()
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
    const rest = unpack === undefined && stats.isFile()
    const read = before?.id === idOf(stats) ? (before.read ?? from) : 0
    const beyond = rest && stats.size < read
    if (beyond && !before?.done) throw tooShort(file, stats.size, read)
    if (rest) return new FileBlocks(file, fd, beyond ? 0 : from, idOf(stats), beyond)
    const stream = live
      ? new Socket({ fd, readable: true, writable: false })
      : createReadStream(file, { fd, highWaterMark: BLOCK })
    return new StreamBlocks(
      file,
      stream,
      unpack ? unpack(stream) : stream,
      from,
      live && !unpack,
      idOf(stats),
      !stats.isFile(),
    )
  } catch (error) {
    await closeFile(fd)
    throw error
  }
}

/** The names of the standard input. */
export const isStandardInput = (file: string): boolean => file === '-' || file === '/dev/stdin'

/** Numbers of files are used again: the time at which it was made tells them apart. */
export function idOf({ ino, birthtimeMs }: Stats): string {
  return `${ino}:${birthtimeMs}`
}

/** What is left to read has been cut off. */
function tooShort(file: string, size: number, from: number): Error {
  return new Error(`Cannot go on reading ${file}: it has ${size} bytes, and should have ${from}`)
}

const REASONS: Record<string, string> = {
  ENOENT: 'no such file',
  EISDIR: 'it is a directory',
  EACCES: 'permission denied',
}

export function cannotRead(file: string, error: unknown): Error {
  const { code = '', message = '' } = error as { code?: string; message?: string }
  // It has been said already.
  if (error instanceof Error && message.startsWith('Cannot ')) return error
  return new Error(`Cannot read ${file}: ${REASONS[code] ?? message}`, { cause: error })
}

/** A plain file. */
export class FileBlocks implements Blocks {
  readonly live = false
  /** The buffer that is read into next, and the one that is in use. */
  #spare = Buffer.allocUnsafeSlow(FRONT + BLOCK)
  #used = Buffer.allocUnsafeSlow(FRONT + BLOCK)
  #reading: Promise<{ bytesRead: number }> | undefined
  #closing = false
  #closed: Promise<void> | undefined

  constructor(
    readonly file: string,
    readonly fd: number,
    public at: number,
    readonly id: string,
    readonly beyond = false,
  ) {}

  /** Asks for the next block, unless that has been done. */
  #read(): Promise<{ bytesRead: number }> {
    if (this.#reading) return this.#reading
    this.#reading = readInto(this.fd, this.#spare, FRONT, BLOCK, this.at)
    // Nobody may come for it.
    this.#reading.catch(() => {})
    return this.#reading
  }

  async next(left: Uint8Array): Promise<Buffer | undefined> {
    if (this.#closing) return undefined
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
    if (!this.#closing) void this.#read()
    return whole
  }

  beginning(): Blocks {
    const blocks = new FileBlocks(this.file, this.fd, 0, this.id)
    return Object.assign(blocks, { close: () => blocks.settled() })
  }

  /** A descriptor must not be closed, and perhaps used again, under a read: waits for the last one. */
  async settled(): Promise<void> {
    this.#closing = true
    await this.#reading?.catch(() => {})
  }

  close(): Promise<void> {
    return (this.#closed ??= this.settled().then(() => closeFile(this.fd)))
  }
}

const NEWS = ['readable', 'end', 'error', 'close'] as const

/** What a stream gives, as it comes. */
class Arrivals {
  #failure: { error: Error } | undefined
  #ended: boolean
  #notify = (): void => {}
  readonly #listeners: [string, (error?: Error) => void][]

  constructor(readonly stream: Readable) {
    // Of one that somebody has read before, no more may be heard.
    this.#ended = stream.readableEnded || stream.destroyed
    this.#listeners = NEWS.map((event) => [event, (error) => this.#heard(event, error)])
    for (const [event, listener] of this.#listeners) stream.on(event, listener)
  }

  #heard(event: (typeof NEWS)[number], error?: Error): void {
    if (error) this.#failure ??= { error }
    this.#ended ||= event === 'end' || event === 'close'
    this.#notify()
  }

  /** What is there; waits until there is something, or the `signal` says that no more is wanted. */
  async next(signal: AbortSignal): Promise<Buffer | undefined> {
    const { stream } = this
    for (;;) {
      const chunk = stream.read() as Buffer | string | null
      if (chunk !== null)
        return typeof chunk === 'string' ? Buffer.from(chunk, stream.readableEncoding ?? 'utf8') : chunk
      if (this.#failure) throw this.#failure.error
      if (this.#ended || signal.aborted) return undefined
      await new Promise<void>((resolve) => {
        this.#notify = resolve
        signal.onabort = () => resolve()
      })
    }
  }

  forget(): void {
    for (const [event, listener] of this.#listeners) this.stream.off(event, listener)
  }
}

/** A pipe, or what is unpacked on the way. */
class StreamBlocks implements Blocks {
  at = 0
  readonly #arrivals: Arrivals
  readonly #stop = new AbortController()

  constructor(
    readonly file: string,
    /** What is read, and what comes of it. */
    readonly raw: Readable,
    readonly stream: Readable,
    /** So many bytes are passed over. */
    readonly from: number,
    readonly live: boolean,
    readonly id: string,
    readonly slow: boolean,
  ) {
    this.#arrivals = new Arrivals(stream)
  }

  async next(left: Uint8Array): Promise<Buffer | undefined> {
    for (;;) {
      const bytes = await this.#arrivals.next(this.#stop.signal).catch((error: unknown) => {
        throw cannotRead(this.file, error)
      })
      if (bytes === undefined) return this.#atEnd()
      const rest = bytes.subarray(Math.max(0, Math.min(bytes.length, this.from - this.at)))
      this.at += bytes.length
      if (rest.length > 0) return left.length > 0 ? Buffer.concat([left, rest]) : rest
    }
  }

  #atEnd(): undefined {
    if (this.at < this.from && !this.#stop.signal.aborted) throw tooShort(this.file, this.at, this.from)
  }

  stop(): void {
    this.#stop.abort()
  }

  /** The descriptor is free when the stream says so. */
  async close(): Promise<void> {
    this.stop()
    const closed = this.raw.closed ? undefined : once(this.raw, 'close')
    this.stream.destroy()
    this.raw.destroy()
    await closed
  }
}

/** Is not closed: whoever reads it next gets the rest. It does not keep the process. */
class StandardInput implements Blocks {
  readonly live = true
  readonly slow = true
  readonly id = ''
  at = 0
  readonly #arrivals: Arrivals
  readonly #stop = new AbortController()

  constructor() {
    const input: Readable & { ref?: () => void } = process.stdin
    input.ref?.()
    this.#arrivals = new Arrivals(input)
  }

  async next(left: Uint8Array): Promise<Buffer | undefined> {
    const bytes = await this.#arrivals.next(this.#stop.signal).catch((error: unknown) => {
      throw cannotRead('-', error)
    })
    if (bytes === undefined) return undefined
    this.at += bytes.length
    return left.length > 0 ? Buffer.concat([left, bytes]) : bytes
  }

  stop(): void {
    this.#stop.abort()
  }

  close(): void {
    this.stop()
    this.#arrivals.forget()
    const input: Readable & { unref?: () => void } = process.stdin
    input.pause()
    input.unref?.()
  }
}
