/** virtualTime(): everything comes to rest between two timers, so that a timeline is exact. */
import timersModule from 'node:timers'
import {
  scheduler,
  setImmediate as immediate,
  setInterval as every,
  setTimeout as sleep,
} from 'node:timers/promises'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { after, batch, channel, drain, forEach, map, pipeline, range, source, stage, tick } from 'sluice'
import { timeline, virtualTime, type VirtualTime } from 'sluice/testing'

let time: VirtualTime | undefined
const start = (options?: Parameters<typeof virtualTime>[0]) => (time = virtualTime(options))
afterEach(() => {
  time?.restore()
  vi.restoreAllMocks()
})

const real = { setTimeout, clearTimeout, setInterval, clearInterval, Date, performance, now: performance.now }

test('time moves where a test plays a browser that asks for no turn of the event loop', async () => {
  vi.resetModules()
  vi.stubGlobal('setImmediate', undefined)
  vi.stubGlobal('MessageChannel', undefined)
  Reflect.deleteProperty(globalThis, 'setImmediate')
  try {
    const { delay, pipeline, range } = await import('sluice')
    time = (await import('sluice/testing')).virtualTime()
    expect(await time.runUntil(pipeline(range(3), delay(60_000)).run())).toEqual([0, 1, 2])
  } finally {
    time?.restore()
    vi.unstubAllGlobals()
    vi.resetModules()
  }
})

