// A sequential model of channels: a direct reading of the contract, with plain arrays and no promises. Each
// operation has a number; what becomes of it is a line of text in `outcomes`, so that a real outcome, written
// down the same way, can be compared with it. Values are numbers, causes and reasons are strings.

export type Overflow = 'block' | 'drop-oldest' | 'drop-newest' | 'fail'

export interface ModelOptions {
  timeout?: number | undefined
  /** The signal that gives the wait up; `aborted` is its reason. */
  signal?: { aborted?: string } | undefined
}

export interface ModelHandle {
  channel: ModelChannel
  closed: boolean
}

export interface ModelCase {
  key: string
  handle: ModelHandle
  /** The value to send; a case without one receives. */
  value?: number
}

export type ReceiveKind = 'recv' | 'next' | 'recvMany'

interface Entry {
  op: number
  kind: ReceiveKind | 'send' | 'sendMany' | 'select'
  handle: ModelHandle
  signal: ModelOptions['signal']
  max: number
  /** What a sender brings; what follows it in a sendMany. */
  value: number
  rest: number[]
  timeout: number | undefined
  key: string
}

const ENDS = { recv: 'RecvError CLOSED', next: 'done', recvMany: '[]' }

export class Model {
  readonly outcomes = new Map<number, string>()
  /** Operations that one event released, in queue order, one list for each queue. */
  groups: number[][] = []
  /** The sendMany operations that may go on. */
  #continuing: Entry[] = []
  readonly channels: ModelChannel[] = []

  settle(op: number, outcome: string): void {
    if (this.outcomes.has(op)) throw new Error(`the model settled operation ${op} twice`)
    this.outcomes.set(op, outcome)
  }

  continueLater(entry: Entry): void {
    this.#continuing.push(entry)
  }

  get mustContinue(): boolean {
    return this.#continuing.length > 0
  }

  /** What happens by itself when the program pauses: each sendMany goes on. */
  pause(): void {
    for (let entry = this.#continuing.shift(); entry !== undefined; entry = this.#continuing.shift())
      entry.handle.channel.sendAll(entry.op, entry.handle, entry.rest, entry)
  }

  abort(signal: { aborted?: string }, reason: string): void {
    signal.aborted = reason
    const given = new Set<number>()
    for (const channel of this.channels)
      for (const queue of [channel.senders, channel.receivers]) {
        const leaving = queue.filter((entry) => entry.signal === signal)
        if (leaving.length > 0) this.groups.push(leaving.filter(ordered).map((entry) => entry.op))
        for (const entry of leaving) given.add(entry.op)
      }
    for (const op of given) this.finish(op, `threw ${reason}`)
  }

  /** A wait is over: it leaves every queue in which it stands. */
  finish(op: number, outcome: string): void {
    for (const channel of this.channels) channel.forget(op)
    this.settle(op, outcome)
  }

  readyCases(cases: ModelCase[]): ModelCase[] {
    return cases.filter((one) => one.handle.channel.isReady(one))
  }

  /** Takes the first ready case; `undefined` where there is none. */
  trySelect(cases: ModelCase[]): string | undefined {
    const [one] = this.readyCases(cases)
    return one?.handle.channel.performCase(one)
  }

  select(op: number, cases: ModelCase[], options: ModelOptions): void {
    if (options.signal?.aborted !== undefined) return this.settle(op, `threw ${options.signal.aborted}`)
    const outcome = this.trySelect(cases)
    if (outcome !== undefined) return this.settle(op, outcome)
    for (const { key, handle, value } of cases) {
      const entry = entryOf(op, 'select', handle, options, { key, value: value ?? 0 })
      if (value === undefined) handle.channel.receivers.push(entry)
      else handle.channel.senders.push(entry)
    }
  }
}

export class ModelChannel {
  readonly buffer: number[] = []
  readonly senders: Entry[] = []
  readonly receivers: Entry[] = []
  readonly undelivered: number[] = []
  failed: { cause: string } | undefined
  #openSenders = 0
  #openReceivers = 0
  #watchers: number[] = []

  constructor(
    readonly model: Model,
    readonly capacity: number,
    readonly overflow: Overflow,
  ) {
    model.channels.push(this)
  }

  openSender(): ModelHandle {
    this.#openSenders++
    return { channel: this, closed: false }
  }

