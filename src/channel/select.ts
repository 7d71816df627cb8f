/**
 * `select`: waits on many channels at once; exactly one case happens, the others leave no trace.
 *
 * First the ready cases are looked for and one is drawn. If there is none, each case joins the queue of its channel
 * with a waiter of its own, all tied together: whichever is served first takes the others out of their queues
 * before anything else can run, so no value is ever taken twice or lost.
 */
import { demand, demandOptions, demandSignal } from '../errors.ts'
import { onAbort } from './clock.ts'
import { openHandles } from './deadlock.ts'
import { type Exchange, HANDLE, type Handle, isOver } from './exchange.ts'
import type { Receiver, Sender } from './handles.ts'
import { isReady, type Mode, type Owner, perform, Wait } from './waiting.ts'

const CASE = /* @__PURE__ */ Symbol('sendCase')

/** A send as a case of a `select`, made by `sendCase`. Its sender may take more than this value: that shows nowhere. */
export interface SendCase<out T> {
  readonly [CASE]: Sender<never>
  readonly value: T
}

/** The cases of a `select`: receivers and `sendCase`s by their names. */
// Receivers of any value and send cases of any value: `any` is the only type that is both ends of variance.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Cases = Record<string, Receiver<any> | SendCase<any>>

/** For each member of a union: a case may be a `sendCase` now and `never()` then. */
type SelectedCase<K, One> =
  One extends Receiver<infer T>
    ? { key: K; done: false; value: T } | { key: K; done: true; value: undefined }
    : One extends SendCase<infer T>
      ? { key: K; done: false; value: undefined } | { key: K; done: true; value: T }
      : never

/** What a select gives: a union told apart by `key`, then by `done`. */
export type Selected<C extends Cases> = {
  [K in keyof C & (string | number)]-?: SelectedCase<`${K}`, C[K]>
}[keyof C & (string | number)]

/** How `select` chooses, and how its wait can be given up. */
export interface SelectOptions {
  /** Gives the wait up with `signal.reason`. */
  signal?: AbortSignal | undefined
  /** Take the first ready case in order instead of drawing one. Default: `false`. */
  biased?: boolean | undefined
}

type Outcome = { key: string; done: boolean; value: unknown }

/** One case: an operation like any other, which gives an outcome. */
class Case implements Mode<unknown, Outcome> {
  readonly kind = 'select'

  constructor(
    readonly key: string,
    /** The sender or receiver. */
    readonly owner: Owner<unknown>,
    readonly sent: unknown,
    readonly all: Case[],
  ) {}

  get handle(): Handle<unknown> {
    return this.owner[HANDLE]
  }
  shape(value: unknown): Outcome {
    return { key: this.key, done: false, value }
  }
  ended(): Outcome {
    return { key: this.key, done: true, value: this.sent }
  }
  perform(): Outcome {
    return perform(this.handle, this, this.sent, isOver(this.handle))
  }

  /** The first case on a channel speaks for its select, where none is on a daemon of the program. */
  spared(): boolean {
    const cores = this.all.map(({ handle }) => handle.core)
    return (
      this.all[cores.indexOf(this.handle.core)] !== this ||
      cores.some(({ deadlock, options }) => deadlock && options.daemon)
    )
  }

  others(): string {
    const cores = new Set(this.all.map(({ handle }) => handle.core))
    cores.delete(this.handle.core)
    // Timers and never() have nobody at their other end.
    return [...cores].map((core) => core.deadlock && alsoOn(core)).join('')
  }
}

/** What was said of channels in this turn: thousands of selects may wait on one that has as many handles. */
const said = /* @__PURE__ */ new Map<Exchange<unknown>, string>()

function alsoOn(core: Exchange<unknown>): string {
  if (said.size === 0) queueMicrotask(() => said.clear())
  const text = said.get(core) ?? `\nalso on channel "${core.name}": ${openHandles(core)}`
  said.set(core, text)
  return text
}

function casesOf(cases: Cases): Case[] {
  const all: Case[] = []
  const ok = typeof cases === 'object' && cases !== null
  demand(ok, 'select', 'cases', 'an object of cases', cases, TypeError)
  for (const [key, entry] of Object.entries(cases)) {
    const { [CASE]: sender, value } = Object(entry) as Partial<SendCase<unknown>>
    const owner = (sender ?? Object(entry)) as Partial<Owner<unknown>>
    const ok = sender ?? owner[HANDLE]?.side === 'receiver'
    demand(ok, 'select', key, 'a receiver or sendCase(…) of this copy of sluice', entry, TypeError)
    all.push(new Case(key, owner as Owner<unknown>, value, all))
  }
  return all
}

/** One of the ready cases, each as likely as the others. */
function draw(cases: Case[], biased: boolean | undefined): Case | undefined {
  const isReadyCase = ({ handle }: Case): boolean => isReady(handle)
  if (biased) return cases.find(isReadyCase)
  const ready = cases.filter(isReadyCase)
  return ready[Math.floor(Math.random() * ready.length)]
}

/** Stands in line at each case. Whichever is served or given up first takes all out of their lines. */
function enter(cases: Case[], signal: AbortSignal | undefined): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const waits = cases.map(
      (each) => new Wait(each.owner, each, each.sent, resolve as (outcome: unknown) => void, reject),
    )
    const stopListening = signal && onAbort(signal, (reason) => waits[0].giveUp(reason))
    const release = (): void => {
      for (const wait of waits) {
        wait.release = undefined
        wait.leave()
      }
      stopListening?.()
    }
    for (const wait of waits) {
      wait.release = release
      wait.enter()
    }
  })
}

/** A promise of what `work` gives, or a rejected one of what it throws. */
function attempt<R>(work: () => Promise<R>): Promise<R> {
  try {
    return work()
  } catch (error) {
    return Promise.reject(error)
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
  const selected = attempt(() => {
    demandOptions(options, 'select')
    const { signal, biased } = options
    const all = casesOf(cases)
    demand(all.length, 'select', 'cases', 'at least one case', cases, TypeError)
    demandSignal(signal, 'select')
    signal?.throwIfAborted()
    const drawn = draw(all, biased)
    return drawn ? Promise.resolve(drawn.perform()) : enter(all, signal)
  })
  // The keys and types of an outcome are those of the case it came from.
  return selected as Promise<Selected<C>>
}

/**
 * `select` without waiting: `undefined` where no case is ready. Throws the cause of a channel that failed.
 *
 * @throws TypeError for something that is no case, or for cases that are no object.
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
  demandOptions(options, 'select')
  return draw(casesOf(cases), options.biased)?.perform() as Selected<C> | undefined
}

/**
 * A send as a case of `select`: it happens when the channel takes `value`.
 *
 * @throws TypeError for something that is no sender.
 * @example
 * import { channel, select, sendCase } from 'sluice'
 *
 * const [tx, rx] = channel<number>(1)
 * await select({ out: sendCase(tx, 7) }) // => { key: 'out', done: false, value: undefined }
 * await rx.recv() // => 7
 */
export function sendCase<T>(sender: Sender<T>, value: T): SendCase<T> {
  const handle = (Object(sender) as Partial<Owner<T>>)[HANDLE]
  demand(
    handle?.side === 'sender',
    'create sendCase',
    'sender',
    'a sender of this copy of sluice',
    sender,
    TypeError,
  )
  return { [CASE]: sender, value }
}
