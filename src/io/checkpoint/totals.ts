/** The stats of the parts of a job as those of one run. */
import type { RunStats, StageStats } from '../../pipeline/stats.ts'

export function added(before: RunStats | undefined, now: RunStats): RunStats {
  if (before === undefined) return now
  const elapsed = before.elapsed + now.elapsed
  // The branches of one that groups come up in an order of their own.
  const stages = now.stages.map((stage, place) => {
    const earlier = before.stages[place]
    const isSame = earlier?.name === stage.name && earlier.index === stage.index
    return isSame ? together(earlier, before.elapsed / elapsed, stage, now.elapsed / elapsed) : stage
  })
  return { elapsed, bottleneck: now.bottleneck, stages }
}

/** Counts are added, shares of time weighed. */
function together(a: StageStats, shareOfA: number, b: StageStats, shareOfB: number): StageStats {
  const share = (key: 'busy' | 'waitingInput' | 'waitingOutput'): number =>
    a[key] * shareOfA + b[key] * shareOfB
  return {
    ...b,
    received: a.received + b.received,
    sent: a.sent + b.sent,
    failed: a.failed + b.failed,
    busy: share('busy'),
    waitingInput: share('waitingInput'),
    waitingOutput: share('waitingOutput'),
  }
}
