/** Which run is looked at, and what it tells by its events: the next run of a pipeline, its failures, its end. */
import { inspect as show } from 'node:util'
import type { Graph } from '../../pipeline/graph.ts'
import type { RunStats } from '../../pipeline/stats.ts'
import { hasEnded, listen } from '../listen.ts'
import { outcomeOf } from '../outcome.ts'
import type { Failure, State } from './view.ts'

/** A run, as far as it is looked at. */
export interface Watched {
  readonly name: string
  readonly result?: PromiseLike<unknown>
  stats(): RunStats
  describe(): Graph
}

/** A pipeline of which a run may start later. */
export interface Startable {
  start(...args: never[]): unknown
}

interface Told {
  run: Watched
  pipeline: object
  stage?: string
  error?: unknown
  value?: unknown
  attempts?: number
  fatal?: boolean
  report?: string
}

/** What is kept between two looks. To show a value takes long: those above that are not shown. */
const MOST = 100

export class Followed {
  run: Watched | undefined
  state: State = 'waiting'
  report = ''
  /** What has failed since somebody took them. */
  readonly failures: Failure[] = []
  /** Called when the run has ended. */
  whenEnded = (): void => {}
  /** How much had moved when it stalled. */
  #moved = 0
  #unsubscribe: () => void

  /** Without a `target` it follows whatever run starts next. */
  constructor(target: Watched | Startable | undefined) {
    if (isRun(target)) this.#begin(target)
    this.#unsubscribe = listen<Told>({
      'run:start': ({ run, pipeline }) => {
        if (target === undefined || pipeline === target) this.#begin(run)
      },
      'run:stall': this.#ofRun(({ run, report = '' }) => this.#stalled(run, report)),
      'stage:failure': this.#ofRun((told) => this.#failed(told)),
      'run:end': this.#ofRun((told) => this.#ended(told)),
    })
  }

  #ofRun(heard: (told: Told) => void): (told: Told) => void {
    return (told) => {
      if (told.run === this.run) heard(told)
    }
  }

  #begin(run: Watched): void {
    this.run = run
    this.state = hasEnded(run) ? 'ended' : 'running'
    this.report = ''
    // Of one that had ended before, nothing is told any more.
    if (this.state === 'ended')
      void run.result?.then(null, (error: unknown) => this.#failedBefore(run, error))
  }

  #failedBefore(run: Watched, error: unknown): void {
    if (run === this.run) this.#ended({ error })
  }

  #stalled(run: Watched, report: string): void {
    this.state = 'stalled'
    this.report = report
    this.#moved = moved(run.stats())
  }

  #failed(told: Told): void {
    const { stage = '', error, value, attempts = 1, fatal = true } = told
    if (!fatal && this.failures.length >= MOST) return
    const shown = 'value' in told ? preview(value) : ''
    this.failures.push({ time: Date.now(), stage, error: messageOf(error), value: shown, attempts, fatal })
  }

  #ended(told: Pick<Told, 'error'>): void {
    const outcome = outcomeOf(told)
    this.state = outcome === 'completed' ? 'ended' : outcome
    this.report = 'error' in told ? messageOf(told.error) : ''
    this.whenEnded()
  }

  /** Sees what is not told: that it goes on after a stall. */
  look(stats: RunStats): void {
    if (this.state !== 'stalled' || moved(stats) === this.#moved) return
    this.state = 'running'
    this.report = ''
  }

  /** Hears nothing more, and holds no run. */
  stop(): void {
    this.#unsubscribe()
    this.#unsubscribe = () => {}
    this.run = undefined
  }
}

function isRun(target: Watched | Startable | undefined): target is Watched {
  return typeof (target as Partial<Watched> | undefined)?.stats === 'function'
}

function moved({ stages }: RunStats): number {
  return stages.reduce((sum, { received, sent }) => sum + received + sent, 0)
}

const LONGEST = 300

/** Values are what users make them: to look at one may throw. */
function preview(value: unknown): string {
  try {
    const text = show(value, {
      depth: 1,
      maxStringLength: LONGEST,
      maxArrayLength: 20,
      breakLength: Infinity,
    })
    return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text
  } catch {
    return 'a value that cannot be shown'
  }
}

/** A report of a deadlock has many lines, and all of them count. */
function messageOf(error: unknown): string {
  try {
    if (!(error instanceof Error)) return preview(error)
    return `${String(error.name)}: ${String(error.message)}`.slice(0, 20 * LONGEST)
  } catch {
    return 'an error that cannot be shown'
  }
}
