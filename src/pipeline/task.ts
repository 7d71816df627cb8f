/**
 * One stage in one run: the task that drives its kernel, or its user's function.
 *
 * All a stage need not do itself is done here, once: closing, cancelling, wrapping what was thrown; and in drive.ts, what
 * is done for every chunk. A task is running, then left (it does nothing more but waits for
 * calls in flight and for clean-up), then done.
 */
import type { Core, Wakeable } from '../channel/core.ts'
import { StageError } from '../errors.ts'
import { Driven } from './drive.ts'
import { closeSide, room } from './edge.ts'
import { Meter } from './meter.ts'
import type { Scope } from './builtin.ts'
import { schedule, soon } from './scheduler.ts'
import { Context, HandlerFailure, has } from './context.ts'
import type { CallFailure, Chain, Culprit, Custom, Definition, Ends, Kernel } from './stage.ts'

/** What a task tells its run. */
export interface Owner {
  /** In whose context the functions of its stages are called. */
  readonly scope: Scope | undefined
  /** Runs stages beside this one. */
  attach(task: Task, definitions: readonly Definition[], ends: Ends): Chain
  /** Keeps the failure; the first one is what the run rejects with. Interrupts the stages up to this one. */
  failed(task: Task, error: StageError): void
  /** The task wants no more. Those before it that have closed their sender and go on are not told by their output. */
  unwanted(task: Task, end: Task | undefined): void
  /** Nobody wants the results of the task: cancels it, now or as soon as those are that are being cancelled. */
  cancel(task: Task): void
  /** Whether this error is one the run has heard of already. */
  knows(error: unknown): boolean
  /** The task has let go of what it held, or failed at that. */
  cleaned(): void
  done(task: Task): void
  /** A value of it has failed for good, and it goes on. */
  skipped(task: Task, failure: CallFailure<unknown>): boolean
}

export class Task extends Driven implements Wakeable {
  readonly name: string
  readonly context: Context
  /** The stage whose output it reads: the one before it, or for the first of a branch the one it branches off. */
  before: Task | undefined
  /** The fan-in of which it is in an input. */
  inputOf: Task | undefined
  /** Unique in its run. */
  id!: string
  /** What the branch that it is in is called. */
  label: string | undefined
  /** The stage whose branch it is in. */
  branchOf: Task | undefined
  /** The chains that run beside it. */
  readonly attached: (readonly Task[])[] = []
  readonly kernel: Kernel<unknown, unknown> | undefined

  /** Its output is that of the stage whose branch it ends. */
  readonly shares: boolean
  /** What it spends its time on. */
  readonly meter: Meter
  /** How many values have failed, those that were skipped included. */
  failures = 0
  #cancelled = false
  #cleaning = 0
  /** It has left, and those before it know that they are not wanted. One that goes on tells them when it leaves. */
  told = false
  /** It was started: it may have been left before that. */
  begun = false
  /** Nothing of it will act any more. */
  done = false
  /** The first failure that is its own. */
  ownFailure: StageError | undefined
  /** Starts the user's function. */
  #custom: ReturnType<Custom> | undefined
  /** The failure that its output ends with, once what came before has been put out. */
  #failure: StageError | undefined

