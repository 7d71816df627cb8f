// Programs for plain Node: what is measured must not run through a loader that rewrites it.

import { build } from 'esbuild'
import { root } from './machine.ts'

/** Bundles `entry` and returns the file; libraries, and the built package for `sluice`, stay outside. */
export async function bundleForNode(entry: string): Promise<string> {
  const outfile = `${root}node_modules/.cache/sluice-bench/${entry.replace(/\.ts$/, '.mjs')}`
  await build({
    entryPoints: [`${root}${entry}`],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    tsconfigRaw: {},
    plugins: [
      {
        name: 'built-sluice',
        setup: (plugin) => {
          plugin.onResolve({ filter: /^sluice(\/\w+)?$/ }, ({ path }) => {
            const [, entry = 'index'] = path.split('/')
            return { path: `${root}dist/${entry}.js`, external: true }
          })
        },
      },
    ],
  })
  return outfile
}
