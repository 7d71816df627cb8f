/** One to many: `flatMap`. How functions are called is in pipeline/calls.ts. */
import { demand } from '../errors.ts'
import { Calls, type Family, type Slot } from '../pipeline/calls.ts'
import { MOST } from '../pipeline/edge.ts'
import { streamIterator } from '../pipeline/foreign.ts'
import { isStep, leave, notAStep } from '../pipeline/iterating.ts'
import { hear, type ValueOf } from '../pipeline/reading.ts'
import { isThenable } from '../pipeline/results.ts'
import { callOf, type CallOptions, type Fn, type TimedContext } from '../pipeline/retry.ts'
import { late } from '../pipeline/scheduler.ts'
import { part, type Port, type Stage, type StageContext } from '../pipeline/stage.ts'

type Many<T> = Iterable<T> | AsyncIterable<T>
type AnyIterator<T> = Iterator<T, undefined> | AsyncIterator<T, undefined>
type Step<T> = IteratorResult<T, undefined>

/** What is left of a result that was put out in part. */
interface Rest<T> {
  readonly iterator: AnyIterator<T>
  /** One that is not asynchronous may give promises: they are awaited, as a loop does. */
  readonly sync: boolean
  /** The iterator, where it is that of an array. */
  readonly elements: Elements<T> | undefined
  /** What was waited for, and has not found room yet. */
  step: Step<T> | undefined
  /** The `next` that is waited for. */
  awaited?: PromiseLike<unknown> | undefined
}

/** One with an iterator of its own is read by that. */
const isPlain = (many: unknown): many is readonly unknown[] =>
  Array.isArray(many) && many[Symbol.iterator] === Array.prototype[Symbol.iterator]

/** An array, from where it has been read to: as many values at a time as there is room for, at a fifth of the cost of its own iterator. */
class Elements<T> {
  #at = 0

  constructor(readonly array: readonly T[]) {}

