// The small packages named `it-…` are made to be used together. Their batches go by number or bytes, not by time.

import type { Peer, Work } from '../peer.ts'

async function* tasks(input: AsyncIterable<number>, work: Work) {
  for await (const value of input) yield () => work(value)
}

export const it: Peer = {
  name: 'it-parallel, it-merge',
  packages: ['it-parallel', 'it-merge'],
  load: async () => {
    const { default: parallel } = await import('it-parallel')
    const { default: merge } = await import('it-merge')
    return {
      map: (input, stages, concurrency) =>
        stages.reduce<AsyncIterable<number>>(
          (before, work) => parallel(tasks(before, work), { concurrency }),
          input,
        ),
      ordered: false,
      merge: (inputs) => merge(...inputs),
    }
  },
}
