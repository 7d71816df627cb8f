/** Graphs as pictures: Mermaid, DOT, SVG, and where the boxes stand in them. */
import { describe, expect, test } from 'vitest'
import {
  alsoTo,
  drain,
  fanIn,
  fanOut,
  filter,
  groupBy,
  map,
  pipeline,
  range,
  source,
  take,
  type Graph,
} from 'sluice'
import { toDot, toMermaid, toSvg } from 'sluice/inspect'
import { layoutOf } from '../../src/inspect/pictures/layout.ts'
import { condensed } from '../../src/inspect/page/condense.ts'
import { Random, seedOfRun } from '../support/random.ts'

const named = (name: string) => map((n: number) => n, { name })

const linear = pipeline(range(3), named('double'), drain()).describe()

/** Two inputs of unlike length, a sink beside the way, and branches of unlike length. */
const rich = pipeline(
  fanIn(pipeline(range(3), named('parse'), named('check')), source([1], { name: 'web' })),
  alsoTo(pipeline(named('archive'), drain())),
  fanOut({
    short: filter((n: number) => n > 0),
    long: pipeline(named('one'), named('two'), take<number>(3)),
  }),
  drain({ name: 'end' }),
).describe()

const hostile = '"]; evil --> <img src=x onerror=alert(1)> & #quot; `x` \\ \u0000\n\u2028'

