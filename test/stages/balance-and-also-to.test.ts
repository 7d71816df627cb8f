/** balance() gives each value to one of several copies, alsoTo() gives each to a sink on its way. */
import { Writable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import {
  alsoTo,
  balance,
  count,
  drain,
  forEach,
  map,
  pipeline,
  range,
  source,
  stage,
  take,
  toArray,
  writeTo,
} from 'sluice'
import { gauge } from 'sluice/testing'
import { stageError } from '../pipeline/support-leaks.ts'
import { naturals, probe, upTo } from '../pipeline/support-sources.ts'
import { deferred, never, rejection, stable, until } from '../pipeline/support-waiting.ts'

const capacities = [0, 1, 2, 256]
const boom = new Error('boom')
const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b)

describe.each(capacities)('balance() at capacity %i', (capacity) => {
  test('gives each value to one copy', async () => {
    const out = await pipeline(
      range(200),
      balance(
        3,
        map((n: number) => n * 2),
      ),
    ).run({ capacity })
    expect(sorted(out)).toEqual(upTo(200).map((n) => n * 2))
  })

  test('keeps the order within a copy', async () => {
    let copies = 0
    const numbered = stage<number, [copy: number, n: number]>('numbered', async (rx, tx) => {
      const copy = copies++
      for await (const n of rx) await tx.send([copy, n])
    })
    const out = await pipeline(range(60), balance(3, numbered)).run({ capacity })
    expect(copies).toBe(3)
    for (const copy of upTo(3)) {
      const own = out.filter(([from]) => from === copy).map(([, n]) => n)
      expect(own).toEqual(sorted(own))
    }
  })

  test('runs all copies at once', async () => {
    const gate = deferred()
    const work = gauge(async (n: number): Promise<number> => {
      if (work.inFlight === 4) gate.resolve()
      await gate.promise
      return n
    })
    expect(sorted(await pipeline(range(20), balance(4, map(work))).run({ capacity }))).toEqual(upTo(20))
    expect(work.greatest).toBe(4)
  })

  test('passes a stuck copy by', async () => {
    let got = 0
    const sink = forEach(async (n: number) => {
      if (n === 0) await never()
      got++
    })
    const run = pipeline(range(500), balance(2, sink)).start({ capacity })
    // One value is stuck in the call, and no more than the channel holds behind it.
    await until(() => got >= 500 - 1 - capacity)
    await Promise.all([rejection(run.result), run.abort()])
  })

  test('of sinks is worth an array', async () => {
    const counts = await pipeline(range(100), balance(3, count())).run({ capacity })
    expect(counts).toHaveLength(3)
    expect(counts.reduce((a, b) => a + b)).toBe(100)
  })

  test('goes on with the copies that have not ended, and closes the source when none is left', async () => {
    const input = probe(naturals)
    const out = await pipeline(source(input), balance(3, take<number>(4))).run({ capacity })
    expect(sorted(out)).toHaveLength(12)
    expect(new Set(out).size).toBe(12)
    expect(input.returned).toBe(1)
  })

  test('fails with the copy that fails, after what the others were given', async () => {
    const seen: number[] = []
    const bad = map((n: number) => {
      if (n === 10) throw boom
      return n
    })
    const pipe = pipeline(
      range(11),
      balance(2, bad),
      forEach((n) => void seen.push(n)),
    )
    expect(await stageError(pipe.run({ capacity }))).toMatchObject({
      stage: 'map',
      index: 0,
      value: 10,
      cause: boom,
    })
    expect(sorted(seen)).toEqual(upTo(10))
  })
})

