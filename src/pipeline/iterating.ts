/**
 * Iterators as sources, and arrays.
 *
 * A synchronous one is read as long as there is room. An asynchronous one is pulled one value ahead: that one is in
 * the hands of the source. Its first value goes through all stages at once. Those that follow before the engine has
 * run out of settled promises are gathered, up to `MOST`, and go on together: with a step of each stage for each
 * value, the steps would cost six times what the iterator does (bench: async-source).
 */
import type { Core } from '../channel/core.ts'
import { MOST, room } from './edge.ts'
import { isThenable } from './results.ts'
import { flush, late, nextTurn, settled } from './scheduler.ts'
import type { Kernel, Port } from './stage.ts'

/** An iterator of either kind; a stream's reader is made to look like one. */
export interface AnyIterator<T> {
  next(): IteratorResult<T> | PromiseLike<IteratorResult<T>>
  return?(): unknown
}

/** After how many values that are gathered the clock is looked at. */
const SOME = 8

export const nothing = (): void => {}
/** A promise that is not awaited yet: should it reject meanwhile, somebody is listening. */
export const heard = (promise: PromiseLike<unknown>): void => void promise.then(nothing, nothing)

export const isStep = (step: unknown): boolean => typeof step === 'object' && step !== null
export const notAStep = (): TypeError => new TypeError('The iterator gave something that is no object')

/**
 * Calls `return` as a loop would. Gives what is to be waited for: the clean-up of an iterator that stands at a value,
 * but not one that hangs in its `next`. One that only has had no turn yet is given one.
 */
export function leave(
  iterator: Pick<AnyIterator<unknown>, 'return'>,
  hanging: PromiseLike<unknown> | undefined,
): PromiseLike<unknown> | void {
  const left = iterator.return?.()
  if (!isThenable(left)) return
  if (hanging === undefined) return left
  heard(left)
  return new Promise<boolean>((resolve) => {
    const stands = (): void => resolve(true)
    hanging.then(stands, stands)
    nextTurn(() => resolve(false))
  }).then((stands) => (stands ? left : undefined))
}

/** What both kinds have in common: an iterator is asked, and left. */
abstract class Iterating<T> implements Kernel<never, T> {
  protected over = false
  /** The `next`, or the value of a synchronous iterator, that is waited for. */
  protected awaited: PromiseLike<unknown> | undefined
  #inside = false
  /** Called when a `next` that was under way when the iterator was to be left has come back. */
  #outside: ((left: PromiseLike<unknown> | void) => void) | undefined

  constructor(
    readonly port: Port<never, T>,
    readonly iterator: AnyIterator<T>,
  ) {}

  abstract run(port: Port<never, T>): void

  /** The `next` that may hang, of what was asked last. */
  protected abstract hanging(asked?: unknown): PromiseLike<unknown> | undefined

  /** Called before the iterator is asked. */
  protected enter(): void {
    this.#inside = true
  }

