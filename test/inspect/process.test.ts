/** progress() in a process of its own: on a real terminal, and in all the ways in which a process can end. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { root } from '../project/sources.ts'
import { bundledText } from '../support/bundled-program.ts'
import { runProgram } from '../support/child-program.ts'
import { Terminal } from './terminal.ts'

const imports = `
  import { drain, forEach, map, pipeline, range, source } from 'sluice'
  import { progress } from 'sluice/inspect'
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
`

interface Shown {
  code: number
  terminal: Terminal
  /** What went to a file, where the command says so. */
  file: string
}

/** Runs a program on a terminal of 70 columns and 20 rows, as \`script\` of util-linux makes one. */
async function onTerminal(
  program: string,
  redirect = '',
  environment: Record<string, string> = {},
): Promise<Shown> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-progress-'))
  try {
    const [file, typed] = ['file.txt', 'typed.txt'].map((name) => join(folder, name))
    await using code = await bundledText(imports + program, 'program.mts')
    await writeFile(file, '')
    const node = [process.execPath, ...code.args].map((part) => `'${part}'`).join(' ')
    const command = `stty cols 70 rows 20; exec ${node} ${redirect && `${redirect} '${file}'`}`
    const env = { ...process.env, TERM: 'xterm', NO_COLOR: '1', FORCE_COLOR: undefined, ...environment }
    const status = await new Promise<number>((resolve) => {
      const child = execFile('script', ['-qefc', command, typed], { cwd: root, env }, (error) =>
        resolve(error ? Number(error.code) : 0),
      )
      child.stdin?.end()
    })
    const terminal = new Terminal(70, 20)
    const lines = (await readFile(typed, 'utf8')).split('\n').slice(1)
    terminal.write(lines.join('\n').replace(/\r?\n?Script done on [^\n]*\n?$/, ''))
    return { code: status, terminal, file: await readFile(file, 'utf8') }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The rows without what differs from time to time. */
const rows = ({ terminal }: Shown) =>
  terminal.text.map((row) =>
    row
      .replace(/[\d,.]+\/s/, '~/s')
      .replace(/\d+\.\d s/, '~ s')
      .replaceAll(/▶| +slowest/g, '')
      .replaceAll(/ +/g, ' ')
      .trim(),
  )

const numbers = `
  const run = pipeline(range(20), map(async (n) => (await sleep(20), n)), drain()).start({ name: 'numbers' })
`
const last = (state: string, count = 20) => [
  `numbers ${state}~ s`,
  expect.stringMatching(/^range ~\/s 20 [█░]{10} 100 % of 20$/) as string,
  expect.stringMatching(new RegExp(`^map ~/s ${count} [█░]{10}$`)) as string,
  expect.stringMatching(/^drain ~\/s \d+$/) as string,
]

// The options of `script` are those of util-linux.
describe
  .runIf(process.platform === 'linux')
  .concurrent('progress() on a real terminal', { timeout: 30_000 }, () => {
    test('leaves what the program writes to both streams above it, whole and in order', async () => {
      const shown = await onTerminal(`${numbers}
      progress(run)
      console.log('one')
      await sleep(150)
      process.stdout.write('two')
      await sleep(150)
      process.stderr.write(' and ')
      process.stdout.write(Buffer.from('three\\n'), () => console.error('four'))
      await run.result
      console.log('after', Object.hasOwn(process.stdout, 'write'), Object.hasOwn(process.stderr, 'write'))
    `)
      expect(rows(shown)).toEqual(['one', 'two and three', 'four', ...last('done in '), 'after false false'])
      expect(shown.code).toBe(0)
    })

    test('writes to the terminal alone where stdout is a file', async () => {
      const shown = await onTerminal(
        `${numbers}
      const { write } = process.stdout
      progress(run)
      console.log('one', process.stdout.write === write)
      await run.result
    `,
        '>',
      )
      expect(rows(shown)).toEqual(last('done in '))
      expect(shown.file).toBe('one true\n')
    })

    test('writes plain lines to a file', async () => {
      const shown = await onTerminal(`${numbers}\nprogress(run)\nconsole.log('one')`, '2>')
      expect(rows(shown)).toEqual(['one'])
      expect(shown.file).toMatch(/^numbers {2}done in \d+\.\d s: range 20 \([^\n]*\n$/)
    })

    test('shows the last picture before a process exits, and no more', async () => {
      const shown = await onTerminal(`${numbers}
      progress(run)
      setTimeout(() => process.exit(3), 200)
    `)
      expect(rows(shown)[0]).toBe('numbers cut off after ~ s')
      expect(rows(shown)).toHaveLength(4)
      expect(shown.code).toBe(3)
    })

    test('leaves the report of an uncaught error to be read below it', async () => {
      const shown = await onTerminal(`${numbers}
      progress(run)
      setTimeout(() => { throw new Error('unplugged') }, 200)
    `)
      expect(rows(shown)[0]).toBe('numbers cut off after ~ s')
      expect(rows(shown).slice(4).join('\n')).toContain('Error: unplugged')
      expect(shown.code).toBe(1)
    })

    test('leaves the terminal as it is when a signal kills the process', async () => {
      const shown = await onTerminal(`${numbers}
      progress(run)
      setTimeout(() => process.kill(process.pid, 'SIGINT'), 250)
    `)
      expect(rows(shown)[0]).toBe('numbers ~ s')
      expect(rows(shown)).toHaveLength(4)
      // The cursor is on a line of its own, and nobody has hidden it: the terminal knows no code for that.
      expect(shown.terminal.cursor).toEqual([0, 1])
      expect(shown.code).toBe(130)
    })

    test('leaves process warnings above it, which Node writes past the streams', async () => {
      const shown = await onTerminal(`${numbers}
      progress(run)
      process.stdout.write('half')
      setTimeout(() => process.emitWarning('beware'), 100)
      await run.result
    `)
      const text = rows(shown)
      expect(text[0]).toBe('half')
      expect(text[1]).toMatch(/^\(node:\d+\) Warning: beware$/)
      expect(text.slice(-4)).toEqual(last('done in '))
      expect(text.filter((row) => row.startsWith('numbers'))).toHaveLength(1)
    })
  })

describe.concurrent('progress() and the process', { timeout: 30_000 }, () => {
  test('does not hold it, and leaves the deadlock report to it', async () => {
    const { code, stderr } = await runProgram(`${imports}
      const run = pipeline(source([1]), map(() => new Promise(() => {})), drain()).start({ name: 'stuck' })
      progress(run)
      await run.result
    `)
    expect(stderr).toMatch(/^stuck {2}failed after [\d.]+ s: Deadlock in pipeline "stuck"/)
    expect(stderr).toContain('DeadlockError: Deadlock in pipeline "stuck"')
    expect(code).toBe(1)
  })

  test('leaves a rejection that nobody looks at to be reported', async () => {
    const { code, stderr } = await runProgram(`${imports}
      const fail = () => { throw new Error('unplugged') }
      progress(pipeline(source([1]), map(fail), drain()).start({ name: 'failing' }))
    `)
    expect(stderr).toMatch(/^failing {2}failed after [\d.]+ s: Stage "map" failed: unplugged/)
    expect(stderr).toContain('StageError: Stage "map" failed: unplugged')
    expect(code).toBe(1)
  })

  test('causes no report of one that somebody catches, even later', async () => {
    const { code, stderr } = await runProgram(`${imports}
      const fail = () => { throw new Error('unplugged') }
      const run = pipeline(source([1]), map(fail), drain()).start()
      progress(run)
      await run.result.catch(() => {})
    `)
    expect(stderr.trim().split('\\n')).toHaveLength(1)
    expect(code).toBe(0)
  })
})
