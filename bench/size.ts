// What the package weighs in a browser bundle: minified and gzipped, from the built entry, with what is not
// used shaken off. The goals are what we want to reach; the limits are where we are, and beyond one this exits with 1.

import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const limits = [
  { names: ['channel'], goal: 3000, limit: 4360 },
  { names: ['pipeline', 'source', 'map', 'filter', 'batch'], goal: 6000, limit: 17_200 },
]
const base = limits[1].names
/** What one stage more should cost at most. */
const STAGE_GOAL = 600
const dist = new URL('../dist/', import.meta.url)

async function gzippedSize(names: readonly string[]): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents: `export { ${names.join(', ')} } from './index.js'`, resolveDir: dist.pathname },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    logLevel: 'error',
  })
  return gzipSync(outputFiles[0].contents, { level: 9 }).length
}

const row = (label: string, ...cells: (string | number)[]) =>
  console.log(label.padEnd(48) + cells.map((cell) => String(cell).padStart(9)).join(''))

const { default: _, ...exported } = (await import(new URL('index.js', dist).href)) as Record<string, unknown>
row('bytes, minified and gzipped', 'size', 'goal', 'limit')
for (const { names, goal, limit } of limits) {
  const size = await gzippedSize(names)
  row(names.join(', '), size, goal, limit)
  if (size > limit) {
    console.error(`${names.join(', ')}: ${size} bytes is over the limit of ${limit}`)
    process.exitCode = 1
  }
}
row('everything', await gzippedSize(Object.keys(exported)))

const baseSize = await gzippedSize(base)
console.log(`\nadded to ${base.join(', ')} by`)
for (const name of Object.keys(exported).sort()) {
  if (base.includes(name)) continue
  const added = (await gzippedSize([...base, name])) - baseSize
  row(`  ${name}`, `+${added}`, added > STAGE_GOAL ? `over ${STAGE_GOAL}` : '')
}
