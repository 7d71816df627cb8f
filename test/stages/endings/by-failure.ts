/** Endings by failure: of the source, of a function before or behind, of the sink, of two at once. */
import { expect } from 'vitest'
import { pipeline, StageError, writeTo } from 'sluice'
import { Writable } from 'node:stream'
import { deferred } from '../../pipeline/support-waiting.ts'
import type { SinkOf, SourceOf } from '../stage-rows.ts'
import { bodyOf, endsItself, flow, made, midFlow, type Plan, type Scene, stuck } from './flow.ts'

export interface EndingCase {
  title: string
  /** Only for sources that can fail and hang. */
  breaks?: boolean
  /** Tried with each stage behind each kind of source. */
  short?: boolean
  body: (scene: Scene) => Promise<void>
}

const boom = new Error('boom')
const other = new Error('other')
const throws = (error: Error) => () => {
  throw error
}

/** Checks the failure a run rejects with. */
function expectFailure(error: StageError, stage: string, cause: unknown): void {
  expect(error).toBeInstanceOf(StageError)
  expect(error.stage).toBe(stage)
  expect(error.cause).toBe(cause)
}

/** A source of finite values that fails behind them. */
const sourceFailsAfter = (count: (all: number) => number) => async (scene: Scene) => {
  const { watch, subject } = scene
  const values = subject.input.slice(0, count(subject.input.length))
  const { run, seen, opened } = flow(scene, { values, ending: { error: boom } })
  const alone = opened.resources.length === 1
  const end = await watch.soon(run.result)
  if (end.state === 'rejected') {
    expectFailure(end.error as StageError, 'source', boom)
    if (alone) expect((end.error as StageError).suppressed).toEqual([])
  } else expect(await endsItself(scene)).toBe(true)
  if (subject.exact && alone) expect(seen).toEqual(await made(scene, values))
  await watch.quiet()
}

const beforeFails = async (scene: Scene) => {
  const { watch } = scene
  let culprit: unknown
  const before: Plan['before'] = (value, index) => {
    if (index < 1) return value
    culprit = value
    throw boom
  }
  const end = await watch.soon(flow(scene, { before }).run.result)
  if (end.state === 'rejected') {
    expectFailure(end.error as StageError, 'before', boom)
    expect((end.error as StageError).value).toBe(culprit)
    expect((end.error as StageError).suppressed).toEqual([])
  } else expect(await endsItself(scene)).toBe(true)
  await watch.quiet()
}

const behindFails = async (scene: Scene) => {
  const { watch } = scene
  const { run, seen } = flow(scene, { behind: throws(boom) })
  const error = await watch.failure(run.result)
  expectFailure(error, 'behind', boom)
  expect(error.suppressed).toEqual([])
  expect(seen).toEqual([])
  await watch.quiet()
}

const sinkFails = async (scene: Scene) => {
  const { watch } = scene
  const { run, seen } = flow(scene, { sink: throws(boom) })
  const error = await watch.failure(run.result)
  expectFailure(error, 'sink', boom)
  expect(error.value).toBe(seen[0])
  expect(error.suppressed).toEqual([])
  expect(seen).toHaveLength(1)
  await watch.quiet()
}

/** The sinks that fail when all has been written. */
const failingEnds: Record<string, () => SinkOf<unknown>> = {
  'a Writable whose `final` fails': () =>
    writeTo(
      new Writable({
        objectMode: true,
        write: (_chunk, _encoding, done) => done(),
        final: (done) => done(boom),
      }),
    ),
  'a WritableStream whose `close` rejects': () =>
    writeTo(new WritableStream<unknown>({ close: () => Promise.reject(boom) })),
}

const sinkFailsAtItsEnd = (makeSink: () => SinkOf<unknown>) => async (scene: Scene) => {
  const { watch, subject, capacity } = scene
  // A source without an end never comes to the end of its sink.
  if (!subject.reads && !(await endsItself(scene))) return
  const { body } = bodyOf(scene, { values: subject.input })
  const run = pipeline(body as SourceOf<unknown>, makeSink()).run({ capacity, signal: watch.signal })
  const error = await watch.failure(run)
  expectFailure(error, 'writeTo', boom)
  expect(error.suppressed).toEqual([])
  await watch.quiet()
}

