// The stages as Web Streams: a TransformStream each, joined by `pipeThrough`, with the buffers that they have by
// themselves.

/** What a TransformStream is asked for here; the types of Node and of the DOM differ in the rest. */
type Stage = (input: ReadableStream) => ReadableStream

export function range(to: number): ReadableStream<number> {
  let i = 0
  return new ReadableStream({
    pull(controller) {
      if (i < to) controller.enqueue(i++)
      else controller.close()
    },
  })
}

/** `ReadableStream.from`, which the types of the DOM do not know yet. */
export function from(input: Iterable<unknown> | AsyncIterable<unknown>): ReadableStream {
  return (ReadableStream as unknown as { from(input: unknown): ReadableStream }).from(input)
}

export function map<In, Out>(fn: (value: In) => Out): Stage {
  return (input) =>
    input.pipeThrough(
      new TransformStream<In, Out>({ transform: (value, controller) => controller.enqueue(fn(value)) }),
    )
}

export function filter<T>(test: (value: T) => boolean): Stage {
  return (input) =>
    input.pipeThrough(
      new TransformStream<T, T>({
        transform(value, controller) {
          if (test(value)) controller.enqueue(value)
        },
      }),
    )
}

export function batch(size: number): Stage {
  let values: unknown[] = []
  return (input) =>
    input.pipeThrough(
      new TransformStream<unknown, unknown[]>({
        transform(value, controller) {
          values.push(value)
          if (values.length < size) return
          controller.enqueue(values)
          values = []
        },
        flush(controller) {
          if (values.length > 0) controller.enqueue(values)
        },
      }),
    )
}

/** Runs the stages to their end and folds what comes out. */
export async function reduce<T, R>(
  input: ReadableStream,
  stages: readonly Stage[],
  fold: { fn: (total: R, value: T) => R; seed: R },
): Promise<R> {
  let total = fold.seed
  const output = stages.reduce((stream, stage) => stage(stream), input) as ReadableStream<T>
  await output.pipeTo(
    new WritableStream<T>({
      write(value) {
        total = fold.fn(total, value)
      },
    }),
  )
  return total
}
