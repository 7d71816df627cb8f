/**
 * The run queue of all pipelines: tasks that have something to do, first come first served.
 *
 * One place gives time back to the event loop. The first work after a turn of the loop asks to be told of the next
 * turn; if `BUDGET` ms pass before that comes, the queue rests until it does. It does not matter who worked in
 * between, so chains of promises that come back again and again are covered too. And after each `BURST` promises that are
 * settled call back: without that, a loop that awaits would go on once in a turn beside a run that is always busy.
 *
 * `quantum` is how many values a task may handle in one step. It adapts to the cost of a value, so that a step of
 * slow functions stays short and one of cheap functions is long enough to make the rest of this file free.
 */
import { type Scope, within } from './builtin.ts'

/** Milliseconds of work between two turns of the event loop. */
const BUDGET = 4
/** Milliseconds of work between two callbacks of promises; in each turn first more, for what these do may take all of the rest. */
const BURST = 0.1
const FIRST_BURST = 2
/** A step should take between these, in milliseconds. */
const SHORT_STEP = 0.25
const LONG_STEP = 1
const LARGEST_QUANTUM = 4096
/**
 * To read the clock costs as much as a step of cheap functions. A task whose last timed step took less than an `INSTANT`
 * is timed only now and then, every `SELDOM` to twice as many steps: never in the same order as the tasks take turns.
 */
const INSTANT = 0.004
const SELDOM = 6
/**
 * What steps that were not timed cannot have taken together if all were instant: twice `SELDOM` times `INSTANT`. Written
 * out, since a bundler keeps what it would have to work out, also where nothing of this is used.
 */
const SUSPECT = 0.048
/**
 * A task with this quantum or a larger one has shown that a value costs it less than 4 µs, mostly far less. Those at its
 * channels are woken late: for a few values more they would have to be woken again and again.
 */
export const BRISK = 256
/**
 * How many calls of the user's functions, of all stages, are made between two looks, and for how many one is worth it.
 * A function may become expensive at any call, so a step that has called one looks at the clock at its end.
 */
const MANY = 256
const SOME = 128
/** For how many of them one counts that is made outside of a step: where it has become expensive, nothing else shows it. */
export const CALL = 32
/**
 * For how many milliseconds those who are woken late wait while other tasks keep the queue busy, twice that at the most: so
 * many, and more for each of them, since thousands that are woken for a value each cost more than the values (bench:
 * group-by, a third of the time with 4 µs instead of 1 for each).
 */
const PATIENCE = 0.1
const PATIENCE_EACH = 0.004

export interface Steppable {
  queued: boolean
  quantum: number
  /** Whether its steps are so short that few of them are timed. */
  instant: boolean
  /** In whose context its steps are made. */
  readonly scope: Scope | undefined
  /** Does what can be done without waiting. */
  step(): void
  /** Measures what it spends its time on. */
  readonly meter: {
    steps: number
    readonly doing: string
    readonly before: string
    stepped(began: number, ended: number): void
    change(): void
  }
}

// Bound when the module loads: a test's fake clock must not stop the queue.
const now = /* @__PURE__ */ performance.now.bind(performance)
const { setImmediate, setTimeout, process } = globalThis as typeof globalThis &
  Partial<Pick<typeof globalThis, 'setImmediate' | 'process'>>
const nextTick = /* @__PURE__ */ process?.nextTick?.bind(process)

const resolved = /* @__PURE__ */ Promise.resolve()

/** Calls back once what runs now is through: at a third of the cost of Node's `queueMicrotask`, which a test may have faked. */
export function soon(callback: () => void): void {
  void resolved.then(callback)
}

/** A ring; its length is a power of two. */
let queue: (Steppable | undefined)[] = /* @__PURE__ */ new Array<undefined>(64).fill(undefined)
let head = 0
let tail = 0
let running = false
let resting = false
let flushQueued = false
/** Until when there may be work in this turn of the event loop; 0 before any. */
let restAt = 0
/** How many more steps may go without a look at the clock, and a number that goes on with every look. */
let untimed = 0
let looks = 0
/** When somebody looked at the clock last, and how many calls were made since. */
let looked = 0
let unlooked = 0
/** How many milliseconds all tasks have worked, as far as it was timed. */
export let worked = 0
/** Whether somebody has found this turn of the event loop to have gone on for long enough. */
let over = false

/** Whether this turn of the event loop has gone on for long enough. Loops over many values ask now and then. */
export function late(): boolean {
  unlooked = 0
  if (restAt === 0) beginTurn()
  looked = now()
  over = looked > restAt
  return over
}

/** How many calls may be made before `tired` is asked. */
export function few(): number {
  return MANY - unlooked
}

/** As `late`, after so many calls; looks at the clock only when there were some since anybody looked. */
export function tired(calls: number): boolean {
  unlooked += calls
  return unlooked >= SOME ? late() : over
}

/** Those who wait for the next turn of the event loop. */
let paced: (() => void)[] = []

/** A promise of `value`: settled, or where this turn of the event loop has gone on for long enough, in the next one. */
export function pace<T>(value: T): Promise<T> {
  // Where the value has a `then`, that is called in the context of whoever waits.
  return late()
    ? new Promise<void>((resolve) => paced.push(resolve)).then(() => value)
    : Promise.resolve(value)
}

function beginTurn(): void {
  restAt = now() + BUDGET
  nextTurn(turned)
}

/** A channel of tasks. */
interface Late {
  wakesLate: boolean
  /** Wakes those who have something to do. */
  roomMade(): void
}
let lates: Late[] = []
/** Those that were there when it was looked at last, and when it will be again. */
let older: Late[] = []
let wakeAt = 0

