/**
 * Functions that become expensive after many cheap calls do not keep timers and I/O waiting, wherever a stage calls
 * them: counted is how many of the expensive ones run between two turns of the event loop.
 */
import { expect, test } from 'vitest'
import {
  batch,
  buffer,
  drain,
  flatMap,
  map,
  mergeSorted,
  pipeline,
  range,
  source,
  stage,
  unbatch,
} from 'sluice'
import { turns } from './support-waiting.ts'

const CHEAP = 20_000
const EXPENSIVE = 600

/** Something that is called for each value, and how many expensive calls there were in one turn at most. */
function costly() {
  let calls = 0
  let inTurn = 0
  const cost = { call, most: 0 }
  function call(): void {
    if (++calls <= CHEAP || calls > CHEAP + EXPENSIVE) return
    if (inTurn++ === 0) void turns().then(() => (inTurn = 0))
    cost.most = Math.max(cost.most, inTurn)
    for (const until = performance.now() + 0.3; performance.now() < until;);
  }
  return cost
}

const all = CHEAP + EXPENSIVE
type Call = () => void
function* many(call: Call) {
  for (let n = 0; n < all; n++) yield (call(), n)
}
const iterables = (call: Call) => source([{ [Symbol.iterator]: () => many(call) }])

const rows: Record<string, (call: Call) => { run(): Promise<unknown> }> = {
  'the iterators of flatMap': (call) =>
    pipeline(
      source([1]),
      flatMap(() => many(call)),
      drain(),
    ),
  'the iterators of unbatch': (call) => pipeline(iterables(call), unbatch(), drain()),
  'the comparisons of mergeSorted': (call) =>
    pipeline(
      mergeSorted((a, b) => (call(), a - b), range(all), range(all)),
      drain(),
    ),
  'the sizes of batch': (call) =>
    pipeline(range(all), batch(1000, { bytes: 1e9, sizeOf: () => (call(), 1) }), drain()),
  'the losses of buffer': (call) =>
    pipeline(
      range(all),
      buffer(1, 'drop-newest', { onUndelivered: call }),
      map(async () => turns()),
      drain(),
    ),
  'async functions, many at a time': (call) =>
    pipeline(
      range(all),
      map(async () => call(), { concurrency: 1000 }),
      drain(),
    ),
  'the loop of a custom stage': (call) =>
    pipeline(
      range(all),
      stage<number, number>('loop', async (rx) => {
        for await (const _ of rx) call()
      }),
      drain(),
    ),
  'the keys of an order': (call) =>
    pipeline(
      range(all),
      map((n) => n, { concurrency: 1000, ordered: { by: (n) => (call(), n % 7) } }),
      drain(),
    ),
}

// Others may hold a process up for longer than we would.
test.each(Object.entries(rows))('%s', { retry: 2 }, async (_, build) => {
  const cost = costly()
  await build(cost.call).run()
  expect(cost.most).toBeGreaterThan(0)
  // 5 ms are 17 calls, and the stages look at the clock at each 16th or 32nd; without a look it is 340 and more.
  expect(cost.most).toBeLessThan(130)
})

test('async functions, one at a time in each of many stages', { retry: 2 }, async () => {
  let calls = 0
  let inTurn = 0
  let most = 0
  const each = map(async (n: number) => {
    if (++calls <= CHEAP) return n
    if (inTurn++ === 0) void turns().then(() => (inTurn = 0))
    most = Math.max(most, inTurn)
    for (const until = performance.now() + 5; performance.now() < until;);
    return n
  })
  await pipeline(range(CHEAP / 5 + 8), each, each, each, each, each, drain()).run()
  expect(most).toBeGreaterThan(0)
  // One is more than a turn may take, and the clock is looked at after each second one.
  expect(most).toBeLessThan(7)
})
