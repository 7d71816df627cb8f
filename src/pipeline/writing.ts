/**
 * Writing to the outside: the kernel behind `writeTo`, over Node's streams and the Web's.
 *
 * A target is ended when all has been written, and destroyed after a failure: once what came before it is through, or
 * at once where the run was aborted. It may break while nobody writes, so it is listened to all the time.
 */
import { nextTurn } from './scheduler.ts'
import type { Kernel, Port } from './stage.ts'

/** A Node `Writable`, as far as it is needed here. */
export interface WritableLike {
  write(chunk: unknown, done?: (error?: Error | null) => void): boolean
  end(): unknown
  destroy(error?: Error): unknown
  readonly destroyed?: boolean
  readonly closed?: boolean
  readonly errored?: unknown
  readonly writableFinished?: boolean
  on(event: string, listener: (...args: unknown[]) => void): unknown
  off(event: string, listener: (...args: unknown[]) => void): unknown
}

/** What a target must do; what it gives settles when the target can go on. */
interface Target {
  /** Why nothing more can be written, and the value that is to blame, where one is. */
  readonly broken: Broken | undefined
  /** `undefined`: it can go on at once. */
  write(value: unknown): PromiseLike<unknown> | undefined
  end(): PromiseLike<unknown>
  /** Ends it as failed: at once, or when what was written is through. */
  destroy(atOnce: boolean, reason: unknown): PromiseLike<unknown>
}

interface Broken {
  error: unknown
  culprit?: { value: unknown } | undefined
}

const ENDED = 'Cannot write: the stream has been ended by somebody else'
const DESTROYED = 'Cannot write: the stream was destroyed before its end'

class NodeTarget implements Target {
  readonly #seen = new Set<string>()
  #failure: Broken | undefined
  #unwritten = 0
  /** Called at the next event. */
  #notify: (() => void) | undefined
  readonly #listeners = EVENTS.map(
    (event) => [event, (error?: unknown) => this.#event(event, error)] as const,
  )

  constructor(
    readonly stream: WritableLike,
    /** Told of every event: the stream may break while nobody writes. */
    readonly heard: () => void,
  ) {
    for (const [event, listener] of this.#listeners) stream.on(event, listener)
  }

  #event(event: string, error?: unknown, culprit?: { value: unknown }): void {
    this.#seen.add(event)
    // Writes that a destroyed stream did not get to say only that it is.
    if (error) this.#failure ??= { error: this.stream.errored ?? error, culprit }
    this.#notify?.()
    if (event === 'error' || event === 'close') this.heard()
  }

