import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync, truncateSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { afterAll, describe, expect, test } from 'vitest'
import { map, pipeline, range, type Run, source, type StageError } from 'sluice'
import { appendLog, type LogSummary, openLog } from 'sluice/io'
import { type AppendLogOptions, appendTo } from '../../src/io/log/append-log.ts'
import { type Disk, disk } from '../../src/io/log/disk.ts'
import { rejection, turns, until } from '../pipeline/support-waiting.ts'
import { bundledFile } from '../support/bundled-program.ts'
import { LogFolder, numbered, smallDisk, systemError, warningsOf } from './support-log.ts'

const wait: AppendLogOptions<string> = { whenFull: 'wait', retry: 2 }

describe('a write that takes only a part', () => {
  test.each([1, 7, 100, 4096])('goes on behind it, %i bytes at a time', async (most) => {
    using folder = new LogFolder()
    const lines = numbered(200)
    const short: Disk = {
      ...disk,
      write: (fd, bytes, from, length) => disk.write(fd, bytes, from, Math.min(most, length)),
    }
    await pipeline(source(lines), appendTo(short, folder.file, {})).run()
    expect(folder.lines()).toEqual(lines)
  })

  test('and nothing at all is a full disk', async () => {
    using folder = new LogFolder()
    const nothing: Disk = { ...disk, write: () => Promise.resolve(0) }
    const error = await rejection(pipeline(source(['a']), appendTo<string>(nothing, folder.file, {})).run())
    expect(error).toMatchObject({ cause: { code: 'ENOSPC' } })
  })
})

test('an old file is compressed also where a full disk is told of only when it is closed', async () => {
  using folder = new LogFolder()
  let closed = 0
  const late: Disk = {
    ...disk,
    async close(fd) {
      await disk.close(fd)
      if (++closed === 2) throw systemError('ENOSPC')
    },
  }
  const settings = { ...wait, rotate: { bytes: 1, gzip: true } }
  await pipeline(source(['a', 'b', 'c', 'd']), appendTo<string>(late, folder.file, settings)).run()
  expect(folder.names).toEqual(['app.log', ...[1, 2, 3].map((n) => `app.log.00000${n}.gz`)])
})

describe.each(['written', 'synced'] as const)('on a full disk, at level %s', (level) => {
  test('fails with whole lines in the file, and has acknowledged just these', async () => {
    using folder = new LogFolder()
    const acknowledged: string[] = []
    const onAcknowledged = (lines: readonly string[]) => void acknowledged.push(...lines)
    const sink = appendTo<string>(smallDisk(1000), folder.file, { level, onAcknowledged })
    const error = (await rejection(pipeline(source(numbered(300)), sink).run())) as StageError
    expect(error.cause).toMatchObject({
      code: 'ENOSPC',
      message: `Cannot append to "${folder.file}": ENOSPC: as the test wants`,
    })
    expect(error.suppressed).toEqual([])
    const lines = folder.lines()
    expect(lines).toEqual(numbered(lines.length))
    expect(lines.length).toBeGreaterThan(30)
    expect(acknowledged).toEqual(lines)
  })

  test('holds the producers, says so, and loses nothing when there is room again', async () => {
    using folder = new LogFolder()
    const small = smallDisk(1000)
    const lines = numbered(4000)
    let made = 0
    const acknowledged: string[] = []
    const onAcknowledged = (values: readonly string[]) => void acknowledged.push(...values)
    const options = { ...wait, level, flush: { bytes: 4000 }, onAcknowledged }
    let run!: Run<LogSummary>
    const warnings = await warningsOf(async () => {
      run = pipeline(
        source(lines),
        map((line) => (made++, line), { capacity: 10 }),
        appendTo<string>(small, folder.file, options),
      ).start({ capacity: 10 })
      await until(() => small.refused >= 5)
      expect(made).toBeLessThan(1000)
      expect(run.describe().nodes.at(-1)).toMatchObject({
        doing: `waits for room on the disk for "${folder.file}"`,
      })
      const before = run.stats().stages[2]
      await until(() => run.stats().stages[2].waitingOutput > before.waitingOutput)
      // A sync may be under way.
      await until(() => acknowledged.length === folder.wholeLines.length)
      expect(folder.wholeLines).toEqual(acknowledged)
      while (acknowledged.length < lines.length) {
        const { refused } = small
        small.room += 20_000
        await until(() => small.refused > refused || acknowledged.length === lines.length)
      }
    })
    expect(warnings).toEqual([`Waiting for room on the disk for "${folder.file}": ENOSPC: as the test wants`])
    const summary = await run.result
    expect(folder.lines()).toEqual(lines)
    expect(acknowledged).toEqual(lines)
    expect(summary.lines).toBe(4000)
    expect(summary.waited).toBeGreaterThan(5)
  })

  test('is aborted at once, and keeps what it has acknowledged', async () => {
    using folder = new LogFolder()
    const small = smallDisk(1000)
    const acknowledged: string[] = []
    const onAcknowledged = (values: readonly string[]) => void acknowledged.push(...values)
    const options = { ...wait, retry: 1e6, level, onAcknowledged }
    const run = pipeline(source(numbered(5000)), appendTo<string>(small, folder.file, options)).start()
    await until(() => small.refused > 0 && acknowledged.length > 0)
    // It would try again when this test has long been given up.
    await run.abort(new Error('enough'))
    await expect(run.result).rejects.toThrow('enough')
    expect(folder.lines()).toEqual(acknowledged)
  })
})