describe('advance()', () => {
  test('fires timers in order, each at its own time, and ends at the time asked for', async () => {
    const time = start()
    const seen = timeline<string>()
    setTimeout(seen, 30, 'c')
    setTimeout(seen, 10, 'a')
    setTimeout(seen, 30, 'd')
    const ticks = setInterval(() => seen('tick'), 20)
    setTimeout(seen, 51, 'late')
    await time.advance(50)
    clearInterval(ticks)
    expect(seen.entries).toEqual([
      [10, 'a'],
      [20, 'tick'],
      [30, 'c'],
      [30, 'd'],
      [40, 'tick'],
    ])
    expect([time.now, performance.now(), Date.now(), time.pending]).toEqual([50, 50, 50, 1])
  })

  test('fires a timer set on the way at its time, even one that is due at the very end', async () => {
    const time = start()
    const seen = timeline<string>()
    setTimeout(() => setTimeout(() => setTimeout(seen, 0, 'inner'), 10), 10)
    await time.advance(21)
    expect(seen.entries).toHaveLength(1)
    expect(time.pending).toBe(0)
  })

  test('of 0 waits until all has happened that can without time', async () => {
    const time = start()
    const seen = timeline<number>()
    const run = pipeline(
      range(3),
      map(async (n) => n),
      forEach(seen),
    ).run()
    await time.advance(0)
    expect(seen.entries).toEqual([
      [0, 0],
      [0, 1],
      [0, 2],
    ])
    await run
  })

  test('lets every turn of the event loop pass that somebody asks for before the next timer', async () => {
    const time = start()
    const log: string[] = []
    setTimeout(() => {
      void (async () => {
        for (let n = 0; n < 100; n++) await immediate()
        log.push(`slow at ${time.now}`)
      })()
    }, 10)
    setTimeout(() => log.push('next'), 11)
    await time.advance(20)
    expect(log).toEqual(['slow at 10', 'next'])
  })

  test.each([
    ['', process.getActiveResourcesInfo],
    [', where the platform does not tell what it waits for, too', () => []],
  ])('lets work that takes many turns end before the next timer%s', async (_, told) => {
    vi.spyOn(process, 'getActiveResourcesInfo').mockImplementation(told)
    const time = start()
    const heavy = pipeline(
      range(100),
      map((n) => {
        const until = real.now.call(real.performance) + 1
        while (real.now.call(real.performance) < until);
        return n
      }),
      drain(),
    )
    let doneAt = -1
    setTimeout(() => void heavy.run().then(() => (doneAt = time.now)), 10)
    setTimeout(() => {}, 11)
    await time.advance(1_000)
    expect(doneAt).toBe(10)
  })

  test('brings values through ten stages at capacity 0 in no time', async () => {
    const time = start()
    const hop = () =>
      stage<number, number>('hop', async (rx, tx) => {
        for await (const n of rx) await tx.send(n)
      })
    const seen = timeline<number>()
    const [tx, rx] = channel<number>(0)
    const stages = [hop(), hop(), hop(), hop(), hop(), hop(), hop(), hop(), hop(), hop()] as const
    const run = pipeline(source(rx), ...stages, ...([forEach(seen)] as const)).run({ capacity: 0 })
    setTimeout(() => void tx.send(1), 10)
    setTimeout(() => void tx.send(2).then(() => tx.close()), 20)
    await time.advance(20)
    await run
    expect(seen.entries).toEqual([
      [10, 1],
      [20, 2],
    ])
  })

  test('may go on for more than 2^31 milliseconds', async () => {
    const time = start()
    const seen = timeline()
    setTimeout(seen, 2 ** 31 - 1)
    await time.advance(2 ** 33)
    expect(seen.entries).toEqual([[2 ** 31 - 1, undefined]])
    expect(time.now).toBe(2 ** 33)
  })

  test('fires any number of timers that are not all due at once', async () => {
    const time = start()
    const ticks = setInterval(tally, 1)
    let count = 0
    function tally() {
      count++
    }
    await time.advance(10_500)
    clearInterval(ticks)
    expect(count).toBe(10_500)
  })

  test('rejects with what a timer throws, and can go on', async () => {
    const time = start()
    const boom = new Error('boom')
    const seen = timeline()
    setTimeout(() => {
      throw boom
    }, 10)
    setTimeout(seen, 20)
    await expect(time.advance(50)).rejects.toBe(boom)
    expect([time.now, time.pending]).toEqual([10, 1])
    await time.advance(40)
    expect(seen.entries).toHaveLength(1)
  })

  test('does not count its own mark among the timers that wait', async () => {
    const time = start()
    const pending: number[] = []
    setTimeout(() => pending.push(time.pending), 10)
    setTimeout(() => pending.push(time.pending), 20)
    await time.advance(20)
    expect(pending).toEqual([1, 0])
  })

  test.each([-1, 0.5, NaN, Infinity])('takes no %d', (ms) => {
    const time = start()
    expect(() => time.advance(ms)).toThrow('Cannot advance time: "ms" must be an integer >= 0, got')
  })

  test.each([0, -5, undefined])('an interval of %s ticks every millisecond, as in Node', async (ms) => {
    const time = start()
    const seen = timeline<string>()
    const interval = setInterval(seen, ms, 'global')
    const promised = (async () => {
      for await (const tick of every(ms, 'promised')) {
        seen(tick)
        if (time.now === 2) break
      }
    })()
    await time.advance(2)
    await promised
    clearInterval(interval)
    expect(seen.entries.map(([at, name]) => `${name} ${at}`).sort()).toEqual([
      'global 1',
      'global 2',
      'promised 1',
      'promised 2',
    ])
    expect(time.pending).toBe(0)
  })

  test('gives up on timers that come again and again at the same time', { timeout: 20_000 }, async () => {
    const time = start()
    let going = true
    const again = (): void => void immediate().then(() => going && setTimeout(again, 0))
    again()
    await expect(time.advance(10)).rejects.toThrow(
      /^Cannot advance time: timers must come to an end, 10000 have fired/,
    )
    going = false
  })

  test('gives up where work never ends', { timeout: 60_000 }, async () => {
    const time = start()
    let going = true
    const spin = async () => {
      while (going) await immediate()
    }
    const spinning = spin()
    await expect(time.advance(10)).rejects.toThrow(
      /^Cannot advance time: everything must come to rest, work goes on/,
    )
    going = false
    await spinning
  })

  test('refuses to move the time while another call does', async () => {
    const time = start()
    const first = time.advance(10)
    await expect(time.runAll()).rejects.toThrow('another call has not settled')
    await first
    expect(time.now).toBe(10)
  })
})

