/**
 * The loops that call a user's function over a chunk: the hottest lines of the package. loops.ts makes copies of this
 * file.
 *
 * Eight values a round, since a round of one costs nearly twice as much; and `typeof` stands here, because a call of
 * `special` is checked at each result even where it is inlined (bench: cheap-stages, 2.0 → 1.2 ns per call).
 * `port.end` becomes 0 when the function has ended its own stage: no value is called for after that.
 */
import type { Keep, Loop } from './loops.ts'
import { special } from './results.ts'

export const loop: Record<Keep, Loop> = {
  result(port, fn, offset) {
    const { items, out, context } = port
    let { at, count } = port
    const ahead = count - at
    let result
    try {
      const stop = Math.min(port.end, at + port.room - count)
      // Results stand where their values stood: one place to check instead of two.
      while (at + 7 < stop && ahead === 0 && items === out) {
        result = fn(items[at], offset + at, context)
        if (typeof result === 'object' && special(result)) return result
        out[at++] = result
        if (port.end === 0) return
        result = fn(items[at], offset + at, context)
        if (typeof result === 'object' && special(result)) return result
        out[at++] = result
        if (port.end === 0) return
        result = fn(items[at], offset + at, context)
        if (typeof result === 'object' && special(result)) return result
        out[at++] = result
        if (port.end === 0) return
        result = fn(items[at], offset + at, context)
        if (typeof result === 'object' && special(result)) return result
        out[at++] = result
        if (port.end === 0) return
        result = fn(items[at], offset + at, context)
        if (typeof result === 'object' && special(result)) return result
        out[at++] = result
        if (port.end === 0) return
        result = fn(items[at], offset + at, context)
        if (typeof result === 'object' && special(result)) return result
        out[at++] = result
        if (port.end === 0) return
        result = fn(items[at], offset + at, context)
        if (typeof result === 'object' && special(result)) return result
        out[at++] = result
        if (port.end === 0) return
        result = fn(items[at], offset + at, context)
        if (typeof result === 'object' && special(result)) return result
        out[at++] = result
        if (port.end === 0) return
      }
      while (at < stop) {
        result = fn(items[at], offset + at, context)
        if (typeof result === 'object' && special(result)) return result
        out[at + ahead] = result
        at++
        if (port.end === 0) return
      }
    } finally {
      port.at = at
      port.count = at + ahead
    }
  },

  passed(port, fn, offset) {
    const { items, out, context } = port
    let { at, count } = port
    let value
    let result
    try {
      // What does not pass leaves its room to others.
      for (let stop; (stop = Math.min(port.end, at + port.room - count)) > at;) {
        while (at + 7 < stop) {
          value = items[at]
          result = fn(value, offset + at, context)
          if (typeof result === 'object' && special(result)) return result
          if (result) out[count++] = value
          at++
          if (port.end === 0) return
          value = items[at]
          result = fn(value, offset + at, context)
          if (typeof result === 'object' && special(result)) return result
          if (result) out[count++] = value
          at++
          if (port.end === 0) return
          value = items[at]
          result = fn(value, offset + at, context)
          if (typeof result === 'object' && special(result)) return result
          if (result) out[count++] = value
          at++
          if (port.end === 0) return
          value = items[at]
          result = fn(value, offset + at, context)
          if (typeof result === 'object' && special(result)) return result
          if (result) out[count++] = value
          at++
          if (port.end === 0) return
          value = items[at]
          result = fn(value, offset + at, context)
          if (typeof result === 'object' && special(result)) return result
          if (result) out[count++] = value
          at++
          if (port.end === 0) return
          value = items[at]
          result = fn(value, offset + at, context)
          if (typeof result === 'object' && special(result)) return result
          if (result) out[count++] = value
          at++
          if (port.end === 0) return
          value = items[at]
          result = fn(value, offset + at, context)
          if (typeof result === 'object' && special(result)) return result
          if (result) out[count++] = value
          at++
          if (port.end === 0) return
          value = items[at]
          result = fn(value, offset + at, context)
          if (typeof result === 'object' && special(result)) return result
          if (result) out[count++] = value
          at++
          if (port.end === 0) return
        }
        while (at < stop) {
          value = items[at]
          result = fn(value, offset + at, context)
          if (typeof result === 'object' && special(result)) return result
          if (result) out[count++] = value
          at++
          if (port.end === 0) return
        }
      }
    } finally {
      port.at = at
      port.count = count
    }
  },

  value(port, fn, offset) {
    const { items, out, context, room } = port
    let { at, count } = port
    try {
      for (; at < port.end && count < room; at++) {
        const value = items[at]
        const result = fn(value, offset + at, context)
        if (typeof result === 'object' && special(result)) return result
        out[count++] = value
      }
    } finally {
      port.at = at
      port.count = count
    }
  },

  nothing(port, fn, offset) {
    const { items, context } = port
    let { at } = port
    try {
      for (; at < port.end; at++) {
        const result = fn(items[at], offset + at, context)
        if (typeof result === 'object' && special(result)) return result
      }
    } finally {
      port.at = at
    }
  },
}
