/**
 * `select`: waits on many channels at once; exactly one case happens, the others leave no trace.
 *
 * First the ready cases are looked for and one is drawn. If there is none, each case joins the queue of its channel
 * with a waiter of its own, all tied together: whichever is served first takes the others out of their queues
 * before anything else can run, so no value is ever taken twice or lost.
 */
import { demand } from '../errors.ts'
import type { ChannelCore } from './channel.ts'
import type { Receiver, Sender } from './handles.ts'
import { onAbort } from './clock.ts'
import { HANDLE, type Handle, isOver } from './core.ts'
import { Waiter } from './waiting.ts'

const CASE = /* @__PURE__ */ Symbol('sendCase')

/** A send as a case of a `select`, made by `sendCase`. */
export interface SendCase<T> {
  readonly [CASE]: Sender<T>
  readonly value: T
}

// Receivers of any value and send cases of any value: `any` is the only type that is both ends of variance.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Cases = Record<string, Receiver<any> | SendCase<any>>

/** What a select gives: a union told apart by `key`, then by `done`. */
export type Selected<C extends Cases> = {
  [K in keyof C & string]: C[K] extends Receiver<infer T>
    ? { key: K; done: false; value: T } | { key: K; done: true; value: undefined }
    : C[K] extends SendCase<infer T>
      ? { key: K; done: false; value: undefined } | { key: K; done: true; value: T }
      : never
}[keyof C & string]

export interface SelectOptions {
  signal?: AbortSignal
  /** Take the first ready case in order instead of drawing one. Default: `false`. */
  biased?: boolean
}

type Outcome = { key: string; done: boolean; value: unknown }

/** One case, looked at in the same way whether it sends or receives. */
class Case extends Waiter<unknown> {
  constructor(
    readonly key: string,
    handle: Handle<unknown>,
    readonly selection: Selection,
    /** The sender or receiver: whoever is waited on must not be collected. */
    readonly owner: object,
    value: unknown,
  ) {
    super(handle, value)
  }

  readonly kind = 'select'

  get ready(): boolean {
    const { core, side } = this.handle
    if (isOver(this.handle)) return true
    if (side === 'receiver') return core.readable()
    const { overflow } = core as Partial<ChannelCore<unknown>>
    return !core.full || overflow?.startsWith('drop') === true || core.readers.head !== undefined
  }

  /** Does what `ready` promised. Throws the cause of a channel that failed. */
  perform(): Outcome {
    const { core, side } = this.handle
    if (isOver(this.handle)) return this.#ended()
    if (side === 'receiver') return this.#outcome(false, core.take())
    core.offer(this.value)
    return this.#outcome(false, undefined)
  }

  #outcome(done: boolean, value: unknown): Outcome {
    return { key: this.key, done, value }
  }
  #ended(): Outcome {
    const { core, open, side } = this.handle
    if (side === 'receiver' && open && core.failure) throw core.failure.cause
    return this.#outcome(true, this.value)
  }

  get hopeless(): boolean {
    const cores = this.selection.cases.map(({ handle }) => handle.core as Partial<ChannelCore<unknown>>)
    const first = cores.indexOf(this.handle.core)
    return this.selection.cases[first] === this && !cores.some(({ daemon }) => daemon)
  }
  give(value: unknown): void {
    this.selection.settle(() => this.#outcome(false, this.handle.side === 'sender' ? undefined : value))
  }
  end(): void {
    this.selection.settle(() => this.#ended())
  }
  giveUp(reason: unknown): void {
    this.selection.settle(() => {
      throw reason
    })
  }
}

class Selection {
  readonly cases: Case[]
  #resolve!: (outcome: Outcome) => void
  #reject!: (reason: unknown) => void
  #stopListening: (() => void) | undefined

  constructor(cases: Cases) {
    this.cases = Object.entries(cases).map(([key, entry]) => {
      const { [CASE]: sender, value } = Object(entry) as Partial<SendCase<unknown>>
      const owner = (sender ?? Object(entry)) as { [HANDLE]?: Handle<unknown> }
      const handle = owner[HANDLE]
      demand(
        sender || handle?.side === 'receiver',
        'select',
        key,
        'a receiver or sendCase(…)',
        entry,
        TypeError,
      )
      return new Case(key, handle!, this, owner, value)
    })
  }

  /** One of the ready cases, each as likely as the others. */
  draw(biased: boolean | undefined): Case | undefined {
    let drawn: Case | undefined
    let ready = 0
    for (const each of this.cases) {
      if (!each.ready) continue
      if (biased) return each
      if (Math.random() * ++ready < 1) drawn = each
    }
    return drawn
  }

  wait(signal: AbortSignal | undefined): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
      for (const each of this.cases) each.enter()
      if (signal) this.#stopListening = onAbort(signal, (reason) => this.cases[0].giveUp(reason))
    })
  }

  settle(outcome: () => Outcome): void {
    for (const each of this.cases) each.leave()
    this.#stopListening?.()
    try {
      this.#resolve(outcome())
    } catch (reason) {
      this.#reject(reason)
    }
  }
}

