/** Waking a stage at a time of the clock: the timer of stages that keep time. */
import { startTimer } from '../channel/clock.ts'
import type { Wakeable } from '../channel/core.ts'

/** Sums of times are not exact: what is due in so many milliseconds is due now. */
export const SLACK = 0.001

/** One timer at most; who sets it again while it runs changes nothing. */
export class Alarm {
  #stop: (() => void) | undefined

  set(task: Wakeable, due: number, now: number): void {
    this.#stop ??= startTimer(Math.max(0, Math.ceil(due - now - SLACK)), () => {
      this.#stop = undefined
      task.wake()
    })
  }

  clear(): void {
    this.#stop?.()
    this.#stop = undefined
  }
}
