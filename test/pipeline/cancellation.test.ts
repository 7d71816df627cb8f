/** Who wants no more closes its input, and that runs up to every source: its `return` and its `finally` are run. */
import { describe, expect, test } from 'vitest'
import {
  batch,
  drain,
  fanIn,
  filter,
  flatMap,
  forEach,
  map,
  pipeline,
  range,
  source,
  stage,
  type Stage,
  take,
  through,
  toArray,
} from 'sluice'
import { stageError } from './support-leaks.ts'
import { naturals, probe, syncProbe, upTo } from './support-sources.ts'
import { turns } from './support-waiting.ts'

const same = <T>(value: T): T => value
const capacities = [0, 1, 2, 256]

describe.each(capacities)('a reader that leaves, at capacity %i,', (capacity) => {
  test('has run the `finally` of a generator once when the run settles', async () => {
    const log: string[] = []
    function* endless() {
      try {
        yield* naturals
      } finally {
        log.push('finally')
      }
    }
    expect(await pipeline(source(endless), map(same), filter(Boolean), take(2)).run({ capacity })).toEqual([
      1, 2,
    ])
    expect(log).toEqual(['finally'])
  })

  test('has awaited the asynchronous `finally` of a generator when the run settles', async () => {
    const log: string[] = []
    async function* endless() {
      try {
        for (const n of naturals) yield await Promise.resolve(n)
      } finally {
        await turns(3)
        log.push('finally')
      }
    }
    // By the time it leaves the channels are full, and the generator stands at its yield.
    const slowToLeave = stage<number, number>('slowToLeave', async (rx, tx) => {
      await tx.send(await rx.recv())
      await turns(10)
    })
    expect(await pipeline(source(endless), map(same), slowToLeave, toArray()).run({ capacity })).toEqual([0])
    expect(log).toEqual(['finally'])
  })

  test('closes a source through stages of every kind', async () => {
    const input = probe(naturals)
    const custom = stage<number, number>('custom', async (rx, tx) => {
      for await (const n of rx) await tx.send(n)
    })
    const pipe = pipeline(
      source(input),
      map(same, { concurrency: 3 }),
      custom,
      batch(2),
      flatMap((pair) => pair),
      map(async (n) => n, { concurrency: 2, ordered: false }),
      take(3),
      drain(),
    )
    await pipe.run({ capacity })
    expect(input).toMatchObject({ returned: 1, overlaps: 0 })
  })

  test('closes all inputs of a fanIn', async () => {
    const inputs = [probe(naturals), probe(naturals), probe(naturals)]
    await pipeline(fanIn(...inputs), take(5)).run({ capacity })
    expect(inputs.map((input) => input.returned)).toEqual([1, 1, 1])
  })

  test('calls the `return` of a synchronous iterator once, and pulls nothing after it', async () => {
    const input = syncProbe(naturals)
    await pipeline(source(input), map(same), take(1)).run({ capacity })
    const { pulled } = input
    await turns(3)
    expect(input).toMatchObject({ returned: 1, pulled })
  })

  test('does not wait for a source that hangs in its `next`', async () => {
    const input = probe(upTo(2), 'hang')
    expect(await pipeline(source(input), map(same), take(2)).run({ capacity })).toEqual([0, 1])
  })

  test('ends a pipeline with two that leave, each closing what is above it', async () => {
    const input = probe(naturals)
    expect(await pipeline(source(input), take(5), map(same), take(2)).run({ capacity })).toEqual([0, 1])
    expect(input.returned).toBe(1)
  })
})

describe('a source', () => {
  test('that ended by itself is not closed once more by a reader that leaves later', async () => {
    const input = probe(upTo(3))
    const slowToLeave = stage<number, number>('slowToLeave', async (rx, tx) => {
      await tx.send(await rx.recv())
      await turns(5)
    })
    expect(await pipeline(source(input), map(same), slowToLeave).run()).toEqual([0])
    expect(input).toMatchObject({ pulled: 3, returned: 0 })
  })

  test('that failed by itself is not closed once more', async () => {
    const input = probe(upTo(3), { error: new Error('source') })
    await stageError(pipeline(source(input), drain()).run())
    await turns(2)
    expect(input.returned).toBe(0)
  })
})

describe('a pipeline of 3,000 stages of the user', () => {
  const long = (each: () => Stage<number, number>): Stage<number, number> => {
    const ten = (part: Stage<number, number>) =>
      pipeline(part, part, part, part, part, part, part, part, part, part)
    return pipeline(ten(ten(ten(each()))), ten(ten(ten(each()))), ten(ten(ten(each()))))
  }
  const passOn = () =>
    stage<number, number>('passOn', async (rx, tx) => {
      for await (const n of rx) await tx.send(n)
    })
  const operator = () =>
    through<number, number>(async function* (input) {
      yield* input
    })

  test.each([
    ['that read on', passOn],
    ['of another library', operator],
  ])('%s is closed up to its source by a reader that leaves', async (_, each) => {
    const input = probe(upTo(1), 'hang')
    expect(await pipeline(source(input), long(each), take(1)).run({ capacity: 1 })).toEqual([0])
    expect(input.returned).toBe(1)
  })

  test('is closed up to its source by a failure of its last one', async () => {
    const input = probe(naturals)
    const fails = forEach(() => {
      throw new Error('last')
    })
    const error = await stageError(pipeline(source(input), long(passOn), fails).run({ capacity: 1 }))
    expect(error).toMatchObject({ cause: { message: 'last' }, suppressed: [] })
    expect(input.returned).toBe(1)
  })
})

test.each([1, 3])('a reader that leaves has no further call made, with %i in flight', async (concurrency) => {
  let calls = 0
  let then = 0
  const each = map(async (n: number) => (calls++, n), { concurrency })
  const leaves = stage<number, number>('leaves', async (rx) => {
    for (let n = 0; n < 2000; n++) await rx.recv()
    rx.close()
    then = calls
    await turns()
  })
  await pipeline(range(1e5), each, leaves, drain()).run()
  expect(calls).toBe(then)
})
