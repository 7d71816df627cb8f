/** The end of a source runs down the pipeline: each stage flushes, closes its output, and the run settles last. */
import { describe, expect, test } from 'vitest'
import {
  batch,
  concat,
  drain,
  fanIn,
  forEach,
  interleave,
  map,
  mergeSorted,
  pipeline,
  range,
  source,
  type Source,
  stage,
  take,
  toArray,
} from 'sluice'
import { stageError, unhandledDuring } from './support-leaks.ts'
import { naturals, probe, upTo } from './support-sources.ts'
import { deferred, settledWithin, turns } from './support-waiting.ts'

const passOn = (name: string, ended: string[]) =>
  stage<number, number>(name, async (rx, tx) => {
    for await (const n of rx) await tx.send(n)
    ended.push(name)
  })

describe('the end of a source', () => {
  test('reaches the stages one after the other, first to last', async () => {
    const ended: string[] = []
    const pipe = pipeline(range(3), passOn('first', ended), passOn('second', ended), passOn('third', ended))
    for (const capacity of [0, 1, 256]) expect(await pipe.run({ capacity })).toEqual([0, 1, 2])
    expect(ended).toEqual([
      'first',
      'second',
      'third',
      'first',
      'second',
      'third',
      'first',
      'second',
      'third',
    ])
  })

  test('makes each stage flush before its output closes', async () => {
    const sums = stage<number[], number>('sums', async (rx, tx) => {
      let all = 0
      for await (const numbers of rx) for (const n of numbers) all += n
      await tx.send(all)
    })
    expect(await pipeline(range(10), batch(4), sums).run()).toEqual([45])
  })

  test('leaves a run pending until its last stage has acted on the last value', async () => {
    const gate = deferred()
    const done: number[] = []
    const run = pipeline(
      range(3),
      forEach(async (n) => {
        if (n === 2) await gate.promise
        done.push(n)
      }),
    ).run()
    expect(await settledWithin(run, 10)).toBe(false)
    gate.resolve()
    await run
    expect(done).toEqual([0, 1, 2])
  })

  test('leaves a run pending until a custom stage that has closed its sender itself returns', async () => {
    const gate = deferred()
    const tidy = stage<number, number>('tidy', async (rx, tx) => {
      for await (const n of rx) await tx.send(n)
      tx.close()
      await gate.promise
    })
    const run = pipeline(range(2), tidy, toArray()).run()
    expect(await settledWithin(run, 10)).toBe(false)
    gate.resolve()
    expect(await run).toEqual([0, 1])
  })

  test('of a source without values is an end all the same', async () => {
    expect(await pipeline(source([]), map(String), batch(3)).run({ capacity: 0 })).toEqual([])
  })
})

