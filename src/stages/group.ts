/** Many values as one, and back: `batch`, `window`, `unbatch`. */
import { startTimer } from '../channel/clock.ts'
import { demand, demandCount, demandFunction, demandNumber, demandOptions, demandTime } from '../errors.ts'
import { leave } from '../pipeline/iterating.ts'
import { hear } from '../pipeline/reading.ts'
import { isThenable } from '../pipeline/results.ts'
import { late } from '../pipeline/scheduler.ts'
import {
  type Complete,
  type Kernel,
  part,
  type Port,
  type Stage,
  type StageOptions,
} from '../pipeline/stage.ts'

/** What else brings a batch to its end, beside its `size`. Whichever is reached first counts. */
export interface BatchOptions<T> extends StageOptions {
  /** Milliseconds from the first value of a batch until it is passed on as it is. Default: none. */
  ms?: number | undefined
  /** The value with which a batch has this many bytes ends it. Default: none. */
  bytes?: number | undefined
  /** The bytes of a value. Default: the UTF-8 length of a string, the `byteLength` of anything that has one. */
  sizeOf?: ((value: T) => number) | undefined
}

/** Batches up to this size are made as arrays that long at once: to let them grow costs three times as much. */
const LARGE = 1024

class Batching<T> implements Kernel<T, T[]> {
  /** What a batch is copied from. */
  readonly #empty: T[] = []
  #values: T[] = []
  #count = 0
  #bytes = 0
  #due = false
  #stopTimer: (() => void) | undefined

