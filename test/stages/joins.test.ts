/** concat(), interleave(), zip() and mergeSorted(): several inputs, one output, in an order that is promised. */
import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import {
  channel,
  concat,
  drain,
  fanIn,
  forEach,
  interleave,
  map,
  mergeSorted,
  pipeline,
  range,
  type Source,
  source,
  stage,
  take,
  zip,
} from 'sluice'
import { stageError, unhandledDuring } from '../pipeline/support-leaks.ts'
import { law } from '../pipeline/support-random.ts'
import { type Ending, naturals, probe, streamOf, syncProbe, upTo } from '../pipeline/support-sources.ts'
import { deferred, never, rejection, stable, turns } from '../pipeline/support-waiting.ts'

const capacities = [0, 1, 2, 256]
const boom = new Error('boom')
const ascending = (a: number, b: number) => a - b

type Inputs = Iterable<number> | AsyncIterable<number>
interface Value {
  n: number
  from: number
  place: number
}
/** All joins, for what they have in common; zip gives its tuples one by one. */
const joins: [name: string, join: (...inputs: Inputs[]) => Source<unknown>][] = [
  ['fanIn', (...inputs) => fanIn(...inputs)],
  ['concat', (...inputs) => concat(...inputs)],
  ['interleave', (...inputs) => interleave(...inputs)],
  ['zip', (...inputs) => zip(...inputs)],
  ['mergeSorted', (...inputs) => mergeSorted(ascending, ...inputs)],
]

/** An input whose stage is written by a user, which sends as soon as it starts. */
const eager = (...numbers: number[]) =>
  pipeline(
    source([0]),
    stage<number, number>('eager', async (_, tx) => {
      for (const n of numbers) await tx.send(n)
    }),
  )

describe.each(joins)('%s()', (name, join) => {
  test('of no inputs is empty', async () => {
    expect(await pipeline(join()).run()).toEqual([])
  })

  test('of one input is that input', async () => {
    const out = await pipeline(join([3, 4, 5])).run()
    expect(out.flat()).toEqual([3, 4, 5])
  })

  test('reads a thousand inputs', async () => {
    const inputs = upTo(1000).map((n) => (n % 2 === 0 ? [n, n + 1000] : probe([n, n + 1000])))
    const out = (await pipeline(join(...inputs)).run({ capacity: 2 })).flat() as number[]
    expect(out.sort(ascending)).toEqual(upTo(2000))
  })

  test('gives what an input gave before it failed, and closes the others once', async () => {
    for (const capacity of capacities) {
      const seen: unknown[] = []
      const others = [probe(naturals), probe([0, 1], 'hang')]
      const inputs = [probe([0, 1], { error: boom }), ...others]
      const pipe = pipeline(
        join(...inputs),
        forEach((value) => void seen.push(value)),
      )
      expect(await stageError(pipe.run({ capacity }))).toMatchObject({
        stage: 'source',
        index: 0,
        cause: boom,
      })
      expect(seen.flat().filter((n) => n === 0 || n === 1).length).toBeGreaterThanOrEqual(2)
      expect(others.map(({ returned }) => returned)).toEqual(name === 'concat' ? [0, 0] : [1, 1])
    }
  })

  test('fails with an input, though it waits for another one that hangs, and gives what came before', async () => {
    if (name === 'concat') return
    for (const order of [0, 1]) {
      const seen: unknown[] = []
      const stuck = probe([1], 'hang')
      const inputs = [stuck, probe([2, 3], { error: boom })]
      const pipe = pipeline(
        join(inputs[order], inputs[1 - order]),
        forEach((value) => void seen.push(value)),
      )
      expect(await stageError(pipe.run({ capacity: 2 }))).toMatchObject({ stage: 'source', cause: boom })
      // The tuple for the last one is not complete.
      expect((seen.flat() as number[]).sort(ascending)).toEqual(name === 'zip' ? [1, 2] : [1, 2, 3])
      expect(stuck.returned).toBe(1)
    }
  })

  test('closes its inputs once when nobody reads, when aborted, and when stopped', async () => {
    const ends: ((values: Source<unknown>) => Promise<unknown>)[] = [
      (values) => pipeline(values, take(3)).run({ capacity: 1 }),
      async (values) => {
        for await (const _ of pipeline(values)) break
      },
      async (values) => {
        const run = pipeline(values, drain()).start({ capacity: 1 })
        await turns(5)
        await Promise.all([rejection(run.result), run.abort()])
      },
      async (values) => {
        const run = pipeline(values, drain()).start({ capacity: 1 })
        await turns(5)
        await run.stop()
      },
    ]
    for (const end of ends) {
      const inputs = [probe(naturals), syncProbe(naturals), probe(naturals)]
      await end(join(...inputs))
      await turns(3)
      // What was opened was closed; only concat leaves some unopened.
      expect(inputs.map(({ returned }) => returned)).toEqual(inputs.map(({ iterated }) => iterated))
      expect(inputs.map(({ iterated }) => iterated)).toEqual(name === 'concat' ? [1, 0, 0] : [1, 1, 1])
    }
  })

  test('gives the same again', async () => {
    const pipe = pipeline(join(upTo(20), probe(upTo(10))))
    const order = (values: unknown[]) => (name === 'fanIn' ? (values as number[]).sort(ascending) : values)
    expect(order(await pipe.run({ capacity: 1 }))).toEqual(order(await pipe.run({ capacity: 0 })))
  })

  test('hoards nothing', async () => {
    for (const capacity of [1, 4]) {
      const inputs = [syncProbe(naturals), syncProbe(naturals), syncProbe(naturals)]
      const run = pipeline(join(...inputs), forEach(never)).start({ capacity })
      const pulled = () => inputs.reduce((sum, input) => sum + input.pulled, 0)
      await stable(pulled)
      // Each input's hand and channel, one per input in the hands of the join, its channel, the sink's one. Tuples have three.
      expect(pulled()).toBeLessThanOrEqual(3 * (1 + capacity + 1) + (name === 'zip' ? 3 : 1) * (capacity + 1))
      await Promise.all([rejection(run.result), run.abort()])
    }
  })

  test('refuses what cannot be read', () => {
    const wanted =
      'an iterable, an async iterable, a ReadableStream, a receiver, or a promise or function that gives one'
    expect(() => join([1], 5 as never)).toThrow(
      new TypeError(`Cannot create ${name}: "input 1" must be ${wanted}, got 5`),
    )
    expect(() => join(map((n: number) => n) as never)).toThrow(
      new TypeError(`Cannot create ${name}: "input 0" must be a source, got "stage"`),
    )
  })
})

