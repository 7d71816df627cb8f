// The producers: files, FIFOs, the standard input. Each is an async generator of the lines it reads, one chunk for
// each read, and reads no further while the channel behind it is full.
//
// What is no regular file is watched by the event loop and never read as a file: that would keep a thread of
// Node's pool waiting, and a process with such a thread cannot exit.

import { close, constants, fstatSync, openSync, read, type Stats } from 'node:fs'
import { Socket } from 'node:net'
import { resolve } from 'node:path'
import { type Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { isatty, ReadStream } from 'node:tty'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { pipeline, StageError } from 'sluice'
import { readBytes } from 'sluice/io'
import { LineSplitter } from './lines.ts'
import { Problem, reasonOf } from './problem.ts'
import { type SourceTally } from './tally.ts'

/** Lines that came with one read. */
export interface Lines {
  tally: SourceTally
  arrived: Date
  lines: string[]
}

export interface Input {
  name: string
  /** What is read, until the end or soon after `stop`. Each buffer is used up before the next is asked for. */
  bytes(stop: AbortSignal): AsyncIterable<Buffer>
  /** A file still has what was read of a line when the inputs stop; elsewhere that is written as it is. */
  keepsRest: boolean
  /** Which file or FIFO it is. */
  stats?: Stats
}

const readSize = 65_536
/** How much is still taken from a pipe after a stop: as much as the largest pipe holds. */
const lastBytes = 2 ** 20

/** Opens everything at once, so that what cannot be read is known before anything has been. */
export function openInputs(files: string[]): Input[] {
  const opened = files.map((file) => ({ file, fd: file === '-' ? 0 : descriptorOf(file) }))
  const inputs = opened.map(({ file, fd }) => inputOf(fd, file === '-' ? 'stdin' : file))
  inputs.forEach((input, i) => {
    // Each would get a part of it, lines torn in the middle.
    const before = inputs.findIndex(
      (other, j) =>
        opened[j].fd === opened[i].fd || (input.stats?.isFIFO() && isSame(other.stats, input.stats)),
    )
    if (before === i) return
    throw new Problem(
      `Cannot read ${input.name}: ${inputs[before].name} is the same, and can be read only once`,
    )
  })
  return inputs
}

/** Whether two are one file or FIFO. A device is never the same as another: nothing stays in it. */
export const isSame = (a: Stats | undefined, b: Stats | undefined): boolean =>
  a !== undefined && b !== undefined && (a.isFile() || a.isFIFO()) && a.dev === b.dev && a.ino === b.ino

function descriptorOf(file: string): number {
  // What is open already, as in `<(command)`, is not opened again: its writer may be gone by now.
  const inherited = /^\/(?:dev|proc\/self)\/(?:fd\/(\d+)|stdin)$/.exec(file)
  if (inherited) return Number(inherited[1] ?? 0)
  try {
    // Without O_NONBLOCK, a FIFO that nobody writes to would be waited for right here.
    return openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    throw new Problem(`Cannot read ${file}: ${reasonOf(error)}`)
  }
}

function inputOf(fd: number, name: string): Input {
  const stats = statsOf(fd, name)
  if (stats.isDirectory()) throw new Problem(`Cannot read ${name}: ${reasonOf({ code: 'EISDIR' })}`)
  if (stats.isFile() && /\.(gz|br|zst)$/.test(name)) {
    close(fd)
    return { name, stats, keepsRest: true, bytes: (stop) => unpackedBytes(name, stop) }
  }
  const pipe = stats.isFIFO() || stats.isSocket()
  if (!pipe && !isatty(fd)) return { name, stats, keepsRest: true, bytes: (stop) => fileBytes(fd, stop) }
  return { name, stats, keepsRest: false, bytes: (stop) => streamBytes(streamOf(fd, pipe), stop) }
}

function statsOf(fd: number, name: string): Stats {
  try {
    return fstatSync(fd)
  } catch (error) {
    throw new Problem(`Cannot read ${name}: ${reasonOf(error)}`)
  }
}

function streamOf(fd: number, pipe: boolean): Readable {
  if (fd === 0) return process.stdin
  return pipe ? new Socket({ fd, readable: true, writable: false }) : new ReadStream(fd)
}

const readInto = promisify(read)

async function* fileBytes(fd: number, stop: AbortSignal): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(readSize)
  try {
    while (!stop.aborted) {
      const { bytesRead } = await readInto(fd, buffer, 0, readSize, null)
      if (bytesRead === 0) return
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    close(fd)
  }
}

/** Reads a packed file. */
async function* unpackedBytes(name: string, stop: AbortSignal): AsyncGenerator<Buffer> {
  const path = resolve(name)
  try {
    // As a URL, no character of its name makes it a pattern.
    for await (const bytes of pipeline(readBytes(pathToFileURL(path)))) {
      if (stop.aborted) return
      yield Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    }
  } catch (error) {
    if (!(error instanceof StageError)) throw error
    // Who is told has the name of the file already.
    throw new Error(reasonOf(error.cause).split(`${path}: `).at(-1), { cause: error })
  }
}

/** Reads a pipe. When it is to stop, what lies in the pipe by then is still read. */
export async function* streamBytes(stream: Readable, stop: AbortSignal): AsyncGenerator<Buffer> {
  let failure: Error | undefined
  let changed = () => {}
  const notify = (error?: Error) => {
    failure ??= error
    changed()
  }
  for (const event of ['readable', 'end', 'error', 'close']) stream.on(event, notify)
  stop.addEventListener('abort', () => notify())
  let left = lastBytes
  try {
    while (left > 0) {
      let bytes = stream.read() as Buffer | null
      if (bytes === null && stop.aborted) {
        // Two turns of the event loop: one may have begun already.
        await nextTurn()
        await nextTurn()
        bytes = stream.read() as Buffer | null
        if (bytes === null) return
      }
      if (bytes !== null) {
        if (stop.aborted) left -= bytes.length
        yield bytes
        continue
      }
      if (failure) throw failure
      if (stream.readableEnded || stream.destroyed) return
      await new Promise<void>((resolve) => (changed = resolve))
    }
  } finally {
    stream.destroy()
  }
}

/**
 * The lines of an input. Where reading fails, that is noted in the tally and the input ends: the lines that came
 * before, and those of other inputs, have nothing to do with it.
 */
export async function* linesOf(input: Input, tally: SourceTally, stop: AbortSignal): AsyncGenerator<Lines> {
  const splitter = new LineSplitter()
  const chunk = (lines: string[]): Lines => {
    tally.read += lines.length
    tally.cuts = splitter.cuts
    return { tally, arrived: new Date(), lines }
  }
  try {
    for await (const bytes of input.bytes(stop)) {
      const lines = splitter.add(bytes)
      if (lines.length > 0) yield chunk(lines)
    }
  } catch (error) {
    tally.problem = `Cannot read ${input.name}: ${reasonOf(error)}`
  }
  if (stop.aborted && input.keepsRest) return
  const rest = splitter.end()
  if (rest.length > 0) yield chunk(rest)
}
