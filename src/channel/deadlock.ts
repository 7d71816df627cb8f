/**
 * What JavaScript keeps quiet about: a program whose event loop has run dry while something still waits just stops,
 * with exit code 0, and a handle that was forgotten is collected without a word. Here both are said aloud, with the
 * place where each handle was made.
 *
 * Channels that somebody waits on stand in a ring, which also keeps what waits from being collected. `beforeExit`
 * is when the loop is dry; runtimes without it (browsers) never are.
 */
import type { Core, Handle } from './core.ts'
import { type Link, Queue } from './link.ts'

interface Process {
  on?(event: 'beforeExit', listener: () => void): void
  emitWarning?: (message: string, type: string) => void
}
const host = globalThis as { process?: Process; setImmediate?: (f: () => void) => void }

/** Who has somebody waiting. Runs of a pipeline are asked only when no channel of the program itself is stuck. */
const channels = /* @__PURE__ */ new Queue<Link & Stuck>()
const runs = /* @__PURE__ */ new Set<Stuck>()
let listening = false

interface Stuck {
  /** Rejects whoever can never settle. Says whether there was anyone. */
  deadlock(): boolean
}

export function watch(core: Link & Stuck): void {
  // A link that stands alone is not in the ring yet.
  if (core.next !== core) return
  core.join(channels)
  listen()
}

export function watchRun(run: Stuck): () => void {
  runs.add(run)
  listen()
  return () => void runs.delete(run)
}

function listen(): void {
  if (!listening) host.process?.on?.('beforeExit', runDry)
  listening = true
}

function runDry(): void {
  const found = (asked: Iterable<Stuck>): boolean => [...asked].filter((one) => one.deadlock()).length > 0
  // One more turn, so that a program which catches the error and waits in vain again hears of that too.
  if (found(channels) || found(runs)) host.setImmediate?.(() => {})
}

/** Says what waits on the channel and who could end that. */
export function deadlockReport<T>({ name, handles }: Core<T>, waits: readonly { kind: string }[]): string {
  const open = [...handles]
  return (
    `Deadlock on channel "${name}", nothing else runs: ${counts(waits.map(({ kind }) => kind))} waiting, ` +
    `${counts(open.map(({ side }) => side))} open` +
    open.map(({ side, place }) => `\n  ${side} made at ${place}`).join('')
  )
}

/** `2 receives and 1 select` for such a list. */
function counts(kinds: string[]): string {
  const count = (kind: string): string => {
    const n = kinds.filter((each) => each === kind).length
    return `${n} ${kind}${n === 1 ? '' : 's'}`
  }
  return [...new Set(kinds)].map(count).join(' and ')
}

/** The file and line that called `above`. Text at once: a trace not yet formatted keeps its caller's `this` alive. */
export function placeOf(above: (...args: never[]) => unknown): string {
  const trace: { stack?: string } = {}
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 1
  Error.captureStackTrace?.(trace, above)
  Error.stackTraceLimit = stackTraceLimit
  return /[^\s(]+:\d+:\d+/.exec(trace.stack ?? '')?.[0] ?? 'an unknown place'
}

export function warn(message: string): void {
  const tell = host.process?.emitWarning ?? console.warn
  tell(message, 'SluiceWarning')
}

const collected = /* @__PURE__ */ new Set<Handle<unknown>>()
/** Closes a handle when its sender or receiver is collected, and says so: somebody may be waiting for that. */
export const registry = /* @__PURE__ */ new FinalizationRegistry<Handle<unknown>>((handle) => {
  if (collected.size === 0) queueMicrotask(closeCollected)
  collected.add(handle)
})

function closeCollected(): void {
  for (const { core, side, place } of collected) {
    const missed = [...core.handles].some((other) => other.side !== side && !collected.has(other))
    if (missed && !core.ended)
      warn(`A ${side} of channel "${core.name}" was garbage-collected unclosed; it was made at ${place}`)
  }
  for (const handle of collected) handle.core.close(handle)
  collected.clear()
}
