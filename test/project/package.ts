// Looks at the package as its users get it: packed, unpacked into an empty project, imported and required there
// by its name, compiled into a library, and shown to publint and attw. Needs `npm run build` first, and no network.

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './sources.ts'

const connectors = ['duckdb', 'io', 'postgres', 'sqlite']

/** What somebody makes of the pieces and exports again. */
const LIBRARY = `import { count, fanOut, filter, groupBy, map, pipeline, range, source, toArray } from 'sluice'
import { checkpoint, readLines, writeLines } from 'sluice/io'
import { readSqlite, writeSqlite } from 'sluice/sqlite'
export const evenSquares = pipeline(filter((n: number) => n % 2 === 0), map((n) => n * n))
export const counted = pipeline(evenSquares, count())
export const sinks = fanOut({ sum: counted, all: toArray<number>() })
export const perUser = groupBy((e: { user: string }) => e.user, (user) => map(() => user))
export const all = pipeline(range(3), evenSquares)
export const again = { pipeline, map, fanOut, groupBy, readLines }
export const made = (input: Iterable<number>) => pipeline(source(input), sinks)
export const job = () => checkpoint('a', pipeline(readLines('b'), map((line) => line), writeLines('c', { append: true })))
export const copied = pipeline(readSqlite<{ id: number }>('SELECT 1', { database: 'a' }), writeSqlite('b', { database: 'c' }))
`

const folder = mkdtempSync(join(tmpdir(), 'sluice-package-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))

const tarball = pack()
show('publint', ['run', tarball, '--strict'])
show('attw', [tarball, '--no-definitely-typed', '--no-emoji'])
checkImports()
checkTypes()
checkEntriesAreApart()

function pack(): string {
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]
  const output = execFileSync('npm', args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const packed = Object.values(JSON.parse(output) as Record<string, { filename: string }>)
  return join(folder, packed[0].filename)
}

function show(tool: string, args: string[]): void {
  try {
    execFileSync(join(root, 'node_modules/.bin', tool), args, { stdio: 'inherit' })
  } catch {
    process.exit(1)
  }
}

/** Both builds of each entry load by name in plain Node and export the same names. */
function checkImports(): void {
  const installed = join(folder, 'node_modules/sluice')
  mkdirSync(installed, { recursive: true })
  execFileSync('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1'])
  // What the entries beside the core ask their users to install.
  for (const scope of ['@duckdb', '@opentelemetry', '@sinonjs', 'pg'])
    symlinkSync(join(root, 'node_modules', scope), join(folder, 'node_modules', scope))
  const besides = ['inspect', 'opentelemetry', 'testing', ...connectors].map((name) => `sluice/${name}`)
  for (const entry of ['sluice', ...besides]) {
    const [imported, required] = [
      exportsIn('import.mjs', `import * as entry from '${entry}'`),
      exportsIn('require.cjs', `const entry = require('${entry}')`),
    ]
    if (imported !== required)
      throw new Error(`${entry}: import gives ${imported}, require gives ${required}`)
    console.log(`${entry}: import and require give the same ${imported.split(' ').length} names`)
  }
}

function exportsIn(file: string, load: string): string {
  writeFileSync(join(folder, file), `${load}\nconsole.log(Object.keys(entry).sort().join(' '))\n`)
  return execFileSync(process.execPath, [file], { cwd: folder, encoding: 'utf8' }).trim()
}

/** A library that is made of it compiles, with declarations of its own, however modules are resolved. */
function checkTypes(): void {
  writeFileSync(join(folder, 'library.ts'), LIBRARY)
  const resolutions = { node16: 'node16', bundler: 'esnext', node10: 'commonjs' }
  for (const [moduleResolution, module] of Object.entries(resolutions)) {
    const options = { moduleResolution, module, target: 'es2022', lib: 'es2023,esnext.disposable' }
    const fixed = ['--strict', '--exactOptionalPropertyTypes', '--declaration', '--outDir', 'made']
    const types = ['--typeRoots', join(root, 'node_modules/@types'), '--types', 'node']
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    try {
      execFileSync(process.execPath, [tsc, ...args, ...fixed, ...types, 'library.ts'], {
        cwd: folder,
        encoding: 'utf8',
      })
    } catch (error) {
      const { stdout } = error as { stdout: string }
      throw new Error(`A library does not compile (${moduleResolution}):\n${stdout}`, { cause: error })
    }
  }
  console.log('A library that is made of it compiles by node16, bundler and node10')
}

/** No entry has a piece of another: a second copy of the core would not know the channels and errors of the first. */
function checkEntriesAreApart(): void {
  // Of the core, only what is the same however often it is there: checks of arguments, a timer, and what makes a piece.
  const checks = String.raw`errors\.ts$|connect/(options|record)\.ts$`
  const apart = {
    inspect: 'inspect/',
    opentelemetry: 'inspect/',
    testing: String.raw`testing/|channel/clock\.ts$`,
  }
  const foreign = [
    ...sourcesOf('index').filter((file) => /^src\/(testing|inspect|io|connect)\//.test(file)),
    ...Object.entries(apart).flatMap(([entry, own]) =>
      sourcesOf(entry).filter((file) => !new RegExp(`^src/(${own}|${checks})`).test(file)),
    ),
    ...connectors.flatMap((entry) =>
      sourcesOf(entry).filter(
        (file) => !/^src\/(io\/|connect\/|errors\.ts$|pipeline\/(stage|results)\.ts$)/.test(file),
      ),
    ),
  ]
  if (foreign.length > 0)
    throw new Error(`An entry was built with what is not its own: ${foreign.join(', ')}`)
  console.log('The entries beside sluice have no copy of the core')
}

/** What a built entry was made of, as its source maps tell. */
function sourcesOf(entry: string): string[] {
  return [`${entry}.js.map`, `${entry}.cjs.map`].flatMap((file) => {
    const map = readFileSync(join(folder, 'node_modules/sluice/dist', file), 'utf8')
    return (JSON.parse(map) as { sources: string[] }).sources.map((source) =>
      source.replace(/^(\.\.\/)+/, ''),
    )
  })
}
