/**
 * Text into one file: gathered, and written in large pieces, one after the other.
 *
 * A file that is made appears whole or not at all: it is written beside its place, under a name of its own, and renamed
 * when all of it is there; where the run fails, it is removed. What can only be written on, a pipe or a terminal, and a
 * file that is appended to, is written as it comes.
 */
import { fileURLToPath } from 'node:url'
import { type ChunkWriter, chunkSink, type SinkContext, type WriteOptions } from '../../connect/chunk-sink.ts'
import { demand } from '../../errors.ts'
import type { Sink } from '../../pipeline/stage.ts'
import { openOutput, type Output } from './output.ts'

export interface FileWriteOptions<In> extends WriteOptions<In> {
  /** Adds to the file what comes, at once and in place, in place of making it anew. Default: no. */
  append?: boolean
  /** Waits at the end until the disk has the file, so that it survives a loss of power. Default: no. */
  sync?: boolean
}

/** What a file has come to. */
export interface Written {
  file: string
  /** Values written. */
  count: number
  /** Bytes written, packed where the file is. */
  bytes: number
}

/** So many characters are gathered before they are written, and as many while that is done. */
const PIECE = 256 * 1024

/** Makes lines of values, for one run. */
export interface Encoder<In> {
  encode: (value: In) => string
  /** What is written where there was no value, in a file that is new. */
  empty?: () => string
}

/** Makes a sink that writes a line of text for each value. The file may have something in it, to which is added. */
export function textSink<In>(
  make: string,
  path: string | URL,
  options: FileWriteOptions<In>,
  encoderFor: (isNew: boolean) => Encoder<In>,
): Sink<In, Written> {
  const ok = path instanceof URL ? path.protocol === 'file:' : typeof path === 'string' && path !== ''
  demand(ok, `create ${make}`, 'path', 'a path or a file: URL', path, TypeError)
  const file = path instanceof URL ? fileURLToPath(path) : path
  const sink = chunkSink<In, string, Written, TextFile<In>>(make, options, {
    async open(context, from) {
      const output = await openOutput(file, { append, sync, from: (from as Position | undefined)?.size })
      return new TextFile(file, output, context, encoderFor(output.size === 0))
    },
    goesOn: options.append === true,
    encode: (value, _index, { encoder }) => encoder.encode(value),
  })
  const { append = false, sync = false } = options
  demand(typeof append === 'boolean', `create ${make}`, 'append', 'a boolean', append, TypeError)
  demand(typeof sync === 'boolean', `create ${make}`, 'sync', 'a boolean', sync, TypeError)
  return sink
}

interface Position {
  size: number
}

class TextFile<In> implements ChunkWriter<string, Written> {
  #count = 0
  #pending = ''
  #buffer = Buffer.allocUnsafeSlow(2 * PIECE)
  #writing: Promise<void> | undefined

  constructor(
    readonly file: string,
    readonly output: Output,
    readonly context: SinkContext,
    readonly encoder: Encoder<In>,
  ) {}

  write(lines: readonly string[]): PromiseLike<unknown> | void {
    this.#count += lines.length
    this.#pending += `${lines.join('\n')}\n`
    // Who reads it meanwhile gets it at once.
    if (this.#pending.length < PIECE && !this.output.live) return
    if (this.#writing === undefined) this.#start()
    else if (this.#pending.length >= PIECE) return this.#writing
  }

  #start(): void {
    const writing = this.#writePending().finally(() => (this.#writing = undefined))
    this.#writing = writing
    writing.catch((error: unknown) => this.context.broke(error))
  }

  /** Writes until nothing is worth a write. */
  async #writePending(least = this.output.live ? 1 : PIECE): Promise<void> {
    do {
      const text = this.#pending
      this.#pending = ''
      await this.output.write(this.#bytesOf(text))
    } while (this.#pending.length >= least)
  }

  #bytesOf(text: string): Uint8Array {
    // A character has three bytes at most.
    if (text.length * 3 > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(text.length * 3)
    return this.#buffer.subarray(0, this.#buffer.write(text))
  }

  async end(): Promise<Written> {
    await this.#writing
    const { empty } = this.encoder
    if (this.#count === 0 && empty) this.#pending = empty()
    if (this.#pending !== '') await this.#writePending(1)
    await this.output.end()
    return { file: this.file, count: this.#count, bytes: this.output.bytes }
  }

  async abandon(aborted: boolean): Promise<void> {
    try {
      await this.#writing
      // What came before a failure has been accepted.
      if (!aborted && this.output.live && this.#pending !== '') await this.#writePending(1)
    } finally {
      await this.output.abandon()
    }
  }

  position(): Position {
    return { size: this.output.size }
  }
}
