/**
 * Random graphs of branches and joins, with stages that fail, leave early, close early or say more than they heard,
 * ended in a random way: the run settles, every source that was opened is closed once, every stage of the user is
 * done, and nothing acts afterwards. (This is how the double count of an eager input in mergeSorted() was found.)
 */
import { expect, test } from 'vitest'
import {
  alsoTo,
  balance,
  batch,
  concat,
  count,
  fanIn,
  fanOut,
  filter,
  forEach,
  groupBy,
  interleave,
  map,
  mergeSorted,
  pipeline,
  route,
  type Run,
  type Sink,
  type Source,
  source,
  type Stage,
  stage,
  StageError,
  take,
  toArray,
  unbatch,
  zip,
} from 'sluice'
import { unhandledDuring } from './support-leaks.ts'
import { law, type Random } from './support-random.ts'
import { type Ending, probe, type Probe, upTo } from './support-sources.ts'
import { outcome, settledWithin, turns } from './support-waiting.ts'

const boom = new Error('boom')

/** Builds a random graph, and writes down what its pieces do. */
class Graph {
  readonly inputs: Probe<number>[] = []
  started = 0
  done = 0
  calls = 0
  /** Called with the number of each call of a function. */
  onCall = (_: number): void => {}

  constructor(
    readonly random: Random,
    readonly failing: boolean,
  ) {}

  /** A function of the user: passes its value on, and fails one time in a hundred where failures are wanted. */
  readonly act = (n: number): number => {
    this.onCall(++this.calls)
    if (this.failing && this.random.int(0, 99) === 0) throw boom
    return n
  }

  /** The same as an async function. All it does that can be seen is done at its call: an aborted run waits for no call. */
  slowly<R>(act: (n: number) => R): (n: number) => Promise<R> {
    return async (n) => {
      const result = act(n)
      await this.random.pause()
      return result
    }
  }

  source(depth: number): Source<number> {
    const { random } = this
    const input = (): Source<number> =>
      random.int(0, 1) ? pipeline(this.source(depth - 1), this.stage(1)) : this.source(depth - 1)
    const several = upTo(depth > 0 ? random.int(0, 3) : 0).map(input)
    const first = random.int(0, 5)
    const ending: Ending = this.failing && random.int(0, 9) === 0 ? { error: boom } : 'end'
    const numbers = probe(between(first, first + random.int(0, 20)), ending)
    const alone = () => {
      this.inputs.push(numbers)
      return source(numbers)
    }
    if (several.length === 0) return alone()
    return random.pick<() => Source<number>>([
      () => fanIn(...several),
      () => concat(...several),
      () => interleave(...several),
      () => pipeline(zip<number[]>(...several), unbatch()),
      () => mergeSorted((a, b) => this.act(a) - b, ...several),
    ])()
  }

  /** A stage of the user with bad manners, or with good ones. */
  custom(): Stage<number, number> {
    const { random } = this
    const kind = random.int(0, 6)
    const few = random.int(0, 4)
    return stage<number, number>('custom', async (rx, tx) => {
      this.started++
      try {
        if (kind === 1) tx.trySend(-1)
        if (kind === 2) tx.close()
        if (kind === 3) rx.close()
        if (kind === 3) for (const n of upTo(few)) await tx.send(-n)
        if (kind === 4 && this.failing) tx.fail(boom)
        let seen = 0
        for await (const n of rx) {
          if (kind === 5 && seen++ === few) return
          if (!tx.closed) await tx.send(this.act(n))
        }
      } catch (error) {
        if (kind !== 6) throw error
      } finally {
        this.done++
      }
    })
  }

  stage(depth: number): Stage<number, number> {
    const { random, act } = this
    const options = { concurrency: random.int(1, 3), ordered: random.int(0, 1) === 0 }
    const inner = () => this.stage(depth - 1)
    const key = (n: number) => Math.abs(act(n)) % 3
    const simple: [() => Stage<number, number>, ...(() => Stage<number, number>)[]] = [
      () => map(act, options),
      () => map(this.slowly(act), options),
      () => filter((n) => act(n) % 3 > 0),
      () => pipeline(batch<number>(random.int(1, 4)), unbatch()),
      () => take(random.int(0, 6)),
      () => this.custom(),
    ]
    if (depth <= 0) return random.pick(simple)()
    return random.pick<() => Stage<number, number>>([
      ...simple,
      () => fanOut({ a: inner(), b: inner() }, random.int(0, 1) ? {} : { capacity: random.int(0, 2) }),
      () => balance(random.int(1, 3), inner()),
      () => route((n) => (['a', 'b', 'c'] as const)[key(n)], { a: inner(), b: inner(), c: inner() }, options),
      () =>
        route(
          this.slowly((n) => key(n) as 0 | 1 | 2),
          { 0: inner(), 1: inner(), 2: inner() },
          options,
        ),
      () => {
        const copy = inner()
        return groupBy(key, (each) => (act(each), copy), options)
      },
      () => pipeline(alsoTo(this.sink(depth - 1)), inner()),
    ])()
  }