describe('runAll()', () => {
  test('goes from timer to timer until none is left', async () => {
    const time = start()
    const seen = timeline<string>()
    setTimeout(() => setTimeout(seen, 1_000, 'b'), 500)
    setTimeout(seen, 700, 'a')
    await time.runAll()
    expect(seen.entries).toEqual([
      [700, 'a'],
      [1_500, 'b'],
    ])
    expect(time.pending).toBe(0)
  })

  test('gives up on an interval', { timeout: 20_000 }, async () => {
    const time = start()
    setInterval(() => {}, 10)
    await expect(time.runAll()).rejects.toThrow(
      'Cannot run all timers: timers must come to an end, 10000 have fired and 1 wait at 100000 ms',
    )
  })
})

test.each([[[]], [Promise.resolve({})]])('virtualTime() refuses %o for options', (none) => {
  expect(() => start(none as never)).toThrow('Cannot create virtual time: "options" must be an object, got ')
})

test.each([null, 5, 'now'])('virtualTime() refuses options that are %s', (options) => {
  expect(() => start(options as never)).toThrow(
    new TypeError(
      `Cannot create virtual time: "options" must be an object, got ${typeof options === 'string' ? '"now"' : options}`,
    ),
  )
})

describe('runUntil()', () => {
  test('refuses what is no promise, as a pipeline that nobody has run', async () => {
    const time = start()
    for (const wrong of [pipeline(range(3)), undefined, 5])
      await expect(time.runUntil(wrong as never)).rejects.toThrow(
        /^Cannot run until the promise settles: "promise" must be a promise, got /,
      )
  })

  test('calls the `then` of a thenable once, which may begin the work', async () => {
    const time = start()
    let begun = 0
    const query = {
      then(resolve: (rows: number) => void) {
        begun++
        setTimeout(resolve, 100, begun)
      },
    } as PromiseLike<number>
    expect(await time.runUntil(query)).toBe(1)
    expect([begun, time.now, time.pending]).toEqual([1, 100, 0])
  })

  test('gives what the promise gives, at the time it settles', async () => {
    const time = start()
    const forever = setInterval(() => {}, 7)
    expect(await time.runUntil(sleep(100, 'done'))).toBe('done')
    expect(time.now).toBe(100)
    clearInterval(forever)
    expect(await time.runUntil(Promise.resolve(1))).toBe(1)
    expect(time.now).toBe(100)
  })

  test('rejects with what the promise rejects with', async () => {
    const time = start()
    const failing = pipeline(
      range(3),
      map(() => new Promise((_, reject) => setTimeout(reject, 10, new Error('no')))),
    ).run()
    await expect(time.runUntil(failing)).rejects.toThrow('Stage "map" failed: no')
    expect(time.now).toBe(10)
  })

  test('says so where no timer is left that could settle the promise', async () => {
    const time = start()
    setTimeout(() => {}, 30)
    await expect(time.runUntil(new Promise(() => {}))).rejects.toThrow(
      'Cannot run until the promise settles: a timer must be left, none is at 30 ms',
    )
  })
})

