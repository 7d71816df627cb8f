/** `await using` and `using`, with runs, channels and the streams around them. */
import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { channel, drain, pipeline, range, source, take } from 'sluice'
import { unhandledDuring } from '../pipeline/support-leaks.ts'
import { naturals, probe } from '../pipeline/support-sources.ts'
import { rejection, turns, until } from '../pipeline/support-waiting.ts'

const boom = new Error('boom')

describe('await using run = pipeline(…).start()', () => {
  test('ends the run at the end of the block, with its source closed', async () => {
    const values = probe(naturals)
    const unhandled = await unhandledDuring(async () => {
      {
        await using run = pipeline(source(values), drain()).start()
        await until(() => run.stats().stages[0].sent > 10)
        expect(values.returned).toBe(0)
      }
      expect(values.returned).toBe(1)
      const { pulled } = values
      await turns(3)
      expect(values.pulled).toBe(pulled)
    })
    expect(unhandled).toEqual([])
  })

  test('ends the run where the block throws, and the error is that of the block', async () => {
    const values = probe([1], 'hang')
    const block = async () => {
      await using run = pipeline(source(values)).start()
      await until(() => run.stats().stages[0].sent === 1)
      throw boom
    }
    expect(await unhandledDuring(async () => expect(await rejection(block())).toBe(boom))).toEqual([])
    expect(values.returned).toBe(1)
  })

  test('leaves a result alone that has come', async () => {
    const block = async () => {
      await using run = pipeline(range(3)).start()
      return await run.result
    }
    expect(await block()).toEqual([0, 1, 2])
  })

  test('ends runs in reverse order, those that feed others last', async () => {
    const ended: string[] = []
    const input = (name: string) =>
      (async function* () {
        try {
          for (;;) yield await turns(1)
        } finally {
          ended.push(name)
        }
      })()
    {
      await using first = pipeline(source(input('first')), drain()).start()
      await using second = pipeline(source(input('second')), drain()).start()
      await until(() => [first, second].every((run) => run.stats().stages[0].sent > 0))
    }
    expect(ended).toEqual(['second', 'first'])
  })
})

describe('await using beside a run', () => {
  test('disposes of a Node stream that a run has read to its end', async () => {
    const stream = Readable.from([1, 2])
    const block = async () => {
      await using input = stream
      return await pipeline(source<number>(input)).run()
    }
    expect(await block()).toEqual([1, 2])
    expect(stream).toMatchObject({ destroyed: true, closed: true })
  })

  test('disposes of a Node stream that a run has left open', async () => {
    const stream = Readable.from(naturals)
    const block = async () => {
      await using input = stream
      const numbers = source<number>(() => input.iterator({ destroyOnReturn: false }))
      const [some, more] = [await pipeline(numbers, take(2)).run({ capacity: 0 }), input.destroyed]
      return { some, more }
    }
    expect(
      await unhandledDuring(async () => expect(await block()).toEqual({ some: [0, 1], more: false })),
    ).toEqual([])
    expect(stream).toMatchObject({ destroyed: true, closed: true })
  })

  test('closes a channel that feeds a run with using, and the run ends with what was sent', async () => {
    const [tx, rx] = channel<number>(4)
    const result = pipeline(source(rx)).run()
    {
      using out = tx
      await out.sendMany([1, 2, 3])
    }
    expect(await result).toEqual([1, 2, 3])
  })
})
