/**
 * A statement as `pg` runs it: something it submits, and tells what the server answers.
 *
 * This is what all of ours share: when the server is done with it, what it failed with, and waiting for the next news.
 * The connection takes another statement only after `idle`.
 */
import type { Connection, FieldDef } from 'pg'

/** What `pg` sends, where its types say otherwise or nothing. */
export type Wire = Omit<Connection, 'execute'> & {
  execute(config: { portal: string; rows?: number }, more: boolean): void
  sendCopyFail(message: string): void
  endCopyFrom(): void
}

export abstract class Statement {
  /** Called by `pg` where the client has a `query_timeout`: with its error, when the time is up. */
  callback: ((late?: Error) => void) | undefined = (late) => {
    if (late === undefined) return
    this.late = true
    this.error ??= late
    this.tell()
  }
  readonly idle: Promise<void>
  #settle = (): void => {}
  #news: (() => void) | undefined
  #dropped = false
  protected connection: Wire | undefined
  /** The server has nothing more to say. */
  protected over = false
  /** Nobody waits for the server any more. */
  protected late = false
  error: Error | undefined

  constructor() {
    this.idle = new Promise((resolve) => (this.#settle = resolve))
  }

  /** Whether the server knows of it. */
  get submitted(): boolean {
    return this.connection !== undefined
  }

  /** It is not wanted any more, though it may still stand behind others. */
  drop(): void {
    this.#dropped = true
  }

  /** Wants no more. Gives whether the server must be told to stop. */
  leave(): boolean {
    return true
  }

  submit(connection: Connection): void {
    this.connection = connection as unknown as Wire
    const done = (): void => {
      connection.removeListener('readyForQuery', done)
      connection.removeListener('end', gone)
      this.#end()
    }
    // `pg` says at the next tick why it is gone.
    const gone = (): void =>
      process.nextTick(() => {
        this.error ??= new Error('Connection terminated unexpectedly')
        done()
      })
    connection.on('readyForQuery', done)
    connection.on('end', gone)
    this.together(() => {
      if (this.#dropped) connection.sync()
      else this.begin(this.connection!)
    })
  }

  /**
   * Sends messages in one piece. A server that is ended while it has not read all of them resets the connection, and its
   * last words are lost.
   */
  protected together(send: () => void): void {
    const { stream } = this.connection!
    stream.cork()
    try {
      send()
    } finally {
      stream.uncork()
    }
  }

  #end(): void {
    if (this.over) return
    this.over = true
    // One that was never sent has begun nothing.
    if (this.submitted) this.ended()
    this.#settle()
    this.tell()
    this.callback?.()
  }

  /** Sends what it begins with. */
  protected abstract begin(connection: Wire): void
  /** The last message has come, or the connection is gone. */
  protected ended(): void {}

  /** Waits until something has come, or it is over. */
  protected news(): Promise<void> {
    return new Promise((resolve) => (this.#news = resolve))
  }

  /** Something has come. */
  protected tell(): void {
    const news = this.#news
    this.#news = undefined
    news?.()
  }

  handleError(error: Error): void {
    this.error ??= error
    if (!this.submitted) this.#end()
    else this.tell()
  }

  handleReadyForQuery(): void {}
  handleRowDescription(_message: { fields: FieldDef[] }): void {}
  handleDataRow(_message: { fields: (string | null)[] }): void {}
  handleCommandComplete(_message: { text: string }): void {}
  handlePortalSuspended(): void {}
  handleEmptyQuery(): void {}

  handleCopyInResponse(): void {
    this.connection!.sendCopyFail('there is nothing to copy')
  }

  handleCopyData(): void {
    this.error ??= new Error('A COPY statement gives no rows: it must be the query alone')
  }
}

/** A statement whose rows nobody wants. */
export class Command extends Statement {
  constructor(readonly text: string) {
    super()
  }

  protected begin(connection: Wire): void {
    connection.query(this.text)
  }

  async done(): Promise<void> {
    while (!this.over && !this.late) await this.news()
    this.demandWell()
  }

  override handleCommandComplete({ text }: { text: string }): void {
    // No error to the server: a statement of the user's, on a client of theirs, has failed before.
    if (this.text === 'COMMIT' && text !== 'COMMIT')
      this.error ??= new Error('the transaction was rolled back, as another statement on the client failed')
  }

  /** Throws what it failed with. */
  protected demandWell(): void {
    if (this.error) throw this.error
  }
}

/** Finds out the columns that a statement gives, without running it. */
export class Describe extends Command {
  fields: FieldDef[] = []

  protected override begin(connection: Wire): void {
    connection.parse({ name: '', text: this.text, types: [] }, true)
    connection.describe({ type: 'S', name: '' }, true)
    connection.sync()
  }

  override handleRowDescription({ fields }: { fields: FieldDef[] }): void {
    this.fields = fields
  }
}

/** A COPY into a table, row by row as text. */
export class CopyIn extends Command {
  #open = false
  #finished = false
  #left = false
  readonly #drained = (): void => this.tell()

  protected override begin(connection: Wire): void {
    connection.stream.on('drain', this.#drained)
    super.begin(connection)
  }

  protected override ended(): void {
    this.connection!.stream.removeListener('drain', this.#drained)
  }

  override handleCopyInResponse(): void {
    // While it waits for rows, the server hears no cancel.
    if (this.#left) return this.#fail()
    this.#open = true
    this.tell()
  }

  #fail(): void {
    this.connection!.sendCopyFail('the run was given up')
  }

  /** Settles when rows can be sent. */
  async opened(): Promise<this> {
    while (!this.#open && !this.error && !this.over) await this.news()
    this.demandWell()
    return this
  }

  /** Sends rows, and waits until the connection can take more. */
  async send(rows: string): Promise<void> {
    this.demandWell()
    const { stream } = this.connection!
    const body = Buffer.from(rows, 'utf8')
    const header = Buffer.allocUnsafe(5)
    header[0] = COPY_DATA
    header.writeUInt32BE(body.length + 4, 1)
    stream.cork()
    stream.write(header)
    stream.write(body)
    stream.uncork()
    while (stream.writableNeedDrain && !this.error && !this.over) await this.news()
    this.demandWell()
  }

  /** All rows are sent: settles when the server has taken them. */
  async finish(): Promise<void> {
    if (!this.error) {
      this.#finished = true
      this.connection!.endCopyFrom()
    }
    await this.done()
  }

  override leave(): boolean {
    this.#left = true
    if (!this.#open || this.#finished || this.error) return true
    this.#fail()
    return false
  }
}

const COPY_DATA = 0x64
