/**
 * Rows of the server as objects, as `client.query` makes them.
 *
 * COPY writes a value with the same function as a query does, so after the escapes are undone the text is the same, and
 * the parsers of `pg` make the same of it. A whole block becomes one string, and values are cut out of it between tabs;
 * where the next backslash is, is known, so that text without one is not searched again.
 */
// Not every runtime has all of it.
import * as buffer from 'node:buffer'
import type { FieldDef } from 'pg'
import { type Cut, cutterOf, type Parse } from './cuts.ts'
import { HEADER } from './frames.ts'

/** A row: the columns by their names. */
export type Row = Record<string, unknown>

const UNESCAPED: Record<string, string> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' }

export class Rows {
  readonly #names: readonly string[]
  readonly #parsers: readonly Parse[]
  readonly #cuts: readonly Cut[]
  /** Every row begins as a copy of it: so all have one shape, and of two columns of one name the last one wins, as in `pg`. */
  readonly #empty: Row
  /** The first backslash of the block that is still ahead. */
  #slash = 0

  constructor(fields: readonly FieldDef[], parserOf: (oid: number) => Parse) {
    this.#names = fields.map(({ name }) => name)
    this.#parsers = fields.map(({ dataTypeID }) => parserOf(dataTypeID))
    this.#cuts = this.#parsers.map(cutterOf)
    const empty = Object.create(null) as Row
    for (const name of this.#names) empty[name] = null
    this.#empty = { ...empty }
  }

  /** One row of a query. */
  row(values: readonly (string | null)[]): Row {
    const row = { ...this.#empty }
    for (let i = 0; i < values.length; i++) {
      const value = values[i]
      row[this.#names[i]] = value === null ? null : this.#parsers[i](value)
    }
    return row
  }

  /** All rows of a block of a COPY, of at least one column. */
  rows(block: Buffer): Row[] {
    // ASCII, which bytes mostly are, takes a tenth of the time.
    const text = block.toString(buffer.isAscii?.(block) ? 'latin1' : 'utf8')
    const rows: Row[] = []
    this.#slash = next(text, 0)
    for (let at = 0; at < text.length;) {
      const row = { ...this.#empty }
      at = this.#fill(row, text, at + HEADER)
      rows.push(row)
    }
    return rows
  }

  /** The columns of one row. Gives where it ends. */
  #fill(row: Row, text: string, at: number): number {
    const names = this.#names
    const cuts = this.#cuts
    const last = names.length - 1
    let slash = this.#slash
    for (let i = 0; i <= last; i++) {
      const end = text.indexOf(i < last ? '\t' : '\n', at)
      if (slash < end) {
        const value = unescape(text, at, end, slash)
        row[names[i]] = value === null ? null : this.#parsers[i](value)
        this.#slash = slash = next(text, end)
      } else row[names[i]] = cuts[i](text, at, end)
      at = end + 1
    }
    return at
  }
}

function next(text: string, at: number): number {
  const slash = text.indexOf('\\', at)
  return slash < 0 ? Infinity : slash
}

/** The value between `at` and `end`, with a backslash at `slash`. */
function unescape(text: string, at: number, end: number, slash: number): string | null {
  if (end - at === 2 && text[at + 1] === 'N') return null
  let value = ''
  while (slash < end) {
    const escaped = text[slash + 1]
    value += text.slice(at, slash) + (UNESCAPED[escaped] ?? escaped)
    at = slash + 2
    slash = next(text, at)
  }
  return value + text.slice(at, end)
}
