// One run of the soak: a random pipeline over the rows of the test tables, ended in a random way, and what must hold
// whatever happened. The same seed gives the same pipeline, the same ending and the same pauses.

import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { forEach, map, pipeline, source, StageError, type Run } from 'sluice'
import { randomFrom, type Random } from '../test/pipeline/support-random.ts'
import type { Ending } from '../test/pipeline/support-sources.ts'
import { outcome, turns, type Outcome } from '../test/pipeline/support-waiting.ts'
import { sinkRows, type SinkRow } from '../test/stages/end-rows.ts'
import {
  joinedKinds,
  releasesOf,
  sourceKinds,
  type Opened,
  type SourceKind,
} from '../test/stages/endings/source-kinds.ts'
import {
  stageRows,
  type SinkOf,
  type SourceOf,
  type StageOf,
  type StageRow,
} from '../test/stages/stage-rows.ts'

type Values<T> = readonly [T, ...T[]]
type Piece = StageOf<unknown, unknown>

const kinds = [...sourceKinds, ...joinedKinds] as unknown as Values<SourceKind>
// Those that need much time are for the tests, whose clock is not real.
const stages = stageRows.filter(({ perTurn = 1 }) => perTurn <= 10) as unknown as Values<StageRow>
const sinks = sinkRows as unknown as Values<SinkRow>
const capacities: Values<number> = [0, 1, 2, 3, 10, 256]
const ways: Values<Way> = [
  'end',
  'source fails',
  'stage fails',
  'sink fails',
  'abort',
  'signal',
  'stop',
  'loop',
]

type Way = 'end' | 'source fails' | 'stage fails' | 'sink fails' | 'abort' | 'signal' | 'stop' | 'loop'

/** What is run, and how it ends. */
interface Plan {
  random: Random
  kind: SourceKind
  size: number
  rows: StageRow[]
  sink: SinkRow | undefined
  capacity: number
  way: Way
  /** The source hangs behind its values instead of ending. */
  hangs: boolean
}

function planFrom(seed: number): Plan {
  const random = randomFrom(seed)
  const way = random.pick(ways)
  const asked = random.pick(kinds)
  const kind = asked.breaks || way !== 'source fails' ? asked : (sourceKinds[5] as SourceKind)
  return {
    random,
    kind,
    way,
    size: random.int(0, 60),
    rows: Array.from({ length: random.int(0, 4) }, () => random.pick(stages)),
    sink: way === 'loop' || random.int(0, 1) === 0 ? undefined : random.pick(sinks),
    capacity: random.pick(capacities),
    hangs: kind.breaks && ['abort', 'signal', 'stop', 'loop'].includes(way) && random.int(0, 2) === 0,
  }
}

/** What a seed stands for, in a line. */
export function describeRun(seed: number): string {
  const { kind, size, rows, sink, capacity, way, hangs } = planFrom(seed)
  const names = [`${size} from ${kind.title}${hangs ? ' that hangs' : ''}`, ...rows.map(({ title }) => title)]
  return `seed ${seed}: ${[...names, sink?.title ?? 'no sink'].join(' → ')}, capacity ${capacity}, ${way}`
}

const boom = new Error('boom')

/** Turns whatever comes into what the next row takes, after a pause or none. */
function adapter(random: Random, input: readonly unknown[], failsAt = -1): Piece {
  const concurrency = random.int(1, 4)
  const pauses = random.int(0, 2) === 0
  const step = (index: number): unknown => {
    if (index === failsAt) throw boom
    return input[index % input.length]
  }
  if (!pauses) return map((_value: unknown, index) => step(index), { concurrency })
  return map(async (_value: unknown, index) => (await random.pause(), step(index)), { concurrency })
}

/** The stages of a plan; one of them may fail. */
function stagesOf({ random, rows, sink, way }: Plan): Piece[] {
  const inputs = [...rows, ...(sink ? [sink] : [])].map(({ input }) => input)
  const broken = way === 'stage fails' ? random.int(0, inputs.length) : -1
  const pieces: Piece[] = []
  inputs.forEach((input, place) => {
    pieces.push(adapter(random, input, place === broken ? random.int(0, 20) : -1))
    if (place < rows.length) pieces.push(rows[place].build())
  })
  return pieces
}

