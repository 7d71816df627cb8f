// What is asked of each peer: a check is a row of the table. It measures, and judges by the rule that it states.

import type { Tools } from './peer.ts'

/** What a cell says, and whether it is good. */
export interface Verdict {
  ok: boolean
  text: string
}

/** Judges by how long the process went on living after the check was done. */
export type AtExit = (milliseconds: number) => Verdict

export interface Check {
  /** For the command line. */
  id: string
  /** The head of the row. */
  title: string
  /** What is done, in one line for the README. */
  meaning: string
  /** When the cell is ✓. */
  rule: string
  /** `undefined` where the peer has no such function. */
  measure: (tools: Tools) => Promise<Verdict | AtExit> | undefined
}

export const yesOrNo = (ok: boolean): Verdict => ({ ok, text: ok ? 'yes' : 'no' })

/** What has not come to an end in the time that a check waits for it. */
export const hang: Verdict = { ok: false, text: 'hang' }
