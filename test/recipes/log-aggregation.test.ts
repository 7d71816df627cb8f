// The recipe log-aggregation: what goes in, and what comes out of it.

import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { constants, createWriteStream, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { describe, expect, it, vi } from 'vitest'
import { Folder, numbered, program } from './log-aggregation-program.ts'

vi.setConfig({ maxConcurrency: 2, testTimeout: 60_000 })

describe('log aggregation reads', () => {
  it.concurrent('files and the standard input into one file', async () => {
    using folder = new Folder()
    folder.file('access.log', numbered(3))
    folder.file('other.log', 'one\ntwo\n')
    const { code, stderr } = await folder.run(['access.log', 'other.log', '-'], 'typed\n')
    const messages: Record<string, unknown[]> = {}
    for (const { source, message } of await folder.records()) (messages[source] ??= []).push(message)

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(messages).toEqual({
      'access.log': ['line 0', 'line 1', 'line 2'],
      'other.log': ['one', 'two'],
      stdin: ['typed'],
    })
  })

  it.concurrent('fifty files at a time', async () => {
    using folder = new Folder()
    const files = Array.from({ length: 50 }, (_, i) => folder.file(`${i}.log`, numbered(1000)))
    const { code, stdout, stderr } = await folder.run(files)

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^all +50,000 /m)
    for (const file of files) expect(stdout).toMatch(new RegExp(`^${file} +1,000 `, 'm'))
    expect(await folder.messages()).toHaveLength(50_000)
  })

  it.concurrent('packed files as what they hold, and says where one is damaged', async () => {
    using folder = new Folder()
    folder.file('[1].log.gz', gzipSync(numbered(3)))
    folder.file('2.log.br', brotliCompressSync('one\ntwo'))
    folder.file('3.log.gz', 'no such thing')
    const { code, stderr } = await folder.run(['[1].log.gz', '2.log.br', '3.log.gz'])

    expect((await folder.messages()).sort()).toEqual(['line 0', 'line 1', 'line 2', 'one', 'two'])
    expect(code).toBe(1)
    expect(stderr).toBe('Cannot read 3.log.gz: incorrect header check\n')
  })

  it.concurrent('a FIFO until its writer closes it', async () => {
    using folder = new Folder()
    execFileSync('mkfifo', [join(folder.path, 'pipe')])
    const started = folder.start('pipe')
    const writer = createWriteStream(join(folder.path, 'pipe'))
    writer.write(numbered(20_000))
    writer.end('last')

    expect((await started.ended).code).toBe(0)
    expect(await folder.messages()).toEqual([...numbered(20_000).split('\n').slice(0, -1), 'last'])
  })

  it.concurrent('a standard input that is a file, and the output of a command in the shell', async () => {
    using folder = new Folder()
    folder.file('input.log', numbered(2))
    const script = '"$0" "$@" - <(echo from a command) < input.log'
    const { ended } = folder.spawn('bash', ['-c', script, process.execPath, ...program])

    expect((await ended).code).toBe(0)
    expect((await folder.messages()).sort()).toEqual(['from a command', 'line 0', 'line 1'])
  })

  it.concurrent('a last line without a newline, lines that end with CRLF, and no empty ones', async () => {
    using folder = new Folder()
    folder.file('dos.log', '\uFEFFone\r\n\r\n{"two":2}\r\n\nthree')
    const { code, stdout } = await folder.run(['dos.log'])

    expect(code).toBe(0)
    expect(await folder.records()).toMatchObject([{ message: 'one' }, { two: 2 }, { message: 'three' }])
    expect(stdout).toContain('5 lines read')
    expect(stdout).toContain('(2 empty)')
  })

  it.concurrent('characters that lie across two reads, and bytes that are no UTF-8', async () => {
    using folder = new Folder()
    const long = 'x' + '€𝄞ß'.repeat(30_000)
    folder.file('text.log', Buffer.concat([Buffer.from(`${long}\n`), Buffer.from([0x61, 0xff, 0x62, 0x0a])]))
    await folder.run(['text.log'])

    expect(await folder.messages()).toEqual([long, 'a\uFFFDb'])
  })

  it.concurrent('a line of many megabytes, in pieces of 1 MiB', async () => {
    using folder = new Folder()
    const long = '0123456789abcdé'.repeat(400_000)
    folder.file('long.log', `before\n${long}\nafter\n`)
    const { code, stdout } = await folder.run(['long.log'])
    const messages = (await folder.messages()) as string[]

    expect(code).toBe(0)
    expect(messages.at(0)).toBe('before')
    expect(messages.at(-1)).toBe('after')
    expect(messages.slice(1, -1).join('') === long).toBe(true)
    expect(Math.max(...messages.map((message) => Buffer.byteLength(message)))).toBeLessThanOrEqual(2 ** 20)
    expect(stdout).toMatch(/\(6 cut off a line that was too long\)/)
  })

  it.concurrent('lines of 1 MiB whole, and cuts longer ones there, wherever a read ends', async () => {
    using folder = new Folder()
    const lengths = [2 ** 20, 7, 2 ** 20 + 1, 2 ** 20 - 1, 3 * 2 ** 20, 2 ** 20]
    folder.file('long.log', lengths.map((length) => 'x'.repeat(length)).join('\n'))
    const { stdout } = await folder.run(['long.log'])

    expect(((await folder.messages()) as string[]).map(({ length }) => length)).toEqual([
      ...[2 ** 20, 7, 2 ** 20, 1, 2 ** 20 - 1],
      ...[2 ** 20, 2 ** 20, 2 ** 20, 2 ** 20],
    ])
    expect(stdout).toContain('(3 cut off a line that was too long)')
  })

  it.concurrent('a carriage return where a line is cut, which ends no line there', async () => {
    using folder = new Folder()
    const [before, after] = ['x'.repeat(2 ** 20 - 1), 'y'.repeat(10)]
    folder.file('long.log', `${before}\r${after}\n`)
    await folder.run(['long.log'])

    expect(await folder.messages()).toEqual([before, `\r${after}`])
  })
})

