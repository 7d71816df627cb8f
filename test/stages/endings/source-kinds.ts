/**
 * Every kind of input that a pipeline reads, each made so that one can see what a run does to it.
 *
 * To put a new kind under all endings, add it to `sourceKinds`; a new source that reads inputs goes to `joins`.
 */
import { Readable } from 'node:stream'
import {
  channel,
  concat,
  fanIn,
  interleave,
  map,
  mergeSorted,
  pipeline,
  source,
  zip,
  type FanInInput,
} from 'sluice'
import { naturals, type Ending } from '../../pipeline/support-sources.ts'
import { never } from '../../pipeline/support-waiting.ts'
import type { SourceOf } from '../stage-rows.ts'

/** `open` is being read or stands at a value, `stuck` hangs in an await; `ended` and `failed` it did by itself. */
export type State = 'unopened' | 'open' | 'stuck' | 'ended' | 'failed'
type Releases = Record<State, number>

export interface Resource {
  title: string
  state: State
  /** How many values were handed out. */
  pulled: number
  /** How often it was released: by `return`, `cancel`, `close`, or by leaving a generator. */
  released: number
  /** Its state when that was. */
  releasedWhile?: State
  /** Closes what a run that never began has left as it was. */
  drop?: () => void
  /** The run never began: nothing is touched. */
  untouched?: boolean
  /** Somebody waits for an answer, and does not know yet what became of it. */
  asked?: object | undefined
  /** How often it has to be in the end, by the state it was left in. */
  releases: Releases
}

export interface Opened {
  source: SourceOf<unknown>
  resources: Resource[]
}

export interface SourceKind {
  title: string
  /** A source of `values`, of which there may be no end. */
  open: (values: Iterable<unknown>, ending?: Ending) => Opened
  /** Everything handed out before a stop comes out of the run. Of others some may be in a buffer of their own. */
  exact: boolean
  /** Can wait for ever, or fail. */
  breaks: boolean
  /** Gives its values in an order that is not fixed. */
  loose?: boolean
}

/** Called once where it was left early, and never after an end. */
const asIterators = { unopened: 0, open: 1, stuck: 1, ended: 0, failed: 0 }
/** The `finally` of a generator runs however it ends, but never while it hangs. */
const asGenerators = { unopened: 0, open: 1, stuck: 0, ended: 1, failed: 1 }
const asArrays = { unopened: 0, open: 0, stuck: 0, ended: 0, failed: 0 }
/** Destroyed or closed by the run, or by its own end; somebody is at the other end, so also where its turn never comes. */
const asHandles = { unopened: 1, open: 1, stuck: 1, ended: 1, failed: 1 }

const resource = (title: string, releases: Releases): Resource => ({
  title,
  state: 'unopened',
  pulled: 0,
  released: 0,
  releases,
})

/** How often a resource has been released, and how often it should have been. */
export const releasesOf = ({ state, released, releasedWhile = state, releases, untouched }: Resource) => ({
  released,
  wanted: untouched ? 0 : releases[releasedWhile],
})

function release(log: Resource): void {
  log.released++
  log.releasedWhile ??= log.asked && log.state !== 'stuck' ? 'open' : log.state
}

/** The next value. At the end says so, throws, or gives a promise that never settles. */
function advance(
  log: Resource,
  values: Iterator<unknown>,
  ending: Ending,
): IteratorResult<unknown> | Promise<never> {
  if (log.state === 'unopened') log.state = 'open'
  const step = values.next()
  if (!step.done) {
    log.pulled++
    return step
  }
  log.state = ending === 'hang' ? 'stuck' : ending === 'end' ? 'ended' : 'failed'
  if (typeof ending === 'object') throw ending.error
  return ending === 'hang' ? never() : step
}

/** The input alone, for sources that read several. */
interface WatchedKind extends SourceKind {
  input: (values: Iterable<unknown>, ending: Ending) => { input: FanInInput<unknown>; log: Resource }
}

