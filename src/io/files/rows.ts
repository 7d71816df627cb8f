/**
 * Rows of files as a source: inputs are opened one after the other, read block by block, and a parser makes rows of
 * the bytes. Blocks end anywhere; a parser says how many bytes it has used up, and sees the rest again with the next.
 */
import {
  type ReadOptions,
  chunkSource,
  type ChunkReader,
  type OpenReader,
  type SourceContext,
} from '../../connect/chunk-source.ts'
import { demand } from '../../errors.ts'
import type { Source } from '../../pipeline/stage.ts'
import { type Blocks, openBlocks } from './blocks.ts'
import { followBlocks } from './follow.ts'
import { checkInputs, filesOf, type Inputs } from './inputs.ts'
import { byteOrderMark, checkEncoding, type Decoder, decoderFor } from './text.ts'

export interface FileOptions extends ReadOptions {
  /**
   * The encoding of the text, as `TextDecoder` names it. Default: what a byte order mark says, else `'utf-8'`. Bytes
   * that are no text become U+FFFD.
   */
  encoding?: string
  /** Waits at the end of the file for more, as `tail -F` does: through rotation, and until the run is stopped. One file only. Default: no. */
  follow?: boolean
  /** Where to begin with `follow`. Default: `'start'`. */
  from?: 'start' | 'end'
}

/** What came out of a block. */
export interface Batch<T> {
  rows: T[]
  /** Rows that cannot be read: how many good ones came before, what is told of it, why. */
  bad: { at: number; value: unknown; error: Error }[]
}

export interface Parser<T> {
  /** Makes rows of `bytes` and gives how many of them it has used up: all of them where they are `final`. */
  parse(bytes: Buffer, final: boolean, batch: Batch<T>): number
  /** How many lines of the file it has used up. */
  readonly line: number
  /** What it must know to go on in the middle of a file, as plain data. */
  readonly state?: unknown
}

/** What a parser is made for: a file, and the lines of it that were read before. */
export interface Origin {
  file: string
  line: number
  state: unknown
  decoder: Decoder
}

/** How far the inputs have been read, as plain data. */
export interface FilePosition {
  file: string
  /** In bytes, unpacked. */
  offset: number
  line: number
  /** Which file it was. */
  id: string
  encoding?: string
  /** That of the parser. */
  state?: unknown
  /** How many rows, good and bad, have been given from there on. */
  passed?: number
  /** All inputs have been read. */
  done?: boolean
}

export function rowSource<T>(
  make: string,
  inputs: Inputs,
  options: FileOptions,
  parserFor: (origin: Origin) => Parser<T>,
): Source<T> {
  const list = checkInputs(make, inputs)
  const open: OpenReader<T> = async (context, from) => {
    const files = await filesOf(list)
    return new RowReader(files, options, parserFor, context, from as FilePosition | undefined)
  }
  const source = chunkSource(make, options, open, !list.includes('-'))
  const { encoding, follow = false, from = 'start' } = options
  if (encoding !== undefined) checkEncoding(make, encoding)
  const action = `create ${make}`
  demand(typeof follow === 'boolean', action, 'follow', 'a boolean', follow, TypeError)
  demand(from === 'start' || from === 'end', action, 'from', "'start' or 'end'", from, TypeError)
  demand(from === 'start' || follow, action, 'from', '\'start\' without "follow"', from, TypeError)
  const one = list.length === 1 && list[0] !== '-'
  demand(!follow || one, action, 'follow', 'false for the standard input, and for more than one file', follow)
  return source
}

const NOTHING = new Uint8Array(0)

/** The input that is being read. */
interface Reading<T> {
  blocks: Blocks
  /** Made when the first bytes tell the encoding. */
  parser?: Parser<T>
  /** Bytes of a row whose end has not come yet. */
  left: Uint8Array
  position: FilePosition
}

class RowReader<T> implements ChunkReader<T> {
  /** Which of the files is read next. */
  #index = 0
  #reading: Reading<T> | undefined
  /** How far the last file was read that is through. */
  #last: FilePosition | undefined
  /** What came out of the last block, and how much of it has been given: rows, and bad rows in their places. */
  #batch: Batch<T> = { rows: [], bad: [] }
  #row = 0
  #bad = 0
  /** Where in it the rows begin that were given last. */
  #from = 0
  /** Where that block begins. */
  #start: FilePosition | undefined
  /** How many rows, good and bad, an earlier run was given from there on. */
  #skip: number
  readonly #stop = new AbortController()

