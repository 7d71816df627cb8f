/** How a run has come to its end, for all who tell of it. */

/** `failed`: by itself. `aborted`: by whoever runs it. */
export type Outcome = 'completed' | 'failed' | 'aborted'

/** What the last event of a run tells, or of a job, which says itself whether it was aborted. */
export interface Ending {
  readonly error?: unknown
  readonly aborted?: boolean
}

export function outcomeOf(ending: Ending): Outcome {
  // Anything can be the reason of an abort, `undefined` too.
  if (!('error' in ending)) return 'completed'
  // What neither a stage nor a hang did was done to the run.
  const { error, aborted = !isNamed(error, 'StageError', 'DeadlockError') } = ending
  return aborted ? 'aborted' : 'failed'
}

/** Told by name: an entry has no copy of the classes of the core. */
export function isNamed(error: unknown, ...names: string[]): error is Error {
  return names.includes(nameOf(error))
}

/** Empty for what is no error. Anything can be thrown, even what throws when it is looked at. */
export function nameOf(error: unknown): string {
  try {
    return error instanceof Error ? String(error.name) : ''
  } catch {
    return ''
  }
}
