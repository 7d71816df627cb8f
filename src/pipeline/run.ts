/**
 * One run of a pipeline: a task per stage, a channel per edge, and how all of it ends.
 *
 * The only place that starts tasks and settles the result. A run settles when every task is done: it has left, its
 * calls have come back and its clean-up is through. An aborted run waits for clean-up alone.
 */
import { Core } from '../channel/core.ts'
import { onAbort, startTimer } from '../channel/clock.ts'
import { placeIn, type Trace, warn, watchRun } from '../channel/deadlock.ts'
import {
  DeadlockError,
  demandCount,
  demandName,
  demandOptions,
  demandSignal,
  demandTime,
  DrainTimeoutError,
  type StageError,
} from '../errors.ts'
import { newScope, within } from './builtin.ts'
import { tell } from './events.ts'
import { type Graph, graphOfRun } from './graph.ts'
import { reportOf, shown } from './report.ts'
import { soon } from './scheduler.ts'
import { type CallFailure, type Chain, type Definition, type Ends, hearAll } from './stage.ts'
import { watchStalls } from './stall.ts'
import { type RunStats, statsOf } from './stats.ts'
import { flow, type Owner, Task } from './task.ts'

/** What `run` and `start` of a pipeline take. They hold for this run alone. */
export interface RunOptions {
  /** Aborts the run: it rejects with `signal.reason`. */
  signal?: AbortSignal | undefined
  /** How many values each channel between two stages holds, where the stage has no wish. Default: 256. */
  capacity?: number | undefined
  /** Shown in reports. Default: `pipeline`. */
  name?: string | undefined
  /**
   * Milliseconds without a value moving after which a process warning says what each stage waits for; again when values
   * have moved since. Holds no process alive. Default: never.
   */
  stallAfter?: number | undefined
}

/** A pipeline at work. */
export interface Run<R> extends AsyncDisposable {
  /** The same promise that `pipeline(…).run()` gives. */
  readonly result: Promise<R>
  /** That of its options. */
  readonly name: string
  /** How many values each stage has seen, and what it spends its time on. */
  stats(): RunStats
  /**
   * The graph as it is now: with the branches that have come up, what each stage does, and how many values are in each
   * channel. Its nodes are the `stages` of `stats()`, in their order.
   */
  describe(): Graph
  /**
   * Lets no new input in; what is in flight comes out. Past the deadline (milliseconds, default: none) the run is
   * aborted with a `DrainTimeoutError` that lists the stages still busy. Clean-up is waited for as at any abort, but for
   * half a second at most.
   */
  stop(options?: { deadline?: number | undefined }): Promise<R>
  /** Ends everything now; settles when it has. */
  abort(reason?: unknown): Promise<void>
}

export const DEFAULT_CAPACITY = 256
/** How many milliseconds clean-up has past the deadline of a stop: longer, and it is taken to hang. */
const GRACE = 500

/** The pipeline of a run, as far as a report wants it: where it was put together. */
type Made = { readonly trace: Trace }

export class Execution<R> implements Run<R>, Owner {
  readonly #all: Task[] = []
  #main: readonly Task[] = []
  readonly result: Promise<R>
  readonly began = performance.now()
  readonly scope = newScope()
  ended: number | undefined
  readonly #capacity: number
  readonly name: string
  readonly #made: Made
  /** The run rejects with the first one; the others are its `suppressed`. */
  readonly #failures = new Set<StageError>()
  #aborted: { reason: unknown } | undefined
  #open = 0
  /** Of how many of all, from the first on, an aborted run has seen that nothing is left to wait for. */
  #over = 0
  /** How many chains are being put together: nothing starts while one is. The run itself is the first. */
  #building = 1
  #resolve!: (result: R) => void
  #reject!: (reason: unknown) => void
  /** Lets go of what the run has, and tells who waits for its end. */
  readonly #letGo: (() => void)[] = []

