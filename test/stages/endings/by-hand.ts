/** Endings by the program: abort, stop, a loop that is left, the end of an `await using` block; and what hangs meanwhile. */
import { expect } from 'vitest'
import { DrainTimeoutError } from 'sluice'
import { deferred, never, outcome, turns } from '../../pipeline/support-waiting.ts'
import type { EndingCase } from './by-failure.ts'
import { bodyOf, endsItself, flow, made, midFlow, type Plan, type Scene, stuck } from './flow.ts'
import type { Opened } from './source-kinds.ts'

const reason = new Error('the reason')
const aborted = { state: 'rejected', error: reason }

// ---- abort

const abortMidFlow = async (scene: Scene) => {
  const { watch } = scene
  const { run, gate, seen } = await midFlow(scene)
  watch.controller.abort(reason)
  expect(await watch.atOnce(run.result)).toEqual(aborted)
  await watch.quiet(gate.resolve)
  expect(seen).toHaveLength(1)
}

/** The run never began: nothing was opened, and nothing need be released. */
function expectUntouched({ resources }: Opened): void {
  expect(resources.map(({ state }) => state)).toEqual(resources.map(() => 'unopened'))
  for (const resource of resources) resource.untouched = true
}

const abortBeforeStart = async (scene: Scene) => {
  const { watch } = scene
  watch.controller.abort(reason)
  const { run, opened } = flow(scene)
  expect(await watch.atOnce(run.result)).toEqual(aborted)
  expect(watch.calls).toBe(0)
  expectUntouched(opened)
  await watch.quiet()
}

const abortTwice = async (scene: Scene) => {
  const { watch } = scene
  const { run, gate, end } = await midFlow(scene)
  const both = Promise.all([run.abort(reason), run.abort(new Error('another'))])
  expect(await watch.atOnce(both)).toMatchObject({ state: 'resolved' })
  expect(await end).toEqual(aborted)
  expect(await watch.atOnce(run.abort())).toMatchObject({ state: 'resolved' })
  await watch.quiet(gate.resolve)
}

const using = async (scene: Scene) => {
  const { watch } = scene
  const block = async () => {
    const { run, gate, seen } = await midFlow(scene)
    await using held = run
    expect(held.stats().stages.length).toBeGreaterThanOrEqual(4)
    expect(seen).toHaveLength(1)
    return gate
  }
  const { resolve } = await watch.value(block())
  await watch.quiet(resolve)
}

// ---- stop

/** What has come out after a stop is what the stage makes of what was read. */
async function expectAllOut(scene: Scene, { resources }: Opened, seen: unknown[]): Promise<void> {
  const { subject } = scene
  expect(seen.length).toBeGreaterThan(0)
  if (!subject.exact) return
  const read = resources.reduce((sum, { pulled }) => sum + pulled, 0)
  if (resources.length > 1) return void expect(seen).toHaveLength(read)
  const values = Array.from({ length: read }, (_, index) => subject.input[index % subject.input.length])
  expect(seen).toEqual(await made(scene, values))
}

const stopMidFlow = async (scene: Scene) => {
  const { watch } = scene
  const { run, gate, seen, opened } = await midFlow(scene)
  const both = Promise.all([run.stop(), run.stop({ deadline: 100_000 })])
  await turns(3)
  gate.resolve()
  expect(await watch.soon(both)).toEqual({ state: 'resolved', value: [undefined, undefined] })
  await watch.quiet()
  await expectAllOut(scene, opened, seen)
}

const stopThenAbort = async (scene: Scene) => {
  const { watch } = scene
  const { run, gate, seen } = await midFlow(scene)
  const stopped = outcome(run.stop())
  await turns(3)
  watch.controller.abort(reason)
  expect(await watch.atOnce(stopped)).toEqual({ state: 'resolved', value: aborted })
  expect(await watch.atOnce(run.result)).toEqual(aborted)
  await watch.quiet(gate.resolve)
  expect(seen).toHaveLength(1)
}

/** Stops a run that hangs in the stage called `name`: past the deadline it is over, and not before. */
async function expectDrainTimeout({ watch }: Scene, run: ReturnType<typeof flow>['run'], name: string) {
  const ends = Promise.all([outcome(run.stop({ deadline: 50 })), outcome(run.result)])
  let settled = false
  void ends.then(() => (settled = true))
  await turns(3)
  await watch.pass(49)
  expect(settled).toBe(false)
  await watch.pass(1)
  expect(settled).toBe(true)
  const [stopped, result] = await ends
  expect(stopped).toEqual(result)
  const { error } = stopped as { error: DrainTimeoutError }
  expect(error).toBeInstanceOf(DrainTimeoutError)
  expect(error.stages).toContain(name)
}

const deadline = async (scene: Scene) => {
  const { run, gate } = await midFlow(scene)
  await expectDrainTimeout(scene, run, 'sink')
  await scene.watch.quiet(gate.resolve)
}

// ---- loops

const breakAfterOne = async (scene: Scene) => {
  const { watch } = scene
  const { body } = bodyOf(scene, {})
  const loop = async () => {
    for await (const value of body) return value
  }
  await watch.value(loop())
  await watch.quiet()
}

const throwInLoop = async (scene: Scene) => {
  const { watch } = scene
  const { body } = bodyOf(scene, {})
  const loop = async () => {
    for await (const _ of body) throw reason
  }
  expect(await watch.soon(loop())).toEqual(aborted)
  await watch.quiet()
}

const done = { done: true, value: undefined }

