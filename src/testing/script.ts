/**
 * A source that follows a script and writes down what is done to it.
 *
 * Written by hand and not as a generator: a generator queues `return()` behind a `next()` that is pending, and swallows
 * a second one. Both would hide what a test is after.
 */
import { startTimer } from '../channel/clock.ts'
import { demand, demandTime } from '../errors.ts'
import { LEFT, type Watched } from './released.ts'

declare const STEP: unique symbol

/** A step of a script that is no value. */
export interface Step {
  readonly [STEP]: true
}

type Doing = { pause: number } | { error: unknown } | { hang: true }

/** Told from values by identity: a value may look like anything. */
const steps = /* @__PURE__ */ new WeakMap<object, Doing>()

function step(doing: Doing): Step {
  const made = Object.freeze({}) as Step
  steps.set(made, doing)
  return made
}

/**
 * A step of a `script`: the next value comes `ms` milliseconds later, counted from when it was asked for.
 *
 * @throws RangeError for a negative time or NaN.
 * @example
 * import { pipeline, source } from 'sluice'
 * import { pause, script, virtualTime } from 'sluice/testing'
 *
 * using time = virtualTime()
 * await time.runUntil(pipeline(source(script([1, pause(50), 2]))).run()) // => [1, 2]
 * time.now // => 50
 */
export function pause(ms: number): Step {
  demandTime(ms, 'create pause', 'ms')
  return step({ pause: ms })
}

/**
 * The last step of a `script` that fails with `error`.
 *
 * @example
 * import { pipeline, source } from 'sluice'
 * import { fail, script } from 'sluice/testing'
 *
 * const broken = script([1, fail(new Error('unplugged'))])
 * await pipeline(source(broken)).run() // => throws StageError: Stage "source" failed: unplugged
 */
export function fail(error: unknown): Step {
  return step({ error })
}

/**
 * The last step of a `script` that never answers.
 *
 * @example
 * import { pipeline, source, take } from 'sluice'
 * import { hang, script } from 'sluice/testing'
 *
 * const input = script([1, 2, hang()])
 * await pipeline(source(input), take(2)).run() // => [1, 2]
 * input.released // => 1
 */
export function hang(): Step {
  return step({ hang: true })
}

/** An async iterable that follows its steps anew each time it is read. Counts are over all readings. */
export interface Script<out T> extends AsyncIterable<T> {
  /** How often it was opened, each time for a reading of its own. */
  readonly opened: number
  /** How often `next` was called. */
  readonly pulled: number
  /** How many values it has given. */
  readonly delivered: number
  /** How often `return` was called. */
  readonly released: number
  /** How often `next` was called while an earlier one was pending. */
  readonly overlaps: number
}

/**
 * A source for tests: an async iterable that gives these values, with steps between them: `pause(ms)`, `fail(error)`,
 * `hang()`. Goes wherever an async iterable does: `source`, `fanIn`, `for await`.
 *
 * - Each reading follows the steps from the beginning; an endless iterable of steps is read as far as it is pulled.
 * - It counts what is done to it, and `expectReleased` says whether it was let go.
 * - `return` ends a pause at once and leaves no timer.
 *
 * @throws TypeError for steps that cannot be iterated.
 * @example
 * import { pipeline, source, take } from 'sluice'
 * import { pause, script, virtualTime } from 'sluice/testing'
 *
 * using time = virtualTime()
 * const input = script(['a', pause(20), 'b', pause(20), 'c'])
 * await time.runUntil(pipeline(source(input), take(2)).run()) // => ['a', 'b']
 * time.now // => 20
 * input.delivered // => 2
 * input.released // => 1
 */
export function script<T>(steps: Iterable<T | Step>): Script<T> {
  const { [Symbol.iterator]: iterate } = Object(steps) as Partial<Iterable<T>>
  demand(typeof iterate === 'function', 'create script', 'steps', 'an iterable', steps, TypeError)
  return new Scripted(steps)
}

class Scripted<T> implements Script<T>, Watched {
  readonly #readings: Reading<T>[] = []
  pulled = 0
  delivered = 0
  released = 0
  overlaps = 0

  constructor(readonly steps: Iterable<T | Step>) {}

  get opened(): number {
    return this.#readings.length
  }

  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    const reading = new Reading(this)
    this.#readings.push(reading)
    return reading
  }

  [LEFT](): string[] {
    return this.#readings.flatMap((reading, index) => {
      const which = this.#readings.length > 1 ? `reading ${index + 1} of a script` : 'a script'
      if (reading.released > 1) return [`${which} released ${reading.released} times`]
      return reading.over ? [] : [`${which} not released after ${reading.delivered} of its values`]
    })
  }
}

const END: IteratorReturnResult<undefined> = { done: true, value: undefined }

/** One reading of a script. */
class Reading<T> implements AsyncIterator<T, undefined> {
  over = false
  delivered = 0
  released = 0
  readonly #script: Scripted<T>
  readonly #steps: Iterator<T | Step>
  #pending = 0
  /** Calls of `next` that overlap are answered in turn. */
  #last: Promise<unknown> = Promise.resolve()
  #endPause: (() => void) | undefined

  constructor(script: Scripted<T>) {
    this.#script = script
    this.#steps = script.steps[Symbol.iterator]()
  }

  next(): Promise<IteratorResult<T, undefined>> {
    this.#script.pulled++
    const overlaps = this.#pending++ > 0
    if (overlaps) this.#script.overlaps++
    const follow = (): Promise<IteratorResult<T, undefined>> => this.#follow()
    const answer = (overlaps ? this.#last.then(follow) : follow()).finally(() => this.#pending--)
    this.#last = answer.catch(() => {})
    return answer
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.#script.released++
    this.released++
    if (!this.over) this.#steps.return?.()
    this.over = true
    this.#endPause?.()
    return END
  }

  async #follow(): Promise<IteratorResult<T, undefined>> {
    while (!this.over) {
      const { done, value } = this.#step()
      if (done) break
      const doing = steps.get(value as Step)
      if (doing === undefined) return this.#deliver(value as T)
      await this.#do(doing)
    }
    this.over = true
    return END
  }

  /** Steps that throw are over, as those of any iterator are: nobody will release them. */
  #step(): IteratorResult<T | Step, undefined> {
    try {
      return this.#steps.next() as IteratorResult<T | Step, undefined>
    } catch (error) {
      this.over = true
      throw error
    }
  }

  #deliver(value: T): IteratorResult<T, undefined> {
    this.#script.delivered++
    this.delivered++
    return { done: false, value }
  }

  #do(doing: Doing): Promise<void> | void {
    if ('error' in doing) {
      this.over = true
      throw doing.error
    }
    return new Promise<void>((resolve) => {
      if ('hang' in doing) return
      const stopTimer = startTimer(doing.pause, resolve)
      this.#endPause = () => {
        stopTimer()
        resolve()
      }
    })
  }
}
