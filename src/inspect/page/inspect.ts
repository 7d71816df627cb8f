/**
 * A live page of a run, served on loopback.
 *
 * The run is looked at by a timer, a few times a second, whether or not a page is open: a page that is opened later has
 * the last minute. To look takes time of the program, so where it takes long it is done less often. Neither the server nor
 * a page that is open holds the process: the program ends when its work does, and a deadlock is still noticed.
 *
 * It tells what a program is working on, so it refuses what comes from another site: a name of a host that is not its own
 * (DNS rebinding) and a foreign origin. It changes nothing, whatever is asked of it.
 */
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { demandOptions } from '../../connect/options.ts'
import { demand } from '../../errors.ts'
import { type Door, doorOf } from './door.ts'
import { Followed, type Startable, type Watched } from './follow.ts'
import { pageOf } from './page.ts'
import { type Sample, View } from './view.ts'

/** Where the page of `inspect` is served, and how often it looks at the run. */
export interface InspectOptions {
  /** The port; 0 takes one that is free. Default: 0. */
  port?: number | undefined
  /** The address to listen on. Default: `127.0.0.1`, for this machine alone. */
  host?: string | undefined
  /** Names under which the page may be asked for, besides `localhost` and addresses. Default: none. */
  hosts?: readonly string[] | undefined
  /** Milliseconds between two looks at the run. Default: 250. */
  interval?: number | undefined
}

/** A page that is served. */
export interface Inspector extends AsyncDisposable {
  /** Where the page is. */
  readonly url: string
  /** Ends the server and forgets the run. */
  close(): Promise<void>
}

/** To look at a run may take this much of the time, at most; and where runs end, to which nobody should wait long. */
const SHARE = 0.01
const SHARE_AT_END = 0.1
/** Longer delays make timers fire at once. */
const LONGEST = 2 ** 31 - 1

class Server implements Inspector {
  readonly #view: View
  readonly #pages = new Set<ServerResponse>()
  readonly #server = createServer((request, response) => this.#answer(request, response))
  #timer: ReturnType<typeof setTimeout> | undefined
  #sent: Sample | undefined
  /** Milliseconds of the last looks. */
  #took: number[] = []
  /** When it looks again. */
  #due = Infinity
  #door!: Door
  url = ''

  constructor(
    readonly followed: Followed,
    readonly interval: number,
  ) {
    this.#view = new View(followed)
    this.#server.on('connection', (socket) => socket.unref())
  }

  async listen(port: number, host: string, hosts: readonly string[]): Promise<this> {
    try {
      await new Promise<void>((resolve, reject) => {
        this.#server.once('error', reject)
        this.#server.listen(port, host, resolve)
      })
    } catch (error) {
      this.followed.stop()
      const { message } = error as Error
      throw Object.assign(error as Error, { message: `Cannot inspect: ${message}` })
    }
    this.#server.unref()
    this.followed.whenEnded = () => this.#lookSoon(SHARE_AT_END)
    const { port: taken } = this.#server.address() as AddressInfo
    this.#door = doorOf(host, hosts)
    this.url = `http://${host.includes(':') ? `[${host}]` : host}:${taken}/`
    this.#look()
    return this
  }

