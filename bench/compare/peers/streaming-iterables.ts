import type { Peer } from '../peer.ts'

export const streamingIterables: Peer = {
  name: 'streaming-iterables',
  packages: ['streaming-iterables'],
  load: async () => {
    const { batchWithTimeout, buffer, parallelMap, parallelMerge, transform } =
      await import('streaming-iterables')
    return {
      map: (input, stages, concurrency) =>
        stages.reduce<AsyncIterable<number>>((before, work) => parallelMap(concurrency, work, before), input),
      ordered: true,
      unorderedMap: (input, stages, concurrency) =>
        stages.reduce<AsyncIterable<number>>((before, work) => transform(concurrency, work, before), input),
      bufferedMap: (input, stages, concurrency) =>
        stages.reduce<AsyncIterable<number>>(
          (before, work) => buffer(4, parallelMap(concurrency, work, before)),
          input,
        ),
      batch: (input, size, ms) => batchWithTimeout(size, ms, input),
      merge: (inputs) => parallelMerge(...inputs),
    }
  },
}
