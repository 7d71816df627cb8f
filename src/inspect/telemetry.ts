/**
 * sluice/opentelemetry: runs as spans, stages and channels as metrics.
 *
 *     run import ─────────────────────────────────────────────▶
 *       stage range ─────────────▶
 *       stage fetch ────────────────────────────────▶ error
 *       stage drain ──────────────────────────────────────▶
 *
 * It listens to what the core tells `node:diagnostics_channel`, and reads `stats()` when metrics are collected: a value
 * costs nothing more. Whatever goes wrong in here is told to the `diag` of OpenTelemetry, and no run hears of it.
 *
 * It needs `@opentelemetry/api`, an optional peer dependency, and does nothing where no SDK is registered.
 */
import { type MeterProvider, metrics, trace, type TracerProvider } from '@opentelemetry/api'
import { demandOptions } from '../connect/options.ts'
import { demand } from '../errors.ts'
import { listen } from './listen.ts'
import { attempt } from './telemetry/attempt.ts'
import { Metrics } from './telemetry/metrics.ts'
import type { RunMessage, StageMessage } from './telemetry/names.ts'
import { Spans } from './telemetry/spans.ts'

/** Whose meters and tracers `instrument` uses, and how much it records. */
export interface InstrumentOptions {
  /** Whose meter counts. Default: the global one, as it is now. */
  meterProvider?: MeterProvider | undefined
  /** Whose tracer makes the spans. Default: the global one. */
  tracerProvider?: TracerProvider | undefined
  /** Whether each stage gets a span below that of its run. Default: `true`. */
  stageSpans?: boolean | undefined
}

/** What `instrument` gives. `using` ends it at the end of the block. */
export interface Instrumentation extends Disposable {
  /** Sees nothing any more: spans of runs that go on end now, and counters stand still. */
  stop(): void
}

const SCOPE = 'sluice'

/**
 * Observes every run of this process that begins from now on. Call it once, after the SDK has been registered.
 *
 * Spans
 *
 * - `run <name>` for a run, a child of what is active where it is started: `sluice.pipeline.name`, `sluice.run.outcome`,
 *   `sluice.run.bottleneck`; `sluice.stage.name` of the stage that it failed at. A stall is an event with the report.
 * - `stage <name>` for a stage, a child of its run, branches that come up later too: `sluice.stage.name`, and
 *   `sluice.stage.id` as in `describe()`. With thousands of branches, turn them off.
 * - What fails has the status `ERROR`, the exception, and its `error.type`. An `AbortError` is no failure.
 * - Spans that the functions of stages begin are no children of these.
 *
 * Metrics
 *
 * - `sluice.stage.value.received`, `.sent`, `.failed` in values, and `sluice.stage.time` in seconds, by
 *   `sluice.stage.state`: `busy`, `waiting_input` and `waiting_output`.
 * - `sluice.channel.length` and `.capacity` of the channels that a stage reads; an unbounded one adds no capacity.
 * - `sluice.run.active`, and `sluice.run.ended` by `sluice.run.outcome` (`completed`, `failed`, `aborted`) and `error.type`.
 *
 * Those of stages have `sluice.pipeline.name`, `sluice.stage.name` and `sluice.stage.index`. Runs and branches for which
 * these are the same are summed: give a run the name of its job, not one of its own.
 *
 * @throws TypeError for what is no provider, and where `stageSpans` is no boolean.
 * @example
 * import { InMemorySpanExporter, BasicTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
 * import { drain, map, pipeline, range } from 'sluice'
 * import { instrument } from 'sluice/opentelemetry'
 *
 * const spans = new InMemorySpanExporter()
 * const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] })
 * using telemetry = instrument({ tracerProvider })
 * await pipeline(range(3), map((n) => n * 2, { name: 'double' }), drain()).run({ name: 'numbers' })
 * spans.getFinishedSpans().map(({ name }) => name).sort()
 * // => ['run numbers', 'stage double', 'stage drain', 'stage range']
 */
export function instrument(options: InstrumentOptions = {}): Instrumentation {
  const action = 'instrument'
  demandOptions(options, action)
  const { meterProvider = metrics.getMeterProvider(), tracerProvider = trace.getTracerProvider() } = options
  const { stageSpans = true } = options
  const meters = typeof meterProvider?.getMeter === 'function'
  demand(meters, action, 'meterProvider', 'a MeterProvider', meterProvider, TypeError)
  const traces = typeof tracerProvider?.getTracer === 'function'
  demand(traces, action, 'tracerProvider', 'a TracerProvider', tracerProvider, TypeError)
  demand(typeof stageSpans === 'boolean', action, 'stageSpans', 'a boolean', stageSpans, TypeError)

  const counted = new Metrics(meterProvider.getMeter(SCOPE))
  const traced = new Spans(tracerProvider.getTracer(SCOPE), stageSpans)
  const stopListening = tellBoth(counted, traced)
  const stop = (): void => {
    stopListening()
    attempt(() => counted.stop())
    attempt(() => traced.stop())
  }
  return { stop, [Symbol.dispose]: stop }
}

/** Tells both what happens. Gives what ends that. */
function tellBoth(counted: Metrics, traced: Spans): () => void {
  const hear =
    <T>(...told: ((message: T) => void)[]) =>
    (message: unknown): void =>
      told.forEach((tell) => attempt(() => tell(message as T)))
  return listen({
    'run:start': hear<RunMessage>(
      (message) => counted.runStarted(message),
      (message) => traced.runStarted(message),
    ),
    'run:end': hear<RunMessage>(
      (message) => counted.runEnded(message),
      (message) => traced.runEnded(message),
    ),
    'run:stall': hear<RunMessage>((message) => traced.runStalled(message)),
    'stage:start': hear<StageMessage>((message) => traced.stageStarted(message)),
    'stage:end': hear<StageMessage>((message) => traced.stageEnded(message)),
    'stage:failure': hear<StageMessage>((message) => traced.stageFailed(message)),
  })
}
