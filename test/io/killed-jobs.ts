/** Jobs that are killed again and again, at random moments, until one comes to its end. Each prints a line when it begins. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'

const children = new Set<ReturnType<typeof spawn>>()

/** Ends the jobs that are still there. */
export const killJobs = (): void => children.forEach((child) => child.kill('SIGKILL'))
process.once('exit', killJobs)

/**
 * Runs a job, and kills it so many milliseconds after its first line. Says whether it came to its end. How long a process
 * takes to start depends on the machine: what counts is how long the job has run.
 */
export async function runAndKill(args: string[], after?: number): Promise<boolean> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  children.add(child)
  let stderr = ''
  child.stderr.on('data', (text) => (stderr += String(text)))
  let timer: NodeJS.Timeout | undefined
  child.stdout.on('data', () => {
    if (after !== undefined) timer ??= setTimeout(() => child.kill('SIGKILL'), after)
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  clearTimeout(timer)
  children.delete(child)
  if (code !== 0 && signal !== 'SIGKILL') throw new Error(`the job ended with ${code}: ${stderr}`)
  return code === 0
}
