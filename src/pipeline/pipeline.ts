/**
 * `pipeline()`: puts pieces together. Building reads nothing; each run is independent of all others.
 *
 * A pipeline is a flat list of stage definitions: pieces that are pipelines themselves are taken apart, so nesting
 * costs nothing at run time and `index` counts through.
 */
import type { Compose } from './compose.ts'
import { type Graph, graphOf } from './graph.ts'
import { demand } from '../errors.ts'
import {
  collecting,
  type Definition,
  demandPart,
  type Kernel,
  type Kind,
  type Part,
  type Port,
} from './stage.ts'
import { type Trace, traceOf } from '../channel/deadlock.ts'
import { Line } from '../channel/line.ts'
import { late } from './scheduler.ts'
import { DEFAULT_CAPACITY, Execution, type Run, type RunOptions } from './run.ts'

/** A pipeline that ends in a stage: its run is worth the list of what comes out. */
export interface Pipeline<Out> extends Part<'source', never, Out>, AsyncIterable<Out> {
  /** Runs it and collects what comes out. Rejects with a `StageError`, or with the reason of an abort. */
  run(options?: RunOptions): Promise<Out[]>
  /** Runs it, and gives a handle on the run. */
  start(options?: RunOptions): Run<Out[]>
  /** The stages and the channels between them, as plain data. */
  describe(): Graph
  /** The results one by one, with backpressure. Leaving the loop early cancels the run. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Out>
}

/** A pipeline that ends in a sink: its run is worth what the sink has come to. */
export interface SinkPipeline<R> extends Part<'sink pipeline', never, R> {
  run(options?: RunOptions): Promise<R>
  start(options?: RunOptions): Run<R>
  describe(): Graph
}

/** Keeps what comes out of the last stage of a pipeline without a sink. */
const collector: Definition = { name: 'results', internal: true, kernel: collecting }

/** Stages put together that have no source yet. */
class Composed {
  constructor(
    readonly kind: Kind,
    readonly definitions: readonly Definition[],
  ) {}

  run(_options?: RunOptions): Promise<unknown> {
    return Promise.reject(new TypeError('Cannot run pipeline: it must begin with a source'))
  }

  describe(): Graph {
    return graphOf(this.definitions, DEFAULT_CAPACITY)
  }
}

class Runnable extends Composed {
  constructor(
    kind: Kind,
    definitions: readonly Definition[],
    readonly trace: Trace,
  ) {
    super(kind, definitions)
  }

  override async run(options?: RunOptions): Promise<unknown> {
    return this.start(options).result
  }

  start(options?: RunOptions): Run<unknown> {
    const { kind, definitions } = this
    return new Execution(kind === 'sink pipeline' ? definitions : [...definitions, collector], this, options)
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<unknown> {
    if (this.kind === 'sink pipeline')
      throw new TypeError('Cannot loop over pipeline: it must not end in a sink')
    const outlet = new Outlet()
    let run: Run<unknown> | undefined
    const next = (): Promise<IteratorResult<unknown>> => {
      if (run === undefined) {
        if (outlet.left) return Promise.resolve(END)
        run = new Execution(
          [...this.definitions, { name: 'loop', internal: true, kernel: outlet.open }],
          this,
        )
        outlet.follow(run.result)
      }
      return outlet.next()
    }
    return {
      next,
      async return(value?: unknown) {
        outlet.leave()
        await next() // The end, or a failure that nobody has been told.
        return { done: true, value }
      },
      [Symbol.asyncIterator]() {
        return this
      },
    }
  }
}

const END: IteratorResult<unknown> = { done: true, value: undefined }

interface Asked {
  prev?: Asked | undefined
  next?: Asked | undefined
  resolve: (step: IteratorResult<unknown> | Promise<IteratorResult<unknown>>) => void
  /** Asked for after `return`: gets no value. */
  late: boolean
}

/** The sink behind a loop over a pipeline: takes a value for each `next`, and no more. */
class Outlet implements Kernel<unknown, undefined> {
  left = false
  #port: Port<unknown, unknown> | undefined
  readonly #asked = new Line<Asked>()
  /** How many values it was asked for that were there. */
  #taken = 0
  /** How the run went: the answer to what is asked next. */
  #outcome: Promise<IteratorResult<unknown>> | undefined

  readonly open = (port: Port<unknown, unknown>): this => {
    this.#port = port
    return this
  }

  run(port: Port<unknown, undefined>): void {
    for (let asked; port.at < port.end && (asked = this.#asked.head) && !asked.late;) {
      this.#asked.delete(asked)
      asked.resolve({ done: false, value: port.items[port.at++] })
    }
    if (this.left) port.finish()
    port.held = !this.#asked.head
  }

  readonly result = (): IteratorResult<unknown> => END

  /** Once all of the run is over, loops end or fail; not before. A failure is told once, as by a generator. */
  follow(result: Promise<unknown>): void {
    const over = (): void => {
      this.#outcome = result as Promise<IteratorResult<unknown>>
      for (const asked of this.#asked) this.#answer(asked)
    }
    result.then(over, over)
  }

  #answer(asked: Asked): void {
    const outcome = this.#outcome!
    asked.resolve(outcome)
    // A promise too: who asked first hears first.
    this.#outcome = outcome.catch(() => END)
  }

  next(): Promise<IteratorResult<unknown>> {
    const port = this.#port
    const takes = port !== undefined && port.stock > 0 && !this.#asked.head && !this.left && !port.left
    // The loop may do much for each value: when timers and I/O are due, it waits for a turn of the stage as others do.
    // To look at the clock each time would cost half as much as the loop.
    if (takes && ((this.#taken++ & 3) !== 0 || !late()))
      return Promise.resolve({ done: false, value: port.take() })
    return new Promise((resolve) => {
      const asked: Asked = { resolve, late: this.left }
      if (this.#outcome) return this.#answer(asked)
      this.#asked.add(asked)
      this.#port?.wake()
    })
  }

  leave(): void {
    this.left = true
    this.#port?.wake()
  }
}

/**
 * Puts stages together.
 *
 * - Begins with a source: it can `run`. Otherwise it is a stage (or a sink) made of stages, for other pipelines.
 * - Each stage is a task of its own, joined to the next by a bounded channel; nothing is read before it runs.
 * - Types flow from left to right; a stage that does not fit is a type error at that stage. They go up to 32 stages: a
 *   longer pipeline is made of pipelines.
 *
 * @throws TypeError for something that is no stage, or stands where it cannot.
 * @example
 * import { filter, map, pipeline, range } from 'sluice'
 *
 * const squares = pipeline(
 *   range(10),
 *   filter((n) => n % 2 === 1),
 *   map((n) => n * n),
 * )
 * await squares.run() // => [1, 9, 25, 49, 81]
 */
export const pipeline = function pipeline(...parts: Part<Kind, never, unknown>[]): unknown {
  demand(parts.length > 0, 'create pipeline', 'stages', 'at least one stage', parts, TypeError)
  parts.forEach((part, place) => {
    const wanted: Kind[] = place === 0 ? ['source', 'stage'] : ['stage']
    if (place > 0 && place === parts.length - 1) wanted.push('sink')
    demandPart(part, wanted, 'create pipeline', `stage ${place}`)
  })
  const definitions = parts.flatMap((part) => part.definitions)
  const source = parts[0].kind === 'source'
  const sink = parts.at(-1)!.kind === 'sink'
  if (source) return new Runnable(sink ? 'sink pipeline' : 'source', definitions, traceOf(pipeline))
  return new Composed(sink ? 'sink' : 'stage', definitions)
} as Compose
