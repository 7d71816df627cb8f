// Runs every recipe in a process of its own, and checks what it prints and how it exits. They are bundled, which starts
// them soon; the first one is started as README.md says, too.
// The recipes check their own results; here it is seen that they get as far as that, and that README.md
// lists them all and shows what they really print.

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { globSync } from 'tinyglobby'
import ts from 'typescript'
import { describe, expect, it, vi } from 'vitest'
import { postgresBin } from '../io/postgres-server.ts'
import { root } from '../project/sources.ts'
import { bundledFile } from '../support/bundled-program.ts'

// More processes at a time than there are cores only get in each other's way, and some of them look at the clock.
vi.setConfig({ maxConcurrency: 2, testTimeout: 60_000 })

interface Expected {
  /** What is printed, in this order. */
  prints: (string | RegExp)[]
  code?: number
  /** What is written to stderr: nothing, unless the recipe is about that. */
  reports?: RegExp
}

const expected: Record<string, Expected> = {
  'first-message.ts': { prints: ['received: hello from another task'] },
  'many-values.ts': {
    prints: ['received  messages', 'received  one', 'the loops ended after 5 and 10 words'],
  },
  'many-producers.ts': { prints: ['door 1', '9 readings from 3 sensors'] },
  'forgotten-sender.ts': {
    prints: ['102'],
    code: 1,
    reports: /DeadlockError: .*"numbers".*\n.*sender made at .*forgotten-sender\.ts:17:/,
  },
  'bounded-and-unbounded.ts': {
    prints: [
      /capacity 8 +at most 8 values/,
      /capacity 0 +at most 0 values/,
      /capacity Infinity +at most [12]\d{3} values/,
      'same values, same order: only the bound differs',
    ],
  },
  'closed-channel-errors.ts': {
    prints: [
      'not sent, still in our hands: 2 × coffee',
      'still received: last words',
      'then the end',
      'read 1 page, then: the printer is on fire',
    ],
  },
  'trying-and-waiting.ts': {
    prints: [
      'try:     sent, full, received, empty',
      'timeout: gave up after 20 ms, twice',
      'signal:  the caller hung up',
      'after:   still alive',
    ],
  },
  'three-stages.ts': { prints: ['by hand:   1 4 9 16 25', 'pipeline:  1 4 9 16 25'] },
  'typed-commands.ts': { prints: ['a flower at 2,3', 'a stone at 2,-1'] },
  'actor.ts': { prints: ['granted: true, false, false; left: 40'] },
  'worker-pool.ts': { prints: [/20 jobs done: ann \d+, bob \d+, cid \d+/] },
  'select-many.ts': { prints: [/heard .*; ended by stop/, /heard .*; ended by silence/] },
  'pushed-source.ts': {
    prints: [
      'drop-oldest: 1,6,7,8',
      'drop-newest: 1,2,3,4',
      'fail: Stage "readings" failed: the pipeline is too slow',
      'pause and resume: 100 of 100, none lost',
    ],
  },
  'log-pipeline.ts': {
    prints: [
      '09:00:04 [WARN] db: slow query, 1200 ms',
      '09:00:07 [ERROR] mail: connection refused',
      '09:00:15 [ERROR] db: deadlock found',
      '2 bad lines, kept',
    ],
  },
  'csv-to-parquet.ts': {
    prints: [
      '997 rows in the table, 997 in the file',
      'orders.csv:19:10: column "amount" must be a number, got ""',
      'orders.csv:402:1: the row must have 4 fields, got 5',
      'the day is in the future: 2126',
    ],
  },
  // A machine without a server passes all the same.
  'postgres-to-postgres.ts': {
    prints: postgresBin
      ? [
          '4999 totals',
          'order 1717: no rate for the currency "XXX"',
          'the second time, nothing has changed',
          'an order got an item more, and its total is right again',
        ]
      : ['No Postgres here'],
  },
  'crawl-api.ts': {
    prints: ['195 products in 48 requests', 'page 13 is missing: Error: page 13: status 500'],
  },
  'sessions.ts': { prints: ['/news        39 sessions of 180 s'] },
  'nightly-job.ts': {
    prints: [
      'stopped early: some of the orders are done',
      'gone on: 40000 totals',
      'the next night: 60000 totals',
    ],
  },
}

