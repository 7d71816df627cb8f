/**
 * A store between two stages that takes what comes at once and says what happens when it is full: `buffer`.
 *
 * A channel of a pipeline only ever blocks: what has been written to it will come out. So dropping is a stage of its
 * own, with values in its own hands, which reads even while there is no room after it.
 */
import { Buffer } from '../channel/buffer.ts'
import type { Overflow } from '../channel/channel.ts'
import { demand, demandCount, demandFunction, demandOptions, SendError } from '../errors.ts'
import { late } from '../pipeline/scheduler.ts'
import { type Kernel, part, type Port, type Stage, type StageOptions } from '../pipeline/stage.ts'

/** What `buffer` takes beside its size and what it does when it is full. */
export interface BufferOptions<T> extends StageOptions {
  /** Told of each value that was dropped, or was held here when the run was left, once. */
  onUndelivered?: ((value: T) => void) | undefined
}

class Buffering<T> implements Kernel<T, T> {
  readonly eager = true
  readonly #stored = new Buffer<T>()
  #failure: { error: unknown } | undefined

  constructor(
    readonly size: number,
    readonly overflow: Overflow,
    readonly lose: (value: T) => void,
  ) {}

  run(port: Port<T, T>): void {
    const stored = this.#stored
    const { items, out } = port
    while (stored.length > 0 && port.count < port.room) out[port.count++] = stored.shift()
    while (port.at < port.end && this.#failure === undefined) {
      const value = items[port.at]
      if (port.count < port.room) out[port.count++] = value
      else if (stored.length < this.size) stored.push(value)
      else if (this.overflow === 'block') break
      else if (this.overflow === 'fail')
        this.#fail(port, value, new SendError('FULL', value, port.context.name))
      else this.#drop(port, value)
      port.at++
      if ((port.at & 15) === 15 && late()) break
    }
    port.full = stored.length > 0
    port.held = this.#failure !== undefined || (this.overflow === 'block' && stored.length >= this.size)
    if (this.#failure !== undefined && !port.full) port.fail(this.#failure.error)
  }

  #drop(port: Port<T, T>, value: T): void {
    let lost = value
    if (this.overflow === 'drop-oldest') {
      lost = this.#stored.shift()
      this.#stored.push(value)
    }
    try {
      this.lose(lost)
    } catch (error) {
      this.#fail(port, lost, error)
    }
  }

  /** What it holds is still put out. */
  #fail(port: Port<T, T>, value: T, error: unknown): void {
    this.#failure = { error }
    port.failing(error, { value })
  }

  /** Each value is told of, though telling of one before it throws. */
  close(): void {
    let failure: { error: unknown } | undefined
    while (this.#stored.length > 0)
      try {
        this.lose(this.#stored.shift())
      } catch (error) {
        failure ??= { error }
      }
    if (failure) throw failure.error
  }
}

/**
 * Holds up to `n` values for which there is no room after it, and says what becomes of one that comes when it is full.
 *
 * - `'block'`: it waits, and so do the stages before. `'drop-oldest'` and `'drop-newest'`: one is dropped, and the stages
 *   before never wait. `'fail'`: the stage fails with a `SendError` `FULL` that carries the value; what it holds still
 *   comes out.
 * - `onUndelivered` is called once for each value that is dropped, or still held when the run is left.
 * - The channel after it fills first: with a `capacity` of 0 nothing but this buffer stands between the two sides.
 *
 * Ordered. Concurrency 1. Holds at most `n` values. On error: fails where `onUndelivered` throws.
 *
 * @throws RangeError or TypeError for wrong arguments.
 * @example
 * import { buffer, pipeline, range } from 'sluice'
 *
 * await pipeline(range(3), buffer(100, 'drop-oldest')).run() // => [0, 1, 2]
 */
export function buffer<T>(n: number, overflow: Overflow, options?: BufferOptions<NoInfer<T>>): Stage<T, T>
export function buffer<T>(n: number, overflow: Overflow, options?: BufferOptions<T>): Stage<T, T>
export function buffer<T>(n: number, overflow: Overflow, options: BufferOptions<T> = {}): Stage<T, T> {
  const action = 'create buffer'
  demandCount(n, action, 'n', 1, true)
  const known = ['block', 'drop-oldest', 'drop-newest', 'fail'].includes(overflow)
  const wanted = "'block', 'drop-oldest', 'drop-newest' or 'fail'"
  demand(known, action, 'overflow', wanted, overflow, TypeError)
  demandOptions(options, action)
  const { onUndelivered = () => {} } = options
  demandFunction(onUndelivered, action, 'onUndelivered')
  return part('stage', 'buffer', options, { kernel: () => new Buffering<T>(n, overflow, onUndelivered) })
}