  /** The last stage is a sink. */
  constructor(definitions: readonly Definition[], made: Made, options: RunOptions = {}) {
    const action = 'run pipeline'
    demandOptions(options, action)
    const { signal, capacity = DEFAULT_CAPACITY, name = 'pipeline', stallAfter = Infinity } = options
    demandCount(capacity, action, 'capacity', 0, true)
    demandName(name, action)
    demandTime(stallAfter, action, 'stallAfter')
    // Before anything is begun: nobody would end it.
    demandSignal(signal, action)
    this.#capacity = capacity
    this.name = name
    this.#made = made
    this.result = new Promise<R>((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    if (signal?.aborted) {
      this.ended = this.began
      hearAll([definitions])
      this.#reject(signal.reason)
      return
    }
    this.#main = this.#chain(definitions)
    this.#letGo.push(watchRun(this))
    if (signal) this.#letGo.push(onAbort(signal, (reason) => this.#abort(reason)))
    if (stallAfter < Infinity)
      this.#letGo.push(watchStalls(this.#all, stallAfter, () => this.#stalled(stallAfter)))
    this.#building--
    tell('run:start', () => this.#message())
    this.#begin(this.#main)
  }

  /** All tasks, in the order of the flow. */
  get tasks(): Task[] {
    return flow(this.#main)
  }

  /** Makes the tasks of a chain, the last of which writes to `end`. A branch reads from `edge`. */
  #chain(
    definitions: readonly Definition[],
    end?: Core<unknown>,
    edge?: Core<unknown>,
    branchOf?: Task,
  ): Task[] {
    let before = branchOf
    return definitions.map((definition, index) => {
      const output = index < definitions.length - 1 ? this.#edge(definition) : end
      const task: Task = new Task(this, definition, index, edge, output, this.began)
      task.before = before
      task.branchOf = branchOf
      task.id = String(this.#all.length)
      this.#all.push(task)
      this.#open++
      edge = output
      before = task
      return task
    })
  }

  /** The edge behind a stage. */
  #edge({ name, capacity = this.#capacity }: Definition): Core<unknown> {
    return new Core<unknown>(capacity, name)
  }

  attach(task: Task, definitions: readonly Definition[], { writer, reader, output, label }: Ends): Chain {
    const input = writer && this.#edge(task.definition)
    if (reader) output = this.#edge(definitions.at(-1)!)
    this.#building++
    const chain = this.#chain(definitions, output, input, input && task)
    for (const each of chain) {
      each.label = label
      if (reader) each.inputOf = task
    }
    task.attached.push(chain)
    this.#building--
    if (input) {
      input.writer = writer
      input.senders = 1
    }
    if (reader) {
      output!.reader = reader
      output!.receivers = 1
    }
    if (this.#building === 0) this.#begin(chain)
    return { input, output, result: () => chain.at(-1)!.kernel?.result?.() }
  }

  /** From the end: a stage that wants nothing says so before anything is pulled. */
  #begin(chain: readonly Task[]): void {
    for (const task of flow(chain).reverse()) {
      // One that begins before it, or an observer, may have ended it.
      if (task.left) continue
      task.begun = true
      this.#tell('stage:start', task)
      task.start()
    }
  }

  /** Tells of a stage that users know of. */
  #tell(event: 'stage:start' | 'stage:end' | 'stage:failure', task: Task, more?: () => object): void {
    if (task.definition.internal) return
    tell(event, () => ({ ...this.#message(task), ...more?.() }))
  }

  /** What observers are told. */
  #message(task?: Task): object {
    const message = { run: this, pipeline: this.#made }
    return task ? { ...message, stage: task.name, index: task.index, id: task.id } : message
  }

  // ---- what tasks say

  failed(task: Task, error: StageError): void {
    const { cause, value } = error
    const culprit = 'value' in error && { value }
    // Of a run that is over, nothing is told any more.
    if (this.ended === undefined)
      this.#tell('stage:failure', task, () => ({ error: cause, ...culprit, fatal: true }))
    const [first] = this.#failures
    first?.suppressed.push(error)
    this.#failures.add(error)
    this.unwanted(task, undefined, error)
    for (let stem = task.branchOf; stem; stem = stem.branchOf) stem.branchFailed(error)
  }

  /** For a stage and those before it, as far as `end`: their results are not wanted. After a failure their signals abort. */
  unwanted(task: Task, end: Task | undefined, failure?: StageError, all = !!task.definition.inputs): void {
    for (let each: Task | undefined = task; each && each !== end; each = each.before) {
      if (failure) each.context.abort(failure)
      // It has closed its sender and goes on: nobody who leaves tells it.
      if (each.output?.senders === 0) this.cancel(each)
      for (const chain of all ? each.attached : []) {
        // A sink is not before anything.
        if (chain.at(-1)!.output) this.unwanted(chain.at(-1)!, each, failure, true)
      }
      // The branches beside that of a failed stage finish what they were given.
      all = each.before !== each.branchOf
      if (!failure && (each.told || !each.left)) return
      each.told ||= !failure
    }
  }

  cancel(task: Task): void {
    if (this.#cancelled.push(task) > 1) return
    for (const each of this.#cancelled) each.cancel()
    this.#cancelled.length = 0
  }
  /** Each of these cancels the one before it: not from inside, or a pipeline could be only so long. */
  readonly #cancelled: Task[] = []

  knows(error: unknown): boolean {
    return this.#failures.has(error as StageError)
  }

  skipped(task: Task, failure: CallFailure<unknown>): boolean {
    const { context } = task
    const { signal } = context
    // Who only ended by its signal has not failed. What nobody wants any more nobody is told of, nor of a run that was
    // aborted: it may be over.
    if (signal.aborted && (this.#aborted || context.caused(failure.error) || !this.knows(signal.reason)))
      return false
    task.failures++
    if (this.ended === undefined) this.#tell('stage:failure', task, () => ({ ...failure, fatal: false }))
    return true
  }

  done(task: Task): void {
    this.#stageEnded(task)
    if (--this.#open === 0) this.#settle()
  }

  #stageEnded(task: Task): void {
    const { ownFailure } = task
    if (task.begun) this.#tell('stage:end', task, () => (ownFailure ? { error: ownFailure.cause } : {}))
  }

  cleaned(): void {
    if (this.#aborted) this.#settleAborted()
  }

  // ---- endings

  #settle(): void {
    if (this.ended !== undefined) return
    this.ended = performance.now()
    for (const letGo of this.#letGo) letGo()
    for (const task of this.#all) {
      if (!task.done) this.#stageEnded(task)
      // Where it was aborted, calls may come back yet: of these nothing counts, and nothing is told.
      task.done = true
    }
    const [reason] = this.#failures
    const failed = this.#aborted ?? (reason && { reason })
    // The step in which it has ended is not measured yet; and before whoever waits for the result goes on.
    soon(() => tell('run:end', () => ({ ...this.#message(), ...(failed && { error: failed.reason }) })))
    if (failed) this.#reject(failed.reason)
    else this.#resolve(this.#main.at(-1)?.kernel?.result?.() as R)
  }

  /** An aborted run does not wait for calls, only for clean-up. */
  #settleAborted(): void {
    // It goes on where it stood: a task of which nothing is left to wait for stays so.
    for (let task; (task = this.#all[this.#over]); this.#over++) if (!task.left || task.cleaning) return
    this.#settle()
  }

  /** What an error that ends the run for it says of what failed before. */
  get #cause(): { cause: StageError } | undefined {
    const [cause] = this.#failures
    return cause && { cause }
  }

  #abort(reason: unknown): void {
    if (this.#aborted || this.ended !== undefined) return
    this.#aborted = { reason }
    this.#tellAll((task) => task.abort(reason))
    this.#settleAborted()
  }

  /** Whoever ends a run is in a context of his own: clean-up and listeners of the stages are not to find that. */
  #tellAll(work: (task: Task) => void): void {
    // To tell one may bring up others, which are told as well.
    const all = (): void => {
      for (const task of this.#all) work(task)
    }
    within(this.scope, all, undefined)
  }

  async abort(reason: unknown = new DOMException('The run was aborted', 'AbortError')): Promise<void> {
    this.#abort(reason)
    // Not by awaiting the result: whoever aborts has not looked at its rejection.
    if (this.ended === undefined) await new Promise<void>((resolve) => this.#letGo.push(resolve))
  }

  stop(options: { deadline?: number | undefined } = {}): Promise<R> {
    const { deadline = Infinity } = options ?? {}
    try {
      demandOptions(options, 'stop')
      demandTime(deadline, 'stop', 'deadline')
    } catch (error) {
      return Promise.reject(error)
    }
    if (this.ended === undefined) {
      this.#tellAll((task) => task.stop())
      const later = (ms: number, work: () => void): void => void this.#letGo.push(startTimer(ms, work))
      later(deadline, () => {
        const busy = shown(this.tasks).filter((task) => task.busy || task.cleaning)
        const names = busy.map(({ name }) => name)
        this.#abort(new DrainTimeoutError(names, deadline, this.#cause))
        if (this.ended === undefined) later(GRACE, () => this.#settle())
      })
    }
    return this.result
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.result.catch(() => {})
    await this.abort()
  }

  stats(): RunStats {
    return statsOf(this)
  }

  describe(): Graph {
    return graphOfRun(this.tasks)
  }

  // ---- hangs

  get #title(): string {
    return `ipeline "${this.name}", made at ${placeIn(this.#made.trace)}`
  }

  report(): string {
    return `P${this.#title}:${reportOf(this.tasks)}`
  }

  #stalled(stallAfter: number): void {
    const report = `P${this.#title}, has not moved for ${stallAfter} ms:${reportOf(this.tasks)}`
    warn(report)
    tell('run:stall', () => ({ ...this.#message(), report }))
  }

  /** The event loop has run dry: nothing will ever move this run again. */
  deadlock(): boolean {
    if (this.#all.every((task) => task.left)) {
      // What they called hangs, but nobody wants its result.
      this.#settle()
      return true
    }
    if (this.#all.some((task) => !task.left && task.kernel?.daemon)) return false
    const report = `Deadlock in p${this.#title}, nothing else runs:${reportOf(this.tasks)}`
    this.#abort(new DeadlockError(report, this.#cause))
    return true
  }
}
