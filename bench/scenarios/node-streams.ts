// The stages as Node streams in object mode: a Transform each, with the buffers that Node gives them, joined by its
// `pipeline`.

import { Readable, Transform, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

type Input<T> = Iterable<T> | AsyncIterable<T>

export function map<In, Out>(fn: (value: In) => Out): Transform {
  return new Transform({ objectMode: true, transform: (value: In, _, done) => done(null, fn(value)) })
}

export function filter<T>(test: (value: T) => boolean): Transform {
  return new Transform({
    objectMode: true,
    transform(value: T, _, done) {
      if (test(value)) done(null, value)
      else done()
    },
  })
}

export function batch(size: number): Transform {
  let values: unknown[] = []
  return new Transform({
    objectMode: true,
    transform(value, _, done) {
      values.push(value)
      if (values.length < size) return done()
      done(null, values)
      values = []
    },
    flush: (done) => (values.length > 0 ? done(null, values) : done()),
  })
}

/** Runs the stages to their end and folds what comes out. */
export async function reduce<T, R>(
  input: Input<unknown>,
  stages: readonly Transform[],
  fold: { fn: (total: R, value: T) => R; seed: R },
): Promise<R> {
  let total = fold.seed
  const sink = new Writable({
    objectMode: true,
    write(value: T, _, done) {
      total = fold.fn(total, value)
      done()
    },
  })
  await pipeline([Readable.from(input), ...stages, sink])
  return total
}
