import { rmSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { pipeline, source } from 'sluice'
import { appendLog, type LogOptions, type LogPosition, openLog } from 'sluice/io'
import { rejection } from '../pipeline/support-waiting.ts'
import { LogFolder, numbered, warningsOf } from './support-log.ts'

const append = (file: string, lines: string[], options: LogOptions = {}) =>
  pipeline(source(lines), appendLog(file, options)).run()

describe('a torn line at the end of the file', () => {
  test.each([
    ['a few bytes', 'one\ntwo\n', 'thr'],
    ['half a character', 'one\n', Buffer.from('€').subarray(0, 2).toString('latin1')],
    ['all there is', '', 'torn'],
    ['longer than one look', `${'x'.repeat(70_000)}\n`, 'y'.repeat(200_000)],
    ['exactly one look', 'one\n', 'y'.repeat(65_536)],
    ['exactly one look, with nothing before', '', 'y'.repeat(65_536)],
  ])('is cut off, and its length told: %s', async (_, whole, torn) => {
    using folder = new LogFolder()
    folder.write(whole + torn)
    const told: number[] = []
    const bytes = Buffer.byteLength(torn)
    const summary = await append(folder.file, ['next'], { onRepaired: (length) => void told.push(length) })
    expect(folder.text()).toBe(`${whole}next\n`)
    expect(summary.repaired).toBe(bytes)
    expect(told).toEqual([bytes])
  })

  test('is told of by a process warning', async () => {
    using folder = new LogFolder()
    folder.write('one\ntw')
    expect(await warningsOf(() => append(folder.file, []))).toEqual([
      `Cut off a torn line of 2 bytes in ${folder.file}`,
    ])
    expect(folder.text()).toBe('one\n')
  })

  test('is ended instead, where that is wanted', async () => {
    using folder = new LogFolder()
    folder.write('one\ntw')
    const warnings = await warningsOf(() => append(folder.file, ['three'], { torn: 'end' }))
    expect(folder.text()).toBe('one\ntw\nthree\n')
    expect(warnings).toEqual([`Ended a torn line of 2 bytes in ${folder.file}`])
  })

  test('is not there: then nothing is told', async () => {
    using folder = new LogFolder()
    folder.write('one\n')
    const never = () => expect.unreachable()
    expect(await append(folder.file, ['two'], { onRepaired: never })).toMatchObject({ repaired: 0 })
    expect(folder.text()).toBe('one\ntwo\n')
  })
})

describe('a position in the log', () => {
  /** Runs the lines through the sink, from a position, and gives that at the end. */
  async function runFrom(file: string, lines: string[], from?: LogPosition, options: LogOptions = {}) {
    await using log = await openLog(file, { ...options, ...(from && { from }) })
    for (const line of lines) await log.append(line)
    await log.close()
    return log.position()
  }

  test('is where the next run cuts the log back to, through the sink too', async () => {
    using folder = new LogFolder()
    const position = await runFrom(folder.file, ['one', 'two'])
    expect(position).toEqual({ rotated: 0, bytes: 8 })
    await append(folder.file, ['three'])
    folder.write(`${folder.text()}tor`)
    const sink = appendLog(folder.file)
    const resumed = { ...sink, definitions: [sink.definitions[0].resume!(position)] }
    const run = pipeline(source(['3']), resumed).start()
    await run.result
    expect(folder.lines()).toEqual(['one', 'two', '3'])
  })

  const rotating: LogOptions = { rotate: { bytes: 20 } }

  test.each([
    ['plain files', false],
    ['compressed ones', true],
  ])('may be in a file that has been rotated since: %s', async (_, gzip) => {
    using folder = new LogFolder()
    const options = { rotate: { bytes: 100, gzip } }
    const position = await runFrom(folder.file, numbered(10), undefined, options)
    expect(position.rotated).toBeGreaterThan(0)
    const text = folder.allLines
    await runFrom(folder.file, numbered(30, 10), position, options)
    await append(folder.file, ['something else'], options)
    expect(folder.allLines).toHaveLength(41)
    const end = await runFrom(folder.file, [], position, options)
    expect(end).toEqual(position)
    expect(folder.allLines).toEqual(text)
    await runFrom(folder.file, ['another'], position, options)
    expect(folder.allLines).toEqual([...text, 'another'])
  })

  test('is reached although the last attempt was killed on its way there', async () => {
    using folder = new LogFolder()
    const position = await runFrom(folder.file, ['1234567890', '123'], undefined, rotating)
    await runFrom(folder.file, ['abcdefghijklmno', 'abcdefghijklmnop', 'qrstuv'], position, rotating)
    expect(folder.names).toEqual(['app.log', 'app.log.000001', 'app.log.000002', 'app.log.000003'])
    // It had removed the newest two.
    rmSync(folder.file)
    rmSync(folder.at('app.log.000003'))
    await runFrom(folder.file, [], position, rotating)
    expect(folder.names).toEqual(['app.log'])
    expect(folder.lines()).toEqual(['1234567890', '123'])
  })

  test('that is one of another log is an error where none was rotated, and nothing is cut', async () => {
    using folder = new LogFolder()
    folder.write('one\ntwo\n')
    const error = await rejection(openLog(folder.file, { from: { rotated: 5, bytes: 0 } }))
    expect((error as Error).message).toContain('0 files have been rotated, and had been 5')
    expect(folder.text()).toBe('one\ntwo\n')
  })

  test('that cannot be reached is an error, and nothing is removed', async () => {
    using folder = new LogFolder()
    const position = await runFrom(folder.file, ['1234567890', '123'], undefined, rotating)
    await runFrom(folder.file, ['abcdefghijklmno', 'abcdefghijklmnop'], position, rotating)
    const names = folder.names
    const going = async (from: unknown) => {
      const error = await rejection(openLog(folder.file, { from: from as LogPosition }))
      return (error as Error).message
    }
    expect(await going({ rotated: 9, bytes: 0 })).toContain('2 files have been rotated, and had been 9')
    expect(await going({ rotated: 0, bytes: 500 })).toContain('000001 has 15 bytes, and had 500')
    expect(await going({ rotated: 2, bytes: 500 })).toContain('app.log has 17 bytes, and had 500')
    for (const from of [{ rotated: -1, bytes: 0 }, { rotated: 0, bytes: 1.5 }, {}, 5, 'here', null])
      expect(() => openLog(folder.file, { from: from as LogPosition })).toThrow(
        'Cannot create openLog: "from" must be a position of a log, got ',
      )
    expect(folder.names).toEqual(names)
    rmSync(folder.at('app.log.000001'))
    expect(await going(position)).toContain('app.log.000001 is there no more')
    expect(folder.names).toEqual(['app.log', 'app.log.000002'])
  })
})
