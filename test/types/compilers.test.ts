/** What the README says of compilers: the types need TypeScript 5.4, which knows less than the one the project uses. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { root, sourceFiles } from '../project/sources.ts'

test('what is exported gives iterables the one type argument that TypeScript before 5.6 takes', () => {
  const more = /^export .*\b(?:Async)?Iterable(?:Iterator)?<[^<>]*,.*$/gm
  const found = sourceFiles().flatMap((file) => readFileSync(`${root}${file}`, 'utf8').match(more) ?? [])
  expect(found).toEqual([])
})
