import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import fs, {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { dirname } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, test, vi } from 'vitest'
import { pipeline, type Sink, type Source, source, type StageError } from 'sluice'
import {
  checkpoint,
  type CsvWriteOptions,
  type FileWriteOptions,
  readCsv,
  readJsonl,
  readLines,
  writeCsv,
  writeJsonl,
  writeLines,
  type Written,
} from 'sluice/io'
import { deferred } from '../pipeline/support-waiting.ts'
import { runCommand, runInShell, runProgram } from '../support/child-program.ts'
import { abortedInSync, fileOf, openFiles, run, useFolder, writesWith } from './support-files.ts'

const path = useFolder()
const write = <T>(values: Iterable<T> | AsyncIterable<T>, sink: Sink<T, Written>) =>
  pipeline(source(values), sink).run()
const text = (file: string) => readFileSync(file, 'utf8')
const reason = (work: Promise<unknown>) =>
  work.catch((thrown: unknown) => thrown as StageError) as Promise<StageError>

async function* failing(count: number, line = 'new') {
  for (let i = 0; i < count; i++) yield line
  throw new Error('no more')
}

describe('a file appears whole or not at all', () => {
  test.each([3, 200_000])('where its source fails after %i lines', async (count) => {
    const file = fileOf(path('out.txt'), 'old\n')
    await expect(write(failing(count), writeLines(file))).rejects.toThrow('no more')
    expect(text(file)).toBe('old\n')
    expect(readdirSync(dirname(file))).toEqual(['out.txt'])
    expect(openFiles(dirname(file))).toEqual([])
  })

  test('where the run is aborted', async () => {
    const file = path('out.txt')
    const given = deferred<void>()
    const lines = async function* () {
      for (let i = 0; i < 100_000; i++) yield 'x'
      given.resolve()
      await new Promise<void>(() => {})
    }
    const running = pipeline(source(lines()), writeLines(file)).start()
    await given.promise
    void running.abort(new Error('enough'))
    await expect(running.result).rejects.toThrow('enough')
    expect(readdirSync(dirname(file))).toEqual([])
    expect(openFiles(dirname(file))).toEqual([])
  })

  test('where the run is aborted while the disk is waited for', async () => {
    const file = fileOf(path('out.txt'), 'old\n')
    await abortedInSync(file, () => pipeline(source(['new']), writeLines(file, { sync: true })).start())
    expect(text(file)).toBe('old\n')
    expect(readdirSync(dirname(file))).toEqual(['out.txt'])
  })

  test('where the process is killed', async () => {
    const file = fileOf(path('out.txt'), 'old\n')
    const program = `
      import { pipeline, source } from 'sluice'
      import { writeLines } from 'sluice/io'
      async function* lines() {
        for (let i = 0; i < 200_000; i++) yield 'new line ' + i
        process.kill(process.pid, 'SIGKILL')
        await new Promise(() => setInterval(() => {}, 1000))
      }
      await pipeline(source(lines()), writeLines(${JSON.stringify(file)})).run()`
    expect(await runProgram(program)).toMatchObject({ signal: 'SIGKILL' })
    expect(text(file)).toBe('old\n')
    // What is left of the killed one is in nobody's way.
    expect(await write(['new'], writeLines(file))).toEqual({ file, count: 1, bytes: 4 })
    expect(text(file)).toBe('new\n')
  })

  test('where two runs write it at once', async () => {
    const file = path('out.txt')
    const lines = (mark: string) => Array.from({ length: 50_000 }, (_, i) => `${mark}${i}`)
    await Promise.all([write(lines('a'), writeLines(file)), write(lines('b'), writeLines(file))])
    const read = await run(readLines(file))
    expect([lines('a'), lines('b')]).toContainEqual(read)
    expect(readdirSync(dirname(file))).toEqual(['out.txt'])
  })

  test('also with its mode, and through a link', async () => {
    const file = fileOf(path('out.txt'), 'old\n')
    chmodSync(file, 0o666)
    symlinkSync('out.txt', path('link.txt'))
    symlinkSync('absent.txt', path('dangling.txt'))
    await write(['new'], writeLines(path('link.txt'), { sync: true }))
    await write(['new'], writeLines(path('dangling.txt')))
    expect([text(file), statSync(file).mode & 0o777]).toEqual(['new\n', 0o666])
    expect(text(path('absent.txt'))).toBe('new\n')
    for (const link of ['link.txt', 'dangling.txt']) expect(lstatSync(path(link)).isSymbolicLink()).toBe(true)
  })

  test('and no other file gets that mode, whatever somebody puts in place of the new one', async () => {
    const file = fileOf(path('out.txt'), 'old\n')
    chmodSync(file, 0o666)
    const other = fileOf(path('other.txt'), 'secret\n')
    chmodSync(other, 0o600)
    const realOpen = fs.promises.open
    const opened = vi.spyOn(fs.promises, 'open').mockImplementation(async (...args) => {
      const handle = await realOpen(...args)
      const made = String(args[0])
      if (made.endsWith('.tmp')) {
        rmSync(made)
        symlinkSync(other, made)
      }
      return handle
    })
    syncBuiltinESMExports()
    // Another test may have loaded it where it played the file system.
    vi.resetModules()
    const anew = await import('sluice/io')
    try {
      await write(['new'], anew.writeLines(file))
    } finally {
      opened.mockRestore()
      syncBuiltinESMExports()
    }
    expect(lstatSync(file).isSymbolicLink()).toBe(true)
    expect(statSync(other).mode & 0o777).toBe(0o600)
  })

  test('where a network tells only at its end that there is no room, nothing is left beside it', async () => {
    const file = path('out.txt')
    const realOpen = fs.promises.open
    const opened = vi.spyOn(fs.promises, 'open').mockImplementation(async (...args) => {
      const handle = await realOpen(...args)
      const close = handle.close.bind(handle)
      handle.close = async () => {
        await close()
        throw new Error('EDQUOT: disk quota exceeded, close')
      }
      return handle
    })
    syncBuiltinESMExports()
    vi.resetModules()
    const anew = await import('sluice/io')
    try {
      await expect(write(failing(3), anew.writeLines(file))).rejects.toThrow('no more')
    } finally {
      opened.mockRestore()
      syncBuiltinESMExports()
    }
    expect(readdirSync(dirname(file))).toEqual([])
  })

  test('where a link says that is reached through a linked folder', async () => {
    mkdirSync(path('deep/er'), { recursive: true })
    symlinkSync('deep/er', path('near'))
    symlinkSync('../out.txt', path('near/up'))
    await write(['new'], writeLines(path('near/up')))
    expect(text(path('deep/out.txt'))).toBe('new\n')
  })

  test('with a name as long as names can be', async () => {
    const file = path('x'.repeat(255))
    await write(['a'], writeLines(file))
    expect(text(file)).toBe('a\n')
  })
})

