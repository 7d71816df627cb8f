/** What `node:diagnostics_channel` is told: all of a run, in order, and nothing after its end. */
import { channel } from 'node:diagnostics_channel'
import { describe, expect, test } from 'vitest'
import {
  concat,
  drain,
  fanOut,
  filter,
  forEach,
  groupBy,
  map,
  pipeline,
  range,
  source,
  stage,
  StageError,
  toArray,
} from 'sluice'
import { virtualTime } from 'sluice/testing'
import { begun, EVENTS, eventsDuring, expectWhole, hearEvents, shortly, type Told } from './support-events.ts'
import { soundGraph } from './support-graphs.ts'
import { anyPipeline } from './support-pipelines.ts'
import { runProgram } from './support-programs.ts'
import { law } from './support-random.ts'
import { naturals, probe } from './support-sources.ts'
import { deferred, never, outcome, rejection, turns, until } from './support-waiting.ts'

const failures = (told: readonly Told[]) => told.filter(({ event }) => event === 'stage:failure')

describe('the events of a run', () => {
  test('that ends as it should: the run begins, its stages begin and end, the run ends', async () => {
    const pipe = pipeline(range(3), map(String), toArray())
    const told = await eventsDuring(() => pipe.run({ name: 'three' }))
    expectWhole(told)
    const events = shortly(told)
    expect(events[0]).toBe('run:start')
    expect(events.slice(1, 4).sort()).toEqual(['stage:start map', 'stage:start range', 'stage:start toArray'])
    expect(events.slice(4)).toEqual(['stage:end range', 'stage:end map', 'stage:end toArray', 'run:end'])
    expect(told[0].pipeline).toBe(pipe)
    expect(told[0].run.name).toBe('three')
    expect(told.some((each) => 'error' in each)).toBe(false)
  })

  test('name the ids of the nodes that describe() gives, and no stage that a user does not know of', async () => {
    const own = stage<number, number>('own', async (rx, tx) => {
      for await (const n of rx) await tx.send(n)
    })
    const told = await eventsDuring(() => pipeline(range(3), fanOut({ own, plain: map((n) => n) })).run())
    expectWhole(told)
    expect(begun(told).sort()).toEqual(
      told[0].run
        .describe()
        .nodes.map(({ id }) => id)
        .sort(),
    )
  })

  test('are told before anything is read: the graph and the stats are there at the start', async () => {
    const input = probe([1])
    const seen: unknown[] = []
    const stop = hearEvents(
      ({ run }) => {
        seen.push(run.describe().nodes.map(({ name, doing }) => `${name} ${doing}`))
        seen.push(run.stats().bottleneck, input.iterated)
      },
      ['run:start'],
    )
    try {
      await pipeline(source(input), drain()).run()
    } finally {
      stop()
    }
    expect(seen).toEqual([['source has not begun', 'drain has not begun'], undefined, 0])
  })

  test('that fails: the failure with its value comes before the end of its stage, and both give the cause', async () => {
    const cause = new Error('odd')
    const odd = (n: number) => (n % 2 ? Promise.reject(cause) : n)
    const told = await eventsDuring(() => outcome(pipeline(range(5), map(odd), drain()).run()))
    expectWhole(told)
    expect(failures(told)).toEqual([
      expect.objectContaining({ stage: 'map', error: cause, value: 1, fatal: true }),
    ])
    const ofMap = told.filter((each) => each.stage === 'map').map(({ event }) => event)
    expect(ofMap).toEqual(['stage:start', 'stage:failure', 'stage:end'])
    const ends = told.filter(({ event }) => event === 'stage:end')
    expect(ends.filter((each) => 'error' in each)).toEqual([
      expect.objectContaining({ stage: 'map', error: cause }),
    ])
    expect(told.at(-1)!.error).toBeInstanceOf(StageError)
    expect((told.at(-1)!.error as StageError).cause).toBe(cause)
  })

  test('give a failure with no value where no value did it, and one of `undefined` where that was thrown', async () => {
    async function* broken() {
      yield 1
      throw undefined
    }
    const told = await eventsDuring(() => outcome(pipeline(source(broken()), drain()).run()))
    expectWhole(told)
    const [failure] = failures(told)
    expect('error' in failure).toBe(true)
    expect(failure.error).toBe(undefined)
    expect('value' in failure).toBe(false)
    const end = told.find(({ event, stage }) => event === 'stage:end' && stage === 'source')!
    expect('error' in end).toBe(true)
  })

  test('say of a failure only where it happened: not of a stage of the same name and place that passed it on', async () => {
    const same = stage<number, number>('same', async (rx, tx) => {
      for await (const n of rx) await tx.send(n)
    })
    const broken = map(
      (n: number) => {
        if (n === 1) throw new Error('broken')
        return n
      },
      { name: 'same' },
    )
    const branch = pipeline(
      filter((_: number) => true),
      same,
    )
    const told = await eventsDuring(() => outcome(pipeline(range(3), broken, fanOut({ branch })).run()))
    expectWhole(told)
    const ends = told.filter(({ event, stage }) => event === 'stage:end' && stage === 'same')
    expect(ends).toHaveLength(2)
    const culprit = failures(told)[0].id
    for (const end of ends) expect('error' in end).toBe(end.id === culprit)
  })

  test('count a value that is skipped as a failure that ends nothing', async () => {
    const odd = async (n: number) => (n % 2 ? Promise.reject(new Error(`no ${n}`)) : n)
    const retry = { attempts: 2, delay: 0 }
    const told = await eventsDuring(() =>
      pipeline(range(4), map(odd, { onError: 'skip', retry }), drain()).run(),
    )
    expectWhole(told)
    expect(failures(told).map(({ value, attempts, fatal }) => ({ value, attempts, fatal }))).toEqual([
      { value: 1, attempts: 2, fatal: false },
      { value: 3, attempts: 2, fatal: false },
    ])
    expect(told.filter((each) => each.event !== 'stage:failure' && 'error' in each)).toEqual([])
  })

  test('tell a value that onError takes before its handler is called', async () => {
    const log: string[] = []
    const stop = hearEvents(({ value }) => void log.push(`told ${String(value)}`), ['stage:failure'])
    const fail = () => {
      throw new Error('no')
    }
    const onError = ({ value }: { value: number }) => void log.push(`handled ${value}`)
    try {
      await pipeline(range(2), map(fail, { onError }), drain()).run()
    } finally {
      stop()
    }
    expect(log).toEqual(['told 0', 'handled 0', 'told 1', 'handled 1'])
  })

  test('tell both failures where the handler throws, and the stage counts one value', async () => {
    const first = new Error('the value')
    const second = new Error('the handler')
    const onError = () => {
      throw second
    }
    const run = pipeline(
      range(1),
      map(() => Promise.reject(first), { onError }),
      drain(),
    )
    const told = await eventsDuring(() => outcome(run.run()))
    expectWhole(told)
    expect(failures(told).map(({ error, fatal }) => [error, fatal])).toEqual([
      [first, false],
      [second, true],
    ])
    expect(told[0].run.stats().stages[1].failed).toBe(1)
  })

  test('that is aborted with calls in flight: each stage ends before the run, and late calls tell nothing', async () => {
    const call = deferred<number>()
    const late = new Error('too late')
    const told = await eventsDuring(async () => {
      let calls = 0
      const run = pipeline(
        source(naturals),
        map(() => (calls++, call.promise), { concurrency: 3 }),
        map(never),
        drain(),
      ).start()
      await until(() => calls === 3)
      await Promise.all([rejection(run.result), run.abort('enough')])
      call.reject(late)
    })
    expectWhole(told)
    expect(begun(told)).toHaveLength(4)
    expect(told.at(-1)).toMatchObject({ event: 'run:end', error: 'enough' })
    expect(failures(told)).toEqual([])
  })

  test('that is aborted: a clean-up that fails after the end tells nothing', async () => {
    const cleaning = deferred()
    const told = await eventsDuring(async () => {
      const input = {
        [Symbol.asyncIterator]: () => ({
          next: () => Promise.resolve({ done: false as const, value: 1 }),
          return: () => cleaning.promise.then(() => Promise.reject(new Error('clean-up'))),
        }),
      }
      let calls = 0
      const run = pipeline(
        source(input),
        map(() => (calls++, never())),
        drain(),
      ).start()
      await until(() => calls === 1)
      const ended = Promise.all([rejection(run.result), run.abort('enough')])
      cleaning.resolve()
      await ended
    })
    expectWhole(told)
    expect(told.at(-1)).toMatchObject({ event: 'run:end', error: 'enough' })
  })

  test('that is stopped past its deadline end with the DrainTimeoutError', async () => {
    using time = virtualTime()
    const told = await eventsDuring(async () => {
      const run = pipeline(source(naturals), forEach(never)).start()
      await time.advance(0)
      const stopped = outcome(run.stop({ deadline: 50 }))
      const result = rejection(run.result)
      await time.advance(50)
      await Promise.all([stopped, result])
    })
    expectWhole(told)
    expect(told.at(-1)!.error).toMatchObject({ name: 'DrainTimeoutError', stages: ['forEach'] })
  })

  test('that is stopped and drains end without an error', async () => {
    const told = await eventsDuring(async () => {
      const run = pipeline(source(naturals), drain()).start()
      await turns(2)
      await run.stop()
    })
    expectWhole(told)
    expect('error' in told.at(-1)!).toBe(false)
  })

  test('that never began, as its signal had aborted: nothing is told', async () => {
    const told = await eventsDuring(() =>
      rejection(pipeline(range(3), drain()).run({ signal: AbortSignal.abort() })),
    )
    expect(told).toEqual([])
  })

  test('whose signal aborts end with its reason', async () => {
    const controller = new AbortController()
    const told = await eventsDuring(async () => {
      const result = rejection(pipeline(source(naturals), map(never), drain()).run(controller))
      await turns(2)
      controller.abort('over')
      await result
    })
    expectWhole(told)
    expect(told.at(-1)).toMatchObject({ event: 'run:end', error: 'over' })
  })

  test('include branches of groupBy that come up later, and inputs of concat in their turn', async () => {
    const told = await eventsDuring(() =>
      pipeline(
        concat(range(2), pipeline(range(2, 4, 1, { name: 'second' }))),
        groupBy(
          (n) => n,
          (key) => map((n) => n, { name: `of ${key}` }),
        ),
        drain(),
      ).run(),
    )
    expectWhole(told)
    const events = shortly(told)
    for (const stage of ['second', 'of 0', 'of 1', 'of 2', 'of 3']) {
      expect(events).toContain(`stage:start ${stage}`)
      expect(events).toContain(`stage:end ${stage}`)
    }
    expect(events.indexOf('stage:end range')).toBeLessThan(events.indexOf('stage:start second'))
  })

  test('of a loop end when it is left, and name the pipeline that is looped over', async () => {
    const pipe = pipeline(source(naturals), map(String))
    const told = await eventsDuring(async () => {
      for await (const text of pipe) if (text === '3') break
    })
    expectWhole(told)
    expect(told[0].pipeline).toBe(pipe)
    expect(begun(told)).toHaveLength(2)
  })

  test('of a loop that nobody asks for a value are not told', async () => {
    const told = await eventsDuring(async () => {
      const loop = pipeline(range(3))[Symbol.asyncIterator]()
      await loop.return!()
    })
    expect(told).toEqual([])
  })

  test('are whole of any pipeline, however it is put together and however it ends', async () => {
    await law(80, async (random) => {
      const pipe = anyPipeline(random, random.pick([3, 300]))
      const how = random.int(0, 3)
      const told = await eventsDuring(async () => {
        const run = pipe.start({ capacity: random.int(0, 3) })
        const end = outcome(run.result)
        await turns(random.int(0, 3))
        if (how === 1) await run.abort()
        if (how === 2) await outcome(run.stop())
        if (how === 3) await outcome(run.stop({ deadline: 0 }))
        await end
        soundGraph(run)
      })
      expectWhole(told)
      const nodes = told[0].run.describe().nodes.map(({ id }) => id)
      expect(begun(told).every((id) => nodes.includes(id!))).toBe(true)
      if (how === 0) expect(begun(told)).toHaveLength(nodes.length)
    })
  })

  test('of two runs at the same time are told apart by `run`, though the pipeline is one', async () => {
    const pipe = pipeline(
      range(20),
      map(async (n) => (await turns(1), n)),
      drain(),
    )
    const told = await eventsDuring(() => Promise.all([pipe.run({ name: 'a' }), pipe.run({ name: 'b' })]))
    expectWhole(told)
    expect(new Set(told.map(({ run }) => run.name))).toEqual(new Set(['a', 'b']))
    const ends = shortly(told).flatMap((event, place) => (event === 'run:end' ? place : []))
    const lastStart = shortly(told).lastIndexOf('run:start')
    expect(lastStart).toBeLessThan(ends[0])
  })
})

