// The recipe log-aggregation: how it ends when somebody or something stops it.

import { execFileSync } from 'node:child_process'
import { chmodSync, createReadStream, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import { Folder, numbered, program, type Started } from './log-aggregation-program.ts'

vi.setConfig({ maxConcurrency: 2, testTimeout: 60_000 })

/** More than the pipe to the program holds: once all of it is gone, the program is at work. */
const moreThanFits = numbered(40_000)
const soon = { timeout: 20_000, interval: 20 }

describe('log aggregation is stopped', () => {
  it.concurrent.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'by %s: writes all it was given',
    async (signal) => {
      using folder = new Folder()
      folder.file('other.log', numbered(10))
      const started = folder.start('-', 'other.log', '--every', '20')
      await started.write('first\n')
      await vi.waitFor(async () => expect(await folder.messages()).toContain('first'), soon)
      await started.write(`${numbered(2_000)}the last`)
      started.child.kill(signal)
      const { code, stdout, stderr } = await started.ended
      const typed = (await folder.records()).filter(({ source }) => source === 'stdin')

      expect({ code, stderr }).toEqual({
        code: 0,
        stderr: expect.stringMatching(/^SIG.*what is in flight.*\n$/),
      })
      expect(typed.map(({ message }) => message)).toEqual([
        'first',
        ...numbered(2_000).trimEnd().split('\n'),
        'the last',
      ])
      expect(stdout).toContain('2,012 lines in ')
    },
  )

  it.concurrent('when nobody reads what it says any more: writes all it was given', async () => {
    using folder = new Folder()
    const started = folder.start('-', '--every', '60000', '--out', 'all.jsonl')
    started.child.stderr.destroy()
    started.child.stdout.destroy()
    await started.write(moreThanFits)
    started.child.kill('SIGTERM')

    expect((await started.ended).code).toBe(0)
    expect(await folder.messages('all.jsonl')).toHaveLength(40_000)
  })

  it.concurrent('in the middle of a file: at a whole line, and what was read is written', async () => {
    using folder = new Folder()
    const part = 20_000
    folder.file('long.log', numbered(part).repeat(150))
    const started = folder.start('long.log')
    await vi.waitFor(
      () => expect(statSync(join(folder.path, 'aggregated.jsonl')).size).toBeGreaterThan(0),
      soon,
    )
    started.child.kill('SIGINT')
    const { code, stdout } = await started.ended
    const messages = await folder.messages()

    expect(code).toBe(0)
    expect(messages.every((message, i) => message === `line ${i % part}`)).toBe(true)
    expect(messages.length).toBeLessThan(150 * part)
    expect(stdout).toContain(`${messages.length.toLocaleString('en')} lines read`)
    expect(stdout).toContain(`${messages.length.toLocaleString('en')} lines in `)
  })

  it.concurrent('twice, while nobody takes what it writes: exits and says what is missing', async () => {
    using folder = new Folder()
    execFileSync('mkfifo', [join(folder.path, 'pipe')])
    const started = folder.start('-', '--out', 'pipe')
    await started.write(moreThanFits)
    await stop(started)
    const { code, stderr } = await started.ended

    expect(code).toBe(130)
    expect(stderr.split('\n')[1]).toMatch(
      /^SIGINT: 0 lines were written to pipe, \d\d,\d{3} lines that had been read were not$/,
    )
  })

  it.concurrent('while a slow reader holds it up: waits for the reader', async () => {
    using folder = new Folder()
    execFileSync('mkfifo', [join(folder.path, 'pipe')])
    const started = folder.start('-', '--out', 'pipe')
    await started.write(moreThanFits)
    started.child.kill('SIGINT')
    await vi.waitFor(() => expect(started.stderr).toContain('in flight'), soon)
    let text = ''
    for await (const piece of createReadStream(join(folder.path, 'pipe'), 'utf8')) text += piece as string

    expect((await started.ended).code).toBe(0)
    expect(text.split('\n')).toHaveLength(40_001)
  })

  it.concurrent('never by a full channel: it reads no more than there is room for', async () => {
    using folder = new Folder()
    execFileSync('mkfifo', [join(folder.path, 'pipe')])
    const started = folder.start('-', '--out', 'pipe', '--batch', '10')
    // The pipe to it holds less: it is at work.
    await started.write(`${'x'.repeat(999)}\n`.repeat(400))
    void started.write(numbered(20_000).repeat(100))
    started.child.kill('SIGINT')
    await vi.waitFor(() => expect(started.stderr).toContain('in flight'), soon)
    await stop(started)
    const [, missing] = /, ([\d,]+) lines that/.exec((await started.ended).stderr) ?? []

    expect(Number(missing.replaceAll(',', ''))).toBeLessThan(200_000)
  })
})

/** Presses Ctrl-C until the program has gone. What comes at once counts as one. */
async function stop(started: Started): Promise<void> {
  while (started.child.exitCode === null && started.child.signalCode === null) {
    started.child.kill('SIGINT')
    await sleep(40)
  }
}

