/**
 * Who waits for lines to reach the level, and is told so in their order.
 *
 * What is told may take its time: then what comes meanwhile is told together, and lines count as acknowledged only after it.
 */
import { isThenable } from '../../pipeline/results.ts'

interface Waiter {
  lines: number
  resolve: () => void
  reject: (error: unknown) => void
}

interface Told {
  acknowledged?(lines: number): PromiseLike<unknown> | void
}

export class Acknowledgements {
  /** How many lines, and bytes, have reached the level. */
  lines = 0
  #bytes = 0
  /** … and have been told of. */
  #toldLines = 0
  bytes = 0
  #waiters: Waiter[] = []
  /** How many of them have been told. */
  #served = 0
  #telling = false

  constructor(
    readonly heard: Told,
    /** Called when more has been told of. */
    readonly told: () => void,
    readonly failed: (error: unknown) => void,
  ) {}

  /** So many in all have reached the level. */
  reached(lines: number, bytes: number): void {
    this.lines = lines
    this.#bytes = bytes
    if (!this.#telling) this.#tell()
  }

  #tell(): void {
    try {
      while (this.#toldLines < this.lines) {
        const { lines } = this
        const bytes = this.#bytes
        const telling = this.heard.acknowledged?.(lines - this.#toldLines)
        if (isThenable(telling)) return this.#later(telling, lines, bytes)
        this.#done(lines, bytes)
      }
      this.told()
    } catch (error) {
      this.failed(error)
    }
  }

  #later(telling: PromiseLike<unknown>, lines: number, bytes: number): void {
    this.#telling = true
    telling.then(
      () => {
        this.#telling = false
        this.#done(lines, bytes)
        this.#tell()
      },
      // It stays as it is: nothing more is told of.
      (error: unknown) => this.failed(error),
    )
  }

  #done(lines: number, bytes: number): void {
    this.#toldLines = lines
    this.bytes = bytes
    const waiters = this.#waiters
    while (this.#served < waiters.length && waiters[this.#served].lines <= lines)
      waiters[this.#served++].resolve()
    // To move the others each time would take the square of their number.
    if (this.#served * 2 < waiters.length) return
    this.#waiters = waiters.slice(this.#served)
    this.#served = 0
  }

  /** Settles when so many lines in all have been acknowledged. */
  until(lines: number): Promise<void> {
    if (lines <= this.#toldLines) return Promise.resolve()
    return new Promise((resolve, reject) => this.#waiters.push({ lines, resolve, reject }))
  }

  fail(error: unknown): void {
    // Those that were told before do not hear of it.
    for (const { reject } of this.#waiters.splice(0)) reject(error)
    this.#served = 0
  }
}
