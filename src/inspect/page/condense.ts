/**
 * A graph with the copies of a stage in one node: a `groupBy` has a thousand of them, and nobody reads a thousand boxes.
 * Copies are the stages in the same place of branches of one fan-out that look alike.
 */
import type { Graph, GraphEdge, GraphNode } from '../../pipeline/graph.ts'

export interface CondensedNode extends GraphNode {
  /** The places in the original graph of the nodes that this one stands for. */
  members: number[]
}

export interface CondensedEdge extends GraphEdge {
  /** The places in the original graph of the channels that are added up in it. */
  members: number[]
}

export interface Condensed {
  nodes: CondensedNode[]
  edges: CondensedEdge[]
}

/** Joins copies where there are more than `most`. */
export function condensed({ nodes, edges }: Graph, most: number): Condensed {
  const paths = pathsOf(nodes, edges)
  const groups = new Map<string, number[]>()
  paths.forEach((path, place) => {
    const group = groups.get(path)
    if (group) group.push(place)
    else groups.set(path, [place])
  })
  const shown: CondensedNode[] = []
  const idOf = new Map<string, string>()
  nodes.forEach((node, place) => {
    const group = groups.get(paths[place])!
    const joined = group.length > most
    if (joined && group[0] !== place) return void idOf.set(node.id, nodes[group[0]].id)
    idOf.set(node.id, node.id)
    shown.push({ ...node, members: joined ? group : [place] })
  })
  return { nodes: shown, edges: joinedEdges(edges, idOf) }
}

/** What is the same for all copies of a stage and for nothing else. */
function pathsOf(nodes: readonly GraphNode[], edges: readonly GraphEdge[]): string[] {
  const before = new Map<string, GraphEdge>()
  for (const edge of edges) {
    const known = before.get(edge.to)
    // What several edges lead to is no copy of anything: it is behind the branches.
    before.set(edge.to, known ? { ...edge, from: '' } : edge)
  }
  const paths = new Map<string, string>()
  return nodes.map(({ id, name, index }) => {
    const edge = before.get(id)
    const stem = edge && paths.get(edge.from)
    const path =
      stem !== undefined && (edge!.label !== undefined || stem.includes('/'))
        ? `${stem}/${index} ${name}`
        : id
    paths.set(id, path)
    return path
  })
}

function joinedEdges(edges: readonly GraphEdge[], idOf: ReadonlyMap<string, string>): CondensedEdge[] {
  const joined = new Map<string, CondensedEdge>()
  edges.forEach((edge, place) => {
    const [from, to] = [idOf.get(edge.from)!, idOf.get(edge.to)!]
    const key = `${from} ${to}`
    const known = joined.get(key)
    if (!known) return void joined.set(key, { ...edge, from, to, members: [place] })
    // Branches that end in one channel share it; those that begin have one each.
    if (known.label === undefined) return
    known.members.push(place)
    known.capacity += edge.capacity
    known.label = `× ${known.members.length}`
  })
  return [...joined.values()]
}
