import type { Peer } from '../peer.ts'

export const pMap: Peer = {
  name: 'p-map (pMapIterable)',
  packages: ['p-map'],
  load: async () => {
    const { pMapIterable } = await import('p-map')
    return {
      map: (input, stages, concurrency) =>
        stages.reduce<AsyncIterable<number>>(
          (before, work) => pMapIterable(before, work, { concurrency, preserveOrder: false }),
          input,
        ),
      ordered: false,
    }
  },
}
