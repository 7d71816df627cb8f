/** What a run tells about itself while it runs and afterwards. */
import { describe, expect, test } from 'vitest'
import {
  balance,
  batch,
  drain,
  fanOut,
  filter,
  forEach,
  groupBy,
  interval,
  map,
  pipeline,
  range,
  source,
  stage,
  take,
  writeTo,
  type RunStats,
  type Stage,
} from 'sluice'
import { naturals, probe } from './support-sources.ts'
import { deferred, never, rejection, stable, turns, until } from './support-waiting.ts'

/** What holds for every snapshot of every run. */
function expectSound(stats: RunStats): void {
  expect(stats.elapsed).toBeGreaterThanOrEqual(0)
  expect(['string', 'undefined']).toContain(typeof stats.bottleneck)
  stats.stages.forEach((each, index) => {
    expect(each.index).toBe(index)
    for (const share of [each.busy, each.waitingInput, each.waitingOutput]) {
      expect(share).toBeGreaterThanOrEqual(0)
      expect(share).toBeLessThanOrEqual(1)
    }
    expect(each.busy + each.waitingInput + each.waitingOutput).toBeLessThanOrEqual(1 + 1e-9)
    if (each.output) expect(each.output.length).toBeLessThanOrEqual(each.output.capacity)
  })
  if (stats.bottleneck !== undefined)
    expect(stats.stages.map((each) => each.name)).toContain(stats.bottleneck)
}

