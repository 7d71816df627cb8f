// A program that runs on real channels and on the model at once, and says where the two differ. What the contract
// leaves open is left out: see `#skips`.
import {
  channel,
  RecvError,
  type Receiver,
  select,
  sendCase,
  type Sender,
  SendError,
  trySelect,
  type WaitOptions,
} from 'sluice'
import { expect } from 'vitest'
import {
  Model,
  type ModelCase,
  ModelChannel,
  type ModelHandle,
  type ModelOptions,
  type Overflow,
  type ReceiveKind,
} from './channel-model.ts'
import { settled } from './watched.ts'

/** What a step may do, and how often it does it. */
export const WEIGHTS = {
  send: 14,
  recv: 9,
  next: 6,
  recvMany: 6,
  trySend: 8,
  tryRecv: 8,
  select: 9,
  trySelect: 5,
  sendMany: 5,
  abort: 5,
  cloneSender: 3,
  cloneReceiver: 3,
  closeSender: 2,
  closeReceiver: 1,
  fail: 1,
  whenClosed: 1,
  pause: 9,
}
export type Kind = keyof typeof WEIGHTS

/** A step is a kind and some numbers from which its arguments are picked, so any part of a program is one. */
export interface Step {
  kind: Kind
  picks: number[]
}

interface SenderPair {
  real: Sender<number>
  model: ModelHandle
  label: string
}
interface ReceiverPair {
  real: Receiver<number>
  model: ModelHandle
  label: string
}
interface SignalPair {
  controller: AbortController
  model: { aborted?: string }
}

function textOf(reason: unknown): string {
  if (reason instanceof SendError) {
    // eslint-disable-next-line @typescript-eslint/no-base-to-string -- what these programs fail with is text
    const cause = reason.cause === undefined ? '' : ` because ${String(reason.cause)}`
    return `SendError ${reason.code} ${String(reason.value)}${cause}`
  }
  return reason instanceof RecvError ? `RecvError ${reason.code}` : `threw ${String(reason)}`
}

function textOfSelected(selected: { key: string; done: boolean; value: unknown }): string {
  return `${selected.key}: ${selected.done ? 'done ' : ''}${String(selected.value)}`
}

/** One program, running on both sides. */
class Run {
  readonly trace: string[] = []
  readonly #model = new Model()
  readonly #channels: ModelChannel[] = []
  readonly #undelivered: number[][] = []
  readonly #senders: SenderPair[] = []
  readonly #receivers: ReceiverPair[] = []
  readonly #signals: SignalPair[] = []
  readonly #outcomes = new Map<number, string>()
  readonly #order: number[] = []
  readonly #kinds = new Map<number, Kind>()
  #op = 0
  #value = 0

