/**
 * The old files of a log: their names, and what is done to them beside the writing.
 *
 * Each rotation has a number of its own, one more than the last, so no file is ever renamed twice and a position in the
 * log stays what it is: `app.log.000001` is the oldest. A crash leaves at worst
 *   - `app.log.000007` without `app.log`: the next start makes one;
 *   - `app.log.000007.gz.tmp`: half a compression, which is removed;
 *   - `app.log.000007` beside `app.log.000007.gz`: both are whole, and the compressed one is made again.
 */
import type { Complete } from '../../pipeline/stage.ts'
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
 * Removes what is too old and what a crash has left, and compresses the rest. Gives what there is then. The files from
 * number `needed` on are kept, however many: a job that is killed goes back to them.
 */
async function tidy(
  path: string,
  rotated: Rotated[],
  archive: Archive,
  signal: AbortSignal,
): Promise<Rotated[]> {
  const { rotate, needed = Infinity } = archive
  const { keep } = rotate
  const whole = rotated.filter((each) => each.plain || each.gzip)
  const oldest = Math.min(needed, whole.at(Number.isFinite(keep) ? -keep : 0)?.number ?? 0)
  for (const each of rotated) {
    if (signal.aborted) break
    const { number } = each
    const old = number < oldest
    if (each.unfinished) await rm(rotatedName(path, number) + UNFINISHED, { force: true })
    if (each.gzip && (old || each.plain)) await rm(gzipName(path, number), { force: true })
    if (each.plain && old) await rm(rotatedName(path, number), { force: true })
    const packs = each.plain && !old && rotate.gzip
    if (packs) await compress(path, number, signal)
    each.unfinished = false
    each.gzip = !old && (packs || (each.gzip && !each.plain))
    each.plain &&= !old && !packs
  }
  return rotated.filter((each) => each.plain || each.gzip)
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
  /** What there is, the oldest first: to list the folder at each rotation would take the longer the more there is. */
  #known: Rotated[] | undefined
  /** The numbers of rotations that may not be among it yet. */
  #fresh: number[] = []

  constructor(
    readonly path: string,
    readonly rotate: Complete<RotateOptions>,
    readonly needed: number | undefined,
  ) {}

  /** There may be something to do, as after a rotation of that number. */
  tidy(rotated?: number): void {
    if (rotated !== undefined) this.#fresh.push(rotated)
    this.#again = true
    this.#tidying ??= this.#work()
  }

  async #work(): Promise<void> {
    while (this.#again) {
      this.#again = false
      await this.#once().catch((error: unknown) => {
        // Somebody else may have been at work.
        this.#known = undefined
        // The lines are all there, in files that are larger or more than wanted; the next rotation tries again. Where one
        // has come meanwhile, at once: what is too old by now may be the room that a full disk lacks.
        process.emitWarning(`Cannot tidy the old files of ${this.path}: ${String(error)}`, 'LogWarning')
      })
    }
    this.#tidying = undefined
  }

  async #once(): Promise<void> {
    let rotated = (this.#known ??= await listRotated(this.path))
    for (const number of this.#fresh.splice(0)) {
      const before = rotated.findLastIndex((each) => each.number <= number)
      if (rotated[before]?.number === number) continue
      rotated.splice(before + 1, 0, { number, plain: true, gzip: false, unfinished: false })
    }
    // Of those that would be left, somebody else may have taken some: that is looked at before any is removed.
    if (rotated.length > this.rotate.keep) rotated = await listRotated(this.path)
    this.#known = await tidy(this.path, rotated, this, this.#abort.signal)
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
