// What a benchmark is: a claim, and for each rival a function that does the same job. The runner starts every
// rival in a fresh process, so a scenario's small functions may be shared: each process specialises them to one
// library only.

import type { Goal } from './goals.ts'

/** Does the job once over `values` values and returns what `expected` says it must. */
export type Job = (values: number) => number | Promise<number>

/** The same job in another language: a source in `bench/native/`, and what it is told before the numbers. */
export interface Native {
  source: string
  args: readonly string[]
  env?: Readonly<Record<string, string>>
}

/** Loads its library and returns its job; `'n/a'` where the library has no answer to the question. */
export type Rival = (() => Promise<Job>) | Native | 'n/a'

/** What a scenario is about: its picture shows this figure, and `delay` is measured where it is asked for only. */
export type Figure = 'time' | 'peak' | 'delay'

/** A named claim. The first rival is the baseline that the others are compared with. */
export interface Scenario {
  name: string
  claim: string
  /** `'time'` unless said otherwise. */
  figure?: Figure
  /** The number of values unless the command line says otherwise. */
  values: number
  /** Processes for each rival, at most, and measurements in each, where a measurement takes long. */
  rounds?: number
  times?: number
  /** Not warmed up: what is measured is the first that a process does. */
  cold?: boolean
  /** Milliseconds that one measurement should take; a rival that is slower gets a tenth of the values, or less. */
  patience?: number
  /** The result that every job must return, so that none is fast by doing less. */
  expected(values: number): number
  rivals: Record<string, Rival>
  goals?: readonly Goal[]
}
