/** Where a pipeline begins: `source` for whatever can be read, `range`, `interval`, `unfold`. */
import { demand } from '../errors.ts'
import { Alarm, SLACK } from '../pipeline/alarm.ts'
import { isThenable } from '../pipeline/results.ts'
import { type LateInput, reading, type ValueOf } from '../pipeline/reading.ts'
import { type Call, callOf, type CallOptions, type Fn, guarded } from '../pipeline/retry.ts'
import { late, nextTurn } from '../pipeline/scheduler.ts'
import {
  type Kernel,
  part,
  type Port,
  type Source,
  type StageContext,
  type StageOptions,
} from '../pipeline/stage.ts'

/**
 * Reads values from anything that has them: an array or other iterable, an async iterable, a `ReadableStream`, a
 * receiver, a promise of one of these, or a function that gives one, called once per run.
 *
 * - Nothing is read before the run, and never more than there is room for.
 * - Promises in an iterable are awaited, in order.
 * - When the values are no longer wanted, the input's `return` is called, a stream cancelled, a receiver closed.
 *
 * Ordered. Concurrency 1. Holds at most one value. On error: fails.
 *
 * @throws TypeError for an input that cannot be read.
 * @example
 * import { pipeline, source } from 'sluice'
 *
 * await pipeline(source(new Set(['a', 'b']))).run() // => ['a', 'b']
 */
export function source<T>(input: LateInput<T>, options?: StageOptions): Source<Awaited<T>>
// For inputs that are one thing or another, the values of which differ. Of two types: `typeof source<T>` is the first alone.
export function source<T, I extends LateInput<T>>(input: I, options?: StageOptions): Source<ValueOf<I>>
export function source<T>(input: LateInput<T>, options: StageOptions = {}): Source<Awaited<T>> {
  return part('source', 'source', options, reading(input, 'create source', 'input')) as Source<Awaited<T>>
}

/**
 * Counts: `range(5)` gives 0 to 4, `range(2, 5)` gives 2 to 4, `range(5, 2, -1)` gives 5 to 3. `to` may be `Infinity`.
 *
 * Ordered. Concurrency 1. Holds nothing. On error: cannot fail.
 *
 * @throws RangeError for numbers that are not finite, or a step of 0.
 * @example
 * import { pipeline, range } from 'sluice'
 *
 * await pipeline(range(0, 10, 4)).run() // => [0, 4, 8]
 */
export function range(from: number, to?: number, step = 1, options: StageOptions = {}): Source<number> {
  const [first, limit] = to === undefined ? [0, from] : [from, to]
  const isNumber = (value: unknown): boolean => typeof value === 'number' && !Number.isNaN(value)
  demand(Number.isFinite(first), 'create range', 'from', 'a finite number', first)
  demand(isNumber(limit), 'create range', 'to', 'a number', limit)
  demand(Number.isFinite(step) && step !== 0, 'create range', 'step', 'a finite number other than 0', step)
  const size = sizeOfRange(first, limit, step)
  return part('source', 'range', options, {
    size: () => (size < Infinity ? size : undefined),
    kernel() {
      let done = 0
      let stopped = false
      return {
        run(port) {
          const many = stopped ? 0 : Math.min(port.room - port.count, size - done)
          countUp(port.out, port.count, many, first, done, step)
          port.count += many
          done += many
          if (stopped || done >= size) port.finish()
        },
        stop() {
          stopped = true
        },
      }
    },
  })
}

/** How many numbers there are. Counted, not added up: steps that are fractions would drift. */
function sizeOfRange(first: number, limit: number, step: number): number {
  let size = Math.max(0, Math.ceil(limit / step - first / step))
  // From here on, one more may be the same number.
  if (size > Number.MAX_SAFE_INTEGER) return size
  // Fractions may be off by one in either direction.
  const inside = (n: number): boolean => (step > 0 ? first + n * step < limit : first + n * step > limit)
  while (size > 0 && size < Infinity && !inside(size - 1)) size--
  while (size < Infinity && inside(size)) size++
  return size
}

/**
 * Writes `first + n * step` from `out[i]` on, for `many` numbers `n`. Whole ones that are exact are counted up, four a round
 * (bench: cheap-stages, 4 % less).
 */
function countUp(out: number[], i: number, many: number, first: number, n: number, step: number): void {
  const end = i + many
  const whole = Number.isInteger(first) && Number.isInteger(step)
  if (whole && Math.abs(first) + (n + many) * Math.abs(step) <= Number.MAX_SAFE_INTEGER) {
    let value = first + n * step
    for (; i + 3 < end; i += 4, value += 4 * step) {
      out[i] = value
      out[i + 1] = value + step
      out[i + 2] = value + 2 * step
      out[i + 3] = value + 3 * step
    }
    for (; i < end; i++, value += step) out[i] = value
  } else for (; i < end; i++) out[i] = first + n++ * step
}

/** Every tick is worked out from the beginning, so that late timers do not add up. */
class Ticking implements Kernel<never, number> {
  readonly wants = 'its next tick'
  readonly #start = performance.now()
  #seen = 0
  #given = 0
  #stopped = false
  readonly #alarm = new Alarm()

  constructor(readonly ms: number) {}

