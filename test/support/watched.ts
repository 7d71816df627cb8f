// A promise under observation: what became of it can be read at any time without waiting for it, and its
// rejection counts as handled. With `settled()` a test says "everything that can happen now has happened",
// which needs no sleep and no clock.

/** Taken before any test installs fake timers. */
const nextTurn = setImmediate

/** Waits until every microtask, and whatever those queue, has run. Time does not pass. */
export function settled(): Promise<void> {
  return new Promise((resolve) => nextTurn(resolve))
}

export interface Watched<T> {
  state: 'pending' | 'fulfilled' | 'rejected'
  value: T | undefined
  reason: unknown
}

/** Follows `promise`; each entry of `log` is the label of a watched promise, in order of settlement. */
export function watch<T>(promise: Promise<T>, log?: string[], label = ''): Watched<T> {
  const watched: Watched<T> = { state: 'pending', value: undefined, reason: undefined }
  promise.then(
    (value) => {
      watched.state = 'fulfilled'
      watched.value = value
      log?.push(label)
    },
    (reason: unknown) => {
      watched.state = 'rejected'
      watched.reason = reason
      log?.push(label)
    },
  )
  return watched
}

/** What `call` throws or its promise rejects with; an error when it does neither. */
export async function failureOf(call: () => unknown): Promise<unknown> {
  try {
    await call()
  } catch (reason) {
    return reason
  }
  throw new Error('expected a failure, but nothing was thrown and nothing rejected')
}
