/**
 * Reading from outside: the kernel behind `source` and the inputs of every fan-in.
 *
 * Each kind of input is one small kernel. All keep to the same manners: `next` is never called while another is
 * pending, `return` is called once and never after an end, and a `next` that hangs is not waited for.
 */
import type { Receiver } from '../channel/handles.ts'
import { HANDLE, type Handle } from '../channel/core.ts'
import { demand } from '../errors.ts'
import { isThenable } from './loops.ts'
import { flush, late, nextTurn } from './scheduler.ts'
import type { Kernel, Port, StageContext } from './stage.ts'

/** What can be read. */
export type Input<T> = Iterable<T> | AsyncIterable<T> | ReadableStream<T>

type Reading<T> = Kernel<never, T>
type Out<T> = Port<never, T>

/** An iterator of either kind; a stream's reader is made to look like one. */
interface AnyIterator<T> {
  next(): IteratorResult<T> | PromiseLike<IteratorResult<T>>
  return?(): unknown
}

/** What `source` takes: something that can be read, or a way to get it. */
export type LateInput<T> =
  Input<T> | PromiseLike<Input<T>> | ((context: StageContext) => Input<T> | PromiseLike<Input<T>>)

/** What makes a stage that reads `input`. Nothing of it is touched before the run. */
export function reading<T>(
  input: LateInput<T>,
  action: string,
  option: string,
): { kernel: (port: Out<T>) => Reading<T>; hear: () => void } {
  if (typeof input !== 'function' && !isThenable(input)) demandInput(input, action, option)
  return { kernel: (port) => new Opening(port, input, action, option), hear: () => hear(input) }
}

function demandInput(input: unknown, action: string, option: string): void {
  const {
    getReader,
    [Symbol.asyncIterator]: many,
    [Symbol.iterator]: some,
  } = Object(input) as Partial<ReadableStream & AsyncIterable<unknown> & Iterable<unknown>>
  const wanted = 'an iterable, an async iterable, a ReadableStream, a receiver, or a function that gives one'
  demand(getReader ?? many ?? some, action, option, wanted, input, TypeError)
}

/** The kernel for an input, told apart by what it can do. */
function kernelFor<T>(port: Out<T>, input: Input<T>): Reading<T> {
  const { [HANDLE]: handle } = input as { [HANDLE]?: Handle<T> }
  if (handle?.side === 'receiver') return new ReadingReceiver(port, input as Receiver<T>, handle)
  if ('getReader' in Object(input))
    return new ReadingIterator(port, webIterator(input as ReadableStream<T>, port.context), false)
  if (isNodeReadable(input)) return new ReadingIterator(port, nodeIterator(input), false)
  if (Symbol.asyncIterator in Object(input))
    return new ReadingIterator(port, (input as AsyncIterable<T>)[Symbol.asyncIterator](), false)
  return new ReadingIterator(port, (input as Iterable<T>)[Symbol.iterator](), true)
}

/** A receiver or a stream: somebody is at its other end. */
function isFilled<T>(input: LateInput<T>): input is Input<T> {
  const { [HANDLE]: handle } = input as { [HANDLE]?: Handle<T> }
  return handle !== undefined || 'getReader' in input || isNodeReadable(input as Input<T>)
}

const nothing = (): void => {}
/** A promise that is not awaited yet: should it reject meanwhile, somebody is listening. */
const heard = (promise: PromiseLike<unknown>): void => void promise.then(nothing, nothing)

/** Listens to the promises that an input is or has, as far as they are there already. */
export function hear(input: unknown): void {
  if (isThenable(input)) heard(input)
  else if (Array.isArray(input)) for (const value of input as unknown[]) if (isThenable(value)) heard(value)
}

/** A stream that has ended is not left locked, nor is one that was left. */
function webIterator<T>(stream: ReadableStream<T>, { signal }: StageContext): AnyIterator<T> {
  const reader = stream.getReader()
  const release = (): void => reader.releaseLock()
  return {
    next() {
      const step = reader.read() as Promise<IteratorResult<T>>
      step.then(({ done }) => done && release(), release)
      return step
    },
    return() {
      const cancelled = reader.cancel(signal.aborted ? signal.reason : undefined)
      release()
      return cancelled
    },
  }
}

/** A Node `Readable`, as far as it is needed here. */
interface ReadableLike<T> extends AsyncIterable<T> {
  destroy(): unknown
  readonly closed?: boolean
  /** What all of them have, those of the `readable-stream` package included. */
  readonly _readableState?: { emitClose?: boolean; reading?: boolean }
  on(event: string, listener: () => void): unknown
}

