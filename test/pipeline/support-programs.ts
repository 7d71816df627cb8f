/**
 * Whole programs, run in a process of their own: what happens when the event loop runs dry, and what Node says
 * about a rejection that nobody takes, cannot be seen from inside a test runner that keeps its loop alive.
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface Ended {
  /** The exit code, or `null` where a signal ended it. */
  code: number | null
  stdout: string
  stderr: string
}

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Runs `test/pipeline/programs/<name>.ts` to its end; one that hangs is killed after 15 seconds. */
export function runProgram(name: string): Promise<Ended> {
  const file = fileURLToPath(new URL(`programs/${name}.ts`, import.meta.url))
  // In the repository's root tsx finds tsconfig.json, whose paths resolve 'sluice'.
  const child = spawn(process.execPath, ['--import', 'tsx', file], { cwd: root, timeout: 15_000 })
  const ended: Ended = { code: null, stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => (ended.stdout += String(chunk)))
  child.stderr.on('data', (chunk) => (ended.stderr += String(chunk)))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ ...ended, code }))
  })
}
