/**
 * A connection for one run: one of our own, one lent by a pool, or the user's.
 *
 * Ours is ended after the run, one of a pool is given back, the user's is left as it was. Where a run leaves in the
 * middle of a statement, the server is asked to cancel it, over a connection of its own as the protocol wants; then ours
 * is dropped, a pool is told to drop its own, and on the user's the rest is read away, so that it can be used again. From
 * where nothing comes for too long, it comes into the queue of that client, in front of what the user asks next.
 *
 * The 'error' event of a client is always listened to while a run has it: a server that goes away must fail the run, and
 * not the process.
 */
import { connect } from 'node:net'
import { Client, type ClientConfig, type Connection, type Pool, type PoolClient, type Submittable } from 'pg'
import { isRecord } from '../../connect/record.ts'
import { demand } from '../../errors.ts'
import { Command } from './statement.ts'

/** Where the server is: a connection string, a `ClientConfig` of `pg`, or a `Pool` or connected `Client` of the user's. */
export type PostgresConnection = string | ClientConfig | Pool | Client

/** Who has a connection. */
export interface Holder {
  readonly name: string
  readonly signal: AbortSignal
}

/** What a client has, though its types do not say so. */
interface Internals {
  processID: number | null
  secretKey: number | null
  _connected?: boolean
  _ended?: boolean
}

/** A statement, as far as the connection is concerned. */
export interface Exchange extends Submittable {
  /** Settles when the server has nothing more to say about it, or the connection is gone. */
  readonly idle: Promise<void>
  /** Whether it has been sent, and does not stand behind other statements. */
  readonly submitted: boolean
  /** Not sent yet, it never will be. */
  drop(): void
  /** Wants no more. Gives whether the server must be told to stop. */
  leave(): boolean
}

const isPool = (value: object): value is Pool =>
  'totalCount' in value && typeof (value as Pool).connect === 'function'
const isClient = (value: object): value is Client => typeof (value as Client).query === 'function'
/** Whether it speaks the protocol itself, as all do but those of pg-native. */
const overProtocol = (client: object): boolean =>
  (client as { connection?: { stream?: unknown } }).connection?.stream !== undefined

/** Throws unless a connection can be made of it. */
export function demandConnection(value: unknown, make: string): asserts value is PostgresConnection {
  const ok =
    typeof value === 'string' ||
    (isRecord(value) && (!isClient(value) || isPool(value) || overProtocol(value)))
  const wanted = 'a connection string, or a ClientConfig, Client or Pool of pg'
  demand(ok, `create ${make}`, 'connection', wanted, value, TypeError)
}

/** Milliseconds after which the server is told again to cancel. */
const AGAIN = 1000
/** Milliseconds that a server has to answer to that, before it is waited for no more. */
const PATIENCE = 5000

/** Which clients of the user's a stage has now: two stages on one connection would wait for each other for ever. */
const taken = new WeakMap<Client, string>()

export class Session {
  /** Why the connection is gone. */
  broken: Error | undefined
  /** Is told of it. A statement that is under way fails besides. */
  onBroken = (_error: Error): void => {}
  #statement: Exchange | undefined
  #closing: Promise<void> | undefined

  private constructor(
    readonly client: Client,
    readonly of: 'us' | 'pool' | 'user',
    { name }: Holder,
  ) {
    client.on('error', this.#broke)
    if (of === 'user') taken.set(client, name)
  }

  /** Connects. Gives up, and leaves nothing behind, when the signal of the holder aborts. */
  static async open(connection: PostgresConnection, holder: Holder): Promise<Session> {
    if (typeof connection === 'object' && isPool(connection)) {
      const client = await lent(connection, holder.signal)
      return new Session(client, 'pool', holder)
    }
    if (typeof connection === 'object' && isClient(connection)) {
      demandFree(connection)
      return new Session(connection, 'user', holder)
    }
    return Session.#own(connection, holder)
  }

  static async #own(connection: string | ClientConfig, holder: Holder): Promise<Session> {
    const config = typeof connection === 'string' ? { connectionString: connection } : connection
    // A pipelined client takes no statements but its own.
    const client = new Client({ fallback_application_name: 'sluice', ...config, pipeline: false })
    if (!overProtocol(client)) throw new TypeError('Cannot connect to Postgres: pg-native cannot stream')
    const session = new Session(client, 'us', holder)
    const { signal } = holder
    const drop = (): void => void client.connection.stream.destroy()
    signal.addEventListener('abort', drop)
    try {
      signal.throwIfAborted()
      await client.connect()
    } catch (error) {
      drop()
      throw error
    } finally {
      signal.removeEventListener('abort', drop)
    }
    return session
  }

