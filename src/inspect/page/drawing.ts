/** Where the boxes and lines of the page stand: worked out here, so that the page only draws them. */
import type { Condensed } from './condense.ts'
import { layoutOf } from '../pictures/layout.ts'
import { lineOf, round } from '../pictures/lines.ts'
import { oneLine } from '../pictures/pictures.ts'
import { captionPlaces } from '../pictures/svg.ts'

export interface Box {
  id: string
  name: string
  /** How many copies of the stage it stands for. */
  copies: number
  /** How many values it will give, where that is known. */
  size: number | null
  isSource: boolean
  /** The middle of the box. */
  x: number
  y: number
}

export interface Pipe {
  /** The branch that begins here. */
  label: string
  /** `null` for a channel without a bound. */
  capacity: number | null
  path: string
  /** The middle of its gauge. */
  x: number
  y: number
}

export interface Drawing {
  nodes: Box[]
  edges: Pipe[]
  width: number
  height: number
}

const BOX = { width: 184, height: 66 }
const MARGIN = 12
const BETWEEN = { rows: 24, ranks: 58 }

export function drawn(graph: Condensed): Drawing {
  const { nodes, edges } = graph
  const layout = layoutOf(graph)
  const at = ({ rank, row }: { rank: number; row: number }): { x: number; y: number } => ({
    x: round(MARGIN + BOX.width / 2 + row * (BOX.width + BETWEEN.rows)),
    y: round(MARGIN + BOX.height / 2 + rank * (BOX.height + BETWEEN.ranks)),
  })
  const captionPlace = captionPlaces(graph)
  const fed = new Set(edges.map(({ to }) => to))
  const last = at({ rank: Math.max(0, layout.ranks - 1), row: Math.max(0, layout.rows - 1) })
  return {
    nodes: nodes.map(({ id, name, members, size = null }, place) => ({
      id,
      name: oneLine(name),
      copies: members.length,
      size,
      isSource: !fed.has(id),
      ...at(layout.places[place]),
    })),
    edges: edges.map((edge, place) => {
      const route = layout.routes[place].map(at)
      const caption = captionPlace(edge)
      const line = lineOf({ route, half: BOX.height / 2, across: false, caption })
      const { label = '', capacity } = edge
      const [x, y] = [round(line.at.x), round(line.at.y)]
      return {
        label: oneLine(label),
        capacity: capacity === Infinity ? null : capacity,
        path: line.path,
        x,
        y,
      }
    }),
    width: round(last.x + BOX.width / 2 + MARGIN),
    height: round(last.y + BOX.height / 2 + MARGIN),
  }
}
