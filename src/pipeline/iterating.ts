/**
 * Iterators as sources, and arrays.
 *
 * A synchronous one is read as long as there is room, up to a promise. An asynchronous one is pulled one value ahead:
 * that one is in the hands of the source. The first value that was awaited goes through all stages at once. Those that
 * follow before the engine has run out of settled promises are gathered, up to `MOST`, and go on together: with a step
 * of each stage for each value, the steps would cost six times what the iterator does (bench: async-source).
 */
import type { Core } from '../channel/core.ts'
import { MOST, room } from './edge.ts'
import { isThenable, promised } from './results.ts'
import { flush, late, nextTurn, settled } from './scheduler.ts'
import type { Culprit, Kernel, Port } from './stage.ts'

/** An iterator of either kind; a stream's reader is made to look like one. */
export interface AnyIterator<T> {
  next(): IteratorResult<T> | PromiseLike<IteratorResult<T>>
  return?(): unknown
}

type Step<T> = ReturnType<AnyIterator<T>['next']>

/** After how many values that are gathered the clock is looked at. */
const SOME = 8

export const nothing = (): void => {}
/** A promise that is not awaited yet: should it reject meanwhile, somebody is listening. */
export const heard = (promise: PromiseLike<unknown>): void => void promise.then(nothing, nothing)

export const isStep = (step: unknown): boolean => typeof step === 'object' && step !== null
export const notAStep = (): TypeError => new TypeError('The iterator gave something that is no object')

/** Whether an iterator that was left in its `next` stands at a value, or may come to stand at one, as it gave `step`. */
function mayStand(step: unknown): boolean {
  try {
    return isStep(step) && !(step as IteratorResult<unknown>).done
  } catch {
    // It has broken. Nobody waits for what it says.
    return false
  }
}

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

/** Where values are put that have been read: behind the output, or among those that are gathered. */
interface Into<T> {
  out: T[]
  count: number
  room: number
}

/** What both kinds have in common: an iterator is asked, waited for, and left. */
abstract class Iterating<T> implements Kernel<never, T> {
  protected over = false
  /** The `next`, or the value of a synchronous iterator, that is waited for. */
  protected awaited: PromiseLike<unknown> | undefined
  /** The value that is waited for, where it is one. */
  #culprit: Culprit | undefined
  /** What has come and is not put out yet. */
  protected readonly come: Into<T> = { out: [], count: 0, room: 0 }
  #failure: { error: unknown; culprit: Culprit | undefined } | undefined
  /** Whether the values that come now are gathered. */
  #gathering = false
  #inside = false
  /** Called when a `next` that was under way when the iterator was to be left has come back. */
  #outside: ((left: PromiseLike<unknown> | void) => void) | undefined

  constructor(
    readonly port: Port<never, T>,
    readonly iterator: AnyIterator<T>,
  ) {}

