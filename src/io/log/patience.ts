/** Waiting for room on a disk that is full: what is tried again, how soon, who is told, and when waiting ends. */
import type { LogSettings } from './options.ts'

/** Timers of Node take no longer time. */
const LONGEST = 2 ** 31 - 1

interface Told {
  waits?(what: string | undefined): void
  readonly signal?: AbortSignal
}

export class Patience {
  /** Milliseconds, in all. */
  waited = 0
  #since: number | undefined
  #warned = false
  /** How many more times something is tried. */
  #tries: number
  #wake: (() => void) | undefined

  constructor(
    readonly name: string,
    readonly settings: LogSettings,
    readonly heard: Told,
  ) {
    this.#tries = settings.whenFull === 'fail' ? 0 : Infinity
  }

  /** Settles when it is time to try again; rejects with the error where nobody is to wait. */
  async wait(error: unknown): Promise<void> {
    if (this.#tries === 0) throw error
    if (this.#since === undefined) this.#begin(error)
    if (this.#tries === Infinity) await this.#pause()
    // It was ended meanwhile.
    if (this.#tries === 1) this.#tries = 0
  }

  async #pause(): Promise<void> {
    const { signal } = this.heard
    if (signal?.aborted) return this.end()
    signal?.addEventListener('abort', this.end)
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.min(this.settings.retry, LONGEST))
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = undefined
    signal?.removeEventListener('abort', this.end)
  }

  #begin(error: unknown): void {
    this.#since = performance.now()
    this.heard.waits?.(`room on the disk for "${this.name}"`)
    if (this.#warned) return
    this.#warned = true
    const { message } = error as Error
    process.emitWarning(`Waiting for room on the disk for "${this.name}": ${message}`, 'LogWarning')
  }

  /** Something has been written. */
  over(): void {
    if (this.#since === undefined) return
    this.waited += performance.now() - this.#since
    this.#since = undefined
    this.heard.waits?.(undefined)
  }

  /** From now on nobody waits: it is tried once more, at once. */
  readonly end = (): void => {
    this.#tries = Math.min(this.#tries, 1)
    this.#wake?.()
  }
}