function isNodeReadable<T>(input: Input<T>): input is Input<T> & ReadableLike<T> {
  return '_readableState' in Object(input) && Symbol.asyncIterator in Object(input)
}

/** Its own iterator queues `return` behind a `next` that may hang: a silent socket would stay open. So it is destroyed. */
function nodeIterator<T>(stream: ReadableLike<T>): AnyIterator<T> {
  const iterator = stream[Symbol.asyncIterator]()
  return {
    next: () => iterator.next(),
    async return() {
      if (iterator.return) heard(iterator.return())
      const closed = new Promise<void>((resolve) => stream.on('close', resolve))
      // It may tell of an error at any time from now on: somebody has to listen.
      stream.on('error', nothing)
      // What it has already is still given.
      await new Promise<void>(nextTurn)
      const { emitClose, reading } = stream._readableState ?? {}
      const closes = stream.closed === false && emitClose !== false
      stream.destroy()
      // One that reads, a pipe or a socket, may do so for ever: it is not waited for.
      if (closes) await (reading ? Promise.race([closed, new Promise<void>(nextTurn)]) : closed)
    },
  }
}

/**
 * An iterator of either kind. What comes at once is taken as long as there is room. An asynchronous one is pulled
 * one value ahead: that one is in the hands of the source.
 */
class ReadingIterator<T> implements Reading<T> {
  /** The `next`, or the value of a synchronous iterator, that is waited for. */
  #pending: PromiseLike<unknown> | undefined
  #held: { value: T } | undefined
  #over = false
  #inside = false
  /** Called when a `next` that was under way when the iterator was to be left has come back. */
  #outside: ((left: PromiseLike<unknown> | void) => void) | undefined

  constructor(
    readonly port: Out<T>,
    readonly iterator: AnyIterator<T>,
    readonly sync: boolean,
  ) {}

