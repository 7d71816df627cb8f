/** The name of a file, as the user gives it. */
import { fileURLToPath } from 'node:url'
import { demand } from '../errors.ts'
import { isWellFormed } from './well-formed.ts'

/** Throws unless it can name a file. Of half of a character would come U+FFFD: the file of another name. */
export function demandPath(
  path: unknown,
  action: string,
  option: string,
  wanted: string,
): asserts path is string {
  demand(typeof path === 'string' && path !== '', action, option, wanted, path, TypeError)
  demand(isWellFormed(path), action, option, 'of whole characters', path, TypeError)
}

/** Gives the path that a URL of a file stands for, checked. */
export function pathOf(path: unknown, action: string, wanted: string): string {
  const file = path instanceof URL && path.protocol === 'file:' ? fileURLToPath(path) : path
  demandPath(file, action, 'path', wanted)
  return file
}
