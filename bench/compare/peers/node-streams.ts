// The helpers of `Readable`. Node 20 has no batches by time and no merge.

import type { Readable as Stream } from 'node:stream'
import type { Peer, Tools } from '../peer.ts'

export const nodeStreams: Peer = {
  name: 'Node streams',
  packages: [],
  load: async () => {
    const { Readable } = await import('node:stream')

    /** `highWaterMark` is newer than the types that we have. */
    function chain(more: { highWaterMark?: number }): Tools['map'] {
      return (input, stages, concurrency) =>
        stages.reduce<Stream>(
          (before, work) => before.map(work, { concurrency, ...more }),
          Readable.from(input),
        )
    }

    return {
      map: chain({}),
      ordered: true,
      tightMap: chain({ highWaterMark: 1 }),
      abortable: (input, work, signal) =>
        Readable.from(input, { signal }).map(work, { signal }).toArray({ signal }),
    }
  },
}