type Read = (log: Resource, values: Iterator<unknown>, ending: Ending) => FanInInput<unknown>

const kind = (
  title: string,
  releases: Releases,
  read: Read,
  { exact = true, breaks = true }: { exact?: boolean; breaks?: boolean } = {},
): WatchedKind => {
  const input = (values: Iterable<unknown>, ending: Ending) => {
    const log = resource(title, releases)
    return { input: read(log, values[Symbol.iterator](), ending), log }
  }
  return {
    title,
    exact,
    breaks,
    input,
    open(values, ending = 'end') {
      const { input: made, log } = input(values, ending)
      return { source: source(made as Iterable<unknown>), resources: [log] }
    },
  }
}

/** What it does to answer; until that has come through `hands`, nobody can know how it has ended. */
function asked<T>(log: Resource, work: () => Promise<T>, hands = 0): Promise<T> {
  const question = {}
  log.asked = question
  const answer = Promise.resolve().then(work)
  const answered = async () => {
    for (let hand = 0; hand < hands; hand++) await null
    // It may have been asked again meanwhile.
    if (log.asked === question) log.asked = undefined
  }
  answer.then(answered, answered)
  return answer
}

const asyncIterator: Read = (log, values, ending) => ({
  [Symbol.asyncIterator]: () => ({
    next: () => asked(log, async () => advance(log, values, ending)),
    async return() {
      release(log)
      return { done: true, value: undefined }
    },
  }),
})

/** More than any run of these tests reads: an array cannot be endless. */
const MANY = 3_000

function arrayOf(values: Iterator<unknown>): unknown[] {
  const list: unknown[] = []
  for (let step = values.next(); !step.done && list.length < MANY; step = values.next()) list.push(step.value)
  return list
}

/** What an iterable of promises does instead of ending. */
const lastPromise = (ending: Ending): Promise<never>[] =>
  ending === 'end' ? [] : [ending === 'hang' ? never() : Promise.reject(ending.error)]

export const iterators = kind('an async iterator', asIterators, asyncIterator)

