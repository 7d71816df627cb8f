// What the package weighs in a browser bundle: minified and gzipped, from the built entry, with what is not
// used shaken off. The limits are claims; beyond one this exits with 1.

import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const limits = [
  { names: ['channel'], limit: 3000 },
  { names: ['pipeline', 'source', 'map', 'filter', 'batch'], limit: 6000 },
]
const base = limits[1].names
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
row('bytes, minified and gzipped', 'size', 'limit')
for (const { names, limit } of limits) {
  const size = await gzippedSize(names)
  row(names.join(', '), size, limit)
  if (size > limit) {
    console.error(`${names.join(', ')}: ${size} bytes is over the limit of ${limit}`)
    process.exitCode = 1
  }
}
row('everything', await gzippedSize(Object.keys(exported)))

const baseSize = await gzippedSize(base)
console.log(`\nadded to ${base.join(', ')} by`)
for (const name of Object.keys(exported).sort()) {
  if (!base.includes(name)) row(`  ${name}`, `+${(await gzippedSize([...base, name])) - baseSize}`)
}