  /** Called when it has been asked, with what it gave last; with nothing where it threw. */
  protected exit(step?: unknown): void {
    this.#inside = false
    // Its `return` may throw, and is not called after an end.
    this.#outside?.(
      new Promise((resolve) => resolve(step && !(step as IteratorResult<T>).done && this.#leave(step))),
    )
  }

  stop(): PromiseLike<unknown> | void {
    // What is pending is given one turn, so that a value which is as good as there is not lost; nobody waits for more.
    // Before the iterator is left: its `return` may throw.
    nextTurn(() => {
      this.awaited = undefined
      this.port.wake()
    })
    return this.close()
  }

  close(): PromiseLike<unknown> | void {
    if (this.over) return
    this.over = true
    if (!this.#inside) return this.#leave()
    // A generator that ends its own run is running: it is left when it has given its value.
    return new Promise((resolve) => (this.#outside = resolve))
  }

  #leave(asked?: unknown): PromiseLike<unknown> | void {
    return leave(this.iterator, this.hanging(asked))
  }
}

/** A synchronous iterator. It may give promises: they are awaited, as a loop does. */
export class ReadingIterator<T> extends Iterating<T> {
  #held: { value: T } | undefined

  override run(port: Port<never, T>): void {
    while (this.awaited === undefined) {
      if (this.#held !== undefined) {
        if (port.count >= port.room) break
        port.out[port.count++] = this.#held.value
        this.#held = undefined
      }
      if (this.over || port.count >= port.room) break
      this.pull(port)
      if (port.left) return
      if (late()) break
    }
    port.held = this.awaited !== undefined
    port.full = this.#held !== undefined
    if (this.over && !port.held && !port.full) port.finish()
  }

  protected pull(port: Port<never, T>): void {
    const { iterator } = this
    const { out } = port
    let { count } = port
    let step: ReturnType<AnyIterator<T>['next']> | undefined
    this.enter()
    try {
      do {
        step = undefined
        step = iterator.next()
        if (port.left) {
          if (isThenable(step)) heard(step)
          return
        }
        if (!isStep(step)) throw notAStep()
        const { done, value } = step as IteratorResult<T, undefined>
        if (done) this.over = true
        else if (typeof value === 'object' && isThenable(value)) return this.await(value)
        else out[count++] = value
      } while (!this.over && count < port.room && ((count & 31) !== 31 || !late()))
    } catch (error) {
      this.over = true
      throw error
    } finally {
      port.count = count
      this.exit(step)
    }
  }

  protected await(value: PromiseLike<unknown>): void {
    this.awaited = Promise.resolve(value)
    this.awaited.then(
      (arrived) => {
        if (this.port.left || this.awaited === undefined) return
        this.#held = { value: arrived as T }
        this.awaited = undefined
        this.port.wake()
        flush(this.port.scope)
      },
      (error: unknown) => {
        const { awaited } = this
        this.awaited = undefined
        if (!this.port.left && awaited !== undefined) this.port.fail(error, { value })
      },
    )
  }

  /** What it waits for is a value: the iterator itself stands. */
  protected override hanging(): undefined {
    return undefined
  }
}

/** An array: read as its own iterator would, at a fifth of the cost (bench: array), and let go of at its end. */
export class ReadingArray<T> extends ReadingIterator<T> {
  #array: readonly T[]
  #at = 0

  constructor(port: Port<never, T>, array: readonly T[]) {
    // Nothing has to be done to leave an array.
    super(port, NONE.values())
    this.#array = array
  }

  protected override pull(port: Port<never, T>): void {
    const array = this.#array
    const { out, room } = port
    let at = this.#at
    let { count } = port
    try {
      while (at < array.length && count < room) {
        const value = array[at++]
        if (typeof value === 'object' && isThenable(value)) return this.await(value)
        out[count++] = value
      }
      // Not before there is room for one more: till then the array may grow.
      if (count < room) {
        this.over = true
        this.#array = NONE
      }
    } finally {
      this.#at = at
      port.count = count
    }
  }
}

const NONE: readonly never[] = []

/** An asynchronous iterator. */
export class AwaitingIterator<T> extends Iterating<T> {
  /** What has come and is not put out yet. */
  #values: T[] = []
  #failure: { error: unknown } | undefined
  /** Whether the values that come now are gathered. */
  #gathering = false

  override run(port: Port<never, T>): void {
    const values = this.#values
    const many = Math.min(values.length, port.room - port.count)
    for (let i = 0; i < many; i++) port.out[port.count++] = values[i]
    if (many > 0) this.#values = values.slice(many)
    port.full = this.#values.length > 0
    if (port.full) return
    if (this.#failure) throw this.#failure.error
    if (this.awaited === undefined && !this.over) this.#pull()
    if (port.left) return
    port.held = this.awaited !== undefined
    if (this.over && !port.held) port.finish()
  }

  #pull(): void {
    let step: ReturnType<AnyIterator<T>['next']> | undefined
    this.enter()
    try {
      step = this.iterator.next()
      if (this.port.left) {
        if (isThenable(step)) heard(step)
        return
      }
      this.awaited = Promise.resolve(step)
      this.awaited.then(this.#arrived, this.#failed)
    } catch (error) {
      this.over = true
      throw error
    } finally {
      this.exit(step)
    }
  }

  readonly #arrived = (step: unknown): void => {
    const { port } = this
    if (port.left || this.awaited === undefined) return
    if (!isStep(step)) return this.#failed(notAStep())
    this.awaited = undefined
    const values = this.#values
    let pause: boolean
    try {
      const { done, value } = step as IteratorResult<T, undefined>
      if (done) this.over = true
      else values.push(value)
      if (!(pause = this.#pause)) this.#pull()
    } catch (error) {
      return this.#fail(error)
    }
    if (pause) return this.#deliver()
    if (port.left) return
    if (!this.#gathering) {
      this.#gathering = settled(this.#gathered)
      this.#deliver()
    }
  }

  /** Whether what has come should go on before more is asked for. */
  get #pause(): boolean {
    const { length } = this.#values
    if (this.over || length >= MOST || length > room(this.port.output as Core<unknown>)) return true
    return length % SOME === SOME - 1 && late()
  }

  readonly #gathered = (): void => {
    this.#gathering = false
    if (!this.port.left && this.#values.length > 0) this.#deliver()
  }

  #deliver(): void {
    this.port.wake()
    flush(this.port.scope)
  }

  readonly #failed = (error: unknown): void => {
    const { awaited, port } = this
    this.awaited = undefined
    if (!port.left && awaited !== undefined && !this.over) this.#fail(error)
  }

  /** What came before goes out first. */
  #fail(error: unknown): void {
    this.over = true
    if (this.#values.length === 0) return this.port.fail(error)
    this.#failure = { error }
    this.#deliver()
  }

  /** What it has just been asked for may hang: it is left as one that is waited for. */
  protected override hanging(asked?: unknown): PromiseLike<unknown> | undefined {
    return isThenable(asked) ? asked : this.awaited
  }
}
