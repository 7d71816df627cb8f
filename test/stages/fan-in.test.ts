/** fanIn(): several inputs, one output, nobody starves and nobody is forgotten. */
import { describe, expect, test } from 'vitest'
import { batch, channel, concat, drain, fanIn, forEach, map, pipeline, range, source, take } from 'sluice'
import { stageError, unhandledDuring } from '../pipeline/support-leaks.ts'
import { naturals, probe, syncProbe, streamOf, upTo } from '../pipeline/support-sources.ts'
import { deferred, never, rejection, stable, turns, until } from '../pipeline/support-waiting.ts'

const capacities = [0, 1, 2, 256]
const boom = new Error('boom')

/** `value` again and again, always ready. */
function* always<T>(value: T) {
  for (;;) yield value
}

/** How often each of `values` is in `list`. */
const shares = (list: string[], values: string[]) =>
  values.map((value) => list.filter((each) => each === value).length)

describe.each(capacities)('fanIn() at capacity %i', (capacity) => {
  test('gives every value of every input once and ends when all have ended', async () => {
    const inputs = [probe(upTo(20)), probe([100, 101]), probe<number>([]), probe([200])]
    const out = await pipeline(fanIn(...inputs)).run({ capacity })
    expect(out.sort((a, b) => a - b)).toEqual([...upTo(20), 100, 101, 200])
    expect(inputs.map(({ returned, overlaps }) => returned + overlaps)).toEqual([0, 0, 0, 0])
  })

  test('keeps the order of each input', async () => {
    const out = await pipeline(fanIn(range(50), range(100, 150))).run({ capacity })
    expect(out.filter((n) => n < 100)).toEqual(upTo(50))
    expect(out.filter((n) => n >= 100)).toEqual(upTo(50).map((n) => n + 100))
  })

  test('reads anything that a source reads, and pipelines', async () => {
    const [tx, rx] = channel<string>(1)
    tx.trySend('receiver')
    tx.close()
    const out = await pipeline(
      fanIn(
        ['array'],
        probe(['async']),
        streamOf(['stream']),
        rx,
        Promise.resolve(['promise']),
        () => ['function'],
        source(['source']),
        pipeline(
          range(2),
          map((n) => `pipeline ${n}`),
        ),
      ),
    ).run({ capacity })
    expect(out.sort()).toEqual([
      'array',
      'async',
      'function',
      'pipeline 0',
      'pipeline 1',
      'promise',
      'receiver',
      'source',
      'stream',
    ])
  })

  test('is fair to two inputs that are always ready, within 2x over 100 values', async () => {
    const pairs = [
      fanIn(always('a'), always('b')),
      fanIn(probe(always('a')), probe(always('b'))),
      fanIn(
        always('a'),
        pipeline(
          source(always('b')),
          map((text) => text),
        ),
      ),
    ]
    for (const pair of pairs) {
      const [a, b] = shares(await pipeline(pair, take(100)).run({ capacity }), ['a', 'b'])
      expect(a).toBeGreaterThanOrEqual(33)
      expect(b).toBeGreaterThanOrEqual(33)
    }
  })

  test('is fair to async inputs that are always ready, also over twenty values', async () => {
    async function* endless(name: string) {
      for (;;) yield await Promise.resolve(name)
    }
    for (const length of [20, 40, 100]) {
      const inputs = fanIn(endless('a'), endless('b'))
      const [a, b] = shares(await pipeline(inputs, take(length)).run({ capacity }), ['a', 'b'])
      expect(Math.min(a, b)).toBeGreaterThanOrEqual(length / 4)
    }
  })

  test('is fair to the ready ones beside one that never gives anything', async () => {
    const inputs = fanIn(probe(always('a')), probe<string>([], 'hang'), probe(always('b')))
    const [a, b] = shares(await pipeline(inputs, take(100)).run({ capacity }), ['a', 'b'])
    expect(a).toBeGreaterThanOrEqual(33)
    expect(b).toBeGreaterThanOrEqual(33)
  })

  test('closes all its inputs once when nobody reads any more, and does not wait for one that is stuck', async () => {
    const inputs = [probe(naturals), probe([1], 'hang'), probe(naturals)]
    await pipeline(fanIn(...inputs), take(10)).run({ capacity })
    await turns(2)
    expect(inputs.map((input) => input.returned)).toEqual([1, 1, 1])
  })

  test('closes the others when one fails, and does not wait for one that is stuck', async () => {
    const bad = probe([1, 2], { error: boom })
    const others = [probe(naturals), probe([7], 'hang')]
    const error = await stageError(pipeline(fanIn(bad, ...others), drain()).run({ capacity }))
    expect(error.cause).toBe(boom)
    expect(others.map((input) => input.returned)).toEqual([1, 1])
    expect(bad.returned).toBe(0)
  })

  test('passes on what its inputs gave before one failed', async () => {
    const seen: number[][] = []
    const failing = pipeline(
      fanIn(probe(upTo(5), { error: boom })),
      batch(2),
      forEach((numbers) => void seen.push(numbers)),
    )
    await stageError(failing.run({ capacity }))
    expect(seen).toEqual([[0, 1], [2, 3], [4]])
  })

  test('runs twice where its inputs can be read twice', async () => {
    const twice = pipeline(
      fanIn(
        [1, 2],
        pipeline(
          range(3, 5),
          map((n) => n),
        ),
      ),
    )
    for (const _ of upTo(2)) expect((await twice.run({ capacity })).sort()).toEqual([1, 2, 3, 4])
  })
})

