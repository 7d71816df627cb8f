// RxJS pushes. To be read by a loop it needs a queue between the two, which has no bound; leaving the loop
// unsubscribes at once. (`rxjs-for-await` has the same queue, but leaves only when the next value comes.)

import type { Observable } from 'rxjs'
import type { Peer } from '../peer.ts'

function readable<T>(observable: Observable<T>): AsyncIterable<T> {
  return { [Symbol.asyncIterator]: () => iterate(observable) }
}

function iterate<T>(observable: Observable<T>): AsyncIterator<T> {
  const values: T[] = []
  let ended: { error?: unknown } | undefined
  let wake = () => {}
  const end = (how: { error?: unknown }) => {
    ended ??= how
    wake()
  }
  const subscription = observable.subscribe({
    next: (value) => {
      values.push(value)
      wake()
    },
    error: (error: unknown) => end({ error }),
    complete: () => end({}),
  })
  return {
    next: async () => {
      if (values.length === 0 && !ended) await new Promise<void>((resolve) => (wake = resolve))
      if (values.length > 0) return { done: false, value: values.shift() as T }
      if (ended && 'error' in ended) throw ended.error
      return { done: true, value: undefined }
    },
    return: async () => {
      subscription.unsubscribe()
      end({})
      return { done: true, value: undefined }
    },
  }
}

export const rxjs: Peer = {
  name: 'RxJS',
  packages: ['rxjs'],
  load: async () => {
    const { bufferTime, filter, from, fromEvent, lastValueFrom, merge, mergeMap, takeUntil } =
      await import('rxjs')
    return {
      map: (input, stages, concurrency) =>
        readable(
          stages.reduce<Observable<number>>(
            (before, work) => before.pipe(mergeMap(work, concurrency)),
            from(input),
          ),
        ),
      ordered: false,
      abortable: (input, work, signal) =>
        lastValueFrom(from(input).pipe(mergeMap(work, 1), takeUntil(fromEvent(signal, 'abort')))),
      batch: (input, size, ms) =>
        readable(
          from(input).pipe(
            bufferTime(ms, null, size),
            filter((values) => values.length > 0),
          ),
        ),
      merge: (inputs) => readable(merge(...inputs)),
    }
  },
}
