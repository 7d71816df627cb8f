/** Every sink of the catalogue under every ending, and what sinks write to: ended or destroyed, once. */
import { describe, expect, test } from 'vitest'
import { alsoTo, balance, drain, DrainTimeoutError, fanOut, map, pipeline, route } from 'sluice'
import { cycle, naturals, upTo, type Ending } from '../pipeline/support-sources.ts'
import { deferred, never, outcome, turns } from '../pipeline/support-waiting.ts'
import { sinkRows } from './end-rows.ts'
import { iterators } from './endings/source-kinds.ts'
import { targetKinds, type Target, type Trouble } from './endings/targets.ts'
import { watched, type Watch } from './endings/watch.ts'
import type { SinkOf } from './stage-rows.ts'

type Call = (value: unknown, index: number) => unknown

const boom = new Error('boom')
const other = new Error('other')
const reason = new Error('the reason')
const aborted = { state: 'rejected', error: reason }
const capacities = [0, 256]

interface Setup {
  values: Iterable<unknown>
  ending?: Ending
  before?: Call
  sink: SinkOf<never>
}

/** A run of a source, a function and the sink. */
function start(watch: Watch, capacity: number, { values, ending = 'end', before, sink }: Setup) {
  const opened = watch.follow(iterators.open(values, ending))
  const counted = map(
    (value: unknown, index) => {
      watch.calls++
      return before ? before(value, index) : value
    },
    { name: 'before' },
  )
  const run = pipeline(opened.source, counted, sink as SinkOf<unknown>).start({
    capacity,
    signal: watch.signal,
  })
  return { run, input: opened.resources[0], end: outcome<unknown>(run.result) }
}

// A row for nothing has nothing to be interrupted in.
const rowCases = sinkRows
  .filter(({ input }) => input.length > 0)
  .flatMap((row) => capacities.map((capacity) => ({ title: row.title, row, capacity })))

