// Ctrl-C, a kill or a terminal that is closed: once, the inputs stop; twice, exit at once.

import { say } from './report.ts'

const exitCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 }

/**
 * One key press may arrive several times: the terminal sends it to all programs in the foreground, and npm and tsx
 * pass on what they get. What comes within so many milliseconds is the same.
 */
const echo = 100

/** Gives a signal that aborts at the first such signal. At the second the program exits and says `unwritten`. */
export function stopOnSignals(unwritten: () => string): AbortSignal {
  const stop = new AbortController()
  let first: number | undefined
  for (const name of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      first ??= performance.now()
      if (!stop.signal.aborted) {
        say(`${name}: reading no more, writing what is in flight; again to exit at once`)
        stop.abort()
      } else if (performance.now() - first > echo) {
        say(`${name}: ${unwritten()}`)
        process.exit(exitCodes[name])
      }
    })
  }
  return stop.signal
}
