/** What programs and people do to a log that they should not: it is refused, or harmless, or noticed. */
import { mkdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { describe, expect, test, vi } from 'vitest'
import { drain, pipeline, source } from 'sluice'
import { appendLog, checkpoint, openLog } from 'sluice/io'
import { blocksOf } from '../../src/io/log/block.ts'
import { type Disk, disk } from '../../src/io/log/disk.ts'
import { openAppender } from '../../src/io/log/open-log.ts'
import { logSettings } from '../../src/io/log/options.ts'
import { LogFolder, numbered } from './support-log.ts'

describe('a log', () => {
  test('has its file to itself, whatever it is called, also where it is not there yet', async () => {
    using folder = new LogFolder()
    mkdirSync(folder.at('real'))
    symlinkSync(folder.at('real'), folder.at('link'))
    symlinkSync(folder.at('real/app.log'), folder.at('other.log'))
    await using _ = await openLog(folder.at('link/app.log'))
    for (const name of ['link/app.log', 'real/app.log', 'other.log'])
      await expect(openLog(folder.at(name))).rejects.toThrow('this process is writing to it already')
  })

  test('makes the file that a link points at, and rotates that', async () => {
    using folder = new LogFolder()
    mkdirSync(folder.at('real'))
    symlinkSync('real/app.log', folder.file)
    const log = await openLog(folder.file, { rotate: { bytes: 10 } })
    await log.append(['12345678', '12345678'])
    await log.close()
    expect(folder.names).toEqual(['app.log', 'real'])
    expect(realpathSync(folder.file)).toBe(realpathSync(folder.at('real/app.log')))
    expect(folder.text('real/app.log.000001')).toBe('12345678\n')
  })

  test('is where its name leads, also through the folder above one that is linked', async () => {
    using folder = new LogFolder()
    mkdirSync(folder.at('real/inner'), { recursive: true })
    symlinkSync('real/inner', folder.at('link'))
    const log = await openLog(`${folder.path}/link/../app.log`)
    await log.close()
    expect(folder.names).toEqual(['link', 'real'])
    expect(folder.text('real/app.log')).toBe('')
  })

  test('has no name that ends with a slash', async () => {
    using folder = new LogFolder()
    await expect(openLog(`${folder.file}/`)).rejects.toThrow('EISDIR: what ends with a slash is no file')
    expect(folder.names).toEqual([])
  })

  test('takes the lines as they are when they are given', async () => {
    using folder = new LogFolder()
    const log = await openLog(folder.file, { flush: { count: 2 } })
    const lines = ['a', 'b', 'c', 'd', 'e', 'f']
    const appended = log.append(lines)
    lines.length = 0
    await appended
    await log.close()
    expect(folder.lines()).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
  })

  test.each(['written', 'synced'] as const)(
    'takes many lines that nobody waits for, in their order: %s',
    async (level) => {
      using folder = new LogFolder()
      const log = await openLog(folder.file, { level, flush: { bytes: 1000, ms: 1 } })
      const lines = numbered(60_000)
      const told: number[] = []
      const appended = lines.map((line, n) => log.append(line).then(() => void told.push(n)))
      await Promise.all(appended)
      await log.close()
      expect(folder.lines()).toEqual(lines)
      expect(told).toEqual([...lines.keys()])
    },
  )

  test('holds a line for as long as it was asked to, however long', async () => {
    using folder = new LogFolder()
    const log = await openLog(folder.file, { flush: { ms: 2 ** 32 } })
    let written = false
    const appended = log.append('a').then(() => (written = true))
    // A timer of a millisecond would have come by then.
    const after = performance.now() + 20
    while (performance.now() < after) await new Promise(setImmediate)
    expect(written).toBe(false)
    await log.close()
    await appended
  })

  test('fails where its file was removed with what was written', async () => {
    using folder = new LogFolder()
    const log = await openLog(folder.file)
    await log.append('a')
    rmSync(folder.file)
    await expect(log.close()).rejects.toThrow(`Cannot append to "${folder.file}": somebody has removed it`)
    const remove = { onAcknowledged: () => rmSync(folder.file) }
    const run = pipeline(source(['a']), appendLog(folder.file, remove)).run()
    await expect(run).rejects.toThrow('somebody has removed it')
    await (await openLog(folder.file)).close()
  })

  test('closes its file once, also where it is let go of after its end has failed', async () => {
    using folder = new LogFolder()
    let closed = 0
    const counting: Disk = { ...disk, close: (fd) => (closed++, disk.close(fd)) }
    const settings = logSettings('openLog', folder.file, {})
    const appender = await openAppender(folder.file, settings, {}, undefined, counting)
    await appender.append(blocksOf(['a'])!)
    rmSync(folder.file)
    await expect(appender.close()).rejects.toThrow('somebody has removed it')
    await appender.abort()
    expect(closed).toBe(1)
  })

  test('refuses what is no line, and a device that cannot be synced, in words', async () => {
    using folder = new LogFolder()
    const log = await openLog(folder.file)
    await expect(log.append(5 as never)).rejects.toThrow('wanted a string or an array of strings, got number')
    await expect(log.append(['fine', 5 as never])).rejects.toThrow('wanted a string, got number')
    // eslint-disable-next-line no-sparse-arrays -- a hole is no line either
    await expect(log.append(['fine', , 'fine'] as never)).rejects.toThrow('wanted a string, got undefined')
    expect(await log.close()).toMatchObject({ lines: 0 })
    await expect(openLog('/dev/null', { level: 'synced' })).rejects.toThrow(
      'it is no file: it cannot be synced',
    )
  })
})

test('another copy of the module, as of the other build, refuses a log and a checkpoint that are in use', async () => {
  using folder = new LogFolder()
  const log = await openLog(folder.file)
  const file = folder.at('job')
  const job = pipeline(source(['a']), drain())
  vi.resetModules()
  const copy = await import('../../src/io/index.ts')
  expect(copy.openLog).not.toBe(openLog)
  await expect(copy.openLog(folder.file)).rejects.toThrow('this process is writing to it already')
  const running = checkpoint(file, job).run()
  await expect(copy.checkpoint(file, job).run()).rejects.toThrow('a job of this process is using it')
  await running
  await log.close()
})
