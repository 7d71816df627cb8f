import type { Peer, Tools, Work } from '../peer.ts'

export const sluice: Peer = {
  name: 'sluice',
  packages: ['sluice'],
  load: async () => {
    const { batch, drain, fanIn, map, pipeline, source } = await import('sluice')

    function chain(capacity?: number): Tools['map'] {
      const options = capacity === undefined ? {} : { capacity }
      return (input, stages, concurrency) => {
        const mapped = (work: Work) => map(work, { ...options, concurrency, ordered: false })
        const first = pipeline(source(input, options))
        return stages.reduce((before, work) => pipeline(before, mapped(work)), first)
      }
    }

    return {
      map: chain(),
      ordered: false,
      tightMap: chain(0),
      abortable: (input, work, signal) => pipeline(source(input), map(work), drain()).run({ signal }),
      batch: (input, size, ms) => pipeline(source(input), batch(size, { ms })),
      merge: (inputs) => pipeline(fanIn(...inputs)),
    }
  },
}
