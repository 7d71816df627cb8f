import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { Totals } from './test/project/totals.ts'

export default defineConfig({
  resolve: {
    alias: [{ find: /^sluice$/, replacement: fileURLToPath(new URL('src/index.ts', import.meta.url)) }],
  },
  test: {
    include: ['test/**/*.test.ts'],
    sequence: { shuffle: true },
    reporters: ['default', new Totals()],
  },
})
