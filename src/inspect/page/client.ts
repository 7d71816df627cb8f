/**
 * What runs in the page. It is sent as the text of these functions, so that there is nothing to build or to load: they
 * use each other and what a browser has, and nothing else of this package but types.
 *
 * Everything that a user's program has named is set as text, never as HTML. A page of a hundred stages is redrawn four
 * times a second, so what has not changed is not touched, and what is not in view only now and then (bench: inspect).
 */
import type { Box, Pipe } from './drawing.ts'
import type { Failure, Picture, Sample, Shape, StageSample } from './view.ts'

type Attributes = Record<string, string | number>

/** Makes an element; `kind` is its class. */
function make<K extends keyof HTMLElementTagNameMap>(
  name: K,
  parent: Element,
  kind = '',
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name)
  if (kind !== '') element.className = kind
  parent.append(element)
  return element
}

function draw(name: string, parent: Element, attributes: Attributes): SVGElement {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value))
  parent.append(element)
  return element
}

/** Sets an attribute or the text of an element, where it is another than before. */
function setter(element: Element, name?: string): (value: string) => void {
  let before: string | undefined
  return (value) => {
    if (value === before) return
    before = value
    if (name === undefined) element.textContent = value
    else element.setAttribute(name, value)
  }
}

/** A number with commas; `toLocaleString` takes ten times as long. */
function count(value: number): string {
  const [whole, ...rest] = String(value).split('.')
  return [whole.replace(/\B(?=(\d{3})+$)/g, ','), ...rest].join('.')
}

function short(value: number): string {
  const units: [number, string][] = [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e4, 'k'],
  ]
  const [size, unit] = units.find(([least]) => value >= least) ?? [1, '']
  const divided = value / (unit === 'k' ? 1000 : size)
  return (divided < 100 && divided % 1 !== 0 ? divided.toFixed(1) : count(Math.round(divided))) + unit
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