describe('a custom stage', () => {
  test('that returns early closes its input and its output', async () => {
    const input = probe(naturals)
    const firstTwo = stage<number, number>('firstTwo', async (rx, tx) => {
      await tx.send(await rx.recv())
      await tx.send(await rx.recv())
    })
    expect(await pipeline(source(input), firstTwo, toArray()).run()).toEqual([0, 1])
    expect(input.returned).toBe(1)
  })

  test('whose reader left has not failed', async () => {
    const input = probe(naturals)
    const one = stage<number, number>('one', async (rx, tx) => tx.send(await rx.recv()))
    const unhandled = await unhandledDuring(async () => {
      const out = await pipeline(source(input), passOn('middle', []), one, toArray()).run({ capacity: 0 })
      expect(out).toEqual([0])
    })
    expect(input.returned).toBe(1)
    expect(unhandled).toEqual([])
  })

  test('that has closed its sender goes on with its input, and its signal does not abort', async () => {
    for (const capacity of [0, 1, 256]) {
      let read = 0
      let aborted: boolean | undefined
      const header = stage<number, number>('header', async (rx, tx, { signal }) => {
        for await (const n of rx) {
          if (read++ > 0) continue
          await tx.send(n)
          tx.close()
        }
        aborted = signal.aborted
      })
      expect(await pipeline(source(upTo(1000)), header).run({ capacity })).toEqual([0])
      expect([read, aborted]).toEqual([1000, false])
    }
  })

  test.each(['throws', 'sends'])('that has closed its sender and then %s has failed', async (what) => {
    for (const wait of [0, 1, 20]) {
      const late = stage<number, number>('late', async (_, tx) => {
        await tx.send(1)
        tx.close()
        await turns(wait)
        if (what === 'sends') await tx.send(2)
        throw new Error('late')
      })
      const { stage: name, cause } = await stageError(pipeline(range(3), late).run())
      expect(name).toBe('late')
      expect(cause).toMatchObject(what === 'sends' ? { code: 'CLOSED', value: 2 } : { message: 'late' })
    }
  })

  test('that has closed its sender and goes on ends when a stage behind it fails', async () => {
    const endless = stage<number, number>('endless', async (rx, tx) => {
      for await (const n of rx) {
        if (n > 0) continue
        await tx.send(n)
        tx.close()
      }
    })
    const fails = forEach(async () => {
      await turns(5)
      throw new Error('boom')
    })
    const numbers = probe(naturals)
    const error = await stageError(pipeline(source(numbers), endless, fails).run())
    expect(error).toMatchObject({ stage: 'forEach', suppressed: [] })
    expect(numbers.returned).toBe(1)
  })

  describe('that has closed its sender and goes on ends', () => {
    const boom = async function* () {
      await turns(5)
      throw new Error('boom')
    }
    const compare = (a: number, b: number) => a - b
    const sends = (many: number) =>
      stage<number, number>('sends', async (rx, tx) => {
        for (let n = 0; n < many; n++) await tx.send(n)
        tx.close()
        for await (const _ of rx);
      })

    test('when a stage behind it wants no more', async () => {
      for (const capacity of [0, 1, 256])
        for (const many of [3, 20]) {
          const numbers = probe(naturals)
          const inputs = [source(numbers), sends(many), map((n: number) => n)] as const
          expect(await pipeline(...inputs, take(2)).run({ capacity })).toEqual([0, 1])
          expect(numbers.returned).toBe(1)
        }
    })

    test('when a join that it is an input of wants no more', async () => {
      for (const join of [fanIn, concat, interleave]) {
        const numbers = probe(naturals)
        const merged = join(pipeline(source(numbers), sends(1)), source(upTo(10)))
        expect(await pipeline(merged, take(3)).run()).toHaveLength(3)
        expect(numbers.returned).toBe(1)
      }
    })

    test('when an input beside it fails', async () => {
      const joins = [
        fanIn,
        concat,
        interleave,
        (...inputs: Source<number>[]) => mergeSorted(compare, ...inputs),
      ]
      for (const join of joins) {
        const numbers = probe(naturals)
        const run = pipeline(join(pipeline(source(numbers), sends(1)), source<number>(boom))).run()
        expect(await stageError(run)).toMatchObject({ cause: { message: 'boom' }, suppressed: [] })
        expect(numbers.returned).toBe(1)
      }
    })
  })

  test('may send from several places at once, and all of it arrives', async () => {
    const forked = stage<number, number>('forked', async (rx, tx) => {
      const work = async () => {
        for await (const n of rx.values({ preventClose: true })) await tx.send(n)
      }
      await Promise.all([work(), work(), work()])
    })
    const out = await pipeline(range(100), forked).run({ capacity: 2 })
    expect(out.sort((a, b) => a - b)).toEqual(upTo(100))
  })

  test('gets its name and a signal that is not aborted while it runs well', async () => {
    const seen: unknown[] = []
    const looking = stage<number, number>('looking', async (_rx, _tx, ctx) => {
      await turns(1)
      seen.push(ctx.name, ctx.signal instanceof AbortSignal, ctx.signal.aborted)
    })
    await pipeline(range(2), looking, drain()).run()
    expect(seen).toEqual(['looking', true, false])
  })
})
