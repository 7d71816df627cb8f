/** Pictures of graphs that nobody expects: made by hand, empty, in any order, named in any way. */
import { describe, expect, test } from 'vitest'
import { type Graph, map, pipeline, range } from 'sluice'
import { toDot, toMermaid, toSvg } from 'sluice/inspect'

const node = (id: string, name = id) => ({ id, name, index: 0 })
const edge = (from: string, to: string) => ({ from, to, capacity: 1 })

/** The left edges of the boxes, in the order of the nodes. */
const lefts = (svg: string): number[] =>
  [...svg.matchAll(/<rect class="stage" x="([^"]+)"/g)].map(([, x]) => Number(x))

describe('a graph that was made by hand', () => {
  test('may have ids that mean something to Mermaid and DOT', () => {
    const graph = { nodes: [node('a b'), node('n1;drop')], edges: [edge('a b', 'n1;drop')] }
    expect(toMermaid(graph)).toBe('flowchart LR\n  x0(["a b"])\n  x1["n1;drop"]\n  x0 -- "1" --> x1\n')
    expect(toDot(graph)).toContain('  x0 -> x1 [label="1"]')
  })

  test('may have its nodes in any order', () => {
    const graph = {
      nodes: [node('sink'), node('stage'), node('source')],
      edges: [edge('source', 'stage'), edge('stage', 'sink')],
    }
    const [sink, middle, source] = lefts(toSvg(graph))
    expect(source).toBe(16)
    expect(middle).toBeGreaterThan(source)
    expect(sink).toBeGreaterThan(middle)
  })

  test('may go in circles', () => {
    const graph = {
      nodes: [node('a'), node('b'), node('c')],
      edges: [edge('a', 'b'), edge('b', 'c'), edge('c', 'b'), edge('c', 'c')],
    }
    expect(lefts(toSvg(graph)).every((x) => x >= 16)).toBe(true)
  })

  test.each([
    ['no nodes', { nodes: [], edges: [] }],
    ['no edges', { nodes: [node('a')], edges: [] }],
  ])('may have %s', (_, graph: Graph) => {
    const [, width, height] = /width="([^"]+)" height="([^"]+)"/.exec(toSvg(graph))!
    expect(Number(width)).toBeGreaterThan(0)
    expect(Number(height)).toBeGreaterThan(0)
    expect(toMermaid(graph)).toMatch(/^flowchart LR\n/)
    expect(toDot(graph)).toMatch(/^digraph \{\n/)
  })

  test.each([
    ['toMermaid', toMermaid],
    ['toDot', toDot],
    ['toSvg', toSvg],
  ])('is refused by %s where it is none', (_, draw) => {
    expect(() => draw(pipeline(range(1)) as never)).toThrow(
      /"graph" must be what describe\(\) gives, got Object$/,
    )
    expect(() => draw(undefined as never)).toThrow(/"graph" must be what describe\(\) gives, got undefined$/)
    expect(() => draw({ nodes: [node('a')], edges: [edge('a', 'b')] })).toThrow(
      /"edges" must be between nodes of the graph, got "b"$/,
    )
  })
})

test('a name has nothing that XML forbids', () => {
  const name = 'a\u0000b\uFFFFc\uFFFE'
  const svg = toSvg(
    pipeline(
      range(0, 1, 1, { name }),
      map((n) => n),
    ).describe(),
  )
  expect(svg).toContain('<title>a b c </title>')
})
