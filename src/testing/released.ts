/** The check at the end of a test: nothing is left of what it used. */
import { demand } from '../errors.ts'
import { platformModule } from './platform.ts'

/** What is left of a thing, in words; nothing where it has been let go. The ESM and CommonJS builds know each other's. */
export const LEFT: unique symbol = /* @__PURE__ */ Symbol.for('sluice/testing left')

export interface Watched {
  [LEFT](): string[]
}

/** What `expectReleased` can look at: a script, a virtual time, a gauge, a channel's handle, an abort signal. */
export type Releasable =
  | AbortSignal
  | { readonly delivered: number; readonly released: number }
  | { readonly pending: number; restore(): void }
  | { readonly calls: number; readonly inFlight: number }
  | { readonly name: string; readonly closed: boolean }

/**
 * Throws an `Error` that lists what is left of the things given:
 *
 * - a `script` that was opened and neither came to its end nor was released, or was released twice,
 * - a `virtualTime` with timers that wait,
 * - a `gauge` with calls in flight,
 * - a sender or receiver that is not closed,
 * - an `AbortSignal` that somebody still listens to (in Node, Bun and Deno).
 *
 * To be called when the run has settled: by then all of it must be gone.
 *
 * @throws Error where anything is left. TypeError for anything else.
 * @example
 * import { pipeline, source, take } from 'sluice'
 * import { expectReleased, script } from 'sluice/testing'
 *
 * const input = script([1, 2, 3])
 * const { signal } = new AbortController()
 * await pipeline(source(input), take(2)).run({ signal }) // => [1, 2]
 * expectReleased(input, signal)
 *
 * await input[Symbol.asyncIterator]().next()
 * expectReleased(input) // => throws Error: Expected release: nothing may be left, got: reading 2
 */
export function expectReleased(...things: Releasable[]): void {
  const left = things.flatMap(leftOf)
  if (left.length > 0) throw new Error(`Expected release: nothing may be left, got: ${left.join(', ')}`)
}

function leftOf(thing: Releasable): string[] {
  if (Object(thing) === thing) {
    if (LEFT in thing) return (thing as Watched)[LEFT]()
    if ('aborted' in thing) return listenersOf(thing)
    if ('closed' in thing) return thing.closed ? [] : [`handle of channel "${thing.name}" open`]
  }
  const wanted = 'a script, a virtual time, a gauge, a handle of a channel or an AbortSignal'
  demand(false, 'expect release', 'thing', wanted, thing, TypeError)
  return []
}

interface Events {
  getEventListeners(target: EventTarget, type: string): { handler?: unknown }[]
}

function listenersOf(signal: AbortSignal): string[] {
  const events = platformModule<Events>('node:events')
  if (!events)
    throw new Error('Cannot expect release: the platform must tell its abort listeners, this one does not')
  // `onabort = null` leaves one in Node that calls nobody.
  const { length } = events.getEventListeners(signal, 'abort').filter(({ handler }) => handler !== null)
  return length === 0 ? [] : [`${length} abort listener${length === 1 ? '' : 's'} on a signal`]
}
