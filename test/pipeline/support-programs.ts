/**
 * Whole programs, run in a process of their own: what happens when the event loop runs dry, and what Node says
 * about a rejection that nobody takes, cannot be seen from inside a test runner that keeps its loop alive.
 */
import { bundledFile } from '../support/bundled-program.ts'
import { type Ended, runCommand } from '../support/child-program.ts'

/** Runs `test/pipeline/programs/<name>.ts` to its end; one that hangs is killed after 15 seconds. */
export async function runProgram(name: string): Promise<Omit<Ended, 'signal'>> {
  const args = await bundledFile(`test/pipeline/programs/${name}.ts`)
  const { code, stdout, stderr } = await runCommand(process.execPath, args, 15_000)
  return { code, stdout, stderr }
}