describe('while it waits for room', () => {
  test('a stop tries once more and then fails, so that nothing is lost in silence', async () => {
    using folder = new LogFolder()
    const small = smallDisk(1000)
    const sink = appendTo<string>(small, folder.file, { ...wait, retry: 1e6 })
    const run = pipeline(source(numbered(5000)), sink).start()
    await until(() => small.refused > 0)
    await expect(run.stop()).rejects.toMatchObject({ cause: { code: 'ENOSPC' } })
    expect(small.refused).toBeGreaterThan(1)
    expect(folder.lines()).toEqual(numbered(folder.lines().length))
  })

  test('a stop loses nothing where there is room by then', async () => {
    using folder = new LogFolder()
    const small = smallDisk(1000)
    const sink = appendTo<string>(small, folder.file, { ...wait, retry: 1e6 })
    const run = pipeline(source(numbered(200)), sink).start()
    await until(() => small.refused > 0)
    small.room = 1e6
    expect(await run.stop()).toMatchObject({ lines: 200 })
    expect(folder.lines()).toEqual(numbered(200))
  })

  test('the failure of a stage before it waits with it, and an abort ends that', async () => {
    using folder = new LogFolder()
    const small = smallDisk(1000)
    const boom = new Error('boom')
    const failing = map((line: string, index) => {
      if (index === 100) throw boom
      return line
    })
    const sink = appendTo<string>(small, folder.file, { ...wait, retry: 1e6, flush: { count: 1000 } })
    const run = pipeline(source(numbered(200)), failing, sink).start()
    const result = rejection(run.result)
    await until(() => small.refused > 0)
    await run.abort(new Error('enough'))
    expect(await result).toMatchObject({ message: 'enough' })
    expect(folder.lines()).toEqual(numbered(folder.lines().length))
  })

  test('the end of the input waits with it', async () => {
    using folder = new LogFolder()
    const small = smallDisk(100)
    const run = pipeline(source(numbered(20)), appendTo<string>(small, folder.file, wait)).start()
    await until(() => small.refused > 2)
    expect(run.describe().nodes.at(-1)).toMatchObject({ doing: expect.stringContaining('room on the disk') })
    small.room = 1e6
    expect(await run.result).toMatchObject({ lines: 20 })
    expect(folder.lines()).toEqual(numbered(20))
  })

  test('somebody may empty the file to make room: what comes then begins at its beginning', async () => {
    using folder = new LogFolder()
    const small = smallDisk(1000)
    const lines = numbered(100)
    const run = pipeline(source(lines), appendTo<string>(small, folder.file, { ...wait, retry: 200 })).start()
    await until(() => run.describe().nodes.at(-1)!.doing!.includes('room on the disk'))
    const first = folder.lines()
    truncateSync(folder.file)
    small.room = 1e6
    await run.result
    expect([...first, ...folder.lines()]).toEqual(lines)
  })

  test('and it is emptied in the middle of a line: what is left of that is cut off', async () => {
    using folder = new LogFolder()
    const small = smallDisk(1000)
    const emptied: string[] = []
    const emptying: Disk = {
      ...small,
      async write(fd, bytes, from, length) {
        if (emptied.length === 0) {
          const count = await disk.write(fd, bytes, from, 50)
          emptied.push(...folder.wholeLines)
          truncateSync(folder.file)
          return count
        }
        return small.write(fd, bytes, from, length)
      },
    }
    const lines = numbered(100)
    const run = pipeline(source(lines), appendTo<string>(emptying, folder.file, wait)).start()
    await until(() => small.refused > 0)
    small.room = 1e6
    await run.result
    // The line that was cut in two when somebody emptied the file is gone with what was before it.
    const [rest, ...others] = folder.lines()
    expect(lines[emptied.length].endsWith(rest)).toBe(true)
    expect(others).toEqual(lines.slice(emptied.length + 1))
  })

  test('a run that stalls says what it waits for', async () => {
    using folder = new LogFolder()
    const small = smallDisk(100)
    const warnings = await warningsOf(async () => {
      const stalled = new Promise<void>((resolve) => {
        process.on('warning', function heard({ name }) {
          if (name !== 'SluiceWarning') return
          process.off('warning', heard)
          resolve()
        })
      })
      // To open the file may take a while, and is waited for as well.
      const run = pipeline(source(numbered(20)), appendTo<string>(small, folder.file, wait)).start({
        stallAfter: 500,
      })
      await stalled
      await run.abort()
      await rejection(run.result)
    })
    expect(warnings.join()).toContain(`"appendLog" waits for room on the disk for "${folder.file}"`)
  })
})

