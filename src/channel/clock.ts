/**
 * The two ways a wait is given up from outside: time and `AbortSignal`.
 *
 * One listener serves all waits on one signal. A listener each would warn after ten, and adding one is linear in
 * those already there, so that 100,000 waits on one signal would be quadratic.
 */

/** Longer delays make `setTimeout` fire at once. */
const LONGEST = 2 ** 31 - 1
const nothing = (): void => {}

/** `setTimeout` for any number of milliseconds; `Infinity` never fires. Returns what stops it. */
export function startTimer(ms: number, fire: () => void): () => void {
  if (ms === Infinity) return nothing
  let timer: ReturnType<typeof setTimeout>
  const start = (left: number): void => {
    timer = left > LONGEST ? setTimeout(() => start(left - LONGEST), LONGEST) : setTimeout(fire, left)
  }
  start(ms)
  return () => clearTimeout(timer)
}

type Listener = (reason: unknown) => void

/** The one listener on a signal, and all who wait on it. It leaves with the last of them. */
class Hub {
  readonly listeners = new Set<Listener>()
  constructor(readonly signal: AbortSignal) {
    signal.addEventListener('abort', this)
    hubs.set(signal, this)
  }
  handleEvent(): void {
    this.#leave()
    for (const listener of this.listeners) listener(this.signal.reason)
  }
  remove(listener: Listener): void {
    if (this.listeners.delete(listener) && this.listeners.size === 0) this.#leave()
  }
  #leave(): void {
    this.signal.removeEventListener('abort', this)
    if (hubs.get(this.signal) === this) hubs.delete(this.signal)
  }
}
const hubs = /* @__PURE__ */ new WeakMap<AbortSignal, Hub>()

/** Calls `listener` with the reason when `signal` aborts. Returns what takes the listener back. */
export function onAbort(signal: AbortSignal, listener: Listener): () => void {
  const hub = hubs.get(signal) ?? new Hub(signal)
  hub.listeners.add(listener)
  return () => hub.remove(listener)
}

/** `promise`, unless the signal aborts first. */
export function orAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  if (signal.aborted) {
    promise.catch(() => {})
    return Promise.reject(signal.reason as Error)
  }
  return new Promise((resolve, reject) => {
    const stopListening = onAbort(signal, reject)
    promise.then(resolve, reject).finally(stopListening)
  })
}
