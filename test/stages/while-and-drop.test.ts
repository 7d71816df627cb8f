/** takeWhile(), drop() and dropWhile(): where a pipeline begins and ends to pass values on. */
import { describe, expect, test } from 'vitest'
import { channel, drop, dropWhile, pipeline, range, source, take, takeWhile, toArray } from 'sluice'
import { stageError, unhandledDuring } from '../pipeline/support-leaks.ts'
import { naturals, probe, upTo } from '../pipeline/support-sources.ts'
import { deferred, rejection, settledWithin, stable, turns } from '../pipeline/support-waiting.ts'

const capacities = [0, 1, 2, 256]

describe.each(capacities)('at capacity %i', (capacity) => {
  test('takeWhile() passes on what comes before the first no, and ends', async () => {
    const input = probe(naturals)
    const sync = pipeline(
      source(input),
      takeWhile((n) => n < 5),
    )
    expect(await sync.run({ capacity })).toEqual(upTo(5))
    expect(input.returned).toBe(1)
    const slow = pipeline(
      range(0, Infinity),
      takeWhile(async (n) => n < 5),
    )
    expect(await slow.run({ capacity })).toEqual(upTo(5))
    const all = pipeline(
      range(9),
      takeWhile(() => true),
    )
    expect(await all.run({ capacity })).toEqual(upTo(9))
    const none = pipeline(
      range(9),
      takeWhile(() => false),
    )
    expect(await none.run({ capacity })).toEqual([])
  })

  test('takeWhile() counts the first no as received, and nothing behind it', async () => {
    const sync = pipeline(
      source([1, 2, 3, 4]),
      takeWhile((n) => n < 3),
    ).start({ capacity })
    expect(await sync.result).toEqual([1, 2])
    expect(sync.stats().stages[1]).toMatchObject({ received: 3, sent: 2 })
  })

  test('takeWhile() ends at its first no, though its source hangs behind it', async () => {
    const input = probe([1, 2, 9], 'hang')
    const run = pipeline(
      source(input),
      takeWhile((n) => n < 5),
    ).run({ capacity })
    expect(await run).toEqual([1, 2])
    expect(input.returned).toBe(1)
  })

  test('drop() leaves the first n out', async () => {
    for (const [n, expected] of [
      [0, upTo(7)],
      [3, [3, 4, 5, 6]],
      [7, []],
      [9, []],
      [Infinity, []],
    ] as const)
      expect(await pipeline(range(7), drop(n)).run({ capacity })).toEqual(expected)
    expect(await pipeline(range(2000), drop(1500), take(3)).run({ capacity })).toEqual([1500, 1501, 1502])
  })

  test('dropWhile() passes everything on from the first no', async () => {
    const numbers = [1, 2, 9, 1, 2, 9, 1]
    const sync = pipeline(
      source(numbers),
      dropWhile((n) => n < 5),
    )
    expect(await sync.run({ capacity })).toEqual([9, 1, 2, 9, 1])
    const slow = pipeline(
      source(numbers),
      dropWhile(async (n) => n < 5, { concurrency: 4 }),
    )
    expect(await slow.run({ capacity })).toEqual([9, 1, 2, 9, 1])
    const none = pipeline(
      source(numbers),
      dropWhile(() => true),
    )
    expect(await none.run({ capacity })).toEqual([])
    const many = pipeline(
      range(5000),
      dropWhile((n) => n < 1234),
    )
    expect(await many.run({ capacity })).toEqual(upTo(5000).slice(1234))
  })
})

