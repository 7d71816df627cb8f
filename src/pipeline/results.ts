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
