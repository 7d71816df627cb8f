/**
 * Reading from outside: the kernel behind `source` and the inputs of every fan-in.
 *
 * Each kind of input is one small kernel. All keep to the same manners: `next` is never called while another is
 * pending, `return` is called once and never after an end, and a `next` that hangs is not waited for.
 */
import { handleOf, type Receiver } from '../channel/channel.ts'
import type { Handle } from '../channel/core.ts'
import { Waiter } from '../channel/waiting.ts'
import { demand } from '../errors.ts'
import { isThenable } from './loops.ts'
import { nextTurn } from './scheduler.ts'
import type { Kernel, Port, StageContext } from './stage.ts'

/** What can be read. */
export type Input<T> = Iterable<T> | AsyncIterable<T> | ReadableStream<T>

type Pulled<T> = IteratorResult<T> | PromiseLike<IteratorResult<T>>
type Reading<T> = Kernel<never, T>
type Out<T> = Port<never, T>

/** What an iterator of either kind has; a stream's reader is made to look like it. */
interface Pull<T> {
  next(): Pulled<T>
  return?(): unknown
}

/** What `source` takes: something that can be read, or a way to get it. */
export type LateInput<T> = Input<T> | PromiseLike<Input<T>> | ((context: StageContext) => Input<T> | PromiseLike<Input<T>>)

/** Gives the kernel that reads `input`. Nothing of it is touched before the run. */
export function reading<T>(input: LateInput<T>, action: string, option: string): (port: Out<T>) => Reading<T> {
  if (typeof input !== 'function' && !isThenable(input)) demandInput(input, action, option)
  return (port) => new Opening(port, input, action, option)
}

function demandInput(input: unknown, action: string, option: string): void {
  const { getReader, [Symbol.asyncIterator]: many, [Symbol.iterator]: some } = Object(input) as Partial<
    ReadableStream & AsyncIterable<unknown> & Iterable<unknown>
  >
  const wanted = 'an iterable, an async iterable, a ReadableStream, a receiver, or a function that gives one'
  demand(getReader ?? many ?? some, action, option, wanted, input, TypeError)
}

/** The kernel for an input, told apart by what it can do. */
function kernelFor<T>(port: Out<T>, input: Input<T>): Reading<T> {
  const handle = handleOf(Object(input) as Receiver<T>)
  if (handle?.side === 'receiver') return new ReadingReceiver(port, input as Receiver<T>, handle)
  if ('getReader' in Object(input)) return new ReadingPulls(port, streamPull(input as ReadableStream<T>))
  if (Symbol.asyncIterator in Object(input))
    return new ReadingPulls(port, (input as AsyncIterable<T>)[Symbol.asyncIterator]())
  if (Array.isArray(input)) for (const value of input as unknown[]) if (isThenable(value)) heard(value)
  return new ReadingIterator(port, (input as Iterable<T>)[Symbol.iterator]())
}

const nothing = (): void => {}
/** A promise that is not awaited yet: should it reject meanwhile, somebody is listening. */
const heard = (promise: PromiseLike<unknown>): void => void promise.then(nothing, nothing)

function streamPull<T>(stream: ReadableStream<T>): Pull<T> {
  const reader = stream.getReader()
  return {
    next: () => reader.read() as Promise<IteratorResult<T>>,
    return: () => reader.cancel(),
  }
}

/**
 * Calls `return` as a loop would. Gives what is to be waited for: the clean-up of an iterator that stands at a value,
 * but not one that hangs in `pending`, its `next`. One that only has had no turn yet is given one.
 */
function leave<T>(pull: Pull<T>, pending?: PromiseLike<unknown>): PromiseLike<unknown> | void {
  const left = pull.return?.()
  if (!isThenable(left)) return
  if (pending === undefined) return left
  heard(left)
  return new Promise<boolean>((resolve) => {
    const stands = (): void => resolve(true)
    pending.then(stands, stands)
    nextTurn(() => resolve(false))
  }).then((stands) => (stands ? left : undefined))
}

const isStep = (step: unknown): boolean => typeof step === 'object' && step !== null

/** A synchronous iterator: as many values at a time as there is room for. */
class ReadingIterator<T> implements Reading<T> {
  #inside = false
  #waiting = false
  #over = false
  #held: { value: T } | undefined

  constructor(
    readonly port: Out<T>,
    readonly iterator: Iterator<T>,
  ) {}

