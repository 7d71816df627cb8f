/**
 * Text into one file: gathered, and written in large pieces, one after the other.
 *
 * A file that is made appears whole or not at all: it is written beside its place, under a name of its own, and renamed
 * when all of it is there; where the run fails, it is removed. What can only be written on, a pipe or a terminal, and a
 * file that is appended to, is written as it comes.
 */
import { type ChunkWriter, chunkSink, type SinkContext, type WriteOptions } from '../../connect/chunk-sink.ts'
import { pathOf } from '../../connect/path.ts'
import { isWellFormed } from '../../connect/well-formed.ts'
import { demandOptions } from '../../connect/options.ts'
import { demand } from '../../errors.ts'
import type { Sink } from '../../pipeline/stage.ts'
import { openOutput, type Output } from './output.ts'
import { canGrow } from './packing.ts'

/** What `writeLines`, `writeJsonl` and `writeCsv` take. */
export interface FileWriteOptions<In> extends WriteOptions<In> {
  /** Adds to the file what comes, at once and in place, in place of making it anew. Default: no. */
  append?: boolean | undefined
  /** Waits at the end until the disk has the file, so that it survives a loss of power. Default: no. */
  sync?: boolean | undefined
}

/** What a file has come to. */
export interface Written {
  file: string
  /** Values written. */
  count: number
  /** Bytes written, packed where the file is. */
  bytes: number
}

const NEWLINE = 10

/** So many characters are gathered before they are written, and as many while that is done. */
const PIECE = 256 * 1024

/** Makes lines of values, for one run. */
export interface Encoder<In> {
  /** What a line is called. */
  line: string
  encode: (value: In) => string
  /** What is written where there was no value, in a file that is new. */
  empty?: () => string
  /** How many of the bytes, which begin with a line, are whole lines. Without it, each line end is the end of one. */
  whole?: (bytes: Uint8Array) => number
  /** What it must know to go on in the next run, as plain data. */
  state?: () => unknown
}

/** What an encoder is made for. */
export interface Target {
  file: string
  /** There is something in the file, to which is added. */
  hasContent: boolean
  /** That of the encoder of the run before, where this one goes on. */
  state: unknown
}

/** What a value was refused with, on one line. */
export function cannotEncode(what: string, cause: unknown): TypeError {
  const { message = cause } = Object(cause) as { message?: unknown }
  return new TypeError(`Cannot write ${what}: ${String(message).replace(/\s+/g, ' ')}`, { cause })
}

/** Makes a sink that writes a line of text for each value. */
export function textSink<In>(
  make: string,
  path: string | URL,
  options: FileWriteOptions<In>,
  encoderFor: (target: Target) => Encoder<In> | Promise<Encoder<In>>,
): Sink<In, Written> {
  const file = pathOf(path, `create ${make}`, 'a path or a file: URL')
  demandOptions(options, `create ${make}`)
  const { append = false, sync = false } = options
  const sink = chunkSink<In, string, Written, TextFile<In>>(make, options, {
    async open(context, from) {
      const { size, state, cutOff } = positionOf(file, from)
      const { own, goesOn, signal } = context
      const output = await openOutput(file, { append, sync, from: size, own, goesOn, cutOff, signal })
      try {
        const encoder = await encoderFor({ file, hasContent: output.size > 0, state })
        return new TextFile(file, output, context, encoder)
      } catch (error) {
        await output.abandon()
        throw error
      }
    },
    beginsAnew: append ? undefined : canGrow(file) ? ', unless "append" is true' : '',
    encode: (value, _index, { encoder }) => encoder.encode(value),
  })
  demand(typeof append === 'boolean', `create ${make}`, 'append', 'a boolean', append, TypeError)
  demand(typeof sync === 'boolean', `create ${make}`, 'sync', 'a boolean', sync, TypeError)
  demand(!append || canGrow(file), `create ${make}`, 'append', 'false for a .br or .zst file', append)
  return sink
}

interface Position {
  size: number
  state: unknown
  /** The last line there has no end yet: of what is packed, to see that costs unpacking it. */
  cutOff?: true | undefined
}

function positionOf(file: string, from: unknown): Partial<Position> {
  if (from === undefined) return {}
  const { size, state, cutOff } = Object(from) as Position
  if (Number.isSafeInteger(size) && size >= 0) return { size, state, cutOff }
  throw new Error(`Cannot go on writing ${file}: the position is not one of a file`)
}

/** Of half of a character would come U+FFFD. */
export const notWhole = (what: string): TypeError =>
  new TypeError(`Cannot write a ${what}: it holds half of a character (a lone surrogate)`)

class TextFile<In> implements ChunkWriter<string, Written, In> {
  #count = 0
  #pending = ''
  #buffer = Buffer.allocUnsafeSlow(2 * PIECE)
  #writing: Promise<void> | undefined

  constructor(
    readonly file: string,
    readonly output: Output,
    readonly context: SinkContext,
    readonly encoder: Encoder<In>,
  ) {
    if (output.isCutOff) this.#pending = '\n'
  }

  write(lines: readonly string[], values: readonly In[]): PromiseLike<unknown> | void {
    const text = `${lines.join('\n')}\n`
    // All at once: to look at each takes 6 % of the time of short lines.
    return isWellFormed(text) ? this.#add(text, lines.length) : this.#writeWhole(lines, values)
  }

  /** Without those lines that are not whole, which follow `onError` behind those before them. */
  async #writeWhole(lines: readonly string[], values: readonly In[]): Promise<void> {
    let from = 0
    for (let at = 0; at <= lines.length; at++) {
      if (at < lines.length && isWellFormed(lines[at])) continue
      if (at > from) await this.#add(`${lines.slice(from, at).join('\n')}\n`, at - from)
      if (at === lines.length) return
      await this.context.failed(values[at], notWhole(this.encoder.line))
      // After an abort nobody wants the others.
      if (this.context.signal.aborted) return
      from = at + 1
    }
  }

  #add(text: string, count: number): PromiseLike<unknown> | void {
    this.#count += count
    this.#pending += text
    // Who reads it meanwhile gets it at once.
    if (this.#pending.length < PIECE && !this.output.live) return
    if (this.#writing === undefined) this.#start()
    else if (this.#pending.length >= PIECE) return this.#writing
  }

  #start(): void {
    this.#writing = this.#writePending()
    // One that has failed stays: behind a hole in the file nothing is in its place.
    this.#writing.then(
      () => (this.#writing = undefined),
      (error: unknown) => this.context.broke(error),
    )
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
    // A line that was cut off before is only ended where another one follows.
    if (this.#count === 0) this.#pending = empty?.() ?? ''
    if (this.#pending !== '') await this.#writePending(1)
    await this.output.end()
    return { file: this.file, count: this.#count, bytes: this.output.bytes }
  }

  async abandon(aborted: boolean): Promise<void> {
    try {
      await this.#writing
      // What came before a failure has been accepted.
      if (!aborted && this.output.stays && this.#count > 0 && this.#pending !== '')
        await this.#writePending(1)
    } finally {
      await this.#takeBackTorn().finally(() => this.output.abandon())
    }
  }

  /** What has been written of a line that is not whole is no line. */
  async #takeBackTorn(): Promise<void> {
    const { torn } = this.output
    if (torn === undefined) return
    const whole = this.encoder.whole?.(torn) ?? torn.lastIndexOf(NEWLINE) + 1
    await this.output.takeBack?.(torn.length - whole)
  }

  position(): Position {
    const cutOff = this.output.isCutOff && this.#count === 0
    return { size: this.output.size, state: this.encoder.state?.(), ...(cutOff && { cutOff }) }
  }
}