/**
 * Waits until one of the cases can happen, does it, and says which.
 *
 * - A case is a receiver, or `sendCase(sender, value)`. Exactly one happens; the others leave no trace.
 * - A channel that has ended is ready, with `done: true`; one that failed rejects the select with its cause.
 * - Of several ready cases one is drawn, each as likely as the others; `biased` takes the first in order.
 * - `signal` gives the wait up with its reason.
 *
 * @throws TypeError for no cases, or for something that is no case.
 * @example
 * import { channel, select } from 'sluice'
 *
 * const [tx, words] = channel<string>(1)
 * const [, numbers] = channel<number>(1)
 * await tx.send('hi')
 * await select({ words, numbers }) // => { key: 'words', done: false, value: 'hi' }
 */
export function select<const C extends Cases>(cases: C, options: SelectOptions = {}): Promise<Selected<C>> {
  // The keys and types of an outcome are those of the case it came from.
  return start(cases, options) as Promise<Selected<C>>
}

function start(cases: Cases, { signal, biased }: SelectOptions): Promise<Outcome> {
  try {
    const selection = new Selection(cases)
    demand(selection.cases.length, 'select', 'cases', 'at least one case', cases, TypeError)
    signal?.throwIfAborted()
    const drawn = selection.draw(biased)
    return drawn ? Promise.resolve(drawn.perform()) : selection.wait(signal)
  } catch (error) {
    return Promise.reject(error)
  }
}

/**
 * `select` without waiting: `undefined` where no case is ready. Throws the cause of a channel that failed.
 *
 * @example
 * import { channel, trySelect } from 'sluice'
 *
 * const [tx, words] = channel<string>(1)
 * trySelect({ words }) // => undefined
 * tx.close()
 * trySelect({ words }) // => { key: 'words', done: true, value: undefined }
 */
export function trySelect<const C extends Cases>(
  cases: C,
  options: Pick<SelectOptions, 'biased'> = {},
): Selected<C> | undefined {
  return new Selection(cases).draw(options.biased)?.perform() as Selected<C> | undefined
}

/**
 * A send as a case of `select`: it happens when the channel takes `value`.
 *
 * @example
 * import { channel, select, sendCase } from 'sluice'
 *
 * const [tx, rx] = channel<number>(1)
 * await select({ out: sendCase(tx, 7) }) // => { key: 'out', done: false, value: undefined }
 * await rx.recv() // => 7
 */
export function sendCase<T>(sender: Sender<T>, value: T): SendCase<T> {
  const handle = (Object(sender) as { [HANDLE]?: Handle<T> })[HANDLE]
  demand(
    handle?.side === 'sender',
    'create sendCase',
    'sender',
    'a sender of this package',
    sender,
    TypeError,
  )
  return { [CASE]: sender, value }
}
