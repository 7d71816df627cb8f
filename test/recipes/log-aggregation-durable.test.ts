// The recipe log-aggregation: what its file is after a full disk, a kill and a torn line.

import { spawnSync } from 'node:child_process'
import { describe, expect, it, vi } from 'vitest'
import { Folder, numbered, program, type Started } from './log-aggregation-program.ts'

vi.setConfig({ maxConcurrency: 2, testTimeout: 60_000 })

const soon = { timeout: 20_000, interval: 20 }

describe('log aggregation on a full disk with --wait-when-full', () => {
  /** No file may get longer than 16 blocks, until the limit is lifted. */
  function start(folder: Folder, ...args: string[]): Started {
    const script = 'ulimit -S -f 16; exec "$0" "$@"'
    return folder.spawn('sh', ['-c', script, process.execPath, ...program, ...args, '--wait-when-full'])
  }

  const waiting = (started: Started) =>
    vi.waitFor(
      () => expect(started.stderr).toContain('Waiting for room on the disk for "aggregated.jsonl"'),
      soon,
    )

  it.concurrent('waits, and writes everything when there is room', async () => {
    using folder = new Folder()
    folder.file('good.log', numbered(3000))
    const started = start(folder, 'good.log')
    await waiting(started)
    expect(started.child.exitCode).toBe(null)
    const lifted = spawnSync('prlimit', ['--fsize=unlimited', '--pid', String(started.child.pid)])
    expect(lifted.status).toBe(0)
    const { code, stdout } = await started.ended

    expect(code).toBe(0)
    expect(stdout).toContain('3,000 lines in ')
    expect(await folder.messages()).toEqual(numbered(3000).trimEnd().split('\n'))
  })

  it.concurrent('ends at the second Ctrl-C, and says what is missing', async () => {
    using folder = new Folder()
    folder.file('good.log', numbered(3000))
    const started = start(folder, 'good.log')
    await waiting(started)
    started.child.kill('SIGINT')
    await vi.waitFor(() => expect(started.stderr).toContain('in flight'), soon)
    // What comes within a moment of the first counts as the same.
    await vi.waitFor(() => {
      started.child.kill('SIGINT')
      expect(started.child.exitCode).toBe(130)
    }, soon)
    const { stderr } = await started.ended
    const [, written, missing] =
      /SIGINT: (\d+) lines were written to \S+, ([\d,]+) lines that/.exec(stderr) ?? []

    expect(Number(missing.replaceAll(',', ''))).toBeGreaterThan(1000)
    // Behind them there may be a whole line more, which was not acknowledged, and a torn one.
    expect((await folder.read('aggregated.jsonl')).split('\n').length).toBeGreaterThan(Number(written))
  })
})

describe('log aggregation', () => {
  it.concurrent('with --sync writes the same', async () => {
    using folder = new Folder()
    folder.file('good.log', numbered(5000))
    const { code, stdout, stderr } = await folder.run(['good.log', '--sync'])

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('5,000 lines in 5 batches')
    expect(await folder.messages()).toEqual(numbered(5000).trimEnd().split('\n'))
  })

  it.concurrent('that was killed leaves whole lines, behind which the next one goes on', async () => {
    using folder = new Folder()
    folder.file('long.log', numbered(300_000))
    const started = folder.start('long.log')
    await vi.waitFor(
      async () => expect((await folder.read('aggregated.jsonl')).length).toBeGreaterThan(100_000),
      soon,
    )
    started.child.kill('SIGKILL')
    await started.ended
    const before = (await folder.read('aggregated.jsonl')).split('\n').slice(0, -1)
    const { code } = await folder.run(['-'], 'one more\n')
    const lines = (await folder.read('aggregated.jsonl')).split('\n')

    expect(code).toBe(0)
    expect(lines.slice(0, before.length)).toEqual(before)
    for (const line of before) expect(JSON.parse(line)).toMatchObject({ source: 'long.log' })
    expect(JSON.parse(lines.at(-2)!)).toMatchObject({ message: 'one more' })
  })

  it.concurrent('says that the file ended in the middle of a line', async () => {
    using folder = new Folder()
    folder.file('all.jsonl', '{"message":"torn')
    const { code, stderr } = await folder.run(['-', '--out', 'all.jsonl'], 'one\n')

    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: 'all.jsonl ended in the middle of a line, of 16 bytes: it has an end now\n',
    })
  })
})