describe('what cannot be written fails the stage, and names the file', () => {
  test('a folder that is not there', async () => {
    const file = path('none', 'out.txt')
    for (const options of [{}, { append: true }]) {
      const { cause } = await reason(write(['a'], writeLines(file, options)))
      expect(cause).toMatchObject({
        message: `Cannot write ${file}: ENOENT: no such folder: ${path('none')}`,
        cause: { code: 'ENOENT' },
      })
    }
  })

  test('a folder in place of a file', async () => {
    mkdirSync(path('folder'))
    expect((await reason(write(['a'], writeLines(path('folder'))))).message).toMatch('EISDIR')
    expect(openFiles(path())).toEqual([])
  })

  test('a folder in which nobody may make files', async () => {
    if (!existsSync('/sys')) return
    const { cause } = await reason(write(['a'], writeLines('/sys/out.txt')))
    expect((cause as Error).message).toMatch(/^Cannot write \/sys\/out.txt: E[^,/]+, in the folder \/sys$/)
  })

  test('a folder that takes its place meanwhile', async () => {
    const file = path('out.txt')
    async function* lines() {
      yield 'a'
      while (readdirSync(path()).length === 0) await new Promise((resolve) => setImmediate(resolve))
      mkdirSync(file)
    }
    const { cause } = await reason(pipeline(source(lines()), writeLines(file)).run())
    expect((cause as Error).message).toMatch(/^Cannot write .*: E[^,/]+, rename to '.*out.txt'$/)
    expect((cause as Error).message).not.toMatch('.tmp')
    expect(readdirSync(path())).toEqual(['out.txt'])
  })

  test.each([{}, { append: true }])('a name that ends with a slash: %j', async (options) => {
    const file = `${path('missing')}/`
    const { cause } = await reason(write(['a'], writeLines(file, options)))
    expect(cause).toMatchObject({
      message: `Cannot write ${file}: EISDIR: what ends with a slash is no file`,
    })
    expect(readdirSync(path())).toEqual([])
  })

  test('a full disk', async () => {
    if (!existsSync('/dev/full')) return
    for (const count of [1, 300_000])
      expect(
        (await reason(write(Array<string>(count).fill('line'), writeLines('/dev/full')))).message,
      ).toMatch('Cannot write /dev/full: ENOSPC')
  })

  test('a disk that gets full while it is written to, packed', async () => {
    const file = path('out.gz')
    const { stdout } = await runInShell(
      'ulimit -S -f 16; exec "$@"',
      'small',
      `import { randomUUID } from 'node:crypto'
      import { pipeline, source } from 'sluice'
      import { writeLines } from 'sluice/io'
      function* lines() { for (let i = 0; i < 50_000; i++) yield randomUUID() }
      await pipeline(source(lines()), writeLines(${JSON.stringify(file)}))
        .run()
        .catch((error) => console.log(error.cause?.cause?.code ?? error))`,
    )
    expect(stdout).toBe('EFBIG\n')
    expect(readdirSync(path())).toEqual([])
  })

  test('a packing that this Node does not know', async () => {
    const [major, minor] = process.versions.node.split('.').map(Number)
    const knows = major > 23 || (major === 23 && minor >= 8) || (major === 22 && minor >= 15)
    const file = path('a.zst')
    const result = await reason(write(['a'], writeLines(file)))
    if (knows) expect(await run(readLines(file))).toEqual(['a'])
    else {
      expect(result.message).toMatch('this version of the runtime knows no Zstandard')
      expect(readdirSync(path())).toEqual([])
    }
  })
})