describe.each(capacities)('the joins at capacity %i', (capacity) => {
  test('concat() reads one input after the other', async () => {
    const inputs = concat(
      [1, 2],
      probe<number>([]),
      probe([3]),
      streamOf([4]),
      Promise.resolve([5]),
      () => [6],
      range(7, 9),
      eager(9),
    )
    expect(await pipeline(inputs).run({ capacity })).toEqual(upTo(10).slice(1))
  })

  test('concat() opens no input before its turn', async () => {
    const opened: number[] = []
    const gate = deferred()
    const late = (n: number) => () => {
      opened.push(n)
      return n === 0 ? probe([0], 'end') : [n]
    }
    const held = async function* () {
      yield -1
      await gate.promise
    }
    const seen: number[] = []
    const run = pipeline(
      concat(held(), late(0), late(1)),
      forEach((n) => void seen.push(n)),
    ).start({ capacity })
    await stable(() => seen.length)
    expect([seen, opened]).toEqual([[-1], []])
    gate.resolve()
    await run.result
    expect([seen, opened]).toEqual([
      [-1, 0, 1],
      [0, 1],
    ])
  })

  test('concat() lets go of receivers and streams whose turn does not come', async () => {
    const [, first] = channel<number>(1)
    const [tx, rx] = channel<number>(1)
    const stream = new Readable({ objectMode: true, read() {} })
    let cancelled = 0
    const web = new ReadableStream<number>({ cancel: () => void cancelled++ })
    const later = pipeline(
      concat([0], stream),
      map((n: number) => n),
    )
    expect(await pipeline(concat([1, 2], first, rx, later, web), take(1)).run({ capacity })).toEqual([1])
    expect([tx.closed, stream.destroyed, cancelled]).toEqual([true, true, 1])
  })

  test('concat() opens nothing after a failure, a stop or an abort', async () => {
    for (const end of ['failure', 'stop', 'abort'] as const) {
      let opened = 0
      const ending: Ending = end === 'failure' ? { error: boom } : 'hang'
      const first = probe([1], ending)
      const later = () => {
        opened++
        return [2]
      }
      const run = pipeline(concat(first, later), drain()).start({ capacity })
      const ended = rejection(run.result.then(() => Promise.reject(boom)))
      if (end !== 'failure') {
        await stable(() => first.pulled)
        await run[end]()
      }
      await ended
      expect(opened).toBe(0)
    }
  })

  test('interleave() takes turns, and skips those that have ended', async () => {
    const inputs = interleave([1, 2, 3, 4], probe<number>([]), probe([10, 20]), eager(100, 200, 300))
    expect(await pipeline(inputs).run({ capacity })).toEqual([1, 10, 100, 2, 20, 200, 3, 300, 4])
  })

  test('interleave() waits for an input that is slow', async () => {
    const slow = async function* () {
      for (const n of [1, 2, 3]) {
        await turns(3)
        yield n
      }
    }
    expect(
      await pipeline(
        interleave(
          slow(),
          upTo(5).map((n) => n * 10),
        ),
      ).run({ capacity }),
    ).toEqual([1, 0, 2, 10, 3, 20, 30, 40])
  })

  test('zip() ends with its shortest input, and closes the longer ones once', async () => {
    const longer = [probe(naturals), syncProbe(naturals), probe(['a', 'b'], 'hang')]
    const out = await pipeline(zip(longer[0], longer[1], probe(['x', 'y']), longer[2])).run({ capacity })
    expect(out).toEqual([
      [0, 0, 'x', 'a'],
      [1, 1, 'y', 'b'],
    ])
    expect(longer.map(({ returned }) => returned)).toEqual([1, 1, 1])
  })

  test('zip() with an empty input is empty, and does not wait for one that hangs', async () => {
    const stuck = probe<number>([], 'hang')
    expect(await pipeline(zip(stuck, [], eager(1, 2))).run({ capacity })).toEqual([])
    expect(stuck.returned).toBe(stuck.iterated)
  })

  test('zip() gives any value as it is', async () => {
    const odd = [undefined, null, Number.NaN]
    expect(await pipeline(zip(odd, eager(1, 2, 3))).run({ capacity })).toEqual(
      odd.map((value, at) => [value, at + 1]),
    )
  })

  test('mergeSorted() is stable: equal values come in the order of their inputs', async () => {
    const input = (name: string, ...numbers: number[]) =>
      numbers.map((n, place) => ({ n, from: `${name}${place}` }))
    const inputs = [input('a', 1, 1, 2, 5), input('b', 1, 2, 2), input('c', 0, 1, 5, 5)]
    const out = await pipeline(mergeSorted((x, y) => x.n - y.n, ...inputs)).run({ capacity })
    expect(out.map(({ n, from }) => `${n}${from}`)).toEqual([
      '0c0',
      '1a0',
      '1a1',
      '1b0',
      '1c1',
      '2a2',
      '2b1',
      '2b2',
      '5a3',
      '5c2',
      '5c3',
    ])
  })

  test('mergeSorted() takes inputs that send as soon as they are waited for', async () => {
    const inputs = mergeSorted(ascending, eager(1, 4, 5), eager(2, 3), eager(), eager(0, 9), probe([6]))
    expect(await pipeline(inputs).run({ capacity })).toEqual([0, 1, 2, 3, 4, 5, 6, 9])
  })

  test('mergeSorted() gives what Array.sort gives, for random inputs', async () => {
    await law(30, async (random) => {
      const lists = upTo(random.int(0, 9)).map((from) =>
        upTo(random.int(0, 30))
          .map(() => random.int(0, 12))
          .sort(ascending)
          .map((n, place) => ({ n, from, place })),
      )
      const inputs = lists.map((list) => {
        const slow = async function* () {
          for (const value of list) {
            await random.pause()
            yield value
          }
        }
        return random.pick<() => Iterable<Value> | AsyncIterable<Value>>([
          () => list,
          slow,
          () => probe(list),
        ])
      })
      const out = await pipeline(mergeSorted((a, b) => a.n - b.n, ...inputs)).run({ capacity })
      expect(out).toEqual(lists.flat().sort((a, b) => a.n - b.n))
    })
  })

  test('mergeSorted() fails where compare gives a promise, which may reject: that is no order', async () => {
    for (const give of [() => Promise.resolve(-1), () => Promise.reject(boom)]) {
      const unhandled = await unhandledDuring(async () => {
        const compare = give as unknown as () => number
        const error = await stageError(pipeline(mergeSorted(compare, [1, 3], [2])).run())
        const message =
          'Cannot merge sorted: "compare" must be a function that gives a number at once, got Promise'
        expect(error).toMatchObject({ stage: 'mergeSorted', cause: { name: 'TypeError', message } })
      })
      expect(unhandled).toEqual([])
    }
  })

  test('mergeSorted() fails where compare gives what is no number: that is no order', async () => {
    for (const [compare, got] of [
      [(a: number, b: number) => a > b, 'false'],
      [() => 5n, '5'],
    ] as const) {
      const error = await stageError(
        pipeline(mergeSorted(compare as unknown as () => number, [2, 3], [1])).run(),
      )
      const message = `Cannot merge sorted: "compare" must be a function that gives a number at once, got ${got}`
      expect(error).toMatchObject({ stage: 'mergeSorted', cause: { name: 'TypeError', message } })
    }
  })

  test('mergeSorted() takes nothing for equal, as sort does', async () => {
    const compare = (a: number, b: number) => (a < b ? -1 : a > b ? 1 : undefined)
    const merged = mergeSorted(compare as () => number, [1, 2, 2, 4], [2, 3])
    expect(await pipeline(merged).run()).toEqual([1, 2, 2, 2, 3, 4])
  })

  test('mergeSorted() fails where compare throws, after what was in order before', async () => {
    const seen: number[] = []
    const compare = (a: number, b: number) => {
      if (a === 7 || b === 7) throw boom
      return a - b
    }
    const pipe = pipeline(
      mergeSorted(compare, [1, 3, 5, 7], [2, 4, 6, 8]),
      forEach((n) => void seen.push(n)),
    )
    expect(await stageError(pipe.run({ capacity }))).toMatchObject({
      stage: 'mergeSorted',
      index: 0,
      cause: boom,
    })
    expect(seen.length).toBeGreaterThanOrEqual(4)
    expect(seen).toEqual([1, 2, 3, 4, 5].slice(0, seen.length))
  })

  test('joins of joins flow, and a stage of an input that closes early is counted once', async () => {
    const closing = pipeline(
      range(30),
      stage<number, number>('closing', async (rx, tx) => {
        await tx.send(-1)
        tx.close()
        for await (const _ of rx);
      }),
    )
    const nested = fanIn(
      concat(range(3), interleave(range(3, 6), closing)),
      mergeSorted(ascending, range(6, 9), probe([9])),
    )
    const out = await pipeline(
      nested,
      map((n) => n),
    ).run({ capacity })
    expect(out.sort(ascending)).toEqual([-1, ...upTo(10)])
  })
})

describe('mergeSorted()', () => {
  // No timing is asserted; but to move all inputs for each value would take longer than a test may.
  test('merges tens of thousands of inputs in time that hardly grows with their number', async () => {
    const inputs = Array.from({ length: 60_000 }, (_, i) => range(i, i + 300_000, 60_000))
    expect(await pipeline(mergeSorted(ascending, ...inputs)).run()).toEqual(upTo(300_000))
  })

  test('does not call compare again after that has aborted the run', async () => {
    let calls = 0
    const inputs = upTo(8).map((n) => [{ n }, { n: n + 5 }, { n: n + 7 }])
    const run = pipeline(
      mergeSorted(
        (a: { n: number }, b: { n: number }) => {
          if (++calls === 17) void run.abort(boom)
          return a.n - b.n
        },
        ...inputs,
      ),
      drain(),
    ).start()
    expect(await rejection(run.result)).toBe(boom)
    await turns(2)
    expect(calls).toBe(17)
  })

  test('refuses a compare that is no function', () => {
    expect(() => mergeSorted([1] as never, [2])).toThrow(
      new TypeError('Cannot create mergeSorted: "compare" must be a function, got Array'),
    )
  })
})