  constructor(capacity: number, overflow: Overflow) {
    for (const [i, kind] of [overflow, 'block' as const].entries()) {
      const dropped: number[] = []
      const [tx, rx] = channel<number>(capacity, {
        overflow: kind,
        onUndelivered: (value) => dropped.push(value),
      })
      const model = new ModelChannel(this.#model, capacity, kind)
      this.#channels.push(model)
      this.#undelivered.push(dropped)
      this.#senders.push({ real: tx, model: model.openSender(), label: `tx${i}` })
      this.#receivers.push({ real: rx, model: model.openReceiver(), label: `rx${i}` })
    }
    for (let i = 0; i < 3; i++) this.#signals.push({ controller: new AbortController(), model: {} })
  }

  /** Throws where the two sides differ. */
  async step({ kind, picks }: Step): Promise<void> {
    this.#model.groups = []
    if (kind === 'pause') return this.#pause()
    this.#perform(kind, picks)
    this.#compareHandles(kind !== 'sendMany')
    if (kind === 'sendMany' || this.#model.mustContinue || this.#manyWait()) await this.#pause()
    else this.#pendingGroups.push(...this.#model.groups)
  }
  readonly #pendingGroups: number[][] = []

  /** Closes everything; then nothing may wait any more. */
  async finish(): Promise<void> {
    await this.#pause()
    for (const { real, model, label } of [...this.#receivers, ...this.#senders]) {
      this.#model.groups = []
      this.trace.push(`${label}.close()`)
      const side = 'recv' in real ? 'closeReceiver' : 'closeSender'
      this.#same(`${label}.close()`, real.close(), model.channel[side](model))
      await this.#pause()
    }
    for (let op = 0; op < this.#op; op++)
      if (this.#kinds.has(op) && !this.#outcomes.has(op)) throw new Error(`operation ${op} never settled`)
  }

  /** Counts what became of the operations, numbers left out. */
  count(seen: Map<string, number>): void {
    for (const [op, outcome] of this.#outcomes) {
      const kind = `${this.#kinds.get(op)}: ${outcome.replace(/\d+/g, 'n')}`
      seen.set(kind, (seen.get(kind) ?? 0) + 1)
    }
    seen.set('waits in order', (seen.get('waits in order') ?? 0) + this.#orders)
  }
  #orders = 0

  #perform(kind: Exclude<Kind, 'pause'>, picks: number[]): void {
    const tx = this.#senders[picks[0] % this.#senders.length]
    const rx = this.#receivers[picks[0] % this.#receivers.length]
    if (this.#skips(kind, tx, rx)) return
    switch (kind) {
      case 'send':
      case 'sendMany':
        return this.#send(kind, tx, picks)
      case 'recv':
      case 'next':
      case 'recvMany':
        return this.#receive(kind, rx, picks)
      case 'trySend': {
        const value = this.#value++
        return this.#now(`${tx.label}.trySend(${value})`, tx.real.trySend(value), () =>
          tx.model.channel.trySend(tx.model, value),
        )
      }
      case 'tryRecv':
        return this.#now(`${rx.label}.tryRecv()`, textOfTried(rx.real.tryRecv()), () =>
          rx.model.channel.tryRecv(rx.model),
        )
      case 'select':
      case 'trySelect':
        return this.#select(kind, picks)
      case 'abort':
        return this.#abort(picks[0])
      case 'cloneSender':
        return this.#cloneSender(tx)
      case 'cloneReceiver':
        return this.#cloneReceiver(rx)
      case 'closeSender':
        return this.#now(`${tx.label}.close()`, tx.real.close(), () => tx.model.channel.closeSender(tx.model))
      case 'closeReceiver':
        return this.#now(`${rx.label}.close()`, rx.real.close(), () =>
          rx.model.channel.closeReceiver(rx.model),
        )
      case 'fail': {
        const cause = `cause ${this.#op++}`
        return this.#now(`${tx.label}.fail('${cause}')`, tx.real.fail(cause), () =>
          tx.model.channel.fail(tx.model, cause),
        )
      }
      case 'whenClosed': {
        const op = this.#start(`${tx.label}.whenClosed()`, tx.real.whenClosed(), () => 'ok', kind)
        return tx.model.channel.whenClosed(op)
      }
    }
  }

  /** What the contract does not settle, and what therefore no program does. */
  #skips(kind: Kind, tx: SenderPair, rx: ReceiverPair): boolean {
    const failedAndClosed = (handle: ModelHandle): boolean =>
      handle.closed && handle.channel.failed !== undefined
    // What a closed handle of a failed channel says: its own closing or the cause.
    if (['send', 'sendMany'].includes(kind)) {
      if (failedAndClosed(tx.model)) return true
    } else if (['recv', 'next', 'recvMany', 'tryRecv'].includes(kind)) {
      if (failedAndClosed(rx.model)) return true
    }
    // Whether a waiting recvMany takes all that one sendMany brings, or only its first value.
    if (kind === 'sendMany') return tx.model.channel.receivers.some((entry) => entry.max > 1)
    // Whether a sendMany, or a send case, that waits on a handle outlives the closing of that handle.
    if (kind === 'closeSender')
      return tx.model.channel.senders.some((entry) => entry.handle === tx.model && entry.kind !== 'send')
    return false
  }

  #manyWait(): boolean {
    return this.#channels.some((one) => one.receivers.some((entry) => entry.max > 1))
  }

