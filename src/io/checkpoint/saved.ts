/** The file of a checkpoint: read whole, and replaced whole, so that a crash leaves the old one or the new one. */
import { createHash } from 'node:crypto'
import { readlinkSync, realpathSync } from 'node:fs'
import { open, readFile, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { placeOf, syncFolder, temporaryFor, whyNot } from '../../connect/new-file.ts'

/** What is kept of a job. */
export interface Saved {
  version: 1
  /** How many parts have been saved. */
  parts: number
  /** How far each source and each sink has come, by its place in the pipeline. */
  positions: Record<string, unknown>
}

/** The module may be there more than once, as ESM and as CommonJS: there is one list for all. */
const TAKEN: unique symbol = Symbol.for('sluice/io checkpoints')
const shared = globalThis as { [TAKEN]?: Set<string> }
/** Those of the jobs that this process is running. */
const taken = (shared[TAKEN] ??= new Set())

/** Throws where a job with this file is running already. Gives what ends that. */
export function takeFile(file: string): () => void {
  const path = pathOf(resolve(file))
  if (taken.has(path)) throw new Error(`Cannot use the checkpoint ${file}: a job of this process is using it`)
  taken.add(path)
  return () => {
    taken.delete(path)
  }
}

/** One for all names of a file, whether it is there or not: links are followed, those of its folder, too. */
function pathOf(file: string): string {
  try {
    return realpathSync(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return file
  }
  // The `..` of a link are those of the folder that it is really in.
  const place = join(pathOf(dirname(file)), basename(file))
  let target: string
  try {
    target = readlinkSync(place)
  } catch {
    return place
  }
  return pathOf(resolve(dirname(place), target))
}

export async function load(file: string): Promise<Saved | undefined> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new Error(`Cannot read the checkpoint ${file}: ${(error as Error).message}`, { cause: error })
  }
  try {
    const saved = JSON.parse(text) as Partial<Saved> | null
    if (saved?.version === 1 && isRecord(saved.positions) && Object.values(saved.positions).every(isRecord))
      return saved as Saved
  } catch (error) {
    throw new Error(`Cannot read the checkpoint ${file}: it is no JSON`, { cause: error })
  }
  throw new Error(`Cannot read the checkpoint ${file}: it is no checkpoint of this version`)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Resolves when the disk has it. */
export async function save(file: string, saved: Saved): Promise<void> {
  let temporary: string | undefined
  try {
    const place = await placeOf(file)
    // The same name each time: of a process that was killed there is one left at the most.
    temporary = temporaryFor(place, createHash('sha256').update(place).digest('hex').slice(0, 12))
    const handle = await open(temporary, 'w')
    try {
      await handle.writeFile(`${JSON.stringify(saved)}\n`)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, place)
    await syncFolder(dirname(place))
  } catch (error) {
    // Half a file is of no use. What kept it from being written may keep it from being removed.
    if (temporary !== undefined) await rm(temporary, { force: true }).catch(() => {})
    throw new Error(`Cannot write the checkpoint ${file}: ${whyNot(error)}`, { cause: error })
  }
}
