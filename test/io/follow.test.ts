import { appendFileSync, existsSync, renameSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { forEach, pipeline, type Run, type Source } from 'sluice'
import { type CsvOptions, readCsv, type LineOptions, readLines } from 'sluice/io'
import { law } from '../pipeline/support-random.ts'
import { warningsDuring } from '../pipeline/support-leaks.ts'
import { cut, fileOf, openFiles, resumed, run, useFolder } from './support-files.ts'

/** Done once, when the names of a folder are known and nobody has looked at the files. */
let listed: (() => void) | undefined
let looks = 0
/** Told of each file before it is opened. */
let opening = (_file: string): void => {}
vi.mock(import('node:fs/promises'), async (original) => {
  const real = await original()
  const readdir = async (folder: string) => {
    const names = await real.readdir(folder)
    looks++
    listed?.()
    listed = undefined
    return names
  }
  const open = (file: string, flags: string) => {
    opening(file)
    return real.open(file, flags)
  }
  return { ...real, readdir: readdir as typeof real.readdir, open: open as typeof real.open }
})

const path = useFolder()
const running: Run<unknown>[] = []
afterEach(async () => {
  for (const each of running.splice(0)) await each.abort().catch(() => {})
})

/** Follows a file, and waits for lines one by one. */
function follow(
  file: string,
  options: LineOptions = {},
  source = readLines(file, { ...options, follow: true }),
) {
  const lines: string[] = []
  let told = (): void => {}
  const started = pipeline(
    source,
    forEach((line) => {
      lines.push(line)
      told()
    }),
  ).start()
  running.push(started)
  const until = async (count: number): Promise<string[]> => {
    while (lines.length < count)
      await Promise.race([started.result, new Promise<void>((done) => (told = done))])
    return lines
  }
  return { lines, until, run: started }
}

/** The first values of what is added to a file, again and again, as nothing tells when its end has been found. */
async function firstAdded(file: string, source: Source<unknown>, added: string | Buffer, count: number) {
  const { until, run } = follow(file, {}, source as Source<string>)
  const adding = setInterval(() => appendFileSync(file, added), 5)
  try {
    return (await until(count)).slice(0, count)
  } finally {
    clearInterval(adding)
    await run.stop()
  }
}

describe('a file that is followed', () => {
  test('gives lines that are added, and those that are completed later', async () => {
    const file = fileOf(path('log'), 'a\n')
    const { until, run, lines } = follow(file)
    await until(1)
    appendFileSync(file, 'b\nhal')
    await until(2)
    appendFileSync(file, 'f\nc\n')
    expect(await until(4)).toEqual(['a', 'b', 'half', 'c'])
    appendFileSync(file, 'not over')
    await run.stop()
    expect(lines).toHaveLength(4)
    expect(openFiles(path())).toEqual([])
  })

  test('may be moved away, while a new one takes its name', async () => {
    const file = fileOf(path('log'), 'a\n')
    const { until } = follow(file)
    await until(1)
    renameSync(file, path('log.1'))
    appendFileSync(path('log.1'), 'b\n')
    expect(await until(2)).toEqual(['a', 'b'])
    writeFileSync(file, 'c\n')
    appendFileSync(file, 'd\n')
    expect(await until(4)).toEqual(['a', 'b', 'c', 'd'])
  })

  test('is not left for one that is empty: whoever writes may not have opened that yet', async () => {
    const file = fileOf(path('log'), 'a\nhal')
    const { until } = follow(file)
    await until(1)
    renameSync(file, path('log.1'))
    writeFileSync(file, '')
    await hasLooked()
    appendFileSync(path('log.1'), 'f\nlate\n')
    expect(await until(3)).toEqual(['a', 'half', 'late'])
    appendFileSync(file, 'new\n')
    expect(await until(4)).toEqual(['a', 'half', 'late', 'new'])
    // One that has had the name in between is not kept waiting.
    renameSync(path('log.1'), path('log.2'))
    renameSync(file, path('log.1'))
    writeFileSync(file, 'one\n')
    await tick(file)
    renameSync(path('log.1'), path('log.2'))
    renameSync(file, path('log.1'))
    writeFileSync(file, '')
    expect(await until(5)).toEqual(['a', 'half', 'late', 'new', 'one'])
  })

  test('is left for an empty one where it was removed', async () => {
    const file = fileOf(path('log'), 'a\nhal')
    const { until } = follow(file)
    await until(1)
    unlinkSync(file)
    writeFileSync(file, '')
    expect(await until(2)).toEqual(['a', 'hal'])
  })

  test('may be cut and written anew', async () => {
    const file = fileOf(path('log'), 'a\nb\n')
    const { until } = follow(file)
    await until(2)
    writeFileSync(path('log.1'), 'a\nb\n')
    truncateSync(file, 0)
    appendFileSync(file, 'c\n')
    expect(await until(3)).toEqual(['a', 'b', 'c'])
  })

  test('may be deleted and made again', async () => {
    const file = fileOf(path('log'), 'a\n')
    const { until } = follow(file)
    await until(1)
    unlinkSync(file)
    writeFileSync(file, 'b\n')
    expect(await until(2)).toEqual(['a', 'b'])
  })

  test.each(['start', 'end'] as const)('may not be there yet (from the %s)', async (from) => {
    const file = path('log')
    const { until } = follow(file, { from })
    await hasLooked()
    writeFileSync(file, 'a\n')
    expect(await until(1)).toEqual(['a'])
  })

  test.each<[string, CsvOptions, string]>([
    ['its header', {}, 'b,a\n1,2\n'],
    ['its header, which has no end yet,', {}, 'b,a'],
    [
      'its header, which a function changes,',
      { header: (names) => names.map((n) => n.toLowerCase()) },
      'B,A\n',
    ],
  ])('has %s where only its end is read', async (_, options, text) => {
    const file = fileOf(path('rows.csv'), text)
    const source = readCsv(file, { ...options, follow: true, from: 'end' })
    const rows = await firstAdded(file, source, '\n3,4\n', 2)
    expect(rows).toEqual([
      { b: '3', a: '4' },
      { b: '3', a: '4' },
    ])
  })

  test('fails where its header cannot be read, also where only its end is, and is let go of', async () => {
    const file = fileOf(path('rows.csv'), '"a"x,b\n1,2\n')
    const source = readCsv(file, { follow: true, from: 'end', onError: 'skip' })
    await expect(run(source)).rejects.toThrow('rows.csv:1:4: a quoted field is followed by "x"')
    expect(openFiles(path())).toEqual([])
  })

  test('has the encoding that its byte order mark tells, where only its end is read', async () => {
    const file = fileOf(path('log'), Buffer.from('\ufeffold\n', 'utf16le'))
    const source = readLines(file, { follow: true, from: 'end' })
    expect(await firstAdded(file, source, Buffer.from('né\n', 'utf16le'), 1)).toEqual(['né'])
  })

  test('may be begun at its end', async () => {
    const file = fileOf(path('log'), 'old\n'.repeat(10))
    const source = readLines(file, { follow: true, from: 'end' })
    expect(await firstAdded(file, source, 'new\n', 1)).toEqual(['new'])
  })

  test('is let go of at once by a stop, also where it is not there', async () => {
    for (const file of [path('none'), fileOf(path('log'), '')]) {
      const { run } = follow(file)
      await run.stop()
      expect(openFiles(path())).toEqual([])
    }
  })

  test('fails the stage where it cannot be read', async () => {
    await expect(run(readLines(path('no', 'folder'), { follow: true }))).rejects.toThrow(
      `Cannot read ${path('no', 'folder')}: no such file`,
    )
    fileOf(path('a.log'), '')
    fileOf(path('b.log'), '')
    await expect(run(readLines(path('*.log'), { follow: true }))).rejects.toThrow('2 files match')
  })

  test('has a header in each file', async () => {
    const file = fileOf(path('log.csv'), 'a,b\n1,2\n')
    const source = readCsv(file, { follow: true })
    const first = await cut(source, 1)
    renameSync(file, path('log.1.csv'))
    appendFileSync(path('log.1.csv'), '3,4\n')
    writeFileSync(file, 'b,a\n5,6\n')
    const second = await cut(resumed(source, first.position), 2)
    expect([...first.values, ...second.values]).toEqual([
      { a: '1', b: '2' },
      { a: '3', b: '4' },
      { b: '5', a: '6' },
    ])
  })
})

describe('a run that goes on with a file that was followed', () => {
  test('goes on with the rest of a file that is being renamed once more', async () => {
    const file = fileOf(path('log'), 'a\n')
    const { position } = await cut(readLines(file, { follow: true }), 1)
    appendFileSync(file, 'b\n')
    renameSync(file, `${file}.1`)
    fileOf(file, 'd\n')
    listed = () => renameSync(`${file}.1`, `${file}.2`)
    expect((await cut(resumed(readLines(file, { follow: true }), position), 2)).values).toEqual(['b', 'd'])
  })

  test('reads what was added', async () => {
    const file = fileOf(path('log'), 'a\n')
    const { position } = await cut(readLines(file, { follow: true }), 1)
    appendFileSync(file, 'b\n')
    expect((await cut(resumed(readLines(file, { follow: true }), position), 1)).values).toEqual(['b'])
  })

  test('reads the files that had the name meanwhile, in their order', async () => {
    const file = fileOf(path('app.log'), 'a\n')
    const { position } = await cut(readLines(file, { follow: true }), 1)
    appendFileSync(file, 'b\n')
    await tick(file)
    renameSync(file, path('app.log.2'))
    writeFileSync(file, 'c\n')
    await tick(file)
    renameSync(file, path('app.log.1'))
    writeFileSync(path('app.log.bak'), 'no\n')
    writeFileSync(file, 'd\n')
    const { values } = await cut(resumed(readLines(file, { follow: true }), position), 3)
    expect(values).toEqual(['b', 'c', 'd'])
  })

  test('looks for them once, and once more where they have been moved meanwhile', async () => {
    const file = fileOf(path('app.log'), '0\n')
    const { position } = await cut(readLines(file, { follow: true }), 1)
    const rotated = Array.from({ length: 6 }, (_, i) => path(`app.log.${6 - i}`))
    for (const [i, name] of rotated.entries()) {
      await tick(file)
      renameSync(file, name)
      writeFileSync(file, `${i + 1}\n`)
    }
    const before = looks
    const resume = (count: number) => cut(resumed(readLines(file, { follow: true }), position), count)
    expect((await resume(6)).values).toEqual(['1', '2', '3', '4', '5', '6'])
    // For the file that is gone on with, for those after it, and for what came after those: each until nothing new is found.
    expect(looks - before).toBe(6)
    opening = (file) => {
      if (file === rotated[3]) for (const name of rotated) renameSync(name, `${name}0`)
    }
    expect((await resume(6)).values).toEqual(['1', '2', '3', '4', '5', '6'])
    opening = () => {}
    expect(looks - before).toBe(14)
  })

  test('reads one that had the name for no longer than a tick of the clock', async () => {
    const file = fileOf(path('app.log'), 'a\n')
    const { position } = await cut(readLines(file, { follow: true }), 1)
    renameSync(file, path('app.log.1'))
    writeFileSync(file, 'b\n')
    renameSync(file, path('app.log.2'))
    writeFileSync(file, 'c\n')
    const { values } = await cut(resumed(readLines(file, { follow: true }), position), 2)
    expect(values).toEqual(['b', 'c'])
  })

  test('reads those that are renamed once more while their folder is looked at', async () => {
    const file = fileOf(path('app.log'), 'a\n')
    const { position } = await cut(readLines(file, { follow: true }), 1)
    renameSync(file, path('app.log.2'))
    fileOf(file, 'b\n')
    await tick(file)
    renameSync(file, path('app.log.1'))
    fileOf(file, 'c\n')
    // After the look for the file that is gone on with.
    listed = () => {
      queueMicrotask(() => {
        listed = () => renameSync(path('app.log.1'), path('app.log.3'))
      })
    }
    const { values } = await cut(resumed(readLines(file, { follow: true }), position), 2)
    expect(values).toEqual(['b', 'c'])
  })

  test('reads those of a chain that moves on by one while its folder is looked at', async () => {
    const file = fileOf(path('app.log'), 'a\n')
    const { position } = await cut(readLines(file, { follow: true }), 1)
    renameSync(file, path('a'))
    fileOf(file, 'b\n')
    const rotate = (line: string) => {
      for (const [from, to] of [
        ['.2', '.3'],
        ['.1', '.2'],
        ['', '.1'],
      ])
        if (existsSync(file + from)) renameSync(file + from, file + to)
      fileOf(file, line)
    }
    for (const line of ['c\n', 'd\n']) {
      await tick(file)
      rotate(line)
    }
    // The look for those after it misses the one that was the last of the chain.
    opening = (opened) => {
      if (opened === path('a')) listed = () => rotate('e\n')
    }
    const { values } = await cut(resumed(readLines(file, { follow: true }), position), 4)
    opening = () => {}
    expect(values).toEqual(['b', 'c', 'd', 'e'])
  })

  test('warns where the rest is gone, and begins with the new one', async () => {
    const file = fileOf(path('log'), 'a\n')
    const { position } = await cut(readLines(file, { follow: true }), 1)
    renameSync(file, path('gone'))
    writeFileSync(file, 'b\n')
    unlinkSync(path('gone'))
    const warnings = await warningsDuring(async () => {
      expect((await cut(resumed(readLines(file, { follow: true }), position), 1)).values).toEqual(['b'])
    })
    expect(warnings.join()).toContain(`The rest of the file that was ${file} is gone`)
  })
})

/** Until the folder is watched, and no look at it is under way. */
async function hasLooked(): Promise<void> {
  const busy = () => {
    const resources = process.getActiveResourcesInfo()
    return !resources.includes('FSEventWrap') || resources.includes('FSReqPromise')
  }
  do await new Promise((resolve) => setImmediate(resolve))
  while (busy())
}

/** Until the clock of the file system has moved on from the last write: it ticks every few milliseconds. */
async function tick(file: string): Promise<void> {
  const { statSync } = await import('node:fs')
  const before = statSync(file).mtimeMs
  const probe = path('probe')
  do {
    writeFileSync(probe, '')
    await new Promise((resolve) => setImmediate(resolve))
  } while (statSync(probe).mtimeMs <= before)
}

test('no line is lost or doubled, however writes and rotations come', () =>
  law(8, async (random) => {
    const name = `app-${random.int(0, 1e9)}.log`
    const file = path(name)
    const written: string[] = []
    let rotations = 0
    const step = async () => {
      for (let i = random.int(1, 30); i > 0; i--) {
        written.push(`line ${written.length}`)
        appendFileSync(file, `${written.at(-1)}\n`)
      }
      await random.pause()
      if (random.int(0, 1) === 0) {
        await tick(file)
        renameSync(file, `${file}.${++rotations}`)
      }
      await random.pause()
    }
    written.push('begin')
    appendFileSync(file, 'begin\n')
    const { until, run, lines } = follow(file)
    await until(1)
    for (let steps = random.int(3, 12); steps > 0; steps--) await step()
    written.push('over')
    appendFileSync(file, 'over\n')
    await until(written.length)
    await run.stop()
    expect(lines).toEqual(written)
  }))