  #options(picks: number[]): { real: WaitOptions; model: ModelOptions; text: string } {
    const timeout = [undefined, undefined, undefined, undefined, 0, Infinity, 1e7][picks[1] % 7]
    const signal = picks[2] % 5 < 2 ? this.#signals[picks[2] % this.#signals.length] : undefined
    const real: WaitOptions = {}
    const model: ModelOptions = {}
    if (timeout !== undefined) real.timeout = model.timeout = timeout
    if (signal !== undefined) {
      real.signal = signal.controller.signal
      model.signal = signal.model
    }
    const text = [
      ...(timeout === undefined ? [] : [`timeout: ${timeout}`]),
      ...(signal === undefined ? [] : [`signal: signal${this.#signals.indexOf(signal)}`]),
    ].join(', ')
    return { real, model, text: text === '' ? '' : `, { ${text} }` }
  }

  #send(kind: 'send' | 'sendMany', tx: SenderPair, picks: number[]): void {
    const options = this.#options(picks)
    const target = tx.model.channel
    if (kind === 'send') {
      const value = this.#value++
      const text = `${tx.label}.send(${value}${options.text})`
      const op = this.#start(text, tx.real.send(value, options.real), () => 'ok', kind)
      return target.send(op, tx.model, value, options.model)
    }
    const values = Array.from({ length: 1 + (picks[3] % 4) }, () => this.#value++)
    const text = `${tx.label}.sendMany([${values.join(', ')}]${options.text})`
    const op = this.#start(text, tx.real.sendMany(values, options.real), () => 'ok', kind)
    target.sendAll(op, tx.model, values, options.model)
  }

  #receive(kind: ReceiveKind, rx: ReceiverPair, picks: number[]): void {
    const options = kind === 'next' ? this.#options([0, 0, 4]) : this.#options(picks)
    const { channel: target } = rx.model
    // Whether a recvMany takes what a sendMany brings only because it took something is left open.
    const series = target.senders.some((entry) => entry.kind === 'sendMany')
    const max = kind === 'recvMany' && !series ? 1 + (picks[3] % 4) : 1
    let op: number
    if (kind === 'recv') {
      const text = `${rx.label}.recv(${options.text.slice(2)})`
      op = this.#start(text, rx.real.recv(options.real), (value) => `value ${value}`, kind)
    } else if (kind === 'next') {
      const shape = (result: IteratorResult<number>): string =>
        result.done === true ? 'done' : `value ${result.value}`
      op = this.#start(`${rx.label}.next()`, rx.real.next(), shape, kind)
    } else {
      const text = `${rx.label}.recvMany(${max}${options.text})`
      op = this.#start(text, rx.real.recvMany(max, options.real), (values) => `[${values.join(', ')}]`, kind)
    }
    target.receive(op, kind, rx.model, max, options.model)
  }

  /** Up to three cases, each on a channel of its own. Only where two are ready, the select is biased. */
  #select(kind: 'select' | 'trySelect', picks: number[]): void {
    const { real, model, text } = this.#options([0, 0, picks[2]])
    const cases: ModelCase[] = []
    const realCases: Record<string, Receiver<number> | ReturnType<typeof sendCase<number>>> = {}
    const texts: string[] = []
    for (const [i, target] of this.#channels.entries()) {
      const pick = Math.floor(picks[0] / 4 ** i)
      if (i > 0 && pick % 4 === 3) continue
      const receives = target.overflow === 'fail' || pick % 2 === 0
      const pairs = receives ? this.#receivers : this.#senders
      const own = pairs.filter(({ model: handle }) => handle.channel === target)
      const pair = own[picks[1] % own.length]
      if (pair.model.closed && target.failed !== undefined) return
      const key = `${receives ? 'in' : 'out'}${i}`
      if ('recv' in pair.real) {
        cases.push({ key, handle: pair.model })
        realCases[key] = pair.real
        texts.push(`${key}: ${pair.label}`)
      } else {
        const value = this.#value++
        cases.push({ key, handle: pair.model, value })
        realCases[key] = sendCase(pair.real, value)
        texts.push(`${key}: sendCase(${pair.label}, ${value})`)
      }
    }
    const biased = this.#model.readyCases(cases).length > 1 || picks[3] % 2 === 0
    const call = `{ ${texts.join(', ')} }${biased ? ', biased' : ''}`
    if (kind === 'trySelect') {
      this.#now(
        `trySelect(${call})`,
        caught(() => {
          const selected = trySelect(realCases, { biased })
          return selected === undefined ? 'nothing' : textOfSelected(selected)
        }),
        () => this.#model.trySelect(cases) ?? 'nothing',
      )
      return
    }
    const op = this.#start(
      `select(${call}${text})`,
      select(realCases, { ...(real.signal === undefined ? {} : { signal: real.signal }), biased }),
      textOfSelected,
      kind,
    )
    this.#model.select(op, cases, model)
  }

  #abort(pick: number): void {
    const i = pick % this.#signals.length
    if (this.#signals[i].model.aborted !== undefined) {
      this.trace.push(`signal${i} is a new one`)
      this.#signals[i] = { controller: new AbortController(), model: {} }
      return
    }
    const reason = `reason ${this.#op++}`
    this.trace.push(`abort signal${i} with '${reason}'`)
    this.#signals[i].controller.abort(reason)
    this.#model.abort(this.#signals[i].model, reason)
  }

  #cloneSender(tx: SenderPair): void {
    const label = `tx${this.#channels.indexOf(tx.model.channel)}.${this.#senders.length}`
    this.trace.push(`${label} = ${tx.label}.clone()`)
    if (tx.model.closed) return expect(() => tx.real.clone()).toThrow(TypeError)
    this.#senders.push({ real: tx.real.clone(), model: tx.model.channel.openSender(), label })
  }

  #cloneReceiver(rx: ReceiverPair): void {
    const label = `rx${this.#channels.indexOf(rx.model.channel)}.${this.#receivers.length}`
    this.trace.push(`${label} = ${rx.label}.clone()`)
    if (rx.model.closed) return expect(() => rx.real.clone()).toThrow(TypeError)
    this.#receivers.push({ real: rx.real.clone(), model: rx.model.channel.openReceiver(), label })
  }

  #start<T>(text: string, promise: Promise<T>, shape: (result: T) => string, kind: Kind): number {
    const op = this.#op++
    this.trace.push(`#${op} ${text}`)
    this.#kinds.set(op, kind)
    const settle = (outcome: string): void => {
      this.#outcomes.set(op, outcome)
      this.#order.push(op)
    }
    promise.then(
      (result) => settle(shape(result)),
      (reason: unknown) => settle(textOf(reason)),
    )
    return op
  }

  #now(text: string, real: unknown, model: () => unknown): void {
    this.trace.push(text)
    this.#same(text, real, model())
  }

  #same(what: string, real: unknown, model: unknown): void {
    if (real !== model) throw new Error(`${what}: expected ${String(model)}, got ${String(real)}`)
  }

  #compareHandles(reports = true): void {
    for (const { real, model, label } of this.#senders) {
      this.#same(`${label}.length`, real.length, model.channel.buffer.length)
      this.#same(`${label}.closed`, real.closed, model.channel.senderClosed(model))
    }
    for (const { real, model, label } of this.#receivers) {
      this.#same(`${label}.length`, real.length, model.channel.buffer.length)
      this.#same(`${label}.closed`, real.closed, model.channel.receiverClosed(model))
    }
    if (!reports) return
    for (const [i, target] of this.#channels.entries())
      this.#same(`undelivered of channel ${i}`, this.#undelivered[i].join(), target.undelivered.join())
  }

  async #pause(): Promise<void> {
    this.trace.push('pause')
    this.#model.pause()
    await settled()
    this.#compareHandles()
    for (let op = 0; op < this.#op; op++) {
      if (!this.#kinds.has(op)) continue
      const [real, expected] = [this.#outcomes.get(op), this.#model.outcomes.get(op)]
      this.#same(`outcome of #${op}`, real ?? 'pending', expected ?? 'pending')
    }
    for (const group of [...this.#pendingGroups.splice(0), ...this.#model.groups]) {
      const real = [...group].sort((a, b) => this.#order.indexOf(a) - this.#order.indexOf(b))
      this.#same('order of settlement', real.join(), group.join())
      if (group.length > 1) this.#orders++
    }
    this.#model.groups = []
  }
}

function textOfTried(tried: ReturnType<Receiver<number>['tryRecv']>): string {
  if (tried.ok) return `value ${tried.value}`
  return tried.reason + ('cause' in tried ? ` because ${String(tried.cause)}` : '')
}

function caught(call: () => string): string {
  try {
    return call()
  } catch (reason) {
    return textOf(reason)
  }
}

/** Runs a program; what went wrong, and what was done until then. */
export async function failureIn(
  steps: Step[],
  capacity: number,
  overflow: Overflow,
  seen = new Map<string, number>(),
): Promise<{ message: string; trace: string[] } | undefined> {
  const run = new Run(capacity, overflow)
  try {
    for (const step of steps) await run.step(step)
    await run.finish()
    run.count(seen)
    return undefined
  } catch (error) {
    return { message: String(error), trace: run.trace }
  }
}
