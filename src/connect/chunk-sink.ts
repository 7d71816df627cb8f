/**
 * A sink over something outside that takes many values at once: a file, a table.
 *
 * All values that have come are handed over together. A connector that can take more gives nothing back; one that
 * cannot gives a promise, and until it settles the values wait in the channel: that is the backpressure. What it holds
 * back for a larger write is its own affair, and so is writing it when nothing more comes for a while.
 */
import { isThenable } from '../pipeline/results.ts'
import {
  type Kernel,
  part,
  type Port,
  type Sink,
  type StageContext,
  type StageOptions,
} from '../pipeline/stage.ts'
import { BadValues, Culprit, culpritOf, type OnError, onErrorOf, recover } from './on-error.ts'

/** What a connector is given. */
export interface SinkContext extends StageContext {
  /** A value turns out in `write` or `end` not to be writable: does what `onError` says. Where that is `'fail'`, or its handler throws, it rejects. */
  failed(value: unknown, error: unknown): Promise<void>
  /** Writing has failed while nobody waited for it. */
  broke(error: unknown): void
  /**
   * It waits for something outside, as in `room on the disk`: until it says otherwise nothing more is handed over, and
   * stats and reports show the stage as waiting for room, of this kind.
   */
  waits(what: string | undefined): void
  /**
   * The position it begins at is where a run of this process has ended just now: what is behind it by now was written by
   * somebody else. Otherwise it was left there by a run that did not come to its end.
   */
  readonly own: boolean
  /** A later run is to go on where this one has come to. */
  readonly goesOn: boolean
}

/** A connector that writes. None of its methods is called before what the last one gave has settled, but `abandon`. */
export interface ChunkWriter<T, R, In = unknown> {
  /** Takes the values; where they were encoded, `from` are those that they were made of. A promise settles when it can take more. */
  write(values: readonly T[], from: readonly In[]): PromiseLike<unknown> | void
  /** All is there: writes what it holds, makes it last and lets go. Gives what the run is worth. */
  end(): PromiseLike<R> | R
  /** The program asked for a graceful end: what is in flight still comes, but there is no time to wait for better ones. */
  stop?(): void
  /** The run failed or was `aborted`, maybe while a call is under way: lets go. Called instead of `end`, or after one that failed. */
  abandon(aborted: boolean): PromiseLike<unknown> | void
  /** Where the next run could go on, as plain data, once `end` has settled. */
  position?(): unknown
}

/** What the sinks of files and databases take. */
export interface WriteOptions<In> extends StageOptions {
  /** What becomes of a value that cannot be written as it is. Default: `'fail'`, the stage fails. */
  onError?: OnError<In> | undefined
}

export interface SinkMaking<In, E, R, W extends ChunkWriter<E, R, In> = ChunkWriter<E, R, In>> {
  /** Called once a run, at its first turn, with the position to begin at where there is one. */
  open(context: SinkContext, from: unknown): W | PromiseLike<W>
  /** A later run cannot add to what an earlier one wrote. What there is to say about that, behind the message; or `''`. */
  beginsAnew?: string | undefined
  /**
   * Makes of each value what the connector writes; a value for which it throws follows `onError`. `writer` is what
   * `open` gave for this run: it may have found out there how to encode. Without it values are handed over as they are.
   */
  encode?(value: In, index: number, writer: W): E
}

/** Makes a sink of a connector. */
export function chunkSink<In, E, R, W extends ChunkWriter<E, R, In> = ChunkWriter<E, R, In>>(
  make: string,
  options: WriteOptions<In>,
  making: SinkMaking<In, E, R, W>,
): Sink<In, R> {
  const onError = onErrorOf(make, options)
  const from = (start: Start, named: Parameters<typeof part>[2]): Sink<In, R> =>
    part('sink', make, named, {
      kernel: (port: Port<In, R>) => new Writing(port as Port<In, never>, making, onError, start),
      resume(position, own = false) {
        const { beginsAnew } = making
        if (beginsAnew !== undefined)
          throw new TypeError(`Cannot go on with ${make}: it begins anew with each run${beginsAnew}`)
        return from({ position, own, goesOn: true }, sink.definitions[0]).definitions[0]
      },
    })
  const sink = from({ position: undefined, own: false, goesOn: false }, options)
  return sink
}

/** Where a run of the sink begins. */
interface Start {
  readonly position: unknown
  readonly own: boolean
  readonly goesOn: boolean
}

const nothing = (): void => {}

class Writing<In, E, R, W extends ChunkWriter<E, R, In>> implements Kernel<In, never> {
  #writer: W | undefined
  /** What is to be handed over next. */
  #batch: E[] = []
  /** What it was made of. */
  #values: In[] = []
  #index = 0
  /** What the stage is to fail with when the batch is through. */
  #failure: { error: unknown } | undefined
  /** What the stage was told that it fails with: no second failure is made of it. */
  #told: { error: unknown } | undefined
  #waiting = false
  #settling: Promise<void> | undefined
  /** What the connector waits for outside, as it says. */
  #lacks: string | undefined
  #stopped = false
  #ending = false
  #over = false
  #result: R | undefined
  readonly #bad: BadValues<In>