describe('an observer', () => {
  test.each(['run:start', 'stage:start', 'stage:end', 'stage:failure'] as const)(
    'may abort the run at %s: what has begun ends, and nothing is told after the end',
    async (event) => {
      const odd = (n: number) => (n % 2 ? Promise.reject(new Error('odd')) : n)
      const told = await eventsDuring(async () => {
        // Heard after what writes it down: the end is told while this is.
        const stop = hearEvents(({ run }) => void run.abort('by an observer'), [event])
        await outcome(pipeline(range(4), map(odd, { onError: 'skip' }), map(String), drain()).run())
        stop()
      })
      expectWhole(told)
      expect(told.filter((each) => each.event === event).length).toBeGreaterThan(0)
      expect(told.at(-1)).toMatchObject({ event: 'run:end', error: 'by an observer' })
    },
  )

  test('that aborts at run:stall ends the run, and its watchdog', async () => {
    using time = virtualTime()
    const told = await eventsDuring(async () => {
      const stop = hearEvents(({ run }) => void run.abort('stalled'), ['run:stall'])
      const run = pipeline(range(3), map(never), drain()).start({ stallAfter: 100 })
      const end = rejection(run.result)
      await time.advance(1_000)
      stop()
      expect(await end).toBe('stalled')
      expect(time.pending).toBe(0)
    })
    expectWhole(told)
    expect(told.filter(({ event }) => event === 'run:stall')).toHaveLength(1)
  })

  test('that throws breaks no run: its error is an uncaught one, as everywhere in diagnostics_channel', async () => {
    const { code, stdout, stderr } = await runProgram('observer-that-throws')
    expect(stderr).toBe('')
    const lines = stdout.trim().split('\n')
    expect(lines).toContain('result 0,1,2')
    expect(lines.filter((line) => line.startsWith('uncaught'))).toEqual(
      ['run:start', 'stage:start', 'stage:start', 'stage:end', 'stage:end', 'run:end'].map(
        (event) => `uncaught at ${event}`,
      ),
    )
    expect(code).toBe(0)
  }, 20_000)

  test('that is gone, or never was there, is published nothing', async () => {
    const published: string[] = []
    const channels = EVENTS.map((event) => channel(`sluice:${event}`))
    for (const [place, each] of channels.entries()) {
      const { publish } = each
      each.publish = function (message) {
        published.push(EVENTS[place])
        publish.call(this, message)
      }
    }
    const work = () => pipeline(range(3), map(String), drain()).run()
    try {
      await work()
      expect(published).toEqual([])
      hearEvents(() => {})()
      await work()
      expect(published).toEqual([])
      await eventsDuring(work)
      expect(published).toContain('stage:start')
    } finally {
      for (const each of channels) Reflect.deleteProperty(each, 'publish')
    }
  })
})
