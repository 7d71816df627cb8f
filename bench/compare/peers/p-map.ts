import type { Peer, Tools } from '../peer.ts'

export const pMap: Peer = {
  name: 'p-map (pMapIterable)',
  packages: ['p-map'],
  load: async () => {
    const { pMapIterable } = await import('p-map')

    function chain(ahead: number): Tools['map'] {
      return (input, stages, concurrency) =>
        stages.reduce<AsyncIterable<number>>(
          (before, work) =>
            pMapIterable(before, work, {
              concurrency,
              backpressure: concurrency + ahead,
              preserveOrder: false,
            }),
          input,
        )
    }

    return { map: chain(0), ordered: false, bufferedMap: chain(1) }
  },
}
