/**
 * Jobs that go on where they had got to.
 *
 * A job is run in parts. A part is a run like any other, which after a while is stopped: its sources give no more, what
 * is in flight comes out, and the sink says that all of it is there. Then, and only then, the positions are saved. So a
 * position says no more than the sink has, whatever stands between: stages that leave values out, multiply, gather or
 * reorder them, branches, functions of the user's.
 *
 * Candidates: values that carry their position to the sink (every function in between sees the wrapping, and a value
 * that was left out never arrives); marks in the channels, as stream processors of clusters have them (every stage
 * must pass them on in its place, also the user's own, and pay for it in jobs without a checkpoint). Parts need neither,
 * and cost the draining: some milliseconds every second.
 */
import { channel } from 'node:diagnostics_channel'
import { DrainTimeoutError, pipeline } from 'sluice'
import { demandPath } from '../../connect/path.ts'
import { demandOptions } from '../../connect/options.ts'
import { demand, demandCount, demandName, demandNumber, demandSignal, demandTime } from '../../errors.ts'
import type { Graph } from '../../pipeline/graph.ts'
import type { SinkPipeline } from '../../pipeline/pipeline.ts'
import type { Run, RunOptions } from '../../pipeline/run.ts'
import { type Definition, hearAll } from '../../pipeline/stage.ts'
import type { RunStats } from '../../pipeline/stats.ts'
import { demandSame, Positions } from './positions.ts'
import { load, save, type Saved, takeFile } from './saved.ts'
import { Totals } from './totals.ts'

/** How often a job saves what it has come to, and who is told. */
export interface CheckpointOptions<R> {
  /** Milliseconds after which a part is brought to its end and saved. Default: 1,000. `Infinity`: only at the end. */
  every?: number | undefined
  /** Told of each part once it is saved: what its sink has come to. What it gives is waited for, but for an abort or the deadline of a stop. */
  onSaved?: ((result: R) => PromiseLike<unknown> | void) | undefined
}

/** What a job has come to. */
export interface JobResult<R> {
  /** How many parts were run this time. */
  parts: number
  /** What the sink of the last part has come to. */
  last: R
}

/** A job that can go on. */
export interface Job<R> {
  /** Runs it from where it had got to, to the end of its sources. */
  run(options?: RunOptions): Promise<JobResult<R>>
  /** Runs it, and gives a handle. Its `stop` saves what has been done; `abort` leaves the part that is under way undone. */
  start(options?: RunOptions): Run<JobResult<R>>
}

/**
 * Makes a job of a pipeline that ends in a sink: killed at any moment, it goes on where its sink had got to.
 *
 * - The positions of the sources are saved in `file`, a small one, each time the sink has acknowledged all that came from them
 *   (`every`: milliseconds, default 1,000). The file is replaced whole and synced.
 * - At least once: what came after the last save is done again. Exactly once where that does no harm (an upsert by key), or
 *   where the sink can be cut back: `appendLog` at level `'synced'`, and the file writers with `append` and `sync`.
 * - `readLines`, `readJsonl`, `readCsv` and `readBytes` go on in the middle of a file. Any other source is read again from its
 *   beginning, and what it gave before is passed over: it must give the same values in the same order. What can be read only once,
 *   such as the standard input or a pipe, cannot go on.
 * - A job whose sources had come to their end reads on only what has been added since, to whichever of its files, renamed ones included; a
 *   new file of the same name, or one more that matches a pattern, is read whole.
 * - Stages begin anew with each part: what they keep from one value to the next (`scan`, `distinct`, `window`, a `batch` that is not
 *   full) is not kept beyond it, and `mergeSorted` is in order within a part. `zip` is refused. A stage that wants no more while there
 *   is more, such as `take`, fails the job: what was on the way to it is in no sink.
 * - Sources and sinks are known by their names, and those of the stages they are in. One that is new begins at its beginning. A job
 *   that lacks one of which there is a position is refused. Give names to sources that are alike.
 * - The output of a job is its own: what somebody else has added to it is not cut off while it runs, but fails it.
 * - One run at a time.
 *
 * @throws TypeError for a pipeline that does not end in a sink, or wrong options.
 * @example
 * import { filter, pipeline, source } from 'sluice'
 * import { checkpoint, readLines, writeLines } from 'sluice/io'
 *
 * await pipeline(source(['a 1', 'b 2', 'a 3']), writeLines('in.txt')).run()
 * const job = checkpoint(
 *   'job.checkpoint',
 *   pipeline(
 *     readLines('in.txt'),
 *     filter((line) => line.startsWith('a')),
 *     writeLines('out.txt', { append: true, sync: true }),
 *   ),
 * )
 * await job.run()
 * await pipeline(source(['a 4']), writeLines('in.txt', { append: true })).run()
 * await job.run()
 * await pipeline(readLines('out.txt')).run() // => ['a 1', 'a 3', 'a 4']
 */
