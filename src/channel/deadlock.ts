/**
 * What JavaScript keeps quiet about: a program whose event loop has run dry while something still waits just stops,
 * with exit code 0, and a handle that was forgotten is collected without a word. Here both are said aloud, with the
 * place where each handle was made.
 *
 * Channels that somebody waits on stand in a ring, which also keeps what waits from being collected. `beforeExit`
 * is when the loop is dry; runtimes without it (browsers) never are.
 */
import type { Core, Handle } from './core.ts'
import { Link } from './link.ts'

interface Process {
  on?(event: 'beforeExit', listener: () => void): void
  emitWarning?(message: string, type: string): void
}
const host = globalThis as { process?: Process; setImmediate?: (f: () => void) => void }

/** Who has somebody waiting. Runs of a pipeline are asked only when no channel of the program itself is stuck. */
const channels = /* @__PURE__ */ new Link()
const runs = /* @__PURE__ */ new Set<Stuck>()
let listening = false

interface Stuck {
  /** Rejects whoever can never settle. Says whether there was anyone. */
  deadlock(): boolean
}

export function watch(core: Link & Stuck): void {
  // A link that stands alone is not in the ring yet.
  if (core.next === core) core.join(channels)
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
  const stuck: Stuck[] = []
  for (let link = channels.next; link !== channels; link = link.next) stuck.push(link as Link & Stuck)
  const found = stuck.filter((core) => core.deadlock())
  // One more turn, so that a program which catches the error and waits in vain again hears of that too.
  if (found.length > 0 || [...runs].filter((run) => run.deadlock()).length > 0) host.setImmediate?.(() => {})
}

/** Says what waits on the channel and who could end that. */
export function deadlockReport<T>({ name, readers, writers, senders, receivers, handles }: Core<T>): string {
  const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`
  return (
    `Deadlock on channel "${name}", nothing else runs: ${count([...readers].length, 'receive')} and ` +
    `${count([...writers].length, 'send')} waiting, ${count(senders, 'sender')} and ` +
    `${count(receivers, 'receiver')} open` +
    [...handles].map(({ side, place }) => `\n  ${side} made at ${place}`).join('')
  )
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
  if (host.process?.emitWarning) host.process.emitWarning(message, 'SluiceWarning')
  else console.warn(message)
}

const collected = /* @__PURE__ */ new Set<Handle<unknown>>()
const registry = /* @__PURE__ */ new FinalizationRegistry<Handle<unknown>>((handle) => {
  if (collected.size === 0) queueMicrotask(closeCollected)
  collected.add(handle)
})

/** Closes `handle` when `object` is collected, and says so: somebody may be waiting for that. */
export function track<T>(object: object, handle: Handle<T>): void {
  registry.register(object, handle, handle)
}

export function untrack<T>(handle: Handle<T>): void {
  registry.unregister(handle)
}

function closeCollected(): void {
  for (const { core, side, place } of collected) {
    const missed = [...core.handles].some((other) => other.side !== side && !collected.has(other))
    if (missed && !core.ended)
      warn(`A ${side} of channel "${core.name}" was garbage-collected unclosed; it was made at ${place}`)
  }
  for (const handle of collected) handle.core.close(handle)
  collected.clear()
}
