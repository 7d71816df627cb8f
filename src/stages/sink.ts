/** Where a pipeline ends: `toArray`, `forEach`, `reduce`, `count`, `drain`, `writeTo`. */
import { demand, demandFunction } from '../errors.ts'
import { Calls, keeping } from '../pipeline/calls.ts'
import { type CallOptions, checkCall, type Fn } from '../pipeline/retry.ts'
import { special } from '../pipeline/loops.ts'
import { nextTurn } from '../pipeline/scheduler.ts'
import { type Kernel, part, type Port, type Sink, type StageOptions } from '../pipeline/stage.ts'

/**
 * Collects all values in an array, as `run` does where there is no sink.
 *
 * Ordered. Concurrency 1. Holds everything. On error: cannot fail.
 *
 * @example
 * import { pipeline, range, toArray } from 'sluice'
 *
 * await pipeline(range(3), toArray()).run() // => [0, 1, 2]
 */
export function toArray<T>(options: StageOptions = {}): Sink<T, T[]> {
  return part('sink', 'toArray', options, {
    kernel() {
      const values: T[] = []
      return {
        run(port) {
          const { items, end } = port
          for (let { at } = port; at < end; at++) values.push(items[at])
          port.at = end
        },
        result: () => values,
      }
    },
  })
}

/**
 * Calls `fn` for each value. The run is worth `undefined`.
 *
 * Ordered unless told otherwise. Concurrency 1 unless told otherwise. Holds at most `concurrency` values. On error:
 * fails, or follows `retry` and `onError`.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * import { forEach, pipeline, range } from 'sluice'
 *
 * let sum = 0
 * await pipeline(
 *   range(4),
 *   forEach((n) => void (sum += n)),
 * ).run()
 * sum // => 6
 */
export function forEach<In>(fn: Fn<In, unknown>, options: CallOptions<In> = {}): Sink<In, undefined> {
  checkCall('forEach', fn, options)
  const family = keeping<In, unknown, never>('nothing', fn)
  return part('sink', 'forEach', options, {
    kernel: (port) => new Calls(port, family, fn, options),
  })
}

/**
 * Folds all values into one, beginning with `seed`. `fn` may be async; it is never called twice at a time.
 *
 * Ordered. Concurrency 1. Holds one value. On error: fails.
 *
 * @throws TypeError for an `fn` that is no function.
 * @example
 * import { pipeline, range, reduce } from 'sluice'
 *
 * await pipeline(
 *   range(5),
 *   reduce((sum, n) => sum + n, 0),
 * ).run() // => 10
 */
export function reduce<In, R>(
  fn: (result: R, value: In, index: number) => R | PromiseLike<R>,
  seed: R,
  options: StageOptions = {},
): Sink<In, R> {
  demandFunction(fn, 'create reduce')
  return part('sink', 'reduce', options, {
    kernel(port): Kernel<In, R> {
      let result = seed
      const step = (value: In, index: number): undefined | PromiseLike<undefined> => {
        const next = fn(result, value, index)
        if (!special(next)) return void (result = next as R)
        return Promise.resolve(next).then((settled) => void (result = settled))
      }
      const calls = new Calls(port, keeping<In, unknown, R>('nothing', step), step, {})
      return Object.assign(calls, { result: () => result })
    },
  })
}

/**
 * Counts the values.
 *
 * Ordered. Concurrency 1. Holds nothing. On error: cannot fail.
 *
 * @example
 * import { count, pipeline, range } from 'sluice'
 *
 * await pipeline(range(7), count()).run() // => 7
 */
export function count(options: StageOptions = {}): Sink<unknown, number> {
  return part('sink', 'count', options, {
    kernel() {
      let seen = 0
      return {
        run(port) {
          seen += port.end - port.at
          port.at = port.end
        },
        result: () => seen,
      }
    },
  })
}

/**
 * Takes all values and keeps none: for pipelines that run for what their stages do.
 *
 * Ordered. Concurrency 1. Holds nothing. On error: cannot fail.
 *
 * @example
 * import { drain, pipeline, range } from 'sluice'
 *
 * await pipeline(range(7), drain()).run() // => undefined
 */
export function drain(options: StageOptions = {}): Sink<unknown, undefined> {
  return part('sink', 'drain', options, {
    kernel: () => ({
      run(port) {
        port.at = port.end
      },
    }),
  })
}

/** A Node `Writable`, as far as it is needed here. */
export interface WritableLike {
  write(chunk: unknown, done?: (error?: Error | null) => void): boolean
  end(): unknown
  destroy(error?: Error): unknown
  readonly destroyed?: boolean
  readonly closed?: boolean
  readonly errored?: unknown
  on(event: string, listener: (...args: unknown[]) => void): unknown
  off(event: string, listener: (...args: unknown[]) => void): unknown
}

/** What a target must do; what it gives settles when the target can go on. */
interface Target {
  /** `undefined`: it can go on at once. */
  write(value: unknown): PromiseLike<unknown> | undefined
  end(): PromiseLike<unknown>
  /** Ends it as failed: at once, or when what was written is through. */
  destroy(atOnce: boolean): PromiseLike<unknown>
}

class NodeTarget implements Target {
  readonly #seen = new Set<string>()
  #failure: { error: unknown } | undefined
  #unwritten = 0
  /** Called at the next event. */
  #notify: (() => void) | undefined
  readonly #listeners = EVENTS.map(
    (event) => [event, (error?: unknown) => this.#event(event, error)] as const,
  )

  constructor(readonly stream: WritableLike) {
    for (const [event, listener] of this.#listeners) stream.on(event, listener)
  }

  #event(event: string, error?: unknown): void {
    this.#seen.add(event)
    if (error) this.#failure ??= { error }
    this.#notify?.()
  }

