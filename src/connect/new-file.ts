/** A file that is made whole: beside its place, under another name, and renamed when all of it is there. */
import { open, readlink, realpath } from 'node:fs/promises'
import { basename, dirname, join, resolve, sep } from 'node:path'

export function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

/**
 * Where the file really is, or will be: so that two names of one file are known to be that, and a link stays one. Where its
 * folder is missing, as it is called: opening it says so.
 */
export async function placeOf(file: string): Promise<string> {
  const place = await realpath(file).catch(absent)
  if (place !== undefined) return place
  // The `..` of a link are those of the folder that it is really in.
  const folder = await realpath(dirname(file)).catch(absent)
  if (folder === undefined) return file
  if (file.endsWith('/') || file.endsWith(sep)) throw new Error('EISDIR: what ends with a slash is no file')
  const target = await readlink(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EINVAL') absent(error)
  })
  return target === undefined ? join(folder, basename(file)) : placeOf(resolve(folder, target))
}

const TEMPORARY = /[/\\]\.[^/\\]*\.[0-9a-f]{12}\.tmp$/

/** A name beside its place, no longer than names can be. `mark`, twelve digits, tells it from others. */
export function temporaryFor(place: string, mark: string): string {
  const name = basename(place).slice(0, 64)
  return join(dirname(place), `.${name}.${mark}.tmp`)
}

/** Names of files that were made, renamed or removed outlast a loss of power once their folder is written. Windows opens no folders. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** What went wrong with a file that is made whole: the system tells of it by a name that the user does not know. */
export function whyNot(error: unknown): string {
  const { code, syscall, path, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' && syscall === 'open' && path !== undefined)
    return `ENOENT: no such folder: ${dirname(path)}`
  const { dest } = error as { dest?: string }
  if (path === undefined || !TEMPORARY.test(path)) return message
  const [what] = message.split(', ', 1)
  return dest === undefined ? `${what}, in the folder ${dirname(path)}` : `${what}, ${syscall} to '${dest}'`
}
