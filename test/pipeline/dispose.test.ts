/** `await using run = pipeline(…).start()`: at the end of the block the run has ended, whatever it was doing. */
import { describe, expect, test } from 'vitest'
import { drain, forEach, map, pipeline, range, source, toArray } from 'sluice'
import { unhandledDuring } from './support-leaks.ts'
import { runProgram } from './support-programs.ts'
import { naturals, probe, upTo } from './support-sources.ts'
import { never, outcome, turns, until } from './support-waiting.ts'

describe('disposing of a run', () => {
  test('ends it: the source is closed and nothing acts afterwards', async () => {
    const input = probe(naturals)
    const log: number[] = []
    {
      await using run = pipeline(
        source(input),
        forEach((n) => void log.push(n)),
      ).start()
      await until(() => log.length > 3)
      expect(run.stats().stages).toHaveLength(2)
    }
    const acted = log.length
    const { pulled } = input
    await turns(3)
    expect(input).toMatchObject({ returned: 1, pulled })
    expect(log.length).toBe(acted)
  })

  test('takes its rejection where nobody else looks at the result', async () => {
    const unhandled = await unhandledDuring(async () => {
      await using run = pipeline(source(naturals), map(never), drain()).start()
      await turns(2)
      expect(run.stats().stages[1]?.sent).toBe(0)
    })
    expect(unhandled).toEqual([])
  })

  test('ends a run whose source is stuck', async () => {
    const input = probe(upTo(1), 'hang')
    {
      await using run = pipeline(source(input), drain()).start()
      await until(() => input.hangs)
      expect(run.stats().stages[0]?.sent).toBe(1)
    }
    expect(input.returned).toBe(1)
  })

  test('rejects a result that somebody waits for', async () => {
    const run = pipeline(source(naturals), drain()).start()
    const end = outcome(run.result)
    await run[Symbol.asyncDispose]()
    expect((await end).state).toBe('rejected')
  })

  test('after the end changes nothing', async () => {
    const run = pipeline(range(3), toArray()).start()
    expect(await run.result).toEqual([0, 1, 2])
    await run[Symbol.asyncDispose]()
    await run[Symbol.asyncDispose]()
    expect(await run.result).toEqual([0, 1, 2])
  })

  test('after a failure nobody looked at takes that rejection, too', async () => {
    const unhandled = await unhandledDuring(async () => {
      const run = pipeline(
        source(naturals),
        map(async () => Promise.reject(new Error('boom'))),
        drain(),
      ).start()
      await run[Symbol.asyncDispose]()
    })
    expect(unhandled).toEqual([])
  })
})

test('a failed result that nobody looks at is reported as any rejection is', async () => {
  const { code, stderr } = await runProgram('unobserved-result')
  expect(stderr).toContain('StageError')
  expect(code).toBe(1)
}, 20_000)
