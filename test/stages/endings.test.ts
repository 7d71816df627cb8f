/**
 * Every stage under every ending: whatever ends a run, its source is released once, in a bounded number of turns of
 * the event loop, the result says what the contract says, and nothing runs, waits or is left behind afterwards.
 */
import { describe, test } from 'vitest'
import { endingsByFailure } from './endings/by-failure.ts'
import { endingsByHand } from './endings/by-hand.ts'
import { stageSubject } from './endings/subjects.ts'
import { watched } from './endings/watch.ts'
import { stageRows } from './stage-rows.ts'

const endings = [...endingsByFailure, ...endingsByHand]
const cases = stageRows.flatMap((row) =>
  [0, 256].map((capacity) => ({ title: row.title, subject: stageSubject(row), capacity })),
)

describe.each(cases)('$title at capacity $capacity releases all, once, after', ({ subject, capacity }) => {
  test.each(endings)('$title', ({ body }) =>
    watched(subject.perTurn, (watch) => body({ subject, watch, capacity })),
  )
})
