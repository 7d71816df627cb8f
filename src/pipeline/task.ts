/**
 * One stage in one run: the task that drives its kernel, or its user's function.
 *
 * All a stage need not do itself is done here, once: waiting for values and room, handing over whole chunks, closing,
 * cancelling, wrapping what was thrown, counting. A task is running, then left (it does nothing more but waits for
 * calls in flight and for clean-up), then done.
 */
import type { Chunk } from '../channel/buffer.ts'
import { clear, newChunk, stretch } from '../channel/buffer.ts'
import type { Core, Wakeable } from '../channel/core.ts'
import { StageError } from '../errors.ts'
import { append, closeSide, endWriting, listen, parkReader, parkWriter, room, skip } from './edge.ts'
import { Meter } from './meter.ts'
import { pace, schedule, type Steppable } from './scheduler.ts'
import { Context, HandlerFailure } from './context.ts'
import type { Chain, Custom, Definition, Ends, Kernel, Port } from './stage.ts'

/** What a task tells its run. */
export interface Owner {
  /** Runs stages beside this one. */
  attach(task: Task, definitions: readonly Definition[], ends: Ends): Chain
  /** Keeps the failure; the first one is what the run rejects with. Interrupts the stages up to this one. */
  failed(task: Task, error: StageError): void
  /** Whether this error is one the run has heard of already. */
  knows(error: unknown): boolean
  /** The task has let go of what it held, or failed at that. */
  cleaned(): void
  done(task: Task): void
}

const FIRST_QUANTUM = 16

export class Task implements Steppable, Wakeable, Port<unknown, unknown> {
  readonly name: string
  readonly context: Context
  queued = false
  quantum = FIRST_QUANTUM
  instant = false
  /** The stage whose output it reads: the one before it, or for the first of a branch the one it branches off. */
  before: Task | undefined
  /** The stage whose branch it is in. */
  branchOf: Task | undefined
  /** The chains that run beside it. */
  readonly attached: (readonly Task[])[] = []
  readonly kernel: Kernel<unknown, unknown> | undefined

  items: unknown[] = []
  at = 0
  end = 0
  out: unknown[] = []
  count = 0
  room = 0
  held = false
  full = false
  blocked = false
  calls = 0
  received = 0
  sent = 0
  failures = 0
  /** Its output is that of the stage whose branch it ends. */
  readonly shares: boolean
  /** What it spends its time on. */
  readonly meter: Meter
  left = false
  #finishing = false
  #cancelled = false
  #cleaning = 0
  #done = false
  #blank: Chunk<unknown> | undefined
  /** Starts the user's function. */
  #custom: ReturnType<Custom> | undefined
  #eager = false
  #replaces = false
  /** The failure that its output ends with, once what came before has been put out. */
  #failure: StageError | undefined

  constructor(
    readonly owner: Owner,
    readonly definition: Definition,
    readonly index: number,
    readonly input: Core<unknown> | undefined,
    readonly output: Core<unknown> | undefined,
    now: number,
  ) {
    this.name = definition.name
    this.context = new Context(this.name)
    this.meter = new Meter(now)
    if (input) input.reader = this
    this.shares = output?.writer !== undefined
    if (this.shares) output!.writer!.join!(this)
    else if (output) output.writer = this
    if (definition.kernel === undefined) {
      this.#custom = definition.custom!(input!, output!)
      input!.onWaits = output!.onWaits = () => this.#observe()
      input!.pace = pace
      return
    }
    if (input) input.receivers = 1
    if (output) output.senders++
    this.kernel = definition.kernel(this, (definitions, ends) => owner.attach(this, definitions, ends))
    this.#eager = this.kernel.eager === true
    this.#replaces = output !== undefined && this.kernel.replaces === true
  }

  get stock(): number {
    return this.input?.buffer.length ?? 0
  }

  /** Starts a user's function: its handles are the two ends of its edges. */
  start(): void {
    if (this.left) return
    if (this.#custom === undefined) return schedule(this)
    this.calls++
    this.#observe()
    this.#custom(this.context).then(
      () => this.#returned(),
      (error: unknown) => this.#threw(error),
    )
  }