test.each(['.gz', '.br'])('what ends in %s is packed, and read again', async (ending) => {
  const file = path(`out${ending}`)
  const lines = Array.from({ length: 100_000 }, (_, i) => `line ${i}`)
  const written = await write(lines, writeLines(file))
  expect(written).toEqual({ file, count: 100_000, bytes: statSync(file).size })
  expect(written.bytes).toBeLessThan(400_000)
  expect(await run(readLines(file))).toEqual(lines)
  await expect(write(failing(200_000), writeLines(file))).rejects.toThrow('no more')
  expect(await run(readLines(file))).toEqual(lines)
  expect(openFiles(path())).toEqual([])
})

describe('append', () => {
  test('adds to a file, or makes it', async () => {
    const file = path('log.txt')
    await write(['a'], writeLines(file, { append: true }))
    expect(await write(['b'], writeLines(file, { append: true, sync: true }))).toEqual({
      file,
      count: 1,
      bytes: 2,
    })
    expect(text(file)).toBe('a\nb\n')
  })

  test.each(['log.txt', 'log.gz'])(
    'fails where the file was removed with what was written: %s',
    async (name) => {
      const file = path(name)
      async function* lines() {
        yield 'a'
        await expect.poll(() => existsSync(file)).toBe(true)
        rmSync(file)
        yield 'b'
      }
      const { message } = await reason(write(lines(), writeLines(file, { append: true })))
      expect(message).toContain(`Cannot write ${file}: somebody has removed it, and what was written with it`)
      expect([existsSync(file), openFiles(dirname(file))]).toEqual([false, []])
    },
  )

  test('keeps what came before a failure', async () => {
    const file = fileOf(path('log.txt'), 'old\n')
    await expect(write(failing(3), writeLines(file, { append: true }))).rejects.toThrow('no more')
    expect(text(file)).toBe('old\nnew\nnew\nnew\n')
  })

  test('keeps what came before a failure in what is packed', async () => {
    const file = fileOf(path('log.gz'), gzipSync('old\n'))
    await expect(write(failing(3), writeLines(file, { append: true }))).rejects.toThrow('no more')
    expect(await run(readLines(file))).toEqual(['old', 'new', 'new', 'new'])
  })

  test('leaves what is packed whole where the run is aborted', async () => {
    const file = fileOf(path('log.gz'), gzipSync('old\n'))
    const before = statSync(file).size
    const given = deferred<void>()
    const lines = async function* () {
      for (let i = 0; i < 50_000; i++) yield randomUUID()
      given.resolve()
      await new Promise<void>(() => {})
    }
    const running = pipeline(source(lines()), writeLines(file, { append: true })).start()
    await given.promise
    // More than the beginning of what is packed is in the file.
    await expect.poll(() => statSync(file).size - before).toBeGreaterThan(1000)
    void running.abort(new Error('enough'))
    await expect(running.result).rejects.toThrow('enough')
    await expect.poll(() => openFiles(dirname(file))).toEqual([])
    await write(['again'], writeLines(file, { append: true }))
    const there = await run(readLines(file))
    expect([there[0], there.at(-1)]).toEqual(['old', 'again'])
  })

  const readers: Record<string, [(file: string) => Source<unknown>, number]> = {
    writeLines: [readLines, 1],
    writeJsonl: [readJsonl, 1],
    writeCsv: [readCsv, 0],
  }
  test.each([
    ['writeLines', 'old\n', (i: number) => `line ${i}`],
    ['writeJsonl', '"old"\n', (i: number) => ({ i, text: 'a\n"b"' })],
    ['writeCsv', 'i,text\n', (i: number) => ({ i: String(i), text: `a\n"b"\n${'c\n'.repeat(i % 500)}` })],
    // What is cut in the middle has no line end but within itself.
    ['writeCsv', 'i,text\n', (i: number) => ({ i: String(i), text: 'c\n'.repeat(i * 5000) })],
  ])('%s ends with the last value that is whole where there is no room', async (make, before, value) => {
    const file = fileOf(path('log.txt'), before)
    const { stdout } = await runInShell(
      'ulimit -S -f 500; exec "$@"',
      'small',
      `import { map, pipeline, range } from 'sluice'
      import { ${make} } from 'sluice/io'
      await pipeline(range(200_000), map(${String(value)}), ${make}(${JSON.stringify(file)}, { append: true }))
        .run()
        .catch((error) => console.log(error.cause?.cause?.code ?? error, error.suppressed.length))`,
    )
    expect(stdout).toBe('EFBIG 0\n')
    const [read, header] = readers[make]
    const values = (await run<unknown>(read(file))).slice(header)
    expect(values.length).toBeGreaterThan(5)
    expect(values).toEqual(values.map((_, i) => value(i)))
    expect(text(file)).toMatch(/\n$/)
  })

  test('writes nothing behind what found no room', async () => {
    const file = fileOf(path('log.txt'), 'old\n')
    const { stdout } = await runInShell(
      'ulimit -S -f 16; exec "$@"',
      'small',
      `import { pipeline, source } from 'sluice'
      import { writeLines } from 'sluice/io'
      const lines = ['one', 'x'.repeat(100_000), ...Array.from({ length: 600 }, () => 'behind')]
      await pipeline(source(lines), writeLines(${JSON.stringify(file)}, { append: true }))
        .run({ capacity: 1 })
        .catch((error) => console.log(error.cause?.cause?.code ?? error, error.suppressed.length))`,
    )
    expect(stdout).toBe('EFBIG 0\n')
    expect(text(file)).toBe('old\none\n')
  })

  const noRoom = () => Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })

  test('writes nothing behind a write that failed, though there is room again just then', async () => {
    for (let ticks = 0; ticks < 8; ticks++) {
      const file = fileOf(path('log.txt'), 'old\n')
      const undo = await writesWith(async (call, write, bytes) => {
        if (call > 0) return write(bytes)
        for (let tick = 0; tick < ticks; tick++) await null
        throw noRoom()
      })
      const lines = async function* () {
        for (let i = 0; i < 300; i++) {
          yield `line ${i}`
          if (i % 50 === ticks) await new Promise(setImmediate)
        }
      }
      const running = pipeline(source(lines()), writeLines(file, { append: true })).run({ capacity: 1 })
      const { cause, suppressed } = await reason(running).finally(undo)
      expect(cause).toMatchObject({ cause: { code: 'ENOSPC' } })
      expect(suppressed).toEqual([])
      expect(text(file), `with ${ticks} ticks`).toBe('old\n')
    }
  })

  test('fails where nothing of a line is written', async () => {
    const file = fileOf(path('log.txt'), 'old\n')
    const undo = await writesWith((call, write, bytes) =>
      call > 0 ? Promise.resolve({ bytesWritten: 0 }) : write(bytes.subarray(0, 6)),
    )
    const running = write(['one', 'two'], writeLines(file, { append: true }))
    const { cause } = await reason(running).finally(undo)
    expect(cause).toMatchObject({ message: expect.stringContaining('nothing was written') as string })
    expect(text(file)).toBe('old\none\n')
  })

  test('tells once that what is packed found no room', async () => {
    const file = fileOf(path('log.gz'), gzipSync('old\n'))
    const undo = await writesWith(async (call, write, bytes) => {
      if (call === 0) return write(bytes)
      await new Promise(setImmediate)
      throw noRoom()
    })
    // The rest of what was given waits while the packer fails.
    const lines = async function* () {
      for (let i = 0; i < 100_000; i++) yield randomUUID()
    }
    const error = await reason(write(lines(), writeLines(file, { append: true }))).finally(undo)
    expect(error.cause).toMatchObject({ cause: { code: 'ENOSPC' } })
    expect(error.suppressed).toEqual([])
    expect(await run(readLines(file))).toEqual(['old'])
  })

  test('tells that what is packed found no room also where something else failed before', async () => {
    const file = fileOf(path('log.gz'), gzipSync('old\n'))
    const undo = await writesWith(() => Promise.reject(noRoom()))
    const error = await reason(write(failing(3), writeLines(file, { append: true }))).finally(undo)
    expect(error.cause).toEqual(new Error('no more'))
    expect(error.suppressed).toMatchObject([{ cause: { cause: { code: 'ENOSPC' } } }])
    expect(await run(readLines(file))).toEqual(['old'])
  })

  test('leaves what is packed as it was where there is no room', async () => {
    const file = fileOf(path('log.gz'), gzipSync('old\n'))
    const { stdout } = await runInShell(
      'ulimit -S -f 16; exec "$@"',
      'small',
      `import { randomUUID } from 'node:crypto'
      import { pipeline, source } from 'sluice'
      import { writeLines } from 'sluice/io'
      function* lines() { for (let i = 0; i < 50_000; i++) yield randomUUID() }
      await pipeline(source(lines()), writeLines(${JSON.stringify(file)}, { append: true }))
        .run()
        .catch((error) => console.log(error.cause?.cause?.code ?? error))`,
    )
    expect(stdout).toBe('EFBIG\n')
    expect(await run(readLines(file))).toEqual(['old'])
  })

  test('ends a line that was cut off', async () => {
    const file = fileOf(path('log.txt'), 'old')
    await write([], writeLines(file, { append: true }))
    expect(text(file)).toBe('old')
    await write(['new'], writeLines(file, { append: true }))
    expect(text(file)).toBe('old\nnew\n')
  })

  test('adds to what is packed', async () => {
    const file = path('log.gz')
    for (const line of ['a', 'b']) await write([line], writeLines(file, { append: true }))
    expect(gunzipSync(readFileSync(file)).toString()).toBe('a\nb\n')
    expect(await run(readLines(file))).toEqual(['a', 'b'])
  })

  test('ends a line that was cut off in what is packed', async () => {
    const file = fileOf(path('log.gz'), gzipSync('one\ntwo'))
    await write([], writeLines(file, { append: true }))
    expect(readFileSync(file)).toEqual(gzipSync('one\ntwo'))
    for (const line of ['three', 'four']) await write([line], writeLines(file, { append: true }))
    expect(gunzipSync(readFileSync(file)).toString()).toBe('one\ntwo\nthree\nfour\n')
    const rows = fileOf(path('rows.csv.gz'), gzipSync('a,b\n1,2'))
    await write([{ a: 3, b: 4 }], writeCsv(rows, { append: true }))
    expect(await run(readLines(rows))).toEqual(['a,b', '1,2', '3,4'])
  })

  test('adds nothing to what is named .gz and is not packed', async () => {
    const file = fileOf(path('log.gz'), 'plain\n')
    await expect(write(['a'], writeLines(file, { append: true }))).rejects.toThrow('Cannot ')
    expect(text(file)).toBe('plain\n')
    expect(openFiles(path())).toEqual([])
  })

  test('adds nothing to what is packed where nothing came', async () => {
    const file = path('log.gz')
    await write([], writeLines(file, { append: true }))
    expect(await run(readLines(file))).toEqual([])
    await write(['a'], writeLines(file, { append: true }))
    const before = readFileSync(file)
    expect(await write([], writeLines(file, { append: true, sync: true }))).toEqual({
      file,
      count: 0,
      bytes: 0,
    })
    expect(readFileSync(file)).toEqual(before)
  })

  test.each(['rows.csv', 'rows.csv.gz'])('gives %s a header where there was no row before', async (name) => {
    const file = path(name)
    for (const rows of [[], [{ a: 1 }], [{ a: 2 }]]) await write(rows, writeCsv(file, { append: true }))
    expect(await run(readLines(file))).toEqual(['a', '1', '2'])
  })

  test('gives rows the columns of the file', async () => {
    const file = path('rows.csv')
    await write([{ a: 1, b: 2 }], writeCsv(file))
    await write([{ b: 4, a: 3 }], writeCsv(file, { append: true }))
    expect(text(file)).toBe('a,b\n1,2\n3,4\n')
    await expect(write([{ a: 1, c: 2 }], writeCsv(file, { append: true }))).rejects.toThrow(
      'a key "c" that is no column: a, b',
    )
    await expect(write([{ a: 1 }], writeCsv(file, { append: true, columns: ['a'] }))).rejects.toThrow(
      'its columns are "a", "b", not "a"',
    )
    expect(text(file)).toBe('a,b\n1,2\n3,4\n')
  })
})

