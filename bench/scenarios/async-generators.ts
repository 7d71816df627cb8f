// The stages as one would write them by hand: an async generator each.

type Input<T> = Iterable<T> | AsyncIterable<T>

export async function* range(to: number): AsyncGenerator<number> {
  for (let i = 0; i < to; i++) yield i
}

export async function* map<In, Out>(input: Input<In>, fn: (value: In) => Out): AsyncGenerator<Awaited<Out>> {
  for await (const value of input) yield await fn(value)
}

export async function* filter<T>(input: Input<T>, test: (value: T) => boolean): AsyncGenerator<T> {
  for await (const value of input) if (test(value)) yield value
}

export async function* batch<T>(input: Input<T>, size: number): AsyncGenerator<T[]> {
  let values: T[] = []
  for await (const value of input) {
    values.push(value)
    if (values.length < size) continue
    yield values
    values = []
  }
  if (values.length > 0) yield values
}

export async function reduce<T, R>(input: Input<T>, fn: (total: R, value: T) => R, seed: R): Promise<R> {
  let total = seed
  for await (const value of input) total = fn(total, value)
  return total
}
