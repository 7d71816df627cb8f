/**
 * An operator, a function from async iterable to async iterable, at work in a stage: what it reads, and what becomes of
 * the iterator that it gave.
 */
import { onAbort } from '../channel/clock.ts'
import type { Receiver, Sender } from '../channel/handles.ts'
import { demand } from '../errors.ts'
import { streamIterator } from './foreign.ts'
import { heard, leave, notAStep } from './iterating.ts'
import { nextTurn } from './scheduler.ts'
import type { StageContext } from './stage.ts'

/**
 * The input of a stage as an operator reads it: once. An operator that begins again after the end would find it ended,
 * and one that never gives up (`repeat`, `retry` of IxJS) would do so for ever, without a turn for anything else. So
 * the second reading fails, and a third one ends the stage.
 */
class Once<T> implements AsyncIterable<T> {
  /** How many reads wait. */
  reading = 0
  #over = false
  #again = 0

  constructor(
    readonly rx: Receiver<T>,
    readonly refuse: (error: Error) => void,
  ) {}

  /** IxJS hands over a signal here: it ends the waits of this iterator. */
  [Symbol.asyncIterator](signal?: AbortSignal): AsyncIterableIterator<T> {
    const next = this.#over ? this.#refusal() : this.#reading(signal)
    return {
      next,
      return: () => {
        this.#over = true
        this.rx.close()
        return Promise.resolve({ done: true, value: undefined })
      },
      [Symbol.asyncIterator]() {
        return this
      },
    }
  }

  #reading(signal: AbortSignal | undefined): () => Promise<IteratorResult<T>> {
    const { rx } = this
    const read = ({ done }: { done?: boolean | undefined }): void => {
      this.reading--
      this.#over ||= done === true
    }
    const failed = (): void => read({ done: true })
    const one = async (): Promise<IteratorResult<T>> => {
      const values = await rx.recvMany(1, { signal })
      return values.length > 0 ? { done: false, value: values[0] } : { done: true, value: undefined }
    }
    return () => {
      const step = signal ? one() : rx.next()
      this.reading++
      step.then(read, failed)
      return step
    }
  }

  #refusal(): () => Promise<never> {
    const error = new TypeError('Cannot read the input again: a stage reads its input once, and it has ended')
    // What it has given before may be all that its reader wants, who has to be heard first.
    if (this.#again++ === 0) return () => new Promise((_, reject) => nextTurn(() => reject(error)))
    this.refuse(error)
    return () => new Promise(() => {})
  }
}

/**
 * The stage's own signal is not handed to the iterator, though IxJS would take it: some of its operators then reject
 * where nobody listens (`debounce`), others leave a listener for each value (`timeout`).
 */
export function throughFunction<In, Out>(
  rx: Receiver<In>,
  tx: Sender<Out>,
  operator: (input: AsyncIterable<In>) => AsyncIterable<Out>,
  context: StageContext,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const input = new Once(rx, reject)
    const values = operator(input)
    const stream = streamIterator<Out>(values, context) as AsyncIterator<Out> | undefined
    const iterator = stream ?? iteratorOf(values)
    // One that waits for its input finds it ended, and goes on: to its clean-up, which is waited for. A stream is destroyed.
    const hangs = (): boolean => stream !== undefined || input.reading === 0
    pump(iterator, tx, context.signal, hangs).then(resolve, reject)
  })
}

function iteratorOf<T>(values: AsyncIterable<T>): AsyncIterator<T> {
  const { [Symbol.asyncIterator]: many, [Symbol.iterator]: some } = Object(values) as Partial<
    AsyncIterable<T> & Iterable<T>
  >
  demand(
    many ?? some,
    'pass values through',
    'transform',
    'a function that gives an async iterable',
    values,
    TypeError,
  )
  return many ? values[Symbol.asyncIterator]() : awaited(values as unknown as Iterable<T>)
}

async function* awaited<T>(values: Iterable<T>): AsyncGenerator<T> {
  yield* values
}

/**
 * Sends all values on. When the reader leaves, the iterator is left: one that stands at a value as a loop would leave it,
 * one that hangs in its `next` without waiting for it.
 */
async function pump<T>(
  iterator: AsyncIterator<T>,
  tx: Sender<T>,
  signal: AbortSignal,
  hangs: () => boolean,
): Promise<void> {
  let asked: PromiseLike<IteratorResult<T>> | undefined
  let leaving: PromiseLike<unknown> | undefined
  let left = (_: PromiseLike<unknown>): void => {}
  const interrupted = new Promise<unknown>((resolve) => (left = resolve))
  const leaveIt = async (hanging?: Promise<unknown>): Promise<unknown> => leave(iterator, hanging)
  const end = (): void => {
    // While a value is being sent, the sending says that it is over.
    if (!asked || leaving) return
    const hanging = hangs() ? Promise.resolve(asked) : undefined
    leaving = leaveIt(hanging)
    if (hanging) left(leaving)
    else heard(leaving)
  }
  const all = async (): Promise<unknown> => {
    for (;;) {
      asked = iterator.next()
      if (signal.aborted) end()
      const step = await asked
      asked = undefined
      if (Object(step) !== step) throw notAStep()
      // One that has ended is not waited for, though it was left meanwhile: its `return` may hang.
      if (step.done) return
      if (leaving) return leaving
      try {
        await tx.send(step.value)
      } catch (error) {
        await leaveIt().catch(() => {})
        throw error
      }
    }
  }
  const stopListening = onAbort(signal, end)
  try {
    await Promise.race([all(), interrupted])
  } finally {
    stopListening()
  }
}
