/**
 * Options that a program hands on may be `undefined`, as its own options are: with `exactOptionalPropertyTypes`, which
 * `tsc` has on for this file, too. vitest runs it.
 */
import { expect, test } from 'vitest'
import {
  batch,
  buffer,
  type CallOptions,
  channel,
  map,
  pipeline,
  range,
  select,
  type StageOptions,
  throttle,
} from 'sluice'
import type { AppendLogOptions, CsvOptions, CsvWriteOptions, LineOptions, RotateOptions } from 'sluice/io'
import type { ReadSqliteOptions } from 'sluice/sqlite'
import { type PictureOptions, toMermaid } from 'sluice/inspect'

/** The options of a program of its own. */
interface Own {
  signal?: AbortSignal
  ms?: number
  on?: (value: unknown) => void
}

test('options of stages, runs, channels and waits may be handed on where they are undefined', async () => {
  const work = async ({ signal, ms, on }: Own): Promise<(number | undefined)[][]> => {
    const [tx, rx] = channel<number>(1, { name: undefined, onUndelivered: on })
    await tx.send(7, { signal, timeout: ms })
    await select({ rx }, { signal, biased: undefined })
    rx.values({ preventClose: undefined })
    const pipe = pipeline(
      range(3),
      map((n) => n, { onError: on, timeout: ms, retry: { delay: ms, when: undefined }, ordered: undefined }),
      buffer(4, 'block', { onUndelivered: on, capacity: undefined }),
      throttle({ count: 100, per: 1, burst: undefined }),
      batch(3, { ms, bytes: undefined, sizeOf: undefined }),
    )
    const run = pipe.start({ signal, name: undefined, stallAfter: ms })
    const values = await run.result
    await run.stop({ deadline: ms })
    toMermaid(pipe.describe(), { title: undefined })
    return values
  }
  expect(await work({})).toEqual([[0, 1, 2]])
})

test('options of files and pictures may be handed on where they are undefined', () => {
  const own = undefined
  const names = { name: own, capacity: own } satisfies StageOptions
  const call = {
    ...names,
    concurrency: own,
    ordered: own,
    timeout: own,
    retry: own,
    onError: own,
  } satisfies CallOptions<number>
  const lines = {
    ...names,
    onError: own,
    encoding: own,
    follow: own,
    from: own,
    maxLine: own,
  } satisfies LineOptions
  const csv = {
    header: own,
    types: own,
    short: own,
    maxRow: own,
    delimiter: own,
    trim: own,
  } satisfies CsvOptions
  const writing = { append: own, sync: own, columns: own, newline: own } satisfies CsvWriteOptions<object>
  const rotate = { bytes: own, ms: own, keep: own, gzip: own } satisfies RotateOptions
  const log = {
    line: own,
    rotate: own,
    flush: own,
    level: own,
    onAcknowledged: own,
  } satisfies AppendLogOptions<string>
  const sqlite = { database: 'x', params: own, integers: own } satisfies ReadSqliteOptions
  const picture = { direction: own, title: own } satisfies PictureOptions
  expect([call, lines, csv, writing, rotate, log, sqlite, picture]).toHaveLength(8)
})
