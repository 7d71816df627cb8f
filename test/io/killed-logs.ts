/** Kills writers of a log again and again, and looks at the log each time: see killed-lines.ts for what must be there. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundledFile } from '../support/bundled-program.ts'
import { countLines, PRODUCERS, readLog } from './killed-lines.ts'

export const KINDS = [
  'sink written',
  'sink synced',
  'sink rotating',
  'log written',
  'log large',
  'log rotating',
] as const
export type KindOfLog = (typeof KINDS)[number]

export interface Killed {
  runs: number
  lines: number
  acknowledged: number
  torn: number
}

const children = new Set<ReturnType<typeof spawn>>()

/** Ends the writers that are still there. */
export const killChildren = (): void => children.forEach((child) => child.kill('SIGKILL'))
process.once('exit', killChildren)

/** What starts a writer, after `node`. */
export const bundledWriter = (): Promise<string[]> => bundledFile('test/io/programs/log-until-killed.ts')

/** Begins a writer again and again on the same log, kills each, and looks at the log. */
export async function killWriters(
  program: string[],
  kind: KindOfLog,
  runs: number,
  random: () => number,
): Promise<Killed> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-killed-'))
  const acknowledged = Array.from({ length: PRODUCERS }, () => 0)
  const sum: Killed = { runs, lines: 0, acknowledged: 0, torn: 0 }
  try {
    for (let run = 0; run < runs; run++) {
      // The last one has time to write.
      const early = run < runs - 1 && random() < 0.25
      await runAndKill([...program, folder, kind], acknowledged, early, random)
      const { lines, torn } = readLog(folder)
      const counts = countLines(lines, kind === 'log large')
      for (const [producer, count] of counts.entries()) {
        if (count < acknowledged[producer])
          throw new Error(
            `Run ${run}: ${acknowledged[producer]} lines of producer ${producer} were acknowledged, ${count} are there`,
          )
      }
      sum.lines = lines.length
      if (torn > 0) sum.torn++
    }
    sum.acknowledged = acknowledged.reduce((all, each) => all + each)
    return sum
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * One life of a writer. What it has acknowledged is counted, by producer. It is killed soon after it has written, or
 * `early`: perhaps before it writes anything, while it repairs, or cuts, or compresses.
 */
async function runAndKill(
  args: string[],
  acknowledged: number[],
  early: boolean,
  random: () => number,
): Promise<void> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  children.add(child)
  const kill = (): void => void child.kill('SIGKILL')
  if (early) setTimeout(kill, random() * 120)
  let said = ''
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    if (said === '' && !early) setTimeout(kill, random() * 40)
    said += text
  })
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve([code, signal]))
  })
  children.delete(child)
  if (signal !== 'SIGKILL') throw new Error(`The writer ended by itself, with ${code ?? signal}`)
  // What stands behind the last newline was cut by the kill.
  for (const line of said.split('\n').slice(0, -1)) {
    const [producer, count] = line.split(' ').map(Number)
    acknowledged[producer] = Math.max(acknowledged[producer], count)
  }
}
