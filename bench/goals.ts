// What the library wants to reach, and whether it has. A goal compares one row of a scenario with another, or with
// a number; what it needs and was not measured here, a compiler for instance, leaves it open.

import { digits } from './format.ts'
import type { Row } from './measure.ts'

/** `row` is the row it is about, `sluice` unless said otherwise. */
export type Goal = { row?: string } & (
  | { rival: string; atLeast: number }
  | { rival: string; atMost: number }
  | { perSecond: number }
  | { figure: 'peak' | 'p99' | 'max'; atMost: number }
  | { anyOf: readonly Goal[] }
)

export interface Judged {
  /** What is asked for, in words. */
  goal: string
  /** What was measured. */
  reached: string
  met: boolean | undefined
}

const figures = { peak: 'MB of memory', p99: 'ms late in 99 % of the ticks', max: 'ms late' }

/** Holds a goal against the rows of its scenario. */
export function judge(goal: Goal, rows: readonly Row[]): Judged {
  const find = (wanted: string) => rows.find((row) => row.name === wanted)
  const own = find(goal.row ?? 'sluice')
  const about = goal.row ? `${goal.row}: ` : ''
  if ('anyOf' in goal) return anyOf(goal.anyOf.map((each) => judge(each, rows)))
  if ('rival' in goal) {
    const [time, other] = [own?.time?.middle, find(goal.rival)?.time?.middle]
    const times = time && other ? ('atLeast' in goal ? other / time : time / other) : undefined
    return 'atLeast' in goal
      ? verdict(
          `${about}at least ${goal.atLeast} × as fast as ${goal.rival}`,
          times,
          ' ×',
          atLeast(goal.atLeast),
        )
      : verdict(
          `${about}at most ${goal.atMost} × the time of ${goal.rival}`,
          times,
          ' ×',
          atMost(goal.atMost),
        )
  }
  if ('perSecond' in goal) {
    const millions = own?.time && 1000 / own.time.middle
    const wanted = goal.perSecond / 1e6
    return verdict(`${about}at least ${wanted} million a second`, millions, ' million', atLeast(wanted))
  }
  const figure = goal.figure === 'peak' ? own?.peak : own?.delay?.[goal.figure]
  const unit = goal.figure === 'peak' ? ' MB' : ' ms'
  return verdict(`${about}at most ${goal.atMost} ${figures[goal.figure]}`, figure, unit, atMost(goal.atMost))
}

const atLeast = (wanted: number) => (is: number) => is >= wanted
const atMost = (wanted: number) => (is: number) => is <= wanted

function verdict(goal: string, is: number | undefined, unit: string, test: (is: number) => boolean): Judged {
  if (is === undefined) return { goal, reached: 'n/a', met: undefined }
  return { goal, reached: `${digits(is)}${unit}`, met: test(is) }
}

function anyOf(all: readonly Judged[]): Judged {
  const isOpen = all.every(({ met }) => met === undefined)
  return {
    goal: all.map(({ goal }) => goal).join(', or '),
    reached: all.map(({ reached }) => reached).join(', '),
    met: isOpen ? undefined : all.some(({ met }) => met === true),
  }
}
