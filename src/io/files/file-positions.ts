/**
 * How far inputs have been read, as plain data: what a job keeps to go on later.
 *
 * One position is that of the input that is being read, and has those of the others with it that were opened before: a
 * file that is through may get more lines, and a new one may match a pattern in front of it.
 */
import { resolve } from 'node:path'

/** How far an input has been read. */
export interface FilePosition {
  file: string
  /** Which of the inputs it is: one may come twice. */
  index: number
  /** In bytes, unpacked. */
  offset: number
  line: number
  /** Which file it was, and how much of it had been read: it cannot be shorter. */
  id: string
  read?: number
  /** How long it was when it was opened, where it is packed. */
  size?: number | undefined
  encoding?: string
  /** That of the parser. */
  state?: unknown
  /** How many rows, good and bad, have been given from there on. */
  passed?: number
  /** All of it has been read. */
  done?: boolean
  /** Where the other inputs stand that have been read before. */
  others?: readonly FilePosition[]
}

/**
 * The positions by the places that their files have among the inputs now; that of the file which was read last comes first.
 * A file that was renamed, as a rotation does, is the same one: `ids` tell which file each of the inputs is, where it is there.
 * Where it is not there, its name tells which one took its place, however it is written: `in/a.log` is `./in/a.log`.
 */
export function placed(
  position: FilePosition,
  files: readonly string[],
  ids: readonly (string | undefined)[],
): FilePosition[] {
  const { others = [], ...own } = position
  const all = [own, ...others]
  if (!all.every(isPosition)) throw new Error('Cannot go on reading: the position is not one of files')
  const found = new Map<FilePosition, number>()
  const taken = new Set<number>()
  const byIndex = [...all].sort((a, b) => a.index - b.index)
  const names = files.map((file) => resolve(file))
  for (const [keyOf, keys] of [
    [({ id }: FilePosition) => id, ids],
    [({ file }: FilePosition) => resolve(file), names],
  ] as const) {
    // Those of each key, the first of them last: what is taken is dropped from there.
    const places = new Map<string | undefined, number[]>()
    for (let place = keys.length - 1; place >= 0; place--) {
      const same = places.get(keys[place])
      if (same) same.push(place)
      else places.set(keys[place], [place])
    }
    for (const each of byIndex) {
      if (found.has(each)) continue
      const { index } = each
      const key = keyOf(each)
      const same = places.get(key) ?? []
      while (same.length > 0 && taken.has(same.at(-1)!)) same.pop()
      const place = keys[index] === key && !taken.has(index) ? index : same.at(-1)
      if (place === undefined) continue
      found.set(each, place)
      taken.add(place)
    }
  }
  return all.flatMap((each) => {
    const index = found.get(each)
    if (index !== undefined) return [{ ...each, file: files[index], index }]
    if (!each.done) throw new Error(`Cannot go on reading ${each.file}: it is not among the inputs`)
    // One that is through may have been removed since. That which was read last is kept, behind all: there may be no other.
    return each === own ? [{ ...each, index: files.length }] : []
  })
}

function isPosition(position: unknown): position is FilePosition {
  const { file, id, index, offset, line, read = 0, passed = 0 } = Object(position) as Partial<FilePosition>
  const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0
  return (
    typeof file === 'string' && typeof id === 'string' && [index, offset, line, read, passed].every(isCount)
  )
}
