import type { AsyncIterableX } from 'ix/asynciterable'
import type { Peer, Work } from '../peer.ts'

/** What `flatMap` takes: a promise of values. */
const call = (work: Work) => (value: number) => work(value).then((result): Iterable<number> => [result])

export const ix: Peer = {
  name: 'IxJS',
  packages: ['ix'],
  load: async () => {
    const { from, merge, toArray } = await import('ix/asynciterable')
    const { bufferCountOrTime, flatMap, withAbort } = await import('ix/asynciterable/operators')
    return {
      map: (input, stages, concurrency) =>
        stages.reduce<AsyncIterableX<number>>(
          (before, work) => before.pipe(flatMap(call(work), concurrency)),
          from(input),
        ),
      ordered: false,
      abortable: (input, work, signal) => toArray(from(input).pipe(flatMap(call(work)), withAbort(signal))),
      batch: (input, size, ms) => from(input).pipe(bufferCountOrTime(size, ms)),
      merge: ([first, ...rest]) => merge(first, ...rest),
    }
  },
}