describe('what is virtual', () => {
  test('times and timers of channels and stages', async () => {
    const time = start()
    const [tx, rx] = channel<number>(0)
    const timedOut = rx.recv({ timeout: 100 }).catch((error: { code: string }) => [error.code, time.now])
    const ticks = tick(30)
    await time.advance(95)
    expect([await ticks.recv(), ticks.tryRecv()]).toEqual([30, { ok: false, reason: 'empty' }])
    await time.advance(5)
    expect(await timedOut).toEqual(['TIMEOUT', 100])
    expect(await time.runUntil(after(25).recv())).toBe(125)
    const run = pipeline(source(rx), batch(2, { ms: 50 })).run()
    await tx.send(1)
    await time.advance(50)
    tx.close()
    expect(await run).toEqual([[1]])
    expect(time.pending).toBe(0)
  })

  test('node:timers and node:timers/promises, imported by name', async () => {
    const time = start()
    const log: string[] = []
    void sleep(20).then(() => log.push(`sleep ${time.now}`))
    timersModule.setTimeout(() => log.push(`timers ${time.now}`), 10)
    void scheduler.wait(30).then(() => log.push(`wait ${time.now}`))
    await expect(scheduler.wait(40, { signal: AbortSignal.abort() })).rejects.toThrow('aborted')
    await time.advance(30)
    expect(log).toEqual(['timers 10', 'sleep 20', 'wait 30'])
    time.restore()
    expect(Object.keys(scheduler)).toEqual([])
  })

  test('no timer that was there before: cleared meanwhile, it does not fire', async () => {
    const fired: string[] = []
    const timeout = setTimeout(() => fired.push('timeout'), 1)
    const interval = setInterval(() => fired.push('interval'), 1)
    const time = start()
    clearTimeout(timeout)
    clearInterval(interval)
    time.restore()
    // Real again: it fires behind those that were set before it for an earlier time.
    await sleep(10)
    expect(fired).toEqual([])
  })

  test('Date, from 1970 on or from another date', () => {
    start()
    expect(new Date().toISOString()).toBe('1970-01-01T00:00:00.000Z')
    time?.restore()
    start({ date: new Date('2024-02-29T12:00:00Z') })
    expect(new Date().toISOString()).toBe('2024-02-29T12:00:00.000Z')
    expect([time?.now, performance.now()]).toEqual([0, 0])
  })

  test.each([new Date(NaN), 'today', Infinity, null, true])('not from %s', (date) => {
    expect(() => start({ date: date as number })).toThrow(/^Cannot create virtual time: "date" must be/)
    expect(setTimeout).toBe(real.setTimeout)
  })
})

describe('restore()', () => {
  const globals = () => {
    const { setTimeout, clearTimeout, setInterval, clearInterval, Date, performance } = globalThis
    return { setTimeout, clearTimeout, setInterval, clearInterval, Date, performance, now: performance.now }
  }

  test('brings back every global and every module; leftovers never fire', async () => {
    const { setTimeout: before } = timersModule
    const namedBefore = sleep
    const time = start()
    expect(sleep).not.toBe(namedBefore)
    for (const [name, value] of Object.entries(globals()))
      expect(value, name).not.toBe(real[name as keyof typeof real])
    const fired = vi.fn()
    setTimeout(fired, 1)
    time.restore()
    time.restore()
    expect(globals()).toEqual(real)
    expect([sleep, timersModule.setTimeout]).toEqual([namedBefore, before])
    await sleep(5)
    expect(fired).not.toHaveBeenCalled()
    await expect(time.advance(1)).rejects.toThrow(
      'Cannot advance time: it must be virtual, it has been restored',
    )
  })

  test('ends what moves the time: no timer fires any more, and the next virtual time is not kept from rest', async () => {
    const time = start()
    const fired = vi.fn()
    setTimeout(fired, 1)
    const moves = [time.advance(1)]
    time.restore()
    const next = start()
    moves.push(next.advance(1))
    const [ended, moved] = await Promise.allSettled(moves)
    expect(ended).toMatchObject({
      reason: { message: 'Cannot advance time: it must be virtual, it has been restored' },
    })
    expect(moved).toMatchObject({ status: 'fulfilled' })
    expect(fired).not.toHaveBeenCalled()
  })

  test('is what the end of a block does', () => {
    {
      using time = virtualTime()
      expect(setTimeout).not.toBe(real.setTimeout)
      expect(time.now).toBe(0)
    }
    expect(setTimeout).toBe(real.setTimeout)
  })

  test('is needed before there can be another virtual time', () => {
    const time = start()
    expect(() => virtualTime()).toThrow(
      'Cannot create virtual time: timers must be real, they are faked already',
    )
    time.restore()
    for (const toFake of [['setTimeout'], ['Date']] as const) {
      vi.useFakeTimers({ toFake: [...toFake] })
      expect(() => virtualTime(), toFake[0]).toThrow('they are faked already')
      vi.useRealTimers()
    }
    virtualTime().restore()
  })
})