  run(port: Port<never, T>): void {
    const { come } = this
    const { out } = come
    const many = Math.min(come.count, port.room - port.count)
    for (let i = 0; i < many; i++) port.out[port.count++] = out[i]
    if (many > 0) {
      come.out = out.slice(many)
      come.count -= many
    }
    port.full = come.count > 0
    if (port.full) return
    if (this.#failure) return port.fail(this.#failure.error, this.#failure.culprit)
    if (this.awaited === undefined && !this.over) this.pull(port)
    if (port.left) return
    port.held = this.awaited !== undefined
    if (this.over && !port.held) port.finish()
  }

  /** Asks the iterator for more. */
  protected pull(into: Into<T>): void {
    let step: Step<T> | undefined
    this.#inside = true
    try {
      step = this.ask(into)
    } catch (error) {
      // It was left in its own `next`: nobody waits for what it says.
      if (this.over) return
      this.over = true
      throw error
    } finally {
      this.#inside = false
      // Its `return` may throw, and is not called after an end.
      this.#outside?.(new Promise((resolve) => resolve(mayStand(step) && this.#leave(step))))
    }
  }

  /** Asks the iterator, and says what it gave last. */
  protected abstract ask(into: Into<T>): Step<T> | undefined

  /** What was waited for has come: a value, or it throws. */
  protected abstract take(arrived: unknown): void

  protected await(value: unknown, culprit?: Culprit): void {
    this.#culprit = culprit
    this.awaited = promised(value)
    this.awaited.then(this.#arrived, this.#rejected)
  }

  readonly #rejected = (error: unknown): void => {
    const { awaited, port } = this
    const culprit = this.#culprit
    this.awaited = undefined
    if (!port.left && awaited !== undefined && (culprit || !this.over)) this.#fail(error, culprit)
  }

  readonly #arrived = (arrived: unknown): void => {
    const { port, come } = this
    if (port.left || this.awaited === undefined) return
    this.awaited = undefined
    const { over } = this
    try {
      this.take(arrived)
      if (!this.#pause) {
        come.room = Math.min(MOST, room(port.output as Core<unknown>))
        this.pull(come)
      }
    } catch (error) {
      // After a stop it was only to be heard out.
      if (!over) return this.#fail(error)
    }
    if (port.left) return
    if (this.awaited !== undefined) {
      if (this.#gathering) return
      this.#gathering = settled(this.#gathered)
    }
    this.#deliver()
  }

  /** Whether what has come should go on before more is asked for. */
  get #pause(): boolean {
    const { count } = this.come
    if (this.over || count >= MOST || count > room(this.port.output as Core<unknown>)) return true
    return count % SOME === SOME - 1 && late()
  }

  readonly #gathered = (): void => {
    this.#gathering = false
    if (!this.port.left && this.come.count > 0) this.#deliver()
  }

  #deliver(): void {
    this.port.wake()
    flush(this.port.scope)
  }

  /** What came before goes out first. Without a culprit it is the iterator that failed. */
  #fail(error: unknown, culprit?: Culprit): void {
    if (!culprit) this.over = true
    if (this.come.count === 0) return this.port.fail(error, culprit)
    this.#failure = { error, culprit }
    this.#deliver()
  }

  /** The `next` that may hang, of what was asked last. */
  protected abstract hanging(asked?: unknown): PromiseLike<unknown> | undefined

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
  protected override ask(into: Into<T>): Step<T> | undefined {
    const { iterator } = this
    const { out, room } = into
    let { count } = into
    let step: Step<T> | undefined
    try {
      while (!this.over && count < room) {
        step = iterator.next()
        if (this.over && isThenable(step)) heard(step)
        if (!isStep(step)) throw notAStep()
        const { done, value } = step as IteratorResult<T, undefined>
        if (done) this.over = true
        else if (typeof value === 'object' && isThenable(value)) {
          this.await(value, { value })
          break
        } else out[count++] = value
        if ((count & 31) === 31 && late()) break
      }
      return step
    } finally {
      into.count = count
    }
  }

  protected override take(arrived: unknown): void {
    this.come.out[this.come.count++] = arrived as T
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

  protected override pull(into: Into<T>): void {
    const array = this.#array
    const { out, room } = into
    let at = this.#at
    let { count } = into
    try {
      while (at < array.length && count < room) {
        const value = array[at++]
        if (typeof value === 'object' && isThenable(value)) return this.await(value, { value })
        out[count++] = value
      }
      // Not before there is room for one more: till then the array may grow.
      if (count < room) {
        this.over = true
        this.#array = NONE
      }
    } finally {
      this.#at = at
      into.count = count
    }
  }
}

const NONE: readonly never[] = []

/** An asynchronous iterator. */
export class AwaitingIterator<T> extends Iterating<T> {
  protected override ask(): Step<T> {
    const step = this.iterator.next()
    if (!this.port.left) this.await(step)
    else if (isThenable(step)) heard(step)
    return step
  }

  protected override take(arrived: unknown): void {
    if (!isStep(arrived)) throw notAStep()
    const { done, value } = arrived as IteratorResult<T, undefined>
    if (done) this.over = true
    else this.come.out[this.come.count++] = value
  }

  /** What it has just been asked for may hang: it is left as one that is waited for. */
  protected override hanging(asked?: unknown): PromiseLike<unknown> | undefined {
    return isThenable(asked) ? asked : this.awaited
  }
}