  #look(): void {
    const began = performance.now()
    this.#tell()
    // What one look took may be the machine's fault, what each of several took is not.
    this.#took = [performance.now() - began, ...this.#took].slice(0, 4)
    this.#due = Infinity
    this.#lookSoon(SHARE)
  }

  /** Looks again when that takes no more than this share of the time. */
  #lookSoon(share: number): void {
    const pause = Math.min(Math.max(this.interval, Math.min(...this.#took) / share), LONGEST)
    const due = performance.now() + pause
    if (due >= this.#due) return
    this.#due = due
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#look(), pause)
    this.#timer.unref()
  }

  /** Tells what has changed. */
  #tell(): void {
    const view = this.#view
    const { shape, run } = view
    const sample = view.take()
    const before = this.#sent
    this.#sent = sample
    // The history of another run is not its own.
    if (view.run !== run) return this.#send('picture', view.picture)
    if (view.shape !== shape) this.#send('shape', view.shape)
    // A run that has ended, or not begun, is told of once.
    if (sample.failures.length > 0 || !isSame(sample, before)) this.#send('sample', sample)
  }

  #send(event: string, data: object): void {
    if (this.#pages.size === 0) return
    const message = messageOf(event, data)
    // A page that does not read any more is let go: it asks again.
    for (const page of this.#pages) if (!page.write(message) && page.writableLength > MUCH) page.destroy()
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const refusal = this.#door(request)
    const nonce = randomBytes(16).toString('base64')
    response.setHeader('Content-Security-Policy', policyOf(nonce))
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
    if (refusal) return plain(response, refusal.status, refusal.text)
    const pathname = request.url?.replace(/\?.*$/s, '')
    if (pathname === '/events') this.#stream(request, response)
    else if (pathname === '/') {
      response.setHeader('Content-Type', 'text/html; charset=utf-8')
      response.end(pageOf(this.#view.picture, nonce))
    } else if (pathname === '/stats') {
      const { run } = this.followed
      response.setHeader('Content-Type', 'application/json')
      response.end(JSON.stringify(run ? { name: run.name, stats: run.stats(), graph: run.describe() } : null))
    } else plain(response, 404, 'There is the page at /, its numbers at /stats, and nothing else')
  }

  #stream({ method }: IncomingMessage, response: ServerResponse): void {
    response.setHeader('Content-Type', 'text/event-stream')
    // It would wait for an end that never comes.
    if (method === 'HEAD') return void response.end()
    response.write(messageOf('picture', this.#view.picture))
    this.#pages.add(response)
    response.on('close', () => this.#pages.delete(response))
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer)
    this.followed.stop()
    this.#view.forget()
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** Bytes that wait for a page to read them. */
const MUCH = 4_000_000

const headers = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
}

function policyOf(nonce: string): string {
  return (
    `default-src 'none'; script-src 'nonce-${nonce}'; style-src 'nonce-${nonce}'; img-src data:; ` +
    `connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`
  )
}

function messageOf(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}

function plain(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status
  response.setHeader('Content-Type', 'text/plain; charset=utf-8')
  response.end(`${text}\n`)
}

/** Whether nothing has changed since, not even the time. */
function isSame(sample: Sample, before: Sample | undefined): boolean {
  const { state, elapsed, version } = sample
  return before?.state === state && before.elapsed === elapsed && before.version === version
}

/**
 * Serves a live page of a run: the graph as it is, how full each channel is, what each stage does, its rates and totals,
 * the bottleneck, what failed, and the last minute.
 *
 * - Takes a run, or a pipeline: then it follows the run of it that starts next, and the one after that. Without either it
 *   follows whatever run starts next.
 * - Does not hold the process. When that ends, pages that are open keep the last picture.
 * - Only looks. A run that is not inspected pays nothing, one that is pays for a look every 250 ms.
 * - Listens on loopback unless told otherwise, and refuses requests with a foreign `Host` or `Origin`.
 *
 * @throws TypeError or RangeError for wrong options; rejects with the error of the system where it cannot listen.
 * @example
 * import { drain, pipeline, range } from 'sluice'
 * import { inspect } from 'sluice/inspect'
 *
 * const job = pipeline(range(1000), drain())
 * await using page = await inspect(job)
 * await job.run()
 * const { stats } = (await (await fetch(`${page.url}stats`)).json()) as { stats: { stages: { sent: number }[] } }
 * stats.stages[0].sent // => 1000
 */
export async function inspect(
  target?: Watched | Startable,
  options: InspectOptions = {},
): Promise<Inspector> {
  const action = 'inspect'
  const { stats, start, describe } = Object(target) as Record<string, unknown>
  const isOne = (typeof stats === 'function' || typeof start === 'function') && typeof describe === 'function'
  const ok = target === undefined || isOne
  demand(ok, action, 'target', 'a run or a pipeline', target, TypeError)
  demandOptions(options, action)
  const { port = 0, host = '127.0.0.1', hosts = [], interval = 250 } = options
  demand(
    Number.isInteger(port) && port >= 0 && port < 65536,
    action,
    'port',
    'an integer from 0 to 65535',
    port,
  )
  demand(typeof host === 'string' && host !== '', action, 'host', 'an address', host, TypeError)
  const areNames = Array.isArray(hosts) && hosts.every((name) => typeof name === 'string')
  demand(areNames, action, 'hosts', 'an array of names', hosts, TypeError)
  const isTime = Number.isFinite(interval) && interval >= 10
  demand(isTime, action, 'interval', 'a number of milliseconds >= 10', interval)
  return new Server(new Followed(target), interval).listen(port, host, hosts)
}
