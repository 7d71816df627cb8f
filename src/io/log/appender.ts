/**
 * Lines on their way into a log: gathered, written, synced, acknowledged, in this order and in the order they came.
 *
 * Two batches exist: one is gathered while the other is written. A batch that is full takes no more, and then its givers
 * wait: that is the backpressure, and all the memory there is. Writing goes on while a sync is under way, and the next
 * sync is for everything written by then. What is written and not acknowledged is bounded as well.
 *
 * After a write that failed the file is cut back to the end of its last whole line, and the batch goes on behind that line:
 * nothing is given up before somebody decides to, and no line is torn, or there twice.
 */
import { Acknowledgements } from './acknowledgements.ts'
import { Batch } from './batch.ts'
import type { Block } from './block.ts'
import { isFull } from './disk.ts'
import { type LogFile, logTrouble } from './log-file.ts'
import { Patience } from './patience.ts'
import { Archive } from './rotated.ts'

/** Who is told what becomes of a log. */
export interface Heard {
  /** So many more lines have reached the level. */
  acknowledged?(lines: number): PromiseLike<unknown> | void
  /** It waits for this; or not any more. */
  waits?(what: string | undefined): void
  /** It has failed. */
  broke?(error: unknown): void
  /** Aborts when waiting for room is in vain. */
  readonly signal?: AbortSignal
}

/** Lines that were given, and the first of their blocks that is not in a batch yet, or not all of it. */
interface Giver {
  readonly blocks: readonly Block[]
  at: number
  resolve: () => void
  reject: (error: unknown) => void
}

const nothing = (): void => {}

/** Timers of Node take no longer time: a line that is held for 24 days is held until the end. */
const LONGEST = 2 ** 31 - 1
/** So many bytes may be written and not acknowledged. */
const AHEAD = 16 * 2 ** 20
/** The lines of so many givers that wait stay joined: more would take the memory twice. */
const JOINED = 8

export class Appender {
  #gathering: Batch
  #spare: Batch
  #givers: Giver[] = []
  /** How many of them are through: to move the others for each would take the square of their number. */
  #through = 0
  /** How many lines have been given, put into batches, and written. */
  #given = 0
  #gathered = 0
  #lines = 0
  #bytes = 0
  #batches = 0
  /** All lines up to this one are to be written now. */
  #pressed = 0
  #timer: NodeJS.Timeout | undefined
  #working: Promise<void> | undefined
  #syncing: Promise<void> | undefined
  #failure: { error: unknown } | undefined
  #closed = false
  #aborted = false
  readonly #acknowledgements: Acknowledgements
  readonly #patience: Patience
  readonly #archive: Archive | undefined

  constructor(
    /** As its user calls it. */
    readonly name: string,
    readonly file: LogFile,
    readonly heard: Heard,
  ) {
    const { flush, rotate } = file.settings
    this.#gathering = new Batch(flush.bytes + 4096)
    this.#spare = new Batch(flush.bytes + 4096)
    this.#acknowledgements = new Acknowledgements(heard, () => this.#go(), this.#fail)
    this.#patience = new Patience(name, file.settings, heard)
    if (rotate && file.regular) this.#archive = new Archive(file.path, rotate, file.needed)
    this.#archive?.tidy()
  }

