/** What sinks write to, each made so that one can see how it was left, and made to fail or hang where it is told to. */
import { Writable } from 'node:stream'
import { forEach, reduce, writeTo } from 'sluice'
import { never } from '../../pipeline/support-waiting.ts'
import type { SinkOf } from '../stage-rows.ts'

/** Where a target misbehaves: at a write, counted from 0, or at its end. */
export interface Trouble {
  at: number | 'end'
  /** It hangs where it has no error. */
  error?: Error
}

export interface Target {
  sink: SinkOf<number>
  /** The stage that its failures name. */
  stage: string
  written: number[]
  /** How often it was ended, and how often it was told that there is no more after a failure or an abort. */
  ended: number
  destroyed: number
}

export interface TargetKind {
  title: string
  /** It has an end of its own, that can fail too. */
  ends: boolean
  open: (trouble?: Trouble) => Target
}

/** Does what was agreed on for this place. */
function misbehave({ written }: Target, trouble: Trouble | undefined, place: number | 'end'): Promise<void> {
  if (place !== 'end') written.push(place)
  if (trouble?.at !== place) return Promise.resolve()
  return trouble.error ? Promise.reject(trouble.error) : never()
}

const target = (stage: string, sink: (log: Target) => SinkOf<number>): Target => {
  const log: Target = { stage, written: [], ended: 0, destroyed: 0, sink: undefined! }
  log.sink = sink(log)
  return log
}

const writable = (log: Target, trouble?: Trouble): Writable =>
  new Writable({
    objectMode: true,
    write(n: number, _encoding, done) {
      misbehave(log, trouble, n).then(() => done(), done)
    },
    final(done) {
      log.ended++
      misbehave(log, trouble, 'end').then(() => done(), done)
    },
    destroy(error, done) {
      // Node destroys one that has finished as well.
      if (!this.writableFinished) log.destroyed++
      done(error)
    },
  })

const stream = (log: Target, trouble?: Trouble): WritableStream<number> =>
  new WritableStream<number>({
    start(controller) {
      controller.signal.addEventListener('abort', () => log.destroyed++)
    },
    write: (n) => misbehave(log, trouble, n),
    close() {
      log.ended++
      return misbehave(log, trouble, 'end')
    },
  })

export const targetKinds: TargetKind[] = [
  {
    title: 'forEach',
    ends: false,
    open: (trouble) => target('forEach', (log) => forEach((n: number) => misbehave(log, trouble, n))),
  },
  {
    title: 'reduce',
    ends: false,
    open: (trouble) =>
      target('reduce', (log) =>
        reduce((sum: number, n: number) => misbehave(log, trouble, n).then(() => sum + n), 0),
      ),
  },
  {
    title: 'writeTo a Node Writable',
    ends: true,
    open: (trouble) => target('writeTo', (log) => writeTo(writable(log, trouble))),
  },
  {
    title: 'writeTo a WritableStream',
    ends: true,
    open: (trouble) => target('writeTo', (log) => writeTo(stream(log, trouble))),
  },
]
