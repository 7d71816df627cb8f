// TypeScript programs for processes of their own. Each is bundled, with the library's source, to one file which plain
// Node starts in a tenth of a second; a loader that compiles as it goes takes half a second of each process. The places
// in stack traces are those of the source.
//
// The files lie below the repository, where Node finds the libraries that stay outside of them, such as `pg`.
import { createHash, randomUUID } from 'node:crypto'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build, type BuildOptions } from 'esbuild'
import { root } from '../project/sources.ts'

const cache = join(root, 'node_modules/.cache/sluice-tests')

/** Bundles a file of the repository, such as `recipes/actor.ts`. Gives what comes after `node`. */
export async function bundledFile(path: string): Promise<string[]> {
  const outfile = join(cache, `${path.replaceAll('/', '-').replace(/\.ts$/, '')}.mjs`)
  await bundle({ entryPoints: [join(root, path)] }, outfile)
  return nodeArguments(outfile)
}

/** Bundles a program whose file would be called `name`. Its bundle is removed when it is disposed of. */
export async function bundledText(text: string, name: string): Promise<{ args: string[] } & AsyncDisposable> {
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 16)
  const outfile = join(cache, `${process.pid}-${hash}.mjs`)
  await bundle({ stdin: { contents: text, sourcefile: name, loader: 'ts', resolveDir: root } }, outfile)
  return { args: nodeArguments(outfile), [Symbol.asyncDispose]: () => rm(outfile, { force: true }) }
}

const nodeArguments = (file: string): string[] => ['--enable-source-maps', file]

/** Bundles the core of the library. Gives the file. */
export async function bundledLibrary(): Promise<string> {
  const outfile = join(cache, 'sluice.mjs')
  await bundle({ entryPoints: [join(root, 'src/index.ts')] }, outfile)
  return outfile
}

async function bundle(entry: BuildOptions, outfile: string): Promise<void> {
  const { outputFiles } = await build({
    ...entry,
    outfile,
    write: false,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    // Its paths lead from 'sluice' to the source.
    tsconfig: join(root, 'tsconfig.json'),
    keepNames: true,
    sourcemap: 'inline',
    sourcesContent: false,
    logLevel: 'silent',
  })
  await mkdir(cache, { recursive: true })
  // Several may bundle one program at a time, and start it: no one may see a part of the file.
  const whole = `${outfile}.${randomUUID()}`
  await writeFile(whole, outputFiles[0].contents)
  await rename(whole, outfile)
}