  /** What a user's function does shows in what waits on its handles. */
  #observe(): void {
    this.meter.change(this.input!.readers.head ? 'input' : this.output!.writers.head ? 'output' : 'busy')
  }

  #returned(): void {
    this.calls--
    if (!this.left) closeSide(this.output!, 'sender')
    this.#leave()
    this.#settle()
  }

  #threw(error: unknown): void {
    const { output } = this
    const closed = (error as { code?: unknown } | undefined)?.code === 'CLOSED'
    // Its reader has left, or it was interrupted, or it passes on what failed before it: no failure of its own.
    if ((closed && !output!.accepting) || this.context.caused(error)) return this.#returned()
    this.fail(error)
    this.#returned()
  }

  // ---- a kernel's turn

  wake(): void {
    if (this.left) return
    if (this.kernel !== undefined) return schedule(this)
    // A stage of the user may fail its own sender instead of throwing.
    const { accepting, failure } = this.output!
    if (failure !== undefined) this.fail(failure.cause)
    else if (!accepting) this.cancel()
  }

  step(): void {
    const before = this.#handled
    // Chunk by chunk, before whoever wrote them goes on: else what was cut small once would stay so.
    for (let last = -1; !this.left && this.#ready(before, last); this.#turn(this.kernel!))
      last = this.#handled
    const { output } = this
    // Others may wait for the room that it has left.
    if (output?.writerParked && room(output) > 0) output.wakeWriter()
  }

  /** Whether another turn of this step makes sense. The last one began when `last` values had been handled. */
  #ready(before: number, last: number): boolean {
    if (last < 0) return true
    if (!this.#whole || this.#handled === last || this.#handled - before >= this.quantum) return false
    const { input, output } = this
    // ...
    return (
      !this.held &&
      !this.full &&
      input !== undefined &&
      input.buffer.length > 0 &&
      (output === undefined || room(output) > 0)
    )
  }

  #turn(kernel: Kernel<unknown, unknown>): void {
    const { input, output } = this
    if (output !== undefined && !output.accepting) return this.cancel()
    let space = output === undefined ? this.quantum : Math.max(0, Math.min(room(output), this.quantum))
    this.#inPlace = false
    if (input !== undefined) {
      const { head } = input.buffer
      const { start, end } = head
      this.items = head.items
      this.at = this.#from = start
      const many = Math.min(end - start, this.quantum)
      this.end = start + many
      if (this.#replaces && many <= space && !kernel.pending) {
        space = many
        this.#inPlace = this.end === end
      }
    }
    this.count = this.#to = this.#inPlace ? this.at : 0
    this.out = this.#inPlace ? this.items : stretch(this.#blankChunk(), space)
    this.room = this.#to + space
    this.held = this.full = this.blocked = false
    try {
      kernel.run(this)
      if (this.left) return
      this.#handOver()
      if (!this.held && !this.full && !this.#finishing && this.#over) this.#atEnd()
    } catch (error) {
      this.fail(error, this.at < this.end ? { value: this.items[this.at] } : undefined)
    }
    if (this.left) return
    if (this.#finishing && !this.full) return this.#finish()
    this.#whatNext()
  }

  /** A chunk to write to. */
  #blankChunk(): Chunk<unknown> {
    return (this.#blank ??= this.output === undefined ? newChunk() : this.output.buffer.blank())
  }

  /** Hands on what the kernel wrote, then gives back the room of what it read. */
  #handOver(): void {
    const { input, output } = this
    const count = this.count - this.#to
    const read = this.at - this.#from
    this.#whole = this.at === this.end
    this.#handled += read + count
    this.received += read
    this.#from = this.end = this.at
    let traded = false
    if (count > 0 && output !== undefined) {
      this.sent += count
      traded = this.#inPlace && this.at === input!.buffer.head.end
      append(output, traded ? this.#trade(input!, output) : this.#filled(count))
    }
    this.count = this.#to
    if (input === undefined || read === 0) return
    const rest = input.buffer.length - (traded ? 0 : read)
    if (traded) input.roomMade()
    else skip(input, read)
    // What came into the room just made has arrived too.
    if (this.#eager && input.buffer.length > rest) schedule(this)
  }

  /** The chunk that was written. */
  #filled(count: number): Chunk<unknown> {
    const chunk = this.#blankChunk()
    this.#blank = undefined
    chunk.end = count
    // It was written in place, but others have to read on there.
    if (this.#inPlace) for (let i = 0; i < count; i++) chunk.items[i] = this.out[this.#to + i]
    return chunk
  }

  /** The chunk that was read, with what was written over it. */
  #trade(input: Core<unknown>, output: Core<unknown>): Chunk<unknown> {
    const chunk = input.buffer.trade(this.#blank ?? output.buffer.blank())
    this.#blank = undefined
    clear(chunk.items, this.count, chunk.end)
    chunk.end = this.count
    return chunk
  }

  /** Whether all input has come and been dealt with. */
  get #over(): boolean {
    return this.input !== undefined && this.input.ended && !this.kernel!.pending
  }

  #atEnd(): void {
    const { kernel, output, input } = this
    if (kernel!.end !== undefined) {
      if (output !== undefined && room(output) <= 0) {
        this.full = true
        return
      }
      this.#inPlace = false
      this.count = this.#to = 0
      this.out = stretch(this.#blankChunk(), 1)
      kernel!.end(this, input!.failure)
      this.#handOver()
    }
    const { failure } = input!
    this.#finishing = true
    if (failure === undefined) return
    if (output) endWriting(output, this, failure)
    this.#leave(true)
  }

  #whatNext(): void {
    const { input, output } = this
    const blocked = output !== undefined && room(output) <= 0
    if (this.full && output !== undefined) {
      if (!blocked) return schedule(this)
      parkWriter(output, this)
    }
    if (this.held || (input?.ended && this.kernel!.pending)) {
      this.meter.doing = this.full || this.blocked ? 'output' : input === undefined ? 'input' : 'busy'
      if (this.#eager) listen(input!)
    } else if (input !== undefined && input.buffer.length === 0 && !input.ended) {
      this.meter.doing = this.calls > 0 ? 'busy' : 'input'
      parkReader(input)
    } else if (blocked && !(this.#eager && this.stock > 0)) {
      this.meter.doing = 'output'
      parkWriter(output, this)
    } else schedule(this)
  }

  stepped(began?: number, ended?: number): void {
    this.meter.stepped(began, ended)
  }
  /** Where it began to read and to write in this turn, and whether what it writes stands where it has read. */
  #from = 0
  #to = 0
  #inPlace = false
  /** Whether it has read all it was given. */
  #whole = false
  #handled = 0

  /** Whether it has something in hand or to read, so that a drain waits for it. */
  get busy(): boolean {
    const { kernel, input } = this
    return (
      this.calls > 0 ||
      (!this.left && (kernel?.pending === true || this.full || (input?.buffer.length ?? 0) > 0))
    )
  }

  // ---- ends

  /** The program asked for a graceful end: sources pull no more. */
  stop(): void {
    const { kernel } = this
    if (this.left || kernel?.stop === undefined) return
    this.#cleanUp(() => kernel.stop!(this))
    schedule(this)
  }

  finish(): void {
    this.#finishing = true
  }

  #finish(): void {
    // It ends with calls in flight: nobody wants what they give.
    if (this.kernel!.pending) this.#unwanted()
    if (this.output) endWriting(this.output, this)
    this.#leave()
  }

  failing(error: unknown, culprit?: { value: unknown }): void {
    if (this.context.caused(error)) return
    this.failures++
    // Nobody wants the result of a call that fails after its stage was left, unless it was left because the run failed.
    if (this.#cancelled && !this.owner.knows(this.context.signal.reason)) return
    const failure = this.#wrap(error, culprit)
    this.#failure ??= failure
    this.owner.failed(this, failure)
  }

  /** The failure of one of its branches is its own. */
  branchFailed(failure: StageError): void {
    this.#failure ??= failure
    this.fail(failure)
  }

  fail(error: unknown, culprit?: { value: unknown }): void {
    if (this.#failure === undefined) {
      if (this.context.caused(error)) return this.cancel()
      // A failure of a stage before this one passes through as it is.
      if (this.owner.knows(error)) this.#failure = error as StageError
      else this.failing(error, culprit)
    }
    if (this.left) return
    this.#handOver()
    const { output } = this
    const failure = { cause: this.#failure }
    if (output?.failure) output.failure = failure
    else if (output) endWriting(output, this, failure)
    this.#leave(true)
  }

  #wrap(error: unknown, culprit?: { value: unknown }): StageError {
    if (!(error instanceof HandlerFailure)) return new StageError(this.name, this.index, error, culprit)
    const failure = this.#wrap(error.thrown, culprit)
    failure.suppressed.push(this.#wrap(error.handled, culprit))
    return failure
  }

  /** Nobody wants the results any more. */
  cancel(): void {
    if (this.left) return
    this.#unwanted()
    this.#leave(true)
    if (this.output?.accepting) endWriting(this.output, this)
  }

  #unwanted(): void {
    this.#cancelled = true
    this.context.abort(new DOMException('The results of this stage are no longer wanted', 'AbortError'))
  }

  /** The run was aborted: ends now, waits for nothing but clean-up. */
  abort(reason: unknown): void {
    this.context.abort(reason)
    for (const stop of this.context.timers) stop()
    if (this.output) endWriting(this.output, this)
    this.#leave(true, true)
  }

  /** Lets go of everything. `early`: before its own end. */
  #leave(early = false, aborted = false): void {
    if (this.left) return
    if (this.#custom) this.#observe()
    this.left = true
    this.end = this.room = 0
    this.meter.doing = 'nothing'
    if (early) this.#cleanUp(() => this.kernel?.close?.(aborted, this.#failure && { cause: this.#failure }))
    if (this.input) closeSide(this.input, 'receiver')
    this.#settle()
  }

  #cleanUp(work: () => PromiseLike<unknown> | void): void {
    const cleaned = (error?: { error: unknown }): void => {
      this.#cleaning--
      this.owner.cleaned()
      if (error && !this.context.caused(error.error)) this.owner.failed(this, this.#wrap(error.error))
    }
    this.#cleaning++
    try {
      const closing = work()
      if (!closing) return cleaned()
      closing.then(
        () => {
          cleaned()
          this.#settle()
        },
        (error: unknown) => {
          cleaned({ error })
          this.#settle()
        },
      )
    } catch (error) {
      cleaned({ error })
    }
  }

  get cleaning(): boolean {
    return this.#cleaning > 0
  }

  /** Tells the run when nothing of this task will act any more. A kernel calls it when a call has come back. */
  #settle(): void {
    if (!this.left || this.calls > 0 || this.#cleaning > 0 || this.#done) return
    this.#done = true
    this.owner.done(this)
  }

  callEnded(): void {
    this.calls--
    if (this.left) this.#settle()
    else schedule(this)
  }
}
