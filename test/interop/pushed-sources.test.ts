/** Sources that push: emitters, event targets, sockets and callbacks, joined to a pipeline by a bounded channel. */
import { EventEmitter, on } from 'node:events'
import { describe, expect, test } from 'vitest'
import { channel, type ChannelOptions, drain, map, pipeline, type Source, source, take } from 'sluice'
import { stageError, unhandledDuring } from '../pipeline/support-leaks.ts'
import { upTo } from '../pipeline/support-sources.ts'
import { rejection, turns, until } from '../pipeline/support-waiting.ts'

const boom = new Error('boom')

/** Something that pushes, and how many listeners it has. */
interface Pusher {
  source: (options: ChannelOptions<number>) => Source<number>
  push: (n: number) => void
  end: () => void
  fail: (error: unknown) => void
  listeners: () => number
}

/** The recipe of the README for an `EventEmitter`. */
function emitting(): Pusher {
  const emitter = new EventEmitter()
  return {
    source: (options) =>
      source(() => {
        const [tx, rx] = channel<number>(3, options)
        const listeners = {
          line: (n: number) => {
            if (tx.trySend(n) === 'full') tx.fail(new Error('the reader is too slow'))
          },
          end: () => tx.close(),
          error: (error: unknown) => tx.fail(error),
        }
        for (const [event, listener] of Object.entries(listeners)) emitter.on(event, listener)
        void tx.whenClosed().then(() => {
          for (const [event, listener] of Object.entries(listeners)) emitter.off(event, listener)
        })
        return rx
      }),
    push: (n) => emitter.emit('line', n),
    end: () => emitter.emit('end'),
    fail: (error) => emitter.emit('error', error),
    listeners: () => emitter.eventNames().length,
  }
}

/** An `EventTarget` that can be asked for its listeners. */
class Counted extends EventTarget {
  readonly active = new Set<unknown>()

  override addEventListener(...args: Parameters<EventTarget['addEventListener']>) {
    super.addEventListener(...args)
    this.active.add(args[1])
    const { signal } = args[2] as { signal: AbortSignal }
    signal.addEventListener('abort', () => this.active.delete(args[1]), { once: true })
  }
}

/** The same for an `EventTarget`, whose listeners are taken off by one signal. */
function targeting(): Pusher {
  const target = new Counted()
  return {
    source: (options) =>
      source(() => {
        const [tx, rx] = channel<number>(3, options)
        const over = new AbortController()
        void tx.whenClosed().then(() => over.abort())
        const listen = (event: string, listener: (event: Event) => void) =>
          target.addEventListener(event, listener, { signal: over.signal })
        listen('line', (event) => {
          if (tx.trySend((event as CustomEvent<number>).detail) === 'full')
            tx.fail(new Error('the reader is too slow'))
        })
        listen('end', () => tx.close())
        listen('error', (event) => tx.fail((event as CustomEvent).detail))
        return rx
      }),
    push: (detail) => target.dispatchEvent(new CustomEvent('line', { detail })),
    end: () => target.dispatchEvent(new CustomEvent('end')),
    fail: (detail) => target.dispatchEvent(new CustomEvent('error', { detail })),
    listeners: () => target.active.size,
  }
}

/** A socket as browsers have it: handlers are properties, and who leaves has to close it. */
class Socket {
  onmessage: ((event: { data: number }) => void) | null = null
  onclose: (() => void) | null = null
  onerror: ((error: unknown) => void) | null = null
  closed = 0

  close() {
    this.closed++
    this.onclose?.()
  }
}

function socketing(): Pusher {
  const socket = new Socket()
  return {
    source: (options) =>
      source(() => {
        const [tx, rx] = channel<number>(3, options)
        socket.onmessage = ({ data }) => {
          if (tx.trySend(data) === 'full') tx.fail(new Error('the reader is too slow'))
        }
        socket.onclose = () => tx.close()
        socket.onerror = (error) => tx.fail(error)
        void tx.whenClosed().then(() => {
          socket.onmessage = socket.onclose = socket.onerror = null
          socket.close()
        })
        return rx
      }),
    push: (data) => socket.onmessage?.({ data }),
    end: () => socket.onclose?.(),
    fail: (error) => socket.onerror?.(error),
    listeners: () => [socket.onmessage, socket.onclose, socket.onerror].filter(Boolean).length,
  }
}

