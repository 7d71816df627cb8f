/**
 * What JavaScript keeps quiet about: a program whose event loop has run dry while something still waits just stops,
 * with exit code 0, and a handle that was forgotten is collected without a word. Here both are said aloud, with the
 * place where each handle was made.
 *
 * The channels of the program are kept from their making until their last handle is closed or collected, so whoever
 * waits there is not collected. `beforeExit` is when the loop is dry; runtimes without it (browsers) never are.
 */
import { DeadlockError } from '../errors.ts'
import type { Exchange, Handle } from './exchange.ts'

interface Process {
  on?(event: 'beforeExit', listener: () => void): void
  emitWarning?: (message: string, type: string) => void
}
const host = globalThis as { process?: Process; setImmediate?: (f: () => void) => void }

interface Stuck {
  /** Rejects whoever can never settle, and says whether there was anyone. `picture`: what else there is to tell. */
  deadlock?: ((picture: string) => boolean) | undefined
}

interface StuckRun extends Stuck {
  /** What each of its stages waits for. */
  report(): string
}

/** Those of the program that have open handles. */
export const channels = /* @__PURE__ */ new Set<Stuck>()
/** Runs of a pipeline are asked only when no channel of the program itself is stuck. */
const runs = /* @__PURE__ */ new Set<StuckRun>()
let listening = false

function watch<T extends Stuck>(all: Set<T>, one: T): void {
  all.add(one)
  if (!listening) host.process?.on?.('beforeExit', runDry)
  listening = true
}

export function watchChannel<T>(core: Exchange<T>): void {
  core.deadlock = (picture) => rejectStuck(core, picture)
  watch(channels, core)
}

export function watchRun(run: StuckRun): () => void {
  watch(runs, run)
  return () => void runs.delete(run)
}

function runDry(): void {
  // As things stand now: to reject one changes what others wait for.
  const picture = [...runs].map((run) => `\n${run.report()}`).join('')
  const found = [channels, runs].some((all) => [...all].filter((one) => one.deadlock!(picture)).length > 0)
  // One more turn, so that a program which catches the error and waits in vain again hears of that too.
  if (found) host.setImmediate?.(() => {})
}

function rejectStuck<T>(core: Exchange<T>, picture: string): boolean {
  const { name, options, readers, writers } = core
  const stuck = options.daemon ? [] : [...readers, ...writers].filter(({ mode }) => !mode.spared?.())
  const message =
    `Deadlock on channel "${name}", nothing else runs: ${counts(stuck.map(({ mode }) => mode.kind))} waiting, ` +
    openHandles(core)
  for (const wait of stuck) wait.giveUp(new DeadlockError(message + (wait.mode.others?.() ?? '') + picture))
  return stuck.length > 0
}

/** Who could still do something on a channel, and each line that made one of them. */
export function openHandles<T>({ handles }: Exchange<T>): string {
  const open = [...handles]
  // Those of a timer or a stage were made by no line of the program.
  const places = open.map(({ side, place }) => place && `\n  ${side} made at ${place}`)
  return `${counts(open.map(({ side }) => side))} open${[...new Set(places)].join('')}`
}

/** `2 receives and 1 select` for such a list. */
function counts(kinds: string[]): string {
  const count = (kind: string): string => counted(kinds.filter((each) => each === kind).length, kind)
  return [...new Set(kinds)].map(count).join(' and ')
}

/** `2 receives` for 2 and `receive`. */
export function counted(n: number, kind: string): string {
  return `${n} ${kind}${n > 1 ? 's' : ''}`
}

/** Where `above` was called, not yet as text, which costs as much again. It keeps the `this` of the caller alive. */
export interface Trace {
  stack?: string
}

export function traceOf(above: (...args: never[]) => unknown, frames = 1): Trace {
  const trace: Trace = {}
  const { stackTraceLimit } = Error
  // Not assigned: where `Error` is frozen, as by `node --frozen-intrinsics`, that would throw.
  Reflect.set(Error, 'stackTraceLimit', frames)
  Error.captureStackTrace?.(trace, above)
  Reflect.set(Error, 'stackTraceLimit', stackTraceLimit)
  return trace
}

/** A file and line: the line of a trace ends with it, or with it in brackets. Paths have spaces and brackets, too. */
function lineIn({ stack = '' }: Trace): string | undefined {
  return /(?:^ *(?:at )?(?!.*\)$)|\((?!eval at ))(.+?:\d+:\d+)/m.exec(stack)?.[1]
}

export function placeIn(trace: Trace): string {
  return lineIn(trace) ?? 'an unknown place'
}

/** The file and line that called `above`; or, where the engine did, as for `Array.from(these, tx.clone, tx)`, the next. */
export function placeOf(above: (...args: never[]) => unknown): string {
  return lineIn(traceOf(above)) ?? placeIn(traceOf(above, 9))
}

export function warn(message: string): void {
  const tell = host.process?.emitWarning ?? console.warn
  tell(message, 'SluiceWarning')
}

export function warnOf(problem: string, { core, side, place }: Handle<unknown>): void {
  // A stage is given its handles: its name is all there is to say.
  warn(`${problem}: ${side} of channel "${core.name}"${place && `, made at ${place}`}`)
}

/** Whether there is a handle at the other side. It looks no further: a hundred thousand may be collected together. */
function hasOther({ handles }: Exchange<unknown>, side: string): boolean {
  for (const other of handles) if (other.side !== side) return true
  return false
}

/** Closes a handle when its sender or receiver is collected, and says so where the other side is still there. */
export const registry = /* @__PURE__ */ new FinalizationRegistry<Handle<unknown>>((handle) => {
  const { core, side } = handle
  // At once, since both sides may be collected together: among those that are left there may be nobody.
  core.handles.delete(handle)
  queueMicrotask(() => {
    if (handle.open && !core.ended && hasOther(core, side)) warnOf('Garbage-collected unclosed', handle)
    core.close(handle)
  })
})
