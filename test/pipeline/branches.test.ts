/** Graphs: branches in branches, joins of joins, and how all of it ends. */
import { describe, expect, test } from 'vitest'
import {
  alsoTo,
  balance,
  batch,
  concat,
  count,
  drain,
  DrainTimeoutError,
  fanIn,
  fanOut,
  filter,
  flatMap,
  forEach,
  groupBy,
  map,
  pipeline,
  range,
  route,
  source,
  stage,
  StageError,
  take,
  toArray,
  unbatch,
} from 'sluice'
import { abortListeners, stageError, timersLeftBy, unhandledDuring } from './support-leaks.ts'
import { runProgram } from './support-programs.ts'
import { law, type Random } from './support-random.ts'
import { naturals, probe, syncProbe, upTo } from './support-sources.ts'
import { deferred, never, rejection, stable, turns, until } from './support-waiting.ts'

const capacities = [0, 1, 2, 256]
const boom = new Error('boom')
const ascending = (a: number, b: number) => a - b
const keep = () => map((n: number) => n)
const parity = (n: number) => (n % 2 === 0 ? 'even' : 'odd')
const relay = stage<number, number>('relay', async (rx, tx) => {
  for await (const n of rx) await tx.send(n)
})

/** fanOut in route in balance, a pipeline as a branch, a sink inside a branch. */
const nested = (seen: number[]) =>
  balance(
    2,
    route(parity, {
      even: fanOut({ plain: keep(), custom: pipeline(keep(), relay) }),
      odd: pipeline(
        alsoTo(forEach((n: number) => void seen.push(n))),
        groupBy(
          (n: number) => n % 3,
          () => keep(),
        ),
      ),
    }),
  )

describe.each(capacities)('branches in branches at capacity %i', (capacity) => {
  test('give every value to where it belongs, run after run', async () => {
    const seen: number[] = []
    const pipe = pipeline(fanIn(range(30), range(30, 60)), nested(seen), keep())
    const expected = upTo(60).flatMap((n) => (n % 2 === 0 ? [n, n] : [n]))
    for (const _ of upTo(2)) {
      expect((await pipe.run({ capacity })).sort(ascending)).toEqual(expected)
      expect(seen.splice(0).sort(ascending)).toEqual(upTo(60).filter((n) => n % 2 === 1))
    }
  })

  test('of sinks are worth records in records', async () => {
    const inner = fanOut({ all: toArray<number>(), many: count() })
    const pipe = pipeline(
      range(10),
      fanOut({
        parts: route(parity, { even: inner, odd: pipeline(keep(), count()) }),
        copies: balance(1, count()),
      }),
    )
    const expected = { parts: { even: { all: [0, 2, 4, 6, 8], many: 5 }, odd: 5 }, copies: [10] }
    expect(await pipe.run({ capacity })).toEqual(expected)
    expect(await pipe.run({ capacity })).toEqual(expected)
  })

  test('fail with the innermost stage, once, and release the source once', async () => {
    const bad = map(
      (n: number) => {
        if (n === 8) throw boom
        return n
      },
      { name: 'bad' },
    )
    const input = probe(naturals)
    const seen: number[] = []
    const pipe = pipeline(
      source(input),
      fanOut({
        deep: balance(2, route(parity, { even: fanOut({ bad, good: keep() }), odd: keep() })),
        packed: pipeline(batch<number>(1000), unbatch()),
      }),
      forEach((n) => void seen.push(n)),
    )
    const error = await stageError(pipe.run({ capacity }))
    expect(error).toMatchObject({ stage: 'bad', index: 0, value: 8, cause: boom, suppressed: [] })
    expect(input.returned).toBe(1)
    // 0, 2, 4, 6 came through both inner branches, 1, 3, 5, 7 through theirs, and all again out of the last batch.
    for (const n of [0, 2, 4, 6]) expect(seen.filter((each) => each === n).length).toBeGreaterThanOrEqual(2)
  })

  test('of two that fail, one is the error and the other suppressed', async () => {
    const gate = deferred()
    const bad = (name: string) =>
      map(
        async () => {
          await gate.promise
          throw boom
        },
        { name },
      )
    const input = probe(naturals)
    const unhandled = await unhandledDuring(async () => {
      const result = stageError(
        pipeline(source(input), fanOut({ a: bad('a'), b: bad('b') }), drain()).run({ capacity }),
      )
      await stable(() => input.pulled)
      gate.resolve()
      const error = await result
      expect(error).toMatchObject({ stage: 'a', value: 0, cause: boom })
      expect(error.suppressed).toEqual([expect.objectContaining({ stage: 'b', value: 0, cause: boom })])
      expect(error.suppressed[0]).toBeInstanceOf(StageError)
    })
    expect(unhandled).toEqual([])
    expect(input.returned).toBe(1)
  })

  test('end with the failure even where a custom stage swallows it', async () => {
    const swallowing = stage<number, number>('swallowing', async (rx, tx) => {
      try {
        for await (const n of rx) await tx.send(n)
      } catch {
        await tx.send(-1)
      }
    })
    const bad = map((n: number) => {
      if (n === 3) throw boom
      return n
    })
    const error = await stageError(pipeline(range(9), fanOut({ swallowing, bad }), drain()).run({ capacity }))
    expect(error).toMatchObject({ stage: 'map', value: 3, suppressed: [] })
  })

  test('give what they hold when stopped', async () => {
    const input = probe(naturals)
    const seen: number[] = []
    const pipe = pipeline(
      source(input),
      nested(seen),
      fanOut({ packed: pipeline(batch<number>(1000), unbatch()) }),
    )
    const run = pipe.start({ capacity })
    await until(() => input.pulled > 20)
    const out = await run.stop()
    expect(input.returned).toBe(1)
    const odd = out.filter((n) => n % 2 === 1).sort(ascending)
    expect(odd).toEqual(seen.sort(ascending))
    expect(new Set(out).size).toBe(Math.max(...out) + 1)
    expect(out).toHaveLength(odd.length + 2 * (new Set(out).size - odd.length))
  })
})

