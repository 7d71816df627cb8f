/** What a reader is pointed at: files, patterns, the standard input. */
import { stat } from 'node:fs/promises'
import { pathOf } from '../../connect/path.ts'
import { demand } from '../../errors.ts'

/** A path or a `file:` URL, a pattern as `logs/*.log`, `'-'` for the standard input, or several of these, read one after the other. */
export type Inputs = string | URL | readonly (string | URL)[]

/** Checks what a reader is given, and gives it as a list of paths and patterns. */
export function checkInputs(make: string, inputs: Inputs): readonly string[] {
  const list = (Array.isArray(inputs) ? inputs : [inputs]) as readonly (string | URL)[]
  const action = `create ${make}`
  demand(list.length > 0, action, 'path', 'at least one path', 'none', TypeError)
  return Array.from(list, (input) => pathOf(input, action, 'a path, a file: URL, or a list of these'))
}

/**
 * The files that are meant, patterns replaced by what matches them, in the order of their names. A pattern `mayMatchNone`
 * where what it matched before may have been removed since.
 */
export async function filesOf(list: readonly string[], mayMatchNone: boolean): Promise<string[]> {
  const files: string[][] = []
  for (const path of list) {
    // A file may have brackets or asterisks in its name.
    if (isPattern(path) && (await missing(path))) files.push(await matching(path, mayMatchNone))
    else files.push([path])
  }
  // A pattern may match more files than a call can have arguments.
  return files.flat()
}

export const isPattern = (path: string): boolean => /[*?[\]{}]/.test(path)

async function missing(path: string): Promise<boolean> {
  return stat(path).then(
    () => false,
    () => true,
  )
}

async function matching(pattern: string, mayMatchNone: boolean): Promise<string[]> {
  const { glob } = await import('tinyglobby').catch((cause: unknown) => {
    throw new Error(
      `Cannot read ${pattern}: patterns need the package "tinyglobby" (npm install tinyglobby)`,
      {
        cause,
      },
    )
  })
  const folder = await folderOf(pattern)
  // As in a shell, `*` is no hidden file: our own writers keep what is not whole yet in one.
  // With a `!` in front it would be what is left out.
  const found = await glob(pattern.slice(folder.length).replace(/^!(?!\()/, '\\!'), {
    dot: false,
    expandDirectories: false,
    ...(folder !== '' && { cwd: folder }),
  })
  const files = found.map((file) => folder + file)
  if (files.length === 0 && !mayMatchNone) throw new Error(`Cannot read ${pattern}: no file matches`)
  return files.sort()
}

/**
 * The folders in front of a pattern that are there by that very name, whatever is in it. The search begins there: those above
 * may be closed to the program, which is then told of no file.
 */
async function folderOf(pattern: string): Promise<string> {
  let folder = ''
  for (let end = pattern.indexOf('/'); end >= 0; end = pattern.indexOf('/', end + 1)) {
    const outer = pattern.slice(0, end + 1)
    if (!(await missing(outer))) folder = outer
  }
  return folder
}
