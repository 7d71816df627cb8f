/**
 * What holds for every stage between a source and a sink, at every capacity. The rows are in `stage-rows.ts`
 * and `pace-rows.ts`.
 */
import { describe, expect, test } from 'vitest'
import { drain, forEach, pipeline, source, take, toArray } from 'sluice'
import { abortListeners, stageError, timersLeftBy, unhandledDuring } from '../pipeline/support-leaks.ts'
import { cycle, probe } from '../pipeline/support-sources.ts'
import { never, rejection, stable, turns, until } from '../pipeline/support-waiting.ts'
import { paceRows } from './pace-rows.ts'
import { stageRows, type StageRow } from './stage-rows.ts'

const capacities = [0, 1, 2, 256]
const rows = [...stageRows, ...paceRows]
const cases = rows.flatMap((row) => capacities.map((capacity) => ({ ...row, row, capacity })))

/** Values for the stage that never end. */
const endless = ({ endless: more, input }: StageRow): Iterable<unknown> => more?.() ?? cycle(input)

/** How many values may be under way between a source and a sink that does not read. */
function boundOf({ holds = 1, weight = 1, channels = 0 }: StageRow, capacity: number): number {
  const inSource = 1
  const inSink = weight
  return inSource + capacity * (1 + channels) + holds + capacity * weight + inSink
}

describe.each(cases)('$title at capacity $capacity', ({ row, capacity }) => {
  test('gives its output and closes it when its input ends', async () => {
    const input = probe(row.input)
    expect(await pipeline(source(input), row.build(), toArray()).run({ capacity })).toEqual(row.output)
    expect(input.pulled).toBe(row.input.length)
    expect(input.overlaps).toBe(0)
  })

  test('never calls the `return` of a source that ended by itself', async () => {
    const input = probe(row.input)
    await pipeline(source(input), row.build(), drain()).run({ capacity })
    await turns(2)
    expect(input.returned).toBe(0)
  })

  if (!row.drops)
    test('calls the `return` of its source once when the reader leaves', async () => {
      const input = probe(endless(row))
      await pipeline(source(input), row.build(), take(2), drain()).run({ capacity })
      expect(input.returned).toBe(1)
      const { pulled } = input
      await turns(3)
      expect(input.returned).toBe(1)
      expect(input.pulled).toBe(pulled)
    })

  if (!row.drops)
    test('calls the `return` of its source once when the reader fails', async () => {
      const input = probe(endless(row))
      const boom = new Error('sink')
      const sink = forEach(() => {
        throw boom
      })
      const error = await stageError(pipeline(source(input), row.build(), sink).run({ capacity }))
      expect(error).toMatchObject({ stage: 'forEach', index: 2, cause: boom, value: row.output[0] })
      expect(input.returned).toBe(1)
    })

  test('passes on what its source gave before the source failed', async () => {
    const boom = new Error('source')
    const input = probe(row.input, { error: boom })
    const seen: unknown[] = []
    const run = pipeline(
      source(input),
      row.build(),
      forEach((value) => void seen.push(value)),
    ).run({ capacity })
    const error = await stageError(run)
    expect(seen).toEqual(row.output)
    expect(error).toMatchObject({ stage: 'source', index: 0, suppressed: [] })
    expect(error.cause).toBe(boom)
    expect(error.value).toBeUndefined()
  })

  test('leaves no rejection unhandled when its source fails', async () => {
    const unhandled = await unhandledDuring(() => {
      const input = probe(row.input, { error: new Error('source') })
      return rejection(pipeline(source(input), row.build(), drain()).run({ capacity }))
    })
    expect(unhandled).toEqual([])
  })

  test('ends at once with the reason of an abort, even where its source is stuck', async () => {
    const input = probe(row.input, 'hang')
    const controller = new AbortController()
    const seen: unknown[] = []
    const run = pipeline(
      source(input),
      row.build(),
      forEach((value) => void seen.push(value)),
    ).run({ capacity, signal: controller.signal })
    await until(() => input.hangs)
    const reason = new Error('enough')
    controller.abort(reason)
    expect(await rejection(run)).toBe(reason)
    expect(input.returned).toBe(1)
    const acted = seen.length
    await turns(3)
    expect(seen.length).toBe(acted)
  })

  if (!row.drops)
    test('holds no more than its bound when the sink does not read', async () => {
      const input = probe(endless(row))
      let delivered = 0
      const sink = forEach(() => {
        delivered++
        return never()
      })
      const run = pipeline(source(input), row.build(), sink).start({ capacity })
      await until(() => delivered > 0)
      await stable(() => input.pulled)
      expect(input.pulled).toBeLessThanOrEqual(boundOf(row, capacity))
      expect(delivered).toBe(1)
      await Promise.all([rejection(run.result), run.abort()])
    })

  test('leaves no listener on a signal and no timer after a run, however it ended', async () => {
    const { signal } = new AbortController()
    const timers = await timersLeftBy(async () => {
      await pipeline(source(row.input), row.build(), drain()).run({ capacity, signal })
      const some = row.drops ? row.input : endless(row)
      await pipeline(source(some), row.build(), take(1), drain()).run({ capacity, signal })
      const broken = probe(row.input, { error: new Error('source') })
      await rejection(pipeline(source(broken), row.build(), drain()).run({ capacity, signal }))
      const run = pipeline(source(probe(row.input, 'hang')), row.build(), drain()).start({ capacity, signal })
      await Promise.all([rejection(run.result), run.abort()])
    })
    expect(abortListeners(signal)).toBe(0)
    expect(timers).toBe(0)
  })

  test('runs twice, one after the other and side by side', async () => {
    const twice = pipeline(source(row.input), row.build(), toArray())
    expect(await twice.run({ capacity })).toEqual(row.output)
    expect(await twice.run({ capacity })).toEqual(row.output)
    expect(await Promise.all([twice.run({ capacity }), twice.run({ capacity })])).toEqual([
      row.output,
      row.output,
    ])
  })
})