  run(port: Out<T>): void {
    while (this.#pending === undefined) {
      if (this.#held !== undefined) {
        if (port.count >= port.room) break
        port.out[port.count++] = this.#held.value
        this.#held = undefined
      }
      if (this.#over || (this.sync && port.count >= port.room)) break
      this.#pull(port)
      if (port.left) return
      if (this.sync && late()) break
    }
    port.held = this.#pending !== undefined
    port.full = this.#held !== undefined
    if (this.#over && !port.held && !port.full) port.finish()
  }

  #pull(port: Out<T>): void {
    const { sync } = this
    let count = port.count
    try {
      do {
        const step = this.#next()
        if (port.left) {
          if (isThenable(step)) heard(step)
          return
        }
        if (!sync) return this.#await(step)
        if (!isStep(step)) throw notAStep()
        const { done, value } = step as IteratorResult<T, undefined>
        if (done) this.#over = true
        else if (isThenable(value)) return this.#await(value)
        else port.out[count++] = value
      } while (!this.#over && count < port.room && ((count & 15) !== 15 || !late()))
    } catch (error) {
      this.#over = true
      throw error
    } finally {
      port.count = count
    }
  }

  #next(): ReturnType<AnyIterator<T>['next']> {
    this.#inside = true
    try {
      const step = this.iterator.next()
      this.#inside = false
      // What an asynchronous one has just been asked for may hang: it is left as one that is waited for.
      if (this.#outside) this.#outside(this.#leave(this.sync ? undefined : step))
      return step
    } catch (error) {
      this.#inside = false
      this.#outside?.()
      throw error
    }
  }

  #await(promise: unknown): void {
    this.#pending = promise instanceof Promise ? promise : Promise.resolve(promise)
    this.#pending.then(this.#arrived, this.#failed)
  }

  readonly #arrived = (arrived: unknown): void => {
    if (this.port.left || this.#pending === undefined) return
    try {
      if (this.sync) this.#held = { value: arrived as T }
      else if (!isStep(arrived)) throw notAStep()
      else if ((arrived as IteratorResult<T>).done) this.#over = true
      else this.#held = { value: (arrived as IteratorResult<T, undefined>).value as T }
    } catch (error) {
      return this.#failed(error)
    }
    this.#pending = undefined
    this.port.wake()
    flush()
  }

  readonly #failed = (error: unknown): void => {
    const pending = this.#pending
    this.#pending = undefined
    if (this.port.left || pending === undefined || (this.#over && !this.sync)) return
    this.#over ||= !this.sync
    this.port.fail(error, this.sync ? { value: pending } : undefined)
  }

  stop(): PromiseLike<unknown> | void {
    const left = this.close()
    // What is pending is given one turn, so that a value which is as good as there is not lost; nobody waits for more.
    nextTurn(() => {
      this.#pending = undefined
      this.port.wake()
    })
    return left
  }

  close(): PromiseLike<unknown> | void {
    if (this.#over) return
    this.#over = true
    if (!this.#inside) return this.#leave()
    // A generator that ends its own run is running: it is left when it has given its value.
    return new Promise((resolve) => (this.#outside = resolve))
  }

  /**
   * Calls `return` as a loop would. Gives what is to be waited for: the clean-up of an iterator that stands at a
   * value, but not one that hangs in its `next`. One that only has had no turn yet is given one.
   */
  #leave(asked?: unknown): PromiseLike<unknown> | void {
    const pending = this.sync ? undefined : isThenable(asked) ? asked : this.#pending
    const left = this.iterator.return?.()
    if (!isThenable(left)) return
    if (pending === undefined) return left
    heard(left)
    return new Promise<boolean>((resolve) => {
      const stands = (): void => resolve(true)
      pending.then(stands, stands)
      nextTurn(() => resolve(false))
    }).then((stands) => (stands ? left : undefined))
  }
}

const isStep = (step: unknown): boolean => typeof step === 'object' && step !== null
const notAStep = (): TypeError => new TypeError('The iterator gave something that is no object')

/** A receiver: takes what is there, and asks for more only when there is room, so that it has nothing in its hands. */
class ReadingReceiver<T> implements Reading<T> {
  #waiting = false
  #arrived: T[] = []
  #over = false

  constructor(
    readonly port: Out<T>,
    readonly receiver: Receiver<T>,
    readonly handle: Handle<T>,
  ) {}

  get daemon(): boolean {
    return (this.handle.core as { daemon?: boolean }).daemon === true
  }

  run(port: Out<T>): void {
    const { core, open } = this.handle
    for (const value of this.#arrived) port.out[port.count++] = value
    this.#arrived = []
    while (open && !this.#waiting && port.count < port.room && core.readable())
      port.out[port.count++] = core.take()
    port.held = this.#waiting
    if (port.held || port.count >= port.room) return
    if (this.#over || this.receiver.closed) {
      if (open && core.failure !== undefined) throw core.failure.cause
      // Nothing will come any more: who sends may look at `whenClosed` to let go of what it listens to.
      this.receiver.close()
      return port.finish()
    }
    port.held = this.#waiting = true
    this.receiver.recvMany(1).then(
      (values) => {
        this.#arrived = values
        this.#wake()
      },
      (error: unknown) => port.fail(error),
    )
  }

  #wake(): void {
    this.#waiting = false
    this.port.wake()
  }

  stop(): void {
    this.#over = true
    this.receiver.close()
  }

  close(): void {
    this.receiver.close()
  }
}

/** Opens the input at the first turn of the run, and waits for one that is not there yet. */
class Opening<T> implements Reading<T> {
  #kernel: Reading<T> | undefined
  #asked = false
  #over = false

  constructor(
    readonly port: Out<T>,
    readonly input: LateInput<T>,
    readonly action: string,
    readonly option: string,
  ) {
    // The first turn may come after timers and I/O have had theirs: what rejects until then has been heard.
    hear(input)
  }

  run(port: Out<T>): void {
    if (this.#kernel === undefined && !this.#asked) {
      this.#asked = true
      const input = typeof this.input === 'function' ? this.input(port.context) : this.input
      if (isThenable(input)) this.#await(input as PromiseLike<Input<T>>)
      else this.#open(input)
    }
    if (this.#kernel !== undefined) this.#kernel.run(port)
    else if (this.#over) port.finish()
    else port.held = true
  }

  #await(input: PromiseLike<Input<T>>): void {
    input
      .then((arrived) => {
        this.#open(arrived)
        this.port.wake()
      })
      .then(null, (error: unknown) => this.port.fail(error))
  }

  #open(input: Input<T>): void {
    demandInput(input, this.action, this.option)
    if (input !== this.input) hear(input)
    this.#kernel = kernelFor(this.port, input)
    if (!this.#over) return
    // Nobody waits for it any more.
    const closing = this.#kernel.close?.(true)
    if (closing) heard(closing)
  }

  get daemon(): boolean {
    return this.#kernel?.daemon === true
  }

  stop(port: Out<T>): PromiseLike<unknown> | void {
    this.#over = this.#asked = true
    return this.#kernel?.stop?.(port)
  }

  close(): PromiseLike<unknown> | void {
    const { port, input } = this
    // What others fill is let go of even where it has not been opened; what begins when it is opened is not.
    if (!this.#asked && isFilled(input)) this.#kernel = kernelFor(port, input)
    this.#over = this.#asked = true
    return this.#kernel?.close?.(true)
  }
}
