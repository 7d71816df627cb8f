/** Where a pipeline ends: `toArray`, `forEach`, `reduce`, `count`, `drain`, `writeTo`. */
import { demand, demandFunction } from '../errors.ts'
import { type CallOptions, Calls, checkCall, type Family, type Fn, special } from '../pipeline/calls.ts'
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
          for (let { at } = port; at < end; at++) values.push(items[at]!)
          port.at = end
        },
        result: () => values,
      }
    },
  })
}

const calling: Family<unknown, unknown, never> = {
  loop(port, fn, offset) {
    const { items, end, context } = port
    let { at } = port
    try {
      for (; at < end; at++) {
        const result = fn(items[at], offset + at, context)
        if (special(result)) return result
      }
    } finally {
      port.at = at
    }
  },
  emit: () => true,
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
  return part('sink', 'forEach', options, {
    kernel: (port) => new Calls(port, calling as Family<In, unknown, never>, fn, options),
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
        return (next as PromiseLike<R>).then((settled) => void (result = settled))
      }
      const calls = new Calls(port, calling as Family<In, unknown, R>, step, {})
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
  write(chunk: unknown): boolean
  end(): unknown
  destroy(error?: Error): unknown
  readonly destroyed?: boolean
  once(event: string, listener: (...args: never[]) => void): unknown
  off(event: string, listener: (...args: never[]) => void): unknown
}

/** What a target must do; each settles when the target can go on. */
interface Target {
  /** `undefined`: it can go on at once. */
  write(value: unknown): PromiseLike<unknown> | undefined
  end(): PromiseLike<unknown>
  destroy(): void
}

function nodeTarget(stream: WritableLike): Target {
  let failure: { error: unknown } | undefined
  const onError = (error: unknown): void => void (failure ??= { error })
  const check = (): void => {
    if (failure) throw failure.error
    if (stream.destroyed) throw new Error('Cannot write: the stream was closed before its end')
  }
  stream.once('error', onError)
  /** Any of these events, or a failure. */
  const next = (...events: string[]): Promise<void> =>
    new Promise<void>((resolve) => {
      const all = [...events, 'error', 'close']
      const done = (): void => {
        for (const event of all) stream.off(event, done)
        resolve()
      }
      for (const event of all) stream.once(event, done)
    })
  return {
    write(value) {
      check()
      return stream.write(value) ? undefined : next('drain').then(check)
    },
    end() {
      check()
      const finished = next('finish')
      stream.end()
      return finished.then(() => {
        if (failure) throw failure.error
      })
    },
    destroy: () => void stream.destroy(),
  }
}

function webTarget(stream: WritableStream): Target {
  const writer = stream.getWriter()
  const failed = writer.closed.then(null, (error: unknown) => Promise.reject(error))
  failed.catch(() => {})
  return {
    write(value) {
      writer.write(value).catch(() => {})
      return (writer.desiredSize ?? 0) > 0 ? undefined : writer.ready
    },
    end: () => writer.close(),
    destroy: () => void writer.abort().catch(() => {}),
  }
}

class Writing<In> implements Kernel<In, undefined> {
  #over = false
  readonly #target: Target

  constructor(
    readonly port: Port<In, undefined>,
    readonly stream: WritableLike | WritableStream<In>,
  ) {
    this.#target = 'getWriter' in stream ? webTarget(stream) : nodeTarget(stream)
  }

  run(port: Port<In, undefined>): void {
    while (!port.held && port.at < port.end) {
      const written = this.#target.write(port.items[port.at]!)
      port.at++
      if (written !== undefined) this.#wait(written)
      port.held = port.calls > 0
    }
    port.held = port.calls > 0
  }

  #wait(work: PromiseLike<unknown>): void {
    const { port } = this
    port.calls++
    work.then(
      () => port.callEnded(),
      (error: unknown) => {
        port.fail(error)
        this.close()
        port.callEnded()
      },
    )
  }

  end(): void {
    if (this.#over) return
    this.#over = true
    this.#wait(this.#target.end())
  }

  close(): void {
    this.#over = true
    this.#target.destroy()
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
export function writeTo<In>(target: WritableLike | WritableStream<In>, options: StageOptions = {}): Sink<In, undefined> {
  const { write, getWriter } = Object(target) as Partial<WritableLike & WritableStream>
  const known = typeof write === 'function' || typeof getWriter === 'function'
  demand(known, 'create writeTo', 'target', 'a Writable or a WritableStream', target, TypeError)
  return part('sink', 'writeTo', options, { kernel: (port) => new Writing(port, target) })
}
