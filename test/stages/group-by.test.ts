/** groupBy(): a copy of a stage for each key, made when its first value comes. */
import { describe, expect, test } from 'vitest'
import {
  alsoTo,
  batch,
  concat,
  count,
  drain,
  fanIn,
  fanOut,
  forEach,
  groupBy,
  map,
  pipeline,
  range,
  source,
  stage,
  take,
} from 'sluice'
import { stageError } from '../pipeline/support-leaks.ts'
import { naturals, probe, upTo } from '../pipeline/support-sources.ts'
import { never, rejection, stable, turns } from '../pipeline/support-waiting.ts'

const capacities = [0, 1, 2, 256]
const boom = new Error('boom')
const ascending = (a: number, b: number) => a - b

/** Sends a line about its key before anything else, and then the values. */
const announcing = (key: number) =>
  stage<number, string>('announcing', async (rx, tx) => {
    await tx.send(`key ${key}`)
    for await (const n of rx) await tx.send(`${key}: ${n}`)
  })

describe.each(capacities)('groupBy() at capacity %i', (capacity) => {
  test('keeps the order within each key, and makes one copy per key', async () => {
    const made: number[] = []
    const grouped = groupBy(
      (n: number) => n % 3,
      (key) => {
        made.push(key)
        return map((n: number) => [key, n] as const)
      },
    )
    const out = await pipeline(range(50), grouped).run({ capacity })
    expect(made).toEqual([0, 1, 2])
    for (const key of made)
      expect(out.filter(([from]) => from === key).map(([, n]) => n)).toEqual(
        upTo(50).filter((n) => n % 3 === key),
      )
    expect(out).toHaveLength(50)
  })

  test('never asks what a key looks like: it may be a bigint, or an object without end', async () => {
    const circular: { self?: unknown } = {}
    circular.self = circular
    let asked = 0
    const watched = { toJSON: () => ++asked, toString: () => String(++asked) }
    const keys = [1n, 2n, circular, watched, Symbol('key'), 3n]
    const grouped = groupBy(
      (n: number) => keys[n],
      () => map((n: number) => n),
    )
    const out = await pipeline(range(keys.length), grouped).run({ capacity })
    expect(out.sort(ascending)).toEqual(upTo(keys.length))
    expect(asked).toBe(0)
  })

  test('tells keys apart as a Map does', async () => {
    const object = {}
    const keys = [
      undefined,
      null,
      Number.NaN,
      0,
      -0,
      '',
      '0',
      false,
      object,
      {},
      Number.NaN,
      object,
      undefined,
    ]
    const made: unknown[] = []
    const grouped = groupBy(
      (key: unknown) => key,
      (key) => {
        made.push(key)
        return batch<unknown>(100)
      },
    )
    const out = await pipeline(source(keys), grouped).run({ capacity })
    const expected = new Map<unknown, unknown[]>()
    for (const key of keys) expected.set(key, [...(expected.get(key) ?? []), key])
    expect(made).toEqual([...expected.keys()])
    expect(out).toHaveLength(expected.size)
    expect(out).toEqual(expect.arrayContaining([...expected.values()]))
    expect(out.some((each) => each.length === 2 && each.includes(object))).toBe(true)
  })

  test('takes an async key, many at a time, in order', async () => {
    const key = async (n: number) => {
      await turns(n % 3)
      return n % 2
    }
    const grouped = groupBy(key, () => batch<number>(100), { concurrency: 3 })
    const out = await pipeline(range(20), grouped).run({ capacity })
    expect(out.sort((a, b) => a[0] - b[0])).toEqual([0, 1].map((k) => upTo(20).filter((n) => n % 2 === k)))
  })

  test('drops what comes for a copy that wants no more, and goes on with the others', async () => {
    let made = 0
    const grouped = groupBy(
      (n: number) => n % 3,
      (key) => {
        made++
        return take<number>(key === 0 ? 2 : 1000)
      },
    )
    const out = await pipeline(range(30), grouped).run({ capacity })
    expect(made).toBe(3)
    expect(out.sort(ascending)).toEqual(upTo(30).filter((n) => n % 3 !== 0 || n < 4))
  })

  test('does not end when all copies have: another key may come', async () => {
    const out = await pipeline(
      range(10),
      groupBy(
        (n: number) => n,
        () => take<number>(1),
      ),
    ).run({ capacity })
    expect(out.sort(ascending)).toEqual(upTo(10))
  })

  test('hears what a copy sends as soon as it starts', async () => {
    const out = await pipeline(
      range(4),
      groupBy((n: number) => n % 2, announcing),
    ).run({ capacity })
    expect(out.sort()).toEqual(['0: 0', '0: 2', '1: 1', '1: 3', 'key 0', 'key 1'])
    const only = stage<number, string>('only', async (_, tx) => void tx.trySend('hello'))
    expect(
      await pipeline(
        range(4),
        groupBy(
          () => 1,
          () => only,
        ),
      ).run({ capacity: Math.max(1, capacity) }),
    ).toEqual(['hello'])
  })

  test('starts a custom stage once, however deep it stands in the copy', async () => {
    let started = 0
    const relay = stage<number, number>('relay', async (rx, tx) => {
      started++
      for await (const n of rx) await tx.send(n)
    })
    const copy = pipeline(alsoTo(pipeline(relay, drain())), fanOut({ a: relay, b: fanOut({ c: relay }) }))
    const out = await pipeline(
      range(6),
      groupBy(
        (n: number) => n % 2,
        () => copy,
      ),
    ).run({ capacity })
    expect(out.sort(ascending)).toEqual(upTo(6).flatMap((n) => [n, n]))
    expect(started).toBe(6)
    started = 0
    const input = concat<number>(fanIn<number>(pipeline(range(3), relay)), [9])
    expect(await pipeline(input).run({ capacity })).toEqual([0, 1, 2, 9])
    expect(started).toBe(1)
  })

  test('fails at a key too many, after all that came before', async () => {
    const seen: number[][] = []
    const input = probe(naturals)
    const pipe = pipeline(
      source(input),
      groupBy(
        (n: number) => Math.floor(n / 2),
        () => batch<number>(10),
        { max: 3 },
      ),
      forEach((numbers) => void seen.push(numbers)),
    )
    const error = await stageError(pipe.run({ capacity }))
    expect(error).toMatchObject({ stage: 'groupBy', index: 1, value: 6, suppressed: [] })
    expect(error.cause).toBeInstanceOf(RangeError)
    expect((error.cause as Error).message).toBe('Cannot group: there are more than "max" = 3 keys')
    expect(seen.sort((a, b) => a[0] - b[0])).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
    ])
    expect(input.returned).toBe(1)
  })

  test('skips the values of keys too many where it is told so', async () => {
    const skipped: number[] = []
    const out = await pipeline(
      range(12),
      groupBy(
        (n: number) => n % 4,
        () => map((n: number) => n),
        {
          max: 2,
          onError: ({ value }) => void skipped.push(value),
        },
      ),
    ).run({ capacity })
    expect(out.sort(ascending)).toEqual(upTo(12).filter((n) => n % 4 < 2))
    expect(skipped).toEqual(upTo(12).filter((n) => n % 4 >= 2))
  })

  test('fails when key, maker or copy fails', async () => {
    const bad = (at: number) => (n: number) => {
      if (n === at) throw boom
      return n
    }
    const keep = map((n: number) => n)
    const cases = [
      { grouped: groupBy(bad(5), () => keep), fails: { stage: 'groupBy', index: 1, value: 5 } },
      {
        grouped: groupBy(
          async (n: number) => Promise.resolve(n).then(bad(5)),
          () => keep,
        ),
        fails: { stage: 'groupBy', index: 1, value: 5 },
      },
      {
        grouped: groupBy(
          (n: number) => n,
          (key) => {
            bad(5)(key)
            return keep
          },
        ),
        fails: { stage: 'groupBy', index: 1, value: 5 },
      },
      {
        grouped: groupBy(
          (n: number) => n % 2,
          () => map(bad(5), { name: 'copy' }),
        ),
        fails: { stage: 'copy', index: 0, value: 5 },
      },
    ]
    for (const { grouped, fails } of cases) {
      const seen: number[] = []
      const input = probe(naturals)
      const pipe = pipeline(
        source(input),
        grouped,
        forEach((n) => void seen.push(n)),
      )
      const error = await stageError(pipe.run({ capacity }))
      expect(error).toMatchObject({ ...fails, cause: boom, suppressed: [] })
      expect(seen.sort(ascending).slice(0, 5)).toEqual(upTo(5))
      expect(input.returned).toBe(1)
    }
  })

  test('ends when a copy fails as soon as it starts, also deep inside', async () => {
    const failing = stage<number, number>('failing', async (_, tx) => void tx.fail(boom))
    const copies = [
      failing,
      pipeline(
        failing,
        map((n) => n),
      ),
      fanOut({ a: failing, b: map((n: number) => n) }),
    ]
    for (const copy of copies)
      for (const first of [0, 2]) {
        const keep = map((n: number) => n)
        const pipe = pipeline(
          range(20),
          groupBy(
            (n: number) => n % 3,
            (key) => (key === first ? copy : keep),
          ),
        )
        expect(await stageError(pipe.run({ capacity }))).toMatchObject({
          stage: 'failing',
          cause: boom,
          suppressed: [],
        })
      }
  })
})

