// The consumer: appends batches to the file, one write at a time.
//
// Nothing is counted as written before the system has taken it. A write that was taken in part goes on where it
// stopped; if it cannot, the lines that are whole in the file are counted, and the error says how many are missing.

import {
  close,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  type Stats,
  statSync,
  write,
} from 'node:fs'
import { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Problem, reasonOf } from './problem.ts'
import { type Tally } from './tally.ts'

export interface Output {
  append(records: string[]): Promise<void>
  close(): Promise<void>
  /** Which file it is. */
  stats?: Stats
}

export function openOutput(file: string, tally: Tally): Output {
  const failed = (error: unknown) => new Problem(`Cannot write to ${file}: ${reasonOf(error)}`)
  try {
    if (statSync(file, { throwIfNoEntry: false })?.isFIFO()) return new FifoOutput(file, tally, failed)
    return new FileOutput(file, tally, failed)
  } catch (error) {
    throw failed(error)
  }
}

const newline = 0x0a
const writeFrom = promisify(write)
const closeDescriptor = promisify(close)

class FileOutput implements Output {
  readonly stats: Stats
  readonly #fd: number
  /** Used for every batch: only one is written at a time. */
  #buffer = Buffer.allocUnsafeSlow(2 ** 20)
  /** What comes before the first line. */
  #before: string

  constructor(
    file: string,
    readonly tally: Tally,
    readonly failed: (error: unknown) => Problem,
  ) {
    this.#fd = openSync(file, 'a')
    this.stats = fstatSync(this.#fd)
    this.#before = endsInMidLine(file, this.stats) ? '\n' : ''
  }

  async append(records: string[]): Promise<void> {
    const text = `${this.#before}${records.join('\n')}\n`
    // A character has three bytes at most. Counting them is slow, so it is only done where it matters.
    if (text.length * 3 > this.#buffer.length) {
      const size = Buffer.byteLength(text)
      if (size > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(size)
    }
    const end = this.#buffer.write(text)
    let at = 0
    try {
      while (at < end) at += (await writeFrom(this.#fd, this.#buffer, at, end - at, null)).bytesWritten
    } catch (error) {
      this.tally.written += linesIn(this.#buffer.subarray(this.#before.length, at))
      throw this.failed(error)
    }
    this.#before = ''
    this.tally.written += records.length
    this.tally.batches++
    this.tally.bytes += end
  }

  async close(): Promise<void> {
    try {
      await closeDescriptor(this.#fd)
    } catch (error) {
      throw this.failed(error)
    }
  }
}

/** Whether somebody stopped in the middle of a line: a full disk, or a power cut. */
function endsInMidLine(file: string, stats: Stats): boolean {
  if (!stats.isFile() || stats.size === 0) return false
  try {
    const fd = openSync(file, 'r')
    const last = Buffer.alloc(1)
    readSync(fd, last, 0, 1, stats.size - 1)
    closeSync(fd)
    return last[0] !== newline
  } catch {
    return false // It may be appended to, but not read.
  }
}

function linesIn(bytes: Buffer): number {
  let lines = 0
  for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, at + 1)) lines++
  return lines
}

/** A FIFO is waited for and written to by the event loop, so that a reader who is slow cannot keep us from exiting. */
class FifoOutput implements Output {
  #stream: Socket | undefined
  #problem: Problem | undefined

  constructor(
    readonly file: string,
    readonly tally: Tally,
    readonly failed: (error: unknown) => Problem,
  ) {}

  async append(records: string[]): Promise<void> {
    const stream = (this.#stream ??= await this.#open())
    const text = Buffer.from(`${records.join('\n')}\n`)
    await new Promise<void>((resolve, reject) => {
      if (this.#problem) return reject(this.#problem)
      stream.write(text, (error) => (error ? reject(this.failed(error)) : resolve()))
    })
    this.tally.written += records.length
    this.tally.batches++
    this.tally.bytes += text.length
  }

  /** Opens the FIFO once it has a reader. Nothing tells when that is, so it is tried again and again. */
  async #open(): Promise<Socket> {
    for (;;) {
      try {
        const fd = openSync(this.file, constants.O_WRONLY | constants.O_NONBLOCK)
        const stream = new Socket({ fd, readable: false, writable: true })
        return stream.on('error', (error) => (this.#problem = this.failed(error)))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw this.failed(error)
        await sleep(50)
      }
    }
  }

  async close(): Promise<void> {
    const stream = this.#stream
    if (stream && !stream.destroyed) await new Promise<void>((resolve) => stream.end(resolve))
  }
}
