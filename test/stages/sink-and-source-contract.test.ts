/**
 * What holds for every sink and for every source, at every capacity. The rows are in `end-rows.ts`.
 */
import { describe, expect, test } from 'vitest'
import { drain, forEach, map, pipeline, source, take, toArray } from 'sluice'
import { abortListeners, stageError, timersLeftBy, unhandledDuring } from '../pipeline/support-leaks.ts'
import { cycle, probe, upTo } from '../pipeline/support-sources.ts'
import { never, rejection, stable, turns, until } from '../pipeline/support-waiting.ts'
import { sinkRows, sourceRows } from './end-rows.ts'

const capacities = [0, 1, 2, 256]
const sinkCases = sinkRows.flatMap((row) => capacities.map((capacity) => ({ ...row, row, capacity })))
const sourceCases = sourceRows.flatMap((row) => capacities.map((capacity) => ({ ...row, row, capacity })))

describe.each(sinkCases)('$title at capacity $capacity', ({ row, failing, capacity }) => {
  test('gives its result when its input ends, and does not call `return`', async () => {
    const input = probe(row.input)
    const seen: unknown[] = []
    expect(await pipeline(source(input), row.build(seen)).run({ capacity })).toEqual(row.result)
    expect(seen).toEqual(row.seen ?? [])
    expect(input).toMatchObject({ pulled: row.input.length, returned: 0, overlaps: 0 })
  })

  test('acts on what came before a failure, and the run fails with the one who failed', async () => {
    const boom = new Error('source')
    const seen: unknown[] = []
    const run = pipeline(source(probe(row.input, { error: boom })), row.build(seen)).run({ capacity })
    const error = await stageError(run)
    expect(error).toMatchObject({ stage: 'source', index: 0, suppressed: [] })
    expect(error.cause).toBe(boom)
    expect(seen).toEqual(row.seen ?? [])
  })

  test('ends at once with the reason of an abort, even where its source is stuck', async () => {
    const input = probe(row.input, 'hang')
    const controller = new AbortController()
    const seen: unknown[] = []
    const run = pipeline(source(input), row.build(seen)).run({ capacity, signal: controller.signal })
    await until(() => input.hangs)
    const reason = new Error('enough')
    controller.abort(reason)
    expect(await rejection(run)).toBe(reason)
    expect(input.returned).toBe(1)
    const acted = seen.length
    await turns(3)
    expect(seen.length).toBe(acted)
  })

  test('leaves no listener, timer or rejection behind', async () => {
    const { signal } = new AbortController()
    const unhandled = await unhandledDuring(async () => {
      const timers = await timersLeftBy(async () => {
        await pipeline(source(row.input), row.build([])).run({ capacity, signal })
        const broken = probe(row.input, { error: new Error('source') })
        await rejection(pipeline(source(broken), row.build([])).run({ capacity, signal }))
        const run = pipeline(source(probe(row.input, 'hang')), row.build([])).start({ capacity, signal })
        await Promise.all([rejection(run.result), run.abort()])
      })
      expect(timers).toBe(0)
    })
    expect(abortListeners(signal)).toBe(0)
    expect(unhandled).toEqual([])
  })

  if (!row.oneShot)
    test('runs twice, one after the other and side by side', async () => {
      const seen: unknown[] = []
      const twice = pipeline(source(row.input), row.build(seen))
      expect(await twice.run({ capacity })).toEqual(row.result)
      expect(await Promise.all([twice.run({ capacity }), twice.run({ capacity })])).toEqual([
        row.result,
        row.result,
      ])
      expect(seen).toHaveLength((row.seen?.length ?? 0) * 3)
    })

  if (failing)
    test('that throws fails the run with its name, index, value and cause', async () => {
      const boom = new Error('sink')
      const input = probe(cycle(row.input))
      const sink = failing.build(boom)
      const error = await stageError(pipeline(source(input), sink).run({ capacity }))
      expect(error).toMatchObject({ stage: row.name, index: 1, value: failing.value, suppressed: [] })
      expect(error.cause).toBe(boom)
      expect(input.returned).toBe(1)
    })
})

