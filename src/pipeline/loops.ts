/**
 * The loops that call a user's function over a chunk: the hottest lines of the package, each written out several times.
 *
 * An engine notes at each place of the source what was called there. Where one place calls the functions of all
 * stages, it can inline none of them, and a call costs more than all else in a cheap stage. So functions get copies of
 * their loop in turn, and the same function always the same copy, told by its text: what one place of a program makes
 * again and again shares the engine's notes (bench: cheap-stages, 21 ns per value with one copy, 13 with these).
 *
 * Rejected: making copies with `new Function`, which is not allowed on many pages and runs into minifiers; one loop
 * for all kinds with the kind as an argument (3 ns more).
 */
import type { Fn } from './retry.ts'
import type { Port } from './stage.ts'

/** What a stage puts out for a value: the function's result, the value, the value where the result is true, nothing. */
export type Keep = 'result' | 'value' | 'passed' | 'nothing'

/**
 * Calls `fn` over the input up to `port.end`; there is room for all of it. Stops at the first result that is not for
 * a loop, with `port.at` on its value, and returns it.
 */
export type Loop = (port: Port<unknown, unknown>, fn: Fn<unknown, unknown>, offset: number) => unknown

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

const loops: Record<Keep, readonly Loop[]> = {
  result: [
    (port, fn, offset) => {
      const { items, out, context } = port
      let { at, count } = port
      try {
        while (at + 3 < port.end) {
          let result = fn(items[at], offset + at, context)
          if (special(result)) return result
          out[count++] = result
          at++
          if (port.end === 0) return
          result = fn(items[at], offset + at, context)
          if (special(result)) return result
          out[count++] = result
          at++
          if (port.end === 0) return
          result = fn(items[at], offset + at, context)
          if (special(result)) return result
          out[count++] = result
          at++
          if (port.end === 0) return
          result = fn(items[at], offset + at, context)
          if (special(result)) return result
          out[count++] = result
          at++
        }
        for (; at < port.end; at++) {
          const result = fn(items[at], offset + at, context)
          if (special(result)) return result
          out[count++] = result
        }
      } finally {
        port.at = at
        port.count = count
      }
    },
    (port, fn, offset) => {
      const { items, out, context } = port
      let { at, count } = port
      try {
        while (at + 3 < port.end) {
          let result = fn(items[at], offset + at, context)
          if (special(result)) return result
          out[count++] = result
          at++
          if (port.end === 0) return
          result = fn(items[at], offset + at, context)
          if (special(result)) return result
          out[count++] = result
          at++
          if (port.end === 0) return
          result = fn(items[at], offset + at, context)
          if (special(result)) return result
          out[count++] = result
          at++
          if (port.end === 0) return
          result = fn(items[at], offset + at, context)
          if (special(result)) return result
          out[count++] = result
          at++
        }
        for (; at < port.end; at++) {
          const result = fn(items[at], offset + at, context)
          if (special(result)) return result
          out[count++] = result
        }
      } finally {
        port.at = at
        port.count = count
      }
    },
    (port, fn, offset) => {
      const { items, out, context } = port
      let { at, count } = port
      try {
        while (at + 3 < port.end) {
          let result = fn(items[at], offset + at, context)
          if (special(result)) return result
          out[count++] = result
          at++
          if (port.end === 0) return
          result = fn(items[at], offset + at, context)
          if (special(result)) return result
          out[count++] = result
          at++
          if (port.end === 0) return
          result = fn(items[at], offset + at, context)
          if (special(result)) return result
          out[count++] = result
          at++
          if (port.end === 0) return
          result = fn(items[at], offset + at, context)
          if (special(result)) return result
          out[count++] = result
          at++
        }
        for (; at < port.end; at++) {
          const result = fn(items[at], offset + at, context)
          if (special(result)) return result
          out[count++] = result
        }
      } finally {
        port.at = at
        port.count = count
      }
    },
    (port, fn, offset) => {
      const { items, out, context } = port
      let { at, count } = port
      try {
        while (at + 3 < port.end) {
          let result = fn(items[at], offset + at, context)
          if (special(result)) return result
          out[count++] = result
          at++
          if (port.end === 0) return
          result = fn(items[at], offset + at, context)
          if (special(result)) return result
          out[count++] = result
          at++
          if (port.end === 0) return
          result = fn(items[at], offset + at, context)
          if (special(result)) return result
          out[count++] = result
          at++
          if (port.end === 0) return
          result = fn(items[at], offset + at, context)
          if (special(result)) return result
          out[count++] = result
          at++
        }
        for (; at < port.end; at++) {
          const result = fn(items[at], offset + at, context)
          if (special(result)) return result
          out[count++] = result
        }
      } finally {
        port.at = at
        port.count = count
      }
    },
  ],
  passed: [
    (port, fn, offset) => {
      const { items, out, context } = port
      let { at, count } = port
      try {
        while (at + 3 < port.end) {
          let value = items[at]
          let result = fn(value, offset + at, context)
          if (special(result)) return result
          if (result) out[count++] = value
          at++
          if (port.end === 0) return
          value = items[at]
          result = fn(value, offset + at, context)
          if (special(result)) return result
          if (result) out[count++] = value
          at++
          if (port.end === 0) return
          value = items[at]
          result = fn(value, offset + at, context)
          if (special(result)) return result
          if (result) out[count++] = value
          at++
          if (port.end === 0) return
          value = items[at]
          result = fn(value, offset + at, context)
          if (special(result)) return result
          if (result) out[count++] = value
          at++
        }
        for (; at < port.end; at++) {
          const value = items[at]
          const result = fn(value, offset + at, context)
          if (special(result)) return result
          if (result) out[count++] = value
        }
      } finally {
        port.at = at
        port.count = count
      }
    },
    (port, fn, offset) => {
      const { items, out, context } = port
      let { at, count } = port
      try {
        while (at + 3 < port.end) {
          let value = items[at]
          let result = fn(value, offset + at, context)
          if (special(result)) return result
          if (result) out[count++] = value
          at++
          if (port.end === 0) return
          value = items[at]
          result = fn(value, offset + at, context)
          if (special(result)) return result
          if (result) out[count++] = value
          at++
          if (port.end === 0) return
          value = items[at]
          result = fn(value, offset + at, context)
          if (special(result)) return result
          if (result) out[count++] = value
          at++
          if (port.end === 0) return
          value = items[at]
          result = fn(value, offset + at, context)
          if (special(result)) return result
          if (result) out[count++] = value
          at++
        }
        for (; at < port.end; at++) {
          const value = items[at]
          const result = fn(value, offset + at, context)
          if (special(result)) return result
          if (result) out[count++] = value
        }
      } finally {
        port.at = at
        port.count = count
      }
    },
    (port, fn, offset) => {
      const { items, out, context } = port
      let { at, count } = port
      try {
        while (at + 3 < port.end) {
          let value = items[at]
          let result = fn(value, offset + at, context)
          if (special(result)) return result
          if (result) out[count++] = value
          at++
          if (port.end === 0) return
          value = items[at]
          result = fn(value, offset + at, context)
          if (special(result)) return result
          if (result) out[count++] = value
          at++
          if (port.end === 0) return
          value = items[at]
          result = fn(value, offset + at, context)
          if (special(result)) return result
          if (result) out[count++] = value
          at++
          if (port.end === 0) return
          value = items[at]
          result = fn(value, offset + at, context)
          if (special(result)) return result
          if (result) out[count++] = value
          at++
        }
        for (; at < port.end; at++) {
          const value = items[at]
          const result = fn(value, offset + at, context)
          if (special(result)) return result
          if (result) out[count++] = value
        }
      } finally {
        port.at = at
        port.count = count
      }
    },
    (port, fn, offset) => {
      const { items, out, context } = port
      let { at, count } = port
      try {
        while (at + 3 < port.end) {
          let value = items[at]
          let result = fn(value, offset + at, context)
          if (special(result)) return result
          if (result) out[count++] = value
          at++
          if (port.end === 0) return
          value = items[at]
          result = fn(value, offset + at, context)
          if (special(result)) return result
          if (result) out[count++] = value
          at++
          if (port.end === 0) return
          value = items[at]
          result = fn(value, offset + at, context)
          if (special(result)) return result
          if (result) out[count++] = value
          at++
          if (port.end === 0) return
          value = items[at]
          result = fn(value, offset + at, context)
          if (special(result)) return result
          if (result) out[count++] = value
          at++
        }
        for (; at < port.end; at++) {
          const value = items[at]
          const result = fn(value, offset + at, context)
          if (special(result)) return result
          if (result) out[count++] = value
        }
      } finally {
        port.at = at
        port.count = count
      }
    },
  ],
  value: [
    (port, fn, offset) => {
      const { items, out, context } = port
      let { at, count } = port
      try {
        for (; at < port.end; at++) {
          const value = items[at]
          const result = fn(value, offset + at, context)
          if (special(result)) return result
          out[count++] = value
        }
      } finally {
        port.at = at
        port.count = count
      }
    },
    (port, fn, offset) => {
      const { items, out, context } = port
      let { at, count } = port
      try {
        for (; at < port.end; at++) {
          const value = items[at]
          const result = fn(value, offset + at, context)
          if (special(result)) return result
          out[count++] = value
        }
      } finally {
        port.at = at
        port.count = count
      }
    },
  ],
  nothing: [
    (port, fn, offset) => {
      const { items, context } = port
      let { at } = port
      try {
        for (; at < port.end; at++) {
          const result = fn(items[at], offset + at, context)
          if (special(result)) return result
        }
      } finally {
        port.at = at
      }
    },
    (port, fn, offset) => {
      const { items, context } = port
      let { at } = port
      try {
        for (; at < port.end; at++) {
          const result = fn(items[at], offset + at, context)
          if (special(result)) return result
        }
      } finally {
        port.at = at
      }
    },
  ],
}

/** Which function has which copy. */
const taken: Record<Keep, Map<string, Loop>> = {
  result: new Map(),
  passed: new Map(),
  value: new Map(),
  nothing: new Map(),
}

/** The copy for `fn`. */
export function loopFor(keep: Keep, fn: unknown): Loop {
  const text = String(fn)
  const known = taken[keep]
  const loop = known.get(text) ?? loops[keep][known.size % loops[keep].length]
  if (known.size < 1000) known.set(text, loop)
  return loop
}
