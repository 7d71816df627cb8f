/**
 * The two ways a wait is given up from outside: time and `AbortSignal`.
 *
 * One listener serves all waits on one signal. A listener each would warn after ten, and adding one is linear in
 * those already there, so that 100,000 waits on one signal would be quadratic.
 */

/** Longer delays make `setTimeout` fire at once. */
const LONGEST = 2 ** 31 - 1

/**
 * `setTimeout` for any number of milliseconds; `Infinity` never fires. One that only `watches` does not hold the process.
 * Returns what stops it.
 */
export function startTimer(ms: number, fire: () => void, watches = false): () => void {
  let timer: (ReturnType<typeof setTimeout> & { unref?(): void }) | undefined
  const start = (left: number): void => {
    timer = setTimeout(left > LONGEST ? start : fire, Math.min(left, LONGEST), left - LONGEST)
    if (watches) timer.unref?.()
  }
  if (ms < Infinity) start(ms)
  return () => clearTimeout(timer)
}

type Listener = (reason: unknown) => void

/** All who wait on one signal. */
const waiting = /* @__PURE__ */ new WeakMap<EventTarget, Set<Listener>>()

function tellAll({ target }: Event): void {
  for (const listener of waiting.get(target!)!) listener((target as AbortSignal).reason)
}

/** Calls `listener` with the reason when `signal` aborts. Returns what takes the listener back. */
export function onAbort(signal: AbortSignal, listener: Listener): () => void {
  const listeners = waiting.get(signal) ?? new Set()
  waiting.set(signal, listeners.add(listener))
  // It is added once, however often this is called.
  signal.addEventListener('abort', tellAll, { once: true })
  return () => {
    if (listeners.delete(listener) && listeners.size === 0) signal.removeEventListener('abort', tellAll)
  }
}