describe('groupBy()', () => {
  test.each<[string, unknown, string]>([
    ['nothing', undefined, 'Cannot group: "stage" must be a stage, got undefined'],
    ['a sink', count(), 'Cannot group: "stage" must be a stage, got "sink"'],
    ['a source', range(3), 'Cannot group: "stage" must be a stage, got "source"'],
  ])('fails where its maker gives %s', async (_, made, message) => {
    const error = await stageError(
      pipeline(
        range(3),
        groupBy(
          (n: number) => n,
          () => made as never,
        ),
      ).run(),
    )
    expect(error).toMatchObject({ stage: 'groupBy', index: 1, value: 0 })
    expect(error.cause).toBeInstanceOf(TypeError)
    expect((error.cause as Error).message).toBe(message)
  })

  test('has room for a thousand keys and no more, unless told otherwise', async () => {
    const keep = map((n: number) => n)
    const byItself = (n: number) => n
    expect(
      await pipeline(
        range(1000),
        groupBy(byItself, () => keep),
        count(),
      ).run(),
    ).toBe(1000)
    expect(
      await stageError(
        pipeline(
          range(1001),
          groupBy(byItself, () => keep),
          count(),
        ).run(),
      ),
    ).toMatchObject({
      stage: 'groupBy',
      value: 1000,
    })
    const open = groupBy(byItself, () => keep, { max: Infinity })
    expect(await pipeline(range(3000), open, count()).run()).toBe(3000)
  })

  test('takes a key that throws when it is looked at', async () => {
    const key = {
      get [Symbol.toStringTag](): string {
        throw new Error('do not look')
      },
    }
    const grouped = groupBy(
      () => key,
      () => batch<number>(10),
    )
    expect(await pipeline(range(3), grouped).run()).toEqual([[0, 1, 2]])
  })

  test('makes and starts nothing after its key or its maker has aborted the run', async () => {
    for (const where of ['key', 'maker']) {
      const seen = { made: 0, started: 0 }
      const copy = stage<number, number>('copy', async () => void seen.started++)
      const run = pipeline(
        range(5),
        groupBy(
          (n: number) => {
            if (where === 'key') void run.abort(boom)
            return n
          },
          () => {
            seen.made++
            if (where === 'maker') void run.abort(boom)
            return copy
          },
        ),
      ).start()
      expect(await rejection(run.result)).toBe(boom)
      await turns(3)
      expect(seen).toEqual({ made: where === 'key' ? 0 : 1, started: 0 })
    }
  })

  test('leaves no stage at work when a copy aborts the run as it starts', async () => {
    const ended: string[] = []
    const waiting = stage<number, number>('waiting', async (rx) => {
      for await (const _ of rx);
      ended.push('waiting')
    })
    const aborting = stage<number, number>('aborting', async () => {
      void run.abort(boom)
      await Promise.resolve()
      ended.push('aborting')
    })
    const copy = fanOut({ waiting, aborting })
    const run = pipeline(
      range(5),
      groupBy(
        (n: number) => n,
        () => copy,
      ),
    ).start()
    expect(await rejection(run.result)).toBe(boom)
    await turns(3)
    // Stages start from the end: the one in front of the other never did.
    expect(ended).toEqual(['aborting'])
  })

  test('holds up all keys where one copy is stuck and full, and hoards nothing', async () => {
    for (const capacity of [1, 4]) {
      const input = probe(naturals)
      const stuck = groupBy(
        (n: number) => n % 2,
        (key) => map((n: number) => (key === 0 ? never() : n)),
      )
      const run = pipeline(source(input), stuck, drain()).start({ capacity })
      await stable(() => input.pulled)
      expect(input.pulled).toBeLessThanOrEqual(2 * (1 + capacity + 1) + capacity + 1)
      await Promise.all([rejection(run.result), run.abort()])
      expect(input.returned).toBe(1)
    }
  })

  test.each<[string, () => unknown, string]>([
    [
      'a key that is no function',
      () => groupBy('n' as never, () => take(1)),
      'Cannot create groupBy: "key" must be a function, got "n"',
    ],
    [
      'a maker that is no function',
      () => groupBy(() => 1, take(1) as never),
      'Cannot create groupBy: "stage" must be a function, got Object',
    ],
    [
      'a max of 0',
      () =>
        groupBy(
          () => 1,
          () => take(1),
          { max: 0 },
        ),
      'Cannot create groupBy: "max" must be an integer >= 1 or Infinity, got 0',
    ],
    [
      'a max that is none',
      () =>
        groupBy(
          () => 1,
          () => take(1),
          { max: Number.NaN },
        ),
      'Cannot create groupBy: "max" must be an integer >= 1 or Infinity, got NaN',
    ],
  ])('refuses %s', (_, build, message) => {
    expect(build).toThrow(message)
    expect(build).toThrow(message.includes('an integer') ? RangeError : TypeError)
  })
})