  get broken(): Broken | undefined {
    if (this.#failure || !this.stream.destroyed) return this.#failure
    const { errored, writableFinished } = this.stream
    return { error: errored ?? new Error(writableFinished === true ? ENDED : DESTROYED) }
  }

  write(value: unknown): PromiseLike<unknown> | undefined {
    this.#unwritten++
    this.#seen.delete('drain')
    const written = (error?: unknown): void => {
      this.#unwritten--
      // One that is destroyed fails all that it has not written yet: none of these is to blame.
      this.#event('write', error, this.stream.destroyed ? undefined : { value })
    }
    try {
      if (this.stream.write(value, written)) return undefined
    } catch (error) {
      this.#unwritten--
      throw error
    }
    return this.#until(() => this.#seen.has('drain'))
  }

  async end(): Promise<void> {
    this.#check()
    if (this.#standard) await this.#until(() => this.#unwritten === 0)
    else {
      const { writableEnded, _writableState: state, _readableState: duplex } = this.stream as Inner
      if (writableEnded) throw new Error('Cannot end: the stream has been ended by somebody else')
      this.stream.end()
      await this.#until(() => this.#seen.has('finish'))
      // A file is closed after that, which may fail too. A duplex closes when somebody has read all of it.
      if (duplex === undefined && state?.autoDestroy === true && state.emitClose === true)
        while (this.stream.closed === false && !this.#failure) await this.#next()
      if (this.#failure) throw this.#failure.error
    }
    this.#release()
  }

  async destroy(atOnce: boolean): Promise<void> {
    if (!atOnce) await this.#until(() => this.#unwritten === 0).catch(() => {})
    if (!this.#standard) {
      // It may tell of an error at any time from now on: somebody has to listen.
      this.stream.on('error', () => {})
      this.stream.destroy()
      const { _writableState: state } = this.stream as Inner
      while (this.stream.closed === false && !this.#seen.has('close') && state?.emitClose !== false)
        await this.#next()
    }
    await new Promise<void>(nextTurn)
    this.#release()
  }

  /** The standard output outlives every pipeline. */
  get #standard(): boolean {
    const { process } = globalThis as { process?: { stdout?: unknown; stderr?: unknown } }
    return this.stream === process?.stdout || this.stream === process?.stderr
  }

  #release(): void {
    for (const [event, listener] of this.#listeners) this.stream.off(event, listener)
  }

  #check(): void {
    const { broken } = this
    if (broken) throw broken.error
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      this.#check()
      await this.#next()
    }
  }

  #next(): Promise<void> {
    return new Promise((resolve) => (this.#notify = resolve))
  }
}

/** What Node's own streams tell beyond the interface. */
interface Inner {
  writableEnded?: boolean
  _writableState?: { autoDestroy?: boolean; emitClose?: boolean }
  _readableState?: unknown
}

const EVENTS = ['drain', 'finish', 'error', 'close']

class WebTarget implements Target {
  readonly #writer: WritableStreamDefaultWriter<unknown>
  #latest: Promise<void> | undefined
  #ending = false

  broken: Broken | undefined

  constructor(stream: WritableStream, heard: () => void) {
    this.#writer = stream.getWriter()
    const breaks = (error: unknown): void => {
      this.broken ??= { error }
      heard()
    }
    this.#writer.closed.then(() => {
      if (!this.#ending) breaks(new TypeError(ENDED))
    }, breaks)
  }

  write(value: unknown): PromiseLike<unknown> | undefined {
    try {
      this.#latest = this.#writer.write(value)
    } catch {
      // No write throws but that of Node to a stream that is closed, and what it says is that this is a bug of Node.
      throw new TypeError(ENDED)
    }
    // Writes fail in their order, before the stream has: the first one that does is to blame.
    this.#latest.catch((error: unknown) => (this.broken ??= { error, culprit: { value } }))
    if ((this.#writer.desiredSize ?? 0) > 0) return undefined
    // One that holds nothing, as `highWaterMark: 0` says, is never ready: it has taken the value when that is written.
    return Promise.race([this.#writer.ready, this.#latest])
  }

  async end(): Promise<void> {
    // One that was over before it was opened tells so now: to close it would only say that it is closed.
    await Promise.resolve()
    if (this.broken) throw this.broken.error
    this.#ending = true
    await this.#writer.close()
    this.#writer.releaseLock()
  }

  async destroy(atOnce: boolean, reason: unknown): Promise<void> {
    if (!atOnce) await this.#latest?.catch(() => {})
    const aborted = this.#writer.abort(reason).catch(() => {})
    // An abort waits for the write that is under way.
    if (!atOnce) await aborted
    this.#writer.releaseLock()
  }
}

export class Writing<In> implements Kernel<In, undefined> {
  #over = false
  #writing = false
  #target: Target | undefined

  constructor(
    readonly port: Port<In, undefined>,
    readonly stream: WritableLike | WritableStream<In>,
  ) {
    // The first turn may come after timers and I/O have had theirs: an error until then must find somebody.
    if (!('getWriter' in stream)) this.#target = new NodeTarget(stream, this.#heard)
  }

  /** Opened by the run, so that a stream which is locked fails the stage. */
  get #open(): Target {
    return (this.#target ??= new WebTarget(this.stream as WritableStream, this.#heard))
  }

  run(port: Port<In, undefined>): void {
    if (this.#over) return
    const target = this.#open
    while (!this.#writing) {
      const { broken } = target
      if (broken) return port.fail(broken.error, broken.culprit)
      if (port.at >= port.end) break
      const written = target.write(port.items[port.at])
      port.at++
      if (written !== undefined) this.#wait(written)
    }
    port.held = this.#writing
  }

  readonly #heard = (): void => {
    if (!this.#over && !this.#writing) this.port.wake()
  }

  #wait(work: PromiseLike<unknown>, last = false): void {
    const { port } = this
    this.#writing = true
    port.calls++
    work.then(
      () => {
        this.#over ||= last
        this.#writing = false
        port.callEnded()
      },
      (error: unknown) => {
        port.fail(error, this.#target?.broken?.culprit)
        this.#writing = false
        port.callEnded()
      },
    )
  }

  get pending(): boolean {
    return this.#writing
  }

  get wants(): string | undefined {
    return this.#writing ? `its target to ${this.#ending ? 'end' : 'take more'}` : undefined
  }

  #ending = false
  /** What has failed before it. */
  #failure: { cause: unknown } | undefined

  end(port: Port<In, undefined>, failure: { cause: unknown } | undefined): void {
    this.#failure = failure
    if (failure || this.#over) return
    if (!this.#ending) this.#wait(this.#open.end(), true)
    this.#ending = true
    // The stage has not ended before its target has.
    port.full = true
  }

  close(aborted: boolean): PromiseLike<unknown> | void {
    if (this.#over) return
    this.#over = true
    const { signal } = this.port.context
    try {
      return this.#open.destroy(aborted, signal.aborted ? signal.reason : this.#failure?.cause)
    } catch {
      // Locked by somebody else: not ours to destroy.
    }
  }
}
