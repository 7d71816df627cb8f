/**
 * The two ways a wait is given up from outside: time and `AbortSignal`.
 *
 * One listener serves all waits on one signal. A listener each would warn after ten, and adding one is linear in
 * those already there, so that 100,000 waits on one signal would be quadratic.
 */

/** Longer delays make `setTimeout` fire at once. */
const LONGEST = 2 ** 31 - 1

/** `setTimeout` for any number of milliseconds; `Infinity` never fires. Returns what stops it. */
export function startTimer(ms: number, fire: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined
  const start = (left: number): void => {
    if (left > LONGEST) timer = setTimeout(start, LONGEST, left - LONGEST)
    else timer = setTimeout(fire, left)
  }
  if (ms < Infinity) start(ms)
  return () => clearTimeout(timer)
}

type Listener = (reason: unknown) => void

/** All who wait on one signal, and the one listener on it while there are any. */
class Hub extends Set<Listener> {
  handleEvent({ target }: { target: unknown }): void {
    for (const listener of this) listener((target as AbortSignal).reason)
  }
}
const hubs = /* @__PURE__ */ new WeakMap<AbortSignal, Hub>()

/** Calls `listener` with the reason when `signal` aborts. Returns what takes the listener back. */
export function onAbort(signal: AbortSignal, listener: Listener): () => void {
  const hub = hubs.get(signal) ?? new Hub()
  if (hub.size === 0) {
    hubs.set(signal, hub)
    signal.addEventListener('abort', hub, { once: true })
  }
  hub.add(listener)
  return () => {
    if (hub.delete(listener) && hub.size === 0) signal.removeEventListener('abort', hub)
  }
}
