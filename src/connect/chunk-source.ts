/**
 * A source over something outside that gives many values at once: a block of a file, a page of a table.
 *
 * A promise is awaited for each chunk and none for each value, which is what an async generator would cost (bench:
 * async-source, 240 ns). The next chunk is asked for when the last one has been put out, so that a connector is never
 * called twice at a time; one that reads ahead does so itself.
 *
 * After a `stop`, the chunk in hand still goes out: nothing that was read is lost. Where one run goes on after the
 * other, as with a checkpoint, the next one takes it over instead, and the connector stays open.
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
import { BadValues, culpritOf, type OnError, onErrorOf } from './on-error.ts'

/** What a connector is given. */
export interface SourceContext extends StageContext {
  /** A later process is to go on where this one has come to. */
  readonly goesOn: boolean
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
  /**
   * Where a later run can go on, as plain data, when so many values of the chunk that `next` gave last have been put out.
   * Without it, that one reads from the beginning again, and passes over what this one gave.
   */
  position?(given: number): unknown
}

/** What the sources of files and databases take. */
export interface ReadOptions<Raw = unknown> extends StageOptions {
  /** What becomes of a value that cannot be read. Default: `'fail'`, the stage fails. */
  onError?: OnError<Raw> | undefined
}

export type OpenReader<T> = (
  context: SourceContext,
  from: unknown,
) => ChunkReader<T> | PromiseLike<ChunkReader<T>>

/** How a later process goes on where an earlier one had come to. */
export interface GoingOn {
  /** Whether it can. Default: yes. */
  goesOn?: boolean
  /** The position at which the first of them begins, where a later one would not find the same beginning. */
  beginning?: () => unknown
}

/** Makes a source of a connector. `open` is called once a run, with the position to begin at where there is one. */
export function chunkSource<T>(
  make: string,
  options: ReadOptions<never>,
  open: OpenReader<T>,
  { goesOn = true, beginning }: GoingOn = {},
): Source<T> {
  const onError = onErrorOf(make, options)
  const source: Source<T> = part('source', make, options, {
    kernel: (port: Port<never, T>) => new Reading(port, new Feed(open, onError, false), false),
    keep(position) {
      if (!goesOn) throw new TypeError(`Cannot go on with ${make}: what it reads can be read only once`)
      const at = position === undefined ? beginning?.() : undefined
      const from = at === undefined ? position : { at }
      if (!isPosition(from)) throw new Error(`Cannot go on with ${make}: the position is not one of a source`)
      const feed = new Feed(open, onError, true, from)
      const { definitions } = part('source', make, source.definitions[0], {
        kernel: (port: Port<never, T>) => new Reading(port, feed, true),
      })
      return {
        definition: definitions[0],
        position: () => feed.position(),
        ended: () => feed.ended,
        close: () => feed.close(true),
      }
    },
  })
  return source
}

const NONE: readonly never[] = []

/** Where the connector was, or how many values have been put out. */
interface Position {
  at?: unknown
  skip?: number
}

function isPosition(from: unknown): from is Position | undefined {
  const { at, skip = 0 } = Object(from) as Position
  return at !== null && Number.isSafeInteger(skip) && skip >= 0
}

/** A connector that was opened, or will be, and the chunk it gave last: a run takes from it, or one run after the other. */
class Feed<T> {
  /** Who takes from it. */
  port!: Port<never, T>
  reader: ChunkReader<T> | undefined
  values: readonly T[] = NONE
  /** How many of them are put out. */
  given = 0
  /** How many values have been put out in all; how many earlier ones were, of a connector that knows no position. */
  #total = 0
  readonly #skip: number
  /** Where the connector was before the `next` that is under way: it may be further by now than what it has given. */
  #before: Position | undefined
  #asked = false
  /** It waits for the connector: to be opened, to read or to close. */
  waiting = false
  #settling: Promise<void> | undefined
  failure: { error: unknown } | undefined
  /** No more is wanted. */
  stopped = false
  /** There is no more to read. */
  ended = false
  closed = false
  /** The values are those that the connector names. */
  readonly #bad: BadValues<never>

  constructor(
    readonly open: OpenReader<T>,
    onError: OnError<never>,
    readonly goesOn: boolean,
    readonly from?: Position,
  ) {
    this.#skip = from?.skip ?? 0
    this.#bad = new BadValues(onError)
  }

