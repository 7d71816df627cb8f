/** `run.describe()`: the graph as it is now, with what has come up, what each stage does, and what is in the channels. */
import { describe, expect, test } from 'vitest'
import {
  alsoTo,
  balance,
  channel,
  concat,
  drain,
  fanIn,
  fanOut,
  forEach,
  groupBy,
  map,
  pipeline,
  range,
  route,
  source,
  stage,
  toArray,
  type Graph,
  type Run,
  type Source,
} from 'sluice'
import { edgesOf, namesOf, soundGraph } from './support-graphs.ts'
import { hearEvents } from './support-events.ts'
import { anyPipeline } from './support-pipelines.ts'
import { law } from './support-random.ts'
import { cycle, naturals } from './support-sources.ts'
import { deferred, never, outcome, rejection, stable, turns, until } from './support-waiting.ts'

const same = (name: string, capacity?: number) =>
  map((n: number) => n, capacity === undefined ? { name } : { name, capacity })

const own = (name: string, capacity?: number) =>
  stage<number, number>(
    name,
    async (rx, tx) => {
      for await (const n of rx) await tx.send(n)
    },
    capacity === undefined ? {} : { capacity },
  )

/** The graph of a run once it has ended. */
async function graphAfter(pipe: { start(): Run<unknown> }): Promise<Graph> {
  const run = pipe.start()
  await run.result
  return soundGraph(run)
}

