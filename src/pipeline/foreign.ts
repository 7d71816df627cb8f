/** Streams of Node and of the Web as iterators, each with its own way to be let go of. */
import { type AnyIterator, heard, nothing } from './iterating.ts'
import { nextTurn } from './scheduler.ts'
import type { StageContext } from './stage.ts'

/** Of a stream: its own would queue `return` behind a `next` that may hang, and never let go. Of anything else, nothing. */
export function streamIterator<T>(input: unknown, context: StageContext): AnyIterator<T> | undefined {
  if ('getReader' in Object(input)) return webIterator(input as ReadableStream<T>, context)
  return isNodeReadable<T>(input) ? nodeIterator(input) : undefined
}

/** A stream that has ended is not left locked, nor is one that was left. */
function webIterator<T>(stream: ReadableStream<T>, { signal }: StageContext): AnyIterator<T> {
  const reader = stream.getReader()
  const release = (): void => reader.releaseLock()
  return {
    next() {
      const step = reader.read() as Promise<IteratorResult<T>>
      step.then(({ done }) => done && release(), release)
      return step
    },
    return() {
      const cancelled = reader.cancel(signal.aborted ? signal.reason : undefined)
      release()
      return cancelled
    },
  }
}

/** A Node `Readable`, as far as it is needed here. */
interface ReadableLike<T> extends AsyncIterable<T> {
  destroy(): unknown
  readonly closed?: boolean
  /** What all of them have, those of the `readable-stream` package included. */
  readonly _readableState?: { emitClose?: boolean; reading?: boolean }
  on(event: string, listener: () => void): unknown
}

export function isNodeReadable<T>(input: unknown): input is ReadableLike<T> {
  return '_readableState' in Object(input) && Symbol.asyncIterator in Object(input)
}

/** A silent socket would stay open. So it is destroyed. */
function nodeIterator<T>(stream: ReadableLike<T>): AnyIterator<T> {
  const iterator = stream[Symbol.asyncIterator]()
  return {
    next: () => iterator.next(),
    async return() {
      if (iterator.return) heard(iterator.return())
      const closed = new Promise<void>((resolve) => stream.on('close', resolve))
      // It may tell of an error at any time from now on: somebody has to listen.
      stream.on('error', nothing)
      // What it has already is still given.
      await new Promise<void>(nextTurn)
      const { emitClose, reading } = stream._readableState ?? {}
      const closes = stream.closed === false && emitClose !== false
      stream.destroy()
      // One that reads, a pipe or a socket, may do so for ever: it is not waited for.
      if (closes) await (reading ? Promise.race([closed, new Promise<void>(nextTurn)]) : closed)
    },
  }
}