  constructor(
    readonly files: readonly string[],
    readonly options: FileOptions,
    readonly parserFor: (origin: Origin) => Parser<T>,
    readonly context: SourceContext,
    readonly from: FilePosition | undefined,
  ) {
    this.#skip = from?.passed ?? 0
    if (from === undefined) return
    this.#index = files.indexOf(from.file)
    if (this.#index < 0) throw new Error(`Cannot go on reading ${from.file}: it is not among the inputs`)
  }

  async next(): Promise<readonly T[] | undefined> {
    for (;;) {
      const rows = this.#upToBad()
      if (rows.length > 0) return rows
      const bad = this.#batch.bad[this.#bad]
      if (bad !== undefined) {
        this.#bad++
        await this.context.failed(bad.value, bad.error)
      } else if (!(await this.#advance())) return undefined
    }
  }

  /** The next good rows, up to a bad one. */
  #upToBad(most = Infinity): readonly T[] {
    const { rows, bad } = this.#batch
    const from = (this.#from = this.#row)
    this.#row = Math.min(bad[this.#bad]?.at ?? rows.length, from + most)
    return from === 0 && this.#row === rows.length ? rows : rows.slice(from, this.#row)
  }

  /** Takes away what an earlier run was given. */
  #passOver(): void {
    while (this.#skip > 0) {
      const passed = this.#upToBad(this.#skip).length
      this.#skip -= passed
      if (passed > 0) continue
      if (this.#batch.bad[this.#bad] === undefined) return
      this.#bad++
      this.#skip--
    }
  }

  /** Reads a block. Says whether there may be more. */
  async #advance(): Promise<boolean> {
    if (this.#stopped || (this.#reading === undefined && this.#index >= this.files.length)) return false
    const reading = (this.#reading ??= await this.#open())
    if (reading === undefined) return false
    const block = await reading.blocks.next(reading.left)
    // The beginning of a row is left where it is.
    if (block === undefined && this.#stopped) return false
    const bytes = block ?? Buffer.from(reading.left)
    const start = reading.parser === undefined ? this.#begin(reading, bytes) : 0
    this.#start = { ...reading.position }
    this.#batch = { rows: [], bad: [] }
    this.#row = this.#bad = 0
    const used = start + reading.parser!.parse(bytes.subarray(start), block === undefined, this.#batch)
    this.#passOver()
    reading.position.offset += used
    reading.position.line = reading.parser!.line
    reading.position.state = reading.parser!.state
    reading.left = bytes.subarray(used)
    if (block === undefined) await this.#ended(reading)
    return true
  }

  /** Nothing more is to be read: what has been read of a pipe still is. */
  get #stopped(): boolean {
    return this.#stop.signal.aborted && this.#reading?.blocks.live !== true
  }

  async #open(): Promise<Reading<T> | undefined> {
    const { options, from } = this
    const file = this.files[this.#index]
    const resumed = this.#last === undefined ? from : undefined
    const position = { file, offset: 0, line: 0, ...resumed }
    const start = options.from === 'end' && !this.#last && !resumed ? 'end' : position.offset
    const blocks = options.follow
      ? await followBlocks(file, start, this.#stop.signal, resumed?.id)
      : await openBlocks(file, position.offset)
    if (blocks === undefined) return undefined
    if (start === 'end') position.offset = blocks.at
    const { id, size = Infinity } = blocks
    if (resumed === undefined || (id === resumed.id && size >= resumed.offset) || options.follow)
      return { blocks, left: NOTHING, position: { ...position, id } }
    await blocks.close()
    if (!resumed.done) throw new Error(`Cannot go on reading ${file}: another file has taken its place`)
    // All of the other file has been read.
    this.#last = resumed
    return this.#open()
  }

  /** Makes the parser of a file. Gives how many bytes its byte order mark has. */
  #begin({ position }: Reading<T>, bytes: Buffer): number {
    const mark = position.offset === 0 ? byteOrderMark(bytes) : undefined
    const encoding = this.options.encoding ?? position.encoding ?? mark?.encoding ?? 'utf-8'
    position.encoding = encoding
    const { file, line, state } = position
    this.#reading!.parser = this.parserFor({ file, line, state, decoder: decoderFor(encoding) })
    return mark && new TextDecoder(encoding).encoding === mark.encoding ? mark.length : 0
  }

  async #ended({ blocks, position }: Reading<T>): Promise<void> {
    this.#reading = undefined
    this.#last = position
    if (!this.options.follow) this.#index++
    await blocks.close()
  }

  stop(): void {
    this.#stop.abort()
    this.#reading?.blocks.stop?.()
  }

  close(): PromiseLike<unknown> | void {
    this.#stop.abort()
    return this.#reading?.blocks.close()
  }

  position(given: number): FilePosition | undefined {
    const { rows, bad } = this.#batch
    const row = Math.min(this.#row, this.#from + given)
    if (row < rows.length || this.#bad < bad.length) return { ...this.#start!, passed: row + this.#bad }
    const position = this.#reading?.position ?? this.#last
    const done = this.#reading === undefined && this.#index >= this.files.length
    return position ? { ...position, passed: this.#skip, done } : this.from
  }
}