describe('the graph of a run', () => {
  test('has its stages and channels, with those capacities that hold', async () => {
    const run = pipeline(range(3), same('one', 7), same('two'), drain()).start({ capacity: 5 })
    expect(edgesOf(soundGraph(run))).toEqual(['range > one (5)', 'one > two (7)', 'two > drain (5)'])
    await run.result
    expect(edgesOf(soundGraph(run))).toEqual(['range > one (5)', 'one > two (7)', 'two > drain (5)'])
  })

  test('ends at its last stage where there is no sink, in a loop as well', async () => {
    expect(edgesOf(await graphAfter(pipeline(range(3), same('one'))))).toEqual(['range > one (256)'])
    const graphs: Graph[] = []
    const stop = hearEvents(({ run }) => void graphs.push(run.describe()), ['run:end'])
    for await (const n of pipeline(range(3), same('one'))) expect(n).toBeLessThan(3)
    stop()
    expect(graphs.map(edgesOf)).toEqual([['range > one (256)']])
  })

  test('says how many values are in each channel', async () => {
    const run = pipeline(source(naturals), same('one', 3), forEach(never)).start({ capacity: 5 })
    await stable(() => run.stats().stages[0].sent)
    expect(soundGraph(run).edges.map(({ length }) => length)).toEqual([5, 3])
    await Promise.all([rejection(run.result), run.abort()])
    soundGraph(run)
  })

  test('has the pipelines before a fanIn, which lead into it', async () => {
    const left = pipeline(range(3, undefined, 1, { name: 'left' }), same('left map', 4))
    const graph = await graphAfter(pipeline(fanIn(left, source([9], { name: 'right' })), drain()))
    expect(namesOf(graph)).toEqual(['0 left', '1 left map', '0 right', '0 fanIn', '1 drain'])
    expect(edgesOf(graph)).toEqual([
      'left > left map (256)',
      'left map > fanIn (4)',
      'right > fanIn (256)',
      'fanIn > drain (256)',
    ])
  })

  test('has an input of concat from when its turn comes', async () => {
    const gate = deferred()
    const first = pipeline(
      range(1, undefined, 1, { name: 'first' }),
      map(async (n) => (await gate.promise, n), { name: 'gate' }),
    )
    const run = pipeline(concat(first, source([1], { name: 'second' })), drain()).start()
    await turns(3)
    expect(namesOf(soundGraph(run))).toEqual(['0 first', '1 gate', '0 concat', '1 drain'])
    gate.resolve()
    await run.result
    expect(namesOf(soundGraph(run))).toEqual(['0 first', '1 gate', '0 second', '0 concat', '1 drain'])
    expect(edgesOf(run.describe())).toContain('second > concat (256)')
  })

  test('leads through the branches of a fanOut of stages, not past them', async () => {
    const branches = { a: same('in a'), b: pipeline(same('b one'), same('b two')) }
    const graph = await graphAfter(pipeline(range(3), fanOut(branches, { capacity: 9 }), drain()))
    expect(edgesOf(graph)).toEqual([
      'range > fanOut (256)',
      'fanOut -a> in a (9)',
      'fanOut -b> b one (9)',
      'in a > drain (9)',
      'b one > b two (256)',
      'b two > drain (9)',
    ])
  })

  test('ends in the branches of a fanOut of sinks', async () => {
    const run = pipeline(range(3), fanOut({ all: toArray<number>(), none: drain() })).start()
    await run.result
    expect(edgesOf(soundGraph(run))).toEqual([
      'range > fanOut (256)',
      'fanOut -all> toArray (256)',
      'fanOut -none> drain (256)',
    ])
  })

  test('leads past the sink of alsoTo', async () => {
    const graph = await graphAfter(pipeline(range(3), alsoTo(forEach(() => {})), same('next')))
    expect(edgesOf(graph)).toEqual([
      'range > alsoTo (256)',
      'alsoTo -sink> forEach (256)',
      'alsoTo > next (256)',
    ])
  })

  test('names the branches of route by their names, and the copies of balance by their numbers', async () => {
    const parity = (n: number) => (n % 2 ? 'odd' : 'even')
    const routed = await graphAfter(
      pipeline(range(4), route(parity, { even: same('e'), odd: same('o') }), drain()),
    )
    expect(edgesOf(routed).filter((edge) => edge.startsWith('route'))).toEqual([
      'route -even> e (256)',
      'route -odd> o (256)',
    ])
    const balanced = await graphAfter(pipeline(range(4), balance(2, same('copy')), drain()))
    expect(edgesOf(balanced)).toEqual([
      'range > balance (256)',
      'balance -0> copy (256)',
      'balance -1> copy (256)',
      'copy > drain (256)',
      'copy > drain (256)',
    ])
  })

  test('has a branch of groupBy from when its key comes, named by it', async () => {
    const [tx, rx] = channel<unknown>(10)
    const seen: unknown[] = []
    const run = pipeline(
      source(rx),
      groupBy(
        (key) => key,
        () => map((key) => key),
      ),
      forEach((key) => void seen.push(key)),
    ).start()
    await turns(3)
    expect(edgesOf(soundGraph(run))).toEqual(['source > groupBy (256)', 'groupBy > forEach (256)'])
    const keys = ['a', 7, null, undefined, Symbol('s'), { an: 'object' }, [1], -0]
    const labels = ['a', '7', 'null', 'undefined', 'Symbol(s)', '[object Object]', '[object Array]', '0']
    for (const [place, key] of keys.entries()) {
      await tx.send(key)
      await until(() => seen.length === place + 1)
      const found = soundGraph(run).edges.flatMap(({ label }) => label ?? [])
      expect(found).toEqual(labels.slice(0, place + 1))
    }
    tx.close()
    await run.result
    expect(soundGraph(run).nodes).toHaveLength(3 + keys.length)
  })

  test('does not show what merges a branch that ends in a custom stage, or has a capacity of its own', async () => {
    const branches = {
      custom: own('custom'),
      wish: same('wish', 3),
      both: own('both', 2),
      plain: same('plain'),
    }
    const pipe = pipeline(range(3), fanOut(branches), same('next'), drain())
    const graph = await graphAfter(pipe)
    expect(graph.nodes).toHaveLength(8)
    expect(edgesOf(graph).filter((edge) => edge.includes('next'))).toEqual([
      'custom > next (256)',
      'wish > next (3)',
      'both > next (2)',
      'plain > next (256)',
      'next > drain (256)',
    ])
    expect(edgesOf(graph).sort()).toEqual(edgesOf(pipe.describe()).sort())
  })

  test('has the branches in branches, and agrees with the pipeline about their capacities', async () => {
    const inner = fanOut({ x: same('x'), y: own('y'), z: same('z', 3) })
    const outer = fanOut(
      { nested: pipeline(same('before'), inner), plain: same('plain') },
      { name: 'outer', capacity: 5 },
    )
    const pipe = pipeline(range(3), outer, drain())
    const graph = await graphAfter(pipe)
    expect(
      edgesOf(graph).filter((edge) => edge.endsWith(' > drain (5)') || edge.includes(' > drain')),
    ).toEqual(['x > drain (5)', 'y > drain (5)', 'z > drain (3)', 'plain > drain (5)'])
    expect(edgesOf(graph)).toContain('fanOut -x> x (256)')
    expect(edgesOf(graph).sort()).toEqual(edgesOf(pipe.describe()).sort())
  })

  test('agrees with that of its pipeline, however that is put together', async () => {
    await law(60, async (random) => {
      const pipe = anyPipeline(random)
      const run = pipe.start()
      await run.result
      const graph = soundGraph(run)
      const drawn = pipe.describe()
      expect(namesOf(graph).sort()).toEqual(namesOf(drawn).sort())
      expect(edgesOf(graph).sort()).toEqual(edgesOf(drawn).sort())
    })
  })

  test('keeps its ids, and loses no stage, from the start to long after the end', async () => {
    const run = pipeline(
      fanIn(range(40), range(40)),
      groupBy(
        (n) => n % 7,
        (key) => (key % 2 ? same(`of ${key}`) : own(`of ${key}`)),
      ),
      forEach(() => turns(1)),
    ).start({ capacity: 2 })
    const known = new Map<string, string>()
    let ended = false
    const end = run.result.then(() => void (ended = true))
    while (!ended) {
      const { nodes } = soundGraph(run)
      for (const { id, name, index } of nodes) {
        expect(known.get(id) ?? `${index} ${name}`).toBe(`${index} ${name}`)
        known.set(id, `${index} ${name}`)
      }
      expect(nodes).toHaveLength(known.size)
      await turns(1)
    }
    await end
    const after = soundGraph(run)
    expect(after.nodes.every((node) => node.doing === 'has ended')).toBe(true)
    await turns(5)
    expect(run.describe()).toEqual(after)
  })

  test('is a snapshot: what happens later changes nothing in it', async () => {
    const run = pipeline(source(naturals), same('one'), forEach(never)).start({ capacity: 2 })
    const graph = run.describe()
    const copy = structuredClone(graph)
    await turns(3)
    expect(graph).toEqual(copy)
    expect(run.describe()).not.toEqual(copy)
    await Promise.all([rejection(run.result), run.abort()])
  })

  test('is there at every moment: at the start, in every event, after a failure, a stop and an abort', async () => {
    let looks = 0
    const stop = hearEvents(({ run }) => {
      looks++
      soundGraph(run)
    })
    const broken = (n: number) => (n === 30 ? Promise.reject(new Error('broken')) : n)
    const work = fanOut({ a: map(broken), b: own('b'), c: pipeline(same('c'), balance(2, own('copy'))) })
    const pipe = pipeline(source(cycle([...Array(31).keys()])), work, drain())
    try {
      const failed = pipe.start({ capacity: 1 })
      await outcome(failed.result)
      soundGraph(failed)
      const stopped = pipeline(source(naturals), work, drain()).start({ capacity: 0 })
      await turns(1)
      soundGraph(stopped)
      await outcome(stopped.stop())
      soundGraph(stopped)
      const aborted = pipe.start({ capacity: 0 })
      await Promise.all([rejection(aborted.result), aborted.abort()])
      soundGraph(aborted)
    } finally {
      stop()
    }
    expect(looks).toBeGreaterThan(40)
  })

  test('of a run that never began, as its signal had aborted, is empty', async () => {
    const run = pipeline(range(3), drain()).start({ signal: AbortSignal.abort() })
    await rejection(run.result)
    expect(run.describe()).toEqual({ nodes: [], edges: [] })
    expect(run.stats()).toMatchObject({ bottleneck: undefined, stages: [] })
  })

  test('carries the name that the run was given, as the run does', async () => {
    const run = pipeline(range(1)).start({ name: 'mine' })
    expect(run.name).toBe('mine')
    await run.result
    const unnamed = pipeline(range(1)).start()
    expect(unnamed.name).toBe('pipeline')
    await unnamed.result
  })
})