/** The sink and a function before the stage both wait in a call; then both fail in one tick. */
const twoFail = (order: readonly ['before' | 'sink', 'before' | 'sink']) => async (scene: Scene) => {
  const { watch } = scene
  const gates = { before: deferred<never>(), sink: deferred<never>() }
  // Where nobody has come to it, nobody hears of it.
  gates.before.promise.catch(() => {})
  let waits = false
  let begun = false
  const { run, seen } = flow(scene, {
    async before(value) {
      await watch.tick(2)
      if (!begun) return value
      waits = true
      return gates.before.promise
    },
    async sink() {
      begun = true
      return gates.sink.promise
    },
  })
  await watch.until(() => seen.length > 0)
  await watch.sees(() => waits, 20)
  const errors = { [order[0]]: boom, [order[1]]: other }
  for (const stage of order) gates[stage].reject(errors[stage])
  const error = await watch.failure(run.result)
  const told = [error, ...error.suppressed].map((each) => [
    (each as StageError).stage,
    (each as StageError).cause,
  ])
  const both = order.map((stage) => [stage, errors[stage]])
  // Where the stage has had enough, nobody wants to know what becomes of a call before it.
  if (waits && !(await endsItself(scene))) expect(told).toEqual(both)
  else {
    expect(told).toContainEqual(['sink', errors['sink']])
    expect(both).toEqual(expect.arrayContaining(told))
  }
  await watch.quiet()
}

/** A source that fails while the sink fails too: whoever is first is the cause, the other is not lost. */
const sourceAndSinkFail = async (scene: Scene) => {
  const { watch, subject } = scene
  const { run, seen } = flow(scene, {
    values: subject.input,
    ending: { error: other },
    sink: () => Promise.reject(boom),
  })
  const error = await watch.failure(run.result)
  if (!subject.exact && seen.length === 0) return expectFailure(error, 'source', other)
  expect(seen).toHaveLength(1)
  const told = [error, ...error.suppressed].map((each) => [
    (each as StageError).stage,
    (each as StageError).cause,
  ])
  expect(told).toContainEqual(['sink', boom])
  for (const each of told)
    expect([
      ['sink', boom],
      ['source', other],
    ]).toContainEqual(each)
  await watch.quiet()
}

const failsWhileSourceHangs = async (scene: Scene) => {
  const { watch, subject } = scene
  const gate = deferred()
  const last = subject.input.length - 1
  const before: Plan['before'] = async (value, index) => {
    if (index === last) await gate.promise.then(throws(boom))
    return value
  }
  const started = flow(scene, { values: subject.input, ending: 'hang', before })
  await watch.sees(() => stuck(started), 20)
  gate.resolve()
  const end = await watch.soon(started.run.result)
  if (end.state === 'rejected') expectFailure(end.error as StageError, 'before', boom)
  else expect(await endsItself(scene)).toBe(true)
  await watch.quiet()
}

const callsInFlight = async (scene: Scene) => {
  const { watch } = scene
  const { run, gate, end, seen } = await midFlow(scene)
  gate.reject(boom)
  const error = await watch.failure(run.result)
  expectFailure(error, 'sink', boom)
  expect(seen).toHaveLength(1)
  expect(await end).toMatchObject({ state: 'rejected' })
  await watch.quiet()
}

export const endingsByFailure: EndingCase[] = [
  { title: 'a source that fails before its first value', breaks: true, body: sourceFailsAfter(() => 0) },
  {
    title: 'a source that fails after one value',
    short: true,
    breaks: true,
    body: sourceFailsAfter(() => 1),
  },
  { title: 'a source that fails after all its values', breaks: true, body: sourceFailsAfter((all) => all) },
  { title: 'a function before it that throws', body: beforeFails },
  { title: 'a function behind it that throws', short: true, body: behindFails },
  { title: 'a sink that throws at its first value', body: sinkFails },
  { title: 'a sink whose call rejects while others wait', body: callsInFlight },
  ...Object.entries(failingEnds).map(([title, sink]) => ({ title, body: sinkFailsAtItsEnd(sink) })),
  { title: 'a function before it and the sink that fail in one tick', body: twoFail(['before', 'sink']) },
  { title: 'the sink and a function before it that fail in one tick', body: twoFail(['sink', 'before']) },
  { title: 'a source and a sink that both fail', breaks: true, body: sourceAndSinkFail },
  { title: 'a failure elsewhere while its source hangs', breaks: true, body: failsWhileSourceHangs },
]