describe.each(rows)('$title', (row) => {
  test('describes itself as plain data, without reading anything', () => {
    const input = probe(row.input)
    const graph = pipeline(source(input, { capacity: 7 }), row.build(), drain()).describe()
    expect(graph.nodes.map((node) => node.name)).toEqual(['source', row.name, ...(row.inside ?? []), 'drain'])
    expect(new Set(graph.edges.map((edge) => edge.capacity))).toEqual(new Set([7, 256]))
    expect(JSON.parse(JSON.stringify(graph))).toEqual(graph)
    expect(input.iterated).toBe(0)
  })

  test('is counted under its name', async () => {
    const run = pipeline(source(row.input), row.build(), drain()).start()
    await run.result
    expect(run.stats().stages[1]).toMatchObject({
      name: row.name,
      index: 1,
      received: row.input.length,
      sent: row.output.length,
      failed: 0,
    })
  })
})

const failingCases = cases.flatMap((each) => (each.failing ? [{ ...each, failing: each.failing }] : []))

describe.each(failingCases)('$title that throws, at capacity $capacity', ({ row, failing, capacity }) => {
  test('fails the run with its name, index, value and cause, after passing on what came before', async () => {
    const boom = new Error('stage')
    const input = probe(row.input)
    const seen: unknown[] = []
    const run = pipeline(
      source(input),
      failing.build(boom),
      forEach((value) => void seen.push(value)),
    ).run({ capacity })
    const error = await stageError(run)
    expect(error).toMatchObject({ name: 'StageError', stage: row.name, index: 1, suppressed: [] })
    expect(error.cause).toBe(boom)
    expect(error.value).toEqual(failing.value)
    expect(seen).toEqual(failing.before)
  })

  test('closes its endless source once and leaves no rejection unhandled', async () => {
    const input = probe(endless(row))
    const unhandled = await unhandledDuring(() =>
      rejection(pipeline(source(input), failing.build(new Error('stage')), drain()).run({ capacity })),
    )
    expect(input.returned).toBe(1)
    expect(unhandled).toEqual([])
  })

  test('does not wait for a source that hangs', async () => {
    const input = probe(row.input, 'hang')
    const boom = new Error('stage')
    const run = pipeline(source(input), failing.build(boom), drain()).run({ capacity })
    expect((await stageError(run)).cause).toBe(boom)
  })
})
