/**
 * The rows of a run as lines of text: a table that fits a terminal, or one line for a file.
 *
 * A narrow terminal first loses the bars, then the totals and the rates, and then the ends of names. A low one loses the
 * stages inside branches, then the last ones; never the bottleneck or one where values have failed.
 */
import { ESC } from './cursor.ts'
import type { Row } from './rows.ts'
import type { Line } from './screen.ts'
import { cut, pad, widthOf } from './width.ts'

/** What the head line says. */
export interface Head {
  readonly name: string
  /** `done in`, `failed after`; nothing while it goes on. */
  readonly state: string
  readonly elapsed: number
  /** Why it has failed. */
  readonly reason: string
}

/** Names take as much as they need, up to this; and no column is kept at the price of less than that. */
const LONGEST_NAME = 40
const SHORTEST_NAME = 12
const BAR = 10
const GAP = '  '
/** So many stages are told of in one line. */
const MOST_IN_LINE = 12

const colours = { bold: [1, 22], dim: [2, 22], red: [31, 39], yellow: [33, 39], none: [0, 0] } as const
type Colour = keyof typeof colours
type Piece = readonly [text: string, colour: Colour]

/** A table of `height` lines at most, of `width` cells. */
export function table(
  head: Head,
  rows: readonly Row[],
  width: number,
  height: number,
  coloured: boolean,
): Line[] {
  if (height < 1) return []
  const shown = choose(rows, height - 1)
  const hidden = rows.length - shown.length
  const lines = [headPieces(head, width), ...body(shown, width)]
  if (hidden > 0 && height > 1)
    lines.push([[`${GAP}… and ${hidden} ${hidden > 1 ? 'stages' : 'stage'} more`, 'dim']])
  return lines.slice(0, height).map((pieces) => lineOf(pieces, width, coloured))
}

/** Those that matter most, in their order; a line is left to say how many are hidden. */
function choose(rows: readonly Row[], height: number): readonly Row[] {
  if (rows.length <= height) return rows
  const rank = ({ isBottleneck, failed, depth }: Row): number => (isBottleneck ? -2 : failed > 0 ? -1 : depth)
  const kept = new Set([...rows].sort((a, b) => rank(a) - rank(b)).slice(0, Math.max(0, height - 1)))
  return rows.filter((row) => kept.has(row))
}

/** How it ended matters more than the end of a name. */
function headPieces({ name, state, elapsed, reason }: Head, width = Infinity): Piece[] {
  const time = GAP + [state, duration(elapsed)].filter(Boolean).join(' ')
  return [
    [cut(name, Math.max(width - widthOf(time), SHORTEST_NAME)), 'bold'],
    [time, 'none'],
    [reason && `: ${reason}`, 'red'],
  ]
}

function body(rows: readonly Row[], width: number): Piece[][] {
  if (rows.length === 0) return []
  const names = rows.map(({ title, depth }) => '  '.repeat(depth) + title)
  const rates = column(rows.map(rateOf))
  const counts = column(rows.map(({ count }) => number(count)))
  const bars = rows.map(barOf)
  const longest = Math.min(LONGEST_NAME, Math.max(...names.map(widthOf)))
  // The first ones are the last to go.
  const columns = [rates, counts, bars]
  const left = (): number =>
    columns.reduce((rest, cells) => rest - GAP.length - widthOf(cells[0] ?? ''), width - GAP.length)
  while (columns.length > 0 && left() < Math.min(longest, SHORTEST_NAME)) columns.pop()
  const nameWidth = Math.max(0, Math.min(longest, left()))
  return rows.map((row, i) => [
    [row.isBottleneck ? '▶ ' : GAP, 'yellow'],
    [pad(names[i], nameWidth), row.isBottleneck ? 'yellow' : 'none'],
    ...columns.map((cells): Piece => [GAP + cells[i], cells === bars ? 'dim' : 'none']),
    ...notesOf(row).map(([text, colour]): Piece => [GAP + text, colour]),
  ])
}

/** Aligned to the right. */
function column(cells: readonly string[]): string[] {
  const width = Math.max(...cells.map((cell) => cell.length))
  return cells.map((cell) => cell.padStart(width))
}

function barOf({ output }: Row): string {
  if (!output || output.capacity === 0) return ' '.repeat(BAR)
  const { length, capacity } = output
  if (capacity === Infinity) return pad(`${number(length)} held`, BAR)
  // Neither empty nor full unless it is.
  const full = Math.min(Math.max((length / capacity) * BAR, length > 0 ? 1 : 0), BAR)
  const whole = length < capacity ? Math.min(Math.round(full), BAR - 1) : BAR
  return '█'.repeat(whole) + '░'.repeat(BAR - whole)
}

function notesOf({ failed, size, count, left, isBottleneck }: Row): Piece[] {
  return [
    ...(failed > 0 ? [[`${number(failed)} failed`, 'red'] as const] : []),
    ...(size !== undefined ? [[`${percent(count, size)} of ${number(size)}`, 'none'] as const] : []),
    ...(left !== undefined ? [[`${duration(left)} left`, 'none'] as const] : []),
    ...(isBottleneck ? [['slowest', 'yellow'] as const] : []),
  ]
}

function lineOf(pieces: readonly Piece[], width: number, coloured: boolean): Line {
  let used = 0
  let blank = 0
  let drawn = ''
  for (const [whole, colour] of pieces) {
    const piece = cut(whole, width - used)
    used += widthOf(piece)
    const inked = piece.trimEnd()
    // Nothing is drawn for blanks at the end.
    blank = piece.length - inked.length + (inked === '' ? blank : 0)
    drawn += coloured && colour !== 'none' && inked !== '' ? paint(inked, colour) : inked
    drawn += piece.slice(inked.length)
    if (piece !== whole) break
  }
  return { drawn: drawn.trimEnd(), width: used - blank }
}

function paint(text: string, colour: Colour): string {
  const [on, off] = colours[colour]
  return `${ESC}[${on}m${text}${ESC}[${off}m`
}

/** All of it in one line. */
export function summary(head: Head, rows: readonly Row[]): string {
  const shown = choose(rows, MOST_IN_LINE)
  const stages = shown.map((row) => {
    const notes = [rateOf(row), ...notesOf(row).map(([text]) => text)].join(', ')
    return `${row.title} ${number(row.count)} (${notes})`
  })
  const hidden = rows.length - shown.length
  const more = hidden > 0 ? [`and ${hidden} stages more`] : []
  const said = headPieces(head)
    .map(([text]) => text)
    .join('')
  return stages.length > 0 ? `${said}: ${[...stages, ...more].join('; ')}` : said
}

/** In groups of three digits; not by `Intl`, which takes longer than all the rest of a picture. */
function number(value: number): string {
  const digits = String(Math.round(value))
  return value < 1_000 ? digits : digits.replace(/\B(?=(\d{3})+$)/g, ',')
}

function rateOf({ rate }: Row): string {
  return `${rate < 9.95 ? Math.round(rate * 10) / 10 : number(rate)}/s`
}

function percent(count: number, size: number): string {
  // 100 % is said when all are there, and not before.
  return `${size > 0 ? Math.min(100, Math.floor((count / size) * 100)) : 100} %`
}

/** `12.3 s`, `2:05`, `1:02:03`. */
function duration(ms: number): string {
  const seconds = Math.round(ms / 1_000)
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`
  const two = (value: number): string => String(value).padStart(2, '0')
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60]
  const rest = two(seconds % 60)
  return hours > 0 ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`
}
