/** A pipeline as plain data, for pictures and reports: as it is built, or as a run of it is now. */
import type { Core } from '../channel/core.ts'
import { doingOf, shown } from './report.ts'
import type { Definition } from './stage.ts'
import type { Task } from './task.ts'

/** A pipeline or run as plain data: its stages, and the channels between them. Made by `describe()`. */
export interface Graph {
  nodes: GraphNode[]
  edges: GraphEdge[]
}
/** A stage in a `Graph`. */
export interface GraphNode {
  /** Unique in this graph. Of a run: the same each time. */
  id: string
  name: string
  /** The place in its `pipeline(…)`. */
  index: number
  /** How many values a source gives in all. Missing where nobody knows. */
  size?: number
  /** The id of the stage whose branch it is in. Only of a run. */
  branchOf?: string
  /** What it does now, in words. Only of a run. */
  doing?: string
}
/** A channel in a `Graph`, from the stage that writes to it to the one that reads from it. */
export interface GraphEdge {
  /** Ids of nodes. */
  from: string
  to: string
  capacity: number
  /** The name or key of the branch that begins here. */
  label?: string
  /** How many values are in the channel now. Only of a run. */
  length?: number
}

export function graphOf(definitions: readonly Definition[], capacity: number): Graph {
  const graph: Graph = { nodes: [], edges: [] }
  addChain(graph, definitions, capacity, [])
  return graph
}

/** An edge that leads to whatever follows. */
type Loose = Omit<GraphEdge, 'to'>

/**
 * Adds a chain of stages behind `loose` ends. Gives the ends that lead to what follows it. The last stage of a branch
 * writes to the channel of the stage it branches off, unless it has a wish: `outlet` is the capacity of that.
 */
function addChain(
  graph: Graph,
  definitions: readonly Definition[],
  capacity: number,
  loose: readonly Loose[],
  outlet = capacity,
): readonly Loose[] {
  definitions.forEach((definition, index) => {
    const { name, inputs = [], branches = [], labels, capacity: wish, passes } = definition
    const own = wish ?? (index === definitions.length - 1 ? outlet : capacity)
    const before = inputs.flatMap((input) => addChain(graph, input, capacity, []))
    const id = String(graph.nodes.length)
    graph.nodes.push({ id, name, index, ...sizeOf(definition) })
    for (const edge of [...before, ...loose]) graph.edges.push({ ...edge, to: id })
    const behind = branches.flatMap((branch, place) => {
      const label = labels?.[place] ?? String(place)
      return addChain(graph, branch, capacity, [{ from: id, capacity: wish ?? capacity, label }], own)
    })
    loose = branches.length === 0 || passes ? [{ from: id, capacity: own }] : behind
  })
  return loose
}

function sizeOf({ size }: Definition): { size: number } | false {
  const known = size?.()
  return known !== undefined && { size: known }
}

/** The graph of a run as it is now, with the branches and inputs that have come up. */
export function graphOfRun(tasks: readonly Task[]): Graph {
  const readers = new Map<Core<unknown> | undefined, Task>()
  for (const task of tasks) {
    readers.set(task.input, task)
    if (task.definition.inputs) for (const chain of task.attached) readers.set(chain.at(-1)!.output, task)
  }
  /** The stage that a user sees behind a channel. */
  const behind = (edge: Core<unknown>): Task | undefined => {
    const reader = readers.get(edge)
    return reader?.definition.internal && reader.output ? behind(reader.output) : reader
  }
  const graph: Graph = { nodes: [], edges: [] }
  for (const task of shown(tasks)) {
    const { id, name, index, definition, attached, output, branchOf } = task
    const { inputs, passes } = definition
    const stem = branchOf && { branchOf: branchOf.id }
    graph.nodes.push({ id, name, index, ...sizeOf(definition), ...stem, doing: doingOf(task) })
    const branches = inputs ? [] : attached
    const join = (edge: Core<unknown>, to: Task | undefined, label?: string): void => {
      if (!to || to.definition.internal) return
      const { capacity, length } = edge
      graph.edges.push({ from: id, to: to.id, capacity, ...(label !== undefined && { label }), length })
    }
    for (const [first] of branches) join(first.input!, first, first.label)
    if (output && (branches.length === 0 || passes)) join(output, behind(output))
  }
  return graph
}
