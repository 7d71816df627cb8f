import { channel } from 'node:diagnostics_channel'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { context, diag, DiagLogLevel, type MeterProvider, SpanStatusCode, trace } from '@opentelemetry/api'
import {
  batch,
  count,
  drain,
  fanIn,
  fanOut,
  groupBy,
  map,
  pipeline,
  range,
  source,
  stage,
  type Stage,
} from 'sluice'
import { instrument } from 'sluice/opentelemetry'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { deferred, stable } from '../pipeline/support-waiting.ts'
import { countsIn, countsOf, observe, StoredContext } from './support-telemetry.ts'

const double = map((n: number) => n * 2, { name: 'double' })
const failing = map(
  (n: number) => {
    if (n === 3) throw new RangeError('three')
    return n
  },
  { name: 'fragile' },
)
const hang = () => new Promise<never>(() => {})

afterEach(() => vi.restoreAllMocks())

describe('the spans of a run', () => {
  it('are one for the run and one for each stage below it', async () => {
    const { span, spans, names } = observe()
    await pipeline(range(3), double, count()).run({ name: 'numbers' })
    expect(names().sort()).toEqual(['run numbers', 'stage count', 'stage double', 'stage range'])
    const { attributes, status, ended } = span('run numbers')
    const { spanId } = span('run numbers').spanContext()
    expect(spans().filter(({ parentSpanContext }) => parentSpanContext?.spanId === spanId)).toHaveLength(3)
    expect(attributes).toMatchObject({ 'sluice.pipeline.name': 'numbers', 'sluice.run.outcome': 'completed' })
    expect({ status: status.code, ended }).toEqual({ status: SpanStatusCode.UNSET, ended: true })
    expect(span('stage double').attributes).toEqual({
      'sluice.pipeline.name': 'numbers',
      'sluice.stage.name': 'double',
      'sluice.stage.index': 1,
      'sluice.stage.id': '1',
    })
  })

  it('belong to what was active where the run was started', async () => {
    context.setGlobalContextManager(new StoredContext())
    onTestFinished(() => context.disable())
    const { span, tracerProvider } = observe()
    const request = tracerProvider.getTracer('test').startSpan('request')
    const job = pipeline(range(3), drain())
    await context.with(trace.setSpan(context.active(), request), () => job.run({ name: 'inside' }))
    await job.run({ name: 'outside' })
    expect(span('run inside').parentSpanContext?.spanId).toBe(request.spanContext().spanId)
    expect(span('stage range').spanContext().traceId).toBe(request.spanContext().traceId)
    expect(span('run outside').parentSpanContext).toBeUndefined()
  })

  it('end with their run, whatever it failed with', async () => {
    vi.spyOn(diag, 'error').mockImplementation(() => {})
    const refuses = (): never => {
      throw new Error('look elsewhere')
    }
    const thrown: unknown[] = [
      new Proxy({}, { get: refuses, getPrototypeOf: refuses }),
      Object.defineProperty(new Error(), 'name', { get: refuses }),
    ]
    const { names, sum } = observe()
    for (const error of thrown) {
      const fail = (): never => {
        throw error
      }
      const run = pipeline(range(3), map(fail), drain()).start()
      await run.result.catch(() => {})
    }
    expect(names().filter((name) => name === 'run pipeline')).toHaveLength(2)
    expect(await sum('sluice.run.ended', { 'sluice.run.outcome': 'failed', 'error.type': '_OTHER' })).toBe(2)
  })

  it('say what a stage and its run failed with', async () => {
    const { span } = observe()
    await pipeline(range(5), failing, drain())
      .run()
      .catch(() => {})
    for (const name of ['stage fragile', 'run pipeline']) {
      const { status, attributes, events } = span(name)
      expect(status.code).toBe(SpanStatusCode.ERROR)
      expect(status.message).toContain('three')
      expect(attributes).toMatchObject({ 'error.type': 'RangeError', 'sluice.stage.name': 'fragile' })
      expect(events.map((event) => event.name)).toEqual(['exception'])
    }
    expect(span('run pipeline').attributes['sluice.run.outcome']).toBe('failed')
    expect(span('stage range').status.code).toBe(SpanStatusCode.UNSET)
  })

  it('call an exception by its name where its code is a number, as that of a DOMException is', async () => {
    const { span } = observe()
    const late = map(() => new Promise(() => {}), { timeout: 1 })
    await pipeline(range(1), late)
      .run()
      .catch(() => {})
    const { attributes, events } = span('stage map')
    expect(attributes['error.type']).toBe('TimeoutError')
    expect(events[0].attributes).toMatchObject({
      'exception.type': 'TimeoutError',
      'exception.message': expect.stringContaining('took more than 1 ms'),
      'exception.stacktrace': expect.stringContaining('TimeoutError'),
    })
  })

  it.each([
    ['a text', 'no', 'no'],
    ['nothing', undefined, 'of type undefined'],
    ['what has no text', Object.create(null) as object, 'of type object'],
  ])('stand it when %s is thrown', async (_, thrown, message) => {
    const { span } = observe()
    const throwing = map(() => {
      throw thrown
    })
    await pipeline(range(1), throwing)
      .run()
      .catch(() => {})
    expect(span('stage map').status).toEqual({
      code: SpanStatusCode.ERROR,
      message: expect.stringContaining(message),
    })
    expect(span('run pipeline').attributes['error.type']).toBe('_OTHER')
  })

  it('do not count a skipped value as a failure', async () => {
    const { span } = observe()
    await pipeline(range(5), map(failOn(3), { name: 'fragile', onError: 'skip' })).run()
    expect(span('stage fragile')).toMatchObject({ status: { code: SpanStatusCode.UNSET }, events: [] })
  })

  it('tell an abort on purpose from one for a reason', async () => {
    const { span } = observe()
    const start = (name: string) => {
      const run = pipeline(source(hang), drain()).start({ name })
      run.result.catch(() => {})
      return run
    }
    await start('cancelled').abort()
    await start('late').abort(new DOMException('too late', 'TimeoutError'))
    expect(span('run cancelled')).toMatchObject({
      status: { code: SpanStatusCode.UNSET },
      attributes: { 'sluice.run.outcome': 'aborted' },
    })
    expect(span('run late')).toMatchObject({
      status: { code: SpanStatusCode.ERROR, message: 'too late' },
      attributes: { 'sluice.run.outcome': 'aborted', 'error.type': 'TimeoutError' },
    })
    expect(span('stage source').ended).toBe(true)
  })

  it('have one for each branch that comes up', async () => {
    const { names } = observe()
    await pipeline(
      range(6),
      groupBy(
        (n) => n % 3,
        () => double,
      ),
      count(),
    ).run()
    expect(names().filter((name) => name === 'stage double')).toHaveLength(3)
  })

  it('leave the stages out where that is asked for', async () => {
    const { names } = observe({ stageSpans: false })
    await pipeline(range(3), drain()).run()
    expect(names()).toEqual(['run pipeline'])
  })

  it('name the bottleneck', async () => {
    const { span } = observe()
    await pipeline(
      range(10),
      // So long that what else goes on in the process does not count.
      map((n) => sleep(20, n), { name: 'fetch' }),
      drain(),
    ).run()
    expect(span('run pipeline').attributes['sluice.run.bottleneck']).toBe('fetch')
  })

  it('have an event with the report of a stall', async () => {
    const stalled = deferred()
    vi.spyOn(process, 'emitWarning').mockImplementation(() => stalled.resolve())
    const { span } = observe()
    const run = pipeline(
      range(1),
      map(() => stalled.promise, { name: 'slow' }),
    ).start({ stallAfter: 10 })
    await run.result
    const [stall] = span('run pipeline').events
    expect(stall.name).toBe('sluice.run.stall')
    expect(stall.attributes!['sluice.run.report']).toContain('stage 1 "slow"')
  })
})