test('a position is where the next run goes on, where the file is appended to', async () => {
  const file = fileOf(path('rows.csv'), 'a,b\n1,2\nlost')
  const [definition] = writeCsv<object>(file, { append: true }).definitions
  const position = { size: 8, state: { columns: ['a', 'b'] } }
  const sink: Sink<object, Written> = { kind: 'sink', definitions: [definition.resume!(position)] }
  await write<object>([{ b: 4, a: 3 }], sink)
  expect(text(file)).toBe('a,b\n1,2\n3,4\n')
  expect(() => writeCsv<object>(file).definitions[0].resume!(position)).toThrow(
    'Cannot go on with writeCsv: it begins anew with each run, unless "append" is true',
  )
})

test('a position behind a packed line without an end tells so: nothing is unpacked for it', async () => {
  const file = fileOf(path('log.gz'), gzipSync('one'))
  const [definition] = writeLines(file, { append: true }).definitions
  const position = { size: readFileSync(file).length, state: undefined, cutOff: true }
  await write(['two'], { kind: 'sink', definitions: [definition.resume!(position)] })
  expect(gunzipSync(readFileSync(file)).toString()).toBe('one\ntwo\n')
})

test.each([true, false])(
  'what is no file is refused with sync before it is written to, append: %s',
  async (append) => {
    const file = path('pipe')
    const { execFileSync } = await import('node:child_process')
    execFileSync('mkfifo', [file])
    const asked = write(['a'], writeLines(file, { sync: true, append }))
    await expect(asked).rejects.toThrow(`Cannot write ${file}: it is no file: it cannot be synced`)
    const device = write(['a'], writeLines('/dev/null', { sync: true, append }))
    await expect(device).rejects.toThrow('Cannot write /dev/null: it is no file: it cannot be synced')
  },
)

