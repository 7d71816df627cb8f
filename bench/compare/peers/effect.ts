import type { Stream as EffectStream } from 'effect/Stream'
import type { Peer, Tools, Work } from '../peer.ts'

export const effect: Peer = {
  name: 'Effect',
  packages: ['effect'],
  load: async () => {
    const { Effect, Stream } = await import('effect')

    type Numbers = EffectStream<number, unknown>
    const from = (input: AsyncIterable<number>): Numbers =>
      Stream.fromAsyncIterable(input, (error: unknown) => error)
    const call = (work: Work) => (value: number) =>
      Effect.tryPromise({ try: () => work(value), catch: (error) => error })

    function chain(between: (stream: Numbers) => Numbers): Tools['map'] {
      return (input, stages, concurrency) =>
        Stream.toAsyncIterable(
          stages.reduce(
            (before, work) => between(Stream.mapEffect(before, call(work), { concurrency, unordered: true })),
            from(input),
          ),
        )
    }

    return {
      map: chain((stream) => stream),
      ordered: false,
      bufferedMap: chain(Stream.buffer({ capacity: 4 })),
      abortable: (input, work, signal) =>
        Effect.runPromise(Stream.runDrain(Stream.mapEffect(from(input), call(work))), { signal }),
      batch: (input, size, ms) => Stream.toAsyncIterable(Stream.groupedWithin(from(input), size, ms)),
      merge: (inputs) =>
        Stream.toAsyncIterable(Stream.mergeAll(inputs.map(from), { concurrency: 'unbounded' })),
    }
  },
}