const pushers: [string, () => Pusher][] = [
  ['an EventEmitter', emitting],
  ['an EventTarget', targeting],
  ['a socket', socketing],
]
const policies = ['block', 'drop-oldest', 'drop-newest', 'fail'] as const
const cases = pushers.flatMap(([title, make]) => policies.map((overflow) => ({ title, make, overflow })))

describe.each(cases)('a source of $title that overflows by "$overflow"', ({ make, overflow }) => {
  /** A run that listens already, and what it reads from. */
  const listening = async <R>(run: (input: Source<number>) => R) => {
    const pusher = make()
    const started = run(pusher.source({ overflow }))
    await until(() => pusher.listeners() === 3)
    return { pusher, run: started }
  }
  const start = () => listening((input) => pipeline(input).start())

  test('gives what is pushed, in order, and ends', async () => {
    const { pusher, run } = await start()
    for (const n of upTo(100)) {
      pusher.push(n)
      await turns(1)
    }
    pusher.end()
    expect(await run.result).toEqual(upTo(100))
    expect(pusher.listeners()).toBe(0)
  })

  test('gives what was pushed before an end in the same turn', async () => {
    const { pusher, run } = await start()
    for (const n of [1, 2, 3]) pusher.push(n)
    pusher.end()
    expect(await run.result).toEqual([1, 2, 3])
    expect(pusher.listeners()).toBe(0)
  })

  test('fails the run with its error', async () => {
    const { pusher, run } = await start()
    pusher.push(1)
    pusher.fail(boom)
    expect(await stageError(run.result)).toMatchObject({ stage: 'source', index: 0, cause: boom })
    expect(pusher.listeners()).toBe(0)
  })

  test('does not listen any more when the reader has left', async () => {
    const { pusher, run } = await listening((input) => pipeline(input, take(2)).run())
    for (const n of [1, 2, 3]) pusher.push(n)
    expect(await run).toEqual([1, 2])
    expect(pusher.listeners()).toBe(0)
  })

  test('does not listen any more when a stage has failed', async () => {
    const { pusher, run } = await listening((input) => {
      const failing = map(() => Promise.reject<number>(boom))
      return stageError(pipeline(input, failing, drain()).run())
    })
    pusher.push(1)
    expect((await run).cause).toBe(boom)
    expect(pusher.listeners()).toBe(0)
  })

  test('does not listen any more when the run was aborted or stopped', async () => {
    const aborted = await start()
    await Promise.all([rejection(aborted.run.result), aborted.run.abort()])
    expect(aborted.pusher.listeners()).toBe(0)

    const stopped = await start()
    stopped.pusher.push(1)
    await until(() => stopped.run.stats().stages[0].sent === 1)
    expect(await stopped.run.stop()).toEqual([1])
    expect(stopped.pusher.listeners()).toBe(0)
  })

  test('does as it says where more is pushed than there is room for', async () => {
    const { pusher, run } = await start()
    // The first goes to the source, which waits for it; three fit into the channel.
    for (const n of upTo(10)) pusher.push(n)
    pusher.end()
    const seen = { 'drop-oldest': [0, 7, 8, 9], 'drop-newest': [0, 1, 2, 3] }
    if (overflow === 'drop-oldest' || overflow === 'drop-newest') {
      expect(await run.result).toEqual(seen[overflow])
    } else {
      expect(await stageError(run.result)).toMatchObject({ cause: { message: 'the reader is too slow' } })
    }
    expect(pusher.listeners()).toBe(0)
  })

  test('leaves nothing that is not taken when the error comes after the end', async () => {
    const unhandled = await unhandledDuring(async () => {
      const { pusher, run } = await start()
      pusher.end()
      pusher.fail(boom)
      expect(await run.result).toEqual([])
    })
    expect(unhandled).toEqual([])
  })
})

