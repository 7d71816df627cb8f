/** What the server says, with what was being done: its own error, whose message says more. */

/** Some fields of the errors of `pg`. */
interface Said {
  code?: string
  where?: string
  hint?: string
}

/** The server, or this connection, was ended: by its administrator, by a crash. */
const ENDED = /^57P/

/**
 * The same error; its message begins with what could not be done, and ends with where the server stood. What it calls a
 * line of a COPY is a row, before which `before` others were written.
 */
export function named(error: unknown, action: string, before = 0): unknown {
  if (!(error instanceof Error)) return error
  const prefix = `Cannot ${action}: `
  if (error.message.startsWith('Cannot ')) return error
  const { where, code } = error as Said
  // Where a server that is ended had come to is nobody's fault. What a type or a trigger says of itself stands in front.
  const line = ENDED.test(code ?? '') ? null : /^COPY .+?, line (\d+)/m.exec(where ?? '')
  const row = line && `row ${before + Number(line[1])}${where!.slice(line.index + line[0].length)}`
  const place = row === null ? '' : ` (${row})`
  error.message = prefix + (textOf(error) || error.name) + place
  return error
}

/** A host with many addresses fails with all their errors, and no message of its own. */
function textOf(error: Error): string {
  if (error.message !== '' || !(error instanceof AggregateError)) return error.message
  return error.errors.map((one) => (one as Error).message).join(', ')
}

/** Whether the server has no such table. */
export const isMissingTable = (error: unknown): boolean => (Object(error) as Said).code === '42P01'
/** Whether the server did not understand a statement, or cannot do it. */
export const isRefused = (error: unknown): boolean =>
  ['42601', '0A000'].includes((Object(error) as Said).code ?? '')
/** Whether it needs a transaction, and there is none. */
export const isOutside = (error: unknown): boolean => (Object(error) as Said).code === '25P01'