  /** Puts out what there is room for, up to a promise. */
  fill(port: Port<never, T>): void {
    const { array } = this
    const { out } = port
    const end = Math.min(array.length, this.#at + port.room - port.count)
    for (let value: T; this.#at < end && !isThenable((value = array[this.#at])); this.#at++)
      out[port.count++] = value
  }

  next(): Step<T> {
    return this.#at < this.array.length
      ? { done: false, value: this.array[this.#at++] }
      : { done: true, value: undefined }
  }
}

/** The values of one result after the other; what does not fit waits in its slot. */
class Flattening<In, Out> implements Family<In, Many<Out>, Out> {
  calls!: FlatteningCalls<In, Out>
  /** What calls with a timeout were given whose results have not been read to their ends, by the index of the value. */
  readonly #kept = new Map<number, TimedContext>()

  /** `fn` for calls with a timeout. */
  keeping(fn: Fn<In, Many<Out>>): Fn<In, Many<Out>> {
    return (value, index, context) => {
      const call = context as TimedContext
      const keep = (result: Many<Out>): Many<Out> => {
        if ((call.kept = !call.over)) this.#kept.set(index, call)
        else {
          // Nobody reads what came too late.
          hearEarly(result)
          void (async () => this.#leaveUnread(result, call))().catch(() => {})
        }
        return result
      }
      const result = fn(value, index, context)
      return isThenable(result) ? Promise.resolve(result).then(keep) : keep(result)
    }
  }

  /** All has been read, or is not wanted. */
  over(index: number): void {
    const call = this.#kept.get(index)
    if (call === undefined) return
    this.#kept.delete(index)
    call.kept = false
    call.release()
  }

  loop(port: Port<In, Out>, fn: Fn<In, Many<Out>>, offset: number): unknown {
    const { items, out, context } = port
    for (; port.at < port.end; port.at++) {
      if ((port.at & 15) === 15 && late()) port.end = port.at + 1
      const result = fn(items[port.at], offset + port.at, context)
      if (!isPlain(result) || result.length > port.room - port.count) return result
      let i = 0
      try {
        for (let value: Out; i < result.length && !isThenable((value = result[i] as Out)); i++)
          out[port.count++] = value
      } catch {
        // It throws when it is looked at: so it will when it is read step by step, where `onError` is asked.
      }
      if (i < result.length) {
        port.count -= i
        return result
      }
      if (this.#kept.size > 0) this.over(offset + port.at)
    }
    return undefined
  }

  /** What is more than a few plain values is read first. Those are copied: the next call may use the same array again. */
  worth(slot: Slot<In, Many<Out>>): number {
    const { result } = slot
    try {
      if (isPlain(result) && result.length <= MOST) {
        const copy = [...(result as readonly Out[])]
        if (!copy.some(isThenable)) return (slot.result = copy).length
      }
    } catch {
      // It throws when it is looked at: so it will when it is read.
    }
    return Infinity
  }

  emit(port: Port<In, Out>, slot: Slot<In, Many<Out>>): boolean {
    const rest = (slot.rest ??= this.#open(port, slot)) as Rest<Out>
    for (let given = 1; ; given++) {
      if (rest.step === undefined) rest.elements?.fill(port as Port<never, Out>)
      if ((port.full = port.count >= port.room || ((given & 31) === 0 && late()))) return false
      // While it is being asked it is not there to be closed: one that throws is not returned, as in any loop.
      slot.rest = undefined
      const step = rest.step ?? rest.iterator.next()
      slot.rest = rest
      rest.step = undefined
      // It has ended the run itself: now it can be closed.
      if (port.left) {
        if (isThenable(step)) step.then(null, () => {})
        else if (step.done) slot.rest = undefined
        this.close(slot).catch(() => {})
        return false
      }
      if (isThenable(step)) {
        this.#await(port, slot, rest, step)
        return false
      }
      if (!isStep(step)) throw notAStep()
      if (step.done) {
        slot.rest = undefined
        this.over(slot.index)
        return true
      }
      if (rest.sync && isThenable(step.value)) {
        const arrived = Promise.resolve<Out>(step.value as PromiseLike<Out>)
        // Not a loop's way with what rejects: that leaves the iterator open.
        this.#await(
          port,
          slot,
          rest,
          arrived.then(
            (value) => ({ done: false, value }),
            (error: unknown) => {
              // This error is what counts, whatever comes of that.
              void (async () => rest.iterator.return?.())().catch(() => {})
              throw error
            },
          ),
        )
        return false
      }
      port.out[port.count++] = step.value
    }
  }

  #open(port: Port<In, Out>, slot: Slot<In, Many<Out>>): Rest<Out> {
    const elements = isPlain(slot.result) ? new Elements<Out>(slot.result as readonly Out[]) : undefined
    const many = Object(slot.result) as Partial<Iterable<Out, undefined> & AsyncIterable<Out, undefined>>
    const stream = streamIterator(slot.result, port.context) as AsyncIterator<Out, undefined> | undefined
    const asynchronous = elements ? undefined : (stream ?? many[Symbol.asyncIterator]?.())
    const iterator = asynchronous ?? elements ?? many[Symbol.iterator]?.()
    demand(iterator, 'flatMap', 'fn', 'a function that gives an iterable', slot.result, TypeError)
    // From here on it is the iterator that is let go of.
    slot.result = undefined
    return { iterator, sync: asynchronous === undefined, elements, step: undefined }
  }

  #await(
    port: Port<In, Out>,
    slot: Slot<In, Many<Out>>,
    rest: Rest<Out>,
    step: PromiseLike<Step<Out>>,
  ): void {
    slot.state = 'pending'
    // One that is not the engine's own may call back twice, or at once.
    const awaited = (rest.awaited = Promise.resolve(step))
    const broken = (error: unknown): void => {
      slot.rest = undefined
      if (!port.left) this.calls.break(slot, error)
    }
    awaited.then((result) => {
      if (!isStep(result)) return broken(notAStep())
      rest.step = result
      rest.awaited = undefined
      this.calls.resume(slot)
    }, broken)
  }

  /** Its clean-up hears of an abort, too: a stage that fails is left before its signal aborts. */
  async close(slot: Slot<In, Many<Out>>): Promise<void> {
    const rest = slot.rest as Rest<Out> | undefined
    slot.rest = undefined
    try {
      if (rest) await leave(rest.iterator, rest.awaited)
      else if (slot.state === 'ready') await this.#leaveUnread(slot.result, this.calls.port.context)
    } finally {
      this.over(slot.index)
    }
  }

  /** Its turn has not come. An iterator has not begun; a stream is open, and nobody else has it. */
  #leaveUnread(many: unknown, context: StageContext): PromiseLike<unknown> | void {
    if (!(Object(many) as Partial<ReadableStream>).locked)
      return streamIterator(many, context)?.return!() as PromiseLike<unknown> | undefined
  }
}

/** What waits for its turn may fail before that. */
function hearEarly(many: unknown): void {
  try {
    hear(many)
  } catch {
    // It throws when it is looked at: so it will when its turn comes, and then the stage fails.
  }
}

/** Lets go of what was not put out to its end. */
class FlatteningCalls<In, Out> extends Calls<In, Many<Out>, Out> {
  declare readonly family: Flattening<In, Out>

  get wants(): string | undefined {
    // A call has come back, but what it gave has not come to its end.
    return this.pending && this.port.calls === 0 ? 'more of what its function gave' : undefined
  }

  protected override await(slot: Slot<In, Many<Out>>, result: Many<Out> | PromiseLike<Many<Out>>): void {
    super.await(slot, result)
    if (slot.state === 'ready') hearEarly(result)
  }

  override settled(slot: Slot<In, Many<Out>>): void {
    if (slot.state === 'ready') hearEarly(slot.result)
    // Its stage has been left: nobody waits for more than the call.
    if (this.port.left) this.family.close(slot).catch(() => {})
    super.settled(slot)
  }

  /** A slot that has more to give is ready again. */
  resume(slot: Slot<In, Many<Out>>): void {
    super.await(slot, slot.result as Many<Out>)
    this.port.wake()
  }

  override break(slot: Slot<In, Many<Out>>, error: unknown): void {
    this.family.over(slot.index)
    super.break(slot, error)
  }

  close(): PromiseLike<unknown> {
    return Promise.all(this.slots.map((slot) => this.family.close(slot)))
  }
}

/**
 * Replaces each value by any number of values: those of the iterable or async iterable that `fn` gives. Promises in an
 * iterable are awaited, in order.
 *
 * - Where reading what `fn` gave fails, `onError` decides as well, but there is no further call; what was read before stays.
 * - A `timeout` bounds the call and not the reading of what it gave; the call of an async generator is over at once: there, bound what
 *   it awaits, as by `AbortSignal.any([signal, AbortSignal.timeout(ms)])`.
 *
 * Ordered unless told otherwise. Concurrency 1 unless told otherwise. Holds at most `concurrency` values. On error:
 * fails, or follows `retry` and `onError`.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * import { flatMap, pipeline, source } from 'sluice'
 *
 * await pipeline(
 *   source(['a b', 'c']),
 *   flatMap((line) => line.split(' ')),
 * ).run() // => ['a', 'b', 'c']
 */
export function flatMap<In, Out>(
  fn: Fn<In, Many<Out>>,
  options?: CallOptions<NoInfer<In>>,
): Stage<In, Awaited<Out>>
// For results that are one thing or another, the values of which differ.
export function flatMap<In, Out, R extends Many<Out> | PromiseLike<Many<Out>>>(
  fn: (value: In, index: number, context: StageContext) => R,
  options?: CallOptions<NoInfer<In>>,
): Stage<In, ValueOf<R>>
export function flatMap<In, Out>(
  fn: Fn<In, Many<Out>>,
  options: CallOptions<NoInfer<In>> = {},
): Stage<In, Awaited<Out>> {
  const call = callOf('flatMap', fn, options)
  return part('stage', 'flatMap', options, {
    kernel(port) {
      const flattening = new Flattening<In, Out>()
      const reading = call.timeout === Infinity ? fn : flattening.keeping(fn)
      return (flattening.calls = new FlatteningCalls(port, flattening, reading, call))
    },
  })
}
