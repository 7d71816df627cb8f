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
  addChain(graph, definitions, capacity)
  return graph
}

/** Adds a chain of stages and says how its last one is joined to what follows. */
function addChain(graph: Graph, definitions: readonly Definition[], capacity: number): Omit<GraphEdge, 'to'> {
  let last: Omit<GraphEdge, 'to'> | undefined
  definitions.forEach((definition, index) => {
    const inputs = (definition.inputs ?? []).map((input) => addChain(graph, input, capacity))
    const id = String(graph.nodes.length)
    graph.nodes.push({ id, name: definition.name, index })
    for (const edge of last ? [...inputs, last] : inputs) graph.edges.push({ ...edge, to: id })
    last = { from: id, capacity: definition.capacity ?? capacity }
  })
  return last!
}