describe.each(sinkRows)('$title', (row) => {
  test('describes itself as plain data and has no output to count', async () => {
    const pipe = pipeline(source(row.input), row.build([]))
    const graph = pipe.describe()
    expect(graph.nodes.map((node) => node.name)).toEqual(['source', row.name, ...(row.inside ?? [])])
    expect(JSON.parse(JSON.stringify(graph))).toEqual(graph)
    const run = pipe.start()
    await run.result
    const last = run.stats().stages[1]
    expect(last).toMatchObject({ name: row.name, index: 1, received: row.input.length, failed: 0 })
    expect(last?.output).toBeUndefined()
  })
})

describe.each(sourceCases)('$title at capacity $capacity', ({ row, capacity }) => {
  test('gives its values and ends, and does not call `return`', async () => {
    const input = probe(upTo(3))
    expect(await pipeline(row.build(input), toArray()).run({ capacity })).toEqual(row.output)
    expect(input).toMatchObject({ pulled: row.reads ? 3 : 0, returned: 0, overlaps: 0 })
  })

  test('gives the first value and ends when the reader leaves', async () => {
    const input = probe(cycle(upTo(3)))
    expect(await pipeline(row.build(input), take(1), toArray()).run({ capacity })).toEqual(
      row.output.slice(0, 1),
    )
    await turns(2)
    expect(input.returned).toBe(row.reads ? 1 : 0)
  })

  test('is left alone by a run whose signal had aborted before', async () => {
    const input = probe(upTo(3))
    const signal = AbortSignal.abort(new Error('before'))
    expect(await rejection(pipeline(row.build(input), drain()).run({ capacity, signal }))).toBe(signal.reason)
    expect(input.pulled).toBe(0)
  })

  if (!row.oneShot)
    test('runs twice, one after the other and side by side', async () => {
      const twice = pipeline(row.build(probe(upTo(3))), toArray())
      expect(await twice.run({ capacity })).toEqual(row.output)
      expect(await Promise.all([twice.run({ capacity }), twice.run({ capacity })])).toEqual([
        row.output,
        row.output,
      ])
    })

  test('leaves no listener, timer or rejection behind', async () => {
    const { signal } = new AbortController()
    const unhandled = await unhandledDuring(async () => {
      const timers = await timersLeftBy(async () => {
        await pipeline(row.build(probe(upTo(3))), drain()).run({ capacity, signal })
        const broken = probe(upTo(3), { error: new Error('source') })
        const run = pipeline(row.build(broken), map(never), drain()).start({ capacity, signal })
        await Promise.all([rejection(run.result), run.abort()])
      })
      expect(timers).toBe(0)
    })
    expect(abortListeners(signal)).toBe(0)
    expect(unhandled).toEqual([])
  })
})

const watched = sourceCases.filter((each) => each.reads)

describe.each(watched)('$title that reads something, at capacity $capacity', ({ row, capacity }) => {
  test('fails the run with its name and no value when what it reads fails', async () => {
    const boom = new Error('input')
    const seen: unknown[] = []
    const run = pipeline(
      row.build(probe(upTo(3), { error: boom })),
      forEach((value) => void seen.push(value)),
    ).run({ capacity })
    const error = await stageError(run)
    expect(error.cause).toBe(boom)
    expect(error.index).toBe(0)
    expect(error.value).toBeUndefined()
    expect(seen).toEqual(row.output)
  })

  test('ends at once with the reason of an abort where what it reads is stuck', async () => {
    const input = probe(upTo(3), 'hang')
    const controller = new AbortController()
    const run = pipeline(row.build(input), drain()).run({ capacity, signal: controller.signal })
    await until(() => input.hangs)
    const reason = new Error('enough')
    controller.abort(reason)
    expect(await rejection(run)).toBe(reason)
    expect(input.returned).toBe(1)
  })

  test('reads no more ahead than one value and the capacities its graph shows', async () => {
    const input = probe(cycle(upTo(3)))
    const pipe = pipeline(row.build(input), forEach(never))
    const run = pipe.start({ capacity })
    await stable(() => input.pulled)
    const inputs = row.joins ? 2 : 1
    expect(input.pulled).toBeLessThanOrEqual(capacity * inputs + inputs + 1)
    await Promise.all([rejection(run.result), run.abort()])
  })
})
