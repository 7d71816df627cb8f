/**
 * What a run is doing: counts that the channels keep anyway, and times that the scheduler measures per step.
 *
 * The bottleneck is the stage that could take no more, by its own work, for most of the time: in a pipeline that is
 * limited by one stage, that one always can take no more, those before it wait for room, and those behind it for
 * values. A stage with calls in flight and room for others is not limited by them; a source is by what it waits for.
 *
 * Where one stage keeps the event loop busy, the calls of every other seem to take as long. So among stages that come
 * close to each other, only the time counts in which no other had the event loop; and where that does not tell them
 * apart, the channel between them: who is slower has values before it. An input limits nothing where its fan-in waits for
 * room: there are values enough.
 */
import type { Spent, Times } from './meter.ts'
import { shown } from './report.ts'
import type { Task } from './task.ts'

/** What a run has done so far, or had when it ended. A copy: it does not change. */
export interface RunStats {
  /** Milliseconds since the start, or until the end. */
  elapsed: number
  /** The stage that limits the run; `undefined` where none does. */
  bottleneck: string | undefined
  stages: StageStats[]
}

/** What one stage of a run has done so far. The three shares are together 1 at most. */
export interface StageStats {
  name: string
  index: number
  /** Values that came in, went out, and failed. */
  received: number
  sent: number
  failed: number
  /** Shares of the elapsed time, 0 to 1: at work or in a call, waiting for a value, waiting for room. */
  busy: number
  waitingInput: number
  waitingOutput: number
  /** How full the channel behind the stage is. A sink has none. */
  output: { length: number; capacity: number } | undefined
}

/** A run, as far as its stats go. */
interface Measured {
  readonly tasks: readonly Task[]
  readonly began: number
  readonly ended: number | undefined
}

export function statsOf({ tasks, began, ended }: Measured): RunStats {
  const now = ended ?? performance.now()
  const elapsed = now - began
  const measured = shown(tasks).map((task) => ({ task, spent: task.meter.until(now) }))
  // A run may end in the instant in which it began.
  const whole = elapsed || 1
  const loads = measured.map(({ task, spent }) => loadOf(task, spent, whole))
  const stages = measured.map(({ task, spent }) => stageStats(task, spent, whole))
  return { elapsed, bottleneck: bottleneckOf(loads), stages }
}

function stageStats(task: Task, { times }: Spent, whole: number): StageStats {
  const { name, index, output, failures } = task
  const busy = times.busy + times.called
  const total = Math.max(whole, busy + times.input + times.output)
  return {
    name,
    index,
    received: task.taken,
    sent: sentBy(task),
    failed: failures,
    busy: busy / total,
    waitingInput: times.input / total,
    waitingOutput: times.output / total,
    output: output && { length: output.length, capacity: output.capacity },
  }
}

/** What its branches give is what a stage gives, also where they put it past the stage into a channel that it shares. */
function sentBy({ shares, sent, output, attached }: Task): number {
  return shares ? attached.reduce((sum, chain) => sum + sentBy(chain.at(-1)!), sent) : (output?.accepted ?? 0)
}

/** How much a stage limits the run, as shares of the time. */
interface Load {
  readonly task: Task
  readonly share: number
  /** Without the time in which it waited by itself, but another had the event loop. */
  readonly own: number
  /** How much it waits for room. */
  readonly blocked: number
}

function loadOf(task: Task, { times, delayed }: Spent, whole: number): Load {
  // What a source waits for is its own; what a fan-in waits for are its inputs.
  const isSource = !task.input && !task.definition.inputs
  const limit = ({ busy, input }: Times): number => (isSource ? busy + input : busy) / whole
  const share = limit(times)
  return { task, share, own: share - limit(delayed), blocked: times.output / whole }
}

/** A stage limits a run when it is what everything waits for in more of the time than this … */
const MOST_OF_THE_TIME = 0.7
/** … and so many times as much as any other; */
const CLEARLY = 1.15
/** or, of two that come close, the one behind with so many values before it. */
const PILE = 16
/** What waits for room in so much of the time has values enough. */
const HELD_UP = 0.5

function bottleneckOf(all: readonly Load[]): string | undefined {
  const heldUp = new Set(all.filter(({ blocked }) => blocked > HELD_UP).map(({ task }) => task))
  const loads = all.filter(({ task }) => !isSpare(task, heldUp))
  // There may be more branches than a call can have arguments.
  const most = loads.reduce((high, { share }) => Math.max(high, share), 0)
  if (!(most > MOST_OF_THE_TIME)) return undefined
  const rivals = loads.filter(({ share }) => share * CLEARLY >= most)
  const first = rivals.reduce((high, each) => (each.own > high.own ? each : high))
  if (rivals.every(({ task, own }) => first.own > own * CLEARLY || areCopies(task, first.task)))
    return first.task.name
  const tasks = new Set(rivals.map(({ task }) => task))
  return [...tasks].filter((task) => isBehind(task, tasks) && task.input!.length >= PILE).at(-1)?.name
}

/** Whether it is in an input of one of these fan-ins. */
function isSpare({ inputOf, branchOf }: Task, heldUp: ReadonlySet<Task>): boolean {
  const around = inputOf ?? branchOf
  return around !== undefined && ((inputOf !== undefined && heldUp.has(inputOf)) || isSpare(around, heldUp))
}

/** Whether they are the same stage in branches side by side, or in such branches of copies: these limit the run together. */
function areCopies(one: Task | undefined, other: Task | undefined): boolean {
  if (one === other) return one !== undefined
  return one?.name === other?.name && one?.index === other?.index && areCopies(one?.branchOf, other?.branchOf)
}

function isBehind({ before }: Task, others: ReadonlySet<Task>): boolean {
  return before !== undefined && (others.has(before) || isBehind(before, others))
}