export function checkpoint<R>(
  file: string,
  job: SinkPipeline<R>,
  options: CheckpointOptions<R> = {},
): Job<R> {
  const action = 'create checkpoint'
  demandPath(file, action, 'file', 'a path')
  const { kind, definitions } = Object(job) as Partial<SinkPipeline<R>>
  const whole = kind === 'sink pipeline' && definitions !== undefined
  demand(whole, action, 'job', 'a pipeline from a source to a sink', kind ?? job, TypeError)
  demandOptions(options, action)
  const { every = 1000, onSaved } = options
  demandNumber(every, action, 'every', 'a number of milliseconds > 0', (ms) => ms > 0)
  const callable = onSaved === undefined || typeof onSaved === 'function'
  demand(callable, action, 'onSaved', 'a function', onSaved, TypeError)
  const start = (runOptions: RunOptions = {}): JobRun<R> =>
    new JobRun(file, definitions, { every, onSaved }, runOptions)
  return { start, run: async (runOptions) => start(runOptions).result }
}

/** Timers of Node take no longer time; it is 24 days. */
const LONGEST = 2 ** 31 - 1

/** Who shows a job hears of its end here: its parts are runs of their own. */
const ENDED = channel('sluice:job:end')

/** One part after the other, seen from outside as one run. */
class JobRun<R> implements Run<JobResult<R>> {
  readonly result: Promise<JobResult<R>>
  readonly name: string
  /** The part that is under way, or was last. */
  #part: Run<R> | undefined
  #parts = 0
  /** Of the parts before that one. */
  readonly #totals = new Totals()
  readonly #reached = new Positions()
  #stopped: { deadline?: number | undefined } | undefined
  readonly #late = new AbortController()
  readonly #aborted = new AbortController()
  /** One for all parts: each that is made of the signal of the user would stay with it. */
  readonly #signal: AbortSignal
  /** That, or the deadline of a stop: a part sees to its own. */
  readonly #givenUp: AbortSignal
  /** Settles with the result, but always well. */
  readonly #over: Promise<void>
  readonly #began = performance.now()
  ended: number | undefined

