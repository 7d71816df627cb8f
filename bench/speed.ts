// The README's part about speed: a picture, the libraries side by side, the goals, and all tables.

import { barsPicture, type BarPanel } from './chart/bars.ts'
import { digits } from './format.ts'
import { markdownTable, picture, writeReadme } from './readme.ts'
import { writePicture } from './results.ts'
import { scenarios } from './scenarios/index.ts'
import { goalsOf, goalTable, provenance, scenarioTable, type Result } from './table.ts'

const units = { time: 'ns per value', peak: 'MB at most', delay: 'ms late at most' }
const alt = 'Bars for each scenario: sluice beside other libraries and loops by hand, on log scales'

/** Draws what was measured and writes it into the README. */
export async function writeSpeed(results: readonly Result[]): Promise<void> {
  writePicture('speed', (scheme) => barsPicture(results.map(panelOf), { scheme, alt }))
  const judged = results.flatMap((result) =>
    goalsOf(scenarios.find(({ name }) => name === result.name)?.goals, result).map((each) => ({
      ...each,
      scenario: result.name,
    })),
  )
  const markdown = [
    provenance(results),
    picture('speed', alt),
    overview(results),
    goalTable(judged),
    '<details>\n<summary>All that was measured</summary>',
    ...results.map(scenarioTable),
    '</details>',
  ]
  await writeReadme('speed', markdown.join('\n\n'))
}

function panelOf({ name, claim, figure, rows }: Result): BarPanel {
  const bars = rows.flatMap(({ name, time, peak, delay }, i) => {
    const value = { time: time?.middle, peak, delay: delay?.max }[figure]
    if (value === undefined) return []
    const kind = name.startsWith('sluice') && i > 0 ? 'own' : i === 0 ? 'baseline' : 'other'
    return [
      { name, value, kind, ...(figure === 'time' && time ? { from: time.low, to: time.high } : {}) } as const,
    ]
  })
  return { title: name, note: claim, unit: units[figure], bars }
}

/** The rivals that have an answer nearly everywhere, over the scenarios in which whole libraries are compared. */
const columns = ['cheap-stages', 'generator', 'three-stages', 'async-source', 'async-map']

function overview(results: readonly Result[]): string {
  const compared = columns.flatMap((name) => results.find((result) => result.name === name) ?? [])
  const names = [...new Set(compared.flatMap(({ rows }) => rows.map(({ name }) => name)))]
  const cells = names.map((name) =>
    compared.map(({ rows }) => {
      const { time, bytes } = rows.find((row) => row.name === name) ?? {}
      return time ? `${digits(time.middle)} · ${bytes === undefined ? 'n/a' : digits(bytes)}` : undefined
    }),
  )
  const rows = names.flatMap((name, i) => {
    const known = cells[i].filter((cell) => cell !== undefined).length
    return known < 3 ? [] : [[name === 'sluice' ? '**sluice**' : name, ...cells[i].map((cell) => cell ?? '')]]
  })
  return markdownTable(['ns · bytes per value', ...compared.map(({ name }) => name)], rows)
}