function duration(milliseconds: number): string {
  const seconds = milliseconds / 1000
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** The part of a scrolled element that is in view, from its top, and a little more. */
function bandOf(element: Element): { from: number; to: number } {
  const { top, height } = element.getBoundingClientRect()
  const [from, to] = [Math.max(0, -top), Math.min(height, innerHeight - top)]
  return { from: element.scrollTop + from - 80, to: element.scrollTop + to + 80 }
}

/** Puts an element over the drawing, its middle at a point. */
function place(
  element: HTMLElement,
  { x, y }: { x: number; y: number },
  size: { width: number; height: number },
): void {
  const { width, height } = size
  const { style } = element
  style.left = `${x - width / 2}px`
  style.top = `${y - height / 2}px`
  style.width = `${width}px`
  style.height = `${height}px`
}

function cut(text: string, most: number): string {
  const letters = [...text]
  return letters.length > most ? `${letters.slice(0, most - 1).join('')}…` : text
}

/** What is to be shown as it is now: 0 is the bar and the mark, 1 its rate as well, 2 its total, too. */
type Detail = number

function boxView(box: Box, graph: Element): (sample: StageSample, detail: Detail) => void {
  const { name, copies, isSource, size } = box
  const element = make('div', graph)
  place(element, box, { width: 184, height: 66 })
  const full = copies > 1 ? `${name} × ${count(copies)}` : name
  const title = make('b', element)
  title.textContent = cut(full, 24)
  if (title.textContent !== full) element.title = full
  const text = setter(make('span', element))
  const { style } = make('i', element)
  let bar = ''
  let total = ''
  const mark = setter(element, 'class')
  return ([received, sent, failed, rate, ...rest], detail) => {
    if (detail > 1) total = size === null ? short(sent || received) : `${short(sent)} of ${short(size)}`
    if (detail > 0)
      text(
        `${short(rate < 10 ? rate : Math.round(rate))}/s · ${total}${failed > 0 ? ` · ${short(failed)} failed` : ''}`,
      )
    const [busy, input, output] = rest.map((share) => Math.round(Number(share) * 100))
    const ends = [busy, busy + input, busy + input + output]
    if (bar !== (bar = ends.join())) ends.forEach((end, i) => style.setProperty(`--${'abc'[i]}`, `${end}%`))
    mark(`box${isSource ? ' source' : ''}${rest[3] ? ' bottleneck' : ''}`)
  }
}

function rowView(box: Box, rows: Element): (sample: StageSample, history: number[]) => void {
  const row = make('div', rows, 'row')
  row.role = 'row'
  const cell = (kind: string, role = 'cell'): HTMLElement => {
    const element = make('span', row, kind)
    element.role = role
    return element
  }
  const head = cell('name', 'rowheader')
  const mark = setter(make('span', head))
  make('span', head).textContent = box.copies > 1 ? `${box.name} × ${count(box.copies)}` : box.name
  const numbers = Array.from({ length: 7 }, () => setter(cell('number')))
  // In pixels: a picture with a scale of its own is a layer, and all are composed anew where one changes.
  const chart = draw('svg', cell('minute'), { class: 'chart' })
  chart.setAttribute('aria-hidden', 'true')
  const line = setter(draw('polyline', chart, {}), 'points')
  const doing = setter(cell('doing'))
  const kind = setter(row, 'class')
  return ([received, sent, failed, rate, busy, input, output, isBottleneck, words], history) => {
    const texts = [received, sent, failed].map(count)
    texts.push(count(rate), percent(busy), percent(input), percent(output))
    texts.forEach((text, i) => numbers[i](text))
    const most = Math.max(1, ...history)
    const from = 60 - history.length
    line(history.map((value, i) => `${from + i},${(15 - (value / most) * 14).toFixed(1)}`).join(' '))
    doing(words)
    mark(isBottleneck ? '◆ ' : '')
    kind(isBottleneck ? 'row bottleneck' : 'row')
  }
}

/** A channel: its line, and a gauge of how full it is. */
function pipeView(pipe: Pipe, svg: Element, graph: Element): (length: number) => void {
  const { path, label, capacity } = pipe
  draw('path', svg, { class: 'line', d: path })
  if (label !== '') {
    const name = make('div', graph, 'label')
    place(name, { x: pipe.x, y: pipe.y - 16 }, { width: 92, height: 14 })
    name.textContent = cut(label, 13)
    if (name.textContent !== label) name.title = label
  }
  const gauge = make('div', graph)
  place(gauge, pipe, { width: 76, height: 16 })
  const text = setter(gauge)
  const kind = setter(gauge, 'class')
  let fill = ''
  return (length) => {
    const full = capacity ? Math.min(1, length / capacity) : 0
    kind(`gauge ${full >= 0.9 ? 'full' : full >= 0.5 ? 'half' : 'free'}`)
    if (fill !== (fill = `${Math.round(full * 100)}%`)) gauge.style.setProperty('--fill', fill)
    text(`${count(length)} / ${capacity === null ? '∞' : count(capacity)}`)
  }
}

interface View {
  boxes: ((sample: StageSample, detail: Detail) => void)[]
  rows: ((sample: StageSample, history: number[]) => void)[]
  pipes: ((length: number) => void)[]
}

/** Draws the graph and the table anew. */
function build({ nodes, edges, width, height }: Shape): View {
  const graph = document.getElementById('graph')!
  const rows = document.getElementById('rows')!
  graph.replaceChildren()
  rows.replaceChildren()
  const svg = draw('svg', graph, { width, height, viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' })
  return {
    pipes: edges.map((pipe) => pipeView(pipe, svg, graph)),
    boxes: nodes.map((box) => boxView(box, graph)),
    rows: nodes.map((box) => rowView(box, rows)),
  }
}

function addFailures(failures: readonly Failure[]): void {
  const list = document.getElementById('failures')!
  for (const { time, stage, error, value, attempts, fatal } of failures) {
    const item = document.createElement('li')
    make('time', item).textContent = new Date(time).toLocaleTimeString('en-GB')
    make('strong', item).textContent = stage
    make('span', item).textContent = error
    if (value !== '') make('code', item).textContent = value
    const calls = attempts > 1 ? `, ${attempts} calls` : ''
    make('em', item).textContent = fatal ? `the stage failed${calls}` : `dropped${calls}`
    list.prepend(item)
  }
  while (list.children.length > 100) list.lastElementChild!.remove()
  if (failures.length > 0) document.getElementById('failed')!.hidden = false
}

/** Shows what the server sends. */
function start(first: Picture): void {
  const text = (id: string) => setter(document.getElementById(id)!)
  const [name, state, elapsed, bottleneck, report] = ['name', 'state', 'elapsed', 'bottleneck', 'report'].map(
    text,
  )
  const reportBox = document.getElementById('report')!
  const stateKind = setter(document.getElementById('state')!, 'class')
  let view: View
  let shape: Shape
  let last: Sample | undefined
  // The graph is redrawn at each sample, but of the rates, whose text costs more than all else, one half, and then the other;
  // the table and all totals, which nobody can read four times a second, at every fourth. Of what is not in view the rows
  // follow every ten seconds, for those who read them with other than their eyes, and the graph when it comes into view.
  let turn = -1
  let history: number[][] = []
  let points = 0

  const show = (sample: Sample): void => {
    addFailures(sample.failures)
    if (sample.version !== shape.version) return
    if (sample.points > points) {
      points = sample.points
      history = sample.stages.map(([, , , rate], i) => [...(history[i] ?? []), rate].slice(-60))
    }
    // Where they come less than twice a second, nothing waits for a later one.
    if (last && sample.elapsed - last.elapsed > 450) turn |= 3
    last = sample
    // Before all else: what asks where things are, after something was changed, has them all laid out anew.
    redraw(sample.state !== 'running')
    state(sample.state === 'waiting' ? 'waits for a run' : sample.state)
    stateKind(sample.state)
    elapsed(duration(sample.elapsed))
    bottleneck(sample.bottleneck === null ? 'none' : `◆ ${sample.bottleneck}`)
    report(sample.report)
    const isQuiet = sample.report === ''
    if (reportBox.hidden !== isQuiet) reportBox.hidden = isQuiet
  }
  const redraw = (all: boolean): void => {
    if (document.hidden || !last) return
    turn++
    const whole = all || turn === 0
    const isTableTurn = whole || turn % 4 === 0
    const [graph, table] = ['graph', 'table'].map((id) => bandOf(document.getElementById(id)!))
    const isIn = ({ from, to }: { from: number; to: number }, y: number) => whole || (y > from && y < to)
    last.stages.forEach((stage, i) => {
      if (isIn(graph, shape.nodes[i].y)) view.boxes[i](stage, isTableTurn ? 2 : (turn + i) % 2)
      if (isTableTurn && (turn % 40 === 0 || isIn(table, 64 + 27 * i))) view.rows[i](stage, history[i] ?? [])
    })
    last.lengths.forEach((length, i) => {
      if (isIn(graph, shape.edges[i].y)) view.pipes[i](length)
    })
  }
  let waits = false
  const redrawSoon = (): void => {
    if (waits) return
    waits = true
    requestAnimationFrame(() => {
      waits = false
      redraw(true)
    })
  }
  // Scrolling does not bubble.
  for (const event of ['scroll', 'resize', 'visibilitychange']) addEventListener(event, redrawSoon, true)
  const reshape = (next: Shape): void => {
    shape = next
    last = undefined
    turn = -1
    view = build(next)
    name(next.run === '' ? 'no run yet' : next.run)
    document.title = next.run === '' ? 'sluice' : `${next.run} · sluice`
  }
  const begin = (picture: Picture): void => {
    reshape(picture.shape)
    history = picture.history
    points = picture.sample.points
    document.getElementById('failures')!.replaceChildren()
    addFailures(picture.failures)
    show(picture.sample)
  }
  const parse = <T>(event: Event): T => JSON.parse((event as MessageEvent<string>).data) as T

  begin(first)
  document.body.dataset.drawn = String(performance.now())
  const events = new EventSource('events')
  events.addEventListener('picture', (event) => begin(parse<Picture>(event)))
  events.addEventListener('shape', (event) => {
    // The history of a stage goes with its id.
    const known = new Map(shape.nodes.map(({ id }, i) => [id, history[i]]))
    reshape(parse<Shape>(event))
    history = shape.nodes.map(({ id }) => known.get(id) ?? [])
  })
  events.addEventListener('sample', (event) => show(parse<Sample>(event)))
  const gone = document.getElementById('gone')!
  events.onerror = () => {
    gone.hidden = false
    redraw(true)
  }
  events.onopen = () => (gone.hidden = true)
}

/** The functions of the page. */
export const clientFunctions = [
  make,
  draw,
  setter,
  bandOf,
  place,
  cut,
  count,
  short,
  percent,
  duration,
  boxView,
  rowView,
  pipeView,
  build,
  addFailures,
  start,
]
/** The one that is called, with the first picture. */
export const clientStart = start
