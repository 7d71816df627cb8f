/** A graph as text that other programs draw: Mermaid for Markdown, DOT for Graphviz. */
import type { Complete } from '../../pipeline/stage.ts'
import { demandOptions } from '../../connect/options.ts'
import { demand } from '../../errors.ts'
import type { Graph, GraphEdge } from '../../pipeline/graph.ts'

/** How `toMermaid`, `toDot` and `toSvg` draw a graph. */
export interface PictureOptions {
  /** Which way the values go. Default: `'right'`. */
  direction?: 'right' | 'down' | undefined
  /** Shown as the title of the picture. Default: none. */
  title?: string | undefined
}

export function checkPicture(
  action: string,
  graph: Graph,
  options: PictureOptions,
): Complete<PictureOptions> {
  const { nodes, edges } = Object(graph) as Partial<Graph>
  const isGraph = Array.isArray(nodes) && Array.isArray(edges)
  demand(isGraph, action, 'graph', 'what describe() gives', graph, TypeError)
  const ids = new Set(nodes.map(({ id }) => id))
  const lost = edges.flatMap(({ from, to }) => [from, to]).find((id) => !ids.has(id))
  demand(lost === undefined, action, 'edges', 'between nodes of the graph', lost, TypeError)
  demandOptions(options, action)
  const { direction = 'right', title = '' } = options
  const known = direction === 'right' || direction === 'down'
  demand(known, action, 'direction', "'right' or 'down'", direction, TypeError)
  demand(typeof title === 'string', action, 'title', 'a string', title, TypeError)
  return { direction, title }
}

/** What is written at an edge: the branch, and how many values the channel holds. */
export function captionOf({ label, length, capacity }: GraphEdge): string {
  const size = capacity === Infinity ? '∞' : String(capacity)
  const values = length === undefined ? size : `${length}/${size}`
  return label === undefined ? values : `${label}: ${values}`
}

/** What each node is called in the text. Ids of a graph that was made by hand can be anything. */
function wordsOf({ nodes }: Graph): Map<string, string> {
  return new Map(nodes.map(({ id }, place) => [id, /^\w+$/.test(id) ? `n${id}` : `x${place}`]))
}

/** Sources have another shape. */
export function sourcesOf({ nodes, edges }: Graph): Set<string> {
  const fed = new Set(edges.map(({ to }) => to))
  return new Set(nodes.map(({ id }) => id).filter((id) => !fed.has(id)))
}

/**
 * A graph as a Mermaid flowchart, which many Markdown viewers draw.
 *
 * - Takes what `describe()` of a pipeline or a run gives; the edges of a run say how full they are.
 *
 * @throws TypeError for wrong options.
 * @example
 * import { batch, pipeline, range } from 'sluice'
 * import { toMermaid } from 'sluice/inspect'
 *
 * const text = toMermaid(pipeline(range(5), batch(2)).describe())
 * text.split('\n') // => ['flowchart LR', '  n0(["range"])', '  n1["batch"]', '  n0 -- "256" --> n1', '']
 */
export function toMermaid(graph: Graph, options: PictureOptions = {}): string {
  const { direction, title } = checkPicture('draw Mermaid', graph, options)
  const sources = sourcesOf(graph)
  const words = wordsOf(graph)
  const lines = [
    ...(title === '' ? [] : ['---', `title: ${JSON.stringify(title)}`, '---']),
    `flowchart ${direction === 'right' ? 'LR' : 'TD'}`,
    ...graph.nodes.map(({ id, name }) => {
      const text = mermaidText(name)
      return `  ${words.get(id)}${sources.has(id) ? `([${text}])` : `[${text}]`}`
    }),
    ...graph.edges.map(
      (edge) => `  ${words.get(edge.from)} -- ${mermaidText(captionOf(edge))} --> ${words.get(edge.to)}`,
    ),
  ]
  return lines.join('\n') + '\n'
}

/** To Mermaid, to HTML or to Markdown, for which Mermaid 11 takes any label: it draws no `1. parse` and no `_rest`. */
const MEANS_SOMETHING = /[#"<>&`\\*~[@]|(?<![a-z\d])_|_(?![a-z\d])|(?<=^\s*)[-+]|(?<=^\s*\d+)[.)]|:(?=\/\/)/gi

/** What means something is written as a code. */
function mermaidText(text: string): string {
  const safe = oneLine(text).replace(MEANS_SOMETHING, (char) => `#${char.charCodeAt(0)};`)
  // Without any text there is no node.
  return `"${safe || ' '}"`
}

/**
 * A graph in the DOT language of Graphviz.
 *
 * - Takes what `describe()` of a pipeline or a run gives; the edges of a run say how full they are.
 *
 * @throws TypeError for wrong options.
 * @example
 * import { batch, pipeline, range } from 'sluice'
 * import { toDot } from 'sluice/inspect'
 *
 * const text = toDot(pipeline(range(5), batch(2)).describe())
 * text.includes('n0 -> n1 [label="256"]') // => true
 */
export function toDot(graph: Graph, options: PictureOptions = {}): string {
  const { direction, title } = checkPicture('draw DOT', graph, options)
  const sources = sourcesOf(graph)
  const words = wordsOf(graph)
  const lines = [
    'digraph {',
    ...(title === '' ? [] : [`  label=${dotText(title)}; labelloc=t`]),
    `  rankdir=${direction === 'right' ? 'LR' : 'TB'}`,
    '  node [shape=box, style=rounded]',
    ...graph.nodes.map(
      ({ id, name }) =>
        `  ${words.get(id)} [label=${dotText(name)}${sources.has(id) ? ', peripheries=2' : ''}]`,
    ),
    ...graph.edges.map(
      (edge) => `  ${words.get(edge.from)} -> ${words.get(edge.to)} [label=${dotText(captionOf(edge))}]`,
    ),
    '}',
  ]
  return lines.join('\n') + '\n'
}

/** Graphviz reads entities of HTML in any label. */
function dotText(text: string): string {
  const safe = oneLine(text).replace(/[\\"]/g, '\\$&').replaceAll('&', '&amp;')
  return `"${safe}"`
}

/** Names are what users make them: line ends, control characters and what XML forbids are no part of a picture. */
export function oneLine(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufffe\uffff]+/g, ' ')
}
