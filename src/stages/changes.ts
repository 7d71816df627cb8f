/**
 * Only what is new: `distinct` and `changes`, which differ in how much they remember.
 *
 * Two keys are the same if a `Set` would say so: `NaN` is itself, 0 and -0 are one. Keys are judged in the order of the
 * values, however many calls are in flight.
 */
import { Calls, type Family } from '../pipeline/calls.ts'
import { special } from '../pipeline/results.ts'
import { callOf, type CallOptions, type Fn } from '../pipeline/retry.ts'
import { type Kernel, part, type Port, type Stage } from '../pipeline/stage.ts'

/** Whether a key is new; remembers it. */
type Judge = (key: unknown) => boolean

/** Where the value is its own key, it is taken as it is, be it a promise. */
function judging<T>(port: Port<T, T>, isNew: Judge): Kernel<T, T> {
  port.replaces = true
  return {
    run(port) {
      const { items, out, end, room } = port
      let { at, count } = port
      for (; at < end && count < room; at++) {
        const value = items[at]
        if (isNew(value)) out[count++] = value
      }
      port.at = at
      port.count = count
    },
  }
}

function judgingKeys<T>(isNew: Judge): Family<T, unknown, T> {
  return {
    replaces: true,
    inOrder: true,
    worth: () => 1,
    loop(port, fn, offset) {
      const { items, out, context, room } = port
      let { at, count } = port
      try {
        for (; at < port.end && count < room; at++) {
          const value = items[at]
          const key = fn(value, offset + at, context)
          if (special(key)) return key
          if (isNew(key)) out[count++] = value
        }
      } finally {
        port.at = at
        port.count = count
      }
      return undefined
    },
    emit(port, { value, result }) {
      // Asked only when there is room, since it remembers.
      if ((port.full = port.count >= port.room)) return false
      if (isNew(result)) port.out[port.count++] = value
      return true
    },
  }
}

function fresh<T>(
  make: string,
  judge: () => Judge,
  key: Fn<T, unknown> | undefined,
  options: CallOptions<NoInfer<T>>,
): Stage<T, T> {
  const call = callOf(make, key === undefined ? judge : key, options, 'key')
  return part('stage', make, options, {
    kernel: (port) =>
      key === undefined ? judging(port, judge()) : new Calls(port, judgingKeys<T>(judge()), key, call),
  })
}

/**
 * Passes on each value whose key has not been seen before: what `key` gives, or the value itself.
 *
 * - Remembers every key, as a `Set` does. Where keys never end, memory grows without end: `changes` remembers one.
 * - Keys are judged in the order of the values, whatever `ordered` says.
 *
 * Ordered. Concurrency 1 unless told otherwise. Holds at most `concurrency` values, and all keys. On error: fails, or
 * follows `retry` and `onError`.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * import { distinct, pipeline, source } from 'sluice'
 *
 * await pipeline(
 *   source(['apple', 'avocado', 'banana', 'apple']),
 *   distinct((word) => word[0]),
 * ).run() // => ['apple', 'banana']
 */
export function distinct<T>(key?: Fn<NoInfer<T>, unknown>, options?: CallOptions<NoInfer<T>>): Stage<T, T>
export function distinct<T>(key?: Fn<T, unknown>, options?: CallOptions<NoInfer<T>>): Stage<T, T>
export function distinct<T>(key?: Fn<T, unknown>, options: CallOptions<NoInfer<T>> = {}): Stage<T, T> {
  return fresh('distinct', everSeen, key, options)
}

function everSeen(): Judge {
  const seen = new Set<unknown>()
  return (key) => {
    const before = seen.size
    return seen.add(key).size > before
  }
}

/**
 * Passes on each value whose key differs from that of the value before it: what `key` gives, or the value itself.
 *
 * - Keys are compared as in a `Set`, and judged in the order of the values, whatever `ordered` says.
 *
 * Ordered. Concurrency 1 unless told otherwise. Holds at most `concurrency` values, and one key. On error: fails, or
 * follows `retry` and `onError`.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * import { changes, pipeline, source } from 'sluice'
 *
 * await pipeline(source([1, 1, 2, 2, 1]), changes()).run() // => [1, 2, 1]
 */
export function changes<T>(key?: Fn<NoInfer<T>, unknown>, options?: CallOptions<NoInfer<T>>): Stage<T, T>
export function changes<T>(key?: Fn<T, unknown>, options?: CallOptions<NoInfer<T>>): Stage<T, T>
export function changes<T>(key?: Fn<T, unknown>, options: CallOptions<NoInfer<T>> = {}): Stage<T, T> {
  return fresh('changes', lastSeen, key, options)
}

function lastSeen(): Judge {
  // Equal to no key.
  let last: unknown = lastSeen
  return (key) => {
    const same = key === last || (key !== key && last !== last)
    last = key
    return !same
  }
}
