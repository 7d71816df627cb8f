// Highland takes async iterables as Node streams, and gives Node streams to loops. An error is one more value to it:
// what it has batched comes behind the error, so these loops get the error when the values are through.

import type { Peer } from '../peer.ts'

export const highland: Peer = {
  name: 'Highland',
  packages: ['highland'],
  load: async () => {
    const { default: h } = await import('highland')
    const { Readable } = await import('node:stream')

    const from = (input: AsyncIterable<number>) => h<number>(Readable.from(input))
    const loop = <T>(stream: Highland.Stream<T>) =>
      stream.toNodeStream({ objectMode: true }) as AsyncIterable<unknown> as AsyncIterable<T>

    async function* loopToTheEnd<T>(stream: Highland.Stream<T>) {
      let failed: { error: Error } | undefined
      yield* loop(stream.errors((error) => (failed = { error })))
      if (failed) throw failed.error
    }

    return {
      map: (input, stages, concurrency) =>
        loop(
          stages.reduce(
            (before, work) => before.map((value) => h(work(value))).mergeWithLimit(concurrency),
            from(input),
          ),
        ),
      ordered: false,
      batch: (input, size, ms) => loopToTheEnd(from(input).batchWithTimeOrCount(ms, size)),
      merge: (inputs) => loop(h(inputs.map(from)).merge()),
    }
  },
}
