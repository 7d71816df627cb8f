/** Every kind of source, and every source of the catalogue, under every ending; and every stage behind every kind. */
import { describe, test } from 'vitest'
import { sourceRows } from './end-rows.ts'
import { endingsByFailure } from './endings/by-failure.ts'
import { endingsByHand } from './endings/by-hand.ts'
import { iterators, joinedKinds, joinsOf, sourceKinds } from './endings/source-kinds.ts'
import { kindSubject, sourceSubject, stageSubject, type Subject } from './endings/subjects.ts'
import { watched } from './endings/watch.ts'
import { stageRows } from './stage-rows.ts'

const endings = [...endingsByFailure, ...endingsByHand]
const alone: Subject[] = [
  ...sourceKinds.map(kindSubject),
  ...sourceRows.map((row) => ({ ...sourceSubject(row), title: `${row.title} of the catalogue` })),
]
/** Those that differ by what is read and by who reads it. */
const inShort = endings.filter(({ short }) => short)

const each = (capacities: number[], tried: typeof endings) => (subject: Subject) =>
  capacities.map((capacity) => ({
    title: subject.title,
    subject,
    capacity,
    possible: tried.filter(({ breaks }) => !breaks || subject.breaks),
  }))

const cases = [
  ...alone.flatMap(each([0, 256], endings)),
  ...joinedKinds.map(kindSubject).flatMap(each([1], inShort)),
  ...joinsOf(iterators)
    .map(kindSubject)
    .flatMap(each([0, 256], endings)),
]

describe.each(cases)(
  '$title at capacity $capacity is released once after',
  ({ subject, capacity, possible }) => {
    test.each(possible)('$title', ({ body }) =>
      watched(subject.perTurn, (watch) => body({ subject, watch, capacity })),
    )
  },
)

describe.each(stageRows)('$title releases once whatever it reads, after', (row) => {
  test.each(inShort)('$title', async ({ body, breaks }) => {
    for (const kind of sourceKinds) {
      if (breaks && !kind.breaks) continue
      const subject = stageSubject(row, kind)
      const run = watched(subject.perTurn, (watch) => body({ subject, watch, capacity: 1 }))
      await run.catch((error: unknown) => {
        throw new Error(`Behind ${kind.title}: ${String(error)}`, { cause: error })
      })
    }
  })
})
