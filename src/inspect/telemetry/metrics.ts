/**
 * Counts and times of the stages, read from `stats()` when somebody collects, and once more when a run ends.
 *
 * A series is a pipeline, a stage and its index, by name: runs with the same name and copies of a stage, of which
 * `groupBy` makes one per key, are summed. So there are as many series as there are such names. What is kept of an
 * ended run is added to its series; the run itself is let go.
 *
 * A channel counts for who reads it. `stats()` and `describe()` show the one in which branches come together once per
 * branch, so the channels are taken from the tasks.
 *
 * Counters never go down. Shares of time are measured ones, and may be a little less than they were a moment ago: a
 * series tells the most that it has come to.
 */
import {
  type Attributes,
  type BatchObservableResult,
  type Meter,
  type Observable,
  ValueType,
} from '@opentelemetry/api'
import type { Core } from '../../channel/core.ts'
import type { Execution } from '../../pipeline/run.ts'
import type { StageStats } from '../../pipeline/stats.ts'
import type { Task } from '../../pipeline/task.ts'
import { outcomeOf } from '../outcome.ts'
import { attempt } from './attempt.ts'
import { ERROR, INDEX, OUTCOME, PIPELINE, type RunMessage, STAGE, STATE, typeOf } from './names.ts'

type Counts = Record<(typeof values)[number] | (typeof states)[number], number>

const values = ['received', 'sent', 'failed'] as const
const states = ['busy', 'waitingInput', 'waitingOutput'] as const
const stateNames = { busy: 'busy', waitingInput: 'waiting_input', waitingOutput: 'waiting_output' }
const all = [...values, ...states]
const nothing = (): Counts => ({
  received: 0,
  sent: 0,
  failed: 0,
  busy: 0,
  waitingInput: 0,
  waitingOutput: 0,
})

interface Series {
  readonly attributes: Attributes
  /** Of ended runs. */
  readonly ended: Counts
  /** Of those at work, as far as they have been looked at. */
  now: Counts
  /** What was told last. */
  readonly told: Counts
  /** Whether it reads a channel, and of all that it reads: */
  reads: boolean
  length: number
  capacity: number
}

export class Metrics {
  readonly #atWork = new Set<Execution<unknown>>()
  /** Those that have just ended and are not added up yet. */
  readonly #over = new Set<Execution<unknown>>()
  readonly #series = new Map<string, Series>()
  readonly #meter
  readonly #instruments
  readonly #active
  readonly #ends
  readonly #observables: Observable[]
  readonly #collect = (result: BatchObservableResult): void => this.#observe(result)