  write(value: unknown): PromiseLike<unknown> | undefined {
    this.#check()
    this.#unwritten++
    this.#seen.delete('drain')
    const written = (error?: unknown): void => {
      this.#unwritten--
      this.#event('write', error)
    }
    try {
      if (this.stream.write(value, written)) return undefined
    } catch (error) {
      this.#unwritten--
      throw error
    }
    return this.#until(() => this.#seen.has('drain'))
  }

  async end(): Promise<void> {
    this.#check()
    if (this.#standard) await this.#until(() => this.#unwritten === 0)
    else {
      this.stream.end()
      await this.#until(() => this.#seen.has('finish'))
    }
    this.#release()
  }

  async destroy(atOnce: boolean): Promise<void> {
    if (!atOnce) await this.#until(() => this.#unwritten === 0).catch(() => {})
    if (!this.#standard) {
      this.stream.destroy()
      const { _writableState: state } = this.stream as { _writableState?: { emitClose?: boolean } }
      while (this.stream.closed === false && !this.#seen.has('close') && state?.emitClose !== false)
        await this.#next()
    }
    // It may tell of an error just after that: somebody has to listen.
    await new Promise<void>(nextTurn)
    this.#release()
  }

  /** The standard output outlives every pipeline. */
  get #standard(): boolean {
    const { process } = globalThis as { process?: { stdout?: unknown; stderr?: unknown } }
    return this.stream === process?.stdout || this.stream === process?.stderr
  }

  #release(): void {
    for (const [event, listener] of this.#listeners) this.stream.off(event, listener)
  }

  #check(): void {
    if (this.#failure) throw this.#failure.error
    if (this.stream.destroyed)
      throw (this.stream.errored ??
        new Error('Cannot write: the stream was destroyed before its end')) as Error
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      this.#check()
      await this.#next()
    }
  }

  #next(): Promise<void> {
    return new Promise((resolve) => (this.#notify = resolve))
  }
}

const EVENTS = ['drain', 'finish', 'error', 'close']

class WebTarget implements Target {
  readonly #writer: WritableStreamDefaultWriter<unknown>
  #latest: Promise<void> | undefined

  constructor(stream: WritableStream) {
    this.#writer = stream.getWriter()
    this.#writer.closed.catch(() => {})
  }

  write(value: unknown): PromiseLike<unknown> | undefined {
    this.#latest = this.#writer.write(value)
    this.#latest.catch(() => {})
    return (this.#writer.desiredSize ?? 0) > 0 ? undefined : this.#writer.ready
  }

  async end(): Promise<void> {
    await this.#writer.close()
    this.#writer.releaseLock()
  }

  async destroy(atOnce: boolean): Promise<void> {
    if (!atOnce) await this.#latest?.catch(() => {})
    const aborted = this.#writer.abort().catch(() => {})
    // An abort waits for the write that is under way.
    if (!atOnce) await aborted
    this.#writer.releaseLock()
  }
}

class Writing<In> implements Kernel<In, undefined> {
  #over = false
  #writing = false
  #target: Target | undefined

  constructor(
    readonly port: Port<In, undefined>,
    readonly stream: WritableLike | WritableStream<In>,
  ) {}

  /** Opened by the run, so that a stream which is locked fails the stage. */
  get #open(): Target {
    return (this.#target ??=
      'getWriter' in this.stream ? new WebTarget(this.stream) : new NodeTarget(this.stream))
  }

  run(port: Port<In, undefined>): void {
    const target = this.#open
    while (!this.#writing && port.at < port.end) {
      const written = target.write(port.items[port.at])
      port.at++
      if (written !== undefined) this.#wait(written)
    }
    port.held = this.#writing
  }

  #wait(work: PromiseLike<unknown>, last = false): void {
    const { port } = this
    this.#writing = true
    port.calls++
    work.then(
      () => {
        this.#over ||= last
        this.#writing = false
        port.callEnded()
      },
      (error: unknown) => {
        port.fail(error)
        this.#writing = false
        port.callEnded()
      },
    )
  }

  get pending(): boolean {
    return this.#writing
  }

  #ending = false

  end(port: Port<In, undefined>, failed: boolean): void {
    if (failed || this.#over) return
    if (!this.#ending) this.#wait(this.#open.end(), true)
    this.#ending = true
    // The stage has not ended before its target has.
    port.full = true
  }

  close(aborted: boolean): PromiseLike<unknown> | void {
    if (this.#over) return
    this.#over = true
    return this.#target?.destroy(aborted)
  }
}

/**
 * Writes each value to a Node `Writable` or a Web `WritableStream`, as fast as that takes them. Ends it at the end
 * and settles when it has finished; destroys it after a failure.
 *
 * Ordered. Concurrency 1. Holds what the stream buffers. On error: fails.
 *
 * @throws TypeError for anything else.
 * @example
 * import { pipeline, source, writeTo } from 'sluice'
 *
 * const written: string[] = []
 * const target = new WritableStream<string>({ write: (text) => void written.push(text) })
 * await pipeline(source(['a', 'b']), writeTo(target)).run()
 * written // => ['a', 'b']
 */
export function writeTo<In>(
  target: WritableLike | WritableStream<In>,
  options: StageOptions = {},
): Sink<In, undefined> {
  const { write, getWriter } = Object(target) as Partial<WritableLike & WritableStream>
  const known = typeof write === 'function' || typeof getWriter === 'function'
  demand(known, 'create writeTo', 'target', 'a Writable or a WritableStream', target, TypeError)
  return part('sink', 'writeTo', options, { kernel: (port) => new Writing(port, target) })
}
