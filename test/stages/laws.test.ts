/** Laws, tried with random values, options and pauses; what fails names its seed (`SLUICE_SEED` runs it again). */
import { expect, test } from 'vitest'
import {
  batch,
  fanIn,
  filter,
  flatMap,
  map,
  pipeline,
  source,
  take,
  tap,
  toArray,
  unbatch,
  type Pipeline,
} from 'sluice'
import { law, type Random } from '../pipeline/support-random.ts'
import { cycle, probe, upTo } from '../pipeline/support-sources.ts'
import { outcome, turns } from '../pipeline/support-waiting.ts'

const anyCapacity = (random: Random) => ({ capacity: random.pick([0, 1, 2, 7, 256]) })
const anyValues = (random: Random) => upTo(random.int(0, 40)).map(() => random.int(0, 99))

/** A source that pauses as it likes. */
async function* pausing(random: Random, values: readonly number[]) {
  for (const value of values) {
    await random.pause()
    yield value
  }
}

test('an ordered map gives what a sequential map gives', () =>
  law(60, async (random) => {
    const values = anyValues(random)
    const ordered = map(async (n: number, index) => (await random.pause(), `${index}: ${n}`), {
      concurrency: random.int(1, 9),
    })
    const out = await pipeline(source(pausing(random, values)), ordered).run(anyCapacity(random))
    expect(out).toEqual(values.map((n, index) => `${index}: ${n}`))
  }))

test('an ordered filter and an ordered flatMap give what those of an array give', () =>
  law(40, async (random) => {
    const values = anyValues(random)
    const concurrency = random.int(1, 9)
    const out = await pipeline(
      source(pausing(random, values)),
      filter(async (n) => (await random.pause(), n % 3 > 0), { concurrency }),
      flatMap(async (n) => (await random.pause(), upTo(n % 4).map((k) => n + k)), { concurrency }),
    ).run(anyCapacity(random))
    expect(out).toEqual(values.filter((n) => n % 3 > 0).flatMap((n) => upTo(n % 4).map((k) => n + k)))
  }))

test('an unordered map gives every result once', () =>
  law(40, async (random) => {
    const values = anyValues(random)
    const out = await pipeline(
      source(values),
      map(async (n) => (await random.pause(), n * 2), { concurrency: random.int(1, 9), ordered: false }),
    ).run(anyCapacity(random))
    expect(out.sort((a, b) => a - b)).toEqual(values.map((n) => n * 2).sort((a, b) => a - b))
  }))

test('a map ordered by key keeps the order of each key and loses nothing', () =>
  law(40, async (random) => {
    const values = anyValues(random).map((n, index) => ({ key: n % 4, index }))
    const out = await pipeline(
      source(values),
      map(async (value) => (await random.pause(), value), {
        concurrency: random.int(1, 9),
        ordered: { by: ({ key }) => key },
      }),
    ).run(anyCapacity(random))
    for (const key of upTo(4)) {
      expect(out.filter((value) => value.key === key)).toEqual(values.filter((value) => value.key === key))
    }
    expect(out).toHaveLength(values.length)
  }))

test('unbatch(batch(x)) is x, and no batch is empty or too long', () =>
  law(40, async (random) => {
    const values = anyValues(random)
    const size = random.int(1, 12)
    const sizes: number[] = []
    const limits = random.pick<NonNullable<Parameters<typeof batch<number>>[1]>>([
      {},
      { ms: 1 },
      { ms: 60_000 },
      { bytes: 150, sizeOf: (n: number) => n },
    ])
    const out = await pipeline(
      source(pausing(random, values)),
      batch(size, limits),
      tap((numbers) => void sizes.push(numbers.length)),
      unbatch(),
    ).run(anyCapacity(random))
    expect(out).toEqual(values)
    for (const each of sizes) expect(each >= 1 && each <= size).toBe(true)
  }))

test('fanIn gives every value of every input once, each input in its order', () =>
  law(40, async (random) => {
    const inputs = upTo(random.int(1, 5)).map((input) => anyValues(random).map((n) => ({ input, n })))
    const open = (values: (typeof inputs)[number]) =>
      async function* () {
        for (const value of values) {
          await random.pause()
          yield value
        }
      }
    const out = await pipeline(fanIn(...inputs.map(open))).run(anyCapacity(random))
    inputs.forEach((values, input) => expect(out.filter((each) => each.input === input)).toEqual(values))
    expect(out).toHaveLength(inputs.flat().length)
  }))

test('any cut closes every source once, and nothing acts after it', () =>
  law(80, async (random) => {
    const inputs = upTo(random.int(1, 3)).map(() => probe(cycle(upTo(10))))
    const cut = random.pick(['take', 'throw', 'reject', 'abort', 'stop', 'break'])
    const at = random.int(1, 20)
    let acted = 0
    const pipe = pipeline(
      fanIn(...inputs),
      map(async (n) => (await random.pause(), n), {
        concurrency: random.int(1, 4),
        ordered: random.pick([true, false]),
      }),
      batch(random.int(1, 3)),
      unbatch(),
      tap((_n, index) => {
        acted++
        if (cut === 'throw' && index === at) throw new Error('cut')
        return cut === 'reject' && index === at ? Promise.reject(new Error('cut')) : undefined
      }),
      take(cut === 'take' ? at : 1_000_000_000),
    )
    await cutRun(pipe, cut, random)
    const before = [acted, ...inputs.map((input) => input.pulled)]
    await turns(4)
    expect([acted, ...inputs.map((input) => input.pulled)]).toEqual(before)
    expect(inputs.map((input) => input.returned)).toEqual(inputs.map(() => 1))
    expect(inputs.map((input) => input.overlaps)).toEqual(inputs.map(() => 0))
  }))

/** Runs an endless pipeline until it is cut in the way `cut` says. */
async function cutRun(pipe: Pipeline<number>, cut: string, random: Random): Promise<void> {
  if (cut === 'break') {
    for await (const _ of pipe) if (random.int(0, 5) === 0) break
    return
  }
  const run = pipe.start(anyCapacity(random))
  const end = outcome(run.result)
  if (cut === 'abort' || cut === 'stop') {
    // Every source has begun by then; one that has not been asked for anything has nothing to close.
    await turns(random.int(4, 12))
    await run[cut]()
  }
  expect((await end).state).toBe(cut === 'take' || cut === 'stop' ? 'resolved' : 'rejected')
}

test('a chain of stages gives what the same chain over an array gives, at every capacity', () =>
  law(30, async (random) => {
    const values = anyValues(random)
    const out = await pipeline(
      source(values),
      map((n) => n + 1),
      filter((n) => n % 2 === 0),
      batch(random.int(1, 5)),
      unbatch(),
      take(10),
      toArray(),
    ).run(anyCapacity(random))
    expect(out).toEqual(
      values
        .map((n) => n + 1)
        .filter((n) => n % 2 === 0)
        .slice(0, 10),
    )
  }))