describe('log aggregation writes', () => {
  it.concurrent('the fields of a JSON line as they are, with the source and the time', async () => {
    using folder = new Folder()
    const lines = [
      '{"level":"info","nested":{"a":[1,2]},"big":12345678901234567890}',
      '  {"padded": true}  ',
      '{}',
      '{"__proto__":1}',
    ]
    folder.file('json.log', lines.join('\n'))
    const before = Date.now()
    await folder.run(['json.log'])
    const records = await folder.records()

    expect(records).toMatchObject([{ nested: { a: [1, 2] } }, { padded: true }, {}, {}])
    expect(await folder.read('aggregated.jsonl')).toContain('"big":12345678901234567890,"source"')
    expect(Object.hasOwn(records[3], '__proto__')).toBe(true)
    for (const { source, arrived, message } of records) {
      expect(source).toBe('json.log')
      expect(Date.parse(arrived)).toBeGreaterThanOrEqual(before)
      expect(Date.parse(arrived)).toBeLessThanOrEqual(Date.now())
      expect(message).toBeUndefined()
    }
  })

  it.concurrent('fields that are called like ours beside them', async () => {
    using folder = new Folder()
    folder.file('a.log', '{"source":"theirs","_source":null}\n{"arrived":1}\n')
    await folder.run(['a.log'])

    expect(await folder.records()).toEqual([
      { source: 'theirs', _source: null, __source: 'a.log', arrived: expect.stringMatching(/Z$/) },
      { arrived: 1, source: 'a.log', _arrived: expect.stringMatching(/Z$/) },
    ])
  })

  it.concurrent('every other line as { message }', async () => {
    using folder = new Folder()
    const lines = ['plain "text" \\ \t', '[1,2]', '42', '"text"', 'null', '{"broken":', '{} and more']
    folder.file('plain.log', lines.join('\n'))
    await folder.run(['plain.log'])

    expect(await folder.records()).toEqual(
      lines.map((message) => ({ message, source: 'plain.log', arrived: expect.any(String) })),
    )
  })

  it.concurrent('behind what the file has already, on a line of its own', async () => {
    using folder = new Folder()
    folder.file('all.jsonl', '{"message":"torn')
    await folder.run(['-', '--out', 'all.jsonl'], 'one\n')
    await folder.run(['-', '--out', 'all.jsonl'], 'two\n')
    const lines = (await folder.read('all.jsonl')).split('\n')

    expect(lines[0]).toBe('{"message":"torn')
    expect(lines.slice(1, 3).map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { message: 'one' },
      { message: 'two' },
    ])
    expect(lines.slice(3)).toEqual([''])
  })

  it.concurrent.each([
    ['a file', '"$0" "$@" > all.jsonl'],
    ['a pipe', '"$0" "$@" | cat > all.jsonl'],
  ])('to the standard output, %s, which then has nothing but lines', async (_, script) => {
    using folder = new Folder()
    folder.file('a.log', numbered(3))
    const args = ['a.log', '--out', '/dev/stdout']
    const { ended } = folder.spawn('sh', ['-c', script, process.execPath, ...program, ...args])

    expect((await ended).stderr).toContain('3 lines in 1 batch,')
    expect(await folder.messages('all.jsonl')).toEqual(['line 0', 'line 1', 'line 2'])
  })

  it.concurrent('to a FIFO, whose reader sees the end also where nothing came', async () => {
    using folder = new Folder()
    execFileSync('mkfifo', [join(folder.path, 'pipe')])
    const fd = openSync(join(folder.path, 'pipe'), constants.O_RDONLY | constants.O_NONBLOCK)
    // There by now, so nothing depends on who is first. What has had no writer yet does not end.
    const reader = new Socket({ fd })
    const end = once(reader.resume(), 'end', { signal: AbortSignal.timeout(20_000) })

    expect((await folder.run(['-', '--out', 'pipe'])).code).toBe(0)
    await end
    expect(reader.bytesRead).toBe(0)
  })

  it.concurrent('only lines of a level and above, and those without one', async () => {
    using folder = new Folder()
    const kept = [
      '{"level":"WARN"}',
      '{"level":50}',
      '{"level":60}',
      '{"level":"special"}',
      '{"level":[]}',
      'no such word',
      'an Error: boom',
      'x [warning] info',
    ]
    const left = ['{"level":"info"}', '{"level":30}', 'DEBUG all is well', 'info: error']
    folder.file('mixed.log', [...kept, ...left].join('\n'))
    const { stdout } = await folder.run(['mixed.log', '--level', 'warn'])

    expect(await folder.records()).toHaveLength(kept.length)
    expect(stdout).toMatch(/^source +lines +warn +error +fatal +no level$/m)
    expect(stdout).toMatch(/^mixed.log +8 +2 +2 +1 +3$/m)
    expect(stdout).toContain('(4 below the level)')
  })
})

