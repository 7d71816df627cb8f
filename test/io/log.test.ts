import { readFileSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { channel, forEach, map, pipeline, range, source, type StageError, alsoTo } from 'sluice'
import { appendLog, type AppendLogOptions, openLog } from 'sluice/io'
import { appendTo } from '../../src/io/log/append-log.ts'
import { type Disk, disk } from '../../src/io/log/disk.ts'
import { deferred, rejection, stable, turns, until } from '../pipeline/support-waiting.ts'
import { LogFolder, numbered, systemError } from './support-log.ts'

describe('appendLog', () => {
  test('appends every value as a line, behind what is there, and says what it did', async () => {
    using folder = new LogFolder()
    folder.write('before\n')
    const lines = numbered(10_000)
    const summary = await pipeline(source(lines), appendLog(folder.file)).run()
    expect(folder.lines()).toEqual(['before', ...lines])
    const bytes = Buffer.byteLength(lines.join('\n')) + 1
    expect(summary).toMatchObject({
      file: folder.file,
      lines: 10_000,
      bytes,
      repaired: 0,
      rotated: 0,
      waited: 0,
    })
    expect(summary.batches).toBeLessThan(100)
  })

  test('makes the file where there are no values', async () => {
    using folder = new LogFolder()
    expect(await pipeline(source<string>([]), appendLog(folder.file)).run()).toMatchObject({ lines: 0 })
    expect(folder.text()).toBe('')
  })

  test.each([
    ['empty lines', ['', '', 'x', '']],
    ['characters of every length', ['aé€𝄞', 'x\r']],
    ['a line that is longer than a batch', ['a', 'é€'.repeat(300_000), 'b']],
    ['lines that grow', Array.from({ length: 12 }, (_, i) => '€'.repeat(4 ** i % 400_000))],
    ['long lines of one byte, of two and of more', ['a', 'é', '€', '𝄞'].map((one) => one.repeat(200_000))],
    [
      'many lines, some of two bytes',
      Array.from({ length: 40_000 }, (_, i) => `${i} ${'aé'[+(i % 1000 > 900)]}`),
    ],
    [
      'many lines, some of three',
      Array.from({ length: 40_000 }, (_, i) => `${i} ${'a€'[+(i % 1000 > 900)]}`),
    ],
  ])('writes %s', async (_, lines) => {
    using folder = new LogFolder()
    await pipeline(source(lines), appendLog(folder.file)).run()
    expect(folder.text()).toBe(Buffer.from(lines.map((line) => `${line}\n`).join('')).toString())
  })

  test('makes a batch no longer than it must be, whatever the characters', async () => {
    using folder = new LogFolder()
    const lines = Array.from({ length: 2000 }, (_, i) => 'aé€𝄞'.slice(i % 3).repeat(1 + (i % 40)))
    const sizes: number[] = []
    const watched: Disk = {
      ...disk,
      write: (fd, bytes, from, length) => (sizes.push(length), disk.write(fd, bytes, from, length)),
    }
    await pipeline(source(lines), appendTo<string>(watched, folder.file, { flush: { bytes: 5000 } })).run()
    expect(folder.lines()).toEqual(lines)
    const longest = Math.max(...lines.map((line) => Buffer.byteLength(line) + 1))
    expect(Math.max(...sizes)).toBeLessThan(5000 + longest)
    expect(Math.min(...sizes.slice(0, -1))).toBeGreaterThanOrEqual(5000)
  })

  test('keeps the order of each of many producers', async () => {
    using folder = new LogFolder()
    const [tx, rx] = channel<string>(4)
    const producers = Array.from({ length: 8 }, async (_, who) => {
      using own = tx.clone()
      for (let i = 0; i < 500; i++) await own.send(`${who} ${i}`)
    })
    tx.close()
    await pipeline(source(rx), appendLog(folder.file, { level: 'synced' })).run()
    await Promise.all(producers)
    const lines = folder.lines()
    for (let who = 0; who < 8; who++) {
      const own = lines.filter((line) => line.startsWith(`${who} `))
      expect(own).toEqual(Array.from({ length: 500 }, (_, i) => `${who} ${i}`))
    }
  })

  test('makes lines of values', async () => {
    using folder = new LogFolder()
    const line = (n: number) => JSON.stringify({ n })
    await pipeline(range(2), appendLog(folder.file, { line })).run()
    expect(folder.lines()).toEqual(['{"n":0}', '{"n":1}'])
  })

  describe('a value that is not one line', () => {
    const values = ['a', 'b\nc', 'd']

    test('fails the stage, once what came before is written', async () => {
      using folder = new LogFolder()
      const error = (await rejection(pipeline(source(values), appendLog(folder.file)).run())) as StageError
      expect(error.message).toContain('it has a newline inside, so it would be two')
      expect(error.value).toBe('b\nc')
      expect(folder.lines()).toEqual(['a'])
    })

    test('is skipped, and not acknowledged', async () => {
      using folder = new LogFolder()
      const acknowledged: string[] = []
      const onAcknowledged = (lines: readonly string[]) => void acknowledged.push(...lines)
      const run = pipeline(
        source(values),
        appendLog(folder.file, { onError: 'skip', onAcknowledged }),
      ).start()
      await run.result
      expect(folder.lines()).toEqual(['a', 'd'])
      expect(acknowledged).toEqual(['a', 'd'])
      expect(run.stats().stages[1].failed).toBe(1)
    })

    test('is one that is no string, too', async () => {
      using folder = new LogFolder()
      const values = source([17] as unknown as string[])
      const error = await rejection(pipeline(values, appendLog(folder.file)).run())
      expect(error).toMatchObject({
        message: expect.stringContaining('wanted a string, got number'),
        value: 17,
      })
    })
  })

  describe('holds lines back', () => {
    test('until there are more bytes than the memory could hold, or one of the other limits is reached', async () => {
      using folder = new LogFolder()
      const flush = { bytes: Number.MAX_SAFE_INTEGER - 4096, count: 60_000, ms: 600_000 }
      // More than there is room for at first.
      const lines = numbered(120_000).map((line) => line.padEnd(100))
      const summary = await pipeline(source(lines), appendLog(folder.file, { flush })).run()
      expect(summary).toMatchObject({ lines: 120_000, batches: 2 })
      expect(folder.lines()).toEqual(lines)
    })

    test('until there are so many', async () => {
      using folder = new LogFolder()
      const batches: number[] = []
      const options = {
        flush: { count: 3 },
        onAcknowledged: (all: readonly unknown[]) => void batches.push(all.length),
      }
      await pipeline(source(numbered(10)), appendLog(folder.file, options)).run()
      expect(batches).toEqual([3, 3, 3, 1])
      expect(folder.lines()).toEqual(numbered(10))
    })

    test('until there are so many bytes', async () => {
      using folder = new LogFolder()
      const lines = ['12345', '€€', '1', '2', '3']
      const batches: string[] = []
      const onAcknowledged = (all: readonly string[]) => void batches.push(all.join())
      await pipeline(source(lines), appendLog(folder.file, { flush: { bytes: 12 }, onAcknowledged })).run()
      expect(batches).toEqual(['12345,€€', '1,2,3'])
    })

    test('until so many milliseconds after the first', async () => {
      using folder = new LogFolder()
      const acknowledged = deferred()
      const [tx, rx] = channel<string>(0)
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
      onTestFinished(() => void vi.useRealTimers())
      const onAcknowledged = () => acknowledged.resolve()
      const run = pipeline(source(rx), appendLog(folder.file, { flush: { ms: 30 }, onAcknowledged })).run()
      await tx.send('one')
      await until(() => vi.getTimerCount() > 0)
      vi.advanceTimersByTime(29)
      expect(vi.getTimerCount()).toBe(1)
      await turns(3)
      expect(folder.names.includes('app.log') ? folder.text() : '').toBe('')
      vi.advanceTimersByTime(1)
      await acknowledged.promise
      expect(folder.lines()).toEqual(['one'])
      tx.close()
      expect(await run).toMatchObject({ batches: 1 })
    })

    test('and writes them before a failure of a stage before it passes', async () => {
      using folder = new LogFolder()
      const boom = new Error('boom')
      const failing = map((line: string) => {
        if (line === 'c') throw boom
        return line
      })
      const run = pipeline(
        source(['a', 'b', 'c']),
        failing,
        appendLog(folder.file, { flush: { count: 100 } }),
      ).run()
      await expect(run).rejects.toMatchObject({ cause: boom, suppressed: [] })
      expect(folder.lines()).toEqual(['a', 'b'])
    })
  })

  describe('acknowledges', () => {
    test.each(['written', 'synced'] as const)('every value, in order, when it is %s', async (level) => {
      using folder = new LogFolder()
      const seen: number[] = []
      const onAcknowledged = (values: readonly number[]) => {
        const text = readFileSync(folder.file, 'utf8')
        for (const value of values) expect(text).toContain(`\n${value}\n`)
        seen.push(...values)
      }
      folder.write('\n')
      const line = String
      await pipeline(range(2000), appendLog(folder.file, { level, line, onAcknowledged })).run()
      expect(seen).toEqual(Array.from({ length: 2000 }, (_, i) => i))
    })

    test('only after the sync that is for the line', async () => {
      using folder = new LogFolder()
      const events: string[] = []
      const slow = {
        ...disk,
        async write(fd: number, bytes: Uint8Array, from: number, length: number) {
          const count = await disk.write(fd, bytes, from, length)
          events.push('written')
          return count
        },
        async sync(fd: number) {
          events.push('sync')
          await disk.sync(fd)
          events.push('synced')
        },
      }
      const onAcknowledged = () => void events.push('told')
      const options = { level: 'synced', onAcknowledged } as const
      await pipeline(source(['a']), appendTo(slow, folder.file, options)).run()
      // The first is that of the file itself.
      expect(events).toEqual(['sync', 'synced', 'written', 'sync', 'synced', 'told'])
    })

    test('together what comes while a handler takes its time, and the run waits for it', async () => {
      using folder = new LogFolder()
      const told: number[] = []
      const gate = deferred()
      const onAcknowledged = async (values: readonly string[]) => {
        told.push(values.length)
        if (told.length === 1) await gate.promise
      }
      let written = 0
      const counting: Disk = {
        ...disk,
        write: (...args) => disk.write(...args).finally(() => written++),
      }
      const sink = appendTo<string>(counting, folder.file, { flush: { count: 2 }, onAcknowledged })
      const run = pipeline(source(numbered(6)), sink).start()
      await until(() => written === 3)
      await turns(3)
      expect(told).toEqual([2])
      gate.resolve()
      await run.result
      expect(told).toEqual([2, 4])
    })

    test('no more than some megabytes late: then the producers wait, for a sync or a handler', async () => {
      using folder = new LogFolder()
      const line = 'x'.repeat(100_000)
      const gates = [deferred(), deferred()]
      let syncs = 0
      const slow: Disk = {
        ...disk,
        async sync() {
          // The first is that of the file itself.
          if (++syncs === 2) await gates[0].promise
        },
      }
      let made = 0
      const lines = map((n: number) => (made++, `${n} ${line}`))
      let handled = 0
      // The first is told of what was written before the sync, which may be less than one batch.
      const onAcknowledged = () => (handled++ === 2 ? gates[1].promise : undefined)
      const options: AppendLogOptions<string> = { level: 'synced', onAcknowledged }
      const sink = appendTo(slow, folder.file, options)
      const run = pipeline(range(1000), lines, sink).start({ capacity: 4 })
      await until(() => made > 160)
      const held = await stable(() => made)
      expect(held).toBeLessThan(250)
      gates[0].resolve()
      await until(() => handled === 3)
      await until(() => made > held)
      const again = await stable(() => made)
      expect(again).toBeLessThan(400)
      gates[1].resolve()
      expect(await run.result).toMatchObject({ lines: 1000 })
    })

    test('a handler that throws fails the stage', async () => {
      using folder = new LogFolder()
      const boom = new Error('boom')
      for (const onAcknowledged of [
        () => Promise.reject(boom),
        () => {
          throw boom
        },
      ]) {
        const run = pipeline(source(numbered(3)), appendLog(folder.file, { onAcknowledged })).run()
        await expect(run).rejects.toMatchObject({ stage: 'appendLog', cause: boom, suppressed: [] })
      }
    })
  })

  test('can stand beside other sinks', async () => {
    using folder = new LogFolder()
    const seen: string[] = []
    await pipeline(
      source(['a']),
      alsoTo(appendLog(folder.file)),
      forEach((line) => void seen.push(line)),
    ).run()
    expect([folder.lines(), seen]).toEqual([['a'], ['a']])
  })

  test('fails where the file cannot be opened', async () => {
    using folder = new LogFolder()
    const open = (file: string) => rejection(pipeline(source(['a']), appendLog(file)).run())
    expect(await open(folder.path)).toMatchObject({ cause: { code: 'EISDIR' } })
    expect(await open(folder.at('no/app.log'))).toMatchObject({ cause: { code: 'ENOENT' } })
  })

  test('fails with what the disk says, and does not sync again after a sync that failed', async () => {
    using folder = new LogFolder()
    let syncs = 0
    const broken = {
      ...disk,
      async sync() {
        // The first is that of the file itself.
        if (++syncs > 1) throw systemError('EIO')
      },
    }
    const acknowledged: unknown[] = []
    const onAcknowledged = (values: readonly unknown[]) => void acknowledged.push(...values)
    const sink = appendTo<string>(broken, folder.file, { level: 'synced', onAcknowledged })
    const error = (await rejection(pipeline(source(numbered(5000)), sink).run())) as StageError
    expect(error.cause).toMatchObject({ code: 'EIO', message: expect.stringContaining('Cannot append to') })
    expect({ syncs, acknowledged, suppressed: error.suppressed }).toEqual({
      syncs: 2,
      acknowledged: [],
      suppressed: [],
    })
  })

  test('refuses a file that this process writes to already, until that has ended', async () => {
    using folder = new LogFolder()
    const log = await openLog(folder.file)
    const twice = () => pipeline(source(['a']), appendLog(folder.file)).run()
    await expect(twice()).rejects.toThrow('this process is writing to it already')
    await log.close()
    expect(await twice()).toMatchObject({ lines: 1 })
  })

  test.each<[string, unknown, AppendLogOptions<string>]>([
    ['"file" must be the name of a file, got ""', '', {}],
    ['"file" must be the name of a file, got Number', Object(1), {}],
    ['"file" must be of whole characters, got "a\\ud800"', 'a\ud800', {}],
    ['"level" must be \'written\' or \'synced\', got "sure"', 'x', { level: 'sure' as 'synced' }],
    ['"whenFull" must be \'wait\' or \'fail\', got "panic"', 'x', { whenFull: 'panic' as 'wait' }],
    ['"torn" must be \'cut\' or \'end\', got "keep"', 'x', { torn: 'keep' as 'cut' }],
    ['"retry" must be a number of milliseconds >= 0, got -1', 'x', { retry: -1 }],
    ['"retry" must be finite, got Infinity', 'x', { retry: Infinity }],
    ['"flush" must be an object, got 3', 'x', { flush: 3 as never }],
    ['"flush" must be an object, got Array', 'x', { flush: [] as never }],
    ['"rotate" must be an object, got Promise', 'x', { rotate: Promise.resolve() as never }],
    ['"flush.count" must be an integer >= 1 or Infinity, got 0', 'x', { flush: { count: 0 } }],
    ['"flush.bytes" must be an integer >= 1, got 0.5', 'x', { flush: { bytes: 0.5 } }],
    ['"flush.ms" must be a number of milliseconds >= 0, got NaN', 'x', { flush: { ms: NaN } }],
    ['"rotate" must be an object, got false', 'x', { rotate: false as never }],
    ['"rotate" must be an object with "bytes" or "ms", got Object', 'x', { rotate: { keep: 3 } }],
    ['"rotate.bytes" must be an integer >= 1 or Infinity, got -5', 'x', { rotate: { bytes: -5 } }],
    ['"rotate.keep" must be an integer >= 1 or Infinity, got 0', 'x', { rotate: { ms: 5, keep: 0 } }],
    ['"rotate.gzip" must be true or false, got "yes"', 'x', { rotate: { ms: 5, gzip: 'yes' as never } }],
    ['"line" must be a function, got "x"', 'x', { line: 'x' as never }],
    ['"onAcknowledged" must be a function, got 1', 'x', { onAcknowledged: 1 as never }],
    ['"onRepaired" must be a function, got 1', 'x', { onRepaired: 1 as never }],
    ['"capacity" must be an integer >= 0 or Infinity, got -1', 'x', { capacity: -1 }],
  ])('says %s', (message, file, options) => {
    expect(() => appendLog(file as string, options)).toThrow(`Cannot create appendLog: ${message}`)
  })
})

describe('openLog', () => {
  test('tells each caller when his lines are in the file', async () => {
    using folder = new LogFolder()
    await using log = await openLog(folder.file)
    await Promise.all(
      numbered(100).map(async (line) => {
        await log.append(line)
        expect(folder.text()).toContain(`${line}\n`)
      }),
    )
    expect(log.summary()).toMatchObject({ lines: 100 })
  })

  test('takes any number of lines at once', async () => {
    using folder = new LogFolder()
    await using log = await openLog(folder.file, { flush: { bytes: 100 } })
    const [first, second] = [numbered(3000), numbered(5, 3000)]
    const appended = [log.append(first), log.append(second)]
    await log.flush()
    await Promise.all(appended)
    expect(folder.lines()).toEqual([...first, ...second])
  })

  test('refuses lines that are not lines, with all that came with them', async () => {
    using folder = new LogFolder()
    await using log = await openLog(folder.file)
    await expect(log.append(['a', 'b\n'])).rejects.toThrow(TypeError)
    await expect(log.append([1] as never)).rejects.toThrow('wanted a string, got number')
    await log.append('c')
    expect(folder.lines()).toEqual(['c'])
  })

  test('writes at its end what it holds back, and can be closed twice', async () => {
    using folder = new LogFolder()
    const log = await openLog(folder.file, { flush: { count: 100 } })
    const appended = log.append(['a', 'b'])
    const [summary, again] = await Promise.all([log.close(), log.close()])
    await appended
    expect(summary).toMatchObject({ lines: 2, batches: 1 })
    expect(again).toEqual(summary)
    expect(folder.lines()).toEqual(['a', 'b'])
  })

  test('holds no line back for longer than a second, when no others come', async () => {
    using folder = new LogFolder()
    await using log = await openLog(folder.file, { flush: { count: 100 } })
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const appended = log.append('a')
    vi.advanceTimersByTime(999)
    await setImmediate()
    expect(log.summary().lines).toBe(0)
    vi.advanceTimersByTime(1)
    await appended
    expect(folder.lines()).toEqual(['a'])
  })

  test('takes nothing when it is closed', async () => {
    using folder = new LogFolder()
    const log = await openLog(folder.file)
    await log.close()
    await expect(log.append('late')).rejects.toThrow(`Cannot append to "${folder.file}": it is closed`)
    expect(folder.text()).toBe('')
  })

  test('refuses a pipe, and what cannot be rotated', async () => {
    await expect(openLog('/dev/null', { rotate: { bytes: 5 } })).rejects.toThrow('cannot be rotated')
    expect(() => openLog('')).toThrow('Cannot create openLog: "file"')
  })
})