describe('branches', () => {
  test('interrupt what leads to a failure, and let the branches beside it finish', async () => {
    const aborted: string[] = []
    const watching = (name: string) =>
      map(
        (n: number, _: number, { signal }: { signal: AbortSignal }) => {
          if (n === 0) signal.addEventListener('abort', () => aborted.push(name))
          return n
        },
        { name },
      )
    const bad = map((n: number) => {
      if (n === 2) throw boom
      return n
    })
    const pipe = pipeline(
      range(3),
      watching('before'),
      fanOut({ a: pipeline(watching('in front'), bad, watching('behind')), b: watching('beside') }),
      watching('after'),
    )
    await stageError(pipe.run())
    expect(aborted.sort()).toEqual(['before', 'in front'])
  })

  test('are interrupted by the failure of a stage behind them', async () => {
    const reasons: unknown[] = []
    const hanging = map((n: number, _: number, { signal }: { signal: AbortSignal }) =>
      n === 0
        ? n
        : new Promise<number>((_resolve, reject) => {
            signal.addEventListener('abort', () => {
              reasons.push(signal.reason)
              reject(signal.reason as Error)
            })
          }),
    )
    const bad = map(async () => {
      await turns(2)
      throw boom
    })
    const error = await stageError(
      pipeline(range(5), fanOut({ a: hanging, b: balance(2, hanging) }), bad).run(),
    )
    expect(error).toMatchObject({ stage: 'map', index: 2, value: 0, cause: boom, suppressed: [] })
    expect(reasons).toHaveLength(3)
    expect(new Set(reasons)).toEqual(new Set([error]))
  })

  test('end at once when aborted, with a mapper that hangs in one', async () => {
    for (const capacity of capacities) {
      const controller = new AbortController()
      const input = probe(naturals)
      const pipe = pipeline(source(input), fanOut({ stuck: map(never), open: keep() }), drain())
      const left = await timersLeftBy(async () => {
        const run = pipe.start({ capacity, signal: controller.signal })
        const ended = rejection(run.result)
        await stable(() => input.pulled)
        controller.abort(boom)
        expect(await ended).toBe(boom)
      })
      expect([left, abortListeners(controller.signal), input.returned]).toEqual([0, 0, 1])
    }
  })

  test('that are stuck end with the deadline of a stop, which names them', async () => {
    const input = syncProbe(naturals)
    const stuck = map((): Promise<number> => never(), { name: 'stuck' })
    const run = pipeline(source(input), fanOut({ stuck, open: keep() }), drain()).start({ capacity: 1 })
    await stable(() => input.pulled)
    const [error, result] = await Promise.all([rejection(run.stop({ deadline: 1 })), rejection(run.result)])
    expect(error).toBeInstanceOf(DrainTimeoutError)
    expect(result).toBe(error)
    expect((error as DrainTimeoutError).stages).toEqual(expect.arrayContaining(['fanOut', 'stuck']))
    expect((error as DrainTimeoutError).stages).not.toContain('drain')
    expect(input.returned).toBe(1)
  })

  test('are named with stages of the program alone where a stop passes its deadline', async () => {
    for (const capacity of [0, 1]) {
      const run = pipeline(range(9), fanOut({ relay }), forEach(never)).start({ capacity })
      await turns(9)
      const [{ stages }] = await Promise.all([
        rejection(run.stop({ deadline: 1 })) as Promise<DrainTimeoutError>,
        rejection(run.result),
      ])
      expect(stages).toEqual(['fanOut', 'relay', 'forEach'])
    }
  })

  test('release all when a loop over them is left early', async () => {
    for (const leaveAt of [0, 1, 7]) {
      const input = probe(naturals)
      const seen: number[] = []
      let passes = 0
      for await (const _ of pipeline(source(input), nested(seen))) if (passes++ === leaveAt) break
      expect(input.returned).toBe(1)
      const { pulled } = input
      const before = seen.length
      await turns(3)
      expect([input.pulled, seen.length]).toEqual([pulled, before])
    }
  })

  test('let one that never reads end when nobody wants results any more', async () => {
    const idle = stage<number, number>('idle', async (_rx, _tx, { signal }) => {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
    })
    const input = syncProbe(naturals)
    expect(
      await pipeline(source(input), fanOut({ idle, open: keep() }), take(1)).run({ capacity: 1 }),
    ).toEqual([0])
    expect(input.returned).toBe(1)
  })

  test('show in the stats where they stand, with what went through them', async () => {
    const run = pipeline(
      fanIn([0], range(1, 5)),
      fanOut({
        a: map((n: number) => n, { name: 'a' }),
        b: pipeline(
          filter((n: number) => n > 2),
          balance(2, keep()),
        ),
      }),
      alsoTo(count({ name: 'aside' })),
      count(),
    ).start()
    expect(await run.result).toBe(7)
    const { stages } = run.stats()
    expect(stages.map(({ name, index }) => [name, index])).toEqual([
      ['source', 0],
      ['range', 0],
      ['fanIn', 0],
      ['fanOut', 1],
      ['a', 0],
      ['filter', 0],
      ['balance', 1],
      ['map', 0],
      ['map', 0],
      ['alsoTo', 2],
      ['aside', 0],
      ['count', 3],
    ])
  })

  test('count in the stats what came in and went out', async () => {
    const run = pipeline(
      range(5),
      fanOut({ a: map((n: number) => n, { name: 'a' }), b: flatMap((n: number) => [n, n], { name: 'b' }) }),
      alsoTo(count({ name: 'aside' })),
      count(),
    ).start()
    await run.result
    const numbers = run
      .stats()
      .stages.map(({ name, received, sent, failed }) => [name, received, sent, failed])
    expect(numbers).toEqual([
      ['range', 0, 5, 0],
      ['fanOut', 5, 15, 0],
      ['a', 5, 5, 0],
      ['b', 5, 10, 0],
      ['alsoTo', 15, 15, 0],
      ['aside', 15, 0, 0],
      ['count', 15, 0, 0],
    ])
  })

  test('show in the graph, with the capacities that hold', () => {
    const pipe = pipeline(
      concat([1], range(5)),
      fanOut(
        { a: map((n: number) => n, { name: 'a', capacity: 3 }), b: pipeline(keep(), relay) },
        { capacity: 7 },
      ),
      alsoTo(count()),
      route(parity, { even: drain(), odd: toArray<number>() }),
    )
    const { nodes, edges } = pipe.describe()
    const nameOf = (id: string) => nodes.find((node) => node.id === id)!.name
    expect(new Set(nodes.map(({ id }) => id)).size).toBe(nodes.length)
    expect(edges.map(({ from, to, capacity }) => `${nameOf(from)} ${capacity} ${nameOf(to)}`).sort()).toEqual(
      [
        'a 3 alsoTo',
        'alsoTo 256 count',
        'alsoTo 256 route',
        'concat 256 fanOut',
        'fanOut 7 a',
        'fanOut 7 map',
        'map 256 relay',
        'range 256 concat',
        'relay 7 alsoTo',
        'route 256 drain',
        'route 256 toArray',
        'source 256 concat',
      ],
    )
  })

  test('of a random graph give the same at every capacity', async () => {
    await law(40, async (random) => {
      const pipe = pipeline(range(random.int(0, 40)), randomStage(random, 3), randomStage(random, 2))
      const [expected, ...others] = await Promise.all(
        [256, 0, 1, 2].map((capacity) => pipe.run({ capacity })),
      )
      for (const other of others) expect(other.sort(ascending)).toEqual(expected.sort(ascending))
    })
  })

  test('name the stage that keeps a diamond from flowing', async () => {
    const { code, stdout, stderr } = await runProgram('stuck-branch')
    expect(stderr).toBe('')
    expect(stdout).toContain('DeadlockError: Deadlock in pipeline "diamond", made at ')
    expect(stdout).toContain('stage 0 "waiting room" waits for what it has called')
    expect(stdout).toContain('stage 1 "fanOut" waits for branch "waiting" to take a value')
    expect(stdout).toContain('stage 0 "plain branch" waits for a value')
    expect(code).toBe(0)
  }, 20_000)
})

/** A stage that gives the same values whatever the order in which it gets them. */
function randomStage(random: Random, depth: number): ReturnType<typeof keep> {
  const inner = () => randomStage(random, depth - 1)
  const simple = [
    keep,
    () => relay,
    () => map(async (n: number) => random.pause().then(() => n + 1), { concurrency: random.int(1, 3) }),
    () => filter((n: number) => n % 3 > 0),
    () => flatMap((n: number) => [n, n]),
    () => pipeline(batch<number>(random.int(1, 5)), unbatch()),
  ] as const
  const nesting = [
    () => fanOut({ a: inner(), b: inner(), c: inner() }),
    () => balance(random.int(1, 3), inner()),
    () => route(parity, { even: inner(), odd: inner() }),
    () => {
      const copy = inner()
      return groupBy(
        (n: number) => n % 4,
        () => copy,
      )
    },
    () => pipeline(alsoTo<number>(drain()), inner()),
    () => pipeline(inner(), inner()),
  ] as const
  return random.pick<() => ReturnType<typeof keep>>(depth > 0 ? [...nesting] : [...simple])()
}