test('a pipe to which is appended waits until somebody reads it, and a job refuses it at its start', async () => {
  const file = path('pipe')
  const { execFileSync } = await import('node:child_process')
  execFileSync('mkfifo', [file])
  const job = checkpoint(path('job'), pipeline(source(['a']), writeLines(file, { append: true })))
  await expect(job.run()).rejects.toThrow(
    `Cannot write ${file}: it is a pipe, which keeps nothing to go on from`,
  )
  const written = write(['a', 'b'], writeLines(file, { append: true }))
  // Nobody else opens it before that one.
  await new Promise((resolve) => setImmediate(resolve))
  const { stdout } = await runCommand('cat', [file], 10_000)
  expect(stdout).toBe('a\nb\n')
  expect(await written).toEqual({ file, count: 2, bytes: 4 })
})

test.each([true, false])('an abort ends the wait for who reads a pipe, append: %s', async (append) => {
  const file = path('pipe')
  const { execFileSync } = await import('node:child_process')
  execFileSync('mkfifo', [file])
  const started = pipeline(source(['a']), writeLines(file, { append })).start()
  await new Promise((resolve) => setTimeout(resolve, 50))
  const aborted = started.abort(new Error('given up'))
  await expect(started.result).rejects.toThrow('given up')
  await aborted
})

