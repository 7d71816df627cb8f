/** Stages from outside the catalogue: a function of a receiver and a sender, or a transform of another library. */
import { newReceiver, newSender, type Receiver, type Sender } from '../channel/handles.ts'
import type { Core } from '../channel/core.ts'
import { demand, demandFunction } from '../errors.ts'
import { type Custom, part, type Stage, type StageOptions, type StageTask } from './stage.ts'

/**
 * A stage of your own: an async function that reads from a receiver and writes to a sender.
 *
 * - The stage ends when the function returns; it need not close anything.
 * - What it throws fails the stage. When its reader has left, `send` rejects: let that pass.
 * - `context.signal` aborts when the results are no longer wanted.
 *
 * Order and concurrency are its own. Holds what it keeps. On error: fails.
 *
 * @throws TypeError for a name that is no string or a task that is no function.
 * @example
 * import { pipeline, range, stage } from 'sluice'
 *
 * const pairs = stage<number, [number, number]>('pairs', async (rx, tx) => {
 *   for await (const first of rx) {
 *     const second = await rx.next()
 *     if (!second.done) await tx.send([first, second.value])
 *   }
 * })
 * await pipeline(range(5), pairs).run() // => [[0, 1], [2, 3]]
 */
export function stage<In, Out>(
  name: string,
  task: StageTask<In, Out>,
  options: Omit<StageOptions, 'name'> = {},
): Stage<In, Out> {
  demandFunction(task, 'create stage', 'task')
  demand(typeof name === 'string', 'create stage', 'name', 'a string', name, TypeError)
  return part('stage', 'stage', { ...options, name }, { custom: handles(task) })
}

/** Gives a stage of the user its two ends: they are open before anything starts. */
function handles<In, Out>(task: StageTask<In, Out>): Custom {
  return (input, output) => {
    const rx = newReceiver(input as Core<In>)
    const tx = newSender(output as Core<Out>)
    return async (context) => task(rx, tx, context)
  }
}

/** The writing and the reading end of a Web TransformStream. */
export interface TransformPair<In, Out> {
  readonly writable: WritableStream<In>
  readonly readable: ReadableStream<Out>
}

/** A Node `Duplex` or `Transform`, as far as it is needed here. Its values have no types: name them at `through`. */
export interface DuplexLike extends AsyncIterable<unknown> {
  write(chunk: unknown): boolean
  end(): unknown
  destroy(error?: Error): unknown
  once(event: string, listener: (...args: unknown[]) => void): unknown
  off(event: string, listener: (...args: unknown[]) => void): unknown
}

export type Transform<In, Out> = ((input: AsyncIterable<In>) => AsyncIterable<Out>) | TransformPair<In, Out>

/**
 * A transform of another library as a stage: an IxJS operator or any function from async iterable to async
 * iterable, a Web `TransformStream`, a Node `Duplex`. Streams are used up by one run; pass a function for each run.
 *
 * Order and concurrency are those of the transform. Holds what it keeps. On error: fails.
 *
 * @throws TypeError for anything else.
 * @example
 * import { pipeline, range, through } from 'sluice'
 *
 * async function* twice(input: AsyncIterable<number>) {
 *   for await (const n of input) yield* [n, n]
 * }
 * await pipeline(range(3), through(twice)).run() // => [0, 0, 1, 1, 2, 2]
 */
export function through<In, Out>(
  transform: Transform<In, Out> | DuplexLike,
  options: StageOptions = {},
): Stage<In, Out> {
  const { readable, writable } = Object(transform) as Partial<TransformPair<In, Out>>
  const { write } = Object(transform) as Partial<DuplexLike>
  const isPair = typeof readable?.getReader === 'function' && typeof writable?.getWriter === 'function'
  const isDuplex = typeof write === 'function' && Symbol.asyncIterator in (transform as DuplexLike)
  demand(
    typeof transform === 'function' || isPair || isDuplex,
    'create through',
    'transform',
    'a function of an async iterable, a TransformStream or a Duplex',
    transform,
    TypeError,
  )
  return part('stage', 'through', options, {
    custom: handles((rx: Receiver<In>, tx: Sender<Out>) => {
      if (typeof transform === 'function') return pump(transform(rx), tx)
      if (isDuplex) return throughDuplex(rx, tx as Sender<unknown>, transform as DuplexLike)
      return throughPair(rx, tx, transform as TransformPair<In, Out>)
    }),
  })
}

/** Sends all values on. When the reader leaves, the loop leaves the iterator. */
async function pump<T>(values: AsyncIterable<T>, tx: Sender<T>): Promise<void> {
  for await (const value of values) await tx.send(value)
}

async function throughPair<In, Out>(
  rx: Receiver<In>,
  tx: Sender<Out>,
  pair: TransformPair<In, Out>,
): Promise<void> {
  const writer = pair.writable.getWriter()
  const reader = pair.readable.getReader()
  const feed = async (): Promise<void> => {
    const failure = await inputFailure(rx, async (value) => {
      await writer.ready
      writer.write(value).catch(() => {})
    })
    await writer.close()
    if (failure) throw failure.error
  }
  const drain = async (): Promise<void> => {
    try {
      for (let step = await reader.read(); !step.done; step = await reader.read()) await tx.send(step.value)
    } catch (error) {
      rx.close()
      await reader.cancel(error).catch(() => {})
      throw error
    }
  }
  await both(feed(), drain())
}

async function throughDuplex(rx: Receiver<unknown>, tx: Sender<unknown>, duplex: DuplexLike): Promise<void> {
  const feed = async (): Promise<void> => {
    const failure = await inputFailure(rx, async (value) => {
      if (!duplex.write(value)) await drained(duplex)
    })
    duplex.end()
    if (failure) throw failure.error
  }
  const drain = async (): Promise<void> => {
    try {
      for await (const value of duplex) await tx.send(value)
    } finally {
      rx.close()
    }
  }
  await both(feed(), drain())
}

/** Gives all input to `write`. Where the input fails, that is told, so that what was given can still come out. */
async function inputFailure<T>(
  rx: Receiver<T>,
  write: (value: T) => Promise<void>,
): Promise<{ error: unknown } | undefined> {
  for (;;) {
    let step
    try {
      step = await rx.next()
    } catch (error) {
      return { error }
    }
    if (step.done) return undefined
    await write(step.value)
  }
}

/** Settles when both have; the first failure is the one that counts. */
async function both(...work: Promise<void>[]): Promise<void> {
  try {
    await Promise.all(work)
  } finally {
    await Promise.allSettled(work)
  }
}

/** Room again, or the end of the stream. */
function drained(stream: DuplexLike): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of ['drain', 'close', 'error']) stream.off(event, done)
      resolve()
    }
    for (const event of ['drain', 'close', 'error']) stream.once(event, done)
  })
}
