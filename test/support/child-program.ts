// Runs a small program in a process of its own, for what only a whole process can show: exit codes, standard
// error, garbage collection, what keeps the event loop alive. The program is TypeScript that imports 'sluice'.
import { spawn } from 'node:child_process'
import { root } from '../project/sources.ts'
import { bundledText } from './bundled-program.ts'

const FILE = 'program.mts'

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

export interface ProgramResult extends Ended {
  /** `program.mts:12` for the line that carries the comment `// @mark`. */
  place(mark: string): string
}

export interface ProgramOptions {
  nodeArguments?: string[]
  /** The program is killed after this time; `code` is `null` then. */
  limit?: number
}

export async function runProgram(source: string, options: ProgramOptions = {}): Promise<ProgramResult> {
  const { nodeArguments = [], limit = 10_000 } = options
  await using program = await bundledText(source, FILE)
  const ended = await runCommand(process.execPath, [...nodeArguments, ...program.args], limit)
  return { ...ended, place: (mark) => placeOf(source, mark) }
}

/** Runs a program by a line of bash, in which it is "$@"; `name` is "$0". */
export async function runInShell(line: string, name: string, source: string): Promise<Ended> {
  await using program = await bundledText(source, FILE)
  return await runCommand('bash', ['-c', line, name, process.execPath, ...program.args], 20_000)
}

/** Runs a command at the repository's root to its end; it is killed after `limit` milliseconds. */
export function runCommand(command: string, args: string[], limit: number): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
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