export const sourceKinds = [
  kind('an array', asArrays, (_log, values) => arrayOf(values), { exact: false, breaks: false }),
  kind(
    'an array of promises',
    asArrays,
    (log, values, ending) => {
      if (ending === 'hang') log.state = 'stuck'
      return [...arrayOf(values).map((value) => Promise.resolve(value)), ...lastPromise(ending)]
    },
    { exact: false },
  ),
  kind('a Set', asArrays, (_log, values) => new Set(arrayOf(values)), { exact: false, breaks: false }),
  kind('a sync iterator', asIterators, (log, values, ending) => ({
    [Symbol.iterator]: () => ({
      next() {
        const step = advance(log, values, ending)
        return step instanceof Promise ? { done: false, value: step } : step
      },
      return() {
        release(log)
        return { done: true, value: undefined }
      },
    }),
  })),
  kind(
    'a sync generator',
    // It stands at a yield while the promise it gave hangs.
    { ...asGenerators, stuck: 1 },
    (log, values, ending) =>
      (function* () {
        try {
          for (;;) {
            const step = advance(log, values, ending)
            if (step instanceof Promise) yield step
            else if (step.done) return
            else yield step.value
          }
        } finally {
          release(log)
        }
      })(),
  ),
  kind('an async generator', asGenerators, (log, values, ending) =>
    (async function* () {
      try {
        for (;;) {
          const step = await advance(log, values, ending)
          if (step.done) return
          yield step.value
        }
      } finally {
        release(log)
      }
    })(),
  ),
  iterators,
  kind('an async iterator without `return`', asArrays, (log, values, ending) => ({
    [Symbol.asyncIterator]: () => ({ next: async () => advance(log, values, ending) }),
  })),
  kind(
    'a ReadableStream',
    { ...asIterators, unopened: 1 },
    (log, values, ending) =>
      new ReadableStream<unknown>(
        {
          pull: (controller) =>
            asked(
              log,
              async () => {
                const step = await advance(log, values, ending)
                if (step.done) controller.close()
                else controller.enqueue(step.value)
              },
              // A stream hands a failed pull on to itself before its reader hears of it.
              4,
            ),
          cancel: () => release(log),
        },
        { highWaterMark: 0 },
      ),
    { exact: false },
  ),
  kind(
    'a Node Readable',
    asHandles,
    (log, values, ending) =>
      new Readable({
        objectMode: true,
        highWaterMark: 1,
        read() {
          Promise.resolve()
            .then(() => advance(log, values, ending))
            .then(
              (step) => this.push(step.done ? null : step.value),
              (error: unknown) => this.destroy(error as Error),
            )
        },
        destroy(error, done) {
          release(log)
          done(error)
        },
      }),
    { exact: false },
  ),
  kind(
    'a Receiver',
    { ...asHandles, ended: 0 },
    (log, values, ending) => {
      const [tx, rx] = channel<unknown>(0, { daemon: true })
      log.drop = () => rx.close()
      // One that has ended may be closed or not.
      void tx.whenClosed().then(() => log.state === 'ended' || release(log))
      const fill = async () => {
        for (;;) {
          // Nobody reads before the first value has been taken.
          const { state } = log
          const next = advance(log, values, ending)
          if (state === 'unopened') log.state = state
          const step = await next
          if (step.done) break
          await tx.send(step.value)
          log.state = 'open'
        }
      }
      // A send that finds the receiver gone ends it.
      void fill().then(
        () => tx.close(),
        (error: unknown) => (log.state === 'failed' ? tx.fail(error) : tx.close()),
      )
      return rx
    },
    { exact: false },
  ),
  kind(
    'a promise of an iterable',
    asIterators,
    async (...args) => asyncIterator(...args) as AsyncIterable<unknown>,
  ),
  kind(
    'a function of the context',
    asIterators,
    (...args) =>
      () =>
        asyncIterator(...args) as AsyncIterable<unknown>,
  ),
  kind(
    'a function that gives a promise',
    asIterators,
    (...args) =>
      async () =>
        asyncIterator(...args) as AsyncIterable<unknown>,
  ),
]

type Join = (...inputs: FanInInput<unknown>[]) => SourceOf<unknown>

export const joins: { title: string; join: Join; pairs?: boolean; loose?: boolean }[] = [
  { title: 'fanIn', join: fanIn, loose: true },
  { title: 'concat', join: concat },
  { title: 'interleave', join: interleave },
  { title: 'mergeSorted', join: (...inputs) => mergeSorted(() => 0, ...inputs) },
  {
    title: 'zip',
    join: (...inputs) =>
      pipeline(
        zip(...inputs),
        map(([first]: readonly unknown[]) => first),
      ),
    // What has no partner does not come out.
    pairs: true,
  },
]

/** Every join of two inputs of one kind, one of them as a pipeline. */
export const joinsOf = (each: WatchedKind): SourceKind[] =>
  joins.map(({ title, join, pairs = false, loose = false }) => ({
    loose,
    title: `${title} of ${each.title} and a pipeline over another`,
    exact: !pairs && each.exact,
    breaks: each.breaks,
    open(values: Iterable<unknown>, ending: Ending = 'end') {
      const one = each.input(values, ending)
      // Of two that end at the same time, either may be left while it is about to say so.
      const two = pairs && ending === 'end' ? each.input(naturals, ending) : each.input(values, ending)
      const behind = map((value: unknown) => value)
      const inner = pipeline(source(two.input as Iterable<unknown>), behind) as SourceOf<unknown>
      return { source: join(one.input, inner), resources: [one.log, two.log] }
    },
  }))

export const joinedKinds: SourceKind[] = sourceKinds.flatMap(joinsOf)
