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

/** The commit that is measured; what the programs write themselves is no change of it. */
function commit(): string {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: 'pipe' })
  try {
    return (
      git('rev-parse', '--short', 'HEAD').trim() +
      (git('status', '--porcelain', '--', '.', ':!README.md', ':!bench/results') ? ' with changes' : '')
    )
  } catch {
    return 'unknown'
  }
}

/** The machine, the commit, and the versions of Node and of the named packages. */
export interface Surroundings {
  date: string
  machine: string
  commit: string
  versions: readonly string[]
}

/** Where we are. `others` are versions of what is no package. */
export function surroundings(packages: readonly string[] = [], others: readonly string[] = []): Surroundings {
  const processors = cpus()
  const memory = Math.round(totalmem() / 2 ** 30)
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${processors.length} × ${processors[0].model.trim()}, ${memory} GB, ${type()}`,
    commit: commit(),
    versions: [`node ${process.versions.node}`, ...packages.map(versionOf), ...others],
  }
}

/** Prints the machine, the commit and the versions. */
export function printMachine(packages?: readonly string[], others?: readonly string[]): Surroundings {
  const here = surroundings(packages, others)
  console.log(`${here.machine}\ncommit ${here.commit}\n${here.versions.join(', ')}`)
  return here
}

/** The middle of a list of numbers. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
