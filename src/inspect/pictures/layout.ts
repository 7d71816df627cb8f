/**
 * Where the stages of a graph stand in a picture: in ranks along the flow, and across them in rows.
 *
 * Pipelines fan out and in without crossing, and their stages come in the order of the flow. So the hard part of drawing
 * layers, the order within a rank, is known from the start, and what is left is exact and fast: a rank is the longest way
 * from a source, an edge over several ranks has a place in each of those between, and the rows are those that lie nearest
 * to their neighbours, one apart at the least (the regression of "pool adjacent violators", a few times to and fro).
 *
 * Rejected: `@dagrejs/dagre`. It takes 48 ms for 100 stages, and 500 ms for the 1,000 of a `groupBy`, in the process that
 * is looked at and anew for each branch that comes up; this takes 1 ms and 15 ms.
 */
import type { Graph } from '../../pipeline/graph.ts'

export interface Place {
  rank: number
  row: number
}

export interface Layout {
  ranks: number
  rows: number
  /** In the order of the nodes. */
  places: Place[]
  /** In the order of the edges: the places that each goes through, its ends included. */
  routes: Place[][]
}

/** A node, or the place of an edge in a rank that it passes. */
interface Spot extends Place {
  order: number
  before: Spot[]
  behind: Spot[]
}

const SWEEPS = 6

export function layoutOf({ nodes, edges }: Graph): Layout {
  const spots: Spot[] = nodes.map((_, order) => ({ rank: 0, row: 0, order, before: [], behind: [] }))
  const byId = new Map(nodes.map(({ id }, place) => [id, spots[place]]))
  const ends = edges.map(({ from, to }) => [byId.get(from)!, byId.get(to)!] as const)
  for (const [from, to] of ends) {
    from.behind.push(to)
    to.before.push(from)
  }
  rank(inFlow(spots))
  for (const spot of spots) Object.assign(spot, { before: [], behind: [] })
  const ranks: Spot[][] = []
  for (const spot of spots) (ranks[spot.rank] ??= []).push(spot)
  const routes = ends.map(([from, to]) => join(from, to, ranks))
  for (const spotsOfRank of ranks) spotsOfRank.sort((a, b) => a.order - b.order)
  arrange(ranks)
  const rows = ranks.flat().map(({ row }) => row)
  // There may be more than a call can have arguments.
  const [least, most] = rows.reduce(([low, high], row) => [Math.min(low, row), Math.max(high, row)], [0, 0])
  const placeOf = ({ rank, row }: Spot): Place => ({ rank, row: row - least })
  return {
    ranks: ranks.length,
    rows: rows.length === 0 ? 0 : most - least + 1,
    places: spots.map(placeOf),
    routes: routes.map((route) => route.map(placeOf)),
  }
}

/** The nodes of a run come in the order of the flow; those of a graph made by hand are put in it, as far as there is one. */
function inFlow(spots: readonly Spot[]): readonly Spot[] {
  if (spots.every(({ order, behind }) => behind.every((next) => next.order > order))) return spots
  const left = new Map(spots.map((spot) => [spot, spot.before.length]))
  const sorted = new Set(spots.filter(({ before }) => before.length === 0))
  for (const { behind } of sorted)
    for (const next of behind) {
      left.set(next, left.get(next)! - 1)
      if (left.get(next) === 0) sorted.add(next)
    }
  // What is in a circle stays as it came.
  for (const spot of spots) sorted.add(spot)
  const all = [...sorted]
  all.forEach((spot, order) => (spot.order = order))
  return all
}

/** They come in the order of the flow. */
function rank(spots: readonly Spot[]): void {
  for (const { rank, order, behind } of spots)
    for (const next of behind) if (next.order > order) next.rank = Math.max(next.rank, rank + 1)
  // The inputs of a fan-in end beside each other, however long they are.
  const free = new Map<Spot, boolean>()
  for (const spot of spots)
    free.set(spot, spot.behind.length === 1 && spot.before.every((one) => free.get(one)))
  for (const spot of spots.toReversed())
    if (free.get(spot) && spot.behind[0].order > spot.order) spot.rank = spot.behind[0].rank - 1
}

/** Lays an edge through all ranks between its ends. */
function join(from: Spot, to: Spot, ranks: Spot[][]): Spot[] {
  const route = [from]
  for (let rank = from.rank + 1; rank < to.rank; rank++) {
    // Beside what comes before it in the flow.
    const passing: Spot = { rank, row: 0, order: from.order + 0.5, before: [], behind: [] }
    ranks[rank].push(passing)
    route.push(passing)
  }
  route.push(to)
  route.forEach((spot, i) => {
    if (i === 0) return
    spot.before.push(route[i - 1])
    route[i - 1].behind.push(spot)
  })
  return route
}

function arrange(ranks: readonly (readonly Spot[])[]): void {
  for (const rank of ranks) rank.forEach((spot, i) => (spot.row = i - (rank.length - 1) / 2))
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (const rank of ranks) settle(rank, 'before')
    for (const rank of ranks.toReversed()) settle(rank, 'behind')
  }
}

/** Moves the spots of a rank towards their neighbours on one side, as near as they can be in their order. */
function settle(rank: readonly Spot[], side: 'before' | 'behind'): void {
  const pools: { sum: number; count: number }[] = []
  const mean = ({ sum, count }: { sum: number; count: number }): number => sum / count
  rank.forEach((spot, i) => {
    const near = spot[side]
    const wish = near.length > 0 ? near.reduce((sum, { row }) => sum + row, 0) / near.length : spot.row
    let pool = { sum: wish - i, count: 1 }
    for (let last = pools.at(-1); last && mean(last) > mean(pool); last = pools.at(-1)) {
      pools.pop()
      pool = { sum: pool.sum + last.sum, count: pool.count + last.count }
    }
    pools.push(pool)
  })
  let i = 0
  for (const pool of pools) for (let n = pool.count; n > 0; n--, i++) rank[i].row = mean(pool) + i
}
