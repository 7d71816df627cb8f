// The consumer: the file that all lines end up in, or a FIFO.
//
// A file is a durable log: whole lines only, whatever happens, and nothing counts as written before it is. A FIFO takes
// batches, one write at a time.

import { closeSync, constants, fstatSync, openSync, type Stats, statSync } from 'node:fs'
import { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { batch, forEach, pipeline, type Sink } from 'sluice'
import { appendLog, type LogSummary } from 'sluice/io'
import { type Options } from './options.ts'
import { Problem, reasonOf } from './problem.ts'
import { counted, say } from './report.ts'
import { type Tally } from './tally.ts'

export interface Output {
  /** Where the records go. */
  sink: Sink<string, LogSummary | undefined>
  /** Which file or FIFO it is. */
  stats?: Stats
  close?(): Promise<void>
}

export function openOutput(options: Options, tally: Tally): Output {
  const { out } = options
  try {
    const there = statSync(out, { throwIfNoEntry: false })
    if (there?.isFIFO()) return { ...fifoOutput(options, tally), stats: there }
    // Before anything is read, so that a file that cannot be written to is known by then.
    const fd = openSync(out, 'a')
    const stats = fstatSync(fd)
    closeSync(fd)
    return { sink: logOf(options, tally), stats }
  } catch (error) {
    throw cannotWrite(out, error)
  }
}

/** What a log says begins with its file as well: once is enough. */
const cannotWrite = (file: string, error: unknown) =>
  new Problem(`Cannot write to ${file}: ${reasonOf(error).replace(`Cannot append to "${file}": `, '')}`)

/** What the run failed with, in words where it is the output that failed. */
export function problemOf(error: unknown, out: string): unknown {
  const { stage, cause } = Object(error) as { stage?: string; cause?: unknown }
  return stage === 'append' && !(cause instanceof Problem) ? cannotWrite(out, cause) : (cause ?? error)
}

function logOf({ out, batch: count, bytes, every: ms, sync, waitWhenFull }: Options, tally: Tally) {
  return appendLog(out, {
    name: 'append',
    flush: { count, bytes, ms },
    level: sync ? 'synced' : 'written',
    whenFull: waitWhenFull ? 'wait' : 'fail',
    // Whatever somebody else has left in the file is not ours to remove.
    torn: 'end',
    onRepaired: (torn) =>
      say(`${out} ended in the middle of a line, of ${counted(torn, 'byte')}: it has an end now`),
    onAcknowledged(records) {
      tally.written += records.length
      tally.batches++
    },
  })
}

function fifoOutput({ out, batch: count, bytes, every: ms }: Options, tally: Tally): Output {
  const fifo = new Fifo(out, tally, (error) => cannotWrite(out, error))
  // In characters, which are bytes in most logs; counting bytes takes longer than the rest of the stage.
  const sizeOf = (record: string) => record.length + 1
  return {
    sink: pipeline(
      batch<string>(count, { ms, bytes, sizeOf }),
      forEach((records) => fifo.append(records), { name: 'append' }),
    ),
    close: () => fifo.close(),
  }
}

/** A FIFO is waited for and written to by the event loop, so that a reader who is slow cannot keep us from exiting. */
class Fifo {
  readonly file: string
  readonly tally: Tally
  readonly failed: (error: unknown) => Problem
  #stream: Socket | undefined
  #problem: Problem | undefined

  constructor(file: string, tally: Tally, failed: (error: unknown) => Problem) {
    this.file = file
    this.tally = tally
    this.failed = failed
  }

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
      const stream = this.#tryOpen()
      if (stream) return stream
      await sleep(50)
    }
  }

  #tryOpen(): Socket | undefined {
    try {
      const fd = openSync(this.file, constants.O_WRONLY | constants.O_NONBLOCK)
      const stream = new Socket({ fd, readable: false, writable: true })
      return stream.on('error', (error) => (this.#problem = this.failed(error)))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENXIO') return undefined
      throw this.failed(error)
    }
  }

  /** Whoever has opened it to read sees its end, also where there was nothing to write. */
  async close(): Promise<void> {
    const stream = this.#stream ?? this.#tryOpen()
    if (stream && !stream.destroyed) await new Promise<void>((resolve) => stream.end(resolve))
  }
}
