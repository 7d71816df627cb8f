/**
 * Waiting without sleeping: the tests wait for turns of the event loop and for facts, never for a span of time.
 */

export interface Deferred<T> {
  promise: Promise<T>
  resolve: (value: T) => void
  reject: (error: unknown) => void
}

/** A promise and the two functions that settle it. */
export function deferred<T = void>(): Deferred<T> {
  let resolve!: (value: T) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}

/** A promise that never settles. */
export const never = (): Promise<never> => new Promise(() => {})

/** Lets `n` turns of the event loop pass; every job that is ready runs in each of them. */
export async function turns(n = 1): Promise<void> {
  for (let turn = 0; turn < n; turn++) await new Promise((resolve) => setImmediate(resolve))
}

const patience = 4_000

/** Waits until `fact` holds, and gives up with an error rather than go round for ever. */
export async function until(fact: () => boolean): Promise<void> {
  const begin = performance.now()
  while (!fact()) {
    if (performance.now() - begin > patience) throw new Error(`waited in vain for ${String(fact)}`)
    await turns()
  }
}

/** Waits until `read` has given the same number for 20 turns: whoever could move it is blocked. */
export async function stable(read: () => number): Promise<number> {
  let last = read()
  for (let quiet = 0; quiet < 20; quiet++) {
    await turns()
    const now = read()
    if (now !== last) quiet = -1
    last = now
  }
  return last
}

export type Outcome<T> = { state: 'resolved'; value: T } | { state: 'rejected'; error: unknown }

/** How a promise ends, as a value, so that a test can look at both ways; it never rejects. */
export function outcome<T>(promise: PromiseLike<T>): Promise<Outcome<T>> {
  return Promise.resolve(promise).then(
    (value): Outcome<T> => ({ state: 'resolved', value }),
    (error: unknown): Outcome<T> => ({ state: 'rejected', error }),
  )
}

/** What a promise rejects with; fails the test if it resolves. */
export async function rejection(promise: PromiseLike<unknown>): Promise<unknown> {
  const end = await outcome(promise)
  if (end.state === 'resolved') throw new Error(`expected a rejection, got ${String(end.value)}`)
  return end.error
}

/** Whether a promise has settled by now: `undefined` is never, it is a fact about this moment. */
export async function settledWithin(promise: PromiseLike<unknown>, n: number): Promise<boolean> {
  let settled = false
  const mark = () => void (settled = true)
  promise.then(mark, mark)
  for (let turn = 0; turn < n && !settled; turn++) await turns()
  return settled
}
