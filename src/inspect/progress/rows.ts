/**
 * What there is to say about a run, a row per stage: counts and rates from `stats()`, places and names from `describe()`.
 *
 * Both are only asked for when a picture is made, `describe()` only when stages have come up since. Copies of a stage side
 * by side are one row: a thousand keys of a `groupBy`, a hundred inputs of a `fanIn`. A row keeps its history when
 * others come and go.
 */
import type { Graph, GraphNode } from '../../pipeline/graph.ts'
import type { Run } from '../../pipeline/run.ts'
import type { RunStats } from '../../pipeline/stats.ts'
import { Pace, perSecond } from '../pace.ts'
import { plain } from './width.ts'

/** More than so many copies of a stage are one row. */
const MOST_COPIES = 4
/** Milliseconds over which a rate is taken, and the speed at which a source is read. */
const RATE_TIME = 1_000
const READING_TIME = 10_000

export interface Row {
  readonly title: string
  readonly depth: number
  /** Values taken in; of a source, given. And so many per second. */
  count: number
  rate: number
  failed: number
  /** How full the channel behind it is. A sink has none. */
  output: { length: number; capacity: number } | undefined
  isBottleneck: boolean
  /** How many values a source gives in all, and the milliseconds until it has: where it is known. */
  readonly size: number | undefined
  left: number | undefined
}

/** A row with the places in `stats().stages` of what it sums up. */
interface Kept extends Row, History {
  readonly members: number[]
  readonly isSource: boolean
}

interface History {
  readonly pace: Pace
  readonly reading: Pace
}

export class Rows {
  all: readonly Row[] = []
  elapsed = 0
  #kept: readonly Kept[] = []
  #stages = -1
  #paces = new Map<string, History>()

  constructor(
    readonly run: Run<unknown>,
    readonly total: number | undefined,
  ) {}

  /** Looks at the run. Of one that has `ended` the rates are those of all its time. */
  update(ended: boolean): void {
    const stats = this.run.stats()
    if (stats.stages.length !== this.#stages) this.#arrange(this.run.describe())
    this.elapsed = stats.elapsed
    for (const row of this.#kept) count(row, stats, ended)
    markBottleneck(this.#kept, stats)
  }

  #arrange({ nodes, edges }: Graph): void {
    this.#stages = nodes.length
    const labels = new Map(
      edges.flatMap(({ to, label }) => (label === undefined ? [] : [[to, label] as const])),
    )
    const fed = new Set(edges.map(({ to }) => to))
    const paces = new Map<string, History>()
    this.#kept = [...gather(nodes)].map(({ key, members, depth }) => {
      const [{ id, name }] = members
      const label = labels.get(id)
      const isOne = members.length === 1
      const title = isOne ? (label === undefined ? name : `${label}: ${name}`) : `${name} ×${members.length}`
      const isSource = !members.some((node) => fed.has(node.id))
      const history = this.#paces.get(key) ?? { pace: new Pace(RATE_TIME), reading: new Pace(READING_TIME) }
      paces.set(key, history)
      const size = isSource ? sizeOf(members) : undefined
      const places = members.map(({ place }) => place)
      return { ...empty, title: plain(title), depth, members: places, isSource, size, ...history }
    })
    this.#paces = paces
    const source = this.#kept.findIndex(({ isSource }) => isSource)
    if (this.total !== undefined && source >= 0)
      this.#kept = this.#kept.with(source, { ...this.#kept[source], size: this.total })
    this.all = this.#kept
  }
}

const empty = {
  count: 0,
  rate: 0,
  failed: 0,
  output: undefined,
  isBottleneck: false,
  left: undefined,
}

function sizeOf(nodes: readonly GraphNode[]): number | undefined {
  return nodes.reduce<number | undefined>(
    (sum, { size }) => (sum === undefined || size === undefined ? undefined : sum + size),
    0,
  )
}

interface Group {
  readonly key: string
  readonly depth: number
  readonly members: Place[]
}
/** A node, and where it stands. */
type Place = GraphNode & { place: number }

/** The nodes that are a row together, in the order of the first of each. */
function gather(nodes: readonly GraphNode[]): Iterable<Group> {
  const groupOf = new Map<string, Group>()
  // Branches of copies that are one row are side by side too, so what is above comes first.
  for (const level of levels(nodes)) {
    const alike = new Map<string, Group>()
    for (const node of level) {
      const { branchOf, index, name } = node
      const stem = branchOf === undefined ? undefined : groupOf.get(branchOf)
      const key = JSON.stringify([stem?.key, index, name])
      const group = alike.get(key) ?? { key, depth: stem ? stem.depth + 1 : 0, members: [] }
      alike.set(key, group)
      group.members.push(node)
    }
    for (const group of alike.values()) {
      const { depth, members } = group
      const isOne = members.length > MOST_COPIES
      for (const node of members)
        groupOf.set(node.id, isOne ? group : { key: node.id, depth, members: [node] })
    }
  }
  return new Set(nodes.map(({ id }) => groupOf.get(id)!))
}

/** The nodes of the pipeline itself, then those in its branches, then those in branches of branches. */
function levels(nodes: readonly GraphNode[]): Place[][] {
  const depths = new Map<string, number>()
  const found: Place[][] = []
  nodes.forEach((node, place) => {
    const depth = node.branchOf === undefined ? 0 : depths.get(node.branchOf)! + 1
    depths.set(node.id, depth)
    ;(found[depth] ??= []).push({ ...node, place })
  })
  return found
}

function count(row: Kept, { elapsed, stages }: RunStats, ended: boolean): void {
  row.count = row.failed = 0
  let length = 0
  let capacity = 0
  for (const place of row.members) {
    const { sent, received, failed, output } = stages[place]
    // What joins its inputs has received nothing itself.
    row.count += row.isSource ? sent : received || sent
    row.failed += failed
    length += output?.length ?? 0
    capacity += output?.capacity ?? 0
  }
  row.output = stages[row.members[0]].output && { length, capacity }
  row.pace.add(elapsed, row.count)
  row.rate = ended ? perSecond(row.count, elapsed) : row.pace.perSecond
  if (row.size === undefined) return
  row.reading.add(elapsed, row.count)
  const [rest, speed] = [row.size - row.count, row.reading.perSecond]
  row.left = !ended && rest > 0 && speed > 0 ? (rest / speed) * 1_000 : undefined
}

/** It is told by its name. Of several of that name it is the busiest. */
function markBottleneck(rows: readonly Kept[], { bottleneck, stages }: RunStats): void {
  let most = -1
  let found: Kept | undefined
  for (const row of rows) {
    row.isBottleneck = false
    if (bottleneck === undefined) continue
    for (const place of row.members) {
      const { name, busy, waitingInput } = stages[place]
      const load = row.isSource ? busy + waitingInput : busy
      if (name !== bottleneck || load <= most) continue
      most = load
      found = row
    }
  }
  if (found) found.isBottleneck = true
}
