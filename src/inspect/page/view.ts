/**
 * What the page shows of a run: its shape, which changes when a branch comes up, and a sample of its numbers, taken a few
 * times a second. The numbers are those of `stats()` and `describe()`; copies of a stage are added up (condense.ts).
 */
import type { Graph } from '../../pipeline/graph.ts'
import type { RunStats } from '../../pipeline/stats.ts'
import { type Condensed, condensed, type CondensedNode } from './condense.ts'
import { drawn, type Drawing } from './drawing.ts'
import type { Followed, Watched } from './follow.ts'
import { History } from './history.ts'

export type State = 'waiting' | 'running' | 'stalled' | 'ended' | 'failed' | 'aborted'

/** What seldom changes. */
export interface Shape extends Drawing {
  version: number
  run: string
}

/** Of one stage: values in, out and failed, values per second, shares of time, what it does. */
export type StageSample = [
  received: number,
  sent: number,
  failed: number,
  rate: number,
  busy: number,
  waitingInput: number,
  waitingOutput: number,
  isBottleneck: boolean,
  doing: string,
]

export interface Sample {
  /** Of the shape that it belongs to. */
  version: number
  state: State
  elapsed: number
  bottleneck: string | null
  /** In the order of the shape. */
  stages: StageSample[]
  /** How many values are in each channel, in the order of the shape. */
  lengths: number[]
  /** What failed since the sample before. */
  failures: Failure[]
  /** What each stage waits for, where the run hangs or stalls; why it failed. */
  report: string
  /** How many points of history there have been. */
  points: number
}

export interface Failure {
  /** Milliseconds since 1970. */
  time: number
  stage: string
  error: string
  value: string
  attempts: number
  fatal: boolean
}

/** For whom comes later: all of the last minute. */
export interface Picture {
  shape: Shape
  sample: Sample
  /** The rate of each stage, once a second, the newest last. */
  history: number[][]
  failures: Failure[]
}

/** More copies of a stage than these are shown as one. */
const MOST_COPIES = 8
const MOST_FAILURES = 100
/** Of several stages with the name of the bottleneck, those that are at work in more of the time than this are meant. */
const HALF = 0.5

export class View {
  #shape: Shape = { version: 0, run: '', nodes: [], edges: [], width: 0, height: 0 }
  #graph: Condensed = { nodes: [], edges: [] }
  #seen: { run: Watched; nodes: number; edges: number } | undefined
  #sample: Sample | undefined
  /** By the id of a stage. */
  #histories = new Map<string, History>()
  #points = 0
  #failures: Failure[] = []

  constructor(readonly followed: Followed) {}

  get picture(): Picture {
    const sample = { ...(this.#sample ?? this.take()), failures: [] }
    const history = this.#graph.nodes.map(({ id }) => this.#histories.get(id)?.points ?? [])
    return { shape: this.#shape, sample, history, failures: this.#failures }
  }

  get shape(): Shape {
    return this.#shape
  }

  /** Whose shape and history it has. */
  get run(): Watched | undefined {
    return this.#seen?.run
  }

  /** Holds no run any more. */
  forget(): void {
    this.#seen = undefined
  }

  /** Looks at the run. */
  take(): Sample {
    const { followed } = this
    const { run } = followed
    const failures = followed.failures.splice(0)
    this.#failures = [...this.#failures, ...failures].slice(-MOST_FAILURES)
    const sample: Sample = {
      version: this.#shape.version,
      state: followed.state,
      elapsed: 0,
      bottleneck: null,
      stages: [],
      lengths: [],
      failures,
      report: followed.report,
      points: this.#points,
    }
    if (run) Object.assign(sample, this.#measure(run))
    return (this.#sample = sample)
  }

  #measure(run: Watched): Omit<Sample, 'failures'> {
    const stats = run.stats()
    const graph = run.describe()
    this.followed.look(stats)
    this.#reshape(run, graph)
    this.#count(stats.elapsed)
    const { state, report } = this.followed
    return {
      version: this.#shape.version,
      state,
      elapsed: stats.elapsed,
      bottleneck: stats.bottleneck ?? null,
      stages: this.#graph.nodes.map((node, place) => this.#stage(node, place, stats, graph)),
      lengths: this.#graph.edges.map(({ members }) =>
        members.reduce((sum, member) => sum + (graph.edges[member].length ?? 0), 0),
      ),
      report,
      points: this.#points,
    }
  }

  /** Every second of the run is a point of its history. */
  #count(elapsed: number): void {
    this.#points = Math.max(this.#points, Math.floor(elapsed / 1000))
  }

  #stage({ id, name, members }: CondensedNode, place: number, stats: RunStats, graph: Graph): StageSample {
    const all = members.map((member) => stats.stages[member])
    const sum = (key: 'received' | 'sent' | 'failed' | 'busy' | 'waitingInput' | 'waitingOutput'): number =>
      all.reduce((total, stage) => total + stage[key], 0)
    const [busy, input, output] = (['busy', 'waitingInput', 'waitingOutput'] as const).map(
      (key) => +(sum(key) / all.length).toFixed(4),
    )
    const { isSource } = this.#shape.nodes[place]
    const counts = [sum('received'), sum('sent'), sum('failed')] as const
    const past = this.#histories.get(id) ?? new History()
    this.#histories.set(id, past)
    const rate = past.add(all[0].output ? counts[1] : counts[0], stats.elapsed, this.#points)
    const limits = all.some((stage) => stage.busy + (isSource ? stage.waitingInput : 0) > HALF)
    const isBottleneck = name === stats.bottleneck && limits
    return [...counts, rate, busy, input, output, isBottleneck, graph.nodes[members[0]].doing ?? '']
  }

  /** A graph only grows. */
  #reshape(run: Watched, { nodes, edges }: Graph): void {
    const seen = this.#seen
    if (seen?.run === run && seen.nodes === nodes.length && seen.edges === edges.length) return
    // Another run begins anew.
    if (seen?.run !== run) {
      this.#histories.clear()
      this.#points = 0
    }
    this.#seen = { run, nodes: nodes.length, edges: edges.length }
    this.#graph = condensed({ nodes, edges }, MOST_COPIES)
    this.#shape = { version: this.#shape.version + 1, run: run.name, ...drawn(this.#graph) }
  }
}
