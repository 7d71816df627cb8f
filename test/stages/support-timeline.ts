/**
 * Timelines in virtual time: a stage between a channel that the test feeds by hand and a sink that writes down what
 * comes when. The test says what happens at which millisecond; nothing sleeps.
 */
import { vi } from 'vitest'
import { channel, forEach, pipeline, source } from 'sluice'
import { turns } from '../pipeline/support-waiting.ts'
import type { StageOf } from './stage-rows.ts'

/** Turns of the event loop in which everything comes to rest: on a busy machine each may do one step of one stage. */
const REST = 50

/** Fakes all clocks that a run reads; the event loop goes on. */
export function fakeTime(): void {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
  })
}

/** Lets `ms` milliseconds pass, and everything that happens in them: no timer fires before what the last one set off is over. */
export async function pass(ms: number): Promise<void> {
  let passed = false
  await turns(REST)
  setTimeout(() => (passed = true), ms)
  while (!passed) {
    await vi.advanceTimersToNextTimerAsync()
    await turns(REST)
  }
  // Those that were set for this moment meanwhile.
  await vi.advanceTimersByTimeAsync(0)
  await turns(REST)
}

/** What a sink was given, with the time at which it came. */
export function clockLog() {
  const begin = Date.now()
  const log: string[] = []
  const note = (value: unknown): void => void log.push(`${Date.now() - begin}: ${String(value)}`)
  return { log, note }
}

export interface TimelineOptions {
  capacity?: number
  /** What the sink does after it has noted a value. */
  act?: (value: unknown) => unknown
}

/** A run of `stage`; `give` sends to it, `log` has time and value of what came out. */
export function timeline(stage: StageOf<number, unknown>, { capacity = 256, act }: TimelineOptions = {}) {
  const [tx, rx] = channel<number>(256)
  const { log, note } = clockLog()
  const run = pipeline(
    source(rx),
    stage,
    forEach((value) => {
      note(value)
      return act?.(value)
    }),
  ).start({ capacity })
  run.result.catch(() => {})
  const give = async (...values: number[]): Promise<void> => {
    for (const value of values) await tx.send(value)
    await turns(REST)
  }
  return { tx, run, log, give }
}
