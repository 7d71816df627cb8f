/**
 * Writing to several chains that run beside a stage, and reading back what they give: the base of every fan-out.
 *
 * A fan-out is two halves in one task. One hands values to branches, and holds back when the branch that must take the
 * next value has no room. The other puts out what comes back, as a fan-in does. They never wait for each other, so a
 * diamond of small channels flows.
 *
 * After a failure, its own or one of a branch, nothing more is handed out: the branches end with the cause, what they
 * had been given comes back, then the stage fails.
 */
import type { Core } from '../channel/core.ts'
import { demand } from '../errors.ts'
import { closeSide, parkWriter, room } from './edge.ts'
import { Merge } from './inlets.ts'
import {
  type Attach,
  type Chain,
  type Kernel,
  type Kind,
  part,
  type Part,
  type Port,
  type StageOptions,
} from './stage.ts'

/** One branch, as the stage sees it. */
export interface Branch {
  readonly input: Core<unknown>
  /** What its sink has come to. */
  result(this: void): unknown
}

export abstract class Branching<In> implements Kernel<In, unknown> {
  readonly branches: Branch[] = []
  readonly #merge: Merge<unknown>
  /** Nothing more is handed out: the input has ended, all branches have, or something failed. */
  #closed = false
  #failure: { cause: unknown } | undefined

  constructor(
    readonly port: Port<In, unknown>,
    readonly attach: Attach,
  ) {
    this.#merge = new Merge(port)
  }

  /** Starts a branch. */
  protected branch({ kind, definitions }: Part<Kind, never, unknown>): Branch {
    let chain!: Chain
    const attach = (ends: Parameters<Attach>[1]): Chain => (chain = this.attach(definitions, ends))
    if (kind === 'sink') attach({ writer: this.port })
    else this.#merge.add((reader) => attach({ writer: this.port, reader }).output!)
    const branch = { input: chain.input!, result: chain.result }
    this.branches.push(branch)
    return branch
  }

  /** Hands out what it can of the input, and puts out what does not go through branches. */
  protected abstract handOut(port: Port<In, unknown>): void

  /** Whether a value for this branch must wait: it has no room, but will have. */
  protected waitsFor({ input }: Branch): boolean {
    if (!input.accepting || room(input) > 0) return false
    parkWriter(input)
    this.port.held = this.port.blocked = true
    return true
  }

  /** Gives a value to a branch that has room. One that has ended loses it. */
  protected give({ input }: Branch, value: unknown): void {
    if (input.accepting) input.offer(value)
  }

  /** Whether a branch still takes values. */
  protected get anyOpen(): boolean {
    return this.branches.some(({ input }) => input.accepting)
  }

  run(port: Port<In, unknown>): void {
    if (!this.#closed) this.handOut(port)
    this.#merge.move(port as Port<never, unknown>)
    port.full ||= this.#merge.ready
    if (!this.#closed || port.left) return
    port.held = this.#merge.open > 0
    if (port.held) return
    if (this.#failure) port.fail(this.#failure.cause)
    else port.finish()
  }

  end(port: Port<In, unknown>, failure: { cause: unknown } | undefined): void {
    this.closeBranches(failure)
    port.held = this.#merge.open > 0
  }

  failed(cause: unknown): boolean {
    this.closeBranches({ cause })
    return this.#merge.open > 0
  }

  /** Hands out nothing more: the branches end, with the failure if there is one. */
  protected closeBranches(failure?: { cause: unknown }): void {
    this.#failure ??= failure
    if (this.#closed) return
    this.#closed = true
    for (const { input } of this.branches) {
      if (failure) input.fail(failure.cause)
      closeSide(input, 'sender')
    }
  }

  close(): void {
    this.#merge.close()
    // Sinks end as they do when there is nothing more.
    this.closeBranches(this.#failure)
  }
}

/** Makes a stage with branches, which are all stages or all sinks. A sink of sinks is worth what `resultOf` makes of them. */
export function branching<In>(
  make: string,
  options: StageOptions,
  branches: readonly (readonly [option: string, branch: unknown])[],
  kernel: (port: Port<In, unknown>, attach: Attach) => Branching<In>,
): Part<'stage' | 'sink', In, never> {
  const action = `create ${make}`
  const kinds = branches.map(([option, branch]) => demandBranch(action, option, branch))
  const kind = kinds[0]
  const mixed = kinds.findIndex((other) => other !== kind)
  if (mixed > 0)
    demand(false, action, branches[mixed][0], `a ${kind} like the others`, kinds[mixed], TypeError)
  const chains = branches.map(([, branch]) => (branch as Part<Kind, never, unknown>).definitions)
  return part(kind, make, options, { kernel, branches: chains }) as Part<'stage' | 'sink', In, never>
}

export function demandBranch(action: string, option: string, branch: unknown): 'stage' | 'sink' {
  const { kind, definitions } = Object(branch) as Partial<Part<Kind, never, unknown>>
  demand(definitions, action, option, 'a stage or a sink', branch, TypeError)
  demand(kind === 'stage' || kind === 'sink', action, option, 'a stage or a sink', kind, TypeError)
  return kind as 'stage' | 'sink'
}

/** Branches by name. */
export function namedBranches(make: string, branches: unknown): [option: string, branch: unknown][] {
  const named = Object.entries(Object(branches) as object)
  demand(
    named.length > 0,
    `create ${make}`,
    'branches',
    'an object with at least one branch',
    branches,
    TypeError,
  )
  return named.map(([name, branch]) => [`branches.${name}`, branch])
}
