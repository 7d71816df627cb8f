/** What holds of the graph of a run at any moment, and graphs as short text. */
import { expect } from 'vitest'
import type { Graph, Run } from 'sluice'

/** `map > drain (256)`; of a branch, `fanOut -a> map (256)`. */
export function edgesOf({ nodes, edges }: Graph): string[] {
  const names = new Map(nodes.map(({ id, name }) => [id, name]))
  return edges.map(({ from, to, capacity, label }) => {
    const arrow = label === undefined ? '>' : `-${label}>`
    return `${names.get(from)} ${arrow} ${names.get(to)} (${capacity})`
  })
}

export const namesOf = ({ nodes }: Graph): string[] => nodes.map(({ name, index }) => `${index} ${name}`)

/** What a stage of this name does. */
export function doing(run: Run<unknown>, name: string): string | undefined {
  const found = run.describe().nodes.filter((node) => node.name === name)
  expect(found).toHaveLength(1)
  return found[0].doing
}

/** Gives the graph, which is sound by itself and agrees with `stats()`. */
export function soundGraph(run: Run<unknown>): Graph {
  const graph = run.describe()
  const { stages } = run.stats()
  expect(namesOf(graph)).toEqual(stages.map(({ index, name }) => `${index} ${name}`))
  const ids = graph.nodes.map(({ id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
  for (const { doing } of graph.nodes)
    expect(doing).toMatch(/^(is at work|has (not begun|ended)|waits for .+)$/s)
  for (const edge of graph.edges) {
    expect(ids).toContain(edge.from)
    expect(ids).toContain(edge.to)
    expect(edge.length).toBeGreaterThanOrEqual(0)
    expect(edge.length).toBeLessThanOrEqual(edge.capacity)
  }
  const pairs = graph.edges.map(({ from, to, label }) => `${from} ${label} ${to}`)
  expect(new Set(pairs).size).toBe(pairs.length)
  expect(JSON.parse(JSON.stringify(graph))).toEqual(graph)
  return graph
}
