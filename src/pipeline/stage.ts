/**
 * What a stage is: a name, where it fits, and how to make its kernel for one run.
 *
 * A kernel is the inner loop of a stage and nothing else. It never closes an output, forwards an error, looks at an
 * abort signal or waits for room: its task does that (task.ts), the same for all. A kernel is asked to `run` whenever
 * there may be something to do; it reads `port.items` from `port.at` to `port.end` as far as it likes, and writes to
 * `port.out` from `port.count` as far as `port.room`.
 *
 * Tried and rejected: an async function per stage over chunks (a promise per hop where values come one by one:
 * three times the price), and a call per value into the stage (the call is megamorphic: twice the price).
 */
import type { Receiver, Sender } from '../channel/handles.ts'
import type { Core, Wakeable } from '../channel/core.ts'
import { demand, demandCount, demandName, demandOptions } from '../errors.ts'
import type { Scope } from './builtin.ts'

/** What a kernel sees of its task. */
export interface Port<In, Out> {
  /** The input: `items[at]` up to `items[end]`. The kernel moves `at` behind what it has read. */
  readonly items: readonly In[]
  at: number
  /** Becomes 0 when the stage is left, which a function of the user may bring about: loops over one look here. */
  end: number
  /** How many values stand in the input, those behind `end` included. */
  readonly stock: number
  /** Whether there is a value to take outside of `run`, for a stage with steps in an instant and room for `worth` values. */
  mayTake(worth: number): boolean
  /** Takes the first value of the input, of which there is one, outside of `run`. */
  take(): In
  /**
   * The output: the kernel writes `out[count++]` as long as `count < room`; `room` becomes 0 like `end`. `out` may be
   * `items`, where the kernel `replaces`.
   */
  readonly out: Out[]
  count: number
  readonly room: number
  /** Set by a kernel that cannot take input now: it will `wake` the task itself. */
  held: boolean
  /** Set with `held` where it waits for room elsewhere than in the output. */
  blocked: boolean
  /** Set by a kernel that puts out no more values than it reads, from now on: it may write over them. Default: no. */
  replaces: boolean
  /** The channel behind the stage, for kernels whose branches write to it. */
  readonly output: Core<unknown> | undefined
  /** Whether other tasks write to it as well. */
  readonly shares: boolean
  /** Set by a kernel that has something to put out as soon as there is room. */
  full: boolean
  /** What the user's functions get as their last argument. */
  readonly context: StageContext
  /** Calls of the user's functions in flight: the run does not settle before they have. */
  calls: number
  /** One of them has come back. */
  callEnded(): void
  /** Whether the stage does nothing more; what comes back late is dropped. */
  readonly left: boolean
  /** Whether it is so fast that those at its channels may be woken late. */
  readonly brisk: boolean
  /** In whose context the user's functions are called. */
  readonly scope: Scope | undefined
  /** A value has failed for good, and its stage goes on. `false`: nobody is to hear of it, since its call was aborted. */
  skipped(failure: CallFailure<unknown>): boolean
  /** What a call fails with whose `onError` threw. The port makes it: the kernel may be of another copy of the package. */
  handlerFailure(thrown: unknown, handled: unknown): unknown
  /** Runs stages beside this one. */
  attach(definitions: readonly Definition[], ends: Ends): Chain
  /** Runs the kernel again, soon. */
  wake(): void
  /** The stage has had enough: closes the input, lets the output drain. */
  finish(): void
  /** The stage has failed, or what it called was interrupted, at `culprit.value` where one value did it. What it still puts out is dropped. */
  fail(error: unknown, culprit?: Culprit): void
  /** The stage has failed, but what came before the failure is still to be put out: `fail` follows. */
  failing(error: unknown, culprit?: Culprit): void
}

/** The value that is to blame. */
export interface Culprit {
  value: unknown
}

