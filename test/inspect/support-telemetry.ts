// An OpenTelemetry SDK that keeps what it is told, and the smallest context manager there is.

import { AsyncLocalStorage } from 'node:async_hooks'
import { type Context, type ContextManager, ROOT_CONTEXT } from '@opentelemetry/api'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import type { RunStats, StageStats } from 'sluice'
import { instrument, type Instrumentation, type InstrumentOptions } from 'sluice/opentelemetry'
import { onTestFinished } from 'vitest'

type Attributes = Record<string, unknown>

/** A point of a metric. */
export interface Point {
  attributes: Attributes
  value: number
}

export interface Observed {
  telemetry: Instrumentation
  tracerProvider: BasicTracerProvider
  /** Ended spans, in the order in which they ended. */
  spans(): ReadableSpan[]
  span(name: string): ReadableSpan
  names(): string[]
  /** The points of a metric as they are now, with the attributes that are asked for. */
  points(metric: string, attributes?: Attributes): Promise<Point[]>
  /** The sum of these. */
  sum(metric: string, attributes?: Attributes): Promise<number>
  /** The unit of every metric that has been told of. */
  units(): Promise<Record<string, string>>
}

/** Observes until the end of the test. */
export function observe(options: InstrumentOptions = {}): Observed {
  const exporter = new InMemorySpanExporter()
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  const kept = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter: kept, exportIntervalMillis: 1e6 })
  const meterProvider = new MeterProvider({ readers: [reader] })
  const telemetry = instrument({ tracerProvider, meterProvider, ...options })
  onTestFinished(async () => {
    telemetry.stop()
    await meterProvider.shutdown()
  })

  const collect = async () => {
    kept.reset()
    await meterProvider.forceFlush()
    return kept.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
  }
  const points = async (metric: string, attributes: Attributes = {}) => {
    const found = (await collect()).find(({ descriptor }) => descriptor.name === metric)
    return ((found?.dataPoints ?? []) as Point[]).filter((point) => has(point, attributes))
  }
  const spans = () => exporter.getFinishedSpans()
  return {
    telemetry,
    tracerProvider,
    spans,
    span: (name) => spans().find((span) => span.name === name)!,
    names: () => spans().map(({ name }) => name),
    points,
    sum: async (metric, attributes) =>
      (await points(metric, attributes)).reduce((sum, { value }) => sum + value, 0),
    units: async () =>
      Object.fromEntries((await collect()).map(({ descriptor: { name, unit } }) => [name, unit])),
  }
}

function has(point: Point, wanted: Attributes): boolean {
  return Object.entries(wanted).every(([name, value]) => point.attributes[name] === value)
}

/** What metrics say of a run, in the form of its stats. */
export async function countsIn({ points }: Observed, pipeline: string): Promise<Partial<StageStats>[]> {
  const counts = ['received', 'sent', 'failed'] as const
  const told = await Promise.all(
    counts.map((count) => points(`sluice.stage.value.${count}`, { 'sluice.pipeline.name': pipeline })),
  )
  return told[0].map(({ attributes }, place) => ({
    name: attributes['sluice.stage.name'] as string,
    index: attributes['sluice.stage.index'] as number,
    ...Object.fromEntries(counts.map((count, i) => [count, told[i][place].value])),
  }))
}

export function countsOf({ stages }: RunStats): Partial<StageStats>[] {
  return stages.map(({ name, index, received, sent, failed }) => ({ name, index, received, sent, failed }))
}

/** Contexts follow promises and timers. */
export class StoredContext implements ContextManager {
  readonly #store = new AsyncLocalStorage<Context>()

  active(): Context {
    return this.#store.getStore() ?? ROOT_CONTEXT
  }
  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    context: Context,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.#store.run(context, () => fn.apply(thisArg, args))
  }
  bind<T>(_context: Context, target: T): T {
    return target
  }
  enable(): this {
    return this
  }
  disable(): this {
    return this
  }
}
