/**
 * Writing to several chains that run beside a stage: the base of every fan-out.
 *
 * A fan-out only hands out. Its branches write their results to the channel behind it themselves, side by side: no
 * value passes it twice, and no branch waits for another, so a diamond of small channels flows. When it is through it
 * leaves, and that channel ends with the last of the branches.
 *
 * After a failure, its own or one of a branch, nothing more is handed out: the branches end with the cause, and what
 * they had been given still comes out.
 *
 * Rejected: a second half of the stage that merges the branches as a fan-in does (a hop and a channel more, and twice
 * the code).
 */
import type { Core, Wakeable, Writer } from '../channel/core.ts'
import { demand, StageError } from '../errors.ts'
import { closeSide, parkWriter, room } from './edge.ts'
import {
  type Definition,
  demandPart,
  type Kernel,
  type Kind,
  part,
  type Part,
  pass,
  type Port,
  type StageOptions,
} from './stage.ts'

/** One branch, as the stage sees it. */
export interface Branch {
  readonly input: Core<unknown>
  readonly label: string
  /** What its sink has come to. */
  result(this: void): unknown
}

/** All tasks that write to one channel. Those that wait for room stand in line; each passes on what it leaves. */
class Gate implements Writer {
  readonly #tasks: Set<Wakeable>
  readonly #line = new Set<Wakeable>()
  /** Goes on through the line: one that began anew each time would step over all that have left it. */
  #turns = this.#line.values()
  #failure: { cause: unknown } | undefined

  constructor(readonly core: Core<unknown>) {
    this.#tasks = new Set([core.writer!])
    core.writer = this
  }

  join(task: Wakeable): void {
    this.#tasks.add(task)
  }

  park(task: Wakeable): void {
    this.#line.add(task)
  }

  wake(): void {
    if (this.core.accepting) {
      const task = this.#first()
      if (task) this.#line.delete(task)
      task?.wake()
    } else {
      // Nobody reads any more.
      this.#line.clear()
      for (const task of this.#tasks) task.wake()
    }
    this.core.writerParked = this.#line.size > 0
  }

  #first(): Wakeable | undefined {
    const next = this.#turns.next()
    if (!next.done) return next.value
    this.#turns = this.#line.values()
    return this.#turns.next().value
  }

