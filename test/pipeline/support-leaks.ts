/**
 * What a run may leave behind: rejections nobody takes, timers, abort listeners. Each is watched where the
 * platform itself sees it, so that a test does not rest on what the code says about itself.
 */
import { getEventListeners } from 'node:events'
import { expect } from 'vitest'
import { StageError } from 'sluice'
import { rejection, turns } from './support-waiting.ts'

/** The rejections and uncaught errors that nobody took while `work` ran and in the two turns after it. */
export async function unhandledDuring(work: () => Promise<unknown>): Promise<unknown[]> {
  const seen: unknown[] = []
  const see = (error: unknown) => void seen.push(error)
  process.on('unhandledRejection', see)
  try {
    await work()
    await turns(2)
  } finally {
    process.off('unhandledRejection', see)
  }
  return seen
}

/** The process warnings given while `work` ran and in the two turns after it. */
export async function warningsDuring(work: () => Promise<unknown>): Promise<string[]> {
  const seen: string[] = []
  const see = (warning: Error) => void seen.push(`${warning.name}: ${warning.message}`)
  process.on('warning', see)
  try {
    await work()
    await turns(2)
  } finally {
    process.off('warning', see)
  }
  return seen
}

/** How many listeners wait for a signal to abort. */
export const abortListeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length

/**
 * How many timers that were set while `work` ran are still armed at its end, held or not (`unref`).
 * Vitest keeps its own timers apart, so only the work's are seen.
 */
export async function timersLeftBy(work: () => Promise<unknown>): Promise<number> {
  const armed = new Set<unknown>()
  const real = { setTimeout, setInterval, clearTimeout, clearInterval }
  const arm = (set: typeof setTimeout | typeof setInterval, once: boolean) =>
    ((callback: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => {
      const timer = set(() => {
        if (once) armed.delete(timer)
        callback(...args)
      }, ms)
      armed.add(timer)
      return timer
    }) as unknown as typeof setTimeout
  const disarm = (timer?: Parameters<typeof clearTimeout>[0]) => {
    armed.delete(timer)
    real.clearTimeout(timer)
  }
  Object.assign(globalThis, {
    setTimeout: arm(real.setTimeout, true),
    setInterval: arm(real.setInterval, false),
    clearTimeout: disarm,
    clearInterval: disarm,
  })
  try {
    await work()
  } finally {
    Object.assign(globalThis, real)
    for (const timer of armed) real.clearTimeout(timer as NodeJS.Timeout)
  }
  return armed.size
}

/** The `StageError` a run rejects with; anything else fails the test. */
export async function stageError(run: PromiseLike<unknown>): Promise<StageError> {
  const error = await rejection(run)
  expect(error).toBeInstanceOf(StageError)
  return error as StageError
}
