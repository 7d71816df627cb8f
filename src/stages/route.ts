/** Each value to the branch that a function names: `route` to one of those given, `groupBy` to one made for its key. */
import { demand, demandCount, demandFunction } from '../errors.ts'
import {
  type AnyBranch,
  type Branch,
  Branching,
  branching,
  merging,
  type NoList,
} from '../pipeline/branches.ts'
import { Calls, type Family, type Slot } from '../pipeline/calls.ts'
import { MOST, put, room } from '../pipeline/edge.ts'
import { special } from '../pipeline/results.ts'
import { type Call, callOf, type CallOptions, type Fn } from '../pipeline/retry.ts'
import { late } from '../pipeline/scheduler.ts'
import { demandPart, part, type Port, type Sink, type Stage } from '../pipeline/stage.ts'

/** What may stand for the name of a branch: a property `0` may be called by its number. */
type BranchName<Key> = Key | (Key extends `${infer Place extends number}` ? Place : never)

/** Calls a function for each value, and gives the value to the branch of the key that comes of it. */
class Keyed<In> extends Branching<In> {
  readonly #byKey = new Map<unknown, Branch>()
  readonly #calls: Calls<In, unknown, unknown>

  constructor(
    port: Port<In, unknown>,
    fn: Fn<In, unknown>,
    call: Call<In>,
    /** Makes the branch of a key that has none, given how many have one; or throws. Without it all are there from the start. */
    readonly make?: (key: unknown, known: number) => AnyBranch,
  ) {
    super(port)
    const family: Family<In, unknown, unknown> = {
      loop: (...args) => this.#loop(...args),
      emit: (_, slot) => this.#emit(slot),
      // Nothing for the channel behind it.
      worth: ({ result }) => (this.#hasRoom(this.#known(result)) ? 0 : Infinity),
    }
    this.#calls = new Calls(port, family, fn, call)
  }

  /** Starts the branch of a key. */
  open(key: unknown, branch: AnyBranch): Branch {
    const opened = this.branch(branch, labelOf(key), merging)
    this.#byKey.set(key, opened)
    return opened
  }

  get pending(): boolean {
    return this.#calls.pending
  }

  override run(port: Port<In, unknown>): void {
    if (this.make || !this.allEnded(port)) this.#calls.run(port)
  }

  #known(key: unknown): Branch | undefined {
    // What an object calls its properties is text.
    return this.#byKey.get(this.make || typeof key !== 'number' ? key : String(key))
  }

  /** Whether all results that may be gathered find room there. */
  #hasRoom(branch: Branch | undefined): boolean {
    return branch !== undefined && branch.input.accepting && room(branch.input) >= MOST
  }

  #loop(port: Port<In, unknown>, fn: Fn<In, unknown>, offset: number): unknown {
    const { items, context } = port
    for (; port.at < port.end; port.at++) {
      if ((port.at & 15) === 15 && late()) port.end = port.at + 1
      const value = items[port.at]
      const key = fn(value, offset + port.at, context)
      if (special(key)) return key
      const branch = this.#known(key)
      if (branch === undefined || port.left || this.waitsFor(branch)) return key
      if (branch.input.accepting) put(branch.input, value, port.brisk)
    }
    return undefined
  }

  #emit({ value, result }: Slot<In, unknown>): boolean {
    const { make, port } = this
    if (port.left) return false
    let branch = this.#known(result)
    if (branch === undefined) {
      if (make === undefined) this.#refuse(result)
      const made = make!(result, this.#byKey.size)
      // To make it may have ended the run.
      if (port.left) return false
      branch = this.open(result, made)
    }
    if (this.waitsFor(branch)) return false
    if (branch.input.accepting) put(branch.input, value, port.brisk)
    return true
  }

  /** No branch has that name. */
  #refuse(name: unknown): void {
    const names = [...this.#byKey.keys()].map((known) => JSON.stringify(known)).join(', ')
    demand(false, 'route', 'fn', `a function that gives one of ${names}`, name)
  }
}

/** A key in reports and pictures. */
function labelOf(key: unknown): string {
  try {
    return Object(key) === key ? Object.prototype.toString.call(key) : String(key)
  } catch {
    // To look at it throws; as a key it is as good as any.
    return typeof key
  }
}