describe('log aggregation batches', () => {
  it.concurrent('of one line, which is counted as one', async () => {
    using folder = new Folder()
    folder.file('all.jsonl', '{')
    const { stdout, stderr } = await folder.run(['-', '--out', 'all.jsonl'], 'one\n')

    expect(stderr).toContain('of 1 byte:')
    expect(stdout).toContain('1 line read in')
    expect(stdout).toContain('1 line in 1 batch,')
  })

  it.concurrent('by count', async () => {
    using folder = new Folder()
    const { stdout } = await folder.run(['-', '--batch', '3', '--every', '60000'], numbered(10))

    expect(stdout).toContain('10 lines in 4 batches')
    expect(await folder.messages()).toHaveLength(10)
  })

  it.concurrent('by bytes', async () => {
    using folder = new Folder()
    const { stdout } = await folder.run(['-', '--bytes', '1000', '--every', '60000'], numbered(100, 100))

    // A record of about 80 bytes: 13 of them are the first to reach 1,000.
    expect(stdout).toContain('100 lines in 8 batches')
  })

  it.concurrent('by time', async () => {
    using folder = new Folder()
    const started = folder.start('-', '--every', '20')
    for (const line of ['one', 'two', 'three']) {
      await started.write(`${line}\n`)
      await vi.waitFor(async () => expect(await folder.messages()).toContain(line), 20_000)
    }
    started.child.stdin.end()

    expect((await started.ended).stdout).toContain('3 lines in 3 batches')
  })
})
