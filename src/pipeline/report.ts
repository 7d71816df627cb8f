/** What each stage of a run does or waits for, in words: for whom a run hangs, and for the page of `sluice/inspect`. */
import { counted } from '../channel/deadlock.ts'
import type { Task } from './task.ts'

/** A run of a thousand branches has said enough after so many lines. */
const MOST_LINES = 60

/** The stages that a user knows of, in the order of the flow: those of `stats()`. */
export function shown(tasks: readonly Task[]): Task[] {
  return tasks.filter(({ definition }) => !definition.internal)
}

/** A line for each stage that is not through or has a branch that is not, indented below the stage whose branch it is in. */
export function reportOf(tasks: readonly Task[]): string {
  const lines = shown(tasks)
    .filter(goesOn)
    .map((task) => `${lineBreak(task)}${titleOf(task)} ${doingOf(task)}`)
  const more = lines.length - MOST_LINES
  return lines.slice(0, MOST_LINES).join('') + (more > 0 ? `\n  and ${counted(more, 'stage')} more` : '')
}

function goesOn(task: Task): boolean {
  return doingOf(task) !== 'has ended' || task.attached.flat().some(goesOn)
}

function lineBreak({ branchOf }: Task): string {
  return branchOf ? `${lineBreak(branchOf)}  ` : '\n  '
}

function titleOf({ label, index, name }: Task): string {
  return `${label === undefined ? '' : `branch "${label}": `}stage ${index} "${name}"`
}

export function doingOf(task: Task): string {
  const { left, calls, cleaning, meter, kernel, queued } = task
  if (left && calls === 0) return cleaning ? 'waits for its clean-up' : 'has ended'
  if (meter.doing === 'nothing' && !left) return 'has not begun'
  if (queued) return 'is at work'
  if (meter.doing === 'output') return `waits for ${roomOf(task)}`
  const wanted = kernel
    ? (kernel.wants ?? (calls > 0 ? `${counted(calls, 'call')} of its function to return` : undefined))
    : calledOf(task)
  if (wanted !== undefined) return `waits for ${wanted}`
  return meter.doing === 'input' ? `waits for ${inputOf(task)}` : 'is at work'
}

/** What a custom stage waits for where that is no channel of the pipeline. */
function calledOf({ left, meter }: Task): string | undefined {
  if (left) return 'its function to return'
  return meter.doing === 'input' ? undefined : 'what it has called'
}

function inputOf({ input, definition }: Task): string {
  return input ? 'a value' : definition.inputs ? 'its inputs' : 'its source'
}

function roomOf({ blocked, output, kernel }: Task): string {
  // Who waits for room elsewhere knows where.
  return (blocked && kernel!.wants) || `room (${output?.length} of ${output?.capacity})`
}
