/** `describe()` draws a pipeline as plain data before anything runs. */
import { describe, expect, test } from 'vitest'
import { batch, drain, fanIn, fanOut, filter, map, pipeline, range, source, stage, toArray } from 'sluice'
import { probe } from './support-sources.ts'

describe('describe()', () => {
  test('lists the stages in order under their names', () => {
    const custom = stage<number, number>('custom', async () => {})
    const graph = pipeline(
      range(3),
      map((n) => n + 1, { name: 'plus one' }),
      custom,
      batch(2),
      drain(),
    ).describe()
    expect(graph.nodes.map((node) => node.name)).toEqual(['range', 'plus one', 'custom', 'batch', 'drain'])
  })

  test('has an edge for each channel, with the capacity that holds', () => {
    const graph = pipeline(
      source([1], { capacity: 0 }),
      map((n) => n, { capacity: 7 }),
      filter((n) => n > 0),
      toArray(),
    ).describe()
    expect(graph.edges.map((edge) => edge.capacity)).toEqual([0, 7, 256])
  })

  test('is plain data, the same each time, and nobody reads for it', () => {
    const input = probe([1, 2])
    const pipe = pipeline(source(input), map(String), toArray())
    const graph = pipe.describe()
    expect(structuredClone(graph)).toEqual(graph)
    expect(JSON.parse(JSON.stringify(graph))).toEqual(graph)
    expect(pipe.describe()).toEqual(graph)
    expect(input.iterated).toBe(0)
  })

  test('includes the inputs of a fanIn', () => {
    const left = pipeline(
      source([1], { name: 'left' }),
      map((n) => n, { name: 'left map' }),
    )
    const graph = pipeline(fanIn(left, source([2], { name: 'right' })), drain()).describe()
    const names = graph.nodes.map((node) => node.name)
    for (const name of ['left', 'left map', 'right', 'fanIn', 'drain']) expect(names).toContain(name)
    expect(graph.edges.length).toBeGreaterThanOrEqual(4)
    for (const edge of graph.edges) expect(edge.capacity).toBeGreaterThanOrEqual(0)
  })

  test('shows the stages of a pipeline inside a pipeline', () => {
    const inner = pipeline(
      map((n: number) => n, { name: 'inner one', capacity: 4 }),
      map((n) => n, { name: 'inner two' }),
    )
    const graph = pipeline(range(3), inner, drain()).describe()
    const names = graph.nodes.map((node) => node.name)
    for (const name of ['range', 'inner one', 'inner two', 'drain']) expect(names).toContain(name)
    expect(graph.edges.map((edge) => edge.capacity)).toContain(4)
  })

  test('of a run says in whose branch a stage is', async () => {
    const run = pipeline(
      range(3),
      fanOut({
        a: pipeline(
          map((n: number) => n, { name: 'one' }),
          map((n) => n, { name: 'two' }),
        ),
      }),
      drain(),
    ).start()
    const { nodes } = run.describe()
    const stems = nodes.map(({ name, branchOf }) => [name, nodes.find(({ id }) => id === branchOf)?.name])
    expect(stems).toEqual([
      ['range', undefined],
      ['fanOut', undefined],
      ['one', 'fanOut'],
      ['two', 'fanOut'],
      ['drain', undefined],
    ])
    await run.result
  })
})
