// Every rival in fresh processes, one after the other, in an order that turns round after each round: what the
// machine does meanwhile falls on all of them.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Delay } from './delay.ts'
import { median } from './machine.ts'
import { compile } from './native.ts'
import type { Native, Rival, Scenario } from './scenario.ts'

export interface MeasureOptions {
  /** The bundled worker.ts. */
  worker: string
  values: number
  rounds: number
  times: number
}

/** What a process says about itself. */
interface Measured {
  values: number
  nanoseconds: number[]
  peak?: number
  bytes?: number
  delays?: Delay[]
  result?: number
}

/** A rival and what was measured, which is nothing where it has no answer. */
export interface Row {
  name: string
  /** How many values it was given. */
  values?: number
  /** Nanoseconds per value: the median of the processes, the lowest and the highest. */
  time?: { middle: number; low: number; high: number }
  /** Bytes allocated per value. */
  bytes?: number
  /** Megabytes of memory that the process held at most. */
  peak?: number
  /** Milliseconds. */
  delay?: Delay
}

/** Measures the named rivals of a scenario; a row for each, in the order of the names. */
export async function measure(
  scenario: Scenario,
  names: readonly string[],
  options: MeasureOptions,
): Promise<Row[]> {
  const running = names.filter((name) => isHere(scenario.rivals[name]))
  const measured = new Map<string, Measured[]>(running.map((name) => [name, []]))
  for (let round = 0; round < options.rounds; round++) {
    for (const name of round % 2 === 0 ? running : running.toReversed()) {
      measured.get(name)?.push(await runOnce(scenario, name, options))
    }
  }
  return names.map((name) => summarise(name, measured.get(name) ?? []))
}

function isHere(rival: Rival): boolean {
  return typeof rival === 'object' ? compile(rival.source) !== undefined : rival !== 'n/a'
}

async function runOnce(
  scenario: Scenario,
  name: string,
  { worker, values, times }: MeasureOptions,
): Promise<Measured> {
  const rival = scenario.rivals[name]
  if (typeof rival !== 'object') {
    return json(process.execPath, [worker, scenario.name, name, String(values), String(times)])
  }
  const args = [...rival.args, String(values), String(times)]
  const measured = await json(compile(rival.source) ?? '', args, rival.env)
  const expected = scenario.expected(values)
  if (measured.result !== expected) throw new Error(`${name}: ${measured.result} instead of ${expected}`)
  return measured
}

async function json(file: string, args: string[], env: Native['env'] = {}): Promise<Measured> {
  const { stdout } = await promisify(execFile)(file, args, { env: { ...process.env, ...env } })
  return JSON.parse(stdout) as Measured
}

function summarise(name: string, measured: readonly Measured[]): Row {
  if (measured.length === 0) return { name }
  const medians = measured.map(({ nanoseconds }) => median(nanoseconds))
  const all = <T>(figure: (each: Measured) => T | T[] | undefined) =>
    measured.flatMap((each) => figure(each) ?? [])
  const row: Row = {
    name,
    // A process that found the rival slower than another did has measured fewer.
    values: Math.min(...measured.map(({ values }) => values)),
    time: { middle: median(medians), low: Math.min(...medians), high: Math.max(...medians) },
  }
  const [bytes, peaks, delays] = [
    all(({ bytes }) => bytes),
    all(({ peak }) => peak),
    all(({ delays }) => delays),
  ]
  if (bytes.length > 0) row.bytes = Math.max(0, median(bytes))
  if (peaks.length > 0) row.peak = Math.max(...peaks)
  if (delays.length > 0) {
    row.delay = { p99: median(delays.map(({ p99 }) => p99)), max: Math.max(...delays.map(({ max }) => max)) }
  }
  return row
}
