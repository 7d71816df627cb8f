/**
 * What a run is doing, on a terminal or line by line: `progress()`, from the first picture to the last.
 *
 * A run is only looked at, a few times a second. Its `result` is not touched: whoever listens to a promise takes its
 * rejection away from those who did not, and JavaScript would no longer report it. The end is told by
 * `node:diagnostics_channel`, before anybody who awaits the result goes on; where the core has none, it is seen at the next
 * picture. The timer holds no process.
 */
import { demandOptions } from '../../connect/options.ts'
import { demand, demandNumber } from '../../errors.ts'
import type { Run } from '../../pipeline/run.ts'
import { hasEnded, listen } from '../listen.ts'
import { type Ending, outcomeOf } from '../outcome.ts'
import { type Head, summary, table } from './picture.ts'
import { Rows } from './rows.ts'
import { type Line, type Picture, type ProgressStream, type Screen, screenOf, warnOf } from './screen.ts'
import { firstLine, plain } from './width.ts'

export type { ProgressStream } from './screen.ts'

/** Where `progress` shows a run, and how often. */
export interface ProgressOptions {
  /** Where it is shown. Default: `process.stderr`. */
  stream?: ProgressStream | undefined
  /** How many values the source gives in all, where it does not know that itself: for the time left. */
  total?: number | undefined
  /** Milliseconds between two pictures on a terminal. Default: 200. */
  redraw?: number | undefined
  /** Milliseconds between two lines where there is no terminal; `Infinity`: only one at the end. Default: 10,000. */
  every?: number | undefined
}

/** What is shown of a run. `using` ends it at the end of the block. */
export interface Progress extends Disposable {
  /** Shows the last picture, which stays, and gives the stream back. At the end of the run this happens by itself. */
  stop(): void
}

interface Host {
  readonly process?: {
    readonly stderr?: ProgressStream
    readonly env?: Readonly<Record<string, string | undefined>>
    on?(event: 'exit', listener: () => void): void
    off?(event: 'exit', listener: () => void): void
  }
}
/** The process, as far as it is there. */
const host = globalThis as Host

/** Longer delays make timers fire at once. */
const LONGEST = 2 ** 31 - 1
/** Of the last picture, however low the terminal is: it may scroll. */
const LEAST_LINES = 3

/**
 * Shows what a run is doing, from now until its end.
 *
 * - On a terminal: a block of lines at the bottom, drawn over itself. A line per stage with the values per second over
 *   the last second, the values so far, how full the channel behind it is, failed values, and a mark at the stage that
 *   limits the run; for sources that know their size, how much of it is done and the time left. It fits the terminal: copies of a
 *   stage side by side are one line, and where there are too many lines it says how many are hidden.
 * - Elsewhere, and on a `TERM=dumb`: one line every now and then, and one at the end.
 * - What the program writes to the terminal appears above the block, whole and in order. Until the end the `write` of
 *   the stream is another one; of `process.stdout` too where both are terminals. What goes past it cannot be seen:
 *   `fs.writeSync`, child processes that inherit the terminal, `console` in Bun and Deno.
 * - The last picture stays. It comes before anybody who awaits the result goes on.
 * - Several at a time share the block.
 * - Where `write` of the stream throws, a process warning says so once, and no more is shown: the run goes on.
 * - Costs nothing per value. Holds no process, takes no rejection away, and needs nothing put right after a signal.
 *
 * Honours `NO_COLOR`. A value counts for a stage when it has come in, for a source when it has gone out.
 *
 * @throws TypeError for a `run` that is none (`start()` gives one) and a stream that is none; RangeError for wrong numbers.
 * @example
 * import { map, pipeline, range } from 'sluice'
 * import { progress } from 'sluice/inspect'
 *
 * const lines: string[] = []
 * const run = pipeline(range(3), map(String)).start({ name: 'digits' })
 * progress(run, { stream: { write: (line) => lines.push(line) } })
 * await run.result // => ['0', '1', '2']
 * lines.length // => 1
 * lines[0].startsWith('digits  done in ') // => true
 */
