/**
 * Reading from outside: the kernel behind `source` and the inputs of every fan-in.
 *
 * Each kind of input is one small kernel. All keep to the same manners: `next` is never called while another is
 * pending, `return` is called once and never after an end, and a `next` that hangs is not waited for.
 */
import type { Receiver } from '../channel/handles.ts'
import { openHandles } from '../channel/deadlock.ts'
import { HANDLE, type Handle, take } from '../channel/exchange.ts'
import { demand } from '../errors.ts'
import { isThenable } from './results.ts'
import { isNodeReadable, streamIterator } from './foreign.ts'
import { AwaitingIterator, heard, nothing, ReadingArray, ReadingIterator } from './iterating.ts'
import type { Kernel, Port, StageContext } from './stage.ts'

/** What can be read. */
export type Input<T> = Iterable<T> | AsyncIterable<T> | ReadableStream<T>

type Reading<T> = Kernel<never, T>
type Out<T> = Port<never, T>

/** What `source` takes: something that can be read, or a way to get it. */
export type LateInput<T> =
  Input<T> | PromiseLike<Input<T>> | ((context: StageContext) => Input<T> | PromiseLike<Input<T>>)

/** What comes out of an input, of each member of a union. */
export type ValueOf<I> =
  I extends PromiseLike<infer Late>
    ? ValueOf<Late>
    : I extends (context: StageContext) => infer Late
      ? ValueOf<Late>
      : I extends Input<infer T>
        ? Awaited<T>
        : never

/** What makes a stage that reads `input`. Nothing of it is touched before the run. */
export function reading<T>(
  input: LateInput<T>,
  action: string,
  option: string,
): {
  kernel: (port: Out<T>) => Reading<T>
  hear: () => void
  size: () => number | undefined
  once: () => boolean
} {
  if (typeof input !== 'function' && !isThenable(input)) demandInput(input, action, option)
  const kernel = (port: Out<T>): Reading<T> => new Opening(port, input, action, option)
  return { kernel, hear: () => hear(input), size: () => sizeOf(input), once: () => isOnce(input) }
}

/** How many values an array, a `Set` or the like has. */
function sizeOf(input: unknown): number | undefined {
  if (Array.isArray(input) || ArrayBuffer.isView(input))
    return (input as unknown as ArrayLike<unknown>).length
  return input instanceof Set || input instanceof Map ? input.size : undefined
}

/** A promise may be one for anything: it is taken for something that can be read again. */
function isOnce(input: unknown): boolean {
  return 'next' in Object(input) || isFilled(input)
}

function demandInput(input: unknown, action: string, option: string): void {
  const {
    getReader,
    [Symbol.asyncIterator]: many,
    [Symbol.iterator]: some,
  } = Object(input) as Partial<ReadableStream & AsyncIterable<unknown> & Iterable<unknown>>
  const wanted =
    'an iterable, an async iterable, a ReadableStream, a receiver, or a promise or function that gives one'
  demand(getReader ?? many ?? some, action, option, wanted, input, TypeError)
}

/** The kernel for an input, told apart by what it can do. */
function kernelFor<T>(port: Out<T>, input: Input<T>): Reading<T> {
  const { [HANDLE]: handle } = input as { [HANDLE]?: Handle<T> }
  if (handle?.side === 'receiver') return new ReadingReceiver(port, input as Receiver<T>, handle)
  const stream = streamIterator<T>(input, port.context)
  if (stream) return new AwaitingIterator(port, stream)
  const { [Symbol.asyncIterator]: many, [Symbol.iterator]: iterate } = input as AsyncIterable<T> & Iterable<T>
  if (many) return new AwaitingIterator(port, many.call(input))
  if (Array.isArray(input) && iterate === Array.prototype[Symbol.iterator])
    return new ReadingArray(port, input)
  return new ReadingIterator(port, iterate.call(input))
}

/** A receiver or a stream: somebody is at its other end. */
function isFilled(input: unknown): boolean {
  const object = Object(input) as object
  return HANDLE in object || 'getReader' in object || isNodeReadable(object)
}

/** Listens to the promises that an input is or has, as far as they are there already, and to the errors of a stream. */
export function hear(input: unknown): void {
  if (isNodeReadable(input)) input.on('error', nothing)
  const values: readonly unknown[] = Array.isArray(input) ? input : [input]
  for (let i = 0; i < values.length; i++)
    try {
      const value = values[i]
      if (isThenable(value)) heard(value)
    } catch {
      // It throws, or its `then` does: so it will when the value is read, and then the stage fails.
    }
}

/** A receiver: takes what is there, and asks for more only when there is room, so that it has nothing in its hands. */
class ReadingReceiver<T> implements Reading<T> {
  #waiting = false
  #arrived: T[] = []

  constructor(
    readonly port: Out<T>,
    readonly receiver: Receiver<T>,
    readonly handle: Handle<T>,
  ) {}

  get daemon(): boolean {
    return this.handle.core.options.daemon === true
  }

  get wants(): string {
    const { core } = this.handle
    return `channel "${core.name}", ${openHandles(core).replaceAll('\n', '\n    ')}`
  }

  run(port: Out<T>): void {
    const { core, open } = this.handle
    for (const value of this.#arrived) port.out[port.count++] = value
    this.#arrived = []
    while (open && !this.#waiting && port.count < port.room && core.readable())
      port.out[port.count++] = take(core)
    port.held = this.#waiting
    if (port.held || port.count >= port.room) return
    if (this.receiver.closed) {
      if (open && core.failure !== undefined) throw core.failure.cause
      // Nothing will come any more: who sends may look at `whenClosed` to let go of what it listens to.
      this.receiver.close()
      return port.finish()
    }
    port.held = this.#waiting = true
    this.receiver.recvMany(1).then(
      (values) => {
        this.#arrived = values
        this.#waiting = false
        port.wake()
      },
      (error: unknown) => port.fail(error),
    )
  }

  stop(): void {
    this.close()
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
    if (!this.#asked) {
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
    // `then` of one that is no `Promise` may give nothing.
    Promise.resolve(input)
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

  get wants(): string | undefined {
    return this.#kernel?.wants
  }

  stop(port: Out<T>): PromiseLike<unknown> | void {
    if (!this.#asked) return this.close()
    this.#over = true
    return this.#kernel?.stop?.(port)
  }

  close(): PromiseLike<unknown> | void {
    const { port, input } = this
    const isOpen = this.#asked
    this.#over = this.#asked = true
    if (isOpen) return this.#kernel?.close?.(true)
    // What others fill is let go of even where it has not been opened; what begins when it is opened is not.
    const letGo = (unread: LateInput<T>): PromiseLike<unknown> | void => {
      // A stream that is locked is somebody else's.
      if (isFilled(unread) && !(unread as Partial<ReadableStream>).locked)
        return kernelFor(port, unread as Input<T>).close?.(true)
    }
    if (!isThenable(input)) return letGo(input)
    heard(Promise.resolve(input as PromiseLike<Input<T>>).then(letGo))
  }
}
