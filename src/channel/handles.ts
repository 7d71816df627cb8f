/**
 * Senders and receivers: what the program has in hands of a channel.
 *
 * A handle holds no state of the channel, only its own: whether it is closed and how much waits on it. What can
 * be done at once is done at once, in the order of the calls; only what must wait makes a waiter. The commonest calls,
 * which have no options and need not wait, are written out here: that is a tenth of their time (bench: by-hand).
 */
import { demand, demandCount } from '../errors.ts'
import { onAbort } from './clock.ts'
import { placeOf, registry, warnOf } from './deadlock.ts'
import { type Exchange, HANDLE, type Handle, isOver, put, take, writable } from './exchange.ts'
import { checkWait, type Mode, operate, type WaitOptions } from './waiting.ts'

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
  /** Sends without waiting, and says what came of it. `'full'` also where others wait to send. */
  trySend(value: T): 'sent' | 'full' | 'closed'
  /** Another handle of the same channel, to be closed on its own. Throws a `TypeError` where this one is closed. */
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
  /** Receives without waiting. `cause` is there exactly where the channel has failed. */
  tryRecv(): { ok: true; value: T } | { ok: false; reason: 'empty' | 'closed'; cause?: unknown }
  /** `recv` for those who prefer `done` to an exception. */
  next(): Promise<IteratorResult<T>>
  /** An iterator of its own. With `preventClose`, leaving its loop early does not close this receiver. */
  values(options?: { preventClose?: boolean | undefined }): AsyncIterableIterator<T>
  /** Another handle of the same channel, to be closed on its own. Throws a `TypeError` where this one is closed. */
  clone(): Receiver<T>
  /** Closes this handle; with the last one, sends reject. `false` when it was closed already. */
  close(): boolean
}

/** So many sends waiting on one handle mean that somebody forgot `await`. */
const FORGOTTEN_AWAIT = 1000

/** What the two ends have in common. */
class End<T> {
  readonly [HANDLE]: Handle<T>

  constructor(core: Exchange<T>, side: Handle<T>['side'], place: string) {
    const handle: Handle<T> = { core, side, place, open: true, waiting: 0, newest: undefined }
    this[HANDLE] = handle
    core.handles.add(handle)
    core[`${side}s`]++
    if (place) registry.register(this, handle)
  }

  get capacity(): number {
    return this[HANDLE].core.capacity
  }
  get length(): number {
    return this[HANDLE].core.length
  }
  get closed(): boolean {
    return isOver(this[HANDLE])
  }
  get name(): string {
    return this[HANDLE].core.name
  }

  clone(): this {
    const { core, side, open } = this[HANDLE]
    if (!open) throw new TypeError(`Cannot clone ${side} of channel "${core.name}": it is closed`)
    const Same = this.constructor as typeof End<T>
    // eslint-disable-next-line @typescript-eslint/unbound-method -- it is named, not called
    return new Same(core, side, placeOf(this.clone)) as this
  }