test('a job goes on where its output is a device', async () => {
  const lines = ['a', 'b']
  const job = () =>
    checkpoint(path('job'), pipeline(source(lines), writeLines('/dev/null', { append: true })))
  expect((await job().run()).last).toEqual({ file: '/dev/null', count: 2, bytes: 4 })
  lines.push('c')
  expect((await job().run()).last.count).toBe(1)
})

test.each([true, false])('a pipe of the shell is written to by its name, append: %s', async (append) => {
  const program = `
    import { pipeline, source } from 'sluice'
    import { writeLines } from 'sluice/io'
    await pipeline(source(['a', 'b']), writeLines('/dev/stdout', { append: ${append} })).run()`
  const { code, stdout, stderr } = await runInShell('"$@" | cat', 'bash', program)
  expect([code, stdout, stderr]).toEqual([0, 'a\nb\n', ''])
})

test('a slow disk holds the source back', async () => {
  const file = path('pipe')
  const { execFileSync } = await import('node:child_process')
  execFileSync('mkfifo', [file])
  // It opens its end and reads nothing.
  const reader = spawn('sh', ['-c', 'exec sleep 60 < "$1"', 'sh', file], { stdio: 'ignore' })
  const end = () => void reader.kill('SIGKILL')
  process.once('exit', end)
  try {
    let given = 0
    let told = (): void => {}
    const quiet = new Promise<void>((resolve) => (told = resolve))
    let timer: NodeJS.Timeout | undefined
    const lines = async function* () {
      for (;;) {
        given++
        clearTimeout(timer)
        // So much goes into the pipe, however slowly.
        if (given > 100) timer = setTimeout(told, 300)
        yield 'x'.repeat(999)
      }
    }
    const running = pipeline(source(lines()), writeLines(file)).start()
    await quiet
    expect(given).toBeLessThan(3000)
    end()
    await expect(running.result).rejects.toThrow('EPIPE')
  } finally {
    end()
    process.off('exit', end)
  }
})

describe('writeLines() to the standard output', () => {
  const program = (count: number) => `
    import { pipeline, range, map } from 'sluice'
    import { writeLines } from 'sluice/io'
    const before = process.stdout.listenerCount('error')
    const result = await pipeline(range(${count}), map(String), writeLines('-')).run().catch((error) => error.message)
    console.error(JSON.stringify(result), process.stdout.listenerCount('error') - before)`

  test('writes, and leaves nothing behind', async () => {
    const { code, stdout, stderr } = await runProgram(program(3))
    expect([code, stdout, stderr]).toEqual([0, '0\n1\n2\n', '{"file":"-","count":3,"bytes":6} 0\n'])
  })

  test('fails where its reader goes away', async () => {
    const { code, stdout, stderr } = await runInShell('"$@" | head -n 1', 'bash', program(1_000_000))
    expect([code, stdout]).toEqual([0, '0\n'])
    expect(stderr).toMatch(/^"Stage \\"writeLines\\" failed: Cannot write -: .*EPIPE.*" -?\d\n$/)
  })
})

/** An object that holds itself. */
function cycle(): object {
  const object: { own?: object } = {}
  return (object.own = object)
}

