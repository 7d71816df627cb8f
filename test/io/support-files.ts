/** Files for tests: a folder of its own for each test, what a reader gives of a text, and runs that are cut. */
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, vi } from 'vitest'
import { forEach, pipeline, type Run, type Source, toArray } from 'sluice'
import type { FormatError } from 'sluice/io'
import { deferred } from '../pipeline/support-waiting.ts'

/** Gives paths in a folder that is removed after each test. */
export function useFolder(): (...names: string[]) => string {
  let folder: string | undefined
  afterEach(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
    folder = undefined
  })
  return (...names) => join((folder ??= mkdtempSync(join(tmpdir(), 'sluice-io-'))), ...names)
}

/** Where a source is to begin. */
const beginnings = new WeakMap<object, unknown>()

/** The same source, beginning at a position. */
export function resumed<T>(source: Source<T>, position: unknown): Source<T> {
  const later = { ...source }
  beginnings.set(later, position)
  return later
}

/** Kept open, as a checkpoint keeps it. */
function keep<T>(source: Source<T>) {
  const kept = source.definitions[0].keep!(beginnings.get(source))
  return { kept, source: { ...source, definitions: [kept.definition] } as Source<T> }
}

export async function run<T>(source: Source<T>): Promise<T[]> {
  if (!beginnings.has(source)) return pipeline(source, toArray()).run()
  const later = keep(source)
  try {
    return await pipeline(later.source, toArray()).run()
  } finally {
    await later.kept.close()
  }
}

/** What a reader makes of a file: its rows, and what it says of those that are bad. */
export async function outcome<T>(
  make: (onError: (failure: { value: unknown; error: unknown }) => void) => Source<T>,
): Promise<{ rows: T[]; bad: { value: unknown; place: string; error: string }[] }> {
  const bad: { value: unknown; place: string; error: string }[] = []
  const source = make(({ value, error }) => {
    const { line, column, message } = error as FormatError
    bad.push({ value, place: `${line}:${column}`, error: message.slice(message.indexOf(': ') + 2) })
  })
  return { rows: await run(source), bad }
}

export function fileOf(path: string, content: string | Uint8Array): string {
  writeFileSync(path, content)
  return path
}

/** Runs a source until it has given `count` values, then stops it: what came, and where the next run goes on. */
export async function cut<T>(source: Source<T>, count: number): Promise<{ values: T[]; position: unknown }> {
  const { kept, source: watched } = keep(source)
  const values: T[] = []
  const running = pipeline(
    watched,
    forEach((value) => {
      values.push(value)
      if (values.length === count) void running.stop()
    }),
  ).start()
  try {
    await running.result
  } finally {
    await kept.close()
  }
  // As it would be kept: plain data.
  const position: unknown = JSON.parse(JSON.stringify(kept.position() ?? null))
  return { values, position: position ?? undefined }
}

/** What this process has open of a folder. */
export function openFiles(folder: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const file = readlinkSync(`/proc/self/fd/${fd}`)
      return file.startsWith(folder) ? [file] : []
    } catch {
      // The one that the folder was read with.
      return []
    }
  })
}

/** Starts a run and aborts it while it waits for the disk. `file` is any that is there. */
export async function abortedInSync(file: string, start: () => Run<unknown>): Promise<void> {
  const begun = deferred<void>()
  const synced = deferred<void>()
  const handle = await open(file)
  const sync = vi.spyOn(Object.getPrototypeOf(handle) as FileHandle, 'sync').mockImplementation(() => {
    begun.resolve()
    return synced.promise
  })
  await handle.close()
  try {
    const running = start()
    await begun.promise
    const aborted = running.abort(new Error('enough'))
    synced.resolve()
    await expect(running.result).rejects.toThrow('enough')
    await aborted
  } finally {
    sync.mockRestore()
  }
}

/** What files do with each write, until what it gives is called: `call` counts them, `write` writes as ever. */
export async function writesWith(
  act: (call: number, write: (bytes: Uint8Array) => Promise<unknown>, bytes: Uint8Array) => Promise<unknown>,
): Promise<() => void> {
  const handle = await open('/dev/null')
  const prototype = Object.getPrototypeOf(handle) as { write: (...args: unknown[]) => Promise<unknown> }
  await handle.close()
  const real = prototype.write
  let calls = 0
  const spy = vi.spyOn(prototype, 'write').mockImplementation(function (this: FileHandle, ...args) {
    const [bytes, at, length] = args as [Uint8Array, number, number]
    return act(calls++, (part) => real.call(this, part), bytes.subarray(at, at + length))
  })
  return () => spy.mockRestore()
}
