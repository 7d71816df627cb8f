/**
 * The old files of a log: their names, and what is done to them beside the writing.
 *
 * Each rotation has a number of its own, one more than the last, so no file is ever renamed twice and a position in the
 * log stays what it is: `app.log.000001` is the oldest. A crash leaves at worst
 *   - `app.log.000007` without `app.log`: the next start makes one;
 *   - `app.log.000007.gz.tmp`: half a compression, which is removed;
 *   - `app.log.000007` beside `app.log.000007.gz`: both are whole, and the compressed one is made again.
 */
import { createReadStream, createWriteStream } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { syncFolder } from '../../connect/new-file.ts'
import { disk, syncFile } from './disk.ts'
import type { RotateOptions } from './options.ts'

const DIGITS = 6
const GZIP = '.gz'
const UNFINISHED = '.gz.tmp'

export const rotatedName = (path: string, number: number): string =>
  `${path}.${String(number).padStart(DIGITS, '0')}`

export const gzipName = (path: string, number: number): string => rotatedName(path, number) + GZIP

/** What there is of one rotation. */
export interface Rotated {
  number: number
  plain: boolean
  gzip: boolean
  unfinished: boolean
}

/** The old files of a log, the oldest first. */
async function listRotated(path: string): Promise<Rotated[]> {
  const name = basename(path)
  const found = new Map<number, Rotated>()
  for (const entry of await readdir(dirname(path))) {
    const [, digits, ending = ''] =
      (entry.startsWith(`${name}.`) && PATTERN.exec(entry.slice(name.length))) || []
    if (digits === undefined) continue
    const number = Number(digits)
    const rotated = found.get(number) ?? { number, plain: false, gzip: false, unfinished: false }
    found.set(number, rotated)
    rotated[ending === '' ? 'plain' : ending === GZIP ? 'gzip' : 'unfinished'] = true
  }
  return [...found.values()].sort((a, b) => a.number - b.number)
}

const PATTERN = new RegExp(`^\\.(\\d{${DIGITS},})(\\.gz|\\.gz\\.tmp)?$`)

/** Those of which all is there. */
export async function listWhole(path: string): Promise<Rotated[]> {
  return (await listRotated(path)).filter(({ plain, gzip }) => plain || gzip)
}

/** The number of the last rotation; 0 where there was none. */
export async function lastRotation(path: string): Promise<number> {
  return (await listWhole(path)).at(-1)?.number ?? 0
}

/**
 * Removes what is too old and what a crash has left, and compresses the rest. May be called again at any time. The files
 * from number `needed` on are kept, however many: a job that is killed goes back to them.
 */
export async function tidy(
  path: string,
  { keep, gzip }: Required<RotateOptions>,
  signal: AbortSignal,
  needed = Infinity,
): Promise<void> {
  const rotated = await listRotated(path)
  const whole = rotated.filter((each) => each.plain || each.gzip)
  const oldest = Math.min(needed, whole.at(Number.isFinite(keep) ? -keep : 0)?.number ?? 0)
  for (const { number, plain, gzip: compressed, unfinished } of rotated) {
    if (signal.aborted) return
    const old = number < oldest
    if (unfinished) await rm(rotatedName(path, number) + UNFINISHED, { force: true })
    if (compressed && (old || plain)) await rm(gzipName(path, number), { force: true })
    if (plain && old) await rm(rotatedName(path, number), { force: true })
    if (plain && !old && gzip) await compress(path, number, signal)
  }
}

/** The plain file is there until the compressed one is whole and on the disk. */
async function compress(path: string, number: number, signal: AbortSignal): Promise<void> {
  const plain = rotatedName(path, number)
  const unfinished = plain + UNFINISHED
  try {
    await pipeline(createReadStream(plain), createGzip(), createWriteStream(unfinished), { signal })
    await syncFile(unfinished)
    await disk.rename(unfinished, plain + GZIP)
    await syncFolder(dirname(plain))
    await rm(plain)
  } catch (error) {
    await rm(unfinished, { force: true })
    if (!signal.aborted) throw error
  }
}

/** Keeps the old files tidy, beside the writing. */
export class Archive {
  readonly #abort = new AbortController()
  #tidying: Promise<void> | undefined
  #again = false

  constructor(
    readonly path: string,
    readonly rotate: Required<RotateOptions>,
    readonly needed: number | undefined,
  ) {}

  tidy(): void {
    this.#again = true
    this.#tidying ??= this.#work()
  }

  async #work(): Promise<void> {
    while (this.#again) {
      this.#again = false
      await tidy(this.path, this.rotate, this.#abort.signal, this.needed).catch((error: unknown) => {
        // The lines are all there, in files that are larger or more than wanted; the next rotation tries again. Where one
        // has come meanwhile, at once: what is too old by now may be the room that a full disk lacks.
        process.emitWarning(`Cannot tidy the old files of ${this.path}: ${String(error)}`, 'LogWarning')
      })
    }
    this.#tidying = undefined
  }

  /** Settles when all is tidy. */
  async ended(): Promise<void> {
    await this.#tidying
  }

  async abort(): Promise<void> {
    this.#abort.abort()
    await this.#tidying
  }
}