  openReceiver(): ModelHandle {
    this.#openReceivers++
    return { channel: this, closed: false }
  }

  forget(op: number): void {
    for (const queue of [this.senders, this.receivers]) {
      const kept = queue.filter((entry) => entry.op !== op)
      queue.splice(0, queue.length, ...kept)
    }
  }

  get ended(): boolean {
    if (this.buffer.length > 0 || this.senders.length > 0) return false
    return this.failed !== undefined || this.#openSenders === 0
  }

  senderClosed(handle: ModelHandle): boolean {
    return handle.closed || this.failed !== undefined || this.#openReceivers === 0
  }

  receiverClosed(handle: ModelHandle): boolean {
    return handle.closed || this.ended
  }

  // Sending

  #accept(value: number): boolean {
    const [receiver] = this.receivers
    if (receiver !== undefined) {
      this.model.groups.push([receiver.op])
      this.model.finish(receiver.op, received(receiver, [value]))
    } else if (this.buffer.length < this.capacity) this.buffer.push(value)
    else if (this.overflow === 'drop-newest') this.undelivered.push(value)
    else if (this.overflow === 'drop-oldest') {
      this.undelivered.push(...this.buffer.splice(0, 1))
      this.buffer.push(value)
    } else return false
    return true
  }

  trySend(handle: ModelHandle, value: number): string {
    if (this.senderClosed(handle)) return 'closed'
    return this.#accept(value) ? 'sent' : 'full'
  }

  /** What a send comes to at once; `undefined` where it has to wait. */
  #sendNow(handle: ModelHandle, value: number, timeout: number | undefined): string | undefined {
    if (this.senderClosed(handle)) return this.#closedError(value)
    if (this.#accept(value)) return 'ok'
    if (this.overflow === 'fail') return `SendError FULL ${value}`
    return timeout === 0 ? `SendError TIMEOUT ${value}` : undefined
  }

  send(op: number, handle: ModelHandle, value: number, options: ModelOptions): void {
    if (options.signal?.aborted !== undefined) return this.model.settle(op, `threw ${options.signal.aborted}`)
    const outcome = this.#sendNow(handle, value, options.timeout)
    if (outcome === undefined) this.senders.push(entryOf(op, 'send', handle, options, { value }))
    else this.model.settle(op, outcome)
  }

  sendAll(op: number, handle: ModelHandle, values: number[], options: ModelOptions): void {
    if (options.signal?.aborted !== undefined) return this.model.settle(op, `threw ${options.signal.aborted}`)
    for (const [i, value] of values.entries()) {
      const outcome = this.#sendNow(handle, value, options.timeout)
      if (outcome === 'ok') continue
      if (outcome !== undefined) return this.model.settle(op, outcome)
      const rest = values.slice(i + 1)
      this.senders.push(entryOf(op, 'sendMany', handle, options, { value, rest }))
      return
    }
    this.model.settle(op, 'ok')
  }