/**
 * Gives each value to the branch whose name `fn` gives. Branches are stages, whose outputs merge behind it, or sinks:
 * then this is a sink, worth a record of what they have come to.
 *
 * - A branch that has no room holds up the values behind the one it is to take.
 * - A branch that has ended drops what is sent there. When all have, the source is closed.
 *
 * Ordered per branch unless told otherwise. Concurrency 1 unless told otherwise. Holds at most `concurrency` values. On
 * error: fails, or follows `retry` and `onError`; so does a name that no branch has.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * import { count, pipeline, range, route, toArray } from 'sluice'
 *
 * const parity = (n: number) => (n % 2 === 0 ? 'even' : 'odd')
 * const branches = { even: toArray<number>(), odd: count() }
 * await pipeline(range(5), route(parity, branches)).run() // => { even: [0, 2, 4], odd: 2 }
 */
export function route<In, Out extends object>(
  fn: Fn<In, BranchName<keyof Out>>,
  branches: { [K in keyof Out]: Stage<In, Out[K]> } & NoList,
  options?: CallOptions<NoInfer<In>>,
): Stage<In, Out[keyof Out]>
export function route<In, Results extends object>(
  fn: Fn<In, BranchName<keyof Results>>,
  branches: { [K in keyof Results]: Sink<In, Results[K]> } & NoList,
  options?: CallOptions<NoInfer<In>>,
): Sink<In, Results>
export function route(
  fn: Fn<never, unknown>,
  branches: Record<string, AnyBranch>,
  options: CallOptions<never> = {},
): AnyBranch {
  const call = callOf('route', fn, options)
  return branching('route', options, branches, (port: Port<never, unknown>, own) => {
    const keyed = new Keyed(port, fn, call)
    for (const name of Object.keys(own)) keyed.open(name, own[name])
    return keyed
  })
}

/** What `groupBy` takes. `concurrency`, `retry` and the like are about the calls of `key`. */
export interface GroupOptions<In> extends CallOptions<In> {
  /** How many keys there may be; one more fails the stage. Default: 1,000. */
  max?: number | undefined
}

/**
 * Runs a copy of a stage for each key: `key` gives the key of a value, `stage` is called once for each new one. The
 * outputs of all copies merge.
 *
 * - Keys are told apart as in a `Map`. A copy lives until the input ends, or until it wants no more; what comes for its
 *   key after that is dropped.
 * - More than `max` keys fail the stage.
 *
 * Ordered per key unless told otherwise. Concurrency 1 unless told otherwise. Holds at most `concurrency` values and
 * what the copies hold. On error: fails, or follows `retry` and `onError`; so does a key too many.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * import { batch, groupBy, map, pipeline, source } from 'sluice'
 *
 * const counted = groupBy(
 *   (word: string) => word,
 *   (word) => pipeline(
 *     batch<string>(100),
 *     map((all) => `${word}: ${all.length}`),
 *   ),
 * )
 * const counts = await pipeline(source(['a', 'b', 'a']), counted).run()
 * counts.sort() // => ['a: 2', 'b: 1']
 */
export function groupBy<In, Key, Out>(
  key: Fn<NoInfer<In>, Key>,
  stage: (key: Key) => Stage<In, Out>,
  options?: GroupOptions<NoInfer<In>>,
): Stage<In, Out>
export function groupBy<In, Key, Out>(
  key: Fn<In, Key>,
  stage: (key: Key) => Stage<In, Out>,
  options?: GroupOptions<In>,
): Stage<In, Out>
export function groupBy<In, Key, Out>(
  key: Fn<In, Key>,
  stage: (key: Key) => Stage<In, Out>,
  options: GroupOptions<In> = {},
): Stage<In, Out> {
  const call = callOf('groupBy', key, options, 'key')
  const { max = 1000 } = options
  demandFunction(stage, 'create groupBy', 'stage')
  demandCount(max, 'create groupBy', 'max', 1, true)
  const make = (value: unknown, known: number): AnyBranch => {
    if (known >= max) throw new RangeError(`Cannot group: there are more than "max" = ${max} keys`)
    const made = stage(value as Key)
    demandPart(made, ['stage'], 'group', 'stage')
    return made
  }
  return part('stage', 'groupBy', options, {
    kernel: (port) => new Keyed<In>(port, key, call, make),
  })
}
