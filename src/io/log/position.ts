/**
 * A position in a log: how many files have been rotated, and how long the one that is written to is.
 *
 * A job that goes on from a checkpoint cuts the log back to the position of that checkpoint, so that what it does again
 * is not in the log twice. What was written since may have been rotated and compressed. It is undone from the newest to
 * the oldest, so that a crash on the way leaves a log that is only longer than wanted, and the next start goes on.
 */
import { createReadStream, createWriteStream } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { codeOf, disk, syncFile } from './disk.ts'
import { gzipName, lastRotation, listWhole, rotatedName } from './rotated.ts'

/** A place in a log: how far it had been written. */
export interface LogPosition {
  /** How many files have been rotated: the number of the last one. */
  rotated: number
  /** How long the file is that lines are appended to. */
  bytes: number
}

/** A position at which a job begins a part. */
export interface JobPosition extends LogPosition {
  /** The part before it has ended there, in this process. */
  own: boolean
}

/** Makes the log what it was at this position. */
export async function goBack(path: string, position: unknown): Promise<void> {
  const { rotated, bytes, own } = checked(position)
  if (own) return demandUnchanged(path, rotated, bytes)
  const whole = await listWhole(path)
  // The last file of the position is always kept: where it is not there, the position is one of another log.
  const last = whole.at(-1)?.number ?? 0
  if (last < rotated)
    throw new Error(`Cannot go back: ${last} files have been rotated, and had been ${rotated}`)
  const newer = whole.filter(({ number }) => number > rotated)
  const wanted = newer[0]
  if (wanted === undefined) return cut(path, bytes)
  if (wanted.number > rotated + 1)
    throw new Error(`Cannot go back: ${rotatedName(path, rotated + 1)} is there no more`)
  const { plain } = wanted
  const old = rotatedName(path, wanted.number)
  const packed = gzipName(path, wanted.number)
  // Before anything is removed: it may not be whole.
  if (!plain) await unpack(packed, old)
  await demandLength(old, bytes)
  await rm(path, { force: true })
  for (const { number } of newer.slice(1).reverse()) {
    await rm(gzipName(path, number), { force: true })
    await rm(rotatedName(path, number), { force: true })
  }
  await rm(packed, { force: true })
  await disk.rename(old, path)
  await cut(path, bytes)
}

/** What is there beyond the position is not ours, and so not to be cut off. */
async function demandUnchanged(path: string, rotated: number, bytes: number): Promise<void> {
  const length = await demandLength(path, bytes)
  if (length > bytes || (await lastRotation(path)) > rotated)
    throw new Error(`somebody else writes to it: it has ${length} bytes, of which ${bytes} are ours`)
}

export function isPosition(position: unknown): position is LogPosition {
  const { rotated, bytes } = Object(position) as Partial<LogPosition>
  return [rotated, bytes].every((count) => Number.isSafeInteger(count) && count! >= 0)
}

function checked(position: unknown): JobPosition {
  if (isPosition(position)) {
    const { rotated, bytes, own = false } = position as JobPosition
    return { rotated, bytes, own }
  }
  throw new TypeError('Cannot go back: the position is not one of a log')
}

async function unpack(packed: string, plain: string): Promise<void> {
  const unfinished = `${packed}.tmp`
  await pipeline(createReadStream(packed), createGunzip(), createWriteStream(unfinished))
  await syncFile(unfinished)
  await disk.rename(unfinished, plain)
}

async function lengthOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
    return 0
  }
}

async function demandLength(path: string, bytes: number): Promise<number> {
  const length = await lengthOf(path)
  if (length < bytes) throw new Error(`Cannot go back: ${path} has ${length} bytes, and had ${bytes}`)
  return length
}

async function cut(path: string, bytes: number): Promise<void> {
  if ((await demandLength(path, bytes)) === bytes) return
  const fd = await disk.open(path, 'r+')
  try {
    await disk.truncate(fd, bytes)
    await disk.sync(fd)
  } finally {
    await disk.close(fd)
  }
}
