/** What connectors make of a value that cannot be read or written: the `onError` of the catalogue. */
import { demand } from '../errors.ts'
import { demandOptions } from './options.ts'
import type { CallFailure, Port } from '../pipeline/stage.ts'

/** What becomes of a value that failed: the stage fails, the value is dropped, or a function is told of it and it is dropped. */
export type OnError<T> = 'fail' | 'skip' | ((failure: CallFailure<T>) => void | PromiseLike<void>)

/** Gives the option, checked. */
export function onErrorOf<T>(make: string, options: { onError?: OnError<T> | undefined }): OnError<T> {
  demandOptions(options, `create ${make}`)
  const { onError = 'fail' } = options
  const known = onError === 'fail' || onError === 'skip' || typeof onError === 'function'
  demand(known, `create ${make}`, 'onError', "'fail', 'skip' or a function", onError, TypeError)
  return onError
}

/** A value that failed for good; `thrown` is what its stage fails with. */
export class Culprit extends Error {
  constructor(
    readonly thrown: unknown,
    readonly culprit: { value: unknown },
  ) {
    super('A value failed')
  }
}

/** What a stage fails with, and the value that is to blame. */
export function culpritOf(error: unknown): {
  thrown: unknown
  culprit?: { value: unknown }
} {
  return error instanceof Culprit ? error : { thrown: error }
}

/** Resolves where the stage goes on without the value; otherwise rejects with a `Culprit`. */
export async function recover<T>(
  port: Pick<Port<never, unknown>, 'context' | 'skipped' | 'handlerFailure'>,
  onError: OnError<T>,
  value: T,
  error: unknown,
): Promise<void> {
  const failure = { value, error, stage: port.context.name, attempts: 1 }
  if (onError === 'fail' || !port.skipped(failure)) throw new Culprit(error, { value })
  if (onError === 'skip') return
  try {
    await onError(failure)
  } catch (thrown) {
    throw new Culprit(port.handlerFailure(thrown, error), { value })
  }
}

/** The values that turn out to be bad while a connector is at work. */
export class BadValues<T> {
  #over = false
  #giveUp: (() => void) | undefined

  constructor(readonly onError: OnError<T>) {}

  /** As `recover`; after an abort nobody waits for a handler of the user's. */
  recover(port: Parameters<typeof recover>[0], value: T, error: unknown): Promise<void> {
    if (this.#over) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#giveUp = resolve
      recover(port, this.onError, value, error).then(resolve, reject)
    })
  }

  abort(): void {
    this.#over = true
    this.#giveUp?.()
  }
}