  constructor(
    readonly file: string,
    readonly definitions: readonly Definition[],
    readonly options: { every: number; onSaved: CheckpointOptions<R>['onSaved'] },
    readonly runOptions: RunOptions,
  ) {
    const action = 'run job'
    demandOptions(runOptions, action)
    const { signal, capacity = 0, name = 'pipeline', stallAfter = 0 } = runOptions
    demandCount(capacity, action, 'capacity', 0, true)
    demandTime(stallAfter, action, 'stallAfter')
    demandSignal(signal, action)
    demandName(name, action)
    this.name = name
    const aborted = this.#aborted.signal
    this.#signal = signal ? AbortSignal.any([signal, aborted]) : aborted
    this.#givenUp = AbortSignal.any([this.#signal, this.#late.signal])
    let over!: () => void
    this.#over = new Promise((resolve) => (over = resolve))
    const end = (failure: { error?: unknown; aborted?: boolean }): void => {
      this.ended = performance.now()
      ENDED.publish({ run: this, ...failure })
      over()
    }
    // The first part begins only when the file has been read: what rejects until then has been heard.
    hearAll([definitions])
    this.result = this.#run().then(
      (result) => (end({}), result),
      (error: unknown) => {
        const isAborted = this.#givenUp.aborted && error === this.#givenUp.reason
        const isLate = this.#stopped !== undefined && error instanceof DrainTimeoutError
        end({ error, aborted: isAborted || isLate })
        throw error
      },
    )
  }

  async #run(): Promise<JobResult<R>> {
    const giveFree = takeFile(this.file)
    try {
      const saved = await load(this.file)
      if (saved) {
        demandSame(this.file, this.definitions, saved.positions)
        this.#reached.begin(saved.positions)
      }
      return await this.#runParts(saved)
    } finally {
      await this.#reached.close().finally(giveFree)
    }
  }

  async #runParts(saved: Saved | undefined): Promise<JobResult<R>> {
    const { every } = this.options
    // The first part reads nothing: what a sink had before the job is known before anything is added.
    for (let first = saved === undefined; ; first = false) {
      const { last, done } = await this.#runPart(first ? 0 : every)
      saved = { version: 1, parts: (saved?.parts ?? -1) + 1, positions: this.#reached.now() }
      await save(this.file, saved)
      if (first && !this.#stopped) continue
      this.#parts++
      await this.#tell(last)
      if (done || this.#stopped) return { parts: this.#parts, last }
    }
  }

  async #tell(last: R): Promise<void> {
    const told = this.options.onSaved?.(last)
    // There is nothing to wait for, and so nothing that could be late: all is saved.
    if (told === undefined) return this.#signal.throwIfAborted()
    const signal = this.#givenUp
    let giveUp!: () => void
    await new Promise((resolve, reject) => {
      giveUp = () => reject(signal.reason as Error)
      signal.addEventListener('abort', giveUp)
      Promise.resolve(told).then(resolve, reject)
      if (signal.aborted) giveUp()
    }).finally(() => signal.removeEventListener('abort', giveUp))
  }

  /** Says also whether the sources came to their end: that may be long before the sink is open, or has written all. */
  async #runPart(every: number): Promise<{ last: R; done: boolean }> {
    const stages = this.#reached.part(this.definitions)
    const source = { kind: 'source' as const, definitions: stages.slice(0, -1) }
    const sink = { kind: 'sink' as const, definitions: stages.slice(-1) }
    const run = pipeline(source, sink).start({ ...this.runOptions, signal: this.#signal }) as Run<R>
    if (this.#part) this.#totals.add(this.#part)
    this.#part = run
    let stopped = false
    const stop = (options?: { deadline?: number | undefined }): void => {
      stopped = true
      // How it ends is seen in the result.
      run.stop(options).catch(() => {})
    }
    const timer = every <= LONGEST ? setTimeout(stop, every) : undefined
    if (this.#stopped) stop(this.#stopped)
    else if (every === 0) stop()
    try {
      const last = await run.result
      return { last, done: !stopped || this.#reached.haveEnded(this.definitions) }
    } finally {
      clearTimeout(timer)
    }
  }

  stats(): RunStats {
    const elapsed = (this.ended ?? performance.now()) - this.#began
    if (this.#part === undefined) return { elapsed, bottleneck: undefined, stages: [] }
    return { ...this.#totals.with(this.#part), elapsed }
  }

  describe(): Graph {
    return this.#part?.describe() ?? { nodes: [], edges: [] }
  }

  async stop(options: { deadline?: number | undefined } = {}): Promise<JobResult<R>> {
    demandOptions(options, 'stop')
    const { deadline = Infinity } = options
    demandTime(deadline, 'stop', 'deadline')
    this.#stopped ??= options
    this.#reached.stop()
    const late = (): void => this.#late.abort(new DrainTimeoutError(['onSaved'], deadline))
    if (this.ended === undefined && deadline <= LONGEST) {
      const timer = setTimeout(late, deadline)
      void this.#over.then(() => clearTimeout(timer))
    }
    // How the part ends is seen in the result, which is that of what follows it, too.
    this.#part?.stop(options).catch(() => {})
    return this.result
  }

  async abort(reason: unknown = new DOMException('The run was aborted', 'AbortError')): Promise<void> {
    this.#aborted.abort(reason)
    // Not by awaiting the result: whoever aborts has not looked at its rejection.
    await this.#over
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.result.catch(() => {})
    await this.abort()
  }
}