describe('a value that cannot be written', () => {
  test.each<[string, () => Promise<unknown>, string]>([
    [
      'no string',
      () => write([1 as never], writeLines(path('a'))),
      'Cannot write a line: it must be a string, got number',
    ],
    ['a line end', () => write(['a\nb'], writeLines(path('a'))), 'Cannot write a line: it holds a line end'],
    [
      'half of a character',
      () => write(['a', '\ud800'], writeLines(path('a'))),
      'Cannot write a line: it holds half of a character (a lone surrogate)',
    ],
    [
      'half of a character in a row',
      () => write([{ a: 'x' }, { a: '\udc00' }], writeCsv(path('a'))),
      'Cannot write a row: it holds half of a character (a lone surrogate)',
    ],
    [
      'half of a character in the name of a column',
      () => write([{ '\ud800': 1 }], writeCsv(path('a'))),
      'Cannot write a row: it holds half of a character (a lone surrogate)',
    ],
    [
      'undefined',
      () => write([undefined], writeJsonl(path('a'))),
      'Cannot write a value as JSON: undefined has no text',
    ],
    ['a bigint', () => write([1n], writeJsonl(path('a'))), 'Cannot write a value as JSON: Do not know how'],
    [
      'a cycle',
      () => write([cycle()], writeJsonl(path('a'))),
      'Cannot write a value as JSON: Converting circular',
    ],
    ['null', () => write([null as never], writeCsv(path('a'))), 'it must be an object or an array, got null'],
    [
      'a string',
      () => write(['ab' as never], writeCsv(path('a'))),
      'it must be an object or an array, got string',
    ],
    ['an empty object', () => write([{}], writeCsv(path('a'))), 'it has no keys'],
    [
      'another key',
      () => write([{ a: 1 }, { b: 1 }], writeCsv(path('a'))),
      'it has a key "b" that is no column: a',
    ],
    [
      'an object behind arrays',
      () => write<object>([[1], { a: 1 }], writeCsv(path('a'))),
      'it must be an array, as the ones before',
    ],
    [
      'an array that is too short',
      () => write<object>([{ a: 1, b: 1 }, [1]], writeCsv(path('a'))),
      'it must have 2 fields, got 1',
    ],
    [
      'a function in a column',
      () => write([{ a: () => 1 }], writeCsv(path('a'))),
      'Cannot write column "a": a function has no text',
    ],
    [
      'a column that has no JSON',
      () => write([{ a: { toJSON: () => undefined } }], writeCsv(path('a'))),
      'Cannot write column "a": an object has no text',
    ],
    [
      'a date that is none',
      () => write([{ id: 1, at: new Date('soon') }], writeCsv(path('a'))),
      'Cannot write column "at": the date is invalid',
    ],
    [
      'a bigint in an object of a column',
      () => write([{ id: 1 }, { id: { n: 1n } }], writeCsv(path('a'))),
      'Cannot write column "id": Do not know how',
    ],
    [
      'a cycle in a field of an array',
      () => write([[1, cycle()]], writeCsv(path('a'))),
      'Cannot write field 2: Converting circular structure to JSON --> ',
    ],
  ])('%s', async (_, work, message) => {
    await expect(work()).rejects.toThrow(message)
    expect(readdirSync(path())).toEqual([])
  })

  test('is skipped, and says nothing about the columns of the others', async () => {
    const file = path('rows.csv')
    const bad: unknown[] = []
    const rows = [null, 'x', {}, { x: () => 1 }, { a: 1, b: 2 }, { c: 3 }, { b: 4, a: 3 }] as object[]
    const written = await write(rows, writeCsv(file, { onError: ({ value }) => void bad.push(value) }))
    expect(written.count).toBe(2)
    expect(text(file)).toBe('a,b\n1,2\n3,4\n')
    expect(bad).toHaveLength(5)
  })

  test('with half of a character is told behind those before it, and the others are written', async () => {
    const file = path('lines.txt')
    const lines = ['\udc00', 'é', '😀', 'a\ud83d', 'b\n', '\ude00b', '€', '\ud800\ud800', '']
    const bad: unknown[] = []
    const written = await write(lines, writeLines(file, { onError: ({ value }) => void bad.push(value) }))
    expect(bad.toSorted()).toEqual(lines.filter((line) => !/^[é😀€]?$/u.test(line)).toSorted())
    expect(text(file)).toBe('é\n😀\n€\n\n')
    expect(written.count).toBe(4)
    const added = await reason(write(['c', '\ud800', 'd'], writeLines(file, { append: true })))
    expect(added.value).toBe('\ud800')
    expect(text(file)).toBe('é\n😀\n€\n\nc\n')
    const rows = [{ a: '\ud800' }, { '\ud800': 2 }, { b: 'x' }, { b: '\ud800' }, { b: 'y' }]
    await write<object>(rows, writeCsv(file, { onError: 'skip' }))
    expect(text(file)).toBe('b\nx\ny\n')
  })

  test('is not spared by JSON, which escapes half of a character', async () => {
    await write(['\ud800'], writeJsonl(path('a')))
    expect(text(path('a'))).toBe('"\\ud800"\n')
  })
})

