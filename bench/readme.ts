// The parts of the README that programs write: each between two markers of its name.

import { readFileSync, writeFileSync } from 'node:fs'
import { format, resolveConfig } from 'prettier'
import { root } from './machine.ts'

type Markers = readonly [from: string, to: string]

export const markersOf = (name: string): Markers => [`<!-- ${name} -->`, `<!-- /${name} -->`]

/** Where the text between the markers begins and ends. */
export function boundsOf(markers: Markers, readme: string): [from: number, to: number] {
  const from = readme.indexOf(markers[0])
  const to = readme.indexOf(markers[1])
  if (from < 0 || to < from) throw new Error(`README.md has no ${markers.join(' … ')}`)
  return [from + markers[0].length, to]
}

/** `readme` with `text` between the markers, in place of what is there. */
export function putBetween(markers: Markers, readme: string, text: string): string {
  const [from, to] = boundsOf(markers, readme)
  return `${readme.slice(0, from)}\n\n${text}\n\n${readme.slice(to)}`
}

/** Writes Markdown between the markers of that name, formatted as the rest of the README. */
export async function writeReadme(name: string, markdown: string): Promise<void> {
  const file = `${root}README.md`
  const style = {
    ...(await resolveConfig(file)),
    parser: 'markdown',
    proseWrap: 'always',
    printWidth: 120,
  } as const
  const text = await format(markdown, style)
  writeFileSync(file, putBetween(markersOf(name), readFileSync(file, 'utf8'), text.trimEnd()))
}

/** Markdown for a picture that is kept in two files, one for each kind of page. */
export function picture(name: string, alt: string): string {
  const file = (scheme: string) => `bench/results/${name}-${scheme}.svg`
  return [
    '<picture>',
    `  <source media="(prefers-color-scheme: dark)" srcset="${file('dark')}">`,
    `  <img alt="${alt}" src="${file('light')}">`,
    '</picture>',
  ].join('\n')
}

/** A table in Markdown: the first `words` columns to the left, the others, numbers, to the right. */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  words = 1,
): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, i) => (i < words ? '---' : '---:'))), ...rows.map(line)].join('\n')
}