describe('toMermaid()', () => {
  test('draws stages and channels, sources in another shape', () => {
    expect(toMermaid(linear)).toBe(
      [
        'flowchart LR',
        '  n0(["range"])',
        '  n1["double"]',
        '  n2["drain"]',
        '  n0 -- "256" --> n1',
        '  n1 -- "256" --> n2',
        '',
      ].join('\n'),
    )
  })

  test('names branches, and says how full the channels of a run are', async () => {
    const run = pipeline(range(2), fanOut({ all: drain() })).start()
    await run.result
    expect(toMermaid(run.describe())).toMatch(/n\d -- "all: 0\/256" --> n\d/)
  })

  test('goes down, with a title', () => {
    const text = toMermaid(linear, { direction: 'down', title: 'Orders: "all"' })
    expect(text.startsWith('---\ntitle: "Orders: \\"all\\""\n---\nflowchart TD\n')).toBe(true)
  })

  test('writes what means something to Mermaid or HTML as codes', () => {
    const text = toMermaid(pipeline(source([1], { name: hostile }), drain()).describe())
    const [, node] = text.split('\n')
    expect(node).toMatch(/^ {2}n0\(\["[^"<>&`\\]*"\]\)$/)
    expect(node).toContain('#60;img src=x onerror=alert(1)#62;')
  })

  test.each([
    ['1. parse', '1#46; parse'],
    ['- rest', '#45; rest'],
    ['__init__', '#95;#95;init#95;#95;'],
    ['*all*', '#42;all#42;'],
    ['GET https://a.b', 'GET https#58;//a.b'],
    ['me@home', 'me#64;home'],
    ['read_lines v1.2 - x', 'read_lines v1.2 - x'],
  ])('keeps Markdown from reading the name %s', (name, text) => {
    expect(toMermaid(pipeline(named('one'), named(name)).describe())).toContain(`  n1["${text}"]\n`)
    expect(toMermaid(pipeline(range(1), fanOut({ [name]: drain() })).describe())).toContain(`"${text}: 256"`)
  })
})

describe('toDot()', () => {
  test('draws stages and channels', () => {
    expect(toDot(linear)).toBe(
      [
        'digraph {',
        '  rankdir=LR',
        '  node [shape=box, style=rounded]',
        '  n0 [label="range", peripheries=2]',
        '  n1 [label="double"]',
        '  n2 [label="drain"]',
        '  n0 -> n1 [label="256"]',
        '  n1 -> n2 [label="256"]',
        '}',
        '',
      ].join('\n'),
    )
  })

  test('keeps names inside their quotes', () => {
    const text = toDot(pipeline(source([1], { name: hostile }), drain()).describe(), { title: 'a "b" \\' })
    expect(text).toContain('label="a \\"b\\" \\\\"')
    for (const line of text.split('\n')) expect(line.replace(/\\./g, '').split('"').length % 2).toBe(1)
  })

  test('writes no name that Graphviz takes for an entity of HTML', () => {
    const text = toDot(pipeline(named('R&amp;D'), named('&lt;')).describe())
    expect(text).toContain('[label="R&amp;amp;D"')
    expect(text).toContain('[label="&amp;lt;"')
  })
})

describe('toSvg()', () => {
  const count = (text: string, part: string) => text.split(part).length - 1

  test('has a box for each stage and a line with its caption for each channel', () => {
    const svg = toSvg(rich)
    expect(count(svg, '<rect class="stage"')).toBe(rich.nodes.length)
    expect(count(svg, '<path')).toBe(rich.edges.length)
    expect(svg).toContain('>short: 256</text>')
  })

  test.each(['right', 'down'] as const)('keeps all inside its frame, going %s', (direction) => {
    const svg = toSvg(rich, { direction, title: 'Orders' })
    const [width, height] = ['width', 'height'].map((side) =>
      Number(new RegExp(`^<svg.* ${side}="(\\d+\\.?\\d*)"`).exec(svg)![1]),
    )
    for (const [, x, y, w, h] of svg.matchAll(
      /class="stage" x="([\d.-]+)" y="([\d.-]+)" width="([\d.]+)" height="([\d.]+)"/g,
    )) {
      expect(Number(x)).toBeGreaterThanOrEqual(0)
      expect(Number(y)).toBeGreaterThanOrEqual(0)
      expect(Number(x) + Number(w)).toBeLessThanOrEqual(width)
      expect(Number(y) + Number(h)).toBeLessThanOrEqual(height)
    }
  })

  test('has no markup but its own', () => {
    const svg = toSvg(pipeline(source([1], { name: hostile }), fanOut({ [hostile]: drain() })).describe(), {
      title: hostile,
    })
    expect(svg).not.toMatch(/<(?!\/?(svg|style|rect|text|g|title|path)[ />])/)
    expect(svg).not.toContain('\u0000')
  })

  test('of no stages is a picture too', () => {
    expect(toSvg({ nodes: [], edges: [] })).toMatch(/^<svg [^>]*width="\d+"/)
  })
})

describe('pictures refuse', () => {
  test.each([toMermaid, toDot, toSvg])('wrong options: %o', (draw) => {
    expect(() => draw(linear, { direction: 'up' as never })).toThrow(
      /^Cannot draw (Mermaid|DOT|SVG): "direction" must be 'right' or 'down', got "up"$/,
    )
    expect(() => draw(linear, { title: 7 as never })).toThrow('"title" must be a string, got 7')
    expect(() => draw(linear, null as never)).toThrow('"options" must be an object, got null')
    expect(() => draw(linear, [] as never)).toThrow('"options" must be an object, got Array')
  })
})

describe('the layout of a graph', () => {
  /** What holds for the layout of any graph. */
  function expectSound(graph: Graph, note = ''): void {
    const { places, routes, ranks, rows } = layoutOf(graph)
    const at = new Map(graph.nodes.map(({ id }, i) => [id, places[i]]))
    const taken = new Map<number, number[]>()
    for (const { rank, row } of [...places, ...routes.flatMap((route) => route.slice(1, -1))]) {
      expect(rank).toBeLessThan(ranks)
      expect(row).toBeGreaterThanOrEqual(0)
      expect(row).toBeLessThan(rows - 0.999)
      taken.set(rank, [...(taken.get(rank) ?? []), row])
    }
    // Nothing stands on anything else, and no line goes through a box.
    for (const row of taken.values()) {
      const sorted = row.sort((a, b) => a - b)
      for (let i = 1; i < sorted.length; i++) expect(sorted[i] - sorted[i - 1], note).toBeGreaterThan(0.999)
    }
    graph.edges.forEach(({ from, to }, i) => {
      expect(routes[i][0]).toEqual(at.get(from))
      expect(routes[i].at(-1)).toEqual(at.get(to))
      for (let k = 1; k < routes[i].length; k++) expect(routes[i][k].rank).toBe(routes[i][k - 1].rank + 1)
    })
  }

  test('keeps boxes and lines apart', () => {
    expectSound(linear)
    expectSound(rich)
    expect(layoutOf(linear)).toMatchObject({ ranks: 3, rows: 1 })
  })

  test('ends the inputs of a fan-in beside each other', () => {
    const { places } = layoutOf(rich)
    const rankOf = (name: string) => places[rich.nodes.findIndex((node) => node.name === name)].rank
    expect(rankOf('web')).toBe(rankOf('check'))
  })

  test('holds for pipelines of every shape', () => {
    const seed = seedOfRun()
    const random = new Random(seed)
    const between = (least: number, most: number) => least + random.below(most - least + 1)
    for (let round = 0; round < 200; round++) {
      const piece = (depth: number): ReturnType<typeof named> => {
        const kinds = [() => named('map'), () => filter((n: number) => n > 0)]
        if (depth > 0)
          kinds.push(
            () => pipeline(piece(depth - 1), piece(depth - 1)),
            () =>
              fanOut(
                Object.fromEntries(
                  Array.from({ length: between(1, 4) }, (_, i) => [`b${i}`, piece(depth - 1)]),
                ),
              ),
            () => alsoTo(pipeline(piece(depth - 1), drain())),
          )
        return kinds[between(0, kinds.length - 1)]()
      }
      const inputs = Array.from({ length: between(1, 4) }, () => pipeline(range(3), piece(1)))
      expectSound(pipeline(fanIn(...inputs), piece(3), piece(2), drain()).describe(), `seed ${seed}`)
    }
  })
})

describe('a condensed graph', () => {
  test('has the copies of a stage in one node, and what they hold added up', async () => {
    const grouped = groupBy(
      (n: number) => n % 20,
      () => pipeline(named('one'), named('two')),
    )
    const run = pipeline(range(40), grouped, drain()).start()
    await run.result
    const { nodes, edges } = condensed(run.describe(), 8)
    expect(nodes.map(({ name, members }) => [name, members.length])).toEqual([
      ['range', 1],
      ['groupBy', 1],
      ['one', 20],
      ['two', 20],
      ['drain', 1],
    ])
    const ids = Object.fromEntries(nodes.map(({ id, name }) => [id, name]))
    expect(edges.map(({ from, to, label, capacity }) => [ids[from], ids[to], label, capacity])).toEqual([
      ['range', 'groupBy', undefined, 256],
      ['groupBy', 'one', '× 20', 20 * 256],
      ['one', 'two', undefined, 256],
      ['two', 'drain', undefined, 256],
    ])
  })

  test('leaves branches alone that are few, or differ', () => {
    expect(condensed(rich, 8).nodes.map(({ name }) => name)).toEqual(rich.nodes.map(({ name }) => name))
    const branches = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`b${i}`, named(`stage ${i}`)]))
    expect(condensed(pipeline(range(3), fanOut(branches), drain()).describe(), 8).nodes).toHaveLength(15)
  })
})
