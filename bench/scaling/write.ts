// The README's part about scaling: a picture of all sweeps, and their tables.

import { linesPicture, type LinePanel, type Point } from '../chart/lines.ts'
import { digits, whole } from '../format.ts'
import { markdownTable, picture, writeReadme } from '../readme.ts'
import { writePicture, type Entry } from '../results.ts'
import { provenance } from '../table.ts'
import { sweeps, type Sweep } from './sweep.ts'

/** What was measured of a sweep. */
export interface Scaled extends Entry {
  points: readonly { size: number; time: number; peak: number }[]
}

const alt = 'Time per value as stages, capacity, inputs, pipelines and values grow, on log scales'

export async function writeScaling(results: readonly Scaled[]): Promise<void> {
  const pairs = results.flatMap((scaled) => {
    const sweep = sweeps.find(({ name }) => name === scaled.name)
    return sweep ? [{ sweep, scaled }] : []
  })
  const panels = pairs.flatMap(({ sweep, scaled }) =>
    sweep.name === 'values' ? [timePanel(sweep, scaled), memoryPanel(scaled)] : [timePanel(sweep, scaled)],
  )
  writePicture('scaling', (scheme) => linesPicture(panels, { scheme, alt }))
  const tables = pairs.map(
    ({ sweep, scaled }) =>
      `**${sweep.title}**: ${sweep.note}.\n\n` +
      markdownTable(
        ['', ...scaled.points.map(({ size }) => whole(size))],
        [
          ['ns per value', ...scaled.points.map(({ time }) => digits(time))],
          ['peak MB', ...scaled.points.map(({ peak }) => whole(peak))],
        ],
      ),
  )
  const markdown = [
    provenance(results),
    picture('scaling', alt),
    '<details>\n<summary>All points</summary>',
    ...tables,
    '</details>',
  ]
  await writeReadme('scaling', markdown.join('\n\n'))
}

function timePanel({ title, note, linear }: Sweep, { points }: Scaled): LinePanel {
  const line = points.map(({ size, time }) => ({ x: size, y: time }))
  return { title, note: `ns per value; ${note}`, points: line, guide: guideOf(linear, line) }
}

function guideOf(linear: Sweep['linear'], line: readonly Point[]): Point[] {
  const from = line.find(({ x }) => x === linear?.from)
  if (!linear || !from) return []
  return line.map(({ x }) => ({ x, y: linear.grows ? (from.y * x) / from.x : from.y }))
}

function memoryPanel({ points }: Scaled): LinePanel {
  const line = points.map(({ size, peak }) => ({ x: size, y: peak }))
  return {
    title: 'Values: memory',
    note: 'MB; the most that the process held, Node itself included',
    points: line,
  }
}
