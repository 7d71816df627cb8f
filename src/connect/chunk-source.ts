/**
 * A source over something outside that gives many values at once: a block of a file, a page of a table.
 *
 * A promise is awaited for each chunk and none for each value, which is what an async generator would cost (bench:
 * async-source, 240 ns). The next chunk is asked for when the last one has been put out, so that a connector is never
 * called twice at a time; one that reads ahead does so itself.
 *
 * After a `stop`, what of the chunk in hand can be read again is left; otherwise it goes out first.
 */
import { isThenable } from '../pipeline/results.ts'
import {
  type Kernel,
  part,
  type Port,
  type Source,
  type StageContext,
  type StageOptions,
} from '../pipeline/stage.ts'
import { culpritOf, type OnError, onErrorOf, recover } from './on-error.ts'
import { resumeBy } from './resume.ts'

/** What a connector is given. */
export interface SourceContext extends StageContext {
  /** A value that cannot be read: does what `onError` says. Where that is `'fail'`, or its handler throws, it rejects. */
  failed(value: unknown, error: unknown): Promise<void>
}

/** A connector that reads. */
export interface ChunkReader<T> {
  /** The next values, maybe none yet; `undefined` at the end. Throws where reading fails. */
  next(): PromiseLike<readonly T[] | undefined> | readonly T[] | undefined
  /** No more is wanted: `next` gives what has been read already, if that would be lost, then `undefined`. Without it, `next` is not called again. */
  stop?(): void
  /** Lets go of everything: called once, after the end or before it, and maybe while a `next` is under way. */
  close?(): PromiseLike<unknown> | void
  /** What was read and not put out can be read again, in this run or another one: a file, not a pipe. Default: no. */
  readonly replayable?: boolean
  /**
   * Where a later run can go on, as plain data, when so many values of the chunk that `next` gave last have been put out.
   * Without it, that one reads from the beginning again, and passes over what this one gave.
   */
  position?(given: number): unknown
}

export interface ReadOptions extends StageOptions {
  /** What becomes of a value that cannot be read. Default: `'fail'`, the stage fails. */
  onError?: OnError<unknown>
}

export type OpenReader<T> = (
  context: SourceContext,
  from: unknown,
) => ChunkReader<T> | PromiseLike<ChunkReader<T>>

/**
 * Makes a source of a connector. `open` is called once a run, with the position to begin at where there is one; `goesOn`:
 * whether a later run can go on where an earlier one had come to, by default it can.
 */
export function chunkSource<T>(
  make: string,
  options: ReadOptions,
  open: OpenReader<T>,
  goesOn?: boolean,
): Source<T> {
  const onError = onErrorOf(make, options)
  const from = (position: unknown): Source<T> =>
    part('source', make, options, {
      kernel: (port) => new Reading(port, open, onError, position as Position | undefined),
      resume: resumeBy(make, goesOn, (to) => from(to).definitions[0]),
    })
  return from(undefined)
}

const NONE: readonly never[] = []

/** Where the connector was, or how many values have been put out. */
interface Position {
  at?: unknown
  skip?: number
}

const nothing = (): void => {}

class Reading<T> implements Kernel<never, T> {
  #reader: ChunkReader<T> | undefined
  #values: readonly T[] = NONE
  /** How many of them are put out. */
  #given = 0
  /** How many values have been put out in all; how many earlier runs have, of a connector that knows no position. */
  #total = 0
  readonly #skip: number
  /** It waits for the connector: to be opened, to read or to close. */
  #waiting = false
  #settling: Promise<void> | undefined
  #stopped = false
  /** There is no more to read. */
  #ended = false
  #closed = false

  constructor(
    readonly port: Port<never, T>,
    readonly open: OpenReader<T>,
    readonly onError: OnError<unknown>,
    readonly from: Position | undefined,
  ) {
    this.#skip = from?.skip ?? 0
  }

  run(port: Port<never, T>): void {
    this.#putOut(port)
    if ((port.full = this.#given < this.#values.length)) return
    const wants = port.count < port.room || this.#ended || this.#stopped
    if (wants && !this.#waiting && !this.#closed) this.#advance()
    if ((port.held = this.#waiting)) return
    if (this.#closed) port.finish()
  }

  #putOut(port: Port<never, T>): void {
    const { out } = port
    const values = this.#values
    const before = this.#given
    let given = before
    let { count } = port
    const end = Math.min(values.length, given + port.room - count)
    while (given < end) out[count++] = values[given++]!
    this.#given = given
    port.count = count
    this.#total += given - before
    if (given >= values.length) this.#values = NONE
  }

  /** One step: a chunk is put out before the next one is asked for, however fast they come. */
  #advance(): void {
    if (this.#reader === undefined) {
      if (this.#stopped) this.#closed = true
      else this.#await(this.open(this.#context(), this.from?.at), this.#opened)
    } else if (this.#ended || (this.#stopped && !this.#goesOut)) this.#await(this.#close(), nothing)
    else this.#await(this.#reader.next(), this.#arrived)
  }

  readonly #opened = (reader: ChunkReader<T>): PromiseLike<unknown> | void => {
    this.#reader = reader
    if (this.port.left) return this.#close()
    if (this.#stopped) reader.stop?.()
  }

  readonly #arrived = (values: readonly T[] | undefined): void => {
    if (values === undefined) {
      this.#ended = true
      return
    }
    // As far as an earlier run has given them.
    this.#given = Math.min(Math.max(0, this.#skip - this.#total), values.length)
    this.#total += this.#given
    this.#values = this.#stopped && !this.#goesOut ? NONE : values
  }

  /** After a stop, whether what was read would be lost. */
  get #goesOut(): boolean {
    return this.#reader!.replayable !== true && this.#reader!.stop !== undefined
  }

  /** Goes on with what may be there already. */
  #await<R>(result: PromiseLike<R> | R, take: (result: R) => PromiseLike<unknown> | void): void {
    if (!isThenable(result)) return void take(result)
    const { port } = this
    this.#waiting = true
    this.#settling = Promise.resolve(result)
      .then(take)
      .then(
        () => {
          this.#waiting = false
          port.wake()
        },
        (error: unknown) => this.#fail(error),
      )
  }

  #fail(error: unknown): void {
    const { culprit, thrown } = culpritOf(error)
    this.port.fail(thrown, culprit)
  }

  #context(): SourceContext {
    const { port, onError } = this
    const { context } = port
    return {
      name: context.name,
      get signal() {
        return context.signal
      },
      failed: (value, error) => recover(port, onError, value, error),
    }
  }

  get pending(): boolean {
    return this.#given < this.#values.length || (this.#stopped && this.#waiting)
  }

  get wants(): string | undefined {
    if (!this.#waiting) return undefined
    return this.#reader === undefined ? 'its input to be opened' : 'its input to give more'
  }

  stop(): void {
    this.#stopped = true
    if (this.#reader?.replayable) this.#values = NONE
    this.#reader?.stop?.()
  }

  close(): PromiseLike<unknown> | void {
    // What is being opened is let go of as soon as it is open.
    return this.#reader === undefined && this.#waiting ? this.#settling : this.#close()
  }

  #close(): PromiseLike<unknown> | void {
    if (this.#closed || this.#reader === undefined) return
    this.#closed = true
    return this.#reader.close?.()
  }

  position(): Position | undefined {
    if (this.#reader === undefined) return this.from
    if (this.#reader.position === undefined) return { skip: Math.max(this.#total, this.#skip) }
    return { at: this.#reader.position(this.#given) }
  }
}
