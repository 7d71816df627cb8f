/** What the functions of a stage are given, and how their handlers fail. */
import { builtin } from './builtin.ts'
import type { StageContext } from './stage.ts'

/** The context of a stage's functions. Most never ask for the signal, so it is made when they do. */
export class Context implements StageContext {
  #controller: AbortController | undefined
  #reason: { reason: unknown } | undefined
  /** Stops the timers of the calls, for good: the run waits for none of them any more. */
  stopTimers: (() => void) | undefined

  constructor(readonly name: string) {}

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      // All calls in flight share it: ten that listen are no leak.
      try {
        builtin('node:events')?.setMaxListeners(0, this.#controller.signal)
      } catch {
        // Not Node's own, as in the DOM of a test: it does not warn.
      }
      if (this.#reason) this.#controller.abort(this.#reason.reason)
    }
    return this.#controller.signal
  }

  abort(reason: unknown): void {
    if (this.#reason) return
    this.#reason = { reason }
    this.#controller?.abort(reason)
  }

  /** Whether `error` is only the echo of our own abort. */
  caused(error: unknown): boolean {
    return this.#reason !== undefined && (error === this.#reason.reason || has(error, 'name', 'AbortError'))
  }
}

/** Whether a property of an error is `value`. Anything can be thrown, even what throws when it is looked at. */
export function has(error: unknown, property: 'name' | 'code', value: string): boolean {
  try {
    return (error as Record<string, unknown> | null | undefined)?.[property] === value
  } catch {
    return false
  }
}

/** An `onError` that threw, and the error it was called for. */
export class HandlerFailure {
  constructor(
    readonly thrown: unknown,
    readonly handled: unknown,
  ) {}

  static is(error: unknown): error is HandlerFailure {
    // Looks at nothing of it: what a function threw may be a proxy.
    return #own in Object(error)
  }
  readonly #own = true
}
