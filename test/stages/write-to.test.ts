/** writeTo(): Node writables and web streams, with their backpressure; the target is ended, or destroyed. */
import { Writable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { map, pipeline, source, writeTo } from 'sluice'
import { stageError, unhandledDuring } from '../pipeline/support-leaks.ts'
import { naturals, probe, upTo } from '../pipeline/support-sources.ts'
import { deferred, rejection, settledWithin, stable, turns, until } from '../pipeline/support-waiting.ts'

const boom = new Error('boom')
const failAt3 = (n: number) => (n === 3 ? Promise.reject(boom) : n)

/** A writable of objects that notes what it gets; `write` decides when and how each write ends. */
function nodeTarget(write: (n: number) => Promise<void> | void = () => {}, highWaterMark = 1) {
  const log = { written: [] as number[], finals: 0 }
  const target = new Writable({
    objectMode: true,
    highWaterMark,
    write(n: number, _encoding, done) {
      log.written.push(n)
      Promise.resolve(write(n)).then(() => done(), done)
    },
    final(done) {
      log.finals++
      done()
    },
  })
  return { log, target }
}

/** The same as a web stream. */
function webTarget(write: (n: number) => Promise<void> | void = () => {}, highWaterMark = 1) {
  const log = { written: [] as number[], closed: 0, aborted: [] as unknown[] }
  const target = new WritableStream<number>(
    {
      write: (n) => (log.written.push(n), write(n)),
      close: () => void log.closed++,
      abort: (reason) => void log.aborted.push(reason),
    },
    { highWaterMark },
  )
  return { log, target }
}

describe.each([0, 1, 256])('writeTo() a Node Writable at capacity %i', (capacity) => {
  test('writes every value in order and ends its target before the run settles', async () => {
    const { log, target } = nodeTarget(() => turns(1))
    expect(await pipeline(source(upTo(10)), writeTo(target)).run({ capacity })).toBeUndefined()
    expect(log).toEqual({ written: upTo(10), finals: 1 })
    expect(target.writableFinished).toBe(true)
  })

  test('ends its target where there is nothing to write', async () => {
    const { log, target } = nodeTarget()
    await pipeline(source<number>([]), writeTo(target)).run({ capacity })
    expect(log).toEqual({ written: [], finals: 1 })
  })

  test('waits while the target is full', async () => {
    const input = probe(naturals)
    const gate = deferred()
    const { target } = nodeTarget(() => gate.promise, 2)
    const run = pipeline(source(input), writeTo(target)).start({ capacity })
    run.result.catch(() => {})
    // one in the hands of the source, the channel, what the target buffers, and one in the sink's hands
    expect(await stable(() => input.pulled)).toBeLessThanOrEqual(1 + capacity + 2 + 1)
    await run.abort()
    gate.resolve()
  })

  test('destroys its target after a failure before it, having written what came earlier', async () => {
    const { log, target } = nodeTarget()
    const error = await stageError(
      pipeline(source(naturals), map(failAt3), writeTo(target)).run({ capacity }),
    )
    expect(error).toMatchObject({ stage: 'map', index: 1, value: 3, suppressed: [] })
    expect(log).toEqual({ written: [0, 1, 2], finals: 0 })
    expect(target.destroyed).toBe(true)
  })

  test('fails with the error of its target, and closes its source', async () => {
    const input = probe(naturals)
    const { target } = nodeTarget((n) => (n === 2 ? Promise.reject(boom) : undefined))
    const error = await stageError(pipeline(source(input), writeTo(target)).run({ capacity }))
    expect(error).toMatchObject({ stage: 'writeTo', index: 1 })
    expect(error.cause).toBe(boom)
    expect(input.returned).toBe(1)
    expect(target.destroyed).toBe(true)
  })
})

describe('writeTo() a Node Writable', () => {
  test('fails where the target is destroyed by somebody else', async () => {
    const input = probe(naturals)
    const { log, target } = nodeTarget(() => turns(1))
    const run = pipeline(source(input), writeTo(target)).run()
    await until(() => log.written.length > 2)
    target.destroy(boom)
    expect(await stageError(run)).toMatchObject({ stage: 'writeTo', cause: boom })
    expect(input.returned).toBe(1)
  })

  test('fails with what destroyed the target, not with the write that this cut short', async () => {
    // As a file: its writes under way say that they were cut short, and the error comes when it has closed.
    const target = new Writable({
      objectMode: true,
      write(this: Writable, _n: number, _encoding, done) {
        void turns(1).then(() => done(this.destroyed ? new Error('cut short') : null))
      },
      destroy: (error, done) => void turns(3).then(() => done(error)),
    })
    const run = pipeline(source(naturals), writeTo(target)).run()
    await turns(3)
    target.destroy(boom)
    expect(await stageError(run)).toMatchObject({ stage: 'writeTo', cause: boom })
  })

  test('fails where the target is closed by somebody else without an error, and does not hang', async () => {
    const { log, target } = nodeTarget(() => turns(1))
    const run = pipeline(source(naturals), writeTo(target)).run()
    await until(() => log.written.length > 2)
    target.destroy()
    expect(await stageError(run)).toMatchObject({ stage: 'writeTo', index: 1 })
  })

  test('is destroyed when the run is aborted, and is not ended', async () => {
    const { log, target } = nodeTarget(() => turns(1))
    const run = pipeline(source(naturals), writeTo(target)).start()
    await until(() => log.written.length > 2)
    await Promise.all([rejection(run.result), run.abort(boom)])
    expect(target.destroyed).toBe(true)
    expect(log.finals).toBe(0)
  })

  test('takes its listeners off the target, but for one that keeps late errors from crashing the program', async () => {
    const { target } = nodeTarget()
    await pipeline(source(upTo(50)), writeTo(target)).run()
    await turns(2)
    for (const name of target.eventNames())
      expect(target.listenerCount(name), String(name)).toBeLessThanOrEqual(1)
    expect(target.eventNames().filter((name) => name !== 'error')).toEqual([])
  })

  test('leaves no error and no rejection unhandled, whoever fails', async () => {
    const uncaught: unknown[] = []
    const see = (error: unknown) => void uncaught.push(error)
    process.on('uncaughtException', see)
    const unhandled = await unhandledDuring(async () => {
      await rejection(pipeline(source(naturals), map(failAt3), writeTo(nodeTarget().target)).run())
      const failing = nodeTarget(() => Promise.reject(boom)).target
      await rejection(pipeline(source(naturals), writeTo(failing)).run())
      const run = pipeline(source(naturals), writeTo(nodeTarget().target)).start()
      await turns(2)
      await Promise.all([rejection(run.result), run.abort(boom)])
      await turns(2)
    })
    process.off('uncaughtException', see)
    expect([...unhandled, ...uncaught]).toEqual([])
  })
})

describe.each([0, 1, 256])('writeTo() a WritableStream at capacity %i', (capacity) => {
  test('writes every value in order and closes its target before the run settles', async () => {
    const { log, target } = webTarget(() => turns(1))
    expect(await pipeline(source(upTo(10)), writeTo(target)).run({ capacity })).toBeUndefined()
    expect(log).toEqual({ written: upTo(10), closed: 1, aborted: [] })
  })

  test('waits while the target is full', async () => {
    const input = probe(naturals)
    const gate = deferred()
    const { target } = webTarget(() => gate.promise, 2)
    const run = pipeline(source(input), writeTo(target)).start({ capacity })
    run.result.catch(() => {})
    expect(await stable(() => input.pulled)).toBeLessThanOrEqual(1 + capacity + 2 + 1)
    gate.resolve()
    await run.abort()
  })

  test('aborts its target after a failure before it, having written what came earlier', async () => {
    const { log, target } = webTarget()
    const error = await stageError(
      pipeline(source(naturals), map(failAt3), writeTo(target)).run({ capacity }),
    )
    expect(error).toMatchObject({ stage: 'map', index: 1, value: 3, suppressed: [] })
    expect(log.written).toEqual([0, 1, 2])
    expect(log.closed).toBe(0)
    expect(log.aborted).toHaveLength(1)
  })

  test('fails with the error of its target, and closes its source', async () => {
    const input = probe(naturals)
    const { log, target } = webTarget((n) => (n === 2 ? Promise.reject(boom) : undefined))
    const error = await stageError(pipeline(source(input), writeTo(target)).run({ capacity }))
    expect(error).toMatchObject({ stage: 'writeTo', index: 1, value: 2 })
    expect(error.cause).toBe(boom)
    expect(input.returned).toBe(1)
    expect(log.closed).toBe(0)
  })
})

describe('writeTo() a WritableStream', () => {
  test('blames the value whose write failed, and none where the stream broke by itself', async () => {
    const strategy = { highWaterMark: 10 }
    const choosy = new WritableStream<number>(
      { write: (n) => (n === 2 ? Promise.reject(boom) : turns(1)) },
      strategy,
    )
    expect(await stageError(pipeline(source(upTo(5)), writeTo(choosy)).run())).toMatchObject({
      value: 2,
      cause: boom,
    })
    let breakDown!: (error: Error) => void
    const brittle = new WritableStream({ start: (controller) => (breakDown = (e) => controller.error(e)) })
    const run = pipeline(source(probe([], 'hang')), writeTo(brittle)).run()
    await turns(3)
    breakDown(boom)
    const error = await stageError(run)
    expect(error.cause).toBe(boom)
    expect('value' in error).toBe(false)
  })

  test('says where its target was closed before by somebody else', async () => {
    const { target } = webTarget()
    await target.close()
    const error = await stageError(pipeline(source(upTo(3)), writeTo(target)).run())
    expect(error.message).toBe(
      'Stage "writeTo" failed: Cannot write: the stream has been ended by somebody else',
    )
    expect(target.locked).toBe(false)
  })

  test('is aborted when the run is, at once even where a write hangs', async () => {
    const gate = deferred()
    const { log, target } = webTarget(() => gate.promise)
    const run = pipeline(source(naturals), writeTo(target)).start()
    await until(() => log.written.length > 0)
    const end = rejection(run.result)
    void run.abort(boom)
    expect(await settledWithin(end, 5)).toBe(true)
    expect(await end).toBe(boom)
    gate.resolve()
    await until(() => log.aborted.length > 0)
    expect(log.closed).toBe(0)
  })

  test('leaves no rejection unhandled, whoever fails', async () => {
    const unhandled = await unhandledDuring(async () => {
      await rejection(pipeline(source(naturals), map(failAt3), writeTo(webTarget().target)).run())
      const failing = webTarget(() => Promise.reject(boom)).target
      await rejection(pipeline(source(naturals), writeTo(failing)).run())
      const run = pipeline(source(naturals), writeTo(webTarget().target)).start()
      await turns(2)
      await Promise.all([rejection(run.result), run.abort(boom)])
    })
    expect(unhandled).toEqual([])
  })
})

test('writeTo() tells a Node Writable that has finished from one that was destroyed before its end', async () => {
  const finished = nodeTarget().target
  finished.end()
  await until(() => finished.closed)
  const destroyed = nodeTarget().target
  destroyed.destroy()
  const said = async (target: Writable) =>
    (await stageError(pipeline(source([]), writeTo(target)).run())).message
  expect(await said(finished)).toContain('Cannot write: the stream has been ended by somebody else')
  expect(await said(destroyed)).toContain('Cannot write: the stream was destroyed before its end')
})
