/** A graph as a picture that needs nothing else: an SVG for light and dark, as a file or in a page. */
import type { Graph, GraphEdge, GraphNode } from '../../pipeline/graph.ts'
import { layoutOf, type Place } from './layout.ts'
import { type Line, lineOf, type Point, round } from './lines.ts'
import { captionOf, checkPicture, oneLine, type PictureOptions, sourcesOf } from './pictures.ts'

const MARGIN = 16
const HEIGHT = 36
const LETTER = 7.3
const NAME_LETTERS = 28
const CAPTION_LETTERS = 18

const style = `
.sluice{font:13px system-ui,-apple-system,"Segoe UI","Noto Sans",Helvetica,Arial,sans-serif;--page:#fff;--text:#1f2328;--faint:#59636e;--line:#8b949e;--box:#f6f8fa;--edge:#0969da}
@media (prefers-color-scheme:dark){.sluice{--page:#0d1117;--text:#e6edf3;--faint:#9198a1;--line:#6e7681;--box:#161b22;--edge:#4493f8}}
.sluice .page{fill:var(--page)}.sluice text{fill:var(--text);text-anchor:middle;dominant-baseline:central}
.sluice .title{font-weight:600;font-size:15px}.sluice .caption{fill:var(--faint);font-size:11px;paint-order:stroke;stroke:var(--page);stroke-width:4px}
.sluice rect.stage{fill:var(--box);stroke:var(--line)}.sluice path{fill:none;stroke:var(--line);stroke-width:1.5}
.sluice path.values{stroke:var(--edge);stroke-width:3}`.replaceAll('\n', '')

/**
 * A graph as a standalone SVG, in light and dark.
 *
 * - Takes what `describe()` of a pipeline or a run gives; the edges of a run say how full they are, and those that are
 *   half full or more are drawn thick.
 * - Names that are too long are cut; the whole one shows when the pointer rests on it.
 *
 * @throws TypeError for wrong options.
 * @example
 * import { batch, pipeline, range } from 'sluice'
 * import { toSvg } from 'sluice/inspect'
 *
 * toSvg(pipeline(range(5), batch(2)).describe()).startsWith('<svg xmlns="http://www.w3.org/2000/svg"') // => true
 */
export function toSvg(graph: Graph, options: PictureOptions = {}): string {
  const { direction, title } = checkPicture('draw SVG', graph, options)
  const layout = layoutOf(graph)
  const across = direction === 'right'
  const letters = graph.nodes.map(({ name }) => shortened(name, NAME_LETTERS).length)
  const width = Math.max(64, most(letters) * LETTER + 28)
  const captions = graph.edges.map((edge) => shortened(captionOf(edge), CAPTION_LETTERS))
  // Room for the captions between two ranks.
  const between = across ? Math.max(48, most(captions.map(({ length }) => length)) * 6.2 + 24) : 44
  const along = (across ? width : HEIGHT) + between
  const aside = across ? HEIGHT + 20 : width + 28
  const top = MARGIN + (title === '' ? 0 : 30)
  const at = ({ rank, row }: Place): { x: number; y: number } => {
    const [right, down] = across ? [rank * along, row * aside] : [row * aside, rank * along]
    return { x: MARGIN + width / 2 + right, y: top + HEIGHT / 2 + down }
  }
  const last = at({ rank: Math.max(0, layout.ranks - 1), row: Math.max(0, layout.rows - 1) })
  const size = { width: round(last.x + width / 2 + MARGIN), height: round(last.y + HEIGHT / 2 + MARGIN) }
  const half = across ? width / 2 : HEIGHT / 2
  const sources = sourcesOf(graph)
  const captionPlace = captionPlaces(graph)
  const paths = graph.edges.map((edge, i) => {
    const route = layout.routes[i].map(at)
    return edgeOf(edge, captions[i], lineOf({ route, half, across, caption: captionPlace(edge) }))
  })
  const boxes = graph.nodes.map((node, i) => nodeOf(node, at(layout.places[i]), width, sources.has(node.id)))
  const label = escaped(title || `Pipeline: ${graph.nodes.map(({ name }) => name).join(', ')}`)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="sluice" role="img" aria-label="${label}" ` +
      `width="${size.width}" height="${size.height}" viewBox="0 0 ${size.width} ${size.height}">`,
    `<style>${style}</style>`,
    `<rect class="page" width="100%" height="100%"/>`,
    ...(title === ''
      ? []
      : [`<text class="title" x="${size.width / 2}" y="${MARGIN + 8}">${escaped(title)}</text>`]),
    ...paths,
    ...boxes,
    '</svg>',
    '',
  ].join('\n')
}

function most(numbers: readonly number[]): number {
  return numbers.reduce((high, number) => Math.max(high, number), 0)
}

/** Where the captions stand: away from where lines meet. */
export function captionPlaces({ edges }: Graph): (edge: GraphEdge) => number {
  const [behind, before] = [new Map<string, Set<string>>(), new Map<string, Set<string>>()]
  const add = (all: Map<string, Set<string>>, one: string, other: string): void => {
    const known = all.get(one)
    if (known) known.add(other)
    else all.set(one, new Set([other]))
  }
  for (const { from, to } of edges) {
    add(behind, from, to)
    add(before, to, from)
  }
  return ({ from, to }) => (behind.get(from)!.size > 1 ? 0.7 : before.get(to)!.size > 1 ? 0.3 : 0.5)
}

function nodeOf({ name }: GraphNode, { x, y }: Point, width: number, isSource: boolean): string {
  const box = `x="${round(x - width / 2)}" y="${round(y - HEIGHT / 2)}" width="${round(width)}" height="${HEIGHT}"`
  return (
    `<g><title>${escaped(name)}</title><rect class="stage" ${box} rx="${isSource ? HEIGHT / 2 : 6}"/>` +
    `<text x="${round(x)}" y="${round(y)}">${escaped(shortened(name, NAME_LETTERS))}</text></g>`
  )
}

function edgeOf(edge: GraphEdge, caption: string, { path, at }: Line): string {
  const thick = edge.length !== undefined && edge.capacity > 0 && edge.length * 2 >= edge.capacity
  return (
    `<path${thick ? ' class="values"' : ''} d="${path}"/>` +
    `<text class="caption" x="${round(at.x)}" y="${round(at.y)}">${escaped(caption)}</text>`
  )
}

function shortened(text: string, most: number): string {
  const letters = [...oneLine(text)]
  return letters.length > most ? `${letters.slice(0, most - 1).join('')}…` : letters.join('')
}

function escaped(text: string): string {
  return oneLine(text).replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)
}