describe('stats()', () => {
  test('counts what each stage received and sent', async () => {
    const run = pipeline(
      range(10),
      filter((n) => n % 2 === 0),
      map(String, { name: 'text' }),
      batch(2),
      drain(),
    ).start()
    await run.result
    const stats = run.stats()
    expectSound(stats)
    expect(
      stats.stages.map(({ name, received, sent, failed }) => ({ name, received, sent, failed })),
    ).toMatchObject([
      { name: 'range', sent: 10, failed: 0 },
      { name: 'filter', received: 10, sent: 5, failed: 0 },
      { name: 'text', received: 5, sent: 5, failed: 0 },
      { name: 'batch', received: 5, sent: 3, failed: 0 },
      { name: 'drain', received: 3, failed: 0 },
    ])
  })

  test('counts values that failed, whether they are skipped or end the run', async () => {
    const odd = (n: number) => (n % 2 ? Promise.reject(new Error('odd')) : n)
    const skipping = pipeline(range(10), map(odd, { onError: 'skip' }), drain()).start()
    await skipping.result
    expect(skipping.stats().stages[1]).toMatchObject({ received: 10, sent: 5, failed: 5 })
    const failing = pipeline(range(1, 2), map(odd), drain()).start()
    await rejection(failing.result)
    expect(failing.stats().stages[1]).toMatchObject({ received: 1, sent: 0, failed: 1 })
  })

  test('counts the value that ends the run as received, whether its function rejects or throws', async () => {
    const check = (n: number): boolean => {
      if (n === 3) throw new Error('three')
      return true
    }
    const stages: Stage<number, unknown>[] = [
      filter(check),
      filter(async (n: number) => check(n)),
      groupBy(check, () => map((n: number) => n)),
      batch<number>(1, { bytes: 10, sizeOf: (n) => (check(n) ? 1 : 0) }),
      stage<number, number>('custom', async (rx, tx) => {
        for await (const n of rx) if (check(n)) await tx.send(n)
      }),
    ]
    for (const checking of stages) {
      const run = pipeline(range(10), checking, drain()).start()
      await rejection(run.result)
      expect(run.stats().stages[1]).toMatchObject({ received: 4, sent: 3, failed: 1 })
    }
    const sinking = pipeline(range(10), forEach(check)).start()
    await rejection(sinking.result)
    expect(sinking.stats().stages[1]).toMatchObject({ received: 4, failed: 1 })
  })

  test('counts for custom stages too', async () => {
    const everySecond = stage<number, number>('everySecond', async (rx, tx) => {
      for await (const n of rx) if (n % 2) await tx.send(n)
    })
    const run = pipeline(range(10), everySecond, drain()).start()
    await run.result
    expect(run.stats().stages[1]).toMatchObject({ name: 'everySecond', received: 10, sent: 5, failed: 0 })
    expectSound(run.stats())
  })

  test.each([0, 1, 256])(
    'counts what a fan-out has sent that ends a branch, or a copy, at capacity %i',
    async (capacity) => {
      const same = map((n: number) => n)
      const run = pipeline(
        range(6),
        fanOut({ copied: balance(2, balance(2, same)), other: same }),
        drain(),
      ).start({ capacity })
      await run.result
      const sent = run.stats().stages.map(({ name, received, sent }) => [name, received, sent] as const)
      expect(sent.filter(([name]) => name === 'fanOut')).toEqual([['fanOut', 6, 12]])
      const [outer, ...inner] = sent.filter(([name]) => name === 'balance')
      expect(outer).toEqual(['balance', 6, 6])
      expect(inner.map(([, received]) => received)).toEqual(inner.map((each) => each[2]))
      expect(inner.reduce((sum, each) => sum + each[2], 0)).toBe(6)
    },
  )

  test('does not count what a custom stage left unread', async () => {
    const one = stage<number, number>('one', async (rx, tx) => tx.send(await rx.recv()))
    const run = pipeline(range(10), one, drain()).start()
    await run.result
    expect(run.stats().stages.map(({ received, sent }) => [received, sent])).toEqual([
      [0, 10],
      [1, 1],
      [1, 0],
    ])
  })

  test('counts a value whose handler throws once', async () => {
    const onError = () => {
      throw new Error('the handler')
    }
    const run = pipeline(
      range(1),
      map(() => Promise.reject(new Error('the value')), { onError }),
      drain(),
    ).start()
    await rejection(run.result)
    expect(run.stats().stages[1].failed).toBe(1)
  })

  test('counts no value whose call fails when nobody wants its result', async () => {
    const call = deferred<number>()
    let calls = 0
    const some = map((n: number) => (calls++ === 0 ? n : call.promise), { concurrency: 2 })
    const run = pipeline(range(5), some, take(1), drain()).start()
    await until(() => calls > 1)
    call.reject(new Error('too late'))
    await run.result
    expect(run.stats().stages[1].failed).toBe(0)
  })

  test('counts no value whose call fails after the end of a run that was aborted', async () => {
    for (const onError of ['fail', 'skip'] as const) {
      const call = deferred<number>()
      let calls = 0
      const run = pipeline(
        range(5),
        map(() => (calls++, call.promise), { onError }),
        drain(),
      ).start()
      await until(() => calls === 1)
      await Promise.all([rejection(run.result), run.abort()])
      const atEnd = run.stats()
      call.reject(new Error('too late'))
      await turns(2)
      expect(run.stats()).toEqual(atEnd)
    }
  })

  test('keeps the time of calls that an abort has cut short', async () => {
    const run = pipeline(range(3), map(never, { name: 'stuck' }), drain()).start()
    // Long enough for the end to take no share of it, also on a machine that is busy with something else.
    await until(() => run.stats().elapsed > 200 && run.stats().stages[1].busy > 0.9)
    expect(run.stats().bottleneck).toBe('stuck')
    await Promise.all([rejection(run.result), run.abort()])
    const after = run.stats()
    expectSound(after)
    expect(after.stages[1].busy).toBeGreaterThan(0.8)
    expect(after.stages[2].waitingInput).toBeGreaterThan(0.8)
    expect(after.bottleneck).toBe('stuck')
    await turns(10)
    expect(run.stats()).toEqual(after)
  })

  test('counts no time for a custom stage that has ended while others go on', async () => {
    const own = stage<number, number>('own', async (rx, tx) => tx.sendMany(rx))
    const run = pipeline(
      source(probe([0], 'hang')),
      fanOut({ a: pipeline(own, take(1), drain()), b: forEach(never) }),
    ).start()
    await until(() => run.describe().nodes.some(({ name, doing }) => name === 'own' && doing === 'has ended'))
    const spent = () => {
      const { elapsed, stages } = run.stats()
      const { busy, waitingInput, waitingOutput } = stages.find(({ name }) => name === 'own')!
      return { elapsed, sum: elapsed * (busy + waitingInput + waitingOutput) }
    }
    const before = spent()
    await until(() => spent().elapsed > 2 * before.elapsed + 5)
    expect(spent().sum).toBeCloseTo(before.sum)
    await Promise.all([rejection(run.result), run.abort()])
  })

  test('takes the end of its target for the work of the sink that waits for it', async () => {
    const ending = deferred()
    const run = pipeline(range(3), writeTo(new WritableStream({ close: () => ending.promise }))).start()
    await until(() => run.stats().stages[1].busy > 0.9)
    expect(run.stats().stages[1].waitingOutput).toBe(0)
    ending.resolve()
    await run.result
  })

  test('shows the capacity of each output and what lies in it; a sink has none', async () => {
    const input = probe(naturals)
    const run = pipeline(
      source(input),
      map((n) => n, { capacity: 3 }),
      forEach(never),
    ).start({ capacity: 5 })
    await stable(() => input.pulled)
    const stats = run.stats()
    expectSound(stats)
    expect(stats.stages.map((each) => each.output)).toEqual([
      { length: 5, capacity: 5 },
      { length: 3, capacity: 3 },
      undefined,
    ])
    await Promise.all([rejection(run.result), run.abort()])
  })

  test('is sound at every moment of a run, and its counts never go down', async () => {
    const run = pipeline(
      range(200),
      map(async (n) => (await turns(n % 2), n), { concurrency: 3 }),
      batch(7),
      forEach(() => turns(1)),
    ).start({ capacity: 2 })
    let ended = false
    const end = run.result.then(() => void (ended = true))
    let before = run.stats()
    while (!ended) {
      const now = run.stats()
      expectSound(now)
      expect(now.elapsed).toBeGreaterThanOrEqual(before.elapsed)
      now.stages.forEach((each, index) => {
        expect(each.received).toBeGreaterThanOrEqual(before.stages[index].received)
        expect(each.sent).toBeGreaterThanOrEqual(before.stages[index].sent)
      })
      before = now
      await turns(1)
    }
    await end
    expectSound(run.stats())
  })

  test('is plain data: a snapshot that later events do not change', async () => {
    const gate = deferred()
    const run = pipeline(
      range(3),
      map(async (n) => (await gate.promise, n)),
      drain(),
    ).start()
    await turns(3)
    const snapshot = run.stats()
    const copy = structuredClone(snapshot)
    gate.resolve()
    await run.result
    expect(snapshot).toEqual(copy)
  })

  test('names the slow stage as the bottleneck, and says that its neighbours wait', async () => {
    let calls = 0
    const run = pipeline(
      source(naturals),
      map((n) => n, { name: 'before' }),
      map(async (n) => (calls++, await turns(20), n), { name: 'slow' }),
      forEach(() => {}, { name: 'after' }),
    ).start({ capacity: 2 })
    // The start is a small part of it.
    await until(() => calls > 500)
    const stats = run.stats()
    expectSound(stats)
    expect(stats.bottleneck).toBe('slow')
    const [, before, slow, after] = stats.stages
    expect(slow.busy).toBeGreaterThan(0.5)
    expect(before.waitingOutput).toBeGreaterThan(0.5)
    expect(after.waitingInput).toBeGreaterThan(0.5)
    await Promise.all([rejection(run.result), run.abort()])
  })

  test('count no time after the end of the run, however long the process is blocked then', async () => {
    const run = pipeline(range(0, Infinity), drain()).start({ capacity: 4 })
    await until(() => run.stats().stages[1].received > 100)
    const settled = rejection(run.result)
    void run.abort()
    const shares = (): number[] =>
      run
        .stats()
        .stages.flatMap(({ busy, waitingInput, waitingOutput }) => [busy, waitingInput, waitingOutput])
    const before = shares()
    // Many times as long as the run was.
    block(20 * run.stats().elapsed)
    await settled
    await turns(5)
    shares().forEach((share, i) => expect(share).toBeCloseTo(before[i], 1))
  })

  test('count no time that a function takes after it has aborted the run', async () => {
    const run = pipeline(
      interval(10),
      forEach(() => {
        void run.abort()
        block(200)
      }),
    ).start()
    await rejection(run.result)
    const [, sink] = run.stats().stages
    // It has waited for the first tick.
    expect(sink.waitingInput).toBeGreaterThan(0.5)
    expect(sink.busy).toBeLessThan(0.5)
  })
})

/** Keeps the event loop for so many milliseconds. */
function block(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}
