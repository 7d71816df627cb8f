/**
 * A query that is read with backpressure.
 *
 * The server first says what columns there are. A query without parameters then goes through COPY, which moves rows in
 * blocks (frames.ts); everything else through a portal, a batch of rows at a time. Both are parts of one unnamed
 * transaction, so between describing and reading no table can change its columns.
 */
import type { FieldDef } from 'pg'
import { Frames } from './frames.ts'
import { type Row, Rows } from './rows.ts'
import { Statement, type Wire } from './statement.ts'

export interface Question {
  text: string
  /** As the server wants them. */
  params: readonly (string | Buffer | null)[]
  /** How many rows a portal is asked for at a time. */
  batch: number
  /** How many bytes of COPY may wait. */
  bytes: number
  copy: boolean
}

/** A semicolon behind which only a comment can stand: it would end within the parentheses of a COPY. */
const COMMENT_BEHIND = /;\s*(--|\/\*)/
const SKIPPED = /^(?:[\s(]|--[^\n]*(?:\n|$)|\/\*(?:[^*/]|\*(?!\/)|\/(?!\*))*\*\/)*/

/**
 * Whether the text, which the server has taken for one statement, can stand in a COPY. Where it is not sure it says no:
 * a portal can do all, if more slowly.
 */
export function canCopy(text: string): boolean {
  const query = text.replace(SKIPPED, '')
  return /^(select|values|table|with)\b/i.test(query) && !COMMENT_BEHIND.test(text)
}

/** The query behind whose end there may be a comment: so the parenthesis stands in a line of its own. */
const copying = (text: string): string => `COPY (${text.replace(/[\s;]+$/, '')}\n) TO STDOUT`

export class Reading extends Statement {
  #rows: Rows | undefined
  #frames: Frames | undefined
  /** What a portal has given. Values are made when it is taken: a parser of the user's that throws must fail the run. */
  #page: (string | null)[][] = []
  #paused = false
  #synced = false
  #stopped = false
  /** Nothing more is asked for. */
  #left = false
  readonly #noData = (): void => this.#open([])

  constructor(
    readonly question: Question,
    readonly parserOf: (oid: number) => (text: string) => unknown,
  ) {
    super()
  }

  /** Whether it goes through COPY. */
  get copying(): boolean {
    return this.#frames !== undefined
  }

  /** Whether it has come to its end, and well. */
  get whole(): boolean {
    return this.over && this.error === undefined
  }

  protected begin(connection: Wire): void {
    connection.on('noData', this.#noData)
    connection.parse({ name: '', text: this.question.text, types: [] }, true)
    connection.describe({ type: 'S', name: '' }, true)
    connection.flush()
  }

  protected override ended(): void {
    this.connection!.removeListener('noData', this.#noData)
    this.#frames?.detach()
  }

  override handleRowDescription({ fields }: { fields: FieldDef[] }): void {
    this.#open(fields)
  }

  #open(fields: FieldDef[]): void {
    const connection = this.connection!
    if (this.#left) return this.#sync(connection)
    const { text, params, copy } = this.question
    this.#rows = new Rows(fields, this.parserOf)
    if (copy && fields.length > 0 && canCopy(text)) return this.#copy(connection, text)
    this.together(() => {
      connection.bind({ portal: '', statement: '', values: [...params] }, true)
      this.#execute(connection)
    })
  }

  #copy(connection: Wire, text: string): void {
    const lost = (error: Error): void => void connection.stream.destroy(error)
    this.#frames = new Frames(connection.stream, this.question.bytes, () => this.tell(), lost)
    this.together(() => {
      connection.parse({ name: '', text: copying(text), types: [] }, true)
      connection.bind({ portal: '', statement: '', values: [] }, true)
      connection.execute({ portal: '' }, true)
      this.#sync(connection)
    })
  }

  #execute(connection: Wire): void {
    this.#paused = false
    this.together(() => {
      connection.execute({ portal: '', rows: this.question.batch }, true)
      connection.flush()
    })
  }

  #sync(connection: Wire): void {
    if (this.#synced) return
    this.#synced = true
    connection.sync()
  }

  override handleDataRow({ fields }: { fields: (string | null)[] }): void {
    this.#page.push(fields)
  }

  override handlePortalSuspended(): void {
    this.#paused = true
    if (this.#left) this.#sync(this.connection!)
    else this.tell()
  }

  override handleCommandComplete(): void {
    this.#sync(this.connection!)
  }

  override handleEmptyQuery(): void {
    this.#sync(this.connection!)
  }

  override handleError(error: Error): void {
    // The server skips everything until it is told where to go on.
    if (this.submitted) this.#sync(this.connection!)
    super.handleError(error)
  }

  /** The next rows; `undefined` when there are no more. */
  async next(): Promise<readonly Row[] | undefined> {
    while (!this.#stopped) {
      const block = this.#frames?.take()
      if (block) return this.#rows!.rows(block)
      if (this.#page.length > 0 && (this.#paused || this.over || this.error)) {
        const page = this.#page
        this.#page = []
        return page.map((values) => this.#rows!.row(values))
      }
      if (this.error) throw this.error
      if (this.over) return undefined
      if (this.#paused) this.#execute(this.connection!)
      await this.news()
    }
    return undefined
  }

  /** There are no more rows from now on. */
  stop(): void {
    this.#stopped = true
    this.tell()
  }

  override leave(): boolean {
    this.#left = true
    this.#frames?.discard()
    if (!this.#paused) return true
    this.#sync(this.connection!)
    return false
  }
}
