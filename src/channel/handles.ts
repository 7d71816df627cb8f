/**
 * Senders and receivers: what the program has in hands of a channel.
 *
 * A handle holds no state of the channel, only its own: whether it is closed and how much waits on it. What can
 * be done at once is done at once, in the order of the calls; only what must wait makes a waiter.
 */
import { demand, demandCount, demandTime, RecvError, SendError } from '../errors.ts'
import { orAbort } from './clock.ts'
import { type Core, HANDLE, type Handle } from './core.ts'
import { placeOf, track, untrack, warn } from './deadlock.ts'
import { type Mode, Wait, type WaitOptions } from './waiting.ts'

/** The sending end. Clone it for each producer, and close every clone. */
export interface Sender<in T> extends Disposable {
  readonly capacity: number
  /** How many values are buffered; never more than `capacity`. */
  readonly length: number
  /** Whether nothing can be sent through this handle any more. */
  readonly closed: boolean
  readonly name: string
  /** Settles when the value is in the channel (at capacity 0: with a receiver). Rejects with `SendError`. */
  send(value: T, options?: WaitOptions): Promise<void>
  /** Sends each value in order. The `SendError` carries the first one that was not accepted. */
  sendMany(values: Iterable<T> | AsyncIterable<T>, options?: WaitOptions): Promise<void>
  trySend(value: T): 'sent' | 'full' | 'closed'
  clone(): Sender<T>
  /** Closes this handle; waiting sends are still delivered. `false` when it was closed already. */
  close(): boolean
  /** Ends the channel for every handle: receivers drain the buffer and then reject with `cause`. */
  fail(cause: unknown): boolean
  /** Settles when nobody will read again. */
  whenClosed(): Promise<void>
}

/** The receiving end, and an async iterable. Clones share the values: each goes to exactly one. */
export interface Receiver<out T> extends AsyncIterableIterator<T>, Disposable {
  readonly capacity: number
  readonly length: number
  /** Whether nothing will come through this handle any more. */
  readonly closed: boolean
  readonly name: string
  /** Rejects with `RecvError` once the channel has ended, with the cause once it has failed. */
  recv(options?: WaitOptions): Promise<T>
  /** Waits for one value, then takes what is there: 1 to `max` values, `[]` once ended. */
  recvMany(max: number, options?: WaitOptions): Promise<T[]>
  tryRecv(): { ok: true; value: T } | { ok: false; reason: 'empty' | 'closed'; cause?: unknown }
  /** `recv` for those who prefer `done` to an exception. */
  next(): Promise<IteratorResult<T>>
  /** An iterator of its own. With `preventClose`, leaving its loop early does not close this receiver. */
  values(options?: { preventClose?: boolean }): AsyncIterableIterator<T>
  clone(): Receiver<T>
  close(): boolean
}

/** So many sends waiting on one handle mean that somebody forgot `await`. */
const FORGOTTEN_AWAIT = 1000
const DONE = /* @__PURE__ */ Promise.resolve()

/** Throws where the options are wrong or the signal has aborted; both come before all else. */
function checkWait(action: string, options: WaitOptions | undefined): void {
  if (options?.timeout !== undefined) demandTime(options.timeout, action, 'timeout')
  options?.signal?.throwIfAborted()
}

/** What the two ends have in common. */
class End<T> {
  readonly [HANDLE]: Handle<T>

  constructor(handle: Handle<T>) {
    this[HANDLE] = handle
    if (handle.place) track(this, handle)
  }

  get capacity(): number {
    return this[HANDLE].core.capacity
  }
  get length(): number {
    return this[HANDLE].core.length
  }
  get name(): string {
    return this[HANDLE].core.name
  }

  clone(): this {
    const { core, side, open } = this[HANDLE]
    if (!open) throw new TypeError(`Cannot clone ${side} of channel "${core.name}": it is closed`)
    const Same = this.constructor as new (handle: Handle<T>) => this
    // eslint-disable-next-line @typescript-eslint/unbound-method -- it is named, not called
    return new Same(core.open(side, placeOf(this.clone)))
  }