  leave(task: Wakeable, failure: { cause: unknown } | undefined): void {
    const { core } = this
    if (!this.#tasks.delete(task)) return
    this.#failure ??= failure
    this.#line.delete(task)
    core.senders--
    if (this.#tasks.size > 0) return
    if (this.#failure) core.fail(this.#failure.cause)
    core.settle()
  }
}

/**
 * Writes what a branch gives to the channel behind the stage, where its last stage cannot do that itself. It waits for
 * a value only while there is room for one: at a rendezvous it would have it in its hands.
 */
const passing: Definition = {
  name: 'merge',
  internal: true,
  kernel: () => ({
    run(port) {
      pass(port)
      port.full = port.held = port.count >= port.room
    },
  }),
}

export type AnyBranch = Part<'stage' | 'sink', never, unknown>

/** What runs as a branch, and where its results go. */
type Opening = (
  stem: { readonly output: Core<unknown> | undefined },
  branch: AnyBranch,
) => { chain: readonly Definition[]; output?: Core<unknown> | undefined }

/** A sink gives nothing back. */
const alone: Opening = (_, { definitions }) => ({ chain: definitions })

/** A stage writes to the channel behind the one it branches off. */
export const merging: Opening = ({ output }, { kind, definitions }) => {
  if (kind === 'sink' || !output) return { chain: definitions }
  if (!output.writer!.join) new Gate(output)
  // A user's stage has a channel to itself, and so has one that wants another capacity. A rendezvous in front of a rendezvous
  // would only put one value more in the hands of each branch.
  const last = definitions.at(-1)!
  const { custom, capacity = output.capacity } = last
  if (!custom && (last.capacity === undefined || (capacity === 0 && output.capacity === 0)))
    return { chain: definitions, output }
  return { chain: [...definitions.slice(0, -1), { ...last, capacity }, passing], output }
}

/** It has no room, but will have. */
const isFull = (input: Core<unknown>): boolean => input.accepting && room(input) <= 0

export abstract class Branching<In> implements Kernel<In, unknown> {
  readonly branches: Branch[] = []
  #closed = false

  constructor(readonly port: Port<In, unknown>) {}

  /** Hands out what it can of the input. */
  abstract run(port: Port<In, unknown>): void

  /** Starts a branch. */
  protected branch(part: AnyBranch, label: string, open: Opening = alone): Branch {
    const { port } = this
    const { chain, output } = open(port, part)
    const { input, result } = port.attach(chain, { writer: port, output, label })
    const branch = { input: input!, label, result }
    this.branches.push(branch)
    // A stage of the branch may have ended the run as soon as it began.
    if (this.#closed) this.#end(branch)
    return branch
  }

  /** Whether a value for this branch must wait: it has no room, but will have. */
  protected waitsFor({ input }: Branch): boolean {
    if (!isFull(input)) return false
    parkWriter(input, this.port)
    this.port.held = this.port.blocked = true
    return true
  }

  /** The branches that hold it up. */
  get wants(): string | undefined {
    // It may have left, and wait for its calls.
    if (!this.port.blocked || this.port.left) return undefined
    const full = this.branches.filter(({ input }) => isFull(input)).map(({ label }) => label)
    return `${full.length > 0 ? `branch "${full.join('", "')}"` : 'a branch'} to take a value`
  }

  /** Whether no branch takes anything more: then the stage has come to its end. */
  protected allEnded(port: Port<In, unknown>): boolean {
    if (this.branches.some(({ input }) => input.accepting)) return false
    this.end()
    port.finish()
    return true
  }

  /** Nothing more is handed out: the branches end, with the failure if there is one. */
  end(_port?: Port<In, unknown>, failure?: { cause: unknown }): void {
    if (this.#closed) return
    this.#closed = true
    for (const branch of this.branches) this.#end(branch, failure)
  }

  #end({ input }: Branch, failure?: { cause: unknown }): void {
    if (failure) input.fail(failure.cause)
    closeSide(input, 'sender')
  }

  /** What its sinks have come to. */
  result(): unknown {
    return Object.fromEntries(this.branches.map(({ label, result }) => [label, result()]))
  }

  close(_aborted: boolean, failure?: { cause: unknown }): void {
    // After a failure behind this stage a sink must not end as it does when all is well: half a file would look whole.
    const cause: unknown = this.port.context.signal.reason
    this.end(undefined, failure ?? (cause instanceof StageError ? { cause } : undefined))
  }
}

/** Branches have names: they are no list. */
export interface NoList {
  readonly [Symbol.iterator]?: never
}

export type NamedBranches = Readonly<Record<string, AnyBranch>>

/** Makes a stage with named branches, which are all stages or all sinks. What it is worth is the kernel's `result`. */
export function branching<In>(
  make: string,
  options: StageOptions,
  branches: NamedBranches,
  kernel: (port: Port<In, unknown>, branches: NamedBranches) => Branching<In>,
): AnyBranch {
  // As they are now: what the program does to its object later changes nothing.
  const own = { ...branches }
  const action = `create ${make}`
  const names = Object.keys(own)
  const first = names[0]
  demand(first !== undefined, action, 'branches', 'an object with at least one branch', branches, TypeError)
  for (const name of names) {
    const kinds: Kind[] = name === first ? ['stage', 'sink'] : [own[first].kind]
    demandPart(own[name], kinds, action, `branches.${name}`)
  }
  return part(own[first].kind, make, options, {
    kernel: (port: Port<In, unknown>) => kernel(port, own),
    branches: names.map((name) => own[name].definitions),
    labels: names,
  })
}
