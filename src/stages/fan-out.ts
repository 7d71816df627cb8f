/** One stream to several branches: `fanOut` and `alsoTo` give each value to all, `balance` each to one. */
import { demandCount } from '../errors.ts'
import {
  type AnyBranch,
  Branching,
  branching,
  merging,
  type NamedBranches,
  type NoList,
} from '../pipeline/branches.ts'
import { arrived, room } from '../pipeline/edge.ts'
import { demandPart, part, type Port, type Sink, type Stage, type StageOptions } from '../pipeline/stage.ts'

/** Beside the mapped type, from which what comes out is inferred: from this, what goes in. No interface fits it. */
interface Branches<T> {
  readonly [name: string]: T
}

/** Copies what comes to all branches that still take any, and passes it on where it is `alsoTo`. */
class Copying<In> extends Branching<In> {
  readonly passes: boolean

  constructor(port: Port<In, unknown>, named: NamedBranches, open?: typeof merging) {
    super(port)
    this.passes = open === undefined
    for (const [name, branch] of Object.entries(named)) this.branch(branch, name, open)
  }

  override run(port: Port<In, unknown>): void {
    const { branches, passes } = this
    if (!passes && this.allEnded(port)) return
    const { items, at, out } = port
    const wanted = Math.min(port.end - at, passes ? port.room - port.count : Infinity)
    let count = wanted
    // A branch that has taken more than its room has less than none: it holds up what there is, but not the end.
    for (const { input } of branches) if (input.accepting) count = Math.min(count, Math.max(0, room(input)))
    if (count > 0) {
      port.at += count
      for (const { input } of branches) {
        if (!input.accepting) continue
        input.buffer.append(items, at, at + count)
        arrived(input, count, port.brisk)
      }
      if (passes) for (let i = 0; i < count; i++) out[port.count++] = items[at + i]
    }
    if (count < wanted) for (const branch of branches) this.waitsFor(branch)
  }
}

/**
 * Gives every value to every branch. Branches are stages, whose outputs merge behind it, or sinks: then this is a sink,
 * worth a record of what they have come to.
 *
 * - The slowest branch sets the pace; each has a channel of `capacity` before it.
 * - A branch that has ended does not stop the others. When all have, the source is closed.
 * - When a branch fails, the others finish what they were given, and the run fails.
 *
 * Ordered per branch. Concurrency 1. Holds nothing. On error: fails with the error of the branch.
 *
 * @throws TypeError for branches that are no stages or sinks, or a mix of both.
 * @example
 * import { count, fanOut, pipeline, range, reduce } from 'sluice'
 *
 * const branches = { sum: reduce((sum: number, n: number) => sum + n, 0), many: count() }
 * await pipeline(range(5), fanOut(branches)).run() // => { sum: 10, many: 5 }
 */
export function fanOut<In, Out extends object>(
  branches: { [K in keyof Out]: Stage<In, Out[K]> } & (Branches<Stage<In, unknown>> | NoList),
  options?: StageOptions,
): Stage<In, Out[keyof Out]>
export function fanOut<In, Results extends object>(
  branches: { [K in keyof Results]: Sink<In, Results[K]> } & (Branches<Sink<In, unknown>> | NoList),
  options?: StageOptions,
): Sink<In, Results>
export function fanOut(branches: Record<string, AnyBranch>, options: StageOptions = {}): AnyBranch {
  return branching('fanOut', options, branches, (port, own) => new Copying(port, own, merging))
}

/** `T`, for which nothing is inferred from here. Unlike `NoInfer` it stays a union where it is one: see pipeline/compose.ts. */
type Given<T> = [T][T extends unknown ? 0 : never]

