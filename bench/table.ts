// A scenario as text: columns for a terminal, and tables for the README.

import { digits, together, whole } from './format.ts'
import { judge, type Goal, type Judged } from './goals.ts'
import type { Row } from './measure.ts'
import { markdownTable } from './readme.ts'
import type { Entry } from './results.ts'
import type { Figure } from './scenario.ts'

/** A scenario, and what was measured of it. */
export interface Result extends Entry {
  claim: string
  figure: Figure
  values: number
  rounds: number
  times: number
  rows: readonly Row[]
}

const missing = 'n/a'

/** The columns after the name. */
function columnsOf({ figure, rows }: Result): [head: string, cell: (row: Row) => string][] {
  const baseline = rows[0].time?.middle ?? NaN
  const show =
    (pick: (row: Row) => number | undefined, text = digits) =>
    (row: Row) => {
      const number = pick(row)
      return number === undefined ? missing : text(number)
    }
  return [
    ...(figure === 'delay'
      ? ([
          ['p99 ms', show(({ delay }) => delay?.p99)],
          ['max ms', show(({ delay }) => delay?.max)],
        ] as [string, (row: Row) => string][])
      : []),
    ['ns/value', show(({ time }) => time?.middle)],
    ['from', show(({ time }) => time?.low)],
    ['to', show(({ time }) => time?.high)],
    ['ratio', show(({ time }) => time && time.middle / baseline)],
    ['bytes/value', show(({ bytes }) => bytes)],
    ['peak MB', show(({ peak }) => peak, whole)],
    ['values', show(({ values }) => values, whole)],
  ]
}

const sizes = ({ values, rounds, times }: Result) =>
  `${whole(values)} values, ${rounds} processes × ${times} times`

/** The goals of a scenario as they stand. */
export const goalsOf = (goals: readonly Goal[] = [], { rows }: Result): Judged[] =>
  goals.map((goal) => judge(goal, rows))

const verdictOf = ({ met }: Judged) => (met === undefined ? 'open' : met ? 'reached' : 'short')

export function print(result: Result, goals: readonly Judged[]): void {
  const columns = columnsOf(result)
  const line = (name: string, cells: string[]) =>
    console.log(name.padEnd(32) + cells.map((cell) => cell.padStart(12)).join(''))
  console.log(`\n${result.name}: ${result.claim}\n${sizes(result)}`)
  line(
    '',
    columns.map(([head]) => head),
  )
  for (const row of result.rows) {
    line(
      row.name,
      columns.map(([, cell]) => cell(row)),
    )
  }
  for (const judged of goals) {
    console.log(
      `goal ${judged.goal}: ${verdictOf(judged)}${judged.met === undefined ? '' : `, ${judged.reached}`}`,
    )
  }
}

/** Where and with what the results were measured. */
export function provenance(results: readonly Entry[]): string {
  const all = (pick: (entry: Entry) => string) => together(results.map(pick))
  return (
    `Measured ${all(({ where }) => where.date)} at commit ${all(({ where }) => where.commit)} ` +
    `on ${all(({ where }) => where.machine)}, with ${together(results.flatMap(({ where }) => where.versions))}.`
  )
}

export function goalTable(judged: readonly (Judged & { scenario: string })[]): string {
  const rows = judged.map((each) => [each.scenario, each.goal, each.reached, verdictOf(each)])
  return markdownTable(['', 'goal', 'measured', ''], rows, 2)
}

/** A table with all that was measured of a scenario. */
export function scenarioTable(result: Result): string {
  const columns = columnsOf(result)
  const head = ['', ...columns.map(([name]) => name)]
  const rows = result.rows.map((row) => [row.name, ...columns.map(([, cell]) => cell(row))])
  return `**${result.name}**: ${result.claim}. ${sizes(result)}.\n\n${markdownTable(head, rows)}`
}