/** Wakes who waits at the channel when nothing else is left to do, and soon in any case. */
export function wakeLate(edge: Late): void {
  if (!running) return edge.roomMade()
  if (edge.wakesLate) return
  edge.wakesLate = true
  lates.push(edge)
}

/** Wakes those that were there at the last call, or before it. */
function wakeOlder(): void {
  const edges = older
  older = lates
  lates = edges.length > 0 ? [] : edges
  for (const edge of edges) {
    edge.wakesLate = false
    edge.roomMade()
  }
}

/** `inside`: called in the context of the task. Anybody who has a handle of it can wake one. */
export function schedule(task: Steppable, inside = false): void {
  if (task.queued) return
  task.queued = true
  if (tail - head === queue.length) grow()
  queue[tail++ & (queue.length - 1)] = task
  if (!running && !resting && !flushQueued) flushSoon(task.scope, inside)
}

/** Not within `schedule`: for what its closures share a function makes room at each call, whether it gets to them or not. */
function flushSoon(scope: Scope | undefined, inside: boolean): void {
  flushQueued = true
  // Others may flush before, and schedule again: the scope goes with the callback.
  soon(inside ? () => flush(scope) : () => flushIn(scope))
}

/** Runs what is scheduled, from a context that is not known. */
function flushIn(scope: Scope | undefined): void {
  // Who has flushed before left nothing to do.
  if (head === tail) flushQueued = false
  else within(scope, flush, scope)
}

const step = (task: Steppable): void => task.step()

/** In a context that is not its own, a task is led into its own: else its functions would find the store of another run. */
function stepIn(scope: Scope | undefined, task: Steppable): void {
  if (task.scope === scope) task.step()
  else within(task.scope, step, task)
}

/**
 * Runs what is scheduled, now. Called where nothing of the program is on the stack but a promise's callback, in the context
 * of `scope`.
 */
export function flush(scope: Scope | undefined): void {
  flushQueued = false
  if (running || resting) return
  running = true
  let time = now()
  /** Whether steps were made since. */
  let old = false
  let burst = BURST
  if (restAt === 0) {
    beginTurn()
    burst = FIRST_BURST
  }
  const until = Math.min(restAt, time + burst)
  for (;;) {
    if (time > wakeAt) {
      wakeAt = time + PATIENCE + PATIENCE_EACH * lates.length
      wakeOlder()
    }
    while (head === tail && (older.length > 0 || lates.length > 0)) wakeOlder()
    if (head === tail) break
    if (over || time > until) {
      pause(time, scope)
      break
    }
    const at = head++ & (queue.length - 1)
    const task = queue[at]!
    queue[at] = undefined
    if (head === tail) head = tail = 0
    task.queued = false
    const { meter } = task
    if (task.instant && untimed-- > 0) {
      stepIn(scope, task)
      meter.steps++
      old = true
      const took = looked - time
      if (took > 0) time = looked
      // It, and not those before it, which were as short as ever.
      if (took > SUSPECT) {
        worked += took
        adapt(task, took)
        meter.stepped(time - took, time)
      } else if (meter.doing !== meter.before) meter.change()
      continue
    }
    const began = old ? now() : time
    old = false
    stepIn(scope, task)
    time = now()
    unlooked = 0
    worked += time - began
    adapt(task, time - began)
    meter.steps++
    meter.stepped(began, time)
  }
  running = false
}

/** Until the next turn of the event loop, or until promises have called back. */
function pause(time: number, scope: Scope | undefined): void {
  resting = over || time > restAt
  if (!resting) flushSoon(scope, true)
}

function adapt(task: Steppable, took: number): void {
  task.instant = took < INSTANT && task.quantum >= BRISK
  if (task.instant) untimed = SELDOM + (looks++ % SELDOM)
  if (took < SHORT_STEP) {
    if (task.quantum < LARGEST_QUANTUM) task.quantum *= 2
  } else if (took > 4 * LONG_STEP) {
    // Values cost far more than they did: a chunk of them was more than enough.
    task.quantum = Math.max(1, Math.min(task.quantum, BRISK) >> Math.log2(took / LONG_STEP))
  } else if (took > LONG_STEP && task.quantum > 1) task.quantum >>= 1
}

function grow(): void {
  const at = head & (queue.length - 1)
  queue = [...queue.slice(at), ...queue.slice(0, at), ...new Array<undefined>(queue.length).fill(undefined)]
  tail -= head
  head = 0
}

/** Timers and I/O have had their turn. */
function turned(): void {
  restAt = unlooked = 0
  over = false
  if (resting) {
    resting = false
    // First: what these wait for may take all the time of each turn, and then a run would never go on.
    flushIn(queue[head & (queue.length - 1)]?.scope)
  }
  const waiting = paced
  paced = []
  for (const go of waiting) go()
}

/**
 * Calls back once the promises that are settled now have called back, and those that they settled. Called from the
 * callback of a promise. Says whether the platform has a way to do that.
 */
export function settled(callback: () => void): boolean {
  nextTick?.(callback)
  return nextTick !== undefined
}

/** Calls back once timers and I/O have had their turn. */
export function nextTurn(callback: () => void): void {
  if (setImmediate !== undefined) {
    setImmediate(callback)
    return
  }
  // Not before: Node loads thirty modules when somebody so much as looks at it.
  const { MessageChannel } = globalThis as Partial<typeof globalThis>
  if (MessageChannel !== undefined) {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      callback()
    }
    port2.postMessage(0)
  } else setTimeout(callback, 0)
}