  constructor(
    readonly size: number,
    readonly options: Complete<Pick<BatchOptions<T>, 'ms' | 'bytes' | 'sizeOf'>>,
  ) {
    if (size <= LARGE) while (this.#empty.length < size) this.#empty.push(undefined as T)
  }

  run(port: Port<T, T[]>): void {
    const { items } = port
    const { bytes } = this.options
    if (this.#due && port.count < port.room) this.#flush(port)
    while (port.at < port.end && port.count < port.room) {
      if (this.#count === 0 && bytes === Infinity && port.end - port.at >= this.size) {
        port.out[port.count++] = items.slice(port.at, (port.at += this.size))
        continue
      }
      if (this.#count === 0) this.#start(port)
      const values = this.#values
      const end = Math.min(port.end, port.at + this.size - this.#count)
      if (bytes === Infinity) {
        let { at } = port
        let count = this.#count
        while (at < end) values[count++] = items[at++]
        this.#count = count
        port.at = at
      } else
        while (port.at < Math.min(end, port.end) && this.#bytes < bytes) {
          if ((port.at & 31) === 31 && late()) port.end = port.at + 1
          this.#bytes += this.#measure(items[port.at], port)
          values[this.#count++] = items[port.at++]
        }
      if (!port.left && (this.#count === this.size || this.#bytes >= bytes)) this.#flush(port)
    }
    port.full = this.#due
  }

  /** The size of a value. Where that fails, what came before it goes out first. */
  #measure(value: T, port: Port<T, T[]>): number {
    try {
      const size = this.options.sizeOf(value)
      const ok = typeof size === 'number' && size >= 0
      demand(ok, 'batch by bytes', 'sizeOf', 'a function that gives a number >= 0', size)
      return size
    } catch (error) {
      this.end(port)
      throw error
    }
  }

  #flush(port: Port<T, T[]>): void {
    this.close()
    const values = this.#values
    port.out[port.count++] = this.#count < values.length ? values.slice(0, this.#count) : values
    this.#values = []
    this.#count = this.#bytes = 0
    this.#due = false
  }

  /** Begins a batch. */
  #start(port: Port<T, T[]>): void {
    const { ms } = this.options
    this.#values = this.#empty.slice()
    if (ms === Infinity) return
    this.#stopTimer = startTimer(ms, () => {
      this.#due = true
      port.wake()
    })
  }

  end(port: Port<T, T[]>): void {
    if (this.#count > 0) this.#flush(port)
  }

  close(): void {
    this.#stopTimer?.()
  }
}

function sizeInBytes(value: unknown): number {
  if (typeof value === 'string') return utf8Length(value)
  const { byteLength } = Object(value) as { byteLength?: unknown }
  if (typeof byteLength === 'number') return byteLength
  throw new TypeError('Cannot batch by bytes: "sizeOf" is needed for values other than strings and buffers')
}

function utf8Length(text: string): number {
  let length = text.length
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    // A surrogate is half of a character of four bytes.
    if (code > 0x7f) length += code > 0x7ff && (code < 0xd800 || code > 0xdfff) ? 2 : 1
  }
  return length
}

/**
 * Gathers values into arrays of `size`, or fewer where `ms` or `bytes` is reached first. A batch is never empty; the
 * rest comes at the end, at a stop, and before a failure passes.
 *
 * Ordered. Concurrency 1. Holds at most `size` values. On error: fails where `sizeOf` throws.
 *
 * @throws RangeError or TypeError for wrong arguments.
 * @example
 * import { batch, pipeline, range } from 'sluice'
 *
 * await pipeline(range(5), batch(2)).run() // => [[0, 1], [2, 3], [4]]
 */
export function batch<T>(size: number, options?: BatchOptions<NoInfer<T>>): Stage<T, T[]>
export function batch<T>(size: number, options?: BatchOptions<T>): Stage<T, T[]>
export function batch<T>(size: number, options: BatchOptions<T> = {}): Stage<T, T[]> {
  const action = 'create batch'
  demandCount(size, action, 'size', 1)
  demandOptions(options, action)
  const { ms = Infinity, bytes = Infinity, sizeOf = sizeInBytes } = options
  demandTime(ms, action, 'ms')
  demandNumber(bytes, action, 'bytes', 'a number above 0', (n) => n > 0)
  demandFunction(sizeOf, action, 'sizeOf')
  return part('stage', 'batch', options, { kernel: () => new Batching<T>(size, { ms, bytes, sizeOf }) })
}

/**
 * Gives arrays of exactly `size` consecutive values, one every `step` values. Windows overlap where `step` is less than
 * `size`; where it is more, the values between two windows are dropped. What is incomplete at the end is not given.
 *
 * Ordered. Concurrency 1. Holds at most `size` values. On error: cannot fail.
 *
 * @throws RangeError for a `size` or `step` that is no integer >= 1.
 * @example
 * import { pipeline, range, window } from 'sluice'
 *
 * await pipeline(range(5), window(3)).run() // => [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
 */
export function window<T>(size: number, step = 1, options: StageOptions = {}): Stage<T, T[]> {
  demandCount(size, 'create window', 'size', 1)
  demandCount(step, 'create window', 'step', 1)
  return part('stage', 'window', options, {
    kernel() {
      let values: T[] = []
      /** How many values stand between two windows, from here on. */
      let between = 0
      let copied = 0
      return {
        run(port) {
          const { items, end } = port
          while (port.at < end && port.count < port.room) {
            const skipped = Math.min(between, end - port.at)
            between -= skipped
            port.at += skipped
            const stop = Math.min(end, port.at + size - values.length)
            while (port.at < stop) values.push(items[port.at++])
            if (values.length < size) continue
            port.out[port.count++] = values
            values = values.slice(step)
            between = Math.max(0, step - size)
            // Windows of many values are many copies.
            copied += size
            if (copied > 10_000) {
              copied = 0
              if (late()) return
            }
          }
        },
      }
    },
  })
}

/** Of every member of a union. */
type ValueOf<Many> = Many extends Iterable<infer Value> ? Value : never

/**
 * Passes the values of arrays and other iterables on one by one. Promises among them are awaited, in order.
 *
 * Ordered. Concurrency 1. Holds at most one iterable. On error: fails at a value that is no iterable, or whose promise rejects.
 *
 * @throws TypeError or RangeError for wrong options.
 * @example
 * import { pipeline, source, unbatch } from 'sluice'
 *
 * await pipeline(source([[1, 2], [], [3]]), unbatch()).run() // => [1, 2, 3]
 */
export function unbatch<T, Many extends Iterable<T> = Iterable<T>>(
  options: StageOptions = {},
): Stage<Many, Awaited<ValueOf<Many>>> {
  return part('stage', 'unbatch', options, {
    kernel() {
      let current: Iterator<T> | undefined
      /** A promise among its values, and how to get what that has come to. */
      let awaited: { get?: () => unknown } | undefined
      const wait = (promise: PromiseLike<unknown>, port: { wake(): void }): void => {
        const settle = (get: () => unknown): void => {
          awaited = { get }
          port.wake()
        }
        awaited = {}
        // One that is not the engine's own may call back twice.
        Promise.resolve(promise).then(
          (value) => settle(() => value),
          (error: unknown) =>
            settle(() => {
              throw error
            }),
        )
      }
      return {
        get wants() {
          return awaited && 'a promise among its values'
        },
        run(port: Port<Many, Awaited<ValueOf<Many>>>) {
          const { items } = port
          const out: unknown[] = port.out
          let given = 0
          while (port.at < port.end || current !== undefined) {
            const many = items[port.at]
            if (current === undefined && Array.isArray(many) && many.length <= port.room - port.count) {
              const before = port.count
              let i = 0
              for (let value: unknown; i < many.length && !isThenable((value = many[i])); i++)
                out[port.count++] = value
              if (i === many.length) {
                port.at++
                continue
              }
              port.count = before
            }
            if (current === undefined) {
              const opens = (Object(many) as Partial<Iterable<T>>)[Symbol.iterator]
              demand(typeof opens === 'function', 'unbatch', 'value', 'an iterable', many, TypeError)
              current = many[Symbol.iterator]()
              hear(many)
            }
            for (;;) {
              if ((port.full = port.count >= port.room || ((++given & 31) === 0 && late()))) return
              if (awaited) {
                if ((port.held = !awaited.get)) return
                const value = awaited.get()
                awaited = undefined
                out[port.count++] = value
                continue
              }
              const iterator: Iterator<T> = current
              // One that throws is not returned, as in any loop.
              current = undefined
              const { done, value } = iterator.next() as IteratorResult<T, undefined>
              // It has ended the run itself: nobody waits for what comes of that.
              if (port.left) return void (done || leave(iterator, undefined)?.then(null, () => {}))
              if (done) break
              current = iterator
              if (isThenable(value)) wait(value, port)
              else out[port.count++] = value
            }
            port.at++
          }
        },
        close: () => current && leave(current, undefined),
      }
    },
  })
}