interface Outcome {
  code: number | string | null
  stdout: string
  stderr: string
}

async function run(recipe: string): Promise<Outcome> {
  return runNode(await bundledFile(`recipes/${recipe}`))
}

function runNode(args: string[]): Promise<Outcome> {
  // What the tests do is done to a server of their own.
  const { NODE_OPTIONS: _, DATABASE_URL: __, ...env } = process.env
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      args,
      { cwd: root, env, timeout: 45_000 },
      (_error, stdout, stderr) => resolve({ code: child.exitCode ?? child.signalCode, stdout, stderr }),
    )
  })
}

/** Checks that `text` has every part, each after the one before. */
function expectInOrder(text: string, parts: (string | RegExp)[]) {
  let rest = text
  for (const part of parts) {
    const found = typeof part === 'string' ? { 0: part, index: rest.indexOf(part) } : part.exec(rest)
    if (!found || found.index < 0) expect.fail(`Expected ${part} in:\n${rest}\nof:\n${text}`)
    rest = rest.slice(found.index + found[0].length)
  }
}

// The big recipe has a test of its own, beside this one.
const isElsewhere = (file: string) => file.startsWith('log-aggregation')
const readme = () => readFile(`${root}recipes/README.md`, 'utf8')

describe('recipes', () => {
  it.concurrent.each(Object.entries(expected))('%s does what it says', async (recipe, expectation) => {
    const { code, stdout, stderr } = await run(recipe)

    if (expectation.reports) expect(stderr).toMatch(expectation.reports)
    else expect(stderr).toBe('')
    expectInOrder(stdout, expectation.prints)
    expect(code).toBe(expectation.code ?? 0)
  })

  it.concurrent('run as README.md says, without being built', async () => {
    const { code, stdout, stderr } = await runNode(['--import', 'tsx', 'recipes/first-message.ts'])

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expectInOrder(stdout, expected['first-message.ts'].prints)
  })

  it('are JavaScript with types, which Node 24 runs as they are', () => {
    const isMore = (node: ts.Node): boolean =>
      ts.isParameterPropertyDeclaration(node, node.parent) ||
      ts.isEnumDeclaration(node) ||
      ts.isModuleDeclaration(node)
    const found = (node: ts.Node): string[] =>
      isMore(node) ? [node.getText()] : node.getChildren().flatMap(found)
    for (const file of globSync('recipes/**/*.ts', { cwd: root })) {
      const text = readFileSync(`${root}${file}`, 'utf8')
      expect(found(ts.createSourceFile(file, text, ts.ScriptTarget.ESNext, true)), file).toEqual([])
    }
  })

  it('are all listed here and in README.md, and nothing else is', async () => {
    const files = (await readdir(`${root}recipes`)).filter(
      (file) => file.endsWith('.ts') && !isElsewhere(file),
    )
    const rows = [...(await readme()).matchAll(/^\| \[`(.+?)`\]\((.+?)\) .*`npx tsx recipes\/(.+?)` +\|$/gm)]

    expect(Object.keys(expected).sort()).toEqual(files.sort())
    expect(rows.map(([, name]) => name).sort()).toEqual(files)
    for (const [, name, link, command] of rows) expect([link, command]).toEqual([name, name])
    expect(await readme()).toMatch(/^\| \[`log-aggregation.ts`\]\(log-aggregation.ts\) .*`npm start`/m)
  })

  it.concurrent('show in README.md the deadlock report as it really is', async () => {
    const { stdout, stderr } = await run('forgotten-sender.ts')
    const [report] = /^DeadlockError: .*(\n {2}\S.*)*/m.exec(stderr) ?? expect.fail(stderr)

    expect(await readme()).toContain('```text\n' + report.replaceAll(root, '') + '\n```')
    expect(stdout).not.toContain('never printed')
  })
})
