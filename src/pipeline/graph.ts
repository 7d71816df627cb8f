/** A pipeline as plain data, for pictures and reports. */
import type { Definition } from './stage.ts'

export interface Graph {
  nodes: GraphNode[]
  edges: GraphEdge[]
}
export interface GraphNode {
  /** Unique in this graph. */
  id: string
  name: string
  /** The place in its `pipeline(…)`. */
  index: number
}
export interface GraphEdge {
  /** Ids of nodes. */
  from: string
  to: string
  capacity: number
}

export function graphOf(definitions: readonly Definition[], capacity: number): Graph {
  const graph: Graph = { nodes: [], edges: [] }
  addChain(graph, definitions, capacity, [])
  return graph
}

/** An edge that leads to whatever follows. */
type Loose = Omit<GraphEdge, 'to'>

/** Adds a chain of stages behind `loose` ends. Gives the ends that lead to what follows it. */
function addChain(
  graph: Graph,
  definitions: readonly Definition[],
  capacity: number,
  loose: readonly Loose[],
): readonly Loose[] {
  definitions.forEach(({ name, inputs = [], branches = [], capacity: own = capacity, passes }, index) => {
    const before = inputs.flatMap((input) => addChain(graph, input, capacity, []))
    const id = String(graph.nodes.length)
    graph.nodes.push({ id, name, index })
    for (const edge of [...before, ...loose]) graph.edges.push({ ...edge, to: id })
    const out = { from: id, capacity: own }
    const behind = branches.flatMap((branch) => {
      const ends = addChain(graph, branch, capacity, [out])
      // Its last stage writes to the channel of this one, unless it has a wish.
      return branch.at(-1)!.capacity === undefined ? ends.map((end) => ({ ...end, capacity: own })) : ends
    })
    loose = branches.length === 0 || passes ? [out] : behind
  })
  return loose
}