describe('log aggregation fails with one line', () => {
  const oneLine = (text: string) => expect(text).toMatch(/^[^\n]+\n$/)

  it.concurrent.each([
    [
      'a file that is not there',
      ['good.log', 'missing.log'],
      'Cannot read missing.log: there is no such file',
    ],
    ['a directory', ['good.log', 'folder'], 'Cannot read folder: it is a directory (EISDIR)'],
    ['a socket', ['socket'], 'Cannot read socket: nothing that could be opened, a socket perhaps (ENXIO)'],
    ['an output that is a directory', ['good.log', '--out', 'folder'], 'Cannot write to folder: it is a dir'],
    ['an output in no folder', ['good.log', '--out', 'no/out'], 'Cannot write to no/out: there is no such'],
    [
      'an output that is read',
      ['good.log', '--out', './good.log'],
      'Cannot read good.log: it is the file that',
    ],
    [
      'an output that no disk has, with --sync',
      ['good.log', '--sync', '--out', '/dev/null'],
      'Cannot write to /dev/null: it is no file: it cannot be synced; 0 lines were written',
    ],
    ['an option of its own servers', ['--serve', 'shop'], "Unknown option '--serve' (see --help)"],
    ['an unknown option', ['--wrong'], "Unknown option '--wrong' (see --help)"],
    ['a wrong count', ['--batch', '0'], 'Cannot use option --batch: must be an integer >= 1, got "0"'],
    ['a wrong time', ['--every', '1s'], 'Cannot use option --every: must be an integer >= 1, got "1s"'],
    [
      'a count that is too large',
      ['--bytes', '4294967296'],
      'Cannot use option --bytes: must be an integer <= 2147483648, got "4294967296"',
    ],
    [
      'a time no timer can wait',
      ['--seconds', '3000000'],
      'Cannot use option --seconds: must be an integer <= 2147483, got "3000000"',
    ],
    ['a wrong level', ['--level', 'loud'], 'Cannot use option --level: must be one of trace, debug, info,'],
    ['stdin twice', ['-', '-'], 'Cannot read the standard input twice'],
    [
      'stdin by two names',
      ['-', '/dev/stdin'],
      'Cannot read /dev/stdin: stdin is the same, and can be read only once',
    ],
    ['a FIFO twice', ['pipe', './pipe'], 'Cannot read ./pipe: pipe is the same, and can be read only once'],
    ['a FIFO in and out', ['pipe', '--out', './pipe'], 'Cannot read pipe: it is the file that is written to'],
    ['a descriptor that is not open', ['/dev/fd/99'], 'Cannot read /dev/fd/99: it is not open (EBADF)'],
  ])('on %s', async (_, args, message) => {
    using folder = new Folder()
    folder.file('good.log', numbered(3))
    execFileSync('mkdir', [join(folder.path, 'folder')])
    execFileSync('mkfifo', [join(folder.path, 'pipe')])
    const server = createServer().listen(join(folder.path, 'socket'))
    const { code, stdout, stderr } = await folder.run(args)
    server.close()

    oneLine(stderr)
    expect(stderr).toContain(message)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(await folder.read('good.log')).toBe(numbered(3))
  })

  it.concurrent('on a file it may not read', async () => {
    using folder = new Folder()
    folder.file('secret.log', 'secret\n')
    chmodSync(join(folder.path, 'secret.log'), 0)
    // Whoever is root may read everything; nobody may not.
    const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
    const { ended } = folder.spawn(process.execPath, [...program, 'secret.log'], user)

    expect(await ended).toEqual({
      code: 1,
      stdout: '',
      stderr: 'Cannot read secret.log: permission denied (EACCES)\n',
    })
  })

  it.concurrent('on a full disk, and says what was not written', async () => {
    using folder = new Folder()
    folder.file('good.log', numbered(1234))
    const { code, stderr } = await folder.run(['good.log', '--out', '/dev/full'])

    expect(stderr).toBe(
      'Cannot write to /dev/full: no space left on the device (ENOSPC); ' +
        '0 lines were written to /dev/full, 1,234 lines that had been read were not\n',
    )
    expect(code).toBe(1)
  })

  it.concurrent('on a disk that fills up, and counts the lines that are in the file', async () => {
    using folder = new Folder()
    folder.file('good.log', numbered(1000))
    const script = 'ulimit -f 16; exec "$0" "$@"'
    const { ended } = folder.spawn('sh', ['-c', script, process.execPath, ...program, 'good.log'])
    const { code, stderr } = await ended
    const written = (await folder.read('aggregated.jsonl')).split('\n').length - 1

    oneLine(stderr)
    expect(stderr).toMatch(/^Cannot write to aggregated.jsonl: .*\(EFBIG\); /)
    expect(stderr).toContain(`; ${written} lines were written`)
    expect(stderr).toContain(`, ${(1000 - written).toLocaleString('en')} lines that had been read were not`)
    expect(written).toBeGreaterThan(50)
    expect(code).toBe(1)
  })

  it.concurrent('on an input that breaks, after all others have been written', async () => {
    using folder = new Folder()
    folder.file('good.log', numbered(5000))
    // Nothing is at address 0 of any process.
    const { code, stdout, stderr } = await folder.run(['/proc/self/mem', 'good.log'])

    expect(stderr).toBe('Cannot read /proc/self/mem: input/output error (EIO)\n')
    expect(stdout).toContain('5,000 lines in ')
    expect(await folder.messages()).toHaveLength(5000)
    expect(code).toBe(1)
  })

  it.concurrent('on a reader that goes away', async () => {
    using folder = new Folder()
    execFileSync('mkfifo', [join(folder.path, 'pipe')])
    const started = folder.start('-', '--out', 'pipe', '--every', '5')
    const reader = folder.spawn('head', ['-n', '1', 'pipe'])
    await started.write('one\n')
    await reader.ended
    await started.write('two\n')
    const { code, stderr } = await started.ended

    expect(stderr).toBe(
      'Cannot write to pipe: its reader has gone (EPIPE); ' +
        '1 line was written to pipe, 1 line that had been read was not\n',
    )
    expect(code).toBe(1)
  })
})
