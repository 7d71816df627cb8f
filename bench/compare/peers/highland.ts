// Highland takes async iterables as Node streams, and gives Node streams to loops.

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

    return {
      map: (input, stages, concurrency) =>
        loop(
          stages.reduce(
            (before, work) => before.map((value) => h(work(value))).mergeWithLimit(concurrency),
            from(input),
          ),
        ),
      ordered: false,
      batch: (input, size, ms) => loop(from(input).batchWithTimeOrCount(ms, size)),
      merge: (inputs) => loop(h(inputs.map(from)).merge()),
    }
  },
}
