// What a benchmark is: a claim, and for each rival a function that does the same job. The runner starts every
// rival in a fresh process, so a scenario's small functions may be shared: each process specialises them to one
// library only.

/** Does the job once over `values` values and returns what `expected` says it must. */
export type Job = (values: number) => number | Promise<number>

/** Loads its library and returns its job; `'n/a'` where the library has no answer to the question. */
export type Rival = (() => Promise<Job>) | 'n/a'

/** A named claim. The first rival is the baseline that the others are compared with. */
export interface Scenario {
  name: string
  claim: string
  /** The number of values unless the command line says otherwise. */
  values: number
  /** The result that every job must return, so that none is fast by doing less. */
  expected(values: number): number
  rivals: Record<string, Rival>
}
