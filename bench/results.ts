// What was measured, kept as data beside its pictures: `--draw` makes tables and pictures of it again, and a
// scenario that is measured alone leaves the others as they are.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { format } from 'prettier'
import { root, type Surroundings } from './machine.ts'

const folder = `${root}bench/results/`

/** What each entry says about itself. */
export interface Entry {
  name: string
  where: Surroundings
}

export function readResults<T extends Entry>(name: string): T[] {
  const file = `${folder}${name}.json`
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as T[]) : []
}

/** Writes the entries in the order of `names`, new ones in place of old ones, and returns all of them. */
export async function mergeResults<T extends Entry>(
  name: string,
  names: readonly string[],
  fresh: readonly T[],
): Promise<T[]> {
  const old = readResults<T>(name)
  const find = (wanted: string) => (entry: T) => entry.name === wanted
  const all = names.flatMap((each) => fresh.find(find(each)) ?? old.find(find(each)) ?? [])
  writeFileSync(
    `${folder}${name}.json`,
    await format(JSON.stringify(all), { parser: 'json', printWidth: 110 }),
  )
  return all
}

/** Writes a picture, light and dark. */
export function writePicture(name: string, draw: (scheme: 'light' | 'dark') => string): void {
  for (const scheme of ['light', 'dark'] as const)
    writeFileSync(`${folder}${name}-${scheme}.svg`, draw(scheme))
}
