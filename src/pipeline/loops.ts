/**
 * Which copy of the loops calls which function.
 *
 * An engine notes at each place of a program what was called there. Where one place calls the functions of all
 * stages, it can inline none of them, and a call costs more than all else in a cheap stage. So there are several copies
 * of loop.ts, as modules of their own: functions get them in turn, and the same function always the same copy, told
 * by its text, so that what one place of a program makes again and again shares the engine's notes (bench:
 * cheap-stages, 21 ns per value with one copy, 13 with four).
 *
 * Rejected: `new Function`, which is not allowed on many pages and runs into minifiers; one loop for all kinds with the
 * kind as an argument (3 ns more).
 */
import { loop as first } from './loop.ts?copy=1'
import { loop as second } from './loop.ts?copy=2'
import { loop as third } from './loop.ts?copy=3'
import { loop as fourth } from './loop.ts?copy=4'
import type { Fn } from './retry.ts'
import type { Port } from './stage.ts'

/** What a stage puts out for a value: the function's result, the value, the value where the result is true, nothing. */
export type Keep = 'result' | 'value' | 'passed' | 'nothing'

/**
 * Calls `fn` over the input up to `port.end`, as long as there is room. Stops at the first result that is not for
 * a loop, with `port.at` on its value, and returns it.
 */
export type Loop = (port: Port<unknown, unknown>, fn: Fn<unknown, unknown>, offset: number) => unknown

const copies = [first, second, third, fourth]

/** Which function has which copy. */
const taken: Record<Keep, Map<string, Loop>> = {
  result: new Map(),
  passed: new Map(),
  value: new Map(),
  nothing: new Map(),
}

/** The copy for `fn`. */
export function loopFor(keep: Keep, fn: unknown): Loop {
  const text = String(fn)
  const known = taken[keep]
  const loop = known.get(text) ?? copies[known.size % copies.length][keep]
  if (known.size < 1000) known.set(text, loop)
  return loop
}