export interface Kernel<In, Out> {
  run(port: Port<In, Out>): void
  /** Whether it holds values that it has not put out: it will `wake` the task. Default: no. */
  readonly pending?: boolean
  /** Takes input though there is no room, and is run at each arrival though it is `held` with values unread. Fixed. */
  readonly eager?: boolean
  /** Takes a value though there is no room for what comes of it, and has that in hand until there is. Fixed. */
  readonly ahead?: boolean
  /** The input has ended, or failed, and all of it has been read: one value may still be put out. */
  end?(port: Port<In, Out>, failure: { cause: unknown } | undefined): void
  /**
   * The stage was left before its end, maybe because it failed: lets go of what it holds. The run waits for a promise.
   * One that was aborted does so without waiting for anything else.
   */
  close?(aborted: boolean, failure?: { cause: unknown }): PromiseLike<unknown> | void
  /** The program asked for a graceful end. For sources: pulls no more, then finishes. */
  stop?(port: Port<In, Out>): PromiseLike<unknown> | void
  /** What a sink has come to. */
  result?(): unknown
  /** Where a later run of a sink could go on, as plain data: behind the values that it has made last. */
  position?(): unknown
  /** Whether waiting for ever is in order, as it is on a daemon channel. */
  readonly daemon?: boolean
  /** What it waits for now, but for room, in words. Default: its calls, or a value, or its source. */
  readonly wants?: string | undefined
}

/** What `onError` is told. */
export interface CallFailure<In> {
  value: In
  /** Why: what the last call threw, or what is wrong with the value. */
  error: unknown
  /** The name of the stage. */
  stage: string
  /** How many calls were made for the value. */
  attempts: number
}

/** What a function of the user's is given with each value, and a stage of the user's own. */
export interface StageContext {
  /** Aborts when the results of this stage are no longer wanted. */
  readonly signal: AbortSignal
  /** The name of the stage. */
  readonly name: string
}

/** What a piece can be; a `sink pipeline` is complete, from source to sink. */
export type Kind = 'source' | 'stage' | 'sink' | 'sink pipeline'

/** An async function of a receiver and a sender: a stage written by the user. */
export type StageTask<In, Out> = (rx: Receiver<In>, tx: Sender<Out>, context: StageContext) => Promise<void>

/** Takes the two ends of a user's stage; then starts it. */
export type Custom = (input: Core<unknown>, output: Core<unknown>) => (context: StageContext) => Promise<void>

/** Stages that run beside the pipeline: an input of a fan-in, a branch of a fan-out. */
export interface Chain {
  /** Where a branch takes its values. An input of a fan-in has none. */
  readonly input: Core<unknown> | undefined
  /** Where its results go. One that ends in a sink has none. */
  readonly output: Core<unknown> | undefined
  /** What its sink has come to. */
  result(this: void): unknown
}

/** What stages beside the pipeline are joined to. */
export interface Ends {
  /** Who writes to them, for a branch: is told of room. */
  readonly writer?: Wakeable
  /** Who reads from them, for an input: is told of values. */
  readonly reader?: Wakeable
  /** Where their results go, for a branch that is no sink. */
  readonly output?: Core<unknown> | undefined
  /** What a branch is called: its name, its key. */
  readonly label?: string | undefined
}

/**
 * One stage, before any run. It is a kernel or a custom stage.
 *
 * The types of the values are checked where pieces are put together (pipeline.ts); from here on a stage takes
 * whatever the one before it gives.
 */
export interface Definition {
  readonly name: string
  /** How much its output holds, where the stage has a wish. */
  readonly capacity?: number | undefined
  readonly kernel?: (port: Port<unknown, unknown>) => Kernel<unknown, unknown>
  readonly custom?: Custom
  /** Made by `run` itself, and not shown. */
  readonly internal?: boolean
  /** What is attached beside it as far as that is known before a run: before it, or after it. */
  readonly inputs?: readonly (readonly Definition[])[]
  readonly branches?: readonly (readonly Definition[])[]
  /** What the branches are called. */
  readonly labels?: readonly string[]
  /** What comes out of it does not come from its branches. */
  readonly passes?: boolean
  /** When one of its inputs has ended, what it has of the others is dropped. */
  readonly pairs?: boolean
  /** How many values a source gives in all, where that is known before a run. */
  readonly size?: () => number | undefined
  /** A sink that goes on where a kernel of an earlier run had come to; `own`: a run of this process, the last one. */
  readonly resume?: (position: unknown, own?: boolean) => Definition
  /** A source that stays open over several runs, one after the other, from a position on. */
  readonly keep?: (position: unknown) => Kept
  /** Whether what a source reads can be read only once: a receiver, a stream, an iterator that was begun. */
  readonly once?: () => boolean
  /** Listens to the promises it is going to read: its turn may come long after the run has begun. */
  readonly hear?: () => void
}