const returnBeforeNext = async (scene: Scene) => {
  const { watch } = scene
  const { body, opened } = bodyOf(scene, {})
  const loop = body[Symbol.asyncIterator]()
  expect(await watch.soon(loop.return!())).toEqual({ state: 'resolved', value: done })
  expect(await watch.soon(loop.next())).toEqual({ state: 'resolved', value: done })
  expect(watch.calls).toBe(0)
  expectUntouched(opened)
  await watch.quiet()
}

const returnTwice = async (scene: Scene) => {
  const { watch } = scene
  const loop = bodyOf(scene, {}).body[Symbol.asyncIterator]()
  await watch.value(loop.next())
  expect(await watch.value(Promise.all([loop.return!(), loop.return!()]))).toEqual([done, done])
  expect(await watch.value(loop.return!())).toEqual(done)
  expect(await watch.value(loop.next())).toEqual(done)
  await watch.quiet()
}

// ---- a source that hangs

const hanging = (scene: Scene): Plan => ({ values: scene.subject.input, ending: 'hang' })

/** Waits until the source hangs. Where the stage had enough before that, the run must have ended by itself. */
async function hangs(scene: Scene, started: { opened: Opened; over?: () => boolean }): Promise<boolean> {
  await scene.watch.sees(() => stuck(started), 60)
  await scene.watch.tick(5)
  const hung = stuck(started) && started.over?.() !== true
  if (!hung) expect(await endsItself(scene)).toBe(true)
  return hung
}

const abortWhileSourceHangs = async (scene: Scene) => {
  const { watch } = scene
  const started = flow(scene, hanging(scene))
  if (await hangs(scene, started)) {
    watch.controller.abort(reason)
    expect(await watch.atOnce(started.run.result)).toEqual(aborted)
  } else await watch.value(started.run.result)
  await watch.quiet()
}

const stopWhileSourceHangs = async (scene: Scene) => {
  const { watch, subject } = scene
  const started = flow(scene, hanging(scene))
  await hangs(scene, started)
  await watch.value(started.run.stop())
  await watch.quiet()
  if (subject.exact) await expectAllOut(scene, started.opened, started.seen)
}

const breakWhileSourceHangs = async (scene: Scene) => {
  const { watch } = scene
  const { body, opened } = bodyOf(scene, hanging(scene))
  const loop = body[Symbol.asyncIterator]()
  const steps = Promise.all(Array.from({ length: 40 }, () => loop.next()))
  await hangs(scene, { opened })
  expect(await watch.value(loop.return!())).toEqual(done)
  expect((await watch.value(steps)).at(-1)).toEqual(done)
  await watch.quiet()
}

// ---- a function that hangs

/** A run that hangs in a call of `stage`. */
async function inCall(scene: Scene, stage: 'before' | 'behind') {
  const signals: AbortSignal[] = []
  const started = flow(scene, {
    [stage]: (_: unknown, __: number, { signal }: { signal: AbortSignal }) => (signals.push(signal), never()),
  })
  await scene.watch.until(() => signals.length > 0)
  await scene.watch.tick(3)
  expect(signals.map((signal) => signal.aborted)).toEqual([false])
  return { ...started, signals }
}

const abortInCall = (stage: 'before' | 'behind') => async (scene: Scene) => {
  const { watch } = scene
  const { run, signals, seen } = await inCall(scene, stage)
  watch.controller.abort(reason)
  expect(await watch.atOnce(run.result)).toEqual(aborted)
  expect(signals.map((signal) => signal.reason as unknown)).toEqual([reason])
  expect(seen).toEqual([])
  await watch.quiet()
}

const stopInCall = (stage: 'before' | 'behind') => async (scene: Scene) => {
  const { run, signals, seen } = await inCall(scene, stage)
  await expectDrainTimeout(scene, run, stage)
  expect(signals.map((signal) => signal.aborted)).toEqual([true])
  expect(seen).toEqual([])
  await scene.watch.quiet()
}

/** A call that comes back after the abort, with a value or an error, changes nothing. */
const lateCall = async (scene: Scene) => {
  const { watch } = scene
  const gate = deferred<unknown>()
  let called = 0
  const { run, seen } = flow(scene, { behind: () => (called++, gate.promise) })
  await watch.until(() => called > 0)
  watch.controller.abort(reason)
  expect(await watch.atOnce(run.result)).toEqual(aborted)
  await watch.quiet(() => gate.reject(new Error('late')))
  expect(seen).toEqual([])
}

export const endingsByHand: EndingCase[] = [
  { title: 'an abort in the middle', short: true, body: abortMidFlow },
  { title: 'an abort before the start', body: abortBeforeStart },
  { title: 'two aborts', body: abortTwice },
  { title: 'the end of an `await using` block', body: using },
  { title: 'a stop in the middle, twice', short: true, body: stopMidFlow },
  { title: 'a stop and then an abort', body: stopThenAbort },
  { title: 'a stop past its deadline', body: deadline },
  { title: 'a loop that is left after one value', short: true, body: breakAfterOne },
  { title: 'a loop whose body throws', body: throwInLoop },
  { title: 'a loop that is left before it begins', body: returnBeforeNext },
  { title: 'a loop that is left twice', body: returnTwice },
  { title: 'an abort while its source hangs', short: true, breaks: true, body: abortWhileSourceHangs },
  { title: 'a stop while its source hangs', short: true, breaks: true, body: stopWhileSourceHangs },
  { title: 'a loop that is left while its source hangs', breaks: true, body: breakWhileSourceHangs },
  { title: 'an abort while a function before it hangs', body: abortInCall('before') },
  { title: 'an abort while a function behind it hangs', body: abortInCall('behind') },
  { title: 'a stop with a deadline while a function before it hangs', body: stopInCall('before') },
  { title: 'a stop with a deadline while a function behind it hangs', body: stopInCall('behind') },
  { title: 'an abort before a call that fails late', body: lateCall },
]
