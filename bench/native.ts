// The same job in Go and in Rust, compiled with optimisation where there is a compiler.

import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { root } from './machine.ts'

const compilers = {
  go: { command: 'go', version: ['version'], build: (from: string, to: string) => ['build', '-o', to, from] },
  rs: {
    command: 'rustc',
    version: ['--version'],
    build: (from: string, to: string) => ['-O', '-o', to, from],
  },
}

const compiled = new Map<string, string | undefined>()

function compilerOf(source: string) {
  return compilers[source.slice(source.lastIndexOf('.') + 1) as keyof typeof compilers]
}

/** The program made of a source in `bench/native/`, or `undefined` where its compiler is not installed. */
export function compile(source: string): string | undefined {
  if (!compiled.has(source)) compiled.set(source, build(source))
  return compiled.get(source)
}

function build(source: string): string | undefined {
  const compiler = compilerOf(source)
  if (!versionOf(compiler)) return undefined
  mkdirSync(`${root}build`, { recursive: true })
  const program = `${root}build/${source.replace('.', '-')}`
  execFileSync(compiler.command, compiler.build(`${root}bench/native/${source}`, program))
  return program
}

function versionOf({ command, version }: (typeof compilers)['go']): string | undefined {
  try {
    return execFileSync(command, version, { encoding: 'utf8', stdio: 'pipe' }).trim()
  } catch {
    return undefined
  }
}

/** The versions of the compilers that are here: `go 1.19.8`. */
export function compilerVersions(): string[] {
  return Object.values(compilers).flatMap((compiler) => {
    const version = /\d+(\.\d+)+/.exec(versionOf(compiler) ?? '')
    return version ? [`${compiler.command} ${version[0]}`] : []
  })
}
