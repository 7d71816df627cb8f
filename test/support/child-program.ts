// Runs a small program in a process of its own, for what only a whole process can show: exit codes, standard
// error, garbage collection, what keeps the event loop alive. The program is TypeScript that imports 'sluice';
// it lies in a temporary folder and runs at the repository root, where tsx finds the path of 'sluice'.
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FILE = 'program.mts'

export interface ProgramResult {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
  /** `program.mts:12` for the line that carries the comment `// @mark`. */
  place(mark: string): string
}

export interface ProgramOptions {
  nodeArguments?: string[]
  /** The program is killed after this time; `code` is `null` then. */
  limit?: number
}

export async function runProgram(source: string, options: ProgramOptions = {}): Promise<ProgramResult> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-program-'))
  try {
    const file = join(folder, FILE)
    await writeFile(file, source)
    const args = ['--import', 'tsx', ...(options.nodeArguments ?? []), file]
    return { ...(await run(args, options.limit ?? 10_000)), place: (mark) => placeOf(source, mark) }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function run(args: string[], limit: number): Promise<Omit<ProgramResult, 'place'>> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
    const timer = setTimeout(() => child.kill('SIGKILL'), limit)
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk))
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      resolve({ code, signal, stdout, stderr })
    })
  })
}

function placeOf(source: string, mark: string): string {
  const line = source.split('\n').findIndex((text) => text.endsWith(`// @${mark}`))
  if (line < 0) throw new Error(`no line of the program is marked // @${mark}`)
  return `${FILE}:${line + 1}`
}
