// Log aggregation: the lines of many producers, batched into one file. `npm start -- --help` says what it can do.
//
//     access.log ─▶ [2] ─┐
//     FIFO       ─▶ [2] ─┼─▶ fanIn ─▶ [2] ─▶ parse ─▶ [1024] ─▶ append ─▶ file
//     stdin      ─▶ [2] ─┘
//
// Nothing is shared: every line is in the hands of one stage. Nothing is lost: each channel is bounded, so what the
// file does not take is not read; and the file is a durable log, of whole lines whatever happens. The inputs hand on
// what one read brought, some hundred lines, so a chunk is the unit up to `parse`, and two of them fill a channel.
//
// Stopping is the end of the inputs. They close their channels, each stage writes out what it holds and closes its
// own, and the run is over when the file has everything.

import { fstatSync } from 'node:fs'
import { fanIn, flatMap, pipeline, source } from 'sluice'
import { type Demo, startDemo } from './log-aggregation/demo.ts'
import { type Input, isSame, linesOf, openInputs } from './log-aggregation/inputs.ts'
import { levels } from './log-aggregation/levels.ts'
import { help, type Options, readOptions } from './log-aggregation/options.ts'
import { openOutput, type Output, problemOf } from './log-aggregation/output.ts'
import { Problem } from './log-aggregation/problem.ts'
import { toRecords } from './log-aggregation/records.ts'
import { counted, showProgress, summary } from './log-aggregation/report.ts'
import { serve } from './log-aggregation/server.ts'
import { stopOnSignals } from './log-aggregation/signals.ts'
import { Tally } from './log-aggregation/tally.ts'

function aggregate(inputs: Input[], output: Output, tally: Tally, stop: AbortSignal, options: Options) {
  const producers = inputs.map((input) => {
    const account = tally.add(input.name)
    return source(({ signal }) => linesOf(input, account, AbortSignal.any([stop, signal])), {
      name: input.name,
    })
  })
  const least = options.level === undefined ? 0 : levels.indexOf(options.level)
  return pipeline(
    fanIn(...producers),
    flatMap((lines) => toRecords(lines, least), { name: 'parse', capacity: 1024 }),
    output.sink,
  )
}

async function run(options: Options): Promise<number> {
  const tally = new Tally()
  const stop = stopOnSignals(() => unwritten(tally, options.out))
  const demo = options.files.length === 0 ? await startDemo() : undefined
  try {
    const inputs = demo?.inputs ?? openInputs(options.files)
    const output = openOutput(options, tally)
    refuseToReadOutput(inputs, output)
    tally.began = performance.now()
    const running = aggregate(inputs, output, tally, stop, options).start({
      name: 'log aggregation',
      capacity: 2,
    })
    const endProgress = showProgress(tally, () => running.stats())
    if (demo) endDemo(demo, options.seconds, stop)
    const written = await running.result.finally(endProgress)
    if (written) Object.assign(tally, { batches: written.batches, bytes: written.bytes })
    await output.close?.()
    // Where the lines went to the standard output, it would be among them, or over them.
    const tell = isSame(output.stats, fstatSync(1)) ? console.error : console.log
    tell(summary(tally, options.out))
    if (demo) tell(`${counted(demo.requests, 'request')} answered by ${inputs.length} servers`)
    const problems = tally.sources.flatMap(({ problem }) => problem ?? [])
    for (const problem of problems) console.error(problem)
    return problems.length > 0 ? 1 : 0
  } catch (error) {
    const problem = problemOf(error, options.out)
    if (!(problem instanceof Problem)) throw error
    throw tally.inFlight > 0 ? new Problem(`${problem.message}; ${unwritten(tally, options.out)}`) : problem
  } finally {
    await demo?.kill()
  }
}

function endDemo(demo: Demo, seconds: number, stop: AbortSignal): void {
  const finish = () => void demo.finish()
  setTimeout(finish, seconds * 1000).unref()
  if (stop.aborted) finish()
  else stop.addEventListener('abort', finish)
}

function unwritten({ written, inFlight }: Tally, file: string): string {
  const missing = counted(inFlight, 'line that had been read was not', 'lines that had been read were not')
  return `${counted(written, 'line was', 'lines were')} written to ${file}, ${missing}`
}

/** It would grow for ever. */
function refuseToReadOutput(inputs: Input[], output: Output): void {
  const same = inputs.find(({ stats }) => isSame(stats, output.stats))
  if (same) throw new Problem(`Cannot read ${same.name}: it is the file that is written to`)
}

async function main(args: string[]): Promise<void> {
  const options = readOptions(args)
  if (options === undefined) console.log(help)
  else process.exitCode = await run(options)
}

// Whoever read our output and went away has seen enough, and so has a terminal that was closed. What is in flight is
// written all the same.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
const [mode, name] = process.argv.slice(2)
// Only we start ourselves like that, and talk to what we start.
if (mode === '--serve' && process.connected) {
  serve(name)
} else {
  await main(process.argv.slice(2)).catch((error: unknown) => {
    if (!(error instanceof Problem)) throw error
    console.error(error.message)
    process.exitCode = 1
  })
}