describe('fanIn()', () => {
  test('passes on what is there while another input is idle', async () => {
    const seen: string[] = []
    const gate = deferred<string[]>()
    const run = pipeline(
      fanIn(gate.promise, ['ready']),
      forEach((text) => void seen.push(text)),
    ).run()
    await until(() => seen.length === 1)
    gate.resolve(['late'])
    await run
    expect(seen).toEqual(['ready', 'late'])
  })

  test('holds every input back where nobody reads', async () => {
    const inputs = [probe(naturals), probe(naturals)]
    const pipe = pipeline(fanIn(...inputs), forEach(never))
    const run = pipe.start({ capacity: 1 })
    await stable(() => inputs[0].pulled + inputs[1].pulled)
    const pulled = inputs.map((input) => input.pulled)
    // one in the hands of each input and of the fanIn, two edges of the inputs, its output, and one in the sink's
    expect(pulled[0] + pulled[1]).toBeLessThanOrEqual(2 + 1 + 2 + 1 + 1)
    await Promise.all([rejection(run.result), run.abort()])
  })

  test('closes its inputs when the run is aborted or stopped', async () => {
    for (const end of ['abort', 'stop'] as const) {
      const inputs = [probe(naturals), probe(naturals)]
      const sync = syncProbe(naturals)
      const run = pipeline(fanIn(...inputs, sync), drain()).start({ capacity: 1 })
      run.result.catch(() => {})
      await until(() => inputs.every((input) => input.pulled > 2))
      await run[end]()
      expect([...inputs, sync].map((input) => input.returned)).toEqual([1, 1, 1])
    }
  })

  test('names the stage of an input that fails', async () => {
    const bad = pipeline(
      range(5),
      map((n) => (n === 3 ? Promise.reject(boom) : n), { name: 'parse' }),
    )
    const error = await stageError(pipeline(fanIn(bad, [1, 2]), drain()).run())
    expect(error).toMatchObject({ stage: 'parse', value: 3 })
    expect(error.cause).toBe(boom)
  })

  test('leaves no rejection unhandled when several inputs fail', async () => {
    const unhandled = await unhandledDuring(async () => {
      const bad = upTo(4).map((n) => probe(upTo(n), { error: new Error(`input ${n}`) }))
      await stageError(pipeline(fanIn(...bad), drain()).run())
    })
    expect(unhandled).toEqual([])
  })
})

describe('concat()', () => {
  test('leaves no rejection unhandled where an input rejects before its turn', async () => {
    const late = () => Promise.reject(boom)
    const inputs = {
      promise: () => late(),
      'array of promises': () => [late()],
      source: () => source([late()]),
      pipeline: () =>
        pipeline(
          source([late()]),
          map((n) => n),
        ),
      concat: () => concat([], source([late()])),
    }
    for (const input of Object.values(inputs)) {
      const unhandled = await unhandledDuring(async () => {
        const gate = deferred<number[]>()
        const run = pipeline(concat<unknown>(gate.promise, input()), drain()).run()
        await turns(3)
        gate.resolve([1])
        expect((await stageError(run)).cause).toBe(boom)
      })
      expect(unhandled).toEqual([])
    }
  })
})
