// The comparison as a part of the README: written between two markers, and read back by a test.

import type { Check } from './check.ts'

export const markers = ['<!-- compare -->', '<!-- /compare -->'] as const

export interface Report {
  /** A day, as 2026-11-24. */
  date: string
  /** Each with its version: the machine's Node first, then what was compared. */
  versions: readonly string[]
  /** The heads of the columns. */
  columns: readonly string[]
  /** A row of cells for each check. */
  rows: readonly { check: Check; cells: readonly string[] }[]
}

const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`

/** The report as Markdown. */
export function render({ date, versions, columns, rows }: Report): string {
  const table = [
    line(['', ...columns]),
    line(['---', ...columns.map(() => '---')]),
    ...rows.map(({ check, cells }) => line([check.title, ...cells])),
  ]
  const legend = rows.map(({ check }) => `- **${check.title}.** ${check.meaning} ✓: ${check.rule}.`)
  return [
    `Measured ${date} with ${versions.join(', ')}:`,
    table.join('\n'),
    'The rows:',
    legend.join('\n'),
  ].join('\n\n')
}

/** `readme` with `text` between the markers, in place of what is there. */
export function put(readme: string, text: string): string {
  const [from, to] = boundsIn(readme)
  return `${readme.slice(0, from)}\n\n${text}\n\n${readme.slice(to)}`
}

/** What stands between the markers: the line of versions, the table cell by cell, and the legend line by line. */
export function take(readme: string): { intro: string; head: string[]; rows: string[][]; legend: string[] } {
  const lines = readme.slice(...boundsIn(readme)).split('\n')
  const [head, , ...rows] = lines.filter((text) => text.startsWith('|')).map(cellsOf)
  return {
    intro: lines.find((text) => text.startsWith('Measured')) ?? '',
    head: head ?? [],
    rows,
    legend: lines.filter((text) => text.startsWith('- ')),
  }
}

function boundsIn(readme: string): [from: number, to: number] {
  const from = readme.indexOf(markers[0])
  const to = readme.indexOf(markers[1])
  if (from < 0 || to < from) throw new Error(`README.md has no ${markers.join(' … ')}`)
  return [from + markers[0].length, to]
}

const cellsOf = (row: string) =>
  row
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim())
