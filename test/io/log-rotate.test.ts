import fs, { copyFileSync, renameSync, rmSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { gzipSync } from 'node:zlib'
import { describe, expect, test, vi } from 'vitest'
import { pipeline, source } from 'sluice'
import { appendLog, openLog, type LogOptions } from 'sluice/io'
import { type AppendLogOptions, appendTo } from '../../src/io/log/append-log.ts'
import { type Disk, disk } from '../../src/io/log/disk.ts'
import { rejection, until } from '../pipeline/support-waiting.ts'
import { LogFolder, numbered, systemError, warningsOf } from './support-log.ts'

const append = (file: string, lines: string[], options: LogOptions) =>
  pipeline(source(lines), appendLog(file, options)).run()

describe('a log is rotated', () => {
  test.each(['written', 'synced'] as const)('by size, between two lines, at level %s', async (level) => {
    using folder = new LogFolder()
    const lines = numbered(2000)
    const acknowledged: string[] = []
    const onAcknowledged = (values: readonly string[]) => void acknowledged.push(...values)
    const options: AppendLogOptions<string> = { level, rotate: { bytes: 5000 }, onAcknowledged }
    const summary = await pipeline(source(lines), appendLog(folder.file, options)).run()
    expect(folder.allLines).toEqual(lines)
    expect(acknowledged).toEqual(lines)
    const names = folder.names
    expect(names).toHaveLength(summary.rotated + 1)
    expect(names.slice(0, 3)).toEqual(['app.log', 'app.log.000001', 'app.log.000002'])
    for (const name of names.slice(1)) {
      const { length } = Buffer.from(folder.text(name))
      expect(length).toBeLessThanOrEqual(5000)
      expect(length).toBeGreaterThan(5000 - 40)
    }
  })

  test('also where a line is longer than a file may be: that has one to itself', async () => {
    using folder = new LogFolder()
    const lines = ['a', 'x'.repeat(50), 'b', 'c', 'y'.repeat(20)]
    await append(folder.file, lines, { rotate: { bytes: 10 } })
    expect(folder.names.slice(1).map((name) => folder.lines(name))).toEqual([
      [lines[0]],
      [lines[1]],
      ['b', 'c'],
    ])
    expect(folder.lines()).toEqual([lines[4]])
  })

  test('by time: the first line after it begins another file', async () => {
    using folder = new LogFolder()
    const began = performance.now()
    await using log = await openLog(folder.file, { rotate: { ms: 60 } })
    await log.append('one')
    while (log.summary().rotated === 0) await log.append(`after ${performance.now() - began}`)
    expect(performance.now() - began).toBeGreaterThan(55)
    expect(folder.names).toEqual(['app.log', 'app.log.000001'])
    const [, ...before] = folder.lines('app.log.000001')
    const at = (line: string) => Number(line.slice('after '.length))
    expect(Math.max(...before.map(at))).toBeLessThan(at(folder.lines()[0]))
  })

  test('by time, also where the clock is set back', async () => {
    using folder = new LogFolder()
    const clock = vi.spyOn(Date, 'now')
    const began = Date.now()
    try {
      await using log = await openLog(folder.file, { rotate: { ms: 60_000 } })
      for (const [line, at] of Object.entries({
        one: 0,
        two: -3_600_000,
        three: -3_540_001,
        four: -3_540_000,
      })) {
        clock.mockReturnValue(began + at)
        await log.append(line)
      }
    } finally {
      clock.mockRestore()
    }
    expect(folder.lines('app.log.000001')).toEqual(['one', 'two', 'three'])
    expect(folder.lines()).toEqual(['four'])
  })

  test('but not where somebody else has rotated it: that would take the place of an old file', async () => {
    using folder = new LogFolder()
    const log = await openLog(folder.file, { rotate: { bytes: 8 } })
    await log.append('one')
    // As another process does that writes to it as well.
    renameSync(folder.file, `${folder.file}.000001`)
    folder.write('other\n')
    await expect(log.append(['two', 'three'])).rejects.toThrow(
      `Cannot append to "${folder.file}": somebody else writes to it, and has rotated it`,
    )
    await expect(log.close()).rejects.toThrow('somebody else')
    expect(folder.lines('app.log.000001')).toEqual(['one', 'two'])
    expect(folder.lines()).toEqual(['other'])
  })

  test('nor where of the files that somebody else has rotated the first is there no more', async () => {
    using folder = new LogFolder()
    const log = await openLog(folder.file, { rotate: { bytes: 8 } })
    await log.append('one')
    renameSync(folder.file, `${folder.file}.000002`)
    folder.write('other\n')
    await expect(log.append(['two', 'three'])).rejects.toThrow(
      'somebody else writes to it, and has rotated it',
    )
    await expect(log.close()).rejects.toThrow('somebody else')
    expect(folder.lines()).toEqual(['other'])
  })

  test('also beside a copy of it whose date looks like the number of an old file', async () => {
    using folder = new LogFolder()
    await using log = await openLog(folder.file, { rotate: { bytes: 8 } })
    await log.append('one')
    copyFileSync(folder.file, `${folder.file}.20261127`)
    await log.append(['two', 'three'])
    expect(folder.names).toEqual(['app.log', 'app.log.000001', 'app.log.20261127'])
    expect(folder.lines('app.log.000001')).toEqual(['one', 'two'])
  })

  test('without a look at the whole folder each time', async () => {
    using folder = new LogFolder()
    const listed = vi.spyOn(fs.promises, 'readdir')
    syncBuiltinESMExports()
    try {
      await append(folder.file, numbered(50), { rotate: { bytes: 1 } })
      expect(listed.mock.calls.length).toBeLessThan(4)
    } finally {
      listed.mockRestore()
      syncBuiltinESMExports()
    }
    expect(folder.names).toHaveLength(50)
  })

  test('and goes on with the next number', async () => {
    using folder = new LogFolder()
    folder.write('old\n', 'app.log.000041')
    folder.write('not ours\n', 'app.log.1')
    folder.write('not ours\n', 'other.log.000050')
    await append(folder.file, ['1234', '5678', '90'], { rotate: { bytes: 5 } })
    expect(folder.names).toEqual([
      'app.log',
      'app.log.000041',
      'app.log.000042',
      'app.log.000043',
      'app.log.1',
      'other.log.000050',
    ])
  })

  test('and only so many old files are kept', async () => {
    using folder = new LogFolder()
    await append(folder.file, numbered(20), { rotate: { bytes: 30, keep: 3 } })
    expect(folder.names).toEqual(['app.log', 'app.log.000017', 'app.log.000018', 'app.log.000019'])
    expect(folder.allLines).toEqual(numbered(4, 16))
  })

  test('and none of these is removed where somebody else has taken another', async () => {
    using folder = new LogFolder()
    const log = await openLog(folder.file, { rotate: { bytes: 1, keep: 2 } })
    for (const line of ['one', 'two', 'three']) await log.append(line)
    rmSync(folder.at('app.log.000002'))
    await log.append('four')
    await log.close()
    expect(folder.names).toEqual(['app.log', 'app.log.000001', 'app.log.000003'])
  })

  test('and old files are compressed, none lost', async () => {
    using folder = new LogFolder()
    const lines = numbered(500)
    await append(folder.file, lines, { rotate: { bytes: 3000, gzip: true } })
    const [newest, ...old] = folder.names
    expect(newest).toBe('app.log')
    expect(old.length).toBeGreaterThan(2)
    for (const name of old) expect(name).toMatch(/^app\.log\.\d{6}\.gz$/)
    expect(folder.allLines).toEqual(lines)
  })
})

describe('a crash', () => {
  const gzip: LogOptions = { rotate: { bytes: 1000, gzip: true } }

  test('between the two steps of a rotation leaves no log: the next start makes one', async () => {
    using folder = new LogFolder()
    folder.write('one\n', 'app.log.000001')
    expect(await append(folder.file, ['two'], { rotate: { bytes: 5 } })).toMatchObject({ rotated: 1 })
    expect(folder.allLines).toEqual(['one', 'two'])
  })

  test('in a compression leaves half of it: the next start does it again', async () => {
    using folder = new LogFolder()
    folder.write('one\n', 'app.log.000001')
    folder.write('half', 'app.log.000001.gz.tmp')
    await append(folder.file, ['two'], gzip)
    expect(folder.names).toEqual(['app.log', 'app.log.000001.gz'])
    expect(folder.allLines).toEqual(['one', 'two'])
  })

  test('after a compression leaves both: the next start keeps one', async () => {
    using folder = new LogFolder()
    folder.write('one\n', 'app.log.000001')
    const { writeFileSync } = await import('node:fs')
    writeFileSync(folder.at('app.log.000001.gz'), gzipSync('one\n'))
    await append(folder.file, ['two'], gzip)
    expect(folder.names).toEqual(['app.log', 'app.log.000001.gz'])
    expect(folder.allLines).toEqual(['one', 'two'])
  })
})

describe('when there is no room', () => {
  test('for another file, a rotation is done by halves, and the rest is tried again', async () => {
    using folder = new LogFolder()
    let opened = 0
    let refused = 0
    const tight: Disk = {
      ...disk,
      async open(path, flags) {
        if (flags === 'a+' && opened++ > 0 && refused < 3) {
          refused++
          throw systemError('ENOSPC')
        }
        return disk.open(path, flags)
      },
    }
    const lines = numbered(10)
    const options: AppendLogOptions<string> = { rotate: { bytes: 100 }, whenFull: 'wait', retry: 1 }
    await pipeline(source(lines), appendTo<string>(tight, folder.file, options)).run()
    expect(refused).toBe(3)
    expect(folder.allLines).toEqual(lines)
  })

  test('for an old file to be compressed, it stays as it is, with a warning', async () => {
    using folder = new LogFolder()
    // Nobody can write to a folder.
    const { mkdirSync, rmdirSync } = await import('node:fs')
    mkdirSync(folder.at('app.log.000001.gz.tmp'))
    const options: LogOptions = { rotate: { bytes: 5, gzip: true } }
    const warnings = await warningsOf(() => append(folder.file, ['1234', '5678'], options))
    rmdirSync(folder.at('app.log.000001.gz.tmp'))
    expect(warnings.join()).toContain(`Cannot tidy the old files of ${folder.file}`)
    expect(folder.allLines).toEqual(['1234', '5678'])
  })
})

test('what has become too old while an old file could not be compressed is removed: a full disk may lack that room', async () => {
  using folder = new LogFolder()
  const own = { ...disk }
  // Only what is compressed is renamed by this one.
  const renaming = vi.spyOn(disk, 'rename').mockImplementationOnce(async () => {
    await until(() => folder.names.includes('app.log.000009'))
    throw systemError('ENOSPC')
  })
  try {
    const rotate = { bytes: 5, keep: 2, gzip: true }
    const sink = appendTo<string>(own, folder.file, { rotate })
    const warnings = await warningsOf(() => pipeline(source(numbered(10)), sink).run())
    expect(warnings).toHaveLength(1)
    expect(folder.names).toEqual(['app.log', 'app.log.000008.gz', 'app.log.000009.gz'])
  } finally {
    renaming.mockRestore()
  }
})

test('an abort does not wait for a compression, and loses nothing by that', async () => {
  using folder = new LogFolder()
  folder.write(`${'x'.repeat(20_000_000)}\n`, 'app.log.000001')
  const run = pipeline(
    source(async function* () {
      yield 'one'
      await new Promise(() => {})
    }),
    appendLog(folder.file, { rotate: { bytes: 100, gzip: true } }),
  ).start()
  await until(() => folder.names.includes('app.log.000001.gz.tmp'))
  await run.abort()
  await rejection(run.result)
  expect(folder.names).toEqual(['app.log', 'app.log.000001'])
  expect(folder.text('app.log.000001')).toHaveLength(20_000_001)
})
