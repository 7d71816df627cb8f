import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { globSync } from 'tinyglobby'
import { defineConfig } from 'vitest/config'
import { SlowFirst } from './test/project/order.ts'
import { Totals } from './test/project/totals.ts'
import { bundledLibrary } from './test/support/bundled-program.ts'

/** Long ones, with much that they leave to the collector, and what measures or ends the process. */
const apart =
  /\/(bottleneck|concurrency|csv-random|duckdb|endings.*|fairness|garbage|linear|model|one-signal|process|screen)\.test\.ts$/
/** It stops the clocks of the process, or puts something in place of a module that others may have loaded. */
const unlike = /useFakeTimers|fakeTime|virtualTime|timeline|vi\.mock/
/** These have a process each. */
const alone = globSync('test/**/*.test.ts').filter(
  (file) => apart.test(file) || unlike.test(readFileSync(file, 'utf8')),
)

const source = (file: string) => fileURLToPath(new URL(`src/${file}`, import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      // Sixty modules in one, which each test file loads in a tenth of the time.
      { find: /^sluice$/, replacement: await bundledLibrary() },
      { find: /^sluice\/duckdb$/, replacement: source('io/duckdb/index.ts') },
      { find: /^sluice\/inspect$/, replacement: source('inspect/index.ts') },
      { find: /^sluice\/io$/, replacement: source('io/index.ts') },
      { find: /^sluice\/postgres$/, replacement: source('io/postgres/index.ts') },
      { find: /^sluice\/sqlite$/, replacement: source('io/sqlite/index.ts') },
      { find: /^sluice\/testing$/, replacement: source('testing/index.ts') },
      { find: /^sluice\/opentelemetry$/, replacement: source('inspect/telemetry.ts') },
    ],
  },
  test: {
    projects: [
      { extends: true, test: { name: 'alone', include: alone } },
      // To start a process takes longer than most of these do.
      {
        extends: true,
        test: { name: 'shared', include: ['test/**/*.test.ts'], exclude: alone, isolate: false },
      },
    ],
    sequence: { shuffle: true, sequencer: SlowFirst },
    // Tests make much that lives for a short time: with more room for it, collecting it takes a third of the time. All
    // cores are busy with tests: threads that collect beside them are in their way.
    execArgv: ['--max-semi-space-size=64', '--single-threaded-gc'],
    // By itself vitest leaves one core to itself, though it does little there. One more is no faster for sure, and shakes
    // what depends on time.
    maxWorkers: availableParallelism(),
    // For what hangs: on a machine that is busy with something else, seconds are soon gone.
    testTimeout: 20_000,
    reporters: ['default', new Totals()],
  },
})