/** A source that several runs share: each begins with what the one before it has not put out. */
export interface Kept {
  readonly definition: Definition
  /** Where a source made later could go on, as plain data: behind all that has been put out. */
  position(): unknown
  /** Whether all there is has been put out. */
  ended(): boolean
  close(): PromiseLike<unknown> | void
}

/** Listens to what stages that are not started are to read: what rejects meanwhile must find somebody. */
export function hearAll(chains: readonly (readonly Definition[])[]): void {
  for (const [first] of chains) {
    first.hear?.()
    hearAll(first.inputs ?? [])
  }
}

declare const IN: unique symbol
declare const OUT: unique symbol

/** A piece of a pipeline: takes values of `In`, gives values of `Out` (of a sink: is worth `Out`). */
export interface Part<K extends Kind, in In, out Out> {
  readonly kind: K
  readonly definitions: readonly Definition[]
  // `undefined` so that no message speaks of `exactOptionalPropertyTypes`.
  readonly [IN]?: ((value: In) => void) | undefined
  readonly [OUT]?: (() => Out) | undefined
}

/** The beginning of a pipeline: it gives values of `Out`. Made by `source` and its like. */
export type Source<Out> = Part<'source', never, Out>
/** A step of a pipeline: it takes values of `In`, and gives values of `Out`. Made by `map` and its like, `stage`, `through`. */
export type Stage<In, Out> = Part<'stage', In, Out>
/** The end of a pipeline: it takes values of `In`, and the run is worth `R`. Made by `toArray` and its like. */
export type Sink<In, R> = Part<'sink', In, R>

/** What nearly every stage takes. */
export interface StageOptions {
  /** Shown in stats, errors and reports. Default: the name of the function that made the stage. */
  name?: string | undefined
  /** How many values the channel behind this stage holds. Default: that of the run, 256. */
  capacity?: number | undefined
}

/** Options with what they are by default: nothing is left open. */
export type Complete<T> = { [K in keyof T]-?: Exclude<T[K], undefined> }

/** Makes a piece of one stage, and checks the options that all stages share. */
export function part<K extends Kind, In, Out>(
  kind: K,
  make: string,
  options: StageOptions | Pick<Definition, 'name' | 'capacity'>,
  rest: Omit<Definition, 'name' | 'capacity' | 'kernel'> & {
    kernel?: (port: Port<In, Out>) => Kernel<In, Out>
  },
): Part<K, In, Out> {
  demandOptions(options, `create ${make}`)
  const { name = make, capacity } = options
  demandName(name, `create ${make}`)
  if (capacity !== undefined) demandCount(capacity, `create ${make}`, 'capacity', 0, true)
  return { kind, definitions: [{ name, capacity, ...rest } as Definition] }
}

/** `options`, those that they inherit included, with some said otherwise. */
export function said<T extends object, Own extends object>(options: T, own: Own): T & Own {
  // Not by inheriting from them: getters that read private fields work on the object itself alone.
  return new Proxy(own as T & Own, { get: (_, key): unknown => Reflect.get(key in own ? own : options, key) })
}

/** Throws unless `piece` is a piece of a pipeline, of one of the kinds `wanted`. */
export function demandPart(piece: unknown, wanted: readonly Kind[], action: string, option: string): void {
  const { kind, definitions } = Object(piece) as Partial<Part<Kind, never, unknown>>
  const ok = definitions && wanted.includes(kind!)
  demand(ok, action, option, `a ${wanted.join(' or ')}`, definitions ? kind : piece, TypeError)
}

/** Passes values on as they are: as many as there is room for, and `most` at the most. */
export function pass<T>(port: Port<T, T>, most = Infinity): void {
  const { items, out } = port
  const end = Math.min(port.end, port.at + Math.min(port.room - port.count, most))
  const inPlace = (items as readonly unknown[]) === out && port.at === port.count
  if (inPlace) port.at = port.count = end
  else while (port.at < end) out[port.count++] = items[port.at++]!
}

/** The kernel that collects: that of `toArray`, and of a run without a sink. */
export function collecting<T>(): Kernel<T, T[]> {
  const values: T[] = []
  return {
    run(port) {
      const { items, end } = port
      for (let { at } = port; at < end; at++) values.push(items[at])
      port.at = end
    },
    result: () => values,
  }
}