describe('the metrics of a run', () => {
  it('are what its stats say', async () => {
    const observed = observe()
    const run = pipeline(range(1000), double, batch(10), count()).start({ name: 'numbers' })
    await run.result
    const stats = run.stats()
    expect(await countsIn(observed, 'numbers')).toEqual(countsOf(stats))
    for (const [state, share] of [
      ['busy', 'busy'],
      ['waiting_input', 'waitingInput'],
      ['waiting_output', 'waitingOutput'],
    ] as const) {
      for (const stage of stats.stages) {
        const wanted = { 'sluice.stage.name': stage.name, 'sluice.stage.state': state }
        expect(await observed.sum('sluice.stage.time', wanted)).toBeCloseTo(
          (stage[share] * stats.elapsed) / 1000,
          9,
        )
      }
    }
  })

  it('can be read while it is at work, its channels too', async () => {
    const observed = observe()
    const run = pipeline(
      range(100),
      map(() => hang(), { name: 'stuck' }),
      drain(),
    ).start({ capacity: 8 })
    run.result.catch(() => {})
    await turn()
    expect(await countsIn(observed, 'pipeline')).toEqual(countsOf(run.stats()))
    const stuck = { 'sluice.stage.name': 'stuck' }
    expect(await observed.sum('sluice.channel.length', stuck)).toBe(run.stats().stages[0].output!.length)
    expect(await observed.sum('sluice.channel.length', stuck)).toBeGreaterThan(0)
    expect(await observed.sum('sluice.channel.capacity', stuck)).toBe(8)
    expect(await observed.sum('sluice.run.active')).toBe(1)
    await run.abort()
    expect(await observed.sum('sluice.channel.length')).toBe(0)
    expect(await observed.sum('sluice.channel.capacity')).toBe(0)
    expect(await observed.sum('sluice.run.active')).toBe(0)
  })

  it('count failed values, those that were skipped included', async () => {
    const { sum } = observe()
    await pipeline(range(5), map(failOn(3), { name: 'skipping', onError: 'skip' })).run()
    await pipeline(range(5), failing)
      .run()
      .catch(() => {})
    expect(await sum('sluice.stage.value.failed', { 'sluice.stage.name': 'skipping' })).toBe(1)
    expect(await sum('sluice.stage.value.sent', { 'sluice.stage.name': 'skipping' })).toBe(4)
    expect(await sum('sluice.stage.value.failed', { 'sluice.stage.name': 'fragile' })).toBe(1)
  })

  it('say how runs have ended', async () => {
    const { points } = observe()
    await pipeline(range(3)).run({ name: 'a' })
    await pipeline(range(3)).run({ name: 'a' })
    await pipeline(range(5), failing)
      .run({ name: 'a' })
      .catch(() => {})
    const run = pipeline(source(hang)).start({ name: 'a' })
    run.result.catch(() => {})
    await run.abort()
    const a = { 'sluice.pipeline.name': 'a' }
    const told = (await points('sluice.run.ended')).map(({ attributes, value }) => [attributes, value])
    expect(told).toEqual([
      [{ ...a, 'sluice.run.outcome': 'completed' }, 2],
      [{ ...a, 'sluice.run.outcome': 'failed', 'error.type': 'RangeError' }, 1],
      [{ ...a, 'sluice.run.outcome': 'aborted', 'error.type': 'AbortError' }, 1],
    ])
  })

  it('grow from run to run', async () => {
    const { sum } = observe()
    const job = pipeline(range(10), double, drain())
    const seen: number[] = []
    for (let i = 0; i < 3; i++) {
      const run = job.start()
      seen.push(await sum('sluice.stage.value.received'))
      await run.result
      seen.push(await sum('sluice.stage.value.received'))
    }
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
    expect(seen.at(-1)).toBe(60)
  })

  it('never go down, times included', { timeout: 20_000 }, async () => {
    const { points } = observe()
    const job = pipeline(
      range(400),
      map((n) => (n % 8 ? n : sleep(1, n))),
      double,
      drain(),
    )
    const most = new Map<string, number>()
    const look = async () => {
      for (const metric of ['sluice.stage.time', 'sluice.stage.value.sent']) {
        for (const { attributes, value } of await points(metric)) {
          const key = metric + JSON.stringify(attributes)
          expect(value).toBeGreaterThanOrEqual(most.get(key) ?? 0)
          most.set(key, value)
        }
      }
    }
    for (let i = 0; i < 3; i++) {
      let going = true
      const over = job.run({ capacity: 4 }).finally(() => (going = false))
      while (going) {
        await look()
        await turn()
      }
      await over
      await look()
    }
    expect(most.size).toBe(16)
  })

  it('sum the copies of a stage', async () => {
    const { points } = observe()
    await pipeline(
      range(100),
      groupBy(
        (n) => n % 50,
        () => double,
      ),
      count(),
    ).run()
    expect(await points('sluice.stage.value.received', { 'sluice.stage.name': 'double' })).toMatchObject([
      { value: 100, attributes: { 'sluice.stage.index': 0 } },
    ])
  })

  const copy = (name: string): Stage<number, number> =>
    stage(name, async (rx, tx) => {
      for await (const value of rx) await tx.send(value)
    })
  it.each([
    ['stages', (n: string) => map((value: number) => value, { name: n }), 0],
    // Each has a channel of its own before the one behind all branches.
    ['stages of the user', copy, 2],
  ])('count the channel in which branches of %s come together once', async (_, branch, own) => {
    const { sum } = observe()
    const run = pipeline(
      range(1000),
      fanOut({ a: branch('a'), b: branch('b') }),
      map(() => hang(), { name: 'end' }),
      drain(),
    ).start({ capacity: 4 })
    run.result.catch(() => {})
    await stable(() => run.stats().stages[0].sent)
    expect(await sum('sluice.channel.capacity', { 'sluice.stage.name': 'end' })).toBe(4 * (1 + own))
    expect(await sum('sluice.channel.length', { 'sluice.stage.name': 'end' })).toBe(4 * (1 + own))
    expect(await sum('sluice.channel.capacity', { 'sluice.stage.name': 'a' })).toBe(4)
    await run.abort()
  })

  it('count the channel of each input of a join', async () => {
    const { sum } = observe()
    const run = pipeline(
      fanIn(range(1000), pipeline(range(1000), double)),
      map(() => hang(), { name: 'end' }),
      drain(),
    ).start({ capacity: 4 })
    run.result.catch(() => {})
    await turn()
    expect(await sum('sluice.channel.capacity', { 'sluice.stage.name': 'fanIn' })).toBe(8)
    expect(await sum('sluice.channel.length', { 'sluice.stage.name': 'fanIn' })).toBe(8)
    await run.abort()
  })

  it('know no channels but those between stages', async () => {
    const { points } = observe()
    const run = pipeline(range(100), map(hang)).start()
    run.result.catch(() => {})
    await turn()
    const told = await points('sluice.channel.length')
    expect(told.map(({ attributes }) => attributes['sluice.stage.name'])).toEqual(['map'])
    await run.abort()
  })

  it('have units and no others', async () => {
    const { units } = observe()
    await pipeline(range(3), drain()).run()
    await using _run = pipeline(range(1), map(hang), drain()).start()
    expect(await units()).toEqual({
      'sluice.stage.value.received': '{value}',
      'sluice.stage.value.sent': '{value}',
      'sluice.stage.value.failed': '{value}',
      'sluice.stage.time': 's',
      'sluice.channel.length': '{value}',
      'sluice.channel.capacity': '{value}',
      'sluice.run.active': '{run}',
      'sluice.run.ended': '{run}',
    })
  })
})