  sink(depth: number): Sink<number, unknown> {
    const { random, act } = this
    const inner = () => this.sink(depth - 1)
    const simple: [() => Sink<number, unknown>, ...(() => Sink<number, unknown>)[]] = [
      () => toArray(),
      () => count(),
      () => forEach(this.slowly(act)),
      () => pipeline(take<number>(random.int(0, 4)), toArray()),
    ]
    if (depth <= 0) return random.pick(simple)()
    return random.pick<() => Sink<number, unknown>>([
      ...simple,
      () => fanOut({ a: inner(), b: inner() }),
      () => balance(2, inner()),
    ])()
  }
}

function* between(from: number, to: number) {
  for (let n = from; n < to; n++) yield n
}

type Ended = (run: Run<unknown>, graph: Graph, random: Random) => Promise<unknown>
const ends: Record<string, Ended> = {
  'end by themselves': async () => Promise.resolve(),
  'be aborted': async (run, _, random) => turns(random.int(0, 9)).then(() => run.abort(boom)),
  'be stopped': async (run, _, random) => turns(random.int(0, 9)).then(() => outcome(run.stop())),
  'be aborted from inside': async (run, graph, random) => {
    const last = random.int(1, 30)
    graph.onCall = (call) => void (call === last && run.abort(boom))
    return Promise.resolve()
  },
  'be stopped from inside': async (run, graph, random) => {
    const last = random.int(1, 30)
    graph.onCall = (call) => void (call === last && outcome(run.stop()))
    return Promise.resolve()
  },
}

test.each(Object.entries(ends))('random graphs %s and leave nothing behind', async (_, end) => {
  const unhandled = await unhandledDuring(() =>
    law(60, async (random) => {
      const graph = new Graph(random, random.int(0, 1) === 1)
      const stages = pipeline(graph.source(2), graph.stage(3), graph.stage(2))
      const pipe = random.int(0, 1) ? pipeline(stages, graph.sink(2)) : stages
      const run: Run<unknown> = pipe.start({ capacity: random.pick([0, 1, 2, 256]) })
      const ended = outcome(run.result)
      expect(
        await settledWithin(
          end(run, graph, random).then(() => ended),
          20_000,
        ),
        'the run settles',
      ).toBe(true)
      check(graph, await ended)
      const { calls } = graph
      await turns(4)
      expect(graph.done, 'stages of the user are done').toBe(graph.started)
      expect(graph.calls, 'nothing acts afterwards').toBe(calls)
    }),
  )
  expect(unhandled).toEqual([])
})

function check(graph: Graph, ended: Awaited<ReturnType<typeof outcome>>): void {
  for (const { iterated, returned, overlaps } of graph.inputs) {
    expect(iterated).toBeLessThanOrEqual(1)
    expect(returned).toBeLessThanOrEqual(iterated)
    expect(overlaps).toBe(0)
  }
  if (ended.state === 'resolved' || ended.error === boom) return
  expect(ended.error).toBeInstanceOf(StageError)
  const { cause, suppressed } = ended.error as StageError
  expect(cause).toBe(boom)
  expect(suppressed.every((error) => error instanceof StageError)).toBe(true)
}

test('random graphs end when a loop over them is left, and leave nothing behind', async () => {
  await law(60, async (random) => {
    const graph = new Graph(random, random.int(0, 3) === 0)
    const pipe = pipeline(graph.source(2), graph.stage(3), graph.stage(2))
    const loop = async (): Promise<void> => {
      let passes = random.int(0, 9)
      for await (const _ of pipe) if (passes-- === 0) break
    }
    const left = outcome(loop())
    expect(await settledWithin(left, 20_000), 'the loop ends').toBe(true)
    check(graph, await left)
    const { calls } = graph
    await turns(4)
    expect([graph.done, graph.calls]).toEqual([graph.started, calls])
  })
})
