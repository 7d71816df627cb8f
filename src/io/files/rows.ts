/**
 * Rows of files as a source: inputs are opened one after the other, read block by block, and a parser makes rows of
 * the bytes. Blocks end anywhere; a parser says how many bytes it has used up, and sees the rest again with the next.
 */
import { TextDecoder } from 'node:util'
import { statSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import {
  type ReadOptions,
  chunkSource,
  type OpenReader,
  type ChunkReader,
  type SourceContext,
} from '../../connect/chunk-source.ts'
import { demand } from '../../errors.ts'
import type { Complete, Source } from '../../pipeline/stage.ts'
import { type Blocks, idOf, isStandardInput, openBlocks } from './blocks.ts'
import { type FilePosition, placed } from './file-positions.ts'
import { Follower } from './follow.ts'
import { checkInputs, filesOf, type Inputs, isPattern } from './inputs.ts'
import { isPacked } from './packing.ts'
import { beginsMark, byteOrderMark, checkEncoding, type Decoder, decoderFor } from './text.ts'

/** What `readLines`, `readJsonl` and `readCsv` take. */
export interface FileOptions extends ReadOptions<string> {
  /**
   * The encoding of the text, as `TextDecoder` names it. Default: what a byte order mark says, else `'utf-8'`. Bytes
   * that are no text become U+FFFD.
   */
  encoding?: string | undefined
  /** Waits at the end of the file for more, as `tail -F` does: through rotation, and until the run is stopped. One file only. Default: no. */
  follow?: boolean | undefined
  /** Where to begin with `follow`; `'end'` of a job is that at its first start, of a pattern that at the start at which something comes. Default: `'start'`. */
  from?: 'start' | 'end' | undefined
}

/** The options as they were when the source was made: what becomes of them later does not matter. */
type Taken = Complete<Pick<FileOptions, 'follow' | 'from'>> & { encoding: string | undefined }

/** What came out of a block. */
export interface Batch<T> {
  rows: T[]
  /** Rows that cannot be read: how many good ones came before, what is told of it, why. */
  bad: { at: number; value: string; error: Error }[]
}

export interface Parser<T> {
  /** Makes rows of `bytes` and gives how many of them it has used up: all of them where they are `final`. */
  parse(bytes: Buffer, final: boolean, batch: Batch<T>): number
  /** How many lines of the file it has used up. */
  readonly line: number
  /** What it must know to go on in the middle of a file, as plain data. */
  readonly state?: unknown
  /** The state in which the rest of a file is read whose beginning it has seen; `undefined`: it has to see more. Without: none. */
  readonly begun?: unknown
}

/** What a parser is made for: a file, and the lines of it that were read before. */
export interface Origin {
  file: string
  line: number
  state: unknown
  decoder: Decoder
}

export function rowSource<T>(
  make: string,
  inputs: Inputs,
  options: FileOptions,
  parserFor: (origin: Origin) => Parser<T>,
): Source<T> {
  const list = checkInputs(make, inputs)
  const open: OpenReader<T> = async (context, from) => {
    const files = await filesOf(list, from !== undefined && !follow)
    if (follow && files.length > 1)
      throw new Error(`Cannot follow ${list[0]}: ${files.length} files match, and only one can be followed`)
    const before = from === undefined ? [] : await placesNow(from as FilePosition, files)
    return new RowReader(files, taken, parserFor, context, before)
  }
  const source = chunkSource(make, options, open, {
    goesOn: !list.some(isStandardInput),
    beginning: () => (follow ? followedFrom(start, list[0]) : undefined),
  })
  const { encoding, follow = false, from: start = 'start' } = options
  const taken: Taken = { encoding, follow, from: start }
  if (encoding !== undefined) checkEncoding(make, encoding)
  const action = `create ${make}`
  demand(typeof follow === 'boolean', action, 'follow', 'a boolean', follow, TypeError)
  demand(start === 'start' || start === 'end', action, 'from', "'start' or 'end'", start, TypeError)
  demand(start === 'start' || follow, action, 'from', '\'start\' without "follow"', start, TypeError)
  const one = list.length === 1 && !isStandardInput(list[0]) && !isPacked(list[0])
  const not = 'false for the standard input, for packed files, and for more than one file'
  demand(!follow || one, action, 'follow', not, follow)
  return source
}

const NOTHING = new Uint8Array(0)
/** From how many bytes on a row is long: several blocks of it are read before it is looked at again. */
const LONG_ROW = 2 ** 20

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
  /** It is being opened, or the one before is being closed. */
  #moving: Promise<unknown> | undefined
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
  #skip = 0
  /** Where the inputs stand that an earlier run has begun, or that are through: by their places. */
  readonly #known: Map<number, FilePosition>
  readonly #stop = new AbortController()
  #closed = false
  readonly #follower: Follower | undefined

  constructor(
    readonly files: readonly string[],
    readonly options: Taken,
    readonly parserFor: (origin: Origin) => Parser<T>,
    readonly context: SourceContext,
    /** Where an earlier run stood: in the file that it read last, and in others. */
    readonly before: readonly FilePosition[],
  ) {
    if (options.follow) this.#follower = new Follower(files[0], this.#stop.signal)
    this.#known = new Map(before.map((position) => [position.index, position]))
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
    if (this.#stopped) return false
    while (this.#reading === undefined && this.#index < this.files.length && !this.#stopped)
      await this.#move(this.#open())
    const reading = this.#reading
    if (reading === undefined) return false
    const block = await this.#more(reading)
    // The beginning of a row is left where it is.
    if (this.#closed || (block === undefined && this.#stopped)) return false
    const bytes = block ?? Buffer.from(reading.left)
    if (reading.parser === undefined && block && this.#mayBeMark(reading, block)) reading.left = block
    else this.#parse(reading, bytes, block === undefined)
    if (block === undefined) await this.#move(this.#ended(reading))
    return true
  }

  /**
   * What is left of the last block and the next one; of a long row as much again as is left of it. To look at all of it again
   * with each block would take the square of its length. What is slow may have come to the end of the row, and no more come.
   */
  async #more({ blocks, left }: Reading<T>): Promise<Buffer | undefined> {
    if (left.length < LONG_ROW || blocks.slow) return blocks.next(left)
    const parts = [Buffer.from(left)]
    let length = 0
    while (length < left.length && !this.#stopped) {
      const block = await blocks.next(NOTHING).catch((error: unknown) => {
        // The rows before it come first; it is there at the next call, too.
        if (length === 0) throw error
      })
      if (block === undefined) break
      // It is read into again.
      parts.push(Buffer.from(block))
      length += block.length
    }
    return length > 0 ? Buffer.concat(parts) : undefined
  }

  #parse(reading: Reading<T>, bytes: Buffer, final: boolean): void {
    const { position } = reading
    const start = reading.parser === undefined ? this.#begin(reading, bytes) : 0
    const parser = reading.parser!
    position.read = reading.blocks.at
    position.done = false
    this.#start = { ...position }
    this.#batch = { rows: [], bad: [] }
    this.#row = this.#bad = 0
    const used = start + parser.parse(bytes.subarray(start), final, this.#batch)
    this.#passOver()
    position.offset += used
    position.line = parser.line
    position.state = parser.state
    reading.left = bytes.subarray(used)
  }

  /** Nothing more is to be read: what has been read of a pipe still is. */
  get #stopped(): boolean {
    return this.#stop.signal.aborted && this.#reading?.blocks.live !== true
  }

  /** One step between files: whoever closes waits for it. */
  async #move(step: Promise<void>): Promise<void> {
    this.#moving = step
    await step
    this.#moving = undefined
  }

  async #open(): Promise<void> {
    const { options } = this
    const index = this.#index
    const file = this.files[index]
    const resumed = this.#known.get(index)
    const before = this.context.goesOn ? await sizeOf(file) : undefined
    if (resumed?.done && !options.follow && this.#isThrough(resumed, before)) return void this.#index++
    const start = options.from === 'end' && !this.#last && !resumed ? 'end' : (resumed?.offset ?? 0)
    const blocks = this.#follower
      ? await this.#follower.open(start, resumed?.id || undefined)
      : await openBlocks(file, start === 'end' ? 0 : start, resumed)
    if (blocks === undefined) return
    if (blocks.live && this.context.goesOn) {
      await blocks.close()
      throw new TypeError(`Cannot go on reading ${file}: it is a pipe, which can be read only once`)
    }
    const offset = start === 'end' ? blocks.at : 0
    const size = isPacked(file) ? before?.size : undefined
    const fresh: FilePosition = { file, index, offset, line: 0, id: blocks.id, size }
    const isSame = resumed !== undefined && blocks.id === resumed.id && !blocks.beyond
    if (resumed !== undefined && !isSame && !options.follow) return this.#replaced(blocks, resumed)
    this.#known.delete(index)
    // It is told anew with each position: left in this one, it would be passed over once more when the file grows.
    const { passed = 0, ...position } = isSame ? { ...resumed, size } : fresh
    if (position.offset > 0 && position.encoding === undefined)
      Object.assign(position, await this.#beginningOf(file, blocks))
    this.#skip = passed
    this.#reading = { blocks, left: NOTHING, position }
    if (this.#stop.signal.aborted) blocks.stop?.()
  }

  /** Whether nothing has been added to a file that is through. One before that which was read last may have been removed. */
  #isThrough({ file, id, read, size }: FilePosition, now: { id: string; size: number } | undefined): boolean {
    if (now === undefined) return file !== this.before[0].file
    return now.id === id && now.size === (isPacked(file) ? size : read)
  }

  /** What the beginning of a file tells of which only the end is read: its encoding, and its header. */
  async #beginningOf(file: string, rest: Blocks): Promise<Pick<FilePosition, 'encoding' | 'state'>> {
    const options: Taken = { ...this.options, follow: false, from: 'start' }
    const reader = new RowReader([file], options, this.parserFor, this.context, [])
    const blocks = rest.beginning?.()
    if (blocks)
      reader.#reading = {
        blocks,
        left: NOTHING,
        position: { file, index: 0, offset: 0, line: 0, id: rest.id },
      }
    let parser: Parser<T> | undefined
    try {
      while (parser === undefined || ('begun' in parser && parser.begun === undefined)) {
        if (this.#closed || !(await reader.#advance())) break
        parser = reader.#reading?.parser ?? parser
      }
      const { encoding } = reader.#reading?.position ?? reader.#last ?? {}
      return { ...(encoding !== undefined && { encoding }), state: parser?.begun }
    } catch (error) {
      await rest.close()
      throw error
    } finally {
      await reader.close()
    }
  }

  /** Another file has taken the place of the one where reading was to go on. */
  async #replaced(blocks: Blocks, resumed: FilePosition): Promise<void> {
    await blocks.close()
    if (!resumed.done)
      throw new Error(`Cannot go on reading ${resumed.file}: another file has taken its place`)
    // All of the other file has been read.
    this.#known.delete(resumed.index)
    this.#last = resumed
  }

  /** Whether more bytes are needed to tell a byte order mark. */
  #mayBeMark({ position }: Reading<T>, bytes: Buffer): boolean {
    const { encoding } = this.options
    const unicode = encoding === undefined || new TextDecoder(encoding).encoding.startsWith('utf-')
    return position.offset === 0 && unicode && beginsMark(bytes)
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
    if (!this.options.follow) {
      position.done = true
      this.#known.set(this.#index++, position)
    }
    await blocks.close()
  }

  stop(): void {
    this.#stop.abort()
    this.#reading?.blocks.stop?.()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.stop()
    // Whether it comes off is the affair of who opens.
    await this.#moving?.catch(() => {})
    await this.#reading?.blocks.close()
  }

  position(given: number): FilePosition | undefined {
    const { rows, bad } = this.#batch
    const row = Math.min(this.#row, this.#from + given)
    if (row < rows.length || this.#bad < bad.length)
      return this.#withOthers({ ...this.#start!, passed: row + this.#bad })
    const position = this.#reading?.position ?? this.#last
    if (position) return this.#withOthers({ ...position, passed: this.#skip })
    return this.before.length > 0 ? this.#withOthers(this.before[0]) : undefined
  }

  #withOthers(position: FilePosition): FilePosition {
    const others = [...this.#known.values()].filter(({ index }) => index !== position.index)
    return others.length > 0 ? { ...position, others } : position
  }
}

/** Where an earlier run stood in the files there are now. */
async function placesNow(position: FilePosition, files: readonly string[]): Promise<FilePosition[]> {
  const there = await Promise.all(files.map(sizeOf))
  const ids = there.map((file) => file?.id)
  return placed(position, files, ids)
}

/** Which file has this name, and how long it is, where there is one. */
async function sizeOf(file: string): Promise<{ id: string; size: number } | undefined> {
  if (isStandardInput(file)) return undefined
  const stats = await stat(file).catch(() => undefined)
  return stats && { id: idOf(stats), size: stats.size }
}

/** Where the file that has the name now is followed from, or one that is not there yet; `undefined` where only opening it tells. */
function followedFrom(from: FileOptions['from'], file: string): FilePosition | undefined {
  try {
    const stats = statSync(file)
    if (!stats.isFile()) return undefined
    return { file, index: 0, offset: from === 'end' ? stats.size : 0, line: 0, id: idOf(stats) }
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT' && !isPattern(file)
    return isMissing ? { file, index: 0, offset: 0, line: 0, id: '' } : undefined
  }
}
