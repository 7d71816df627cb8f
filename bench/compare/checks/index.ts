import type { Check } from '../check.ts'
import { headOfLine } from './head-of-line.ts'
import { fairness, losersOnBreak, losersOnFailure } from './merge.ts'
import { overlap } from './overlap.ts'
import { partialBatch } from './partial-batch.ts'
import { readAhead, tightReadAhead } from './read-ahead.ts'
import { rejections } from './rejections.ts'
import { releaseOnBreak, releaseOnRejection, releaseOnThrow } from './release.ts'
import { stalledAbort, stalledReturn } from './stall.ts'
import { ticks } from './ticks.ts'
import { timerAfterBreak, timerAfterError } from './timers.ts'

/** The rows of the table. */
export const checks: readonly Check[] = [
  releaseOnBreak,
  releaseOnRejection,
  releaseOnThrow,
  stalledReturn,
  stalledAbort,
  rejections,
  readAhead,
  tightReadAhead,
  headOfLine,
  overlap,
  ticks,
  partialBatch,
  timerAfterBreak,
  timerAfterError,
  fairness,
  losersOnBreak,
  losersOnFailure,
]