describe.each(rowCases)('$title at capacity $capacity leaves nothing behind after', ({ row, capacity }) => {
  /** A run that hangs in the call for the third value. */
  async function hanging(watch: Watch) {
    const seen: unknown[] = []
    const gate = deferred<unknown>()
    let hangs = false
    const before: Call = (value, index) => (index < 2 ? value : ((hangs = true), gate.promise))
    const run = start(watch, capacity, { values: cycle(row.input), before, sink: row.build(seen) })
    await watch.until(() => hangs)
    await watch.tick(3)
    const acted = seen.length
    return {
      ...run,
      /** Nothing comes to the sink any more, not even what comes back late. */
      quiet: async () => {
        await watch.quiet(() => gate.resolve(row.input[0]))
        expect(seen).toHaveLength(acted)
      },
    }
  }

  const under = (title: string, body: (watch: Watch) => Promise<void>) => test(title, () => watched(1, body))

  under('an abort in the middle', async (watch) => {
    const { run, quiet } = await hanging(watch)
    watch.controller.abort(reason)
    expect(await watch.atOnce(run.result)).toEqual(aborted)
    await quiet()
  })

  under('two aborts', async (watch) => {
    const { run, end, quiet } = await hanging(watch)
    await watch.atOnce(Promise.all([run.abort(reason), run.abort(other)]))
    expect(await end).toEqual(aborted)
    await quiet()
  })

  under('the end of an `await using` block', async (watch) => {
    const block = async () => {
      const { run, quiet } = await hanging(watch)
      await using held = run
      expect(held.stats().stages.length).toBeGreaterThanOrEqual(3)
      return quiet
    }
    const quiet = await watch.value(block())
    await quiet()
  })

  under('an abort before the start', async (watch) => {
    watch.controller.abort(reason)
    const seen: unknown[] = []
    const { run, input } = start(watch, capacity, { values: cycle(row.input), sink: row.build(seen) })
    expect(await watch.atOnce(run.result)).toEqual(aborted)
    expect([watch.calls, input.state, seen]).toEqual([0, 'unopened', []])
    await watch.quiet()
  })

  under('a stop, which gives what it makes of the values that were read', async (watch) => {
    const seen: unknown[] = []
    const { run, input } = start(watch, capacity, { values: cycle(row.input), sink: row.build(seen) })
    await watch.until(() => input.pulled > 3)
    const result = await watch.value(run.stop())
    await watch.quiet()
    const read = Array.from({ length: input.pulled }, (_, index) => row.input[index % row.input.length])
    const again: unknown[] = []
    const { source } = iterators.open(read)
    expect(result).toEqual(await watch.value(pipeline(source, row.build(again)).run({ capacity })))
    expect(seen).toEqual(again)
  })

  under('a stop past its deadline', async (watch) => {
    const { run, end, quiet } = await hanging(watch)
    const stopped = outcome(run.stop({ deadline: 50 }))
    await turns(3)
    await watch.pass(50)
    const ended = await watch.atOnce(stopped)
    expect(ended).toMatchObject({ value: { state: 'rejected', error: { name: 'DrainTimeoutError' } } })
    expect(await end).toEqual(await stopped)
    await quiet()
  })

  under('an abort while its source hangs', async (watch) => {
    const sink = row.build([])
    const { run, input } = start(watch, capacity, { values: row.input, ending: 'hang', sink })
    await watch.until(() => input.state === 'stuck')
    watch.controller.abort(reason)
    expect(await watch.atOnce(run.result)).toEqual(aborted)
    await watch.quiet()
  })

  under('a stop while its source hangs', async (watch) => {
    const seen: unknown[] = []
    const { run, input } = start(watch, capacity, {
      values: row.input,
      ending: 'hang',
      sink: row.build(seen),
    })
    await watch.until(() => input.state === 'stuck')
    expect(await watch.value(run.stop())).toEqual(row.result)
    expect(seen).toEqual(row.seen ?? [])
    await watch.quiet()
  })

  under('a source that fails', async (watch) => {
    const seen: unknown[] = []
    const ending = { error: boom }
    const { run } = start(watch, capacity, { values: row.input, ending, sink: row.build(seen) })
    expect(await watch.failure(run.result)).toMatchObject({ stage: 'source', cause: boom, suppressed: [] })
    expect(seen).toEqual(row.seen ?? [])
    await watch.quiet()
  })

  under('a function before it that fails', async (watch) => {
    const before: Call = (value, index) => (index < 1 ? value : Promise.reject(boom))
    const { run } = start(watch, capacity, { values: cycle(row.input), before, sink: row.build([]) })
    expect(await watch.failure(run.result)).toMatchObject({ stage: 'before', cause: boom, suppressed: [] })
    await watch.quiet()
  })

  const { failing } = row
  if (failing)
    under('its own failure', async (watch) => {
      const { run } = start(watch, capacity, { values: cycle(row.input), sink: failing.build(boom) })
      const error = await watch.failure(run.result)
      expect(error).toMatchObject({ stage: row.name, cause: boom, value: failing.value, suppressed: [] })
      await watch.quiet()
    })
})

// ---- targets

const LAST = 5
const numbers = upTo(LAST + 1)

/** A target as the last stage, and at the end of branches. */
const places: Record<string, (target: Target) => SinkOf<number>> = {
  'as the sink': ({ sink }) => sink,
  'as a branch of a fanOut': ({ sink }) => fanOut({ target: sink, other: drain() }),
  'as what alsoTo writes to': ({ sink }) => pipeline(alsoTo<number>(sink), drain()),
  'as the copy of a balance': ({ sink }) => balance(1, sink),
  'as a branch of a route': ({ sink }) => route(() => 'target' as const, { target: sink }),
}

const targetCases = Object.entries(places).flatMap(([place, put]) =>
  targetKinds.flatMap((kind) =>
    capacities.map((capacity) => ({ title: kind.title, place, put, kind, capacity })),
  ),
)

