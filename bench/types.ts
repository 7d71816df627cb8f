// What the types cost a user: `tsc` over the type tests against the built package, beside `tsc` over an empty project,
// alternating, medians. The test runner's own types are not ours, so a stub stands in for them.

import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { root } from './machine.ts'

const ROUNDS = 5
const LIMIT = 2

const folder = `${root}node_modules/.cache/sluice-types/`
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })

const runner = `
export { expectTypeOf } from 'expect-type'
export declare function test(title: string, body: () => unknown): void
export declare const describe: typeof test
export declare function expect(value: unknown): Record<string, (...args: unknown[]) => void>
`
writeFileSync(`${folder}vitest.d.ts`, runner)
writeFileSync(`${folder}empty.ts`, 'export const nothing = undefined\n')

function project(name: string, files: readonly string[]): string {
  const path = `${folder}${name}.json`
  const paths = { sluice: [`${root}dist/index.d.ts`], vitest: [`${folder}vitest.d.ts`] }
  const compilerOptions = { paths, noEmit: true }
  writeFileSync(
    path,
    JSON.stringify({ extends: `${root}tsconfig.json`, compilerOptions, include: [], files }),
  )
  return path
}

/** Seconds that `tsc` takes; throws where there are errors. */
function seconds(path: string): number {
  const began = performance.now()
  execFileSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', path], { stdio: 'inherit' })
  return (performance.now() - began) / 1000
}

const tests = readdirSync(`${root}test/types`)
  .filter((file) => file.startsWith('inference'))
  .map((file) => `${root}test/types/${file}`)
const projects = [project('empty', [`${folder}empty.ts`]), project('types', tests)]
const times: [number[], number[]] = [[], []]
for (let round = 0; round < ROUNDS; round++) projects.forEach((path, i) => times[i].push(seconds(path)))
const [empty, types] = times.map((list) => list.sort((a, b) => a - b)[ROUNDS >> 1])
const ratio = types / empty
console.log(`tsc, median of ${ROUNDS}: empty project ${empty.toFixed(2)} s, type tests ${types.toFixed(2)} s`)
console.log(`ratio ${ratio.toFixed(2)}, limit ${LIMIT}`)
if (ratio > LIMIT) process.exitCode = 1
