/** Waiting for room on a disk that is full: what is tried again, how soon, who is told, and when waiting ends. */
import type { LogSettings } from './options.ts'

interface Told {
  waits?(what: string | undefined): void
  readonly signal?: AbortSignal
}

export class Patience {
  /** Milliseconds, in all. */
  waited = 0
  #since: number | undefined
  #warned = false
  #ended: boolean
  #wake: (() => void) | undefined

  constructor(
    readonly name: string,
    readonly settings: LogSettings,
    readonly heard: Told,
  ) {
    this.#ended = settings.whenFull === 'fail'
  }

  /** Settles when it is time to try again; rejects with the error where nobody is to wait. */
  async wait(error: unknown): Promise<void> {
    const { signal } = this.heard
    if (this.#ended || signal?.aborted) throw error
    if (this.#since === undefined) this.#begin(error)
    await new Promise<void>((resolve) => {
      signal?.addEventListener('abort', this.end)
      const timer = setTimeout(resolve, this.settings.retry)
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

  /** From now on nobody waits. */
  readonly end = (): void => {
    this.#ended = true
    this.#wake?.()
  }
}
