import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runInThisContext } from 'node:vm'
import * as sluice from 'sluice'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { docExamples, markdownExamples, toProgram, type Example, type Runtime } from './examples.ts'
import { root, sourceFiles } from './sources.ts'
import { typecheck } from './typecheck.ts'

const exported = Object.keys(sluice)
const quiet = { ...console, log: () => {} }

const runtime: Runtime = {
  load: (module) => import(/* @vite-ignore */ module),
  check: (line, actual, expected) => expect(actual, `line ${line}`).toStrictEqual(expected),
  throws: async (line, action, expected) => {
    const error: unknown = await Promise.resolve()
      .then(action)
      .then(
        () => expect.fail(`line ${line} did not throw`),
        (reason: unknown) => reason,
      )
    expect(String(error), `line ${line}`).toContain(expected)
  },
}

async function run(example: Example): Promise<void> {
  const program = runInThisContext(toProgram(example, exported), { filename: example.name }) as (
    runtime: Runtime,
    console: object,
    globals: object,
  ) => Promise<void>
  await program(runtime, quiet, sluice)
}

const read = (file: string) => readFileSync(`${root}/${file}`, 'utf8')
const pages = ['README.md', 'recipes/README.md'].filter((file) => existsSync(`${root}/${file}`))
const examples = [
  ...pages.flatMap((file) => markdownExamples(file, read(file))),
  ...sourceFiles().flatMap((file) => docExamples(file, read(file))),
]

describe('the documentation', () => {
  // Examples write files where they run.
  const before = process.cwd()
  const folder = mkdtempSync(join(tmpdir(), 'sluice-examples-'))
  beforeAll(() => process.chdir(folder))
  afterAll(() => {
    process.chdir(before)
    rmSync(folder, { recursive: true })
  })

  it.each(examples.filter(({ runs }) => runs))('$name says what happens', run, 10_000)

  it(
    'has examples without type errors, one for every exported function, and a comment for every export',
    { timeout: 60_000 },
    () => {
      // One that is wrong among them: so it is known that errors are found, in blocks that do not run too.
      const wrong = markdownExamples('page.md', '```ts no-run\nconst a: string = 1\na\n```\n')
      expect(typecheck([...examples, ...wrong], exported)).toEqual({
        errors: ["page.md:2: Type 'number' is not assignable to type 'string'."],
        withoutExample: [],
        withoutComment: [],
      })
    },
  )
})

describe('the example runner', () => {
  const page = (code: string, info = '') =>
    markdownExamples('page.md', `Text\n\n\`\`\`ts${info}\n${code}\n\`\`\`\n`)
  const runPage = async (code: string) => {
    for (const example of page(code)) await run(example)
  }

  it.each([
    ['an expression', '1 + 1 // => 2'],
    ['a promise', 'Promise.resolve([1]) // => [1]'],
    ['a semicolon', '1 + 1; // => 2'],
    ['an argument of console.log', 'console.log(`a`) // => "a"'],
    ['a variable', 'const a = { b: 1 } // => { b: 1 }'],
    ['the line after', '1 + 1\n// => 2'],
    ['a value over two lines', '[1, 2] // => [\n//   1, 2]'],
    ['a value with names', 'const a = Symbol()\n;[a] // => [a]'],
    ['a loop', 'for (const i of [1, 1]) {\n  i // => 1\n}'],
    ['an error', 'null.x // => throws TypeError'],
    ['a rejection', 'Promise.reject(new RangeError("no")) // => throws RangeError: no'],
    [
      'a function',
      'function f() {\n  1 // => 1\n}\nasync function g() {\n  Promise.resolve(1) // => 1\n}\nf()\nawait g()',
    ],
    ['types and using', 'using a: Disposable = { [Symbol.dispose]() {} }\nlet b = 1 as number\nb // => 1'],
    ['imports', 'import path, { join as j, type ParsedPath } from "node:path"\npath.join === j // => true'],
    ['a namespace', 'import * as p from "node:path"\nexport const a = p.sep.length // => 1'],
    ['exports in scope', 'import { channel as c } from "sluice"\nchannel === c // => true'],
  ])('accepts %s that gives what is claimed', async (_, code) => runPage(code))

  it.each([
    ['another value', '1 + 1 // => 3', 'line 4'],
    ['another promised value', '\nPromise.resolve(1) // => 2', 'line 5'],
    ['a missing key', '({}) // => { a: undefined }', 'line 4'],
    ['another variable', 'const a = 1 // => 2', 'line 4'],
    ['no error', '1 // => throws Error', 'did not throw'],
    ['another error', 'null.x // => throws RangeError', 'RangeError'],
    ['a claim after no value', 'if (1) {}\n// => 3', '1 claims, of which 0'],
    ['a claim that is no expression', '1 // => one and', 'no expression: one and'],
  ])('rejects %s', async (_, code, message) => {
    await expect(runPage(code)).rejects.toThrow(message)
  })

  it('finds the blocks of a page, their lines, and which of them run', () => {
    const found = [...page('1'), ...page('2', ' no-run'), ...markdownExamples('a.md', '```sh\nls\n```\n')]
    expect(found).toMatchObject([
      { name: 'page.md:4', code: '1\n', runs: true },
      { name: 'page.md:4', code: '2\n', runs: false },
    ])
  })

  it('finds the examples of doc comments, fenced or not', () => {
    const source =
      '\n/**\n * A.\n *\n * @example\n * 1 // => 1\n *\n * @example Two\n * ```ts\n * 2\n * ```\n */\n'
    expect(docExamples('a.ts', source)).toMatchObject([
      { name: 'a.ts:10', code: '2\n' },
      { name: 'a.ts:6', code: expect.stringContaining('1 // => 1') as string },
    ])
  })
})