describe.each(targetCases)('$title $place, at capacity $capacity,', ({ kind, put, capacity }) => {
  /** Runs into the trouble, and waits until it is there. */
  function into(
    watch: Watch,
    trouble: Trouble | undefined,
    values: Iterable<number>,
    setup: Partial<Setup> = {},
  ) {
    const target = kind.open(trouble)
    return { target, ...start(watch, capacity, { values, ...setup, sink: put(target) }) }
  }

  const troubles = [0, LAST, ...(kind.ends ? ['end' as const] : [])]

  test.each(troubles)('that fails at %s fails the run and is not ended again', (at) =>
    watched(1, async (watch) => {
      const { target, run } = into(watch, { at, error: boom }, at === 0 ? naturals : numbers)
      const error = await watch.failure(run.result)
      expect(error).toMatchObject({ stage: target.stage, suppressed: [] })
      expect(error.cause).toBe(boom)
      if (at !== 'end') expect(error.value).toBe(at)
      await watch.quiet()
      expect(target.ended).toBe(at === 'end' ? 1 : 0)
    }),
  )

  test('that fails together with a call before it tells both', () =>
    watched(1, async (watch) => {
      const gate = deferred()
      const target = kind.open()
      let waiting = false
      const before: Call = (value, index) => {
        if (index < 2) return value
        waiting = true
        return gate.promise.then(() => Promise.reject(other))
      }
      const failing = map((n: number) => (n < 1 ? n : gate.promise.then(() => Promise.reject(boom))), {
        name: 'front',
      })
      const sink = pipeline(failing, put(target))
      const { run } = start(watch, Math.max(capacity, 1), { values: naturals, before, sink })
      await watch.until(() => waiting)
      await watch.tick(2)
      gate.resolve()
      const error = await watch.failure(run.result)
      expect([error.cause, ...error.suppressed.map((each) => (each as Error).cause)].sort()).toEqual([
        boom,
        other,
      ])
      await watch.quiet()
      expect(target).toMatchObject({ ended: 0, written: [0] })
    }))

  test.each(troubles)('that hangs at %s is left by an abort at once', (at) =>
    watched(1, async (watch) => {
      const { target, run } = into(watch, { at }, at === 0 ? naturals : numbers)
      await watch.until(() => (at === 'end' ? target.ended > 0 : target.written.includes(at)))
      await watch.tick(2)
      watch.controller.abort(reason)
      expect(await watch.atOnce(run.result)).toEqual(aborted)
      await watch.quiet()
      expect(target.destroyed).toBe(kind.ends ? 1 : 0)
      expect(target.written).toHaveLength(at === 0 ? 1 : LAST + 1)
    }),
  )

  test.each(troubles)('that hangs at %s is left by a stop past its deadline', (at) =>
    watched(1, async (watch) => {
      const { target, run, end } = into(watch, { at }, at === 0 ? naturals : numbers)
      await watch.until(() => (at === 'end' ? target.ended > 0 : target.written.includes(at)))
      const stopped = outcome(run.stop({ deadline: 20 }))
      await turns(3)
      await watch.pass(20)
      const ended = await watch.atOnce(stopped)
      expect(ended).toEqual({ state: 'resolved', value: await end })
      const { error } = (await stopped) as { error: DrainTimeoutError }
      expect(error).toBeInstanceOf(DrainTimeoutError)
      expect(error.stages).toContain(target.stage)
      await watch.quiet()
      expect(target.destroyed).toBe(kind.ends ? 1 : 0)
    }),
  )

  test('is ended once at the end, and after a stop, with all that was read', () =>
    watched(1, async (watch) => {
      const { target, run } = into(watch, undefined, numbers)
      await watch.value(run.result)
      expect(target).toMatchObject({ written: numbers, ended: kind.ends ? 1 : 0, destroyed: 0 })
      const later = into(watch, undefined, naturals)
      await watch.until(() => later.target.written.length > 3)
      await watch.value(later.run.stop())
      expect(later.target).toMatchObject({
        written: upTo(later.input.pulled),
        ended: kind.ends ? 1 : 0,
        destroyed: 0,
      })
      await watch.quiet()
    }))

  test('is destroyed once, and not ended, when its source fails', () =>
    watched(1, async (watch) => {
      const { target, run } = into(watch, undefined, numbers, { ending: { error: boom } })
      expect((await watch.failure(run.result)).cause).toBe(boom)
      expect(target).toMatchObject({ written: numbers, ended: 0, destroyed: kind.ends ? 1 : 0 })
      await watch.quiet()
    }))

  test('is destroyed once, and not ended, when the run is aborted', () =>
    watched(1, async (watch) => {
      const before: Call = (value, index) => (index < 3 ? value : never())
      const { target, run } = into(watch, undefined, naturals, { before })
      await watch.until(() => target.written.length === 3)
      await watch.tick(2)
      watch.controller.abort(reason)
      expect(await watch.atOnce(run.result)).toEqual(aborted)
      await watch.quiet()
      expect(target).toMatchObject({ written: [0, 1, 2], ended: 0, destroyed: kind.ends ? 1 : 0 })
    }))
})
