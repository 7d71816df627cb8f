// Very many inputs or stages. No timing is asserted; but if all were looked at for each of them, that would take minutes,
// and the limit of twenty seconds would end it.
import { count, map, pipeline, source, type Stage, zip } from 'sluice'
import { expect, it } from 'vitest'
import { deferred } from '../pipeline/support-waiting.ts'

it(
  'zip waits for very many inputs that come one by one, as mergeSorted does',
  { timeout: 20_000 },
  async () => {
    const inputs = Array.from({ length: 20_000 }, () => deferred<number[]>())
    const counted = pipeline(zip(...inputs.map(({ promise }) => promise)), count()).run()
    for (const [i, { resolve }] of inputs.entries()) {
      resolve([i])
      await new Promise(setImmediate)
    }
    expect(await counted).toBe(1)
  },
)

it('a failure passes through very many stages', { timeout: 20_000 }, async () => {
  const all = pipeline as unknown as (...stages: Stage<number, number>[]) => Stage<number, number>
  const long = all(...Array.from({ length: 30_000 }, () => map((n: number) => n)))
  const failing = source(Promise.reject<number[]>(new Error('boom')))
  await expect(pipeline(failing, long).run()).rejects.toThrow('Stage "source" failed: boom')
})
