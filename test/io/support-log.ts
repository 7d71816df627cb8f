/** What the tests of logs share: a folder that goes away, and a disk that is not as it should be. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { type Disk, disk } from '../../src/io/log/disk.ts'

/** A folder with a log in it. */
export class LogFolder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'sluice-append-'))
  readonly file = this.at('app.log')

  at(name: string): string {
    return join(this.path, name)
  }

  /** What a file holds, unpacked. */
  text(name = 'app.log'): string {
    const bytes = this.bytes(name)
    return (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8')
  }

  bytes(name = 'app.log'): Buffer {
    return readFileSync(this.at(name))
  }

  lines(name = 'app.log'): string[] {
    const lines = this.text(name).split('\n')
    if (lines.pop() !== '') throw new Error(`${name} does not end with a newline`)
    return lines
  }

  /** The lines that are whole, while somebody may be writing. */
  get wholeLines(): string[] {
    return this.text().split('\n').slice(0, -1)
  }

  write(text: string, name = 'app.log'): void {
    writeFileSync(this.at(name), text)
  }

  get names(): string[] {
    return readdirSync(this.path).sort()
  }

  /** Every line, from the oldest file to the newest. */
  get allLines(): string[] {
    const [newest, ...old] = this.names
    return [...old, newest].flatMap((name) => this.lines(name))
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

export const systemError = (code: string): Error =>
  Object.assign(new Error(`${code}: as the test wants`), { code })

/** `count` lines of about 20 bytes, with a character of three. */
export const numbered = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => `line ${from + i} of the log €`)

/** A disk with so much room, and no more until somebody makes some. */
export function smallDisk(room: number): Disk & { room: number; refused: number } {
  const small = {
    ...disk,
    room,
    refused: 0,
    async write(fd: number, bytes: Uint8Array, from: number, length: number) {
      const fits = Math.min(length, small.room)
      if (fits === 0) {
        small.refused++
        throw systemError('ENOSPC')
      }
      small.room -= fits
      return disk.write(fd, bytes, from, fits)
    },
    async truncate(fd: number, length: number) {
      const { size } = await disk.stat(fd)
      await disk.truncate(fd, length)
      small.room += size - length
    },
  }
  return small
}

/** Runs `work`, and gives the process warnings that came meanwhile. */
export async function warningsOf(work: () => Promise<unknown>): Promise<string[]> {
  const warnings: string[] = []
  const heard = (warning: Error): void => void warnings.push(warning.message)
  process.on('warning', heard)
  try {
    await work()
    // They are told at the next tick.
    await new Promise((resolve) => setImmediate(resolve))
  } finally {
    process.off('warning', heard)
  }
  return warnings
}