  putOut(port: Port<never, T>): void {
    const { out } = port
    const { values } = this
    const before = this.given
    let given = before
    let { count } = port
    const end = Math.min(values.length, given + port.room - count)
    while (given < end) out[count++] = values[given++]!
    this.given = given
    port.count = count
    this.#total += given - before
    if (given >= values.length) this.values = NONE
  }

  /** One step: a chunk is put out before the next one is asked for, however fast they come. */
  advance(): void {
    if (this.reader === undefined) this.#await(this.open(this.#context(), this.from?.at), this.#opened)
    else if (this.ended) this.#await(this.close(), nothing)
    else {
      this.#before = this.position()
      this.#asked = true
      this.#await(this.reader.next(), this.#arrived)
    }
  }

  readonly #opened = (reader: ChunkReader<T>): PromiseLike<unknown> | void => {
    this.reader = reader
    // Nobody waited for it.
    if (this.closed) return reader.close?.()
    if (this.stopped) reader.stop?.()
  }

  readonly #arrived = (values: readonly T[] | undefined): void => {
    if (values === undefined) {
      this.ended = true
      return
    }
    // As far as they were put out before.
    this.given = Math.min(Math.max(0, this.#skip - this.#total), values.length)
    this.#total += this.given
    this.values = values
  }

  /** Goes on with what may be there already. */
  #await<R>(result: PromiseLike<R> | R, take: (result: R) => PromiseLike<unknown> | void): void {
    if (!isThenable(result)) return void take(result)
    this.waiting = true
    const settled = (): void => {
      this.waiting = false
      this.port.wake()
    }
    this.#settling = Promise.resolve(result)
      .then(take)
      .then(settled, (error: unknown) => {
        this.failure = { error }
        settled()
      })
  }

  #context(): SourceContext {
    const { goesOn } = this
    const port = (): Port<never, T> => this.port
    return {
      goesOn,
      get name() {
        return port().context.name
      },
      get signal() {
        return port().context.signal
      },
      failed: (value, error) => this.#bad.recover(port(), value as never, error),
    }
  }

  stop(): void {
    this.stopped = true
    this.reader?.stop?.()
  }

  close(aborted = false): PromiseLike<unknown> | void {
    if (this.closed) return
    this.closed = true
    if (aborted) this.#bad.abort()
    // What is being opened is let go of as soon as it is open.
    if (this.reader === undefined) return this.#settling
    return this.reader.close?.()
  }

  position(): Position | undefined {
    if (this.reader === undefined) return this.from
    if (this.reader.position === undefined) return { skip: Math.max(this.#total, this.#skip) }
    if (!this.#asked) return this.from
    if ((this.waiting && !this.ended) || this.failure) return this.#before
    return { at: this.reader.position(this.given) }
  }
}

const nothing = (): void => {}

/** Takes from a feed. One that `keeps` it leaves to the next run what it has not put out itself. */
class Reading<T> implements Kernel<never, T> {
  #stopped = false

  constructor(
    readonly port: Port<never, T>,
    readonly feed: Feed<T>,
    readonly keeps: boolean,
  ) {
    feed.port = port
  }

  run(port: Port<never, T>): void {
    const { feed } = this
    if (this.#stopped && this.keeps) return port.finish()
    feed.putOut(port)
    if ((port.full = feed.given < feed.values.length)) return
    if (feed.failure) return this.#fail(feed.failure.error)
    if (this.#stopped && (feed.reader?.stop === undefined || feed.closed)) feed.ended = true
    const wants = port.count < port.room || feed.ended
    if (wants && !feed.waiting && !feed.closed) this.#advance()
    if ((port.held = feed.waiting)) return
    if (feed.closed) port.finish()
  }

  #advance(): void {
    // One that was stopped before it was opened has nothing to let go of.
    if (this.#stopped && this.feed.reader === undefined) this.feed.closed = true
    else this.feed.advance()
  }

  #fail(error: unknown): void {
    const { culprit, thrown } = culpritOf(error)
    this.port.fail(thrown, culprit)
  }

  get pending(): boolean {
    const { feed, keeps } = this
    return !keeps && (feed.given < feed.values.length || (this.#stopped && feed.waiting))
  }

  get wants(): string | undefined {
    const { feed } = this
    if (!feed.waiting) return undefined
    return feed.reader === undefined ? 'its input to be opened' : 'its input to give more'
  }

  stop(): void {
    this.#stopped = true
    if (!this.keeps) this.feed.stop()
  }

  close(aborted: boolean): PromiseLike<unknown> | void {
    if (!this.keeps) return this.feed.close(aborted)
  }
}
