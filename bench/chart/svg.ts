// What all pictures share: the colours of both schemes, a scale, and panels in a grid. The text of an SVG, written
// by hand: a picture of a few lines and bars needs no library.

export type Scheme = 'light' | 'dark'

const schemes = {
  light: {
    page: '#ffffff',
    text: '#1f2328',
    faint: '#59636e',
    grid: '#e4e8ec',
    own: '#0969da',
    other: '#b8c0c9',
    baseline: '#7b848f',
  },
  dark: {
    page: '#0d1117',
    text: '#e6edf3',
    faint: '#9198a1',
    grid: '#262c34',
    own: '#4493f8',
    other: '#4b535d',
    baseline: '#8b949e',
  },
}

const font = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif"
export const panelWidth = 440
const gap = 28
const margin = 20

/** Part of a picture, drawn from (0, 0) to `panelWidth` and its height. */
export interface Panel {
  height: number
  content: string
}

const escaped = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

const round = (value: number | string) => (typeof value === 'number' ? +value.toFixed(1) : escaped(value))

/** An element without content; `class` gives it its colour. */
export function element(name: string, attributes: Record<string, number | string>): string {
  const list = Object.entries(attributes).map(([key, value]) => ` ${key}="${round(value)}"`)
  return `<${name}${list.join('')}/>`
}

export function label(text: string, { x, y, kind = '' }: { x: number; y: number; kind?: string }): string {
  return `<text x="${round(x)}" y="${round(y)}"${kind && ` class="${kind}"`}>${escaped(text)}</text>`
}

/** The head of a panel: its name and, in as many lines as it needs, what it shows. */
export function heading(title: string, note: string): Panel {
  const lines = wrapped(note, 70)
  const content = [
    label(title, { x: 0, y: 14, kind: 'title' }),
    ...lines.map((line, i) => label(line, { x: 0, y: 31 + 14 * i, kind: 'faint' })),
  ]
  return { height: 28 + 14 * lines.length, content: content.join('\n') }
}

function wrapped(text: string, width: number): string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = `${lines[lines.length - 1]} ${word}`.trim()
    if (line.length <= width) lines[lines.length - 1] = line
    else lines.push(word)
  }
  return lines
}

/** Whole powers of ten around the numbers, and where a number lies between them, from 0 to 1. */
export function logScale(numbers: readonly number[]): LogScale {
  const low = Math.floor(Math.log10(Math.min(...numbers)))
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...numbers))))
  return {
    at: (number) => (Math.log10(number) - low) / (high - low),
    ticks: Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)),
  }
}

export interface LogScale {
  at: (number: number) => number
  ticks: readonly number[]
}

/** The whole picture: the panels two in a row. */
export function page(panels: readonly Panel[], { scheme, alt }: { scheme: Scheme; alt: string }): string {
  const placed: string[] = []
  let top = margin
  for (let i = 0; i < panels.length; i += 2) {
    const pair = panels.slice(i, i + 2)
    pair.forEach(({ content }, column) => {
      const left = margin + column * (panelWidth + gap)
      placed.push(`<g transform="translate(${left} ${round(top)})">\n${content}\n</g>`)
    })
    top += Math.max(...pair.map(({ height }) => height)) + gap
  }
  const width = 2 * (margin + panelWidth) + gap
  const height = Math.ceil(top - gap + margin)
  const { page, text, faint, grid, ...fills } = schemes[scheme]
  const styles = [
    `text{font:11px ${font};fill:${text}}.title{font-size:13px;font-weight:600}.strong{font-weight:600}`,
    `.faint{fill:${faint}}.end{text-anchor:end}.middle{text-anchor:middle}`,
    `.clear{paint-order:stroke;stroke:${page};stroke-width:3px;stroke-linejoin:round}`,
    `.grid{stroke:${grid}}.spread{stroke:${text};stroke-opacity:.55}`,
    `.line{fill:none;stroke:${fills.own};stroke-width:2}.guide{fill:none;stroke:${faint};stroke-dasharray:2 4}`,
    ...Object.entries(fills).map(([kind, fill]) => `.${kind}{fill:${fill}}`),
  ]
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(alt)}">`,
    `<style>${styles.join('')}</style>`,
    element('rect', { width, height, rx: 6, fill: page }),
    ...placed,
    '</svg>\n',
  ].join('\n')
}