  run(port: Port<never, number>): void {
    const now = performance.now()
    if (this.#stopped) return port.finish()
    if (now + SLACK >= this.#due) {
      // No timer while there is no room: the ticks until then are this one.
      if ((port.full = port.count >= port.room)) return
      port.out[port.count++] = this.#given++
      this.#seen = Math.max(this.#seen + 1, Math.floor((now + SLACK - this.#start) / this.ms))
    }
    port.held = true
    // Timers may fire a little early: then the rest is waited for.
    this.#alarm.set(port, this.#due, now)
  }

  get #due(): number {
    return this.#start + (this.#seen + 1) * this.ms
  }

  stop(): void {
    this.#stopped = true
    this.close()
  }

  close(): void {
    this.#alarm.clear()
  }
}

/**
 * Counts the ticks of a clock: 0, 1, 2 … one every `ms` milliseconds of the run, the first after `ms`.
 *
 * - Does not drift. Ticks for which there is no room coalesce into one.
 * - Endless: ends when it is stopped, or nobody reads any more. Keeps the process alive while it runs.
 *
 * Ordered. Concurrency 1. Holds at most one value. On error: cannot fail.
 *
 * @throws RangeError for a time that is not above zero.
 * @example
 * import { interval, pipeline, take } from 'sluice'
 *
 * await pipeline(interval(5), take(3)).run() // => [0, 1, 2]
 */
export function interval(ms: number, options: StageOptions = {}): Source<number> {
  const isTime = typeof ms === 'number' && ms > 0
  demand(isTime, 'create interval', 'ms', 'a number of milliseconds > 0', ms)
  return part('source', 'interval', options, { kernel: () => new Ticking(ms) })
}

/** The options of a source that calls a function, one call at a time. */
export type UnfoldOptions<S> = StageOptions & Pick<CallOptions<S>, 'timeout' | 'retry'>

type Unfolded<T, S> = readonly [value: T, next: S] | undefined

/** Calls only where there is room for what comes. What it waits for is left alone when the stage is left. */
class Unfolding<T, S> implements Kernel<never, T> {
  readonly #fn: Fn<S, Unfolded<T, S>>
  #index = 0
  #held: { value: T } | undefined
  #over = false
  #stopped = false
  /** What is called is waited for. */
  pending = false

  constructor(
    readonly port: Port<never, T>,
    fn: Fn<S, Unfolded<T, S>>,
    public state: S,
    call: Call<S>,
  ) {
    this.#fn = guarded(port, fn, call)
  }

  run(port: Port<never, T>): void {
    while (!port.left) {
      if (this.#held !== undefined) {
        if ((port.full = port.count >= port.room)) return
        port.out[port.count++] = this.#held.value
        this.#held = undefined
      }
      if (this.#over || (this.#stopped && !this.pending)) return port.finish()
      if ((port.held = this.pending) || port.count >= port.room) return
      if ((this.#index & 15) === 15 && late()) return
      const step = this.#fn(this.state, this.#index++, port.context)
      if (isThenable(step)) this.#await(step)
      else this.#arrive(step)
    }
  }

  get wants(): string | undefined {
    return this.pending ? 'a call of its function to return' : undefined
  }

  #await(step: PromiseLike<Unfolded<T, S>>): void {
    this.pending = true
    const { port } = this
    Promise.resolve(step)
      .then((arrived) => {
        if (port.left || this.#over) return
        this.pending = false
        this.#arrive(arrived)
        port.wake()
      })
      .then(null, (error: unknown) => {
        if (!port.left && !this.#over) port.fail(error)
      })
  }

  #arrive(step: Unfolded<T, S>): void {
    if (step === undefined) return void (this.#over = true)
    demand(
      Array.isArray(step),
      'unfold',
      'fn',
      'a function that gives [value, next] or undefined',
      step,
      TypeError,
    )
    const [value, next] = step as readonly [T, S]
    this.#held = { value }
    this.state = next
  }

  /** What is as good as there is not lost: it is given one turn. */
  stop(): void {
    this.#stopped = true
    nextTurn(() => {
      this.#over = true
      this.port.wake()
    })
  }
}

/**
 * Makes values from a state: `fn` gives `[value, next]`, a value and the next state, or `undefined` at the end.
 *
 * - `fn` may be async; it is called when there is room for a value, and never twice at a time. It is given the state, the
 *   index of the value, and a `signal` that aborts when no more is wanted.
 *
 * Ordered. Concurrency 1. Holds at most one value. On error: fails, after the further calls that `retry` allows.
 *
 * @throws TypeError or RangeError for wrong arguments.
 * @example
 * import { pipeline, unfold } from 'sluice'
 *
 * await pipeline(unfold(1, (n) => (n < 100 ? [n, n * 3] : undefined))).run() // => [1, 3, 9, 27, 81]
 */
export function unfold<T, S>(
  seed: S,
  fn: (
    state: S,
    index: number,
    context: StageContext,
  ) => readonly [value: T, next: S] | undefined | PromiseLike<readonly [value: T, next: S] | undefined>,
  options: UnfoldOptions<S> = {},
): Source<T> {
  // A state without a value cannot be skipped.
  const call: Call<S> = { ...callOf<S>('unfold', fn, options), onError: 'fail' }
  return part('source', 'unfold', options, {
    kernel: (port) => new Unfolding<T, S>(port, fn, seed, call),
  })
}
