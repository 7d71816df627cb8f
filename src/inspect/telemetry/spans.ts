/**
 * A span for each run, and below it one for each stage.
 *
 * They begin and end with the events, so nothing happens per value. A run's parent is what is active where it is
 * started: the event is published there and then. Of an ended run nothing is kept. A value that was skipped or retried
 * is no error of its stage and shows in the metrics only.
 */
import {
  context,
  type Context,
  type Exception,
  type Span,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api'
import { outcomeOf } from '../outcome.ts'
import {
  BOTTLENECK,
  culpritOf,
  ERROR,
  ID,
  INDEX,
  isAbort,
  OUTCOME,
  PIPELINE,
  REPORT,
  type RunMessage,
  STAGE,
  type StageMessage,
  typeOf,
} from './names.ts'

interface Traced {
  readonly span: Span
  readonly within: Context
  /** Those of the stages at work, by the id of the stage. */
  readonly stages: Map<string, Span>
}

export class Spans {
  readonly #runs = new Map<object, Traced>()

  constructor(
    readonly tracer: Tracer,
    readonly stageSpans: boolean,
  ) {}

  runStarted({ run }: RunMessage): void {
    const span = this.tracer.startSpan(`run ${run.name}`, { attributes: { [PIPELINE]: run.name } })
    this.#runs.set(run, { span, within: trace.setSpan(context.active(), span), stages: new Map() })
  }

  runEnded(message: RunMessage): void {
    const { run, error } = message
    const traced = this.#runs.get(run)
    if (!traced) return
    const { span } = traced
    this.#runs.delete(run)
    // Whatever an error does that is looked at, its spans end.
    try {
      span.setAttribute(OUTCOME, outcomeOf(message))
      const { bottleneck } = run.stats()
      if (bottleneck !== undefined) span.setAttribute(BOTTLENECK, bottleneck)
      const culprit = culpritOf(error)
      if (culprit !== undefined) span.setAttribute(STAGE, culprit)
      if ('error' in message && !isAbort(error)) fail(span, error)
    } finally {
      endAll(traced)
    }
  }

  runStalled({ run, report }: RunMessage): void {
    this.#runs.get(run)?.span.addEvent('sluice.run.stall', { [REPORT]: report })
  }

  stageStarted({ run, stage, index, id }: StageMessage): void {
    const traced = this.#runs.get(run)
    // Of a trace that was not sampled there is nothing to see.
    if (!this.stageSpans || !traced?.span.isRecording()) return
    const attributes = { [PIPELINE]: run.name, [STAGE]: stage, [INDEX]: index, [ID]: id }
    traced.stages.set(id, this.tracer.startSpan(`stage ${stage}`, { attributes }, traced.within))
  }

  stageEnded({ run, id }: StageMessage): void {
    const stages = this.#runs.get(run)?.stages
    stages?.get(id)?.end()
    stages?.delete(id)
  }

  stageFailed({ run, id, error, fatal }: StageMessage): void {
    const span = fatal && this.#runs.get(run)?.stages.get(id)
    if (span) fail(span, error)
  }

  /** Nobody will tell of the runs that go on. */
  stop(): void {
    for (const traced of this.#runs.values()) endAll(traced)
    this.#runs.clear()
  }
}

function endAll({ span, stages }: Traced): void {
  for (const stage of stages.values()) stage.end()
  span.end()
}

/** The SDK takes the `code` of an error for its type: that of a DOMException is a number, and its name says more. */
function exceptionOf(error: Error): Exception {
  const { code, name, message, stack } = error as Error & { code?: unknown }
  if (typeof code !== 'number') return error
  return stack === undefined ? { name, message } : { name, message, stack }
}

/** The first failure of a stage is what it failed with. */
const failed = new WeakSet<Span>()

function fail(span: Span, error: unknown): void {
  const text = typeof error === 'string' ? error : `Not an error but of type ${typeof error}`
  span.recordException(error instanceof Error ? exceptionOf(error) : text)
  if (failed.has(span)) return
  failed.add(span)
  span.setAttribute(ERROR, typeOf(error))
  span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : text })
}
