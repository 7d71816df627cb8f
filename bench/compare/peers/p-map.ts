// `pMapIterable` for loops; `pMap`, which gives all results at once, is the one that takes a signal.

import type { Peer } from '../peer.ts'

export const pMap: Peer = {
  name: 'p-map',
  packages: ['p-map'],
  load: async () => {
    const { default: all, pMapIterable } = await import('p-map')
    return {
      map: (input, stages, concurrency) =>
        stages.reduce<AsyncIterable<number>>(
          (before, work) => pMapIterable(before, work, { concurrency, preserveOrder: false }),
          input,
        ),
      ordered: false,
      abortable: (input, work, signal) => all(input, work, { signal }),
    }
  },
}
