// The last line of every test run: `N passed, N failed`, alone, without colour, for programs that read it.
// A test file that cannot be loaded and an error outside any test count as failed, as they fail the run.

import type { SerializedError } from 'vitest'
import type { Reporter, TestModule } from 'vitest/node'

/** Reports the totals of a run in one plain line. */
export class Totals implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], outside: readonly SerializedError[]): void {
    let passed = 0
    let failed = outside.length
    for (const module of modules) {
      failed += module.errors().length
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed') passed++
        if (state === 'failed') failed++
      }
    }
    process.stdout.write(`${passed} passed, ${failed} failed\n`)
  }
}
