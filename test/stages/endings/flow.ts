/** A pipeline around a subject: `before`, the subject's stage, `behind` and a sink, each watched. */
import { drain, forEach, map, pipeline, type Run } from 'sluice'
import type { Ending } from '../../pipeline/support-sources.ts'
import { deferred, outcome, turns, type Deferred } from '../../pipeline/support-waiting.ts'
import type { SourceOf } from '../stage-rows.ts'
import type { Opened } from './source-kinds.ts'
import { endless, type Subject } from './subjects.ts'
import type { Watch } from './watch.ts'

type Call = (value: unknown, index: number, context: { signal: AbortSignal }) => unknown

export interface Plan {
  /** What the source gives; by default the subject's input again and again. */
  values?: Iterable<unknown>
  ending?: Ending
  before?: Call
  behind?: Call
  sink?: Call
}

/** A subject at a capacity, under watch. */
export interface Scene {
  subject: Subject
  watch: Watch
  capacity: number
}

export interface Flow {
  opened: Opened
  run: Run<unknown>
  /** What came to the sink. */
  seen: unknown[]
  /** How the run ends. */
  end: ReturnType<typeof outcome>
  /** Whether it has. */
  over: () => boolean
}

/** The pipeline without its sink. */
export function bodyOf({ subject, watch }: Scene, { values, ending = 'end', before, behind }: Plan) {
  const opened = watch.follow(subject.open(values ?? endless(subject), ending))
  const counted = (name: string, fn: Call = (value) => value) =>
    map(
      (value: unknown, index, context) => {
        watch.calls++
        return fn(value, index, context)
      },
      { name },
    )
  const body = pipeline(opened.source, counted('before', before), subject.stage(), counted('behind', behind))
  return { opened, body }
}

export function flow(scene: Scene, plan: Plan = {}): Flow {
  const { watch, capacity } = scene
  const { opened, body } = bodyOf(scene, plan)
  const seen: unknown[] = []
  const sink: Call = (value, _index, context) => {
    watch.calls++
    seen.push(value)
    return plan.sink?.(value, seen.length - 1, context)
  }
  const run = pipeline(body as SourceOf<unknown>, forEach(sink, { name: 'sink' })).start({
    capacity,
    signal: watch.signal,
  })
  const end = outcome(run.result)
  let over = false
  void end.then(() => (over = true))
  return { opened, run, seen, end, over: () => over }
}

/** A run in the middle of its work: the sink holds its first value until `gate` opens. */
export async function midFlow(scene: Scene, plan: Plan = {}): Promise<Flow & { gate: Deferred<void> }> {
  const gate = deferred()
  const sink: Call = (_value, index) => (index === 0 ? gate.promise : undefined)
  const started = flow(scene, { sink, ...plan })
  await scene.watch.until(() => started.seen.length > 0)
  await scene.watch.tick(3)
  return { ...started, gate }
}

/** Where the source can hang: a run whose source does, after all of the subject's input. */
export const stuck = ({ opened }: { opened: Opened }): boolean =>
  opened.resources.some(({ state }) => state === 'stuck')

/** What the subject's stage makes of `values`, in a run that ends by itself. */
export async function made({ subject, watch, capacity }: Scene, values: unknown[]): Promise<unknown[]> {
  const { source } = subject.open(values, 'end')
  const body = pipeline(source, subject.stage())
  return watch.value(body.run({ capacity }))
}

const known = new WeakMap<object, Promise<boolean>>()

/** Whether a run ends by itself, though what the source reads has no end. */
export function endsItself(scene: Scene): Promise<boolean> {
  const { subject, watch } = scene
  let answer = known.get(subject.key)
  if (answer === undefined) known.set(subject.key, (answer = tryOut()))
  return answer

  async function tryOut(): Promise<boolean> {
    const { source } = subject.open(endless(subject), 'end')
    // One value a turn: how fast it can go is of no interest.
    const pace = map(async (value: unknown) => (await turns(), value))
    const run = pipeline(source, pace, subject.stage(), drain()).start({ capacity: 1 })
    let ended = false
    const end = outcome(run.result).then(() => (ended = true))
    await watch.tick(60)
    const itself = ended
    await run.abort()
    await end
    return itself
  }
}