  close(): boolean {
    const handle = this[HANDLE]
    return handle.core.close(handle)
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

const SEND: Mode<unknown, void> = { kind: 'send', shape() {} }

class SenderEnd<T> extends End<T> implements Sender<T> {
  send(value: T, options?: WaitOptions): Promise<void> {
    const handle = this[HANDLE]
    const { core } = handle
    if (options === undefined && handle.open && core.accepting && writable(core)) {
      put(core, value)
      return core.pace<void>(undefined)
    }
    const sent = operate(this, SEND, value, options)
    if (handle.waiting > FORGOTTEN_AWAIT && !handle.warned) {
      handle.warned = true
      warnOf(`More than ${FORGOTTEN_AWAIT} sends wait, is an "await" missing`, handle)
    }
    return sent
  }

  async sendMany(values: Iterable<T> | AsyncIterable<T>, options: WaitOptions = {}): Promise<void> {
    checkWait('send', options)
    const { signal } = options
    const input = Object(values) as Partial<AsyncIterable<T>> & Iterable<T>
    const many = input[Symbol.asyncIterator]
    demand(many ?? input[Symbol.iterator], 'send', 'values', 'an iterable', values, TypeError)
    // Not one `for await` for both: that would await the promises in an array.
    if (many)
      for await (const value of abortable(input as AsyncIterable<T>, signal)) {
        await this.send(value, options)
        signal?.throwIfAborted()
      }
    else
      for (const value of input) {
        if (signal?.aborted || this.trySend(value) !== 'sent') await this.send(value, options)
        signal?.throwIfAborted()
      }
  }

  trySend(value: T): 'sent' | 'full' | 'closed' {
    const { open, core } = this[HANDLE]
    if (!open || !core.accepting) return 'closed'
    if (!writable(core)) return 'full'
    put(core, value)
    return 'sent'
  }

  fail(cause: unknown): boolean {
    const { open, core } = this[HANDLE]
    return open && core.fail(cause)
  }

  whenClosed(): Promise<void> {
    const { core } = this[HANDLE]
    if (!core.accepting) return Promise.resolve()
    return (core.refused ??= new Promise((resolve) => (core.onRefused = resolve)))
  }
}

/** `input`, but when the signal aborts, a `next` that hangs is left: its `return` is called and not waited for. */
function abortable<T>(input: AsyncIterable<T>, signal: AbortSignal | undefined): AsyncIterable<T> {
  if (signal === undefined) return input
  const source = input[Symbol.asyncIterator]()
  const leave = async (): Promise<IteratorResult<T>> => source.return?.() as Promise<IteratorResult<T>>
  const pull = async (): Promise<IteratorResult<T>> => source.next()
  const next = (): Promise<IteratorResult<T>> =>
    new Promise((resolve, reject) => {
      const stopListening = onAbort(signal, (reason) => {
        reject(reason)
        leave().catch(() => {})
      })
      pull().then(resolve, reject).finally(stopListening)
    })
  return { [Symbol.asyncIterator]: () => ({ next, return: leave }) }
}

const done = (value?: unknown): IteratorResult<never> => ({ done: true, value })

const RECV: Mode<unknown, unknown> = { kind: 'receive', shape: (value) => value }
const NEXT: Mode<unknown, IteratorResult<unknown>> = {
  kind: 'receive',
  shape: (value) => ({ done: false, value }),
  ended: done,
}

class ReceiverEnd<T> extends End<T> implements Receiver<T> {
  recv(options?: WaitOptions): Promise<T> {
    const { open, core } = this[HANDLE]
    if (options === undefined && open && core.readable()) return core.pace(take(core))
    return operate(this, RECV as Mode<T, T>, undefined as T, options)
  }

  next(): Promise<IteratorResult<T>> {
    return operate(this, NEXT as Mode<T, IteratorResult<T>>, undefined as T)
  }

  recvMany(max: number, options?: WaitOptions): Promise<T[]> {
    const { core } = this[HANDLE]
    try {
      demandCount(max, 'receive', 'max', 1, true)
    } catch (error) {
      return Promise.reject(error)
    }
    const shape = (value: T): T[] => {
      const values = [value]
      while (values.length < max && core.readable()) values.push(take(core))
      return values
    }
    return operate(this, { kind: 'receive', shape, ended: () => [] }, undefined as T, options)
  }

  tryRecv(): ReturnType<Receiver<T>['tryRecv']> {
    const { open, core } = this[HANDLE]
    if (open && core.readable()) return { ok: true, value: take(core) }
    if (!this.closed) return { ok: false, reason: 'empty' }
    return { ok: false, reason: 'closed', ...(open && core.failure) }
  }

  values({ preventClose = false }: { preventClose?: boolean } = {}): AsyncIterableIterator<T> {
    let left = false
    return {
      next: () => (left ? Promise.resolve(done()) : this.next()),
      return: async (value?: unknown) => {
        left = true
        if (!preventClose) this.close()
        return done(value)
      },
      [Symbol.asyncIterator]() {
        return this
      },
    }
  }

  /** Leaving a loop early closes this receiver. */
  async return(value?: unknown): Promise<IteratorResult<T>> {
    this.close()
    return done(value)
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}

export const newSender = <T>(core: Exchange<T>, place = ''): Sender<T> => new SenderEnd(core, 'sender', place)
export const newReceiver = <T>(core: Exchange<T>, place = ''): Receiver<T> =>
  new ReceiverEnd(core, 'receiver', place)
