/** Inputs found by a review of the engine after it was made faster: each made it wait, starve timers or tell wrong shares. */
import { describe, expect, test } from 'vitest'
import { channel, drain, filter, forEach, map, pipeline, range, source } from 'sluice'
import { turns } from './support-waiting.ts'

describe('a value that comes alone', () => {
  test('passes all stages at once while another pipeline is busy', async () => {
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
  test('are never negative, where the run ends within a step', async () => {
    for (let round = 0; round < 400; round++) {
      const run = pipeline(range(300), drain()).start()
      await run.result
      for (const { busy, waitingInput, waitingOutput } of run.stats().stages)
        expect(Math.min(busy, waitingInput, waitingOutput)).toBeGreaterThanOrEqual(0)
    }
  })
})
