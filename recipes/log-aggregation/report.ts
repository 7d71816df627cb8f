// What the user sees: a line that is drawn over itself on a terminal, and the summary at the end.

import { forEach, pipeline, type RunStats, source, tick } from 'sluice'
import { levels } from './levels.ts'
import { type SourceTally, type Tally } from './tally.ts'

const refresh = 200
const number = (value: number) => Math.round(value).toLocaleString('en')
const short = (value: number) => value.toLocaleString('en', { notation: 'compact' })
/** How many of what: `1 line`, `1,000 lines`. */
export const counted = (count: number, one: string, many = `${one}s`, text = number) =>
  `${text(count)} ${count === 1 ? one : many}`
const inBatches = (count: number, text = number) => counted(count, 'batch', 'batches', text)
const eraseLine = '\r\u001B[K'

/** Says something on stderr, in the place of the progress. */
export function say(text: string): void {
  process.stderr.write(`${process.stdout.isTTY ? eraseLine : ''}${text}\n`)
}

/** Keeps a line of progress on the terminal, a small pipeline of its own. The function it gives ends that. */
export function showProgress(tally: Tally, stats: () => RunStats): () => Promise<void> {
  if (!process.stdout.isTTY) return async () => {}
  let before = { read: 0, seconds: 0 }
  const draw = () => {
    const [read, { seconds }] = [tally.sum('read'), tally]
    const rate = (read - before.read) / (seconds - before.seconds)
    before = { read, seconds }
    const line = (text: typeof number, fills: Fill[]) =>
      `${counted(read, 'line', 'lines', text)}, ${text(rate)}/s, ${inBatches(tally.batches, text)} | ${inWords(fills)}`
    const room = (process.stdout.columns || 80) - 1
    const fills = fillsOf(stats())
    const fewer = withInputsAsOne(fills, tally.sources.length)
    const shortest = line(short, fewer)
    const drawn = [line(number, fills), line(number, fewer)].find(({ length }) => length <= room) ?? shortest
    process.stdout.write(eraseLine + drawn.slice(0, room))
  }
  const drawing = pipeline(source(tick(refresh)), forEach(draw)).start({ name: 'progress' })
  return async () => {
    await drawing.stop()
    process.stdout.write(eraseLine)
  }
}

/** How full the channel behind a stage is. */
interface Fill {
  name: string
  length: number
  capacity: number
}

const fillsOf = ({ stages }: RunStats): Fill[] =>
  stages.flatMap(({ name, output }) => (output ? [{ name, ...output }] : []))

const inWords = (fills: Fill[]): string =>
  fills.map(({ name, length, capacity }) => `${name} ${length}/${capacity}`).join(' ')

/** Inputs may be many, and their names long. They come first. */
function withInputsAsOne(fills: Fill[], count: number): Fill[] {
  const sum = (key: 'length' | 'capacity') => fills.slice(0, count).reduce((all, fill) => all + fill[key], 0)
  return [{ name: 'inputs', length: sum('length'), capacity: sum('capacity') }, ...fills.slice(count)]
}

/** Lines per source and level, and what became of them. */
export function summary(tally: Tally, file: string): string {
  const { written, batches, bytes, seconds } = tally
  const left = [
    [tally.sum('empty'), 'empty'],
    [tally.sum('below'), 'below the level'],
    [tally.sum('cuts'), 'cut off a line that was too long'],
  ] as const
  const notes = left.filter(([count]) => count > 0).map(([count, what]) => `${number(count)} ${what}`)
  const read = tally.sum('read')
  return [
    table(tally.sources),
    `${counted(read, 'line')} read in ${seconds.toFixed(1)} s, ${number(read / seconds)} lines/s` +
      (notes.length > 0 ? ` (${notes.join(', ')})` : ''),
    `${counted(written, 'line')} in ${inBatches(batches)}, ${counted(bytes, 'byte')} appended to ${file}`,
  ].join('\n')
}

function table(sources: readonly SourceTally[]): string {
  const all = [...levels, 'no level']
  const used = [...all.keys()].filter((rank) => sources.some(({ kept }) => kept[rank] > 0))
  const total = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0)
  const row = ({ source, kept }: Pick<SourceTally, 'source' | 'kept'>) => [
    source,
    number(total(kept)),
    ...used.map((rank) => number(kept[rank])),
  ]
  const sums = {
    source: 'all',
    kept: [...all.keys()].map((rank) => total(sources.map(({ kept }) => kept[rank]))),
  }
  const rows = [
    ['source', 'lines', ...used.map((rank) => all[rank])],
    ...sources.map(row),
    ...(sources.length > 1 ? [row(sums)] : []),
  ]
  const widths = rows[0].map((_, column) => Math.max(...rows.map((cells) => cells[column].length)))
  return rows
    .map((cells) =>
      cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[i]))).join('  '),
    )
    .join('\n')
}
