/**
 * What a run is doing: counts that the channels keep anyway, and times that the scheduler measures per step.
 */
import type { Task } from './task.ts'

export interface RunStats {
  /** Milliseconds since the start, or until the end. */
  elapsed: number
  /** The stage that limits the run; `undefined` where none does. */
  bottleneck: string | undefined
  stages: StageStats[]
}

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
  const stages = tasks
    .filter(({ definition }) => !definition.internal)
    .map((task) => stageStats(task, now, elapsed))
  return { elapsed, bottleneck: bottleneckOf(stages), stages }
}

function stageStats(task: Task, now: number, elapsed: number): StageStats {
  const { name, index, input, output, failures } = task
  const spent = task.meter.until(now)
  const total = Math.max(elapsed, spent.busy + spent.input + spent.output) || 1
  return {
    name,
    index,
    received: task.kernel || !input ? task.received : input.accepted - input.buffer.length,
    sent: task.shares ? task.sent : (output?.accepted ?? 0),
    failed: failures,
    busy: spent.busy / total,
    waitingInput: spent.input / total,
    waitingOutput: spent.output / total,
    output: output && { length: output.length, capacity: output.capacity },
  }
}

/** A stage that is at work most of the time, where it is clearly more at work than any other. */
function bottleneckOf(stages: readonly StageStats[]): string | undefined {
  const [first, second] = [...stages].sort((a, b) => b.busy - a.busy)
  if (first === undefined || first.busy < 0.5) return undefined
  return second === undefined || first.busy > second.busy * 1.2 ? first.name : undefined
}