describe('balance()', () => {
  test('gives a value to the copy that is idle, not to one that is at work', async () => {
    const seen: number[] = []
    const values = probe(naturals)
    const work = forEach(async (n: number) => {
      if (n === 0) await never()
      seen.push(n)
    })
    const gentle = async function* () {
      for await (const n of values) {
        if (n === 10) return
        await stable(() => seen.length)
        yield n
      }
    }
    const run = pipeline(source(gentle()), balance(2, work)).start()
    await until(() => seen.length >= 8)
    await stable(() => seen.length)
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
    await Promise.all([rejection(run.result), run.abort()])
  })

  // No timing is asserted; but to look at all copies for each value would take half a minute.
  test('finds an idle one of very many copies at once', async () => {
    const same = map((n: number) => n)
    expect(await pipeline(range(100_000), balance(20_000, same), count()).run()).toBe(100_000)
  })

  test('says that a stream cannot be shared by copies', async () => {
    const target = new WritableStream<number>()
    const error = await stageError(pipeline(range(10), balance(2, writeTo(target))).run())
    expect(error.stage).toBe('writeTo')
    expect(error.cause).toBeInstanceOf(TypeError)
  })
})

describe.each(capacities)('alsoTo() at capacity %i', (capacity) => {
  test('gives every value to the sink, and passes all on in order', async () => {
    const seen: number[] = []
    const out = await pipeline(
      range(50),
      alsoTo(forEach((n: number) => void seen.push(n))),
      map((n) => -n),
    ).run({
      capacity,
    })
    expect(out).toEqual(upTo(50).map((n) => -n))
    expect(seen).toEqual(upTo(50))
  })

  test('waits for its sink', async () => {
    const gate = deferred()
    let written = 0
    const slow = forEach(async (n: number) => {
      if (n === 4) await gate.promise
      written++
    })
    const run = pipeline(range(5), alsoTo(slow), drain()).run({ capacity })
    await stable(() => written)
    expect(written).toBe(4)
    gate.resolve()
    await run
    expect(written).toBe(5)
  })

  test('leaves a sink alone that has had enough', async () => {
    const first = pipeline(take<number>(1), toArray())
    expect(await pipeline(range(30), alsoTo(first), count()).run({ capacity })).toBe(30)
  })

  test('lets the sink have all it was given when nobody reads any more', async () => {
    const seen: number[] = []
    const input = probe(naturals)
    const out = await pipeline(
      source(input),
      alsoTo(forEach(async (n: number) => void seen.push(n))),
      take(5),
    ).run({
      capacity,
    })
    expect(out).toEqual(upTo(5))
    expect(seen.slice(0, 5)).toEqual(upTo(5))
    expect(input.returned).toBe(1)
  })

  test('lets its sink end where nobody reads any more, but fail where a stage behind it has failed', async () => {
    const written: number[] = []
    const open = () =>
      new Writable({
        objectMode: true,
        write(n: number, _, done) {
          written.push(n)
          done()
        },
      })
    const [ended, failed] = [open(), open()]
    await pipeline(source(naturals), alsoTo(writeTo(ended)), take(3)).run({ capacity })
    expect([ended.writableFinished, written.slice(0, 3)]).toEqual([true, [0, 1, 2]])
    written.length = 0
    const bad = map((n: number) => {
      if (n === 5) throw boom
      return n
    })
    const error = await stageError(
      pipeline(source(naturals), alsoTo(writeTo(failed)), bad, drain()).run({ capacity }),
    )
    expect(error).toMatchObject({ stage: 'map', value: 5, cause: boom, suppressed: [] })
    expect(written.slice(0, 6)).toEqual(upTo(6))
    expect([failed.destroyed, failed.writableFinished]).toEqual([true, false])
  })

  test('fails with its sink: at a value, or at its very end', async () => {
    const atValue = forEach((n: number) => {
      if (n === 2) throw boom
    })
    expect(
      await stageError(pipeline(source(naturals), alsoTo(atValue), drain()).run({ capacity })),
    ).toMatchObject({
      stage: 'forEach',
      value: 2,
      cause: boom,
    })
    const target = new Writable({
      objectMode: true,
      write: (_chunk, _, done) => done(),
      final: (done) => done(boom),
    })
    const seen: number[] = []
    const atEnd = pipeline(
      range(5),
      alsoTo(writeTo(target)),
      forEach((n) => void seen.push(n)),
    )
    const error = await stageError(atEnd.run({ capacity }))
    expect(error).toMatchObject({ stage: 'writeTo', cause: boom })
    expect('value' in error).toBe(false)
    expect(seen).toEqual(upTo(5))
  })
})
