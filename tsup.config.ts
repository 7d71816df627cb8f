import { defineConfig } from 'tsup'

export default defineConfig({
  entry: {
    duckdb: 'src/io/duckdb/index.ts',
    index: 'src/index.ts',
    inspect: 'src/inspect/index.ts',
    io: 'src/io/index.ts',
    opentelemetry: 'src/inspect/telemetry.ts',
    postgres: 'src/io/postgres/index.ts',
    sqlite: 'src/io/sqlite/index.ts',
    testing: 'src/testing/index.ts',
  },
  // Entries beside the core that put pipelines together take it by its name, as users do.
  external: ['sluice'],
  // The entries share a few checks of arguments; `index.js` stays one file.
  splitting: false,
  format: ['esm', 'cjs'],
  target: 'es2022',
  dts: true,
  clean: true,
  sourcemap: true,
  treeshake: true,
})