  constructor(
    readonly port: Port<In, never>,
    readonly making: SinkMaking<In, E, R, W>,
    readonly onError: OnError<In>,
    readonly from: Start,
  ) {
    this.#bad = new BadValues(onError)
  }

  run(port: Port<In, never>): void {
    port.blocked = this.#lacks !== undefined
    // The stage has not ended before its target has.
    if (this.#ending) return void (port.full = !this.#over)
    if (this.#writer === undefined && !this.#waiting) this.#open()
    while (this.#writer !== undefined && !this.pending && !this.#over) {
      if (this.#failure === undefined && port.at < port.end) this.#encode(port)
      if (this.#waiting || this.#over) break
      if (this.#batch.length > 0) this.#handOver()
      else if (this.#failure !== undefined) return this.#fail(this.#failure.error)
      else break
    }
    port.held = this.pending
    port.blocked = this.#lacks !== undefined
  }

  #open(): void {
    const { port } = this
    const { context } = port
    const opened = this.making.open(
      {
        name: context.name,
        get signal() {
          return context.signal
        },
        failed: (value, error) => this.#bad.recover(this.port, value as In, error),
        broke: (error) => {
          if (!this.#over) this.#fail(error)
        },
        waits: (what) => {
          this.#lacks = what
          port.wake()
        },
        own: this.from.own,
        goesOn: this.from.goesOn,
      },
      this.from.position,
    )
    if (isThenable(opened)) this.#await(opened, this.#opened)
    else void this.#opened(opened)
  }

  readonly #opened = (writer: W): PromiseLike<unknown> | void => {
    this.#writer = writer
    if (this.#over) return writer.abandon(true)
    if (this.#stopped) writer.stop?.()
  }

  /** Makes a batch of what has come, up to a value that fails. */
  #encode(port: Port<In, never>): void {
    const { items } = port
    const { making } = this
    const writer = this.#writer!
    const batch = this.#batch
    const from = port.at
    if (!making.encode) {
      this.#values = items.slice(from, port.end)
      this.#batch = this.#values as unknown[] as E[]
      port.at = port.end
      return
    }
    let failure: { error: unknown } | undefined
    try {
      for (; port.at < port.end; port.at++) batch.push(making.encode(items[port.at], this.#index++, writer))
    } catch (error) {
      failure = { error }
    }
    const values = items.slice(from, port.at)
    this.#values = this.#values.length > 0 ? this.#values.concat(values) : values
    if (failure) this.#recover(items[port.at++], failure.error)
  }

  #recover(value: In, error: unknown): void {
    // What came before it is written first.
    const keep = (thrown: unknown): void => void (this.#failure = { error: thrown })
    if (this.onError === 'fail') return keep(new Culprit(error, { value }))
    this.#await(recover(this.port, this.onError, value, error).catch(keep), nothing)
  }

  #handOver(): void {
    const batch = this.#batch
    const values = this.#values
    this.#batch = []
    this.#values = []
    const written = this.#writer!.write(batch, values)
    if (isThenable(written)) this.#await(written, nothing)
  }

  #await<T>(work: PromiseLike<T>, take: (result: T) => PromiseLike<unknown> | void): void {
    const { port } = this
    this.#waiting = true
    port.calls++
    this.#settling = Promise.resolve(work)
      .then(take)
      .then(
        () => {
          this.#waiting = false
          port.callEnded()
        },
        (error: unknown) => {
          this.#fail(error)
          this.#waiting = false
          port.callEnded()
        },
      )
  }

  #fail(error: unknown): void {
    if (!this.#over) this.#told ??= { error }
    const { thrown, culprit } = culpritOf(error)
    this.port.fail(thrown, culprit)
  }

  get pending(): boolean {
    return this.#waiting || this.#lacks !== undefined
  }

  get wants(): string | undefined {
    if (this.#lacks !== undefined) return this.#lacks
    if (!this.#waiting) return undefined
    if (this.#writer === undefined) return 'its target to be opened'
    return `its target to ${this.#ending ? 'end' : 'take more'}`
  }

  stop(): void {
    this.#stopped = true
    this.#writer?.stop?.()
  }

  end(port: Port<In, never>, failure: { cause: unknown } | undefined): void {
    if (failure || this.#over) return
    this.#ending = true
    const done = (result: R): void => {
      this.#result = result
      this.#over = true
    }
    const ended = this.#writer!.end()
    if (isThenable(ended)) this.#await(ended, done)
    else done(ended)
    port.full = !this.#over
  }

  close(aborted: boolean): PromiseLike<unknown> | void {
    if (this.#over) return
    this.#over = true
    if (aborted) this.#bad.abort()
    // What is being opened is let go of as soon as it is open.
    if (this.#writer === undefined) return this.#settling
    const letGo = this.#writer.abandon(aborted)
    if (!isThenable(letGo)) return
    return Promise.resolve(letGo).catch((error: unknown) => {
      if (!this.#told || error !== this.#told.error) throw error
    })
  }

  result(): unknown {
    return this.#result
  }

  position(): unknown {
    return this.#writer?.position?.() ?? this.from.position
  }
}