const join = (first: SourceOf<unknown>, pieces: readonly Piece[]): SourceOf<unknown> =>
  pieces.reduce<SourceOf<unknown>>((all, piece) => pipeline(all, piece), first)

interface Started {
  run: Run<unknown>
  controller: AbortController
}

function start(plan: Plan, body: SourceOf<unknown>): Started {
  const controller = new AbortController()
  const options = { capacity: plan.capacity, signal: controller.signal }
  const failing = forEach(() => Promise.reject(boom)) as SinkOf<unknown>
  const sink = plan.way === 'sink fails' ? failing : plan.sink?.build([])
  const run = sink ? pipeline(body, sink).start(options) : pipeline(body).start(options)
  return { run, controller }
}

/** Waits until about the middle of a run. */
async function aMoment(random: Random): Promise<void> {
  for (let n = random.int(0, 12); n > 0; n--) await random.pause()
}

async function endOf(plan: Plan, body: SourceOf<unknown>): Promise<Outcome<unknown>> {
  const { random, way } = plan
  if (way === 'loop') return leaveLoop(plan, body)
  const { run, controller } = start(plan, body)
  const end = outcome(run.result)
  if (way === 'abort' || way === 'signal' || way === 'stop') await aMoment(random)
  if (way === 'abort') await run.abort(boom)
  if (way === 'signal') controller.abort(boom)
  if (way === 'stop') deepStrictEqual(await outcome(run.stop()), await end)
  return end
}

async function leaveLoop({ random, hangs }: Plan, body: SourceOf<unknown>): Promise<Outcome<unknown>> {
  let left = random.int(0, 5)
  const loop = pipeline(body)[Symbol.asyncIterator]()
  while (left-- > 0) {
    const step = loop.next()
    // One that never comes is not waited for.
    const come = await Promise.race([step, turns(hangs ? 20 : 10_000)])
    if (come === undefined || come.done) break
  }
  await loop.return?.()
  return { state: 'resolved', value: undefined }
}

/** What the stages make of so many values, one after the other. */
async function reference({ kind, size, rows, sink }: Plan): Promise<unknown> {
  const opened = kind.open(numbers(size))
  let values: unknown[] = await pipeline(opened.source).run()
  for (const { drop } of opened.resources) drop?.()
  for (const { input, build } of rows)
    values = await pipeline(source(cycled(input, values.length)), build()).run()
  if (!sink) return values
  return pipeline(source(cycled(sink.input, values.length)), sink.build([])).run()
}

const numbers = (size: number): number[] => Array.from({ length: size }, (_, index) => index)
const cycled = (input: readonly unknown[], size: number): unknown[] =>
  Array.from({ length: size }, (_, index) => input[index % input.length])

/** Runs what a seed stands for; rejects where something is not as it must be. */
export async function runOnce(seed: number): Promise<void> {
  const plan = planFrom(seed)
  const { kind, size, way, hangs, rows } = plan
  const ending: Ending = way === 'source fails' ? { error: boom } : hangs ? 'hang' : 'end'
  const opened = kind.open(numbers(size), ending)
  const body = join(opened.source, stagesOf(plan))
  const end = await endOf(plan, body)
  const loose = kind.loose === true || rows.some((row) => row.loose === true)
  if (way === 'end') {
    strictEqual(end.state, 'resolved')
    if (!loose) deepStrictEqual(end.value, await reference(plan))
  }
  if (end.state === 'rejected') expectReason(way, end.error)
  await expectReleased(opened)
}

function expectReason(way: Way, error: unknown): void {
  if (way === 'abort' || way === 'signal') return strictEqual(error, boom)
  ok(way.endsWith('fails'), `rejected: ${String(error)}`)
  ok(error instanceof StageError)
  strictEqual(error.cause, boom)
}

async function expectReleased({ resources }: Opened): Promise<void> {
  const pulled = (): number[] => resources.map((resource) => resource.pulled)
  await turns(4)
  const before = pulled()
  await turns(2)
  deepStrictEqual(pulled(), before)
  for (const resource of resources) {
    const { released, wanted } = releasesOf(resource)
    resource.drop?.()
    // One that was promised and came when the run was over is closed unread.
    if (resource.state === 'unopened' && released <= resource.releases.open) continue
    strictEqual(released, wanted, `${resource.title}, ${resource.state}, was released ${released} times`)
  }
}
