/** Checks of lists of columns, of which there may be a hundred thousand: to search the list for each takes the square. */
import { isWellFormed } from './well-formed.ts'

/** The first name that was there before. */
export function twiceIn(names: readonly string[]): string | undefined {
  const seen = new Set<string>()
  return names.find((name) => seen.size === seen.add(name).size)
}

/** The first name that is not among the columns. */
export function missingIn(columns: readonly string[], names: readonly string[]): string | undefined {
  const known = new Set(columns)
  return names.find((name) => !known.has(name))
}

/** Whether it is a text for a database: of half of a character would come U+FFFD, and a NUL may end it. */
export const isWhole = (text: string): boolean => isWellFormed(text) && !text.includes('\0')

/** Whether it can name a column or a table. */
export const isName = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && isWhole(value)