describe('instrument()', () => {
  const events = ['run:start', 'run:end', 'run:stall', 'stage:start', 'stage:end', 'stage:failure']
  const heard = () => events.filter((event) => channel(`sluice:${event}`).hasSubscribers)

  it('listens until it is stopped', async () => {
    const { telemetry, names, sum } = observe()
    expect(heard()).toEqual(events)
    await pipeline(range(3), drain()).run()
    telemetry.stop()
    telemetry.stop()
    expect(heard()).toEqual([])
    await pipeline(range(3)).run()
    expect(names().sort()).toEqual(['run pipeline', 'stage drain', 'stage range'])
    expect(await sum('sluice.run.ended')).toBe(1)
  })

  it('is stopped at the end of its block', () => {
    {
      using _telemetry = instrument()
      expect(heard()).toEqual(events)
    }
    expect(heard()).toEqual([])
  })

  it('ends the spans of runs that go on when it is stopped, and does not see them end', async () => {
    const { telemetry, names, sum } = observe()
    const run = pipeline(source(hang), drain()).start()
    run.result.catch(() => {})
    await turn()
    telemetry.stop()
    expect(names().sort()).toEqual(['run pipeline', 'stage drain', 'stage source'])
    expect(await sum('sluice.run.active')).toBe(0)
    await run.abort()
    expect(await sum('sluice.run.ended')).toBe(0)
  })

  it('does not see runs that had begun before', async () => {
    const run = pipeline(
      range(3),
      map((n) => sleep(1, n)),
    ).start()
    const { names, sum } = observe()
    await run.result
    expect(names()).toEqual([])
    expect(await sum('sluice.run.ended')).toBe(0)
  })

  it('does nothing where no SDK is registered', async () => {
    using _telemetry = instrument()
    await expect(pipeline(range(3), double).run()).resolves.toEqual([0, 2, 4])
    await expect(pipeline(range(5), failing).run()).rejects.toThrow('three')
  })

  it('breaks no run, whatever the SDK throws', async () => {
    const error = vi.fn()
    const silent = () => {}
    diag.setLogger({ error, warn: silent, info: silent, debug: silent, verbose: silent }, DiagLogLevel.ERROR)
    onTestFinished(() => diag.disable())
    const broken = () => {
      throw new Error('broken')
    }
    const { tracerProvider } = observe()
    const span = tracerProvider.getTracer('test').startSpan('a')
    Object.assign(span, { end: broken, setAttribute: broken, recordException: broken })
    using _all = instrument({
      tracerProvider: { getTracer: () => ({ startSpan: broken, startActiveSpan: broken }) },
    })
    using _end = instrument({
      tracerProvider: { getTracer: () => ({ startSpan: () => span, startActiveSpan: broken }) },
    })
    await expect(pipeline(range(3), double).run()).resolves.toEqual([0, 2, 4])
    await expect(pipeline(range(5), failing).run()).rejects.toThrow('three')
    expect(error).toHaveBeenCalled()
  })

  it('keeps nothing of a run that has ended', async () => {
    const { sum } = observe()
    // In a function of its own, so that no variable holds it.
    const ended = await (async () => {
      const run = pipeline(range(3), double).start()
      await run.result
      return new WeakRef(run)
    })()
    expect(await sum('sluice.run.ended')).toBe(1)
    setFlagsFromString('--expose-gc')
    const gc = runInNewContext('gc') as () => void
    await vi.waitFor(() => {
      gc()
      expect(ended.deref()).toBeUndefined()
    })
  })

  it('says what it cannot use', () => {
    // @ts-expect-error a wrong argument
    expect(() => instrument(null)).toThrow(
      new TypeError('Cannot instrument: "options" must be an object, got null'),
    )
    for (const none of [[], Promise.resolve({})])
      expect(() => instrument(none as object)).toThrow('"options" must be an object, got ')
    expect(() => instrument({ meterProvider: {} as MeterProvider })).toThrow(
      new TypeError('Cannot instrument: "meterProvider" must be a MeterProvider, got Object'),
    )
    // @ts-expect-error a wrong argument
    expect(() => instrument({ tracerProvider: null })).toThrow('"tracerProvider" must be a TracerProvider')
    // @ts-expect-error a wrong argument
    expect(() => instrument({ stageSpans: 1 })).toThrow('"stageSpans" must be a boolean, got 1')
  })
})

function failOn(bad: number): (n: number) => number {
  return (n) => {
    if (n === bad) throw new RangeError(`not ${bad}`)
    return n
  }
}