  run(port: Out<T>): void {
    const { out } = port
    const { iterator } = this
    let { count } = port
    if (this.#held !== undefined && count < port.room) {
      out[count++] = this.#held.value
      this.#held = undefined
    }
    try {
      while (!this.#over && count < port.room && !this.#waiting) {
        this.#inside = true
        const step = iterator.next()
        this.#inside = false
        if (port.left) return void leave(iterator)
        if (!isStep(step)) throw new TypeError('The iterator gave something that is no object')
        if (step.done) {
          this.#over = true
          break
        }
        const { value } = step
        if (isThenable(value)) this.#await(value as PromiseLike<T>)
        else out[count++] = value
      }
    } catch (error) {
      this.#over = true
      this.#inside = false
      throw error
    } finally {
      port.count = count
    }
    port.held = this.#waiting
    port.full = this.#held !== undefined
    if (this.#over && !this.#waiting && !port.full) port.finish()
  }

  #await(promise: PromiseLike<T>): void {
    const { port } = this
    this.#waiting = true
    promise.then(
      (value) => {
        this.#waiting = false
        this.#held = { value }
        port.wake()
      },
      (error: unknown) => port.fail(error, { value: promise }),
    )
  }

  stop(): PromiseLike<unknown> | void {
    return this.close()
  }

  close(): PromiseLike<unknown> | void {
    if (this.#over) return
    this.#over = true
    // A generator that aborts its own run is running: it is left when it has given its value.
    if (!this.#inside) return leave(this.iterator)
  }
}

/** Anything that is pulled one value at a time. One value may be in hand while there is no room. */
class ReadingPulls<T> implements Reading<T> {
  #pulling = false
  #pending: Promise<IteratorResult<T>> | undefined
  #over = false
  #held: { value: T } | undefined

  constructor(
    readonly port: Out<T>,
    readonly pull: Pull<T>,
  ) {}

  run(port: Out<T>): void {
    if (this.#held !== undefined && port.count < port.room) {
      port.out[port.count++] = this.#held.value
      this.#held = undefined
    }
    port.held = true
    port.full = this.#held !== undefined
    if (port.full || this.#pulling) return
    if (this.#over) port.finish()
    else this.#next()
  }

  #next(): void {
    this.#pulling = true
    let step: Pulled<T>
    try {
      step = this.pull.next()
    } catch (error) {
      this.#over = true
      throw error
    }
    // Promises of other libraries included, and what is no promise at all.
    this.#pending = step instanceof Promise ? step : Promise.resolve(step)
    this.#pending.then(this.#pulled, this.#failed)
  }

  readonly #pulled = (step: IteratorResult<T>): void => {
    this.#pulling = false
    if (this.#over) return
    if (!isStep(step)) return this.#failed(new TypeError('The iterator gave something that is no object'))
    if (step.done) this.#over = true
    else this.#held = step as { value: T }
    this.port.wake()
  }

  readonly #failed = (error: unknown): void => {
    this.#pulling = false
    if (this.#over) return
    this.#over = true
    this.port.fail(error)
  }

  stop(): PromiseLike<unknown> | void {
    const left = this.close()
    this.#pulling = false
    return left
  }

  close(): PromiseLike<unknown> | void {
    if (this.#over) return
    this.#over = true
    return leave(this.pull, this.#pulling ? this.#pending : undefined)
  }
}

/** A receiver: takes what is there, and waits in its channel's line where nothing is. */
class ReadingReceiver<T> extends Waiter<T> implements Reading<T> {
  #waiting = false
  #stopped = false
  #held: { value: T } | undefined

  constructor(
    readonly port: Out<T>,
    readonly receiver: Receiver<T>,
    handle: Handle<T>,
  ) {
    super(handle)
  }

  get daemon(): boolean {
    return this.handle.core.daemon
  }

  run(port: Out<T>): void {
    const { core, open } = this.handle
    if (this.#held !== undefined && port.count < port.room) {
      port.out[port.count++] = this.#held.value
      this.#held = undefined
    }
    port.full = this.#held !== undefined
    if (port.full) return
    while (open && port.count < port.room && !this.#stopped && core.readable()) port.out[port.count++] = core.take()
    if (this.#stopped || !open) return port.finish()
    if (!core.ended) {
      port.held = port.count < port.room
      if (port.held && !this.#waiting) this.#wait()
      return
    }
    if (core.failure) throw core.failure.cause
    port.finish()
  }

  #wait(): void {
    this.#waiting = true
    this.handle.core.readers.add(this)
  }

  give(value: T): void {
    this.#held = { value }
    this.end()
  }
  handOver(): T {
    throw new TypeError('A source hands nothing over')
  }
  end(): void {
    this.#waiting = false
    this.port.wake()
  }
  giveUp(reason: unknown): void {
    this.#leave()
    this.port.fail(reason)
  }

  #leave(): void {
    this.#waiting = false
    this.handle.core.readers.remove(this)
  }

  stop(): void {
    this.#stopped = true
    this.close()
  }

  close(): void {
    this.#leave()
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
  ) {}

  run(port: Out<T>): void {
    if (this.#kernel === undefined && !this.#asked) {
      this.#asked = true
      const input = typeof this.input === 'function' ? this.input(port.context) : this.input
      if (isThenable(input)) this.#await(input as PromiseLike<Input<T>>)
      else this.#open(input as Input<T>)
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
    this.#over = this.#asked = true
    return this.#kernel?.close?.(true)
  }
}
