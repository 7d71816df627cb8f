/** A program may have the package twice, as ESM and CommonJS: pieces of one copy work in pipelines of the other. */
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import * as one from 'sluice'
import { bundledLibrary } from '../support/bundled-program.ts'

// An engine makes a module of its own for each query.
const copy = `${pathToFileURL(await bundledLibrary()).href}?copy`
const other = (await import(/* @vite-ignore */ copy)) as typeof one
const { channel, map, pipeline, range, select, sendCase, StageError } = one

test('pieces of both copies make one pipeline', async () => {
  expect(other.map).not.toBe(map)
  const doubled = other.map((n: number) => Promise.resolve(n * 2), { concurrency: 2 })
  expect(await pipeline(other.range(4), doubled, other.batch(3)).run()).toEqual([[0, 2, 4], [6]])
})

test('a stage of the other copy whose onError throws fails with what that threw', async () => {
  const broken = other.map(
    () => {
      throw new Error('of the value')
    },
    {
      onError: () => {
        throw new Error('of the handler')
      },
    },
  )
  const failure = await pipeline(range(1), broken)
    .run()
    .catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(StageError)
  const { cause, suppressed } = failure as one.StageError
  expect(cause).toEqual(new Error('of the handler'))
  expect(suppressed.map(String)).toEqual(['StageError: Stage "map" failed: of the value'])
})

test('select() and sendCase() say that a handle is of the other copy', async () => {
  const [tx, rx] = other.channel<number>(1)
  await expect(select({ rx })).rejects.toThrow('must be a receiver or sendCase(…) of this copy of sluice')
  expect(() => sendCase(tx, 1)).toThrow('must be a sender of this copy of sluice')
  const [, own] = channel<number>(1)
  await expect(other.select({ own })).rejects.toThrow('of this copy of sluice')
})
