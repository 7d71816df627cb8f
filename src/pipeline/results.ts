/** What a user's function may give instead of a plain result. */

/** The result of a call whose value is dropped. */
export const SKIPPED: object = /* @__PURE__ */ Object.freeze({})

/** Whether a result must be waited for or dropped. */
export function special(result: unknown): boolean {
  return typeof result === 'object' && (result === SKIPPED || isThenable(result))
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function'
  )
}

/** A promise of `value` that calls back once, and later: not each does that has a `then` of its own. */
export function promised<T>(value: T | PromiseLike<T>): Promise<T> {
  const promise = Promise.resolve(value)
  return promise.then === Promise.prototype.then ? promise : new Promise((resolve) => resolve(promise))
}
