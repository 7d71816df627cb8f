/** Inputs found by a review of the engine after it was made faster: each made it wait, starve timers or tell wrong shares. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import {
  balance,
  channel,
  drain,
  fanOut,
  filter,
  flatMap,
  forEach,
  map,
  pipeline,
  range,
  route,
  source,
  type Stage,
  tap,
  unbatch,
} from 'sluice'
import { turns } from './support-waiting.ts'

/** Works for so many milliseconds. */
function work(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until;);
}

/** Others may hold a process up for longer than we would. */
const onBusyMachines = { retry: 2 }

describe('functions that become expensive after many cheap calls keep no timer waiting', () => {
  const CHEAP = 20_000
  const EXPENSIVE = 500

  /** How many expensive calls there are in one turn of the event loop at most. */
  async function mostInTurn(build: (call: () => void, expensive: boolean) => { run(): Promise<unknown> }) {
    let calls = 0
    let inTurn = 0
    let most = 0
    const call = () => {
      if (++calls <= CHEAP || calls > CHEAP + EXPENSIVE) return
      if (inTurn++ === 0) void turns().then(() => (inTurn = 0))
      most = Math.max(most, inTurn)
      work(0.2)
    }
    await build(call, true).run()
    return most
  }

  const all = CHEAP + EXPENSIVE
  const calling = (call: () => void, capacity: number): Stage<number, number> =>
    map((n: number) => (call(), n), { capacity })

  test.each([1, 16, 100, 256, 4096, Infinity])('at capacity %d', onBusyMachines, async (capacity) => {
    const most = await mostInTurn((call) =>
      pipeline(range(0, all, 1, { capacity }), calling(call, capacity), drain()),
    )
    // 4 ms are 20 calls, and the clock is looked at after each 256. Without that it was up to 4,096 calls, step by step.
    expect(most).toBeGreaterThan(0)
    expect(most).toBeLessThan(350)
  })

  test.each([16, 256, 4096])(
    'in several stages at a time, at capacity %d',
    onBusyMachines,
    async (capacity) => {
      const most = await mostInTurn((call) => {
        const stage = () => calling(call, capacity)
        return pipeline(range(0, all / 4, 1, { capacity }), stage(), stage(), stage(), stage(), drain())
      })
      expect(most).toBeLessThan(350)
    },
  )

  test('in many small iterables that are put out one after the other', onBusyMachines, async () => {
    const few = (call: () => void) => ({
      *[Symbol.iterator]() {
        for (let n = 0; n < 4; n++) yield (call(), n)
      },
    })
    const most = await mostInTurn((call) =>
      pipeline(
        range(all / 4),
        map(() => few(call)),
        unbatch(),
        drain(),
      ),
    )
    expect(most).toBeLessThan(350)
  })
})

test('flatMap() calls once for a value for which it gets nothing, where it has worked for too long', async () => {
  const asked: number[] = []
  const parts = (n: number) => {
    asked.push(n)
    if (n > 200) work(0.3)
    return n % 3 === 0 ? (undefined as never) : [n]
  }
  await pipeline(range(500), flatMap(parts, { onError: 'skip' }), drain()).run()
  expect(asked).toEqual(Array.from({ length: 500 }, (_, n) => n))
})

describe('a value that comes alone', () => {
  test('passes all stages at once while another pipeline is busy', onBusyMachines, async () => {
    const [tx, rx] = channel<number>(Infinity)
    let came = 0
    const same = () => map((n: number) => n)
    const run = pipeline(
      source(rx),
      same(),
      same(),
      same(),
      same(),
      same(),
      same(),
      same(),
      same(),
      forEach(() => void came++),
    ).start()
    const busy = pipeline(
      range(Infinity),
      map((n) => n + 1),
      filter((n) => n % 2 === 0),
      drain(),
    ).start()
    busy.result.catch(() => {})
    await turns(5)
    let waited = 0
    for (let sent = 1; sent <= 10; sent++) {
      tx.trySend(sent)
      for (; came < sent; waited++) await turns(1)
    }
    await busy.abort()
    tx.close()
    await run.result
    // It was two turns of 4 ms for each of the stages.
    expect(waited / 10).toBeLessThan(5)
  })
})

describe('shares of time', () => {
  test.each([300, 5000])(
    'see a function that is expensive once in %d calls',
    onBusyMachines,
    async (every) => {
      let worked = 0
      const rarely = (n: number) => {
        if (n % every !== 0) return n
        const began = performance.now()
        work(every / 1000)
        worked += performance.now() - began
        return n
      }
      const run = pipeline(
        range(150_000),
        map((n) => n + 1),
        map(rarely, { name: 'rarely' }),
        filter((n) => n % 2 === 0),
        drain(),
      ).start()
      await run.result
      const { bottleneck, elapsed, stages } = run.stats()
      expect(bottleneck).toBe('rarely')
      expect(Math.abs(stages[2].busy - worked / elapsed)).toBeLessThan(0.3)
    },
  )

  test('are never negative, where the run ends within a step', async () => {
    for (let round = 0; round < 400; round++) {
      const run = pipeline(range(300), drain()).start()
      await run.result
      for (const { busy, waitingInput, waitingOutput } of run.stats().stages)
        expect(Math.min(busy, waitingInput, waitingOutput)).toBeGreaterThanOrEqual(0)
    }
  })
})

describe('a run that waits for more keeps no value alive that it has delivered', () => {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void

  type Value = { place: number }
  const same = () => map((value: Value) => value)
  const stages: Record<string, Stage<Value, Value>> = {
    map: same(),
    fanOut: fanOut({ a: same(), b: tap(() => {}) }),
    balance: balance(3, same()),
    route: route(({ place }: Value) => (place % 2 === 0 ? 'a' : 'b'), { a: same(), b: same() }),
  }

  test.each(Object.entries(stages))('behind %s', async (_, stage) => {
    const [tx, rx] = channel<Value>(Infinity)
    const run = pipeline(source(rx), stage, drain()).start()
    const send = (place: number) => {
      const value = { place }
      tx.trySend(value)
      return new WeakRef(value)
    }
    const refs = Array.from({ length: 10 }, (_, place) => send(place))
    await turns(5)
    gc()
    await turns(2)
    gc()
    expect(refs.filter((ref) => ref.deref() !== undefined).length).toBe(0)
    tx.close()
    await run.result
  })
})