describe('a source that counts what it drops', () => {
  test('tells of each value once', async () => {
    const dropped: number[] = []
    const pusher = emitting()
    const onUndelivered = (n: number) => void dropped.push(n)
    const run = pipeline(pusher.source({ overflow: 'drop-oldest', onUndelivered })).run()
    await until(() => pusher.listeners() === 3)
    for (const n of upTo(6)) pusher.push(n)
    pusher.end()
    expect(await run).toEqual([0, 3, 4, 5])
    expect(dropped).toEqual([1, 2])
  })
})

/** Calls back with numbers, as long as it is not paused. */
class Device {
  paused = false
  sent = 0
  onData: ((n: number) => void) | null = null

  /** Sends all it can. */
  flow(upTo: number) {
    while (!this.paused && this.onData && this.sent < upTo) this.onData(this.sent++)
  }
}

describe('a source of a callback with pause and resume', () => {
  const reading = (device: Device, upTo = Infinity) =>
    source<number>(() => {
      const [tx, rx] = channel<number>(3)
      device.onData = (n) => {
        if (tx.trySend(n) === 'sent') return
        device.paused = true
        tx.send(n).then(
          () => {
            device.paused = false
            device.flow(upTo)
          },
          () => {},
        )
      }
      void tx.whenClosed().then(() => (device.onData = null))
      return rx
    })

  test('is paused while there is no room, and loses nothing', async () => {
    const device = new Device()
    const seen: number[] = []
    let pauses = 0
    const run = pipeline(
      reading(device, 100),
      map(async (n) => {
        if (device.paused) pauses++
        await turns(1)
        seen.push(n)
      }),
      take(100),
      drain(),
    ).run({ capacity: 1 })
    await until(() => device.onData !== null)
    device.flow(100)
    expect(device.sent).toBeLessThan(10)
    await run
    expect(seen).toEqual(upTo(100))
    expect(pauses).toBeGreaterThan(50)
    expect(device.onData).toBe(null)
  })

  test('lets go of the device when the reader leaves while it is paused', async () => {
    const device = new Device()
    const unhandled = await unhandledDuring(async () => {
      const run = pipeline(reading(device), take(2)).run({ capacity: 0 })
      await until(() => device.onData !== null)
      device.flow(50)
      expect(await run).toEqual([0, 1])
    })
    expect(device.onData).toBe(null)
    expect(unhandled).toEqual([])
  })
})

describe('on() of node:events as a source', () => {
  const lines = (emitter: EventEmitter) =>
    source<number[]>(({ signal }) => on(emitter, 'line', { signal, close: ['end'] }))
  const begun = async <R>(run: (emitter: EventEmitter) => R) => {
    const emitter = new EventEmitter()
    const started = run(emitter)
    await until(() => emitter.listenerCount('line') === 1)
    return { emitter, run: started }
  }

  test('gives the arguments of each event, and ends', async () => {
    const { emitter, run } = await begun((emitter) => pipeline(lines(emitter)).run())
    for (const n of upTo(3)) emitter.emit('line', n, -n)
    emitter.emit('end')
    expect(await run).toEqual([
      [0, -0],
      [1, -1],
      [2, -2],
    ])
    expect(emitter.eventNames()).toEqual([])
  })

  test('fails the run with an error event', async () => {
    const { emitter, run } = await begun((emitter) => stageError(pipeline(lines(emitter)).run()))
    emitter.emit('error', boom)
    expect(await run).toMatchObject({ stage: 'source', cause: boom })
    expect(emitter.eventNames()).toEqual([])
  })

  test('does not listen any more when the reader has left, or the run was aborted or stopped', async () => {
    const unhandled = await unhandledDuring(async () => {
      const left = await begun((emitter) => pipeline(lines(emitter), take(1)).run())
      left.emitter.emit('line', 1)
      expect(await left.run).toEqual([[1]])
      expect(left.emitter.eventNames()).toEqual([])

      const aborted = await begun((emitter) => pipeline(lines(emitter)).start())
      await Promise.all([rejection(aborted.run.result), aborted.run.abort()])
      expect(aborted.emitter.eventNames()).toEqual([])

      const stopped = await begun((emitter) => pipeline(lines(emitter)).start())
      expect(await stopped.run.stop()).toEqual([])
      expect(stopped.emitter.eventNames()).toEqual([])
    })
    expect(unhandled).toEqual([])
  })
})
