/**
 * The loop that calls a user's function over a chunk: the hottest lines of the package, eight times.
 *
 * An engine notes at each place of the source what was called there. Where one place calls the functions of all
 * stages, it can inline none of them, and a call costs more than all else in a cheap stage. So each function gets a
 * copy of its own; the ninth shares one. The functions that one place of a program makes share a copy, told by their
 * text, as they share the engine's notes (bench: cheap-stages, 21 ns per value with one copy, 11 with eight).
 *
 * Rejected: making copies with `new Function`, which is not allowed on many pages and runs into minifiers.
 */
import type { Fn } from './retry.ts'
import { late } from './scheduler.ts'
import type { Port } from './stage.ts'

/** What a stage puts out for a value: the function's result, the value, the value where the result is true, nothing. */
export type Keep = 'result' | 'value' | 'passed' | 'nothing'

/**
 * Calls `fn` over the input up to `port.end`; there is room for all of it. Stops at the first result that is not for
 * a loop, with `port.at` on its value, and returns it.
 */
export type Loop = (
  port: Port<unknown, unknown>,
  fn: Fn<unknown, unknown>,
  offset: number,
  keep: Keep,
) => unknown

/** The result of a call whose value is dropped. */
export const SKIPPED: object = /* @__PURE__ */ Object.freeze({})

/** Whether a result must be waited for or dropped. */
export function special(result: unknown): boolean {
  return isThenable(result) || result === SKIPPED
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function'
  )
}

const loops: readonly Loop[] = [
  (port, fn, offset, keep) => {
    const { items, out, context } = port
    let { at, count } = port
    try {
      for (; at < port.end; at++) {
        if ((at & 63) === 63 && late()) port.end = at + 1
        const value = items[at]
        const result = fn(value, offset + at, context)
        if (special(result)) return result
        if (keep === 'result') out[count++] = result
        else if (keep === 'value' || (keep === 'passed' && result)) out[count++] = value
      }
    } finally {
      port.at = at
      port.count = count
    }
  },
  (port, fn, offset, keep) => {
    const { items, out, context } = port
    let { at, count } = port
    try {
      for (; at < port.end; at++) {
        if ((at & 63) === 63 && late()) port.end = at + 1
        const value = items[at]
        const result = fn(value, offset + at, context)
        if (special(result)) return result
        if (keep === 'result') out[count++] = result
        else if (keep === 'value' || (keep === 'passed' && result)) out[count++] = value
      }
    } finally {
      port.at = at
      port.count = count
    }
  },
  (port, fn, offset, keep) => {
    const { items, out, context } = port
    let { at, count } = port
    try {
      for (; at < port.end; at++) {
        if ((at & 63) === 63 && late()) port.end = at + 1
        const value = items[at]
        const result = fn(value, offset + at, context)
        if (special(result)) return result
        if (keep === 'result') out[count++] = result
        else if (keep === 'value' || (keep === 'passed' && result)) out[count++] = value
      }
    } finally {
      port.at = at
      port.count = count
    }
  },
  (port, fn, offset, keep) => {
    const { items, out, context } = port
    let { at, count } = port
    try {
      for (; at < port.end; at++) {
        if ((at & 63) === 63 && late()) port.end = at + 1
        const value = items[at]
        const result = fn(value, offset + at, context)
        if (special(result)) return result
        if (keep === 'result') out[count++] = result
        else if (keep === 'value' || (keep === 'passed' && result)) out[count++] = value
      }
    } finally {
      port.at = at
      port.count = count
    }
  },
  (port, fn, offset, keep) => {
    const { items, out, context } = port
    let { at, count } = port
    try {
      for (; at < port.end; at++) {
        if ((at & 63) === 63 && late()) port.end = at + 1
        const value = items[at]
        const result = fn(value, offset + at, context)
        if (special(result)) return result
        if (keep === 'result') out[count++] = result
        else if (keep === 'value' || (keep === 'passed' && result)) out[count++] = value
      }
    } finally {
      port.at = at
      port.count = count
    }
  },
  (port, fn, offset, keep) => {
    const { items, out, context } = port
    let { at, count } = port
    try {
      for (; at < port.end; at++) {
        if ((at & 63) === 63 && late()) port.end = at + 1
        const value = items[at]
        const result = fn(value, offset + at, context)
        if (special(result)) return result
        if (keep === 'result') out[count++] = result
        else if (keep === 'value' || (keep === 'passed' && result)) out[count++] = value
      }
    } finally {
      port.at = at
      port.count = count
    }
  },
  (port, fn, offset, keep) => {
    const { items, out, context } = port
    let { at, count } = port
    try {
      for (; at < port.end; at++) {
        if ((at & 63) === 63 && late()) port.end = at + 1
        const value = items[at]
        const result = fn(value, offset + at, context)
        if (special(result)) return result
        if (keep === 'result') out[count++] = result
        else if (keep === 'value' || (keep === 'passed' && result)) out[count++] = value
      }
    } finally {
      port.at = at
      port.count = count
    }
  },
  (port, fn, offset, keep) => {
    const { items, out, context } = port
    let { at, count } = port
    try {
      for (; at < port.end; at++) {
        if ((at & 63) === 63 && late()) port.end = at + 1
        const value = items[at]
        const result = fn(value, offset + at, context)
        if (special(result)) return result
        if (keep === 'result') out[count++] = result
        else if (keep === 'value' || (keep === 'passed' && result)) out[count++] = value
      }
    } finally {
      port.at = at
      port.count = count
    }
  },
]

const taken = /* @__PURE__ */ new Map<string, Loop>()

/** The copy for `fn`. */
export function loopFor(fn: unknown): Loop {
  const text = String(fn)
  const loop = taken.get(text) ?? loops[taken.size % loops.length]
  if (taken.size < 1000) taken.set(text, loop)
  return loop
}