export function progress(run: Run<unknown>, options: ProgressOptions = {}): Progress {
  const action = 'show progress'
  const { stats, describe } = Object(run) as Partial<Run<unknown>>
  const isRun = typeof stats === 'function' && typeof describe === 'function'
  demand(isRun, action, 'run', 'what start() of a pipeline gives', run, TypeError)
  demandOptions(options, action)
  const { stream = host.process?.stderr, total, redraw = 200, every = 10_000 } = options
  const { write } = Object(stream) as Partial<ProgressStream>
  demand(typeof write === 'function', action, 'stream', 'a stream with a write()', stream, TypeError)
  if (total !== undefined)
    demandNumber(total, action, 'total', 'a number of values >= 0', (count) => count >= 0 && count < Infinity)
  demandNumber(redraw, action, 'redraw', 'a number of milliseconds >= 1', (ms) => ms >= 1)
  demandNumber(every, action, 'every', 'a number of milliseconds >= 1', (ms) => ms >= 1)
  return new Display(run, stream!, new Rows(run, total), redraw, every)
}

/** Those that are shown now: the last picture is due when the process exits. */
const open = /* @__PURE__ */ new Set<Display>()
function exits(): void {
  for (const display of open) display.finish('cut off after')
}

class Display implements Progress, Picture {
  readonly #screen: Screen | undefined
  readonly #coloured = !host.process?.env?.NO_COLOR
  readonly #timer: ReturnType<typeof setInterval> | undefined
  readonly #stopListening: () => void
  #head: Head
  #over = false

  constructor(
    readonly run: Run<unknown>,
    readonly stream: ProgressStream,
    readonly rows: Rows,
    redraw: number,
    every: number,
  ) {
    this.#head = { name: plain(String(run.name)), state: '', elapsed: 0, reason: '' }
    if (stream.isTTY && host.process?.env?.TERM !== 'dumb') this.#screen = screenOf(stream)
    if (open.size === 0) host.process?.on?.('exit', exits)
    open.add(this)
    const heard = (message: unknown): void => this.#heard(message)
    this.#stopListening = listen({ 'run:end': heard, 'job:end': heard })
    this.#look()
    this.#screen?.add(this)
    if (this.#isEnded) this.finish('ended after')
    const pause = this.#screen ? redraw : every
    if (this.#over || pause === Infinity) return
    this.#timer = setInterval(() => this.#tick(), Math.min(pause, LONGEST))
    ;(this.#timer as { unref?(): void }).unref?.()
  }

  stop(): void {
    this.finish('')
  }

  [Symbol.dispose](): void {
    this.stop()
  }

  lines(width: number, height: number): readonly Line[] {
    return table(this.#head, this.rows.all, width, height, this.#coloured)
  }

  /** The last picture, headed by how it has ended. */
  finish(state: string, reason = ''): void {
    if (this.#over) return
    this.#end()
    this.#look(state, reason)
    if (!this.#screen) return this.#say()
    const { width, height } = this.#screen.size
    this.#screen.remove(this, this.lines(width, Math.max(height, LEAST_LINES)))
  }

  #end(): void {
    this.#over = true
    clearInterval(this.#timer)
    this.#stopListening()
    open.delete(this)
    if (open.size === 0) host.process?.off?.('exit', exits)
  }

  #tick(): void {
    if (this.#isEnded) return this.finish('ended after')
    this.#look()
    if (this.#screen) this.#screen.draw()
    else this.#say()
  }

  #look(state = '', reason = ''): void {
    this.rows.update(this.#isEnded)
    this.#head = { ...this.#head, state, elapsed: this.rows.elapsed, reason }
  }

  #say(): void {
    try {
      this.stream.write(`${summary(this.#head, this.rows.all)}\n`)
    } catch (error) {
      this.#end()
      warnOf(error)
    }
  }

  #heard(message: unknown): void {
    const ending = message as Ending & { run: unknown }
    if (ending.run !== this.run) return
    const outcome = outcomeOf(ending)
    if (outcome === 'completed') this.finish('done in')
    else this.finish(`${outcome} after`, firstLine(ending.error))
  }

  get #isEnded(): boolean {
    return hasEnded(this.run)
  }
}