describe('the size of a source', () => {
  const sizeOf = (input: Source<unknown>) => pipeline(input).describe().nodes[0].size

  test.each([
    ['an array', source([1, 2, 3]), 3],
    ['an empty array', source([]), 0],
    ['a Set', source(new Set('aab')), 2],
    ['a Map', source(new Map([[1, 2]])), 1],
    ['a typed array', source(new Uint16Array(5)), 5],
    ['a range', range(4), 4],
    ['a range between two', range(2, 5), 3],
    ['a range that is empty', range(3, 3), 0],
    ['a range in the wrong direction', range(3, 0), 0],
    ['a range of fractions', range(0, 1, 0.1), 10],
    ['a range of fractions that do not add up', range(0, 0.3, 0.1), 3],
    ['a range downwards', range(5, 0, -2), 3],
    ['a range downwards by fractions', range(1, 0, -0.25), 4],
  ])('is known of %s, and is how many values come', async (_, input, size) => {
    expect(sizeOf(input)).toBe(size)
    const run = pipeline(input as Source<unknown>).start()
    const values = await run.result
    expect(values).toHaveLength(size)
    expect(soundGraph(run).nodes[0].size).toBe(size)
  })

  test.each([
    ['an endless range', range(Infinity)],
    ['an endless range downwards', range(0, -Infinity, -1)],
    ['a generator', source(naturals)],
    ['a string', source('abc')],
    ['a function', source(() => [1])],
    ['a promise', source(Promise.resolve([1]))],
    ['a fanIn', fanIn([1], [2])],
  ])('is not known of %s: then there is none', (_, input) => {
    expect(
      'size' in
        pipeline(input as Source<unknown>)
          .describe()
          .nodes.at(-1)!,
    ).toBe(false)
  })

  test('is that of the array as it is now, which the program may change before the run', async () => {
    const values = [1, 2, 3]
    const pipe = pipeline(source(values))
    expect(pipe.describe().nodes[0].size).toBe(3)
    values.push(4, 5)
    expect(pipe.describe().nodes[0].size).toBe(5)
    const run = pipe.start()
    expect(run.describe().nodes[0].size).toBe(5)
    expect(await run.result).toHaveLength(5)
  })

  test('is only told of sources', async () => {
    const graph = await graphAfter(pipeline(fanIn(range(2), [1]), same('one')))
    expect(graph.nodes.map(({ name, size }) => [name, size])).toEqual([
      ['range', 2],
      ['source', 1],
      ['fanIn', undefined],
      ['one', undefined],
    ])
  })
})
