/**
 * Every error class of the package, and the argument check that writes its messages.
 *
 * Three tiers: misuse throws a `TypeError` or `RangeError` where the thing is built; a channel that is closed or
 * a wait that ran out of time carries the unsent value; a user's own failure becomes a `StageError` that says
 * where it happened. A message is: action, colon, wanted state, actual state, no full stop.
 */

const WHY = { CLOSED: 'it is closed', TIMEOUT: 'the time is up', FULL: 'it is full' }

/** A value that was not sent. `value` is that value, nothing is lost. */
export class SendError<T> extends Error {
  override readonly name = 'SendError'
  constructor(
    readonly code: 'CLOSED' | 'TIMEOUT' | 'FULL',
    readonly value: T,
    channel: string,
    options?: ErrorOptions,
  ) {
    super(`Cannot send on channel "${channel}": ${WHY[code]}`, options)
  }
}

/** A receive that brought no value: the channel has ended (`CLOSED`) or the time was up (`TIMEOUT`). */
export class RecvError extends Error {
  override readonly name = 'RecvError'
  constructor(
    readonly code: 'CLOSED' | 'TIMEOUT',
    channel: string,
  ) {
    super(`Cannot receive on channel "${channel}": ${WHY[code]}`)
  }
}

/**
 * The event loop ran dry while something still waited: it can never settle. The message says who holds what; that of a run
 * has as its `cause` what had failed before.
 */
export class DeadlockError extends Error {
  override readonly name = 'DeadlockError'
}

/** A stage of a pipeline failed. `cause` is what it threw, `suppressed` what else failed in the same run. */
export class StageError extends Error {
  override readonly name = 'StageError'
  declare readonly cause: unknown
  /** The value whose processing failed; the property is missing where no single value did it. */
  declare readonly value?: unknown
  readonly suppressed: unknown[] = []
  constructor(
    readonly stage: string,
    readonly index: number,
    cause: unknown,
    culprit?: { value: unknown },
  ) {
    super(`Stage "${stage}" failed: ${messageOf(cause)}`, { cause })
    if (culprit) this.value = culprit.value
  }
}

/** Anything can be thrown, even what throws when it is looked at. */
function messageOf(cause: unknown): string {
  try {
    // An error of another realm, as those of Node are in Jest, is no `Error` of this one.
    const { message } = Object(cause) as Partial<Error>
    return typeof message === 'string' ? message || String(cause) : show(cause)
  } catch {
    return 'with an error that cannot be shown'
  }
}

/** `stop({ deadline })` ran out of time: `stages` names those that were still busy, `cause` is what had failed before. */
export class DrainTimeoutError extends Error {
  override readonly name = 'DrainTimeoutError'
  constructor(
    readonly stages: string[],
    deadline: number,
    options?: { cause: unknown },
  ) {
    super(`Cannot drain in ${deadline} ms: still busy: ${stages.join(', ')}`, options)
  }
}

/** How a wrong argument is shown in a message. */
function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  return Object(value) === value ? {}.toString.call(value).slice(8, -1) : String(value)
}

/** Throws `Cannot <action>: "<option>" must be <wanted>, got <value>` unless `ok`. */
export function demand(
  ok: unknown,
  action: string,
  option: string,
  wanted: string,
  value: unknown,
  Kind: new (message: string) => Error = RangeError,
): asserts ok {
  if (!ok) throw new Kind(`Cannot ${action}: "${option}" must be ${wanted}, got ${show(value)}`)
}

/** `demand` for counts: an integer of at least `least`, or `Infinity`. */
export function demandCount(
  value: number,
  action: string,
  option: string,
  least: number,
  endless = false,
): void {
  demand(
    (Number.isInteger(value) && value >= least) || (endless && value === Infinity),
    action,
    option,
    `an integer >= ${least}${endless ? ' or Infinity' : ''}`,
    value,
  )
}

/** `demand` for times in milliseconds: zero or more, `Infinity` included. */
export function demandTime(value: number, action: string, option: string): void {
  demand(typeof value === 'number' && value >= 0, action, option, 'a number of milliseconds >= 0', value)
}

/** `demand` for numbers that need not be integers: only numbers, not what can be turned into one. */
export function demandNumber(
  value: unknown,
  action: string,
  option: string,
  wanted: string,
  fits: (value: number) => boolean,
): void {
  demand(typeof value === 'number' && fits(value), action, option, wanted, value)
}

/** `demand` for what holds the options. */
export function demandOptions(value: unknown, action: string): void {
  const ok = typeof value === 'object' && value !== null
  demand(ok, action, 'options', 'an object', value, TypeError)
}

/** `demand` for names. */
export function demandName(value: unknown, action: string): void {
  demand(typeof value === 'string', action, 'name', 'a string', value, TypeError)
}

/** `demand` for a signal, which may be missing. */
export function demandSignal(value: unknown, action: string): void {
  const { addEventListener } = Object(value) as Partial<AbortSignal>
  const ok = (value ?? undefined) === undefined || typeof addEventListener === 'function'
  demand(ok, action, 'signal', 'an AbortSignal', value, TypeError)
}

/** `demand` for functions. */
export function demandFunction(value: unknown, action: string, option = 'fn'): void {
  demand(typeof value === 'function', action, option, 'a function', value, TypeError)
}