  constructor(
    readonly owner: Owner,
    readonly definition: Definition,
    readonly index: number,
    input: Core<unknown> | undefined,
    output: Core<unknown> | undefined,
    now: number,
  ) {
    super(input, output, owner.scope)
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
      return
    }
    if (input) input.receivers = 1
    if (output) output.senders++
    this.kernel = definition.kernel(this)
  }

  override attach(definitions: readonly Definition[], ends: Ends): Chain {
    return this.owner.attach(this, definitions, ends)
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
    const closed = has(error, 'code', 'CLOSED')
    // Its reader has left, or it was interrupted, or it passes on what failed before it: no failure of its own.
    if ((closed && this.left) || this.context.caused(error)) return this.#returned()
    if (!this.#failure) this.fail(error)
    // It has failed its sender before: with this, or with another.
    else if (error !== this.#failure.cause && !this.owner.knows(error)) this.failing(error)
    this.#returned()
  }

  // ---- a kernel's turn

  override wake(): void {
    if (this.left) return
    if (this.kernel !== undefined) return schedule(this)
    // A stage of the user may fail its own sender instead of throwing, or close it and go on.
    const { accepting, failure, senders } = this.output!
    if (failure !== undefined) this.fail(failure.cause)
    else if (!accepting && senders > 0) this.owner.cancel(this)
  }

  protected override atEnd(): void {
    const { kernel, output, input } = this
    if (kernel!.end !== undefined) {
      if (output !== undefined && room(output) <= 0) {
        this.full = true
        return
      }
      if (output) this.openOutput(1)
      kernel!.end(this, input!.failure)
      this.handOver()
    }
    const { failure } = input!
    this.finishing = true
    if (failure === undefined) return
    this.#endOutput(failure)
    this.#leave(true)
  }

  /** A number that grows when a value has come in or gone out. */
  get moves(): number {
    // What lies in the output of a branch's end is counted there.
    const sent = this.kernel ? this.sent : this.output!.accepted
    return this.taken + sent + (this.done ? 1 : 0)
  }

  /** How many values it has received. A user's stage takes them from its channel itself. */
  get taken(): number {
    const { input, kernel } = this
    return kernel ? this.received : input!.accepted - input!.buffer.length - input!.lost
  }

  /** Whether it has something in hand or to read, so that a drain waits for it. */
  get busy(): boolean {
    const { kernel } = this
    return this.calls > 0 || (!this.left && (kernel?.pending === true || this.full || this.stock > 0))
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
    this.finishing = true
  }

  protected override close(): void {
    // It ends with calls in flight: nobody wants what they give.
    if (this.kernel!.pending) this.#unwanted()
    this.#endOutput()
    this.#leave()
  }

  failing(error: unknown, culprit?: Culprit): void {
    if (this.done || this.context.caused(error)) return
    // Nobody wants the result of a call that fails after its stage was left, unless it was left because the run failed.
    if (this.#cancelled && !this.owner.knows(this.context.signal.reason)) return
    // The value of a handler that threw has been counted.
    if (!HandlerFailure.is(error)) this.failures++
    const failure = this.#wrap(error, culprit)
    this.#failure ??= failure
    this.ownFailure ??= failure
    this.owner.failed(this, failure)
    // Calls before the failing one may take long. Not now: a turn may have the input before it.
    if (this.input) soon(() => this.left || closeSide(this.input!, 'receiver'))
  }

  skipped(failure: CallFailure<unknown>): boolean {
    return this.owner.skipped(this, failure)
  }

  handlerFailure(thrown: unknown, handled: unknown): unknown {
    return new HandlerFailure(thrown, handled)
  }

  /** The failure of one of its branches is its own. */
  branchFailed(failure: StageError): void {
    this.#failure ??= failure
    this.fail(failure)
  }

  fail(error: unknown, culprit?: Culprit): void {
    if (this.#failure === undefined) {
      if (this.context.caused(error)) return this.cancel()
      // A failure of a stage before this one passes through as it is.
      if (this.owner.knows(error)) this.#failure = error as StageError
      else this.failing(error, culprit)
    }
    if (this.left) return
    this.handOver()
    const { output } = this
    const failure = { cause: this.#failure }
    if (output?.failure) output.failure = failure
    else this.#endOutput(failure)
    this.#leave(true)
  }

  #wrap(error: unknown, culprit?: Culprit): StageError {
    const wrapped = (cause: unknown): StageError => new StageError(this.name, this.index, cause, culprit)
    if (!HandlerFailure.is(error)) return wrapped(error)
    const failure = wrapped(error.thrown)
    failure.suppressed.push(wrapped(error.handled))
    return failure
  }

  /** Nobody wants the results any more. */
  cancel(): void {
    if (this.left) return
    this.#unwanted()
    this.#leave(true)
    if (this.output?.accepting) this.#endOutput()
  }

  #unwanted(): void {
    this.#cancelled = true
    this.context.abort(new DOMException('The results of this stage are no longer wanted', 'AbortError'))
  }

  /** The run was aborted: ends now, waits for nothing but clean-up. */
  abort(reason: unknown): void {
    this.context.abort(reason)
    this.context.stopTimers?.()
    this.#endOutput()
    this.#leave(true, true)
  }

  /** It will write no more: its output ends, and fails where there is a failure. */
  #endOutput(failure?: { cause: unknown }): void {
    const { output } = this
    const { writer } = output ?? {}
    if (writer?.leave) writer.leave(this, failure)
    else if (failure) output?.fail(failure.cause)
    else if (output) closeSide(output, 'sender')
  }

  /** Lets go of everything. `early`: before its own end. */
  #leave(early = false, aborted = false): void {
    if (this.left) return
    if (this.#custom) this.#observe()
    const { input } = this
    const unread = early || input?.ended === false
    this.left = true
    this.end = this.room = 0
    this.meter.leave()
    if (early) this.#cleanUp(() => this.kernel?.close?.(aborted, this.#failure && { cause: this.#failure }))
    if (input) closeSide(input, 'receiver')
    if (unread && !aborted) this.owner.unwanted(this, this.branchOf)
    this.#settle()
  }

  #cleanUp(work: () => PromiseLike<unknown> | void): void {
    const cleaned = (error?: { error: unknown }): void => {
      this.#cleaning--
      this.owner.cleaned()
      if (!error || this.context.caused(error.error)) return
      const failure = this.#wrap(error.error)
      this.ownFailure ??= failure
      this.owner.failed(this, failure)
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
    if (!this.left || this.calls > 0 || this.#cleaning > 0 || this.done) return
    this.done = true
    this.context.stopTimers?.()
    this.owner.done(this)
  }

  callEnded(): void {
    this.calls--
    if (this.left) this.#settle()
    else schedule(this, true)
  }
}

/** The tasks of a chain with what is attached to them: inputs before their fan-in, branches behind their fan-out. */
export function flow(chain: readonly Task[]): Task[] {
  return chain.flatMap((task) => {
    if (task.attached.length === 0) return task
    const beside = task.attached.flatMap(flow)
    return task.definition.inputs ? [...beside, task] : [task, ...beside]
  })
}
