/**
 * The stats of the parts of a job as those of one run.
 *
 * A stage of one part is told from the others by where it stands: the branches of one that groups come up in another order
 * in each part, or not at all. What a branch has counted is kept until it comes up again.
 */
import type { Graph } from '../../pipeline/graph.ts'
import type { Run } from '../../pipeline/run.ts'
import type { RunStats, StageStats } from '../../pipeline/stats.ts'

/** What is counted, and the times, which are milliseconds here. */
const COUNTS = ['received', 'sent', 'failed'] as const
const TIMES = ['busy', 'waitingInput', 'waitingOutput'] as const
type Sums = Record<(typeof COUNTS)[number] | (typeof TIMES)[number], number>

export class Totals {
  #elapsed = 0
  readonly #before = new Map<string, Sums>()

  /** A part that is over. */
  add(run: Run<unknown>): void {
    const { elapsed, stages } = run.stats()
    const keys = keysOf(run.describe())
    for (const [place, stage] of stages.entries())
      this.#before.set(keys[place], this.#with(keys[place], stage, elapsed))
    this.#elapsed += elapsed
  }

  /** The part that is under way, with those before it. */
  with(run: Run<unknown>): RunStats {
    const now = run.stats()
    const keys = keysOf(run.describe())
    const elapsed = this.#elapsed + now.elapsed
    const stages = now.stages.map((stage, place) => {
      const sums = this.#with(keys[place], stage, now.elapsed)
      for (const time of TIMES) sums[time] /= elapsed || 1
      return { ...stage, ...sums }
    })
    return { elapsed, bottleneck: now.bottleneck, stages }
  }

  #with(key: string, stage: StageStats, elapsed: number): Sums {
    const sums = { received: 0, sent: 0, failed: 0, busy: 0, waitingInput: 0, waitingOutput: 0 }
    const before = this.#before.get(key)
    for (const count of COUNTS) sums[count] = (before?.[count] ?? 0) + stage[count]
    for (const time of TIMES) sums[time] = (before?.[time] ?? 0) + stage[time] * elapsed
    return sums
  }
}

/** What tells the stages from each other: the branches they are in, their place there, their name. */
function keysOf({ nodes, edges }: Graph): string[] {
  const into = new Map(edges.map((edge) => [edge.to, edge]))
  const branches = new Map<string, string>()
  const seen = new Map<string, number>()
  return nodes.map(({ id, index, name, branchOf }) => {
    const edge = into.get(id)
    // The first stage of a branch has its label; the others are where the one before them is.
    const around = branches.get((index === 0 ? branchOf : edge?.from) ?? '') ?? ''
    const here = branchOf === undefined ? '' : index === 0 ? `${around} / ${branchOf} ${edge?.label}` : around
    branches.set(id, here)
    const key = `${here} / ${index} ${name}`
    const count = (seen.get(key) ?? 0) + 1
    seen.set(key, count)
    return `${key} ${count}`
  })
}
