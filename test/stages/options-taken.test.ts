/** Options are taken when a stage is made: each is read once, and what becomes of them later does not matter. */
import { expect, test } from 'vitest'
import * as sluice from 'sluice'
import { pipeline, range, type CallOptions } from 'sluice'

/** Options with getters, inherited ones: says how often each was read. */
function watched(values: object) {
  const reads: Record<string, number> = {}
  const options: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(values))
    Object.defineProperty(options, name, {
      get: () => ((reads[name] = (reads[name] ?? 0) + 1), value as unknown),
    })
  return { reads, options: Object.create(options) as CallOptions<number> }
}

const one = (n: number) => n
const makers = {
  map: (options) => [sluice.map(one, options)],
  filter: (options) => [sluice.filter(one, options)],
  tap: (options) => [sluice.tap(one, options)],
  scan: (options) => [sluice.scan((sum: number, n: number) => sum + n, 0, options)],
  flatMap: (options) => [sluice.flatMap((n: number) => [n], options)],
  takeWhile: (options) => [sluice.takeWhile(one, options)],
  dropWhile: (options) => [sluice.dropWhile(one, options)],
  distinct: (options) => [sluice.distinct(one, options)],
  route: (options) => [sluice.route((_: number) => 'a', { a: sluice.drop<number>(0) }, options)],
  groupBy: (options) => [sluice.groupBy(one, () => sluice.drop<number>(0), options)],
  forEach: (options) => [sluice.forEach(one, options)],
  reduce: (options) => [sluice.reduce((sum: number, n: number) => sum + n, 0, options)],
} satisfies Record<string, (options: CallOptions<number>) => unknown[]>

test.each(Object.entries(makers))(
  '%s() reads each option of its calls once, when it is made',
  async (_, make) => {
    const by = watched({ by: one })
    const retry = watched({ attempts: 2, delay: 0, factor: 1, maxDelay: 0, jitter: 0, when: () => true })
    const { reads, options } = watched({
      ordered: by.options,
      retry: retry.options,
      concurrency: 2,
      timeout: 60_000,
      onError: 'skip',
    })
    const [piece] = make(options) as [sluice.Stage<number, unknown>]
    for (let runs = 0; runs < 2; runs++) await pipeline(range(3), piece).run()
    const counts = [reads, by.reads, retry.reads].flatMap((each) => Object.entries(each))
    expect(counts).toHaveLength(12)
    expect(counts.filter(([, count]) => count !== 1)).toEqual([])
  },
)

test('what becomes of options later does not matter', async () => {
  let atOnce = 0
  let most = 0
  const options = { concurrency: 2 }
  const busy = sluice.map<number, void>(async () => {
    most = Math.max(most, ++atOnce)
    await Promise.resolve()
    atOnce--
  }, options)
  const pace = { count: 1000, per: 1 }
  const slow = sluice.throttle<void>(pace)
  Object.assign(options, { concurrency: 9, onError: 'wrong' })
  pace.count = NaN
  expect(await pipeline(range(20), busy, slow).run()).toHaveLength(20)
  expect(most).toBe(2)
})