/**
 * Passes all values on, and gives each to `sink` as well. The run waits for the sink, and fails when it fails. A sink
 * that has had enough is left alone.
 *
 * Ordered. Concurrency 1. Holds nothing. On error: fails with the error of the sink.
 *
 * @throws TypeError for anything but a sink.
 * @example
 * import { alsoTo, forEach, map, pipeline, range } from 'sluice'
 *
 * const seen: number[] = []
 * await pipeline(
 *   range(3),
 *   alsoTo(forEach((n) => void seen.push(n))),
 *   map((n) => n * 10),
 * ).run() // => [0, 10, 20]
 * seen // => [0, 1, 2]
 */
export function alsoTo<In>(sink: Sink<Given<In>, unknown>, options?: StageOptions): Stage<In, In>
export function alsoTo<In>(sink: Sink<In, unknown>, options?: StageOptions): Stage<In, In>
// What goes in is what the pipeline around it says, not what the sink would take as well: `count()` takes anything.
export function alsoTo<In>(sink: Sink<In, unknown>, options: StageOptions = {}): Stage<In, In> {
  demandPart(sink, ['sink'], 'create alsoTo', 'sink')
  return part('stage', 'alsoTo', options, {
    kernel: (port) => new Copying<In>(port, { sink }) as never,
    branches: [sink.definitions],
    labels: ['sink'],
    passes: true,
  })
}

class Balancing<In> extends Branching<In> {
  #turn = 0

  constructor(port: Port<In, unknown>, n: number, stage: AnyBranch) {
    super(port)
    for (let i = 0; i < n; i++) this.branch(stage, String(i), merging)
  }

  /** Gives the copy with the fewest values waiting its share of what is there, and again. */
  override run(port: Port<In, unknown>): void {
    const { branches } = this
    if (this.allEnded(port)) return
    const share = Math.ceil((port.end - port.at) / branches.length)
    while (port.at < port.end) {
      const input = this.#idlest()
      if (input === undefined) {
        for (const branch of branches) this.waitsFor(branch)
        return
      }
      const end = Math.min(port.end, port.at + Math.min(share, room(input)))
      const { items, at } = port
      input.buffer.append(items, at, end)
      port.at = end
      arrived(input, end - at, port.brisk)
    }
  }

  /** The one with room that has the fewest values, one at work included; of several the next in turn. */
  #idlest(): Branching<In>['branches'][number]['input'] | undefined {
    const { branches } = this
    this.#turn++
    let idlest
    let least = Infinity
    // Nobody has less to do than nothing.
    for (let i = 0; i < branches.length && least > 0; i++) {
      const { input } = branches[(this.#turn + i) % branches.length]
      if (!input.accepting || room(input) <= 0) continue
      // One that does not wait for a value has one in its hands already.
      const load = input.buffer.length + (input.readerParked || input.readers.head ? 0 : 1)
      if (load >= least) continue
      least = load
      idlest = input
    }
    return idlest
  }

  override result(): unknown[] {
    return this.branches.map(({ result }) => result())
  }
}

/**
 * Runs `n` copies of a stage and gives each value to one of them, the one with the least to do. Their outputs merge; of
 * sinks, this is worth an array.
 *
 * Ordered per copy. Concurrency `n`. Holds what the copies hold. On error: fails with the error of the copy.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * import { balance, map, pipeline, range } from 'sluice'
 *
 * const square = map(async (n: number) => n * n)
 * const squares = await pipeline(range(4), balance(2, square)).run()
 * squares.sort((a, b) => a - b) // => [0, 1, 4, 9]
 */
export function balance<In, Out>(n: number, stage: Stage<In, Out>, options?: StageOptions): Stage<In, Out>
export function balance<In, R>(n: number, sink: Sink<In, R>, options?: StageOptions): Sink<In, R[]>
export function balance(n: number, stage: AnyBranch, options: StageOptions = {}): AnyBranch {
  demandCount(n, 'create balance', 'n', 1)
  demandPart(stage, ['stage', 'sink'], 'create balance', 'stage')
  return part(stage.kind, 'balance', options, {
    kernel: (port) => new Balancing<never>(port, n, stage),
    branches: Array.from({ length: n }, () => stage.definitions),
  })
}
