// The comparison as a part of the README: written between two markers, and read back by a test.

import { boundsOf, markersOf, putBetween } from '../readme.ts'
import type { Check } from './check.ts'

export const markers = markersOf('compare')

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

/** A row of the legend. */
export const explain = ({ title, meaning, rule }: Check) => `**${title}.** ${meaning} ✓: ${rule}.`

/** The report as Markdown. */
export function render({ date, versions, columns, rows }: Report): string {
  const table = [
    line(['', ...columns]),
    line(['---', ...columns.map(() => '---')]),
    ...rows.map(({ check, cells }) => line([check.title, ...cells])),
  ]
  const legend = rows.map(({ check }) => `- ${explain(check)}`)
  return [
    `Measured ${date} with ${versions.join(', ')}:`,
    table.join('\n'),
    'The rows:',
    legend.join('\n'),
  ].join('\n\n')
}

/** `readme` with `text` between the markers, in place of what is there. */
export const put = (readme: string, text: string): string => putBetween(markers, readme, text)

export interface Taken {
  /** What was measured with what. */
  intro: string
  head: string[]
  rows: string[][]
  /** A text for each row. */
  legend: string[]
}

/** What stands between the markers, the table cell by cell. Lines that were wrapped are put together again. */
export function take(readme: string): Taken {
  const blocks = readme
    .slice(...boundsOf(markers, readme))
    .trim()
    .split(/\n{2,}/)
  const find = (start: string) => blocks.find((block) => block.startsWith(start)) ?? ''
  const unwrapped = (text: string) => text.replace(/\s*\n\s+/g, ' ').trim()
  const [head = [], , ...rows] = find('|').split('\n').map(cellsOf)
  return {
    intro: find('Measured').replaceAll('\n', ' '),
    head,
    rows,
    legend: find('- ').split(/^- /m).slice(1).map(unwrapped),
  }
}

const cellsOf = (row: string) =>
  row
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim())
