import { afterAll, describe, expect, test, vi } from 'vitest'
import { Random, seedOfRun } from '../support/random.ts'
import { countLines, lineOf } from './killed-lines.ts'
import { bundledWriter, killChildren, KINDS, killWriters } from './killed-logs.ts'

const program = await bundledWriter()
afterAll(killChildren)
vi.setConfig({ maxConcurrency: 2 })

describe('a log whose writer is killed at random moments', () => {
  const seed = seedOfRun()

  test.concurrent.each(KINDS)(
    `has every line that was acknowledged, once, whole and in order: ${seed}, %s`,
    async (kind) => {
      const random = new Random(seed)
      const { lines, acknowledged } = await killWriters(program, kind, 4, () => random.next())
      expect(acknowledged).toBeGreaterThan(0)
      expect(lines).toBeGreaterThanOrEqual(acknowledged)
    },
    120_000,
  )
})

describe('what looks at such a log', () => {
  const good = [lineOf(0, 0), lineOf(3, 0), lineOf(0, 1), lineOf(3, 1)]

  test('counts the lines of each producer', () => {
    expect(countLines(good)).toEqual([2, 0, 0, 2, 0, 0, 0, 0])
  })

  test.each([
    ['is lost', good.slice(1)],
    ['is there twice', [...good, good[3]]],
    ['has changed its place', [good[2], good[0]]],
    ['is torn', [good[0].slice(0, -1), ...good.slice(1)]],
    ['has grown together with the next', [good[0] + good[1], good[2]]],
  ])('sees that a line %s', (_, lines) => {
    expect(() => countLines(lines)).toThrow('instead of')
  })
})