  /** Takes the lines; a promise settles when it can take more. */
  take(blocks: readonly Block[]): Promise<void> | undefined {
    if (this.#failure) return Promise.reject(this.#failure.error)
    if (this.#closed) return Promise.reject(logTrouble(this.name, new Error('it is closed')))
    // Nobody wants them any more.
    if (this.#aborted) return undefined
    for (const { lines } of blocks) this.#given += lines.length
    const giver: Giver = { blocks, at: 0, resolve: nothing, reject: nothing }
    if (this.#givers.length === this.#through) this.#fillFrom(giver)
    let taken: Promise<void> | undefined
    if (giver.at < blocks.length) {
      if (this.#givers.length - this.#through >= JOINED) for (const block of blocks) block.part()
      taken = new Promise((resolve, reject) => this.#givers.push(Object.assign(giver, { resolve, reject })))
    }
    this.#gatheredMore()
    return taken
  }

  /** Takes the lines; settles when they have reached the level. */
  async append(blocks: readonly Block[]): Promise<void> {
    // It rejects where the lines are not taken.
    const taken = this.take(blocks)
    const until = this.#given
    await taken
    await this.#until(until)
  }

  /** Writes what is held back. Settles when all that was given has reached the level. */
  async flush(): Promise<void> {
    this.#pressed = this.#given
    this.#go()
    await this.#until(this.#given)
  }

  #until(lines: number): Promise<void> {
    return this.#failure ? Promise.reject(this.#failure.error) : this.#acknowledgements.until(lines)
  }

  get #isFull(): boolean {
    const { count, bytes } = this.file.settings.flush
    return this.#gathering.bytes >= bytes || this.#gathering.lines >= count
  }

  /** Puts lines into the batch as far as it takes them. */
  #fillFrom(giver: Giver): void {
    while (giver.at < giver.blocks.length && !this.#isFull) {
      const block = giver.blocks[giver.at]
      this.#gathered += this.#gathering.fill(block, this.file.settings.flush)
      if (block.empty) giver.at++
    }
  }

  #fillFromGivers(): void {
    const givers = this.#givers
    while (givers.length > this.#through && !this.#isFull) {
      const giver = givers[this.#through]
      this.#fillFrom(giver)
      if (giver.at < giver.blocks.length) break
      this.#through++
      giver.resolve()
    }
    if (this.#through * 2 < givers.length) return
    this.#givers = givers.slice(this.#through)
    this.#through = 0
  }

  #gatheredMore(): void {
    this.#go()
    const { holds, flush } = this.file.settings
    if (!holds || flush.ms > LONGEST || this.#gathering.lines === 0 || this.#timer) return
    if (this.#failure || this.#aborted) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#pressed = Math.max(this.#pressed, this.#gathered)
      this.#go()
    }, flush.ms)
  }

  /** Whether the batch is to be written. */
  get #due(): boolean {
    if (this.#gathering.lines === 0 || this.#failure || this.#aborted) return false
    if (this.#bytes - this.#acknowledgements.bytes > AHEAD) return false
    return !this.file.settings.holds || this.#isFull || this.#pressed > this.#gathered - this.#gathering.lines
  }

  #go(): void {
    if (!this.#working && this.#due) this.#working = this.#work()
  }

  async #work(): Promise<void> {
    try {
      while (this.#due) {
        const batch = this.#gathering
        this.#gathering = this.#spare
        this.#spare = batch
        clearTimeout(this.#timer)
        this.#timer = undefined
        const writing = this.#write(batch)
        // The system has the bytes by now: what comes next is encoded while it writes.
        this.#fillFromGivers()
        await writing
        this.#batches++
        batch.clear()
      }
    } catch (error) {
      this.#fail(logTrouble(this.name, error))
    } finally {
      this.#working = undefined
      this.#gatheredMore()
    }
  }

  async #write(batch: Batch): Promise<void> {
    while (batch.written < batch.bytes) {
      try {
        if (this.#aborted) throw new DOMException('The run was aborted', 'AbortError')
        const simple = this.file.room === Infinity && !this.file.old
        await this.#writeTo(batch, simple ? batch.bytes : await this.#placeFor(batch))
        this.#patience.over()
      } catch (error) {
        if (!isFull(error) || this.#aborted) throw error
        await this.#patience.wait(error)
      }
    }
  }

  /** How far it may be written to the file. Begins another one where that takes no more. */
  async #placeFor(batch: Batch): Promise<number> {
    const { file } = this
    const fits = (): number => batch.lineEndAt(batch.written + file.room)
    if (file.old || (file.end > 0 && fits() === batch.written)) {
      await this.#synced()
      const before = file.rotated
      try {
        await file.rotate()
      } finally {
        // The old one may fail as it is closed: on a network, it is told of a full disk only then.
        if (file.rotated > before) this.#archive?.tidy(file.rotated)
      }
    }
    return Math.max(fits(), batch.nextLineEnd())
  }

  /** Whatever happens, what is in the file afterwards are whole lines, and they are counted. */
  async #writeTo(batch: Batch, to: number): Promise<void> {
    const { file } = this
    const whole = to === batch.bytes && batch.written === 0
    let at = batch.written
    try {
      while (at < to) {
        const count = await file.write(batch.buffer, at, to)
        if (count === 0) throw Object.assign(new Error('nothing was written'), { code: 'ENOSPC' })
        at += count
      }
    } finally {
      const end = file.regular ? batch.lineEndAt(at) : at
      if (end < at) await file.takeBack(at - end)
      this.#wrote(whole && end === to ? batch.lines : batch.linesUpTo(end), end - batch.written)
      batch.written = end
    }
  }

  #wrote(lines: number, bytes: number): void {
    if (lines === 0) return
    this.#lines += lines
    this.#bytes += bytes
    if (this.file.settings.level === 'written') this.#acknowledgements.reached(this.#lines, this.#bytes)
    else this.#syncing ??= this.#sync()
  }

  async #sync(): Promise<void> {
    try {
      // What is written meanwhile has to wait for the next one.
      while (this.#acknowledgements.lines < this.#lines) {
        const [lines, bytes] = [this.#lines, this.#bytes]
        await this.file.sync()
        this.#acknowledgements.reached(lines, bytes)
      }
    } catch (error) {
      // Never again: what a sync that failed was for may be lost, and the next one would not say so.
      this.#fail(logTrouble(this.name, error))
    } finally {
      this.#syncing = undefined
    }
  }

  async #synced(): Promise<void> {
    await this.#syncing
    if (this.#failure) throw this.#failure.error
  }

  readonly #fail = (error: unknown): void => {
    if (this.#failure) return
    this.#failure = { error }
    for (const giver of this.#waiting()) giver.reject(error)
    this.#acknowledgements.fail(error)
    if (!this.#aborted) this.heard.broke?.(error)
  }

  /** Those who wait, who are forgotten. */
  #waiting(): Giver[] {
    const waiting = this.#givers.slice(this.#through)
    this.#givers = []
    this.#through = 0
    return waiting
  }

  /** A graceful end is wanted: it waits for room no more. */
  stop(): void {
    this.#patience.end()
  }

  /** Writes everything and lets go. */
  async close(): Promise<void> {
    try {
      this.#closed = true
      this.#pressed = Infinity
      this.#go()
      await this.#until(this.#given)
      await this.file.demandThere().catch((error: unknown) => {
        throw logTrouble(this.name, error)
      })
      await this.#archive?.ended()
    } finally {
      await this.#letGo()
    }
  }

  /** Lets go after a failure: not its own, then it writes everything first. */
  async abandon(): Promise<void> {
    if (this.#failure) await this.#letGo()
    else await this.close()
  }

  /** Ends at once. What has not been written is not. */
  async abort(): Promise<void> {
    this.#aborted = true
    this.#patience.end()
    for (const { resolve } of this.#waiting()) resolve()
    await this.#letGo()
  }

  async #letGo(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#archive?.abort()
    // A call of the system cannot be taken back, and the file must not be closed under it.
    await this.#working
    await this.#syncing
    await this.file.close()
  }

  get counts() {
    const { repaired, rotated } = this.file
    const waited = this.#patience.waited
    return { lines: this.#lines, bytes: this.#bytes, batches: this.#batches, repaired, rotated, waited }
  }
}