describe('takeWhile() with a concurrency', () => {
  test('judges results in the order of the values, whatever comes first and whatever `ordered` says', async () => {
    for (const ordered of [true, false]) {
      const gates = upTo(4).map(() => deferred<boolean>())
      const run = pipeline(
        range(4),
        takeWhile((n) => gates[n].promise, { concurrency: 4, ordered }),
      ).run()
      gates[3].resolve(true)
      gates[2].resolve(false)
      await turns(2)
      gates[1].resolve(true)
      await turns(2)
      gates[0].resolve(true)
      expect(await run).toEqual([0, 1])
    }
  })

  test('aborts the calls beyond its end and waits for them', async () => {
    const aborted: number[] = []
    const gate = deferred()
    const run = pipeline(
      range(10),
      takeWhile(
        async (n, _, { signal }) => {
          if (n < 2) return n < 1
          if (!signal.aborted) await new Promise((done) => signal.addEventListener('abort', done))
          aborted.push(n)
          await gate.promise
          throw new Error('beyond the end')
        },
        { concurrency: 4 },
      ),
    ).run()
    expect(await settledWithin(run, 5)).toBe(false)
    expect(aborted).toEqual([2, 3])
    gate.resolve()
    expect(await run).toEqual([0])
  })

  test('does not mind calls that fail beyond its end, before or after it is known', async () => {
    for (const early of [true, false]) {
      const gates = upTo(3).map(() => deferred<boolean>())
      const unhandled = await unhandledDuring(async () => {
        const run = pipeline(
          range(3),
          takeWhile((n) => gates[n].promise, { concurrency: 3 }),
        ).run()
        await turns(2)
        if (early) gates[2].reject(new Error('beyond the end'))
        await turns(2)
        gates[0].resolve(true)
        gates[1].resolve(false)
        await turns(2)
        if (!early) gates[2].reject(new Error('beyond the end'))
        expect(await run).toEqual([0])
      })
      expect(unhandled).toEqual([])
    }
  })

  test('fails at a call before its end, once that is the next to judge, and carries its value', async () => {
    const gates = upTo(3).map(() => deferred<boolean>())
    const boom = new Error('boom')
    const seen: number[] = []
    const run = pipeline(
      range(3),
      takeWhile((n) => gates[n].promise, { concurrency: 3 }),
      takeWhile((n) => seen.push(n) > 0),
    ).run()
    await turns(2)
    gates[1].reject(boom)
    expect(await settledWithin(run, 5)).toBe(false)
    gates[0].resolve(true)
    gates[2].resolve(true)
    expect(await stageError(run)).toMatchObject({ stage: 'takeWhile', index: 1, value: 1, cause: boom })
    expect(seen).toEqual([0])
  })
})

describe('dropWhile()', () => {
  test('does not call its function any more after the first no', async () => {
    for (const concurrency of [1, 3]) {
      const asked: number[] = []
      const run = pipeline(
        range(500),
        dropWhile(
          async (n) => {
            asked.push(n)
            await turns(n % 2)
            return n < 3
          },
          { concurrency },
        ),
      )
      expect(await run.run()).toEqual(upTo(500).slice(3))
      expect(asked.length).toBeLessThanOrEqual(3 + concurrency)
    }
  })

  test('does not mind calls that fail beyond the first no: their values pass', async () => {
    const gates = upTo(3).map(() => deferred<boolean>())
    const run = pipeline(
      range(3),
      dropWhile((n) => gates[n].promise, { concurrency: 3 }),
    ).run()
    await turns(2)
    gates[2].reject(new Error('too late to matter'))
    gates[1].resolve(true)
    await turns(2)
    gates[0].resolve(false)
    expect(await run).toEqual([0, 1, 2])
  })

  test('passes a value on that `onError` would have dropped, beyond the first no', async () => {
    const gates = upTo(2).map(() => deferred<boolean>())
    const run = pipeline(
      range(2),
      dropWhile((n) => gates[n].promise, { concurrency: 2, onError: 'skip' }),
    ).run()
    await turns(2)
    gates[1].reject(new Error('too late to matter'))
    await turns(2)
    gates[0].resolve(false)
    expect(await run).toEqual([0, 1])
  })
})

describe('the options of calls', () => {
  test('hold for takeWhile() and dropWhile()', async () => {
    let calls = 0
    const flaky = (n: number): boolean => {
      if (n === 1 && ++calls % 2 === 1) throw new Error('flaky')
      return n < 3
    }
    const retry = { attempts: 2, delay: 0 }
    expect(await pipeline(range(5), takeWhile(flaky, { retry })).run()).toEqual([0, 1, 2])
    expect(await pipeline(range(5), dropWhile(flaky, { retry })).run()).toEqual([3, 4])
    const skipped = pipeline(range(5), takeWhile(flaky, { onError: 'skip' }), toArray())
    expect(await skipped.run()).toEqual([0, 2])
  })

  test('are checked where the stage is built', () => {
    expect(() => takeWhile(1 as never)).toThrow('Cannot create takeWhile: "fn" must be a function, got 1')
    expect(() => dropWhile(() => true, { concurrency: 0 })).toThrow('Cannot create dropWhile: "concurrency"')
    expect(() => drop(-1)).toThrow('Cannot create drop: "n" must be an integer >= 0 or Infinity, got -1')
  })
})

test('a stage that holds back nothing lets its source be read no further than its bound', async () => {
  const [tx, rx] = channel<number>(100)
  for (const n of upTo(50)) tx.trySend(n)
  const gate = deferred<boolean>()
  const run = pipeline(
    source(rx),
    takeWhile(() => gate.promise, { concurrency: 2 }),
  ).start({ capacity: 3 })
  expect(50 - (await stable(() => tx.length))).toBe(3 + 2)
  await Promise.all([rejection(run.result), run.abort()])
  tx.close()
})