  constructor(meter: Meter) {
    const unit = '{value}'
    const valueType = ValueType.INT
    const counter = (name: string, description: string) =>
      meter.createObservableCounter(name, { description, unit, valueType })
    const channels = (name: string, description: string) =>
      meter.createObservableUpDownCounter(name, { description, unit, valueType })
    this.#meter = meter
    this.#instruments = {
      received: counter('sluice.stage.value.received', 'Values that came into the stage.'),
      sent: counter('sluice.stage.value.sent', 'Values that the stage put out.'),
      failed: counter(
        'sluice.stage.value.failed',
        'Values that failed for good, those that were skipped included.',
      ),
      time: meter.createObservableCounter('sluice.stage.time', {
        description:
          'What the stage spent its time on: at work or in a call, waiting for a value, waiting for room.',
        unit: 's',
      }),
      length: channels('sluice.channel.length', 'Values in the channels that the stage reads.'),
      capacity: channels(
        'sluice.channel.capacity',
        'Values that these channels can hold. An unbounded one adds nothing.',
      ),
    }
    this.#active = meter.createUpDownCounter('sluice.run.active', {
      description: 'Runs in progress.',
      unit: '{run}',
      valueType,
    })
    this.#ends = meter.createCounter('sluice.run.ended', {
      description: 'Runs that have ended.',
      unit: '{run}',
      valueType,
    })
    this.#observables = Object.values(this.#instruments)
    meter.addBatchObservableCallback(this.#collect, this.#observables)
  }

  runStarted({ run }: RunMessage): void {
    this.#atWork.add(run)
    this.#active.add(1, { [PIPELINE]: run.name })
  }

  runEnded(message: RunMessage): void {
    const { run } = message
    if (!this.#atWork.delete(run)) return
    this.#over.add(run)
    const pipeline = { [PIPELINE]: run.name }
    this.#active.add(-1, pipeline)
    const failure = 'error' in message && { [ERROR]: typeOf(message.error) }
    this.#ends.add(1, { ...pipeline, [OUTCOME]: outcomeOf(message), ...failure })
    // The step that ended it is still under way: its time is not in the stats yet.
    queueMicrotask(() => attempt(() => this.#over.delete(run) && this.#add(run, 'ended')))
  }

  /** The runs that go on are not seen any more. */
  stop(): void {
    this.#meter.removeBatchObservableCallback(this.#collect, this.#observables)
    for (const { name } of this.#atWork) this.#active.add(-1, { [PIPELINE]: name })
    this.#atWork.clear()
    this.#over.clear()
  }

  #observe(result: BatchObservableResult): void {
    // A series without a run at work has empty channels: one that is not told of would keep what it had.
    for (const series of this.#series.values())
      Object.assign(series, { now: nothing(), length: 0, capacity: 0 })
    for (const run of [...this.#atWork, ...this.#over]) this.#add(run, 'now')
    for (const run of this.#atWork) this.#addChannels(run)
    for (const series of this.#series.values()) this.#tell(result, series)
  }

  #tell(result: BatchObservableResult, series: Series): void {
    const { attributes, ended, now, told, reads, length, capacity } = series
    for (const count of all) told[count] = Math.max(told[count], ended[count] + now[count])
    const { time, ...instruments } = this.#instruments
    for (const value of values) result.observe(instruments[value], told[value], attributes)
    for (const state of states)
      result.observe(time, told[state], { ...attributes, [STATE]: stateNames[state] })
    if (!reads) return
    result.observe(instruments.length, length, attributes)
    result.observe(instruments.capacity, capacity, attributes)
  }

  #add(run: Execution<unknown>, to: 'ended' | 'now'): void {
    const { elapsed, stages } = run.stats()
    for (const stage of stages) {
      const counts = this.#seriesOf(run.name, stage)[to]
      for (const value of values) counts[value] += stage[value]
      for (const state of states) counts[state] += (stage[state] * elapsed) / 1000
    }
  }

  #addChannels(run: Execution<unknown>): void {
    for (const [{ length, capacity }, reader] of channelsOf(run.tasks)) {
      const series = this.#seriesOf(run.name, reader)
      series.reads = true
      series.length += length
      if (capacity < Infinity) series.capacity += capacity
    }
  }

  #seriesOf(pipeline: string, { name, index }: Pick<StageStats, 'name' | 'index'>): Series {
    const key = JSON.stringify([pipeline, name, index])
    let series = this.#series.get(key)
    if (series === undefined) {
      const attributes = { [PIPELINE]: pipeline, [STAGE]: name, [INDEX]: index }
      const counts = { ended: nothing(), now: nothing(), told: nothing() }
      series = { attributes, ...counts, reads: false, length: 0, capacity: 0 }
      this.#series.set(key, series)
    }
    return series
  }
}

/**
 * Each channel between two stages, with the one that reads it: it has many writers where branches come together. Where
 * the results of a run are gathered no stage reads.
 */
function channelsOf(tasks: readonly Task[]): [Core<unknown>, Task][] {
  const readers = new Map(tasks.flatMap((task) => inputsOf(task).map((channel) => [channel, task])))
  /** The one behind a stage that only passes on what a branch gives. */
  const behind = (reader: Task): Task => {
    const next = reader.definition.internal ? readers.get(reader.output) : undefined
    return next ? behind(next) : reader
  }
  return [...readers]
    .map(([channel, reader]): [Core<unknown>, Task] => [channel!, behind(reader)])
    .filter(([, { definition }]) => !definition.internal)
}

/** A stage reads one channel; one that joins inputs has one for each. */
function inputsOf({ input, definition, attached }: Task): (Core<unknown> | undefined)[] {
  if (definition.inputs) return attached.map((chain) => chain.at(-1)!.output)
  return input ? [input] : []
}
