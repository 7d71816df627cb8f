/** Stages from outside the catalogue: a function of a receiver and a sender, or a transform of another library. */
import { onAbort } from '../channel/clock.ts'
import { newReceiver, newSender, type Receiver, type Sender } from '../channel/handles.ts'
import type { Core } from '../channel/core.ts'
import { demand, demandFunction, demandName, demandOptions } from '../errors.ts'
import { roomOneByOne, sentOneByOne } from './edge.ts'
import { throughFunction } from './operator.ts'
import { nextTurn, pace } from './scheduler.ts'
import { type Custom, part, said, type Stage, type StageOptions, type StageTask } from './stage.ts'

/**
 * A stage of your own: an async function that reads from a receiver and writes to a sender.
 *
 * - The stage ends when the function returns; it need not close anything. Where it closes its sender, the stages behind it
 *   end, and it may read on.
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
  demandName(name, 'create stage')
  demandOptions(options, 'create stage')
  return part('stage', 'stage', said(options, { name }), { custom: handles(task) })
}

/** Gives a stage of the user its two ends: they are open before anything starts. */
function handles<In, Out>(task: StageTask<In, Out>): Custom {
  return (input, output) => {
    const rx = newReceiver(input as Core<In>)
    const tx = newSender(output as Core<Out>)
    input.pace = pace
    input.roomMade = roomOneByOne(input)
    sentOneByOne(output)
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
  readonly destroyed?: boolean
  readonly writableEnded?: boolean
  on(event: string, listener: (...args: unknown[]) => void): unknown
  off(event: string, listener: (...args: unknown[]) => void): unknown
}

/** What `through` takes, beside a Node `Duplex`: a function from async iterable to async iterable, or a Web `TransformStream`. */
export type Transform<In, Out> = ((input: AsyncIterable<In>) => AsyncIterable<Out>) | TransformPair<In, Out>

/**
 * A transform of another library as a stage: an IxJS operator or any function from async iterable to async
 * iterable, a Web `TransformStream`, a Node `Duplex`.
 *
 * - A stream is used up by one run. For more, pass a function that puts its input through a new one each time, as
 *   `(input) => Readable.from(input).compose(createGzip())` does: a new stream alone would wait for input for ever.
 * - An operator can read its input once: one that begins again after the end, as `repeat` does, fails.
 * - A stream whose results are not wanted is destroyed, or aborted and cancelled, with the reason where it is one. What an
 *   operator hangs in then does not hold the run.
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
    custom: handles((rx: Receiver<In>, tx: Sender<Out>, context) => {
      const { signal } = context
      if (typeof transform === 'function') return throughFunction(rx, tx, transform, context)
      if (isDuplex) return throughDuplex(rx, tx as Sender<unknown>, transform as DuplexLike, signal)
      return throughPair(rx, tx, transform as TransformPair<In, Out>, signal)
    }),
  })
}

const ENDED = 'Cannot go through: the stream has been ended before'

/** Where somebody else has one side, the other is not left locked. */
function lock<In, Out>({ writable, readable }: TransformPair<In, Out>) {
  const writer = writable.getWriter()
  try {
    return { writer, reader: readable.getReader() }
  } catch (error) {
    writer.releaseLock()
    throw error
  }
}

async function throughPair<In, Out>(
  rx: Receiver<In>,
  tx: Sender<Out>,
  pair: TransformPair<In, Out>,
  signal: AbortSignal,
): Promise<void> {
  const { writer, reader } = lock(pair)
  let over = false
  const unlock = (): void => {
    writer.releaseLock()
    reader.releaseLock()
  }
  const end = (reason: unknown): void => {
    rx.close()
    if (over) return
    over = true
    writer.abort(reason).catch(() => {})
    reader.cancel(reason).catch(() => {})
    // Whoever aborts a run finds the stream unlocked when that has settled.
    unlock()
  }
  // One that holds nothing (`highWaterMark: 0`) is never ready: it has taken a value when that is written. Not a race of both: it
  // would leave something at `ready` for each value.
  const isFull = writer.desiredSize === 0
  let latest: Promise<void> | undefined
  const write = async (value: In): Promise<void> => {
    await (isFull ? latest : writer.ready)
    latest = writer.write(value)
    latest.catch(() => {})
  }
  let closing = false
  let endedBefore = false
  writer.closed.then(
    () => (endedBefore = !closing),
    () => {},
  )
  const close = async (): Promise<void> => {
    if (over) return
    closing = true
    // A `flush` that hangs is not waited for when nobody wants its results: `closed` rejects where the stream is let go of.
    await Promise.race([writer.close(), writer.closed])
  }
  let reading = false
  let reads = 0
  let refused: Failed
  const twoTurns = async (): Promise<void> => {
    await new Promise<void>(nextTurn)
    await new Promise<void>(nextTurn)
  }
  const read = async (): Promise<ReadableStreamReadResult<Out>> => {
    if (over) return { done: true, value: undefined }
    reading = true
    const reply = reader.read()
    const { error } = refused ?? {}
    const step = await (refused ? Promise.race([reply, twoTurns()]) : reply)
    if (step === undefined) throw error
    reads++
    reading = false
    return step
  }
  const drain = async (): Promise<void> => {
    for (let step = await read(); !step.done; step = await read()) await tx.send(step.value)
    // One that was used up looks as one that has had enough: all values would vanish.
    if (!closing && !over) await twoTurns()
    if (endedBefore) throw new TypeError(ENDED)
    rx.close()
  }
  // What becomes of the writable side of a TransformStream shows on the readable one at once: an error as an error, and
  // a transform that has had enough as an end. Other pairs may leave it open: then the error is the stage's.
  const feed = feedAll(rx, write, close).catch(async (error: unknown) => {
    refused = { error }
    const before = reads
    await twoTurns()
    if (reading && reads === before) throw error
    return undefined
  })
  try {
    await both(signal, end, feed, drain())
  } finally {
    unlock()
  }
}

/** Those at work. A stream of the Web is locked then; these would give each reader some of the values, and lose the rest. */
const duplexesInUse = new WeakSet<DuplexLike>()

/** What tells that a duplex can take more, or never will. */
const NEWS = ['drain', 'close', 'error']

async function throughDuplex(
  rx: Receiver<unknown>,
  tx: Sender<unknown>,
  duplex: DuplexLike,
  signal: AbortSignal,
): Promise<void> {
  // It would look as one that has had enough: all values would vanish.
  if (duplex.writableEnded) throw new TypeError(ENDED)
  if (duplexesInUse.has(duplex))
    throw new TypeError('Cannot go through: the stream is in use by another stage')
  duplexesInUse.add(duplex)
  let over = false
  let notify = (): void => {}
  const news = (): void => notify()
  const end = (reason: unknown): void => {
    rx.close()
    // It may tell of an error at any time from now on: somebody has to listen.
    duplex.on('error', () => {})
    duplex.destroy(reason instanceof Error ? reason : undefined)
  }
  const write = async (value: unknown): Promise<void> => {
    if (!duplex.write(value) && !over && !duplex.destroyed)
      await new Promise<void>((resolve) => (notify = resolve))
  }
  const drain = async (): Promise<void> => {
    for await (const value of duplex) await tx.send(value)
    // It has had enough: nothing says that it will ever take what was written.
    over = true
    rx.close()
    notify()
  }
  for (const event of NEWS) duplex.on(event, news)
  try {
    await both(
      signal,
      end,
      feedAll(rx, write, () => duplex.end()),
      drain(),
    )
  } finally {
    for (const event of NEWS) duplex.off(event, news)
    duplexesInUse.delete(duplex)
  }
}

type Failed = { error: unknown } | undefined

/** Gives all input to `write`, then calls `close`. Says whether the input failed: what was given can still come out. */
async function feedAll<T>(
  rx: Receiver<T>,
  write: (value: T) => Promise<void>,
  close: () => unknown,
): Promise<Failed> {
  let failed: Failed
  for (;;) {
    const step = await rx.next().catch((error: unknown) => void (failed = { error }))
    if (!step || step.done) break
    await write(step.value)
  }
  await close()
  return failed
}

/** Settles when both halves have. When one breaks, or the stage is interrupted, `end` ends the other. */
async function both(
  signal: AbortSignal,
  end: (reason: unknown) => void,
  feed: Promise<Failed>,
  drain: Promise<void>,
): Promise<void> {
  const stopListening = onAbort(signal, end)
  try {
    const [failed] = await Promise.all([feed, drain]).catch(async (error: unknown) => {
      end(error)
      await Promise.allSettled([feed, drain])
      throw error
    })
    if (!failed) return
    // All has come out: nobody listens to the transform any more, so it is let go without an error to tell.
    end(undefined)
    throw failed.error
  } finally {
    stopListening()
  }
}
