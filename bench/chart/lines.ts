// Lines on two log scales: what grows to the right, what it costs upwards, a number at each point.

import { brief, digits } from '../format.ts'
import { element, heading, label, logScale, page, panelWidth, type Panel, type Scheme } from './svg.ts'

export interface Point {
  x: number
  y: number
}

export interface LinePanel {
  title: string
  note: string
  points: readonly Point[]
  /** A dotted line beside: what would be linear. */
  guide?: readonly Point[]
}

const left = 40
/** Room beside the first and the last point, for their numbers. */
const inset = 22
const plotHeight = 150
const plotWidth = panelWidth - left

export function linesPicture(
  panels: readonly LinePanel[],
  { scheme, alt }: { scheme: Scheme; alt: string },
): string {
  return page(panels.map(panel), { scheme, alt })
}

function panel({ title, note, points, guide = [] }: LinePanel): Panel {
  const head = heading(title, note)
  const top = head.height + 12
  const bottom = top + plotHeight
  const xs = logScale(points.map(({ x }) => x))
  const ys = logScale([...points, ...guide].map(({ y }) => y))
  const x = (value: number) => left + inset + xs.at(value) * (plotWidth - 2 * inset)
  const y = (value: number) => bottom - ys.at(value) * plotHeight
  const path = (line: readonly Point[]) =>
    line.map((point, i) => `${i ? 'L' : 'M'}${x(point.x).toFixed(1)} ${y(point.y).toFixed(1)}`).join('')
  const content = [
    head.content,
    ...ys.ticks.flatMap((tick) => [
      element('line', { x1: left, x2: left + plotWidth, y1: y(tick), y2: y(tick), class: 'grid' }),
      label(brief(tick), { x: left - 6, y: y(tick) + 4, kind: 'faint end' }),
    ]),
    ...xs.ticks.map((tick) => label(brief(tick), { x: x(tick), y: bottom + 16, kind: 'faint middle' })),
    ...(guide.length > 0 ? [element('path', { d: path(guide), class: 'guide' })] : []),
    element('path', { d: path(points), class: 'line' }),
    ...points.flatMap((point) => [
      element('circle', { cx: x(point.x), cy: y(point.y), r: 3, class: 'own' }),
      label(digits(point.y), { x: x(point.x), y: y(point.y) - 8, kind: 'middle clear' }),
    ]),
  ]
  return { height: bottom + 20, content: content.join('\n') }
}
