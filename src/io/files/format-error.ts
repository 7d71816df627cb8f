/** What is said of input that is not what it should be. */

/** Where something stands in a file: all count from 1. */
export interface Place {
  file: string
  line: number
  /** In characters. */
  column: number
}

/**
 * A row or a line that cannot be read. It is the `cause` of the `StageError` where the stage fails, and the `error` that
 * `onError` is told; the `value` there is the text of the row.
 */
export class FormatError extends Error {
  override readonly name = 'FormatError'
  readonly file: string
  readonly line: number
  readonly column: number

  constructor({ file, line, column }: Place, what: string, options?: ErrorOptions) {
    super(`${file}:${line}:${column}: ${what}`, options)
    this.file = file
    this.line = line
    this.column = column
  }
}

/** A text as a message shows it. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text)
}
