/** What the endings are tried on: a source and a stage behind it, made from the rows of the tables. */
import { map } from 'sluice'
import { cycle, upTo, type Ending, type Probe } from '../../pipeline/support-sources.ts'
import type { SourceRow } from '../end-rows.ts'
import type { StageOf, StageRow } from '../stage-rows.ts'
import { iterators, type Opened, type SourceKind } from './source-kinds.ts'

export interface Subject {
  title: string
  /** What the source gives, again and again. */
  input: readonly unknown[]
  open: (values: Iterable<unknown>, ending: Ending) => Opened
  stage: () => StageOf<unknown, unknown>
  /** How many milliseconds pass in a turn of the event loop. */
  perTurn: number
  /** Every value that was read comes out of a stop, as the stage makes it of these values alone. */
  exact: boolean
  /** The source can hang and fail, and says so. */
  breaks: boolean
  /** The source gives what `input` says. */
  reads: boolean
  /** What decides whether it ends by itself: the row, or the kind. */
  key: object
}

const passing = (): StageOf<unknown, unknown> => map((value: unknown) => value)

/** A stage, behind a source of some kind. */
export const stageSubject = (row: StageRow, kind: SourceKind = iterators): Subject => ({
  title: row.title,
  input: row.input,
  open: kind.open,
  stage: row.build,
  perTurn: row.perTurn ?? 1,
  exact: kind.exact && row.loose !== true,
  breaks: kind.breaks,
  reads: true,
  key: row,
})

/** A kind of source. */
export const kindSubject = (kind: SourceKind): Subject => ({
  ...kind,
  input: upTo(4),
  stage: passing,
  perTurn: 1,
  reads: true,
  key: kind,
})

/** A source of the catalogue. */
export const sourceSubject = (row: SourceRow): Subject => ({
  title: row.title,
  input: upTo(4),
  open(values, ending) {
    const { input, log } = iterators.input(values, ending)
    return { source: row.build(input as Probe<unknown>), resources: [log] }
  },
  stage: passing,
  perTurn: row.perTurn ?? 1,
  exact: false,
  breaks: row.reads,
  reads: row.reads,
  key: row,
})

export const endless = (subject: Subject): Iterable<unknown> => cycle(subject.input)
