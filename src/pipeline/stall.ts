/** Notices that nothing moves any more in a run, though something waits. */
import { startTimer } from '../channel/clock.ts'
import type { Task } from './task.ts'

/**
 * Calls `stalled` when nothing has moved for so many milliseconds, once until something moves. It looks four times in that
 * time: looks are counted, and not the time between them, in which the program may have kept the event loop, or the
 * machine slept. Holds no process. Gives what ends it.
 */
export function watchStalls(tasks: readonly Task[], stallAfter: number, stalled: () => void): () => void {
  const pause = Math.max(1, Math.ceil(stallAfter / 4))
  const looks = Math.max(1, Math.ceil(stallAfter / pause))
  let moves = -1
  let still = 0
  let over = false
  let stopTimer: (() => void) | undefined
  const look = (): void => {
    const before = moves
    moves = tasks.reduce((sum, task) => sum + task.moves, 0)
    still = moves === before && !isIdle(tasks) ? still + 1 : 0
    if (still === looks) stalled()
    // Whoever was told may have ended it.
    if (!over) stopTimer = startTimer(pause, look, true)
  }
  look()
  return () => {
    over = true
    stopTimer?.()
  }
}

/** It only waits for a source that may be silent for ever. */
function isIdle(tasks: readonly Task[]): boolean {
  const open = tasks.filter(({ left }) => !left)
  // The function of a custom stage is always in a call.
  const works = ({ kernel, busy, meter }: Task): boolean => (kernel ? busy : meter.doing !== 'input')
  return open.some(({ kernel }) => kernel?.daemon) && !open.some(works)
}