  #closedError(value: number): string {
    return `SendError CLOSED ${value}${this.failed === undefined ? '' : ` because ${this.failed.cause}`}`
  }

  /** The first waiting sender has handed over its value. */
  #releaseSender(): Entry | undefined {
    const sender = this.senders.shift()
    if (sender?.kind === 'sendMany') this.model.continueLater(sender)
    else if (sender !== undefined)
      this.model.finish(sender.op, sender.kind === 'send' ? 'ok' : `${sender.key}: undefined`)
    return sender
  }

  // Receiving

  #take(max: number): number[] {
    const taken: number[] = []
    const released: Entry[] = []
    while (taken.length < max && (this.buffer.length > 0 || this.senders.length > 0)) {
      taken.push(...this.buffer.splice(0, 1))
      const sender = this.#releaseSender()
      if (sender === undefined) continue
      released.push(sender)
      if (this.capacity === 0) taken.push(sender.value)
      else this.buffer.push(sender.value)
    }
    this.model.groups.push(released.filter(ordered).map((entry) => entry.op))
    return taken
  }

  receive(op: number, kind: ReceiveKind, handle: ModelHandle, max: number, options: ModelOptions): void {
    if (options.signal?.aborted !== undefined) return this.model.settle(op, `threw ${options.signal.aborted}`)
    if (handle.closed) return this.model.settle(op, ENDS[kind])
    const entry = entryOf(op, kind, handle, options, { max })
    const taken = this.#take(max)
    if (taken.length > 0) this.model.settle(op, received(entry, taken))
    else if (this.ended) this.model.settle(op, this.#ending(entry))
    else if (options.timeout === 0) this.model.settle(op, 'RecvError TIMEOUT')
    else this.receivers.push(entry)
  }

  tryRecv(handle: ModelHandle): string {
    if (handle.closed) return 'closed'
    const taken = this.#take(1)
    if (taken.length > 0) return `value ${taken[0]}`
    if (!this.ended) return 'empty'
    return this.failed === undefined ? 'closed' : `closed because ${this.failed.cause}`
  }

  #ending(entry: Entry): string {
    if (this.failed !== undefined && !entry.handle.closed) return `threw ${this.failed.cause}`
    return entry.kind === 'select' ? `${entry.key}: done undefined` : ENDS[entry.kind as ReceiveKind]
  }

  // Selecting

  isReady({ handle, value }: ModelCase): boolean {
    if (value === undefined)
      return this.receiverClosed(handle) || this.buffer.length + this.senders.length > 0
    if (this.senderClosed(handle) || this.receivers.length > 0) return true
    return this.buffer.length < this.capacity || this.overflow.startsWith('drop')
  }

  performCase({ key, handle, value }: ModelCase): string {
    if (value !== undefined) {
      if (this.senderClosed(handle)) return `${key}: done ${value}`
      this.#accept(value)
      return `${key}: undefined`
    }
    const taken = handle.closed ? [] : this.#take(1)
    if (taken.length > 0) return `${key}: ${taken[0]}`
    return this.#ending(entryOf(-1, 'select', handle, {}, { key }))
  }

  // Closing

  closeSender(handle: ModelHandle): boolean {
    if (handle.closed) return false
    handle.closed = true
    this.#openSenders--
    if (this.ended) this.#endReceivers(this.receivers)
    return true
  }

  closeReceiver(handle: ModelHandle): boolean {
    if (handle.closed) return false
    handle.closed = true
    this.#openReceivers--
    this.#endReceivers(this.receivers.filter((entry) => entry.handle === handle))
    if (this.#openReceivers > 0) return true
    this.undelivered.push(...this.buffer.splice(0))
    this.#rejectSenders()
    this.#settleWatchers()
    return true
  }

  fail(handle: ModelHandle, cause: string): boolean {
    if (handle.closed || this.failed !== undefined || this.#openReceivers === 0) return false
    this.failed = { cause }
    this.#rejectSenders()
    this.#endReceivers(this.receivers)
    this.#settleWatchers()
    return true
  }

  whenClosed(op: number): void {
    this.#watchers.push(op)
    if (this.#openReceivers === 0 || this.failed !== undefined) this.#settleWatchers()
  }

  #settleWatchers(): void {
    for (const op of this.#watchers.splice(0)) this.model.settle(op, 'ok')
  }

  #endReceivers(entries: Entry[]): void {
    const leaving = [...entries]
    this.model.groups.push(leaving.map((entry) => entry.op))
    for (const entry of leaving) this.model.finish(entry.op, this.#ending(entry))
  }

  #rejectSenders(): void {
    const leaving = [...this.senders]
    this.model.groups.push(leaving.filter(ordered).map((entry) => entry.op))
    for (const entry of leaving)
      this.model.finish(
        entry.op,
        entry.kind === 'select' ? `${entry.key}: done ${entry.value}` : this.#closedError(entry.value),
      )
  }
}

function received(entry: Entry, values: number[]): string {
  if (entry.kind === 'recvMany') return `[${values.join(', ')}]`
  return entry.kind === 'select' ? `${entry.key}: ${values[0]}` : `value ${values[0]}`
}

/** A sendMany is a series of waits; the contract orders the waits, not the end of the series. */
function ordered(entry: Entry): boolean {
  return entry.kind !== 'sendMany'
}

function entryOf(
  op: number,
  kind: Entry['kind'],
  handle: ModelHandle,
  { signal, timeout }: ModelOptions,
  own: Partial<Pick<Entry, 'max' | 'value' | 'rest' | 'key'>>,
): Entry {
  return { op, kind, handle, signal, timeout, max: 1, value: 0, rest: [], key: '', ...own }
}
