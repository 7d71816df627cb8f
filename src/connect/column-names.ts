/** Which properties of a row are columns, where these are learnt from the first rows: by names whose case does not count. */

import type { SinkContext } from './chunk-sink.ts'
import { isWhole } from './names.ts'

/** From how many rows the columns are learnt. */
export const SAMPLE = 1000

/** What is known of the columns so far. */
export interface KnownColumns {
  /** Those that are written, by name. */
  readonly learnt: ReadonlyMap<string, unknown>
  /** Those of the table, where it is there. */
  readonly existing: readonly string[] | undefined
  /** No more are learnt. */
  readonly fixed: boolean
}

/**
 * The row by the names of the columns as they were learnt. Throws for a property that is no column: it would be lost. So
 * would one of two that are the same column.
 */
export function byColumns<R extends object>(row: R, { learnt, existing, fixed }: KnownColumns): R {
  const names = Object.keys(row)
  if (names.every((name) => learnt.has(name))) return row
  const columns = existing && new Set(existing.map(folded))
  const known = new Map([...learnt.keys()].map((name) => [folded(name), name]))
  const own = new Map<string, string>()
  const entries = names.map((name) => {
    const refuse = (why: string): never => {
      throw new TypeError(`Cannot write column ${JSON.stringify(name)}: ${why}`)
    }
    if (!isWhole(name)) refuse('its name holds half of a character, or NUL')
    const key = folded(name)
    const twin = own.get(key)
    if (twin !== undefined) refuse(`it is the same column as ${JSON.stringify(twin)}`)
    own.set(key, name)
    const column = known.get(key)
    const where = fixed ? `the first ${SAMPLE} rows have` : 'the table has'
    if (column === undefined && (fixed || columns?.has(key) === false))
      refuse(`${where} no such column: say in "columns" what is to be written`)
    return [column ?? name, row[name as keyof R]] as const
  })
  return Object.fromEntries(entries) as R
}

/** Of rows without a column there is nothing to make a table of, nor anything to be written. */
export async function refuseRows(rows: readonly object[], context: SinkContext): Promise<void> {
  for (const row of rows) await context.failed(row, new TypeError('Cannot write a row without columns'))
}

/** SQLite and DuckDB know columns by names whose letters of ASCII may be large or small; all others are as they are. */
export function folded(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}
