/**
 * What a log asks of the file system, as promises over plain descriptors. Tests put a disk in its place that writes
 * short, is full or breaks.
 *
 * No `FileHandle`: it costs an object and a lock per call, and one that is lost is closed whenever the collector runs.
 */
import { close, fdatasync, fstat, ftruncate, open, read, rename, type Stats, write } from 'node:fs'

export interface Disk {
  open(path: string, flags: string): Promise<number>
  /** Gives how many bytes were written, which may be fewer. */
  write(fd: number, bytes: Uint8Array, from: number, length: number): Promise<number>
  read(fd: number, into: Uint8Array, length: number, position: number): Promise<number>
  stat(fd: number): Promise<Stats>
  truncate(fd: number, length: number): Promise<void>
  sync(fd: number): Promise<void>
  rename(from: string, to: string): Promise<void>
  close(fd: number): Promise<void>
}

type Done<T> = (error: Error | null, result: T) => void

/** The result of a function of `node:fs` that calls back. */
function asked<T>(ask: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    ask((error, result) => (error ? reject(error) : resolve(result)))
  })
}

const done = (settle: Done<void>) => (error: Error | null) => settle(error, undefined)

export const disk: Disk = {
  open: (path, flags) => asked((settle) => open(path, flags, settle)),
  write: (fd, bytes, from, length) => asked((settle) => write(fd, bytes, from, length, null, settle)),
  read: (fd, into, length, position) => asked((settle) => read(fd, into, 0, length, position, settle)),
  stat: (fd) => asked((settle) => fstat(fd, settle)),
  truncate: (fd, length) => asked((settle) => ftruncate(fd, length, done(settle))),
  sync: (fd) => asked((settle) => fdatasync(fd, done(settle))),
  rename: (from, to) => asked((settle) => rename(from, to, done(settle))),
  close: (fd) => asked((settle) => close(fd, done(settle))),
}

/** Makes what a file holds last. */
export async function syncFile(path: string): Promise<void> {
  const fd = await disk.open(path, 'r+')
  try {
    await disk.sync(fd)
  } finally {
    await disk.close(fd)
  }
}

export const codeOf = (error: unknown): string | undefined => (Object(error) as { code?: string }).code

const FULL = ['ENOSPC', 'EDQUOT', 'EFBIG']

/** Whether there was no room: a full disk, a quota that is used up, or a limit on the size of files. */
export function isFull(error: unknown): boolean {
  return FULL.includes(codeOf(error)!)
}

/** An error that says what was tried. It has the code of the one that was thrown. */
export function trouble(action: string, error: unknown): Error {
  const reason = error instanceof Error ? error.message : String(error)
  return Object.assign(new Error(`Cannot ${action}: ${reason}`, { cause: error }), { code: codeOf(error) })
}
