// Bars on a log scale, the shortest first: rivals differ by a hundred times and more.

import { brief, digits } from '../format.ts'
import { element, heading, label, logScale, page, panelWidth, type Panel, type Scheme } from './svg.ts'

export interface Bar {
  name: string
  value: number
  /** The ends of the spread, where it is known. */
  from?: number
  to?: number
  kind: 'own' | 'baseline' | 'other'
}

export interface BarPanel {
  title: string
  note: string
  unit: string
  bars: readonly Bar[]
}

const names = 200
const numbers = 52
const rowHeight = 17
const barHeight = 10
const length = panelWidth - names - numbers

export function barsPicture(
  panels: readonly BarPanel[],
  { scheme, alt }: { scheme: Scheme; alt: string },
): string {
  return page(panels.map(panel), { scheme, alt })
}

function panel({ title, note, unit, bars }: BarPanel): Panel {
  const head = heading(title, note)
  const { at, ticks } = logScale(bars.flatMap(({ value, from = value, to = value }) => [value, from, to]))
  const x = (value: number) => names + at(value) * length
  const bottom = head.height + bars.length * rowHeight
  const grid = ticks.flatMap((tick) => [
    element('line', { x1: x(tick), x2: x(tick), y1: head.height, y2: bottom, class: 'grid' }),
    label(brief(tick), { x: x(tick), y: bottom + 13, kind: 'faint middle' }),
  ])
  const rows = [...bars]
    .sort((a, b) => a.value - b.value)
    .map((bar, i) => row(bar, head.height + i * rowHeight, x))
  const content = [
    head.content,
    ...grid,
    ...rows,
    label(unit, { x: names - 24, y: bottom + 13, kind: 'faint end' }),
  ]
  return { height: bottom + 18, content: content.join('\n') }
}

function row({ name, value, from, to, kind }: Bar, y: number, x: (value: number) => number): string {
  const middle = y + rowHeight / 2
  const parts = [
    label(name, { x: names - 8, y: middle + 4, kind: kind === 'own' ? 'end strong' : 'end' }),
    element('rect', {
      x: names,
      y: middle - barHeight / 2,
      width: Math.max(2, x(value) - names),
      height: barHeight,
      rx: 2,
      class: kind,
    }),
  ]
  if (from !== undefined && to !== undefined && x(to) - x(from) >= 2) {
    parts.push(element('line', { x1: x(from), x2: x(to), y1: middle, y2: middle, class: 'spread' }))
  }
  const end = x(Math.max(value, to ?? value)) + 6
  parts.push(label(digits(value), { x: end, y: middle + 4, kind: kind === 'own' ? 'strong' : 'faint' }))
  return parts.join('\n')
}