describe('writeCsv()', () => {
  test.each<[string, object[], CsvWriteOptions<object>, string]>([
    ['the keys of the first row as the header', [{ a: 1, b: null }, { b: 'x' }], {}, 'a,b\n1,\n,x\n'],
    ['the columns that are asked for', [{ a: 1, b: 2 }], { columns: ['b', 'z'] }, 'b,z\n2,\n'],
    ['no header where it is not wished', [{ a: 1 }], { header: false }, '1\n'],
    ['a header where there is no row', [], { columns: ['a', 'b'] }, 'a,b\n'],
    ['nothing where nothing is known', [], {}, ''],
    [
      'arrays without a header',
      [
        [1, 'a'],
        [2, 'b'],
      ],
      {},
      '1,a\n2,b\n',
    ],
    [
      'nothing in columns that a row lacks, though every object has something of that name',
      [
        { id: 1 },
        Object.defineProperty({ constructor: 'own' }, '__proto__', { value: 'p', enumerable: true }),
      ],
      { columns: ['id', 'constructor', 'toString', '__proto__'] },
      'id,constructor,toString,__proto__\n1,,,\n,own,,p\n',
    ],
    [
      'what a getter of the class of a row gives',
      [
        new (class {
          get total() {
            return 2
          }
        })(),
      ],
      { columns: ['total'] },
      'total\n2\n',
    ],
    ['arrays with a header', [[1, 'a']], { columns: ['n', 't'] }, 'n,t\n1,a\n'],
    [
      'quotes where they are needed',
      [['a"b', 'c,d', 'e\nf', 'g\rh', ' i', 'j ', "k'l"]],
      {},
      '"a""b","c,d","e\nf","g\rh"," i","j ",k\'l\n',
    ],
    ['quotes around a single empty field', [[''], [null]], {}, '""\n""\n'],
    ['quotes around a single empty name', [{ '': 1 }], {}, '""\n1\n'],
    ['CR LF', [{ a: 1 }, { a: 2 }], { newline: '\r\n' }, 'a\r\n1\r\n2\r\n'],
    ['another delimiter', [{ a: 'x;y', b: 'x,y' }], { delimiter: ';' }, 'a;b\n"x;y";x,y\n'],
    [
      'values as text',
      [[true, 1n, new Date(0), { a: 1 }, undefined, NaN]],
      {},
      'true,1,1970-01-01T00:00:00.000Z,"{""a"":1}",,NaN\n',
    ],
  ])('writes %s', async (_, rows, options, expected) => {
    await write(rows, writeCsv(path('rows.csv'), options))
    expect(text(path('rows.csv'))).toBe(expected)
  })

  test('has tabs in a .tsv', async () => {
    await write([{ a: 1, b: 'x\ty' }], writeCsv(path('rows.tsv')))
    expect(text(path('rows.tsv'))).toBe('a\tb\n1\t"x\ty"\n')
  })
})

test.each<[unknown, CsvWriteOptions<object> | FileWriteOptions<object> | Record<string, unknown>, string]>([
  ['', {}, '"path" must be a path or a file: URL, got ""'],
  [['a'], {}, '"path" must be a path or a file: URL, got Array'],
  [new URL('http://localhost/'), {}, '"path" must be a path or a file: URL, got URL'],
  ['a\ud800', {}, '"path" must be of whole characters, got "a\\ud800"'],
  ['a', null as never, '"options" must be an object, got null'],
  ['a', { append: 1 }, '"append" must be a boolean, got 1'],
  ['a.br', { append: true }, '"append" must be false for a .br or .zst file, got true'],
  ['a.zst', { append: true }, '"append" must be false for a .br or .zst file, got true'],
  ['a', { sync: 'yes' }, '"sync" must be a boolean, got "yes"'],
  ['a', { columns: [] }, '"columns" must be a list of at least one name, got Array'],
  ['a', { columns: 'a' }, '"columns" must be a list of at least one name, got "a"'],
  ['a', { columns: ['a', 'b', 'a'] }, '"columns" must be names of which none comes twice, got "a"'],
  ['a', { header: 'a' }, '"header" must be a boolean, got "a"'],
  ['a', { delimiter: '"' }, '"delimiter" must be one character that is no quote and ends no line, got "\\""'],
  ['a', { newline: '\r' }, '"newline" must be \'\\n\' or \'\\r\\n\', got "\\r"'],
  ['a', { onError: 1 }, `"onError" must be 'fail', 'skip' or a function, got 1`],
])('writeCsv() of %o with %o is refused where the stage is made', (path, options, message) => {
  expect(() => writeCsv(path as string, options as CsvWriteOptions<object>)).toThrow(
    `Cannot create writeCsv: ${message}`,
  )
})
