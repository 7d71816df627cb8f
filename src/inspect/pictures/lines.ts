/** The lines between the boxes of a picture: curves from rank to rank, straight where they pass beside a box. */

export interface Point {
  x: number
  y: number
}

export interface Line {
  /** For the `d` of a path, with an arrow at its end. */
  path: string
  /** Where its caption stands. */
  at: Point
}

export interface LineOptions {
  /** The centres of the boxes at its ends, and of the places that it passes. */
  route: readonly Point[]
  /** Half of what a box takes along the flow. */
  half: number
  /** Whether the flow goes to the right, not down. */
  across: boolean
  /** How far the caption is on the first of the curves, 0 to 1. */
  caption: number
}

/** Half the width of an arrow, and its length. */
const WIDE = 4
const LONG = 6

export function lineOf({ route, half, across, caption }: LineOptions): Line {
  const along = ({ x, y }: Point, by: number): Point => (across ? { x: x + by, y } : { x, y: y + by })
  const curves = route.slice(1).map((to, i) => curve(along(route[i], half), along(to, -half), across))
  const path = curves.map(({ from, one, other, to }, i) => {
    const begin = i === 0 ? 'M' : 'L'
    return `${begin}${pair(from)}C${pair(one)} ${pair(other)} ${pair(to)}`
  })
  const { x, y } = curves.at(-1)!.to
  const tips = across
    ? [
        { x: x - LONG, y: y - WIDE },
        { x: x - LONG, y: y + WIDE },
      ]
    : [
        { x: x - WIDE, y: y - LONG },
        { x: x + WIDE, y: y - LONG },
      ]
  return {
    path: `${path.join('')}M${pair(tips[0])}L${pair({ x, y })}L${pair(tips[1])}`,
    at: pointOn(curves[0], caption),
  }
}

/** A cubic Bézier curve that leaves and arrives along the flow. */
interface Curve {
  from: Point
  one: Point
  other: Point
  to: Point
}

function curve(from: Point, to: Point, across: boolean): Curve {
  const [x, y] = [(from.x + to.x) / 2, (from.y + to.y) / 2]
  return across
    ? { from, one: { x, y: from.y }, other: { x, y: to.y }, to }
    : { from, one: { x: from.x, y }, other: { x: to.x, y }, to }
}

function pointOn({ from, one, other, to }: Curve, t: number): Point {
  const mix = (a: number, b: number, c: number, d: number): number =>
    a * (1 - t) ** 3 + 3 * b * t * (1 - t) ** 2 + 3 * c * t ** 2 * (1 - t) + d * t ** 3
  return { x: mix(from.x, one.x, other.x, to.x), y: mix(from.y, one.y, other.y, to.y) }
}

export const round = (n: number): number => +n.toFixed(1)
const pair = ({ x, y }: Point): string => `${round(x)},${round(y)}`
