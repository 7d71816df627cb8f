// Runs recipes/log-aggregation.ts as `npm start` does: bundled, in a process of its own; in a temporary folder.

import { type ChildProcessWithoutNullStreams, spawn, type SpawnOptions } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundledFile } from '../support/bundled-program.ts'

/** What comes after `node`. */
export const program = await bundledFile('recipes/log-aggregation.ts')

export interface LogRecord extends Record<string, unknown> {
  message?: string
  source: string
  arrived: string
}

/** A folder for one test: it is the current folder of the programs. Both are gone afterwards. */
export class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'sluice-log-'))
  readonly #started: Started[] = []

  constructor() {
    // For a program that runs as somebody else.
    chmodSync(this.path, 0o755)
  }

  [Symbol.dispose](): void {
    for (const { child } of this.#started) child.kill('SIGKILL')
    rmSync(this.path, { recursive: true, force: true })
  }

  file(name: string, content: string | Buffer): string {
    writeFileSync(join(this.path, name), content)
    return name
  }

  read(name: string): Promise<string> {
    return readFile(join(this.path, name), 'utf8')
  }

  /** What was written, line by line. */
  async records(name = 'aggregated.jsonl'): Promise<LogRecord[]> {
    const lines = (await this.read(name)).split('\n')
    if (lines.pop() !== '') throw new Error(`${name} does not end with a newline`)
    return lines.map((line) => JSON.parse(line) as LogRecord)
  }

  async messages(name?: string): Promise<unknown[]> {
    return (await this.records(name)).map(({ message }) => message)
  }

  start(...args: string[]): Started {
    return this.spawn(process.execPath, [...program, ...args])
  }

  spawn(command: string, args: string[], options: SpawnOptions = {}): Started {
    const started = new Started(command, args, { cwd: this.path, ...options })
    this.#started.push(started)
    return started
  }

  /** Runs the program to its end, with `stdin` as its input. */
  async run(args: string[], stdin = ''): Promise<Outcome> {
    const started = this.start(...args)
    started.child.stdin.end(stdin)
    return started.ended
  }
}

export interface Outcome {
  code: number | null
  stdout: string
  stderr: string
}

export class Started {
  readonly child: ChildProcessWithoutNullStreams
  readonly ended: Promise<Outcome>
  stdout = ''
  stderr = ''

  constructor(command: string, args: string[], options: SpawnOptions) {
    const { NODE_OPTIONS: _, ...env } = process.env
    this.child = spawn(command, args, { ...options, env, stdio: 'pipe' })
    const { child } = this
    // It may end before it has read everything.
    child.stdin.on('error', () => {})
    child.stdout.setEncoding('utf8').on('data', (text: string) => (this.stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code) => resolve({ code, stdout: this.stdout, stderr: this.stderr }))
    })
  }

  /** Writes to its standard input; settles when the pipe has taken all of it. */
  write(text: string): Promise<void> {
    return new Promise((resolve) => this.child.stdin.write(text, () => resolve()))
  }
}

/** `count` lines: `line 0`, `line 1` and so on, each with its newline. */
export function numbered(count: number, from = 0): string {
  return Array.from({ length: count }, (_, i) => `line ${from + i}\n`).join('')
}