  readonly #broke = (error: Error): void => {
    if (this.broken !== undefined) return
    this.broken = error
    this.onBroken(error)
  }

  get connection(): Connection {
    return this.client.connection
  }

  /** Begins a statement. The one before it is over. */
  begin<S extends Exchange>(statement: S): S {
    if (this.#closing) throw new Error('Cannot use a connection that was given up')
    this.demandWhole()
    return this.#send(statement)
  }

  /** Throws why the connection is gone, where it is; `pg` would only say that it is. */
  demandWhole(): void {
    if (this.broken) throw this.broken
  }

  #send<S extends Exchange>(statement: S): S {
    this.#statement = statement
    this.client.query(statement)
    void statement.idle.then(() => {
      if (this.#statement === statement) this.#statement = undefined
    })
    return statement
  }

  /** Whether a transaction of the user's is open, which must stay so. */
  get inTransaction(): boolean {
    const status = this.client.getTransactionStatus()
    return this.of !== 'us' && status !== 'I' && status !== null
  }

  /**
   * Lets go of the connection. A statement that is still under way is cancelled; `undo` is what takes back what was
   * begun, where the connection stays open: elsewhere the server does so when it is gone. Outside of a transaction there
   * is nothing to take back: a COMMIT that fails has ended it.
   */
  close(undo?: string): Promise<void> {
    // Whoever closes it a second time must wait as well: a cancel may be on its way, and would hit what comes next.
    return (this.#closing ??= this.#close(undo))
  }

  async #close(undo?: string): Promise<void> {
    const left = this.broken ? undefined : this.#statement
    const unfinished = left !== undefined || this.#isBegun(undo)
    if (this.of === 'user') await this.#patiently((late) => this.#vacate(left, undo, late))
    else {
      const cancelled = left && this.cancel()
      if (this.of === 'us') await this.#end(left !== undefined)
      else (this.client as PoolClient).release(unfinished || this.broken !== undefined)
      await cancelled
    }
    // One that has broken says so once more when it is gone.
    if (this.broken !== undefined) await gone(this.client)
    taken.delete(this.client)
    this.client.removeListener('error', this.#broke)
  }

  async #end(left: boolean): Promise<void> {
    const drop = (): void => void this.connection.stream.destroy()
    if (left) drop()
    const timer = setTimeout(drop, PATIENCE)
    await this.client.end().finally(() => clearTimeout(timer))
  }

  #isBegun(undo: string | undefined): undo is string {
    return undo !== undefined && this.client.getTransactionStatus() !== 'I'
  }

  /** Does what the server has to answer to, or has it done when it does. */
  async #patiently(work: (late: AbortSignal) => Promise<void>): Promise<void> {
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), PATIENCE)
    await work(late.signal).finally(() => clearTimeout(timer))
  }

  /** Leaves the user's connection so that it can be used again, or will be when the server has answered. */
  async #vacate(statement: Exchange | undefined, undo: string | undefined, late: AbortSignal): Promise<void> {
    if (statement?.submitted) {
      if (statement.leave()) await this.#interrupt(statement, late)
      await unless(late, statement.idle)
    } else statement?.drop()
    if (this.broken) return
    // What it is about to begin is not known yet.
    if (this.#isBegun(undo) || (late.aborted && undo !== undefined))
      await unless(late, this.#send(new Command(undo)).idle)
  }

  /** A cancel that reaches the server between two messages is lost, so it is told again. */
  async #interrupt({ idle }: Exchange, late: AbortSignal): Promise<void> {
    let over = false
    void idle.then(() => (over = true))
    while (!over && !late.aborted) {
      await this.cancel(late)
      let timer: NodeJS.Timeout | undefined
      const later = new Promise<void>((resolve) => (timer = setTimeout(resolve, AGAIN)))
      await unless(late, Promise.race([idle, later]))
      clearTimeout(timer)
    }
  }

  /** Asks the server to give up what it does. Settles when it has been told, or cannot be reached. */
  cancel(late?: AbortSignal): Promise<void> {
    const { host, port } = this.client
    const { processID, secretKey } = this.client as unknown as Internals
    if (processID === null || secretKey === null) return Promise.resolve()
    const packet = Buffer.alloc(16)
    for (const [i, word] of [16, 80877102, processID, secretKey].entries()) packet.writeInt32BE(word, i * 4)
    return new Promise((resolve) => {
      const socket = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect({ host, port })
      // The server closes it when it has passed the message on. One that cannot be reached leaves us with what
      // dropping the connection does: it finds out when it writes.
      socket.once('close', () => resolve()).once('error', () => {})
      socket.setTimeout(PATIENCE, () => socket.destroy())
      late?.addEventListener('abort', () => socket.destroy())
      socket.write(packet)
      socket.resume()
    })
  }
}

/** Waits for it, but no longer than until the signal aborts. */
async function unless(late: AbortSignal, work: Promise<void>): Promise<void> {
  if (late.aborted) return
  await Promise.race([work, new Promise<void>((resolve) => (late.onabort = () => resolve()))])
}

/** Nothing can be sent any more by a client that has told an error, so it need not wait for the other side. */
async function gone(client: Client): Promise<void> {
  client.connection.stream.destroy()
  if ((client as unknown as Internals)._ended) return
  // Not by `once` of Node: the error that comes before would reject it.
  await new Promise<void>((resolve) => client.once('end', resolve))
}

function demandFree(client: Client): void {
  if ((client as unknown as Internals)._connected === false)
    throw new Error('Cannot use the client of pg: it must be connected')
  const holder = taken.get(client)
  if (holder !== undefined)
    throw new Error(`Cannot use the client of pg: it must be free, but ${holder} has it: use a Pool`)
}

/** A client of a pool. One that comes when it is too late goes back at once. */
async function lent(pool: Pool, signal: AbortSignal): Promise<PoolClient> {
  const client = pool.connect()
  let onAbort = (): void => {}
  const aborted = new Promise<never>((_, reject) => {
    // Not the reason: that is the user's, and no words are added to it.
    onAbort = () => reject(new Error('given up'))
    signal.addEventListener('abort', onAbort)
  })
  try {
    signal.throwIfAborted()
    return await Promise.race([client, aborted])
  } catch (error) {
    client.then(
      (late) => late.release(),
      () => {},
    )
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