test('does not cut off what somebody else has written', async () => {
  using folder = new LogFolder()
  const intruding: Disk = {
    ...disk,
    async write(fd, bytes, from) {
      await disk.write(fd, bytes, from, 5)
      await disk.write(fd, Buffer.from('not ours\n'), 0, 9)
      throw systemError('ENOSPC')
    },
  }
  // A disk that says it has failed has not written, as far as we know.
  const error = await rejection(
    pipeline(source(['0123456789']), appendTo<string>(intruding, folder.file, {})).run(),
  )
  expect(error).toMatchObject({ cause: { code: 'ENOSPC' } })
  expect(folder.text()).toBe('01234not ours\n')

  let calls = 0
  const late: Disk = {
    ...disk,
    async write(fd, bytes, from) {
      if (calls++ > 0) throw systemError('ENOSPC')
      await disk.write(fd, Buffer.from('not ours\n'), 0, 9)
      return disk.write(fd, bytes, from, 5)
    },
  }
  using other = new LogFolder()
  const refusal = await rejection(
    pipeline(source(['0123456789']), appendTo<string>(late, other.file, {})).run(),
  )
  expect(refusal).toMatchObject({ message: expect.stringContaining('somebody else writes to it') })
  expect(other.text()).toBe('not ours\n01234')
})

describe('on a device that is always full', () => {
  test('it fails', async () => {
    const error = await rejection(pipeline(source(['a']), appendLog('/dev/full')).run())
    expect(error).toMatchObject({ cause: { code: 'ENOSPC' } })
  })

  test('it holds the producers as long as it is told to, and an abort ends it', async () => {
    let made = 0
    const run = pipeline(
      range(1_000_000),
      map((n) => (made++, `line ${n}`)),
      appendLog('/dev/full', wait),
    ).start()
    await until(() => run.stats().stages[2].waitingOutput > 0)
    await turns(20)
    const held = made
    await turns(20)
    expect(made).toBe(held)
    expect(made).toBeLessThan(100_000)
    await run.abort()
    await rejection(run.result)
  })

  test('openLog() waits, also at its end, until its signal is aborted', async () => {
    const ender = new AbortController()
    const warned = once(process, 'warning')
    const log = await openLog('/dev/full', { whenFull: 'wait', retry: 1e6, signal: ender.signal })
    const ends = [rejection(log.append('a')), rejection(log.close())]
    expect(String(await warned)).toContain('Waiting for room on the disk for "/dev/full"')
    ender.abort()
    for (const end of ends) expect(await end).toMatchObject({ code: 'ENOSPC' })
    expect(log.summary()).toMatchObject({ lines: 0, waited: expect.any(Number) as number })
  })
})

// ---- a real limit, in a process of its own

const program = await bundledFile('test/io/programs/log-into-limit.ts')
const children = new Set<ReturnType<typeof spawn>>()
const killAll = () => children.forEach((child) => child.kill('SIGKILL'))
process.once('exit', killAll)
afterAll(killAll)

describe('under a limit on the size of files', () => {
  /** 16 blocks of 512 bytes or of 1,024, as the shell has it. */
  function start(file: string, whenFull: string) {
    const command = ['sh', '-c', 'ulimit -S -f 16; exec "$0" "$@"', process.execPath]
    const [name, ...args] = [...command, ...program, file, whenFull]
    const child = spawn(name, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    children.add(child)
    child.once('close', () => children.delete(child))
    return child
  }

  test('it fails with EFBIG', async () => {
    using folder = new LogFolder()
    const child = start(folder.file, 'fail')
    const said: string[] = []
    createInterface(child.stdout).on('line', (line) => said.push(line))
    await once(child, 'close')
    expect(said).toEqual(['failed with EFBIG'])
    expect(folder.lines()).toEqual(numbered(folder.lines().length))
    expect(folder.lines().length).toBeGreaterThan(200)
  }, 20_000)

  test('it goes on when the limit is lifted, and nothing is lost', async () => {
    using folder = new LogFolder()
    const child = start(folder.file, 'wait')
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
    expect((await lines.next()).value).toBe('waits')
    const before = folder.wholeLines
    expect(before.length).toBeLessThan(2000)
    const prlimit = spawn('prlimit', ['--fsize=unlimited', '--pid', String(child.pid)], { stdio: 'inherit' })
    const [code] = (await once(prlimit, 'close')) as [number]
    expect(code).toBe(0)
    expect((await lines.next()).value).toBe('2000 lines')
    expect(folder.lines()).toEqual(numbered(2000))
    if (child.exitCode === null) await once(child, 'close')
    rmSync(folder.file)
  }, 20_000)
})
