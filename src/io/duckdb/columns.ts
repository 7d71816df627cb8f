/** Which columns are written, and of what types: as `columns` says, or as the first rows show. */
import { isName } from '../../connect/names.ts'
import { demand } from '../../errors.ts'
import { quoteName } from './database.ts'
import { type Shape, sqlOf, widened } from './shape.ts'
import { columnFailure } from './table.ts'

/** The names of the columns, or their names and types as SQL. */
export type Columns = readonly string[] | Readonly<Record<string, string>>

/** Throws unless `columns` are names, or names with types, and `key` is among them. */
export function demandColumns(columns: unknown, key: readonly string[], action: string): void {
  if (columns === undefined) return
  const wanted = 'names of columns, or an object of names and types'
  demand(typeof columns === 'object' && columns !== null, action, 'columns', wanted, columns, TypeError)
  const list = namesOf(columns as Columns)
  const types: unknown[] = Array.isArray(columns) ? [] : Object.values(columns)
  const ok = list.length > 0 && [...list, ...types].every(isName) && new Set(list).size === list.length
  demand(ok, action, 'columns', `${wanted}, each once and none empty`, columns, TypeError)
  const missing = key.find((name) => !list.includes(name))
  demand(missing === undefined, action, 'key', 'among the columns', missing, TypeError)
}

/** Gives the names of the key's columns, checked. */
export function keyOf(key: unknown, action: string): readonly string[] {
  if (key === undefined) return []
  const names: unknown[] = Array.isArray(key) ? key : [key]
  const ok = names.length > 0 && names.every(isName) && new Set(names).size === names.length
  demand(ok, action, 'key', 'the name of a column, or names, each once', key, TypeError)
  return names
}

export function namesOf(columns: Columns): readonly string[] {
  return isList(columns) ? columns : Object.keys(columns)
}

function isList(columns: Columns): columns is readonly string[] {
  return Array.isArray(columns)
}

/** Learns columns and types from rows. */
export class Sampling {
  readonly shapes = new Map<string, Shape>()

  /** `fixed`: the types are known, only the names are to be learnt. */
  constructor(
    readonly columns: Columns | undefined,
    readonly fixed: boolean,
  ) {
    if (columns) for (const name of namesOf(columns)) this.shapes.set(name, undefined)
  }

  /** Throws for a row that does not go with those before it, and has then learnt nothing. */
  add(row: Record<string, unknown>): void {
    const { columns, fixed } = this
    if (fixed && columns) return
    const learnt: [string, Shape][] = []
    for (const name of columns ? namesOf(columns) : Object.keys(row)) {
      const given = Object.hasOwn(row, name) ? row[name] : undefined
      try {
        learnt.push([name, fixed || this.#typeOf(name) ? undefined : widened(this.shapes.get(name), given)])
      } catch (error) {
        throw columnFailure(name, error)
      }
    }
    for (const [name, shape] of learnt) this.shapes.set(name, shape)
  }

  #typeOf(name: string): string | undefined {
    const { columns } = this
    return columns && !isList(columns) ? columns[name] : undefined
  }

  get names(): readonly string[] {
    return [...this.shapes.keys()]
  }

  /** The columns as `CREATE TABLE` takes them. */
  definition(key: readonly string[]): string {
    const columns = this.names.map(
      (name) => `${quoteName(name)} ${this.#typeOf(name) ?? sqlOf(this.shapes.get(name))}`,
    )
    const primary = key.length > 0 ? [`PRIMARY KEY (${key.map(quoteName).join(', ')})`] : []
    return `(${[...columns, ...primary].join(', ')})`
  }
}