  close(): boolean {
    const handle = this[HANDLE]
    untrack(handle)
    return handle.core.close(handle)
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** What a send is told that cannot be accepted any more. */
const refusal = <T>({ name, failure }: Core<T>, value: T): Error =>
  new SendError('CLOSED', value, name, failure)

/** What a receive is told when nothing will come. Throws the cause of a channel that failed. */
export function ending<T>({ core, open }: Handle<T>): RecvError {
  if (open && core.failure !== undefined) throw core.failure.cause
  return new RecvError('CLOSED', core.name)
}

const SEND: Mode<unknown, void> = {
  shape() {},
  end: ({ handle, value }) => {
    throw refusal(handle.core, value)
  },
  late: ({ handle, value }) => new SendError('TIMEOUT', value, handle.core.name),
}

class SenderEnd<T> extends End<T> implements Sender<T> {
  #warned = false
  #whenClosed: Promise<void> | undefined

  get closed(): boolean {
    const { open, core } = this[HANDLE]
    return !open || !core.accepting
  }

  send(value: T, options?: WaitOptions): Promise<void> {
    const handle = this[HANDLE]
    const { core } = handle
    if (options === undefined && handle.open && core.accepting && core.offer(value)) return DONE
    const wait = new Wait(this, handle, SEND, value)
    try {
      checkWait('send', options)
      if (this.closed) throw refusal(core, value)
      if (options && core.offer(value)) return DONE
      if ((core as { overflow?: string }).overflow === 'fail') throw new SendError('FULL', value, core.name)
      if (options?.timeout === 0) throw SEND.late(wait)
    } catch (error) {
      return Promise.reject(error)
    }
    if (handle.waiting >= FORGOTTEN_AWAIT && !this.#warned) {
      this.#warned = true
      warn(
        `More than ${FORGOTTEN_AWAIT} sends wait on one sender of channel "${core.name}", is an "await" missing? ` +
          `It was made at ${handle.place}`,
      )
    }
    return wait.start(core.writers, options)
  }

  async sendMany(values: Iterable<T> | AsyncIterable<T>, options?: WaitOptions): Promise<void> {
    checkWait('send', options)
    const input = Object(values) as Partial<AsyncIterable<T> & Iterable<T>>
    const many = input[Symbol.asyncIterator]
    demand(many ?? input[Symbol.iterator], 'send', 'values', 'an iterable', values, TypeError)
    const source = (many ? input[Symbol.asyncIterator]!() : input[Symbol.iterator]!()) as Iterator<T>
    const signal = options?.signal
    let pulling = false
    try {
      for (;;) {
        signal?.throwIfAborted()
        pulling = true
        const step = source.next()
        const { done, value } = (
          many ? await orAbort(Promise.resolve(step), signal) : step
        ) as IteratorResult<T, undefined>
        pulling = false
        if (done) return
        const sent = this.send(value, options)
        if (sent !== DONE) await sent
      }
    } catch (error) {
      // As in any loop: a source that failed is not returned, and what its return throws does not hide the error.
      // One that hangs is returned but not waited for.
      if (!pulling || signal?.aborted) {
        const left = Promise.resolve(source).then((it) => it.return?.())
        const quiet = left.catch(() => {})
        if (!pulling) await quiet
      }
      throw error
    }
  }

  trySend(value: T): 'sent' | 'full' | 'closed' {
    if (this.closed) return 'closed'
    return this[HANDLE].core.offer(value) ? 'sent' : 'full'
  }

  fail(cause: unknown): boolean {
    const { open, core } = this[HANDLE]
    return open && core.fail(cause)
  }

  whenClosed(): Promise<void> {
    const { core } = this[HANDLE]
    if (!core.accepting) return DONE
    return (this.#whenClosed ??= new Promise((resolve) => {
      const before = core.onRefused
      core.onRefused = () => {
        before?.()
        resolve()
      }
    }))
  }
}

const late = ({ handle }: { handle: Handle<unknown> }): Error => new RecvError('TIMEOUT', handle.core.name)
const RECV: Mode<unknown, unknown> = {
  shape: (value) => value,
  end: ({ handle }) => {
    throw ending(handle)
  },
  late,
}
const NEXT: Mode<unknown, IteratorResult<unknown>> = {
  shape: (value) => ({ done: false, value }),
  end: ({ handle }) => {
    ending(handle)
    return { done: true, value: undefined }
  },
  late,
}
const MANY: Mode<unknown, unknown[]> = {
  shape: (value, { handle, max }) => {
    const values = [value]
    while (values.length < max && handle.core.readable()) values.push(handle.core.take())
    return values
  },
  end: ({ handle }) => {
    ending(handle)
    return []
  },
  late,
}

class ReceiverEnd<T> extends End<T> implements Receiver<T> {
  get closed(): boolean {
    const { open, core } = this[HANDLE]
    return !open || core.ended
  }

  recv(options?: WaitOptions): Promise<T> {
    const { open, core } = this[HANDLE]
    if (options === undefined && open && core.buffer.length > 0) return Promise.resolve(core.take())
    return this.#receive(RECV as Mode<T, T>, options)
  }

  next(): Promise<IteratorResult<T>> {
    const { open, core } = this[HANDLE]
    if (open && core.buffer.length > 0) return Promise.resolve({ done: false, value: core.take() })
    return this.#receive(NEXT as Mode<T, IteratorResult<T>>)
  }

  recvMany(max: number, options?: WaitOptions): Promise<T[]> {
    return this.#receive(MANY as Mode<T, T[]>, options, max)
  }

  #receive<R>(mode: Mode<T, R>, options?: WaitOptions, max = 1): Promise<R> {
    const handle = this[HANDLE]
    const { core } = handle
    const wait = new Wait<T, R>(this, handle, mode, undefined as T, max)
    try {
      demandCount(max, 'receive', 'max', 1, true)
      checkWait('receive', options)
      if (this.closed) return Promise.resolve(mode.end(wait))
      if (core.readable()) return Promise.resolve(mode.shape(core.take(), wait))
      if (options?.timeout === 0) throw mode.late(wait)
    } catch (error) {
      return Promise.reject(error)
    }
    return wait.start(core.readers, options)
  }

  tryRecv(): ReturnType<Receiver<T>['tryRecv']> {
    const { open, core } = this[HANDLE]
    if (open && core.readable()) return { ok: true, value: core.take() }
    if (!this.closed) return { ok: false, reason: 'empty' }
    return { ok: false, reason: 'closed', ...(open && core.failure) }
  }

  values({ preventClose = false }: { preventClose?: boolean } = {}): AsyncIterableIterator<T> {
    let left = false
    return {
      next: () => (left ? Promise.resolve({ done: true, value: undefined }) : this.next()),
      return: (value?: unknown) => {
        left = true
        return preventClose ? Promise.resolve({ done: true, value }) : this.return(value)
      },
      [Symbol.asyncIterator]() {
        return this
      },
    }
  }

  /** Leaving a loop early closes this receiver. */
  return(value?: unknown): Promise<IteratorResult<T>> {
    this.close()
    return Promise.resolve({ done: true, value })
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}

export const newSender = <T>(core: Core<T>, place = ''): Sender<T> =>
  new SenderEnd(core.open('sender', place))
export const newReceiver = <T>(core: Core<T>, place = ''): Receiver<T> =>
  new ReceiverEnd(core.open('receiver', place))
