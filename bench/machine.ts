// Where and with what something was measured.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, totalmem, type } from 'node:os'

/** The root folder of the project. */
export const root = new URL('..', import.meta.url).pathname

/** The name and the version of a package as it is here. */
export function versionOf(name: string): string {
  const file = `${root}${name === 'sluice' ? '' : `node_modules/${name}/`}package.json`
  return `${name} ${(JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version}`
}

function commit(): string {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: 'pipe' })
  try {
    return git('rev-parse', '--short', 'HEAD').trim() + (git('status', '--porcelain') ? ' with changes' : '')
  } catch {
    return 'unknown'
  }
}

/** Prints the machine, the commit and the versions of Node and of the named packages. */
export function printMachine(packages: readonly string[] = []): void {
  const processors = cpus()
  const memory = Math.round(totalmem() / 2 ** 30)
  console.log(`${processors.length} × ${processors[0].model.trim()}, ${memory} GB, ${type()}`)
  console.log(`commit ${commit()}, node ${process.versions.node}`)
  if (packages.length > 0) console.log(packages.map(versionOf).join(', '))
}

/** The middle of a list of numbers. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
