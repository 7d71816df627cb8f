/**
 * What the core tells, and what telemetry calls it. Names follow the semantic conventions of OpenTelemetry: namespaces
 * with dots, no plural, no unit in a name.
 */
import type { Execution } from '../../pipeline/run.ts'
import { isNamed, nameOf } from '../outcome.ts'

/** The message of a run; its stages add `stage` and `id`. What may be missing is only there where it applies. */
export interface RunMessage {
  readonly run: Execution<unknown>
  readonly error?: unknown
  readonly report?: string
}
export interface StageMessage extends RunMessage {
  readonly stage: string
  readonly index: number
  readonly id: string
  readonly fatal?: boolean
}

export const PIPELINE = 'sluice.pipeline.name'
export const STAGE = 'sluice.stage.name'
export const INDEX = 'sluice.stage.index'
/** That of the node in `describe()`. Of spans only: there are as many as a run has branches. */
export const ID = 'sluice.stage.id'
export const BOTTLENECK = 'sluice.run.bottleneck'
export const OUTCOME = 'sluice.run.outcome'
export const STATE = 'sluice.stage.state'
export const REPORT = 'sluice.run.report'
export const ERROR = 'error.type'

/** What the conventions say of an error that has no type. */
const OTHER = '_OTHER'

/** `error.type`: of a failed stage, that of what its function threw. */
export function typeOf(error: unknown): string {
  if (isNamed(error, 'StageError')) return typeOf(error.cause)
  return nameOf(error) || OTHER
}

/** The stage that a run failed at. */
export function culpritOf(error: unknown): string | undefined {
  return isNamed(error, 'StageError') ? (error as Error & { stage?: string }).stage : undefined
}

/** Ended on purpose: that is no error. */
export function isAbort(error: unknown): boolean {
  return isNamed(error, 'AbortError')
}
