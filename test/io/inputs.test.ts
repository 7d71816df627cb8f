/** What readers are pointed at: patterns, lists, what is packed, pipes and the standard input; and what they leave open. */
import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, createWriteStream, mkdirSync, rmSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { relative } from 'node:path'
import { PassThrough, Readable, type Transform, type TransformCallback, type Writable } from 'node:stream'
import zlibModule, * as zlib from 'node:zlib'
import { brotliCompressSync, constants, createBrotliDecompress, createGzip, gzipSync } from 'node:zlib'
import { describe, expect, test, vi } from 'vitest'
import { drain, forEach, pipeline, type Source, take } from 'sluice'
import { readBytes, readCsv, readJsonl, readLines } from 'sluice/io'
import { FileBlocks } from '../../src/io/files/blocks.ts'
import { BrotliPart } from '../../src/io/files/brotli-part.ts'
import { placed } from '../../src/io/files/file-positions.ts'
import { Frames } from '../../src/io/files/frames.ts'
import { GzipMembers } from '../../src/io/files/gzip-members.ts'
import { ZstdFrames } from '../../src/io/files/zstd-frames.ts'
import { bundledText } from '../support/bundled-program.ts'
import { runInShell } from '../support/child-program.ts'
import { cut, fileOf, openFiles, resumed, run, useFolder } from './support-files.ts'

const path = useFolder()
const many = Array.from({ length: 50_000 }, (_, i) => `line ${i}`)
const manyText = `${many.join('\n')}\n`

// Brotli in Node stops behind a part just as Zstandard does, which Node 20 does not know.
describe.each(['Brotli', 'Zstandard'])('parts of %s, one after the other', (packing) => {
  const { zstdCompressSync, createZstdDecompress } = zlib as {
    zstdCompressSync?: typeof brotliCompressSync
    createZstdDecompress?: () => Transform
  }
  const isBrotli = packing === 'Brotli'
  const pack = isBrotli ? brotliCompressSync : zstdCompressSync
  const unpacker = isBrotli ? () => zlib.createBrotliDecompress() : createZstdDecompress
  const parts = ['one\n', 'x'.repeat(3_000_000), '', '\nlast\n']

  test.skipIf(!pack).each([1, 3, 7, 100_000])('are all unpacked, from pieces of %i bytes', async (size) => {
    const packed = Buffer.concat(parts.map((part) => pack!(part)))
    const pieces = Array.from({ length: Math.ceil(packed.length / size) }, (_, i) =>
      packed.subarray(i * size, (i + 1) * size),
    )
    const unpacked = Readable.from(pieces).pipe(new Frames(unpacker!))
    expect(Buffer.concat((await unpacked.toArray()) as Buffer[]).toString()).toBe(parts.join(''))
  })

  test.skipIf(!pack)('fail where what follows is none', async () => {
    const packed = Buffer.concat([pack!('one\n'), Buffer.from('\xff\xff\xff\xff\xff\xff no part')])
    await expect(Readable.from([packed]).pipe(new Frames(unpacker!)).toArray()).rejects.toThrow()
  })

  test.skipIf(!pack || isBrotli)('are read from a file', async () => {
    const file = fileOf(path('parts.zst'), Buffer.concat([pack!('one\n'), pack!('two\n')]))
    expect(await run(readLines(file))).toEqual(['one', 'two'])
    const cutOff = fileOf(path('cut.zst'), Buffer.concat([pack!('one\n'), pack!('two\n').subarray(0, 9)]))
    await expect(run(readLines(cutOff))).rejects.toThrow(`Cannot unpack ${cutOff}: `)
  })
})

describe('frames of Zstandard', () => {
  /** Says as little of an end as Node 22 does, and knows no end of a frame. */
  class Silent extends PassThrough {
    bytesWritten = 0
    override _transform(bytes: Buffer, encoding: BufferEncoding, done: TransformCallback) {
      this.bytesWritten += bytes.length
      super._transform(bytes, encoding, done)
    }
  }
  const read = (packed: Buffer, size: number) => {
    const pieces = Array.from({ length: Math.ceil(packed.length / size) }, (_, i) =>
      packed.subarray(i * size, (i + 1) * size),
    )
    return Readable.from(pieces)
      .pipe(new ZstdFrames(() => new Silent()))
      .toArray()
  }
  const frames = [
    // A raw block.
    Buffer.from('KLUv/SAEIQAAb25lCg==', 'base64'),
    // Blocks of one byte each and a packed one, with a check at the end.
    Buffer.from(
      'KLUv/QRIVAAAEHh4AQD7/znAAgIAEHgFAgAShAwRwKUNP9hCm6swSUrdIrtVsQtmLsR84BawsCnWtcSZKLgfdYPmgkxo7vkbZvIbEVf8hgIAQB9CGtwTHbABh/e+KQ==',
      'base64',
    ),
    // One that is to be skipped, and one of those with nothing in it.
    Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]),
    Buffer.from([0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]),
  ]
  const packed = Buffer.concat(frames)

  test('that are cut off anywhere fail, though the runtime says nothing', async () => {
    const ends = new Set(frames.map((_, i) => Buffer.concat(frames.slice(0, i + 1)).length))
    for (const size of [1, 7, 1000]) {
      for (let end = 1; end <= packed.length; end++) {
        const reading = read(packed.subarray(0, end), size)
        if (ends.has(end)) await reading
        else await expect(reading).rejects.toThrow('unexpected end of file')
      }
    }
    expect(await read(Buffer.alloc(0), 1)).toEqual([])
  })
})

test('Brotli that is cut off anywhere fails behind what is there, though the runtime says nothing', async () => {
  const text = many.slice(0, 3000).join('\n')
  const packed = brotliCompressSync(text)
  // As Deno does.
  const silent = () => createBrotliDecompress({ finishFlush: constants.BROTLI_OPERATION_FLUSH })
  for (let end = 0; end <= packed.length; end += 7) {
    const whole = end + 7 > packed.length
    const bytes = whole ? packed : packed.subarray(0, end)
    const pieces = [bytes.subarray(0, 500), bytes.subarray(500)].filter(({ length }) => length > 0)
    let got = ''
    const reading = Readable.from(pieces)
      .pipe(new BrotliPart(silent))
      .forEach((piece) => void (got += String(piece)))
    if (whole) await reading
    else await expect(reading).rejects.toThrow('unexpected end of file')
    expect(whole ? got === text : text.startsWith(got), `cut off at ${end}`).toBe(true)
  }
})

test('Brotli of few bytes that is cut off anywhere is said to be cut off, and not damaged', async () => {
  const packed = brotliCompressSync('abc\n'.repeat(100_000), {
    params: { [constants.BROTLI_PARAM_QUALITY]: 5 },
  })
  for (let end = 1; end < packed.length; end++) {
    const reading = Readable.from([packed.subarray(0, end)])
      .pipe(new BrotliPart())
      .forEach(() => {})
    await expect(reading, `cut off at ${end}`).rejects.toThrow('unexpected end of file')
  }
})

describe('members of gzip, one after the other', () => {
  const unpacked = async (packed: Buffer, size: number) => {
    const pieces = Array.from({ length: Math.ceil(packed.length / size) }, (_, i) =>
      packed.subarray(i * size, (i + 1) * size),
    )
    return Buffer.concat((await Readable.from(pieces).pipe(new GzipMembers()).toArray()) as Buffer[])
  }
  /** With a header that has all there may be: extra bytes, a name, a comment and a check. */
  const described = (text: string) => {
    const packed = gzipSync(text)
    packed[3] = 31
    const more = Buffer.from('\x03\x00\0\x01\0name\0comment\0\x12\x34', 'latin1')
    return Buffer.concat([packed.subarray(0, 10), more, packed.subarray(10)])
  }
  const parts = ['one\n', 'x'.repeat(3_000_000), '', '\nlast\n']

  test.each([1, 3, 7, 100_000])('are all unpacked, from pieces of %i bytes', async (size) => {
    const packed = [...parts.map((part) => gzipSync(part)), described('described')]
    const text = `${parts.join('')}described`
    expect((await unpacked(Buffer.concat(packed), size)).toString()).toBe(text)
    // As they fill up a block of a tape.
    const padded = Buffer.concat([...packed, Buffer.alloc(20), Buffer.from('x')])
    expect((await unpacked(padded, size)).toString()).toBe(text)
    expect(await unpacked(Buffer.alloc(0), size)).toHaveLength(0)
  })

  test('that are cut off anywhere fail', async () => {
    const packed = described('some text')
    for (let end = 1; end < packed.length; end++)
      for (const size of [1, 100])
        await expect(unpacked(packed.subarray(0, end), size)).rejects.toThrow('unexpected end of file')
  })

  test.each([
    ['other bytes', Buffer.from('rubbish'), 'incorrect header check'],
    ['a header of another packing', Buffer.from([0x1f, 0x8b, 7]), 'unknown compression method'],
    ['a header of a time to come', Buffer.from([0x1f, 0x8b, 8, 32]), 'unknown header flags set'],
    ['half of a header', Buffer.from([0x1f, 0x8b]), 'unexpected end of file'],
  ])('give all that they hold in front of %s', async (_, behind, message) => {
    const file = fileOf(path('a.gz'), Buffer.concat([gzipSync('x\n'), gzipSync(manyText), behind]))
    const seen: string[] = []
    const reading = pipeline(
      readLines(file),
      forEach((line) => void seen.push(line)),
    ).run()
    await expect(reading).rejects.toThrow(`Cannot unpack ${file}: ${message}`)
    expect(seen).toEqual(['x', ...many])
  })

  test('that are small share an unpacker, whatever is among them', async () => {
    const made = vi.spyOn(zlibModule, 'createInflateRaw')
    syncBuiltinESMExports()
    try {
      // Packed without being made smaller, what looks like a header stays in there.
      const texts = many
        .map((line, i) => (i % 100 === 0 ? `${line}\x1f\x8b\x08\n` : `${line}\n`))
        .slice(0, 5_000)
      const packed = texts.map((text) => gzipSync(Buffer.from(text, 'latin1'), { level: 0 }))
      const behind = [gzipSync(manyText), ...packed, Buffer.from('rubbish \x1f\x8b\x08', 'latin1')]
      const file = fileOf(path('a.gz'), Buffer.concat([...packed, ...behind]))
      const seen: Buffer[] = []
      const reading = pipeline(
        readBytes(file),
        forEach((bytes) => void seen.push(Buffer.from(bytes))),
      ).run()
      await expect(reading).rejects.toThrow(`Cannot unpack ${file}: incorrect header check`)
      expect(Buffer.concat(seen).toString('latin1')).toBe(texts.join('') + manyText + texts.join(''))
      expect(made.mock.calls.length).toBeLessThan(200)
    } finally {
      made.mockRestore()
      syncBuiltinESMExports()
    }
  })

  test('that are not what was packed fail', async () => {
    for (const [fromEnd, message] of [
      [8, 'incorrect data check'],
      [4, 'incorrect length check'],
    ] as const) {
      const packed = gzipSync('some text')
      packed[packed.length - fromEnd] ^= 1
      await expect(unpacked(packed, 5)).rejects.toThrow(message)
    }
  })
})

describe('readers take', () => {
  test('a list of files, one after the other, each with its own last line', async () => {
    const files = [fileOf(path('b'), '1\n2'), fileOf(path('a'), '3\n'), path('b')]
    expect(await run(readLines(files))).toEqual(['1', '2', '3', '1', '2'])
  })

  test('a pattern, in the order of names', async () => {
    for (const name of ['b.log', 'a.log', 'c.txt', '.d.log']) fileOf(path(name), `${name}\n`)
    // A hidden file may be one that is being written.
    expect(await run(readLines(path('*.log')))).toEqual(['a.log', 'b.log'])
    expect(await run(readLines(path('.*.log')))).toEqual(['.d.log'])
    await expect(run(readLines(path('*.csv')))).rejects.toThrow(
      `Cannot read ${path('*.csv')}: no file matches`,
    )
  })

  test('a pattern below folders with a pattern for a name', async () => {
    for (const names of [
      ['a[1]', '{b,c} *?'],
      ['a[1]', 'plain'],
      ['a1', 'plain'],
    ])
      for (const file of ['2.log', '1.log']) {
        mkdirSync(path(...names), { recursive: true })
        fileOf(path(...names, file), `${names.join()} ${file}\n`)
      }
    const exotic = ['a[1],{b,c} *? 1.log', 'a[1],{b,c} *? 2.log']
    const plain = ['a[1],plain 1.log', 'a[1],plain 2.log']
    expect(await run(readLines(path('a[1]', '{b,c} *?', '*.log')))).toEqual(exotic)
    expect(await run(readLines(path('a[1]', '*', '*.log')))).toEqual([...plain, ...exotic])
    // No folder is called that.
    expect(await run(readLines(path('a[1-2]', 'plain', '*.log')))).toEqual([
      'a1,plain 1.log',
      'a1,plain 2.log',
    ])
    expect(await run(readLines(path('a\\[1\\]', 'p*', '*.log')))).toEqual(plain)
    await expect(run(readLines(path('a[1]', '*.log')))).rejects.toThrow('no file matches')
    for (const folder of ['logs (old)', '(b)', '!c']) {
      mkdirSync(path(folder))
      fileOf(path(folder, '1.log'), folder)
      expect(await run(readLines(path(folder, '*.log')))).toEqual([folder])
    }
    const relation = relative('.', path('a[1]', 'plain', '*.log'))
    expect(await run(readLines(relation))).toEqual(plain)
  })

  test('a pattern whose files are called as it calls them, wherever the program is', async () => {
    for (const name of ['1.log', '!2.log', '3.txt']) fileOf(path(name), `{"name":"${name}"}\n{`)
    const files: string[] = []
    const onError = ({ error }: { error: unknown }) => void files.push(String(error).split(':')[1].trim())
    for (const pattern of ['*1.log', '!*.log', '!(1|2)*.log'])
      await run(readJsonl(path(pattern), { onError }))
    expect(files).toEqual([path('1.log'), path('!2.log'), path('!2.log')])
  })

  test('a file with a pattern for a name', async () => {
    expect(await run(readLines(fileOf(path('a[1].log'), 'x\n')))).toEqual(['x'])
  })

  test('a file: URL', async () => {
    expect(await run(readLines(new URL(`file://${fileOf(path('a b'), 'x\n')}`)))).toEqual(['x'])
  })

  test('what is packed', async () => {
    const files = [
      fileOf(path('a.gz'), gzipSync(manyText)),
      fileOf(path('b.br'), brotliCompressSync(manyText)),
      fileOf(path('c.gz'), Buffer.concat([gzipSync('x\n'), gzipSync('y\n')])),
    ]
    expect(await run(readLines(files))).toEqual([...many, ...many, 'x', 'y'])
  })

  test('a pipe with a name, also before there is a writer', async () => {
    execFileSync('mkfifo', [path('pipe')])
    const reading = run(readLines(path('pipe')))
    const writer = spawn('sh', ['-c', 'printf "a\\nb" > "$1"', 'sh', path('pipe')], { stdio: 'ignore' })
    expect(await reading).toEqual(['a', 'b'])
    writer.kill()
  })

  test('a packed pipe, of which a line of megabytes comes out before there is more behind it', async () => {
    execFileSync('mkfifo', [path('pipe.gz')])
    const packer = createGzip()
    packer.pipe(createWriteStream(path('pipe.gz')))
    const lines = pipeline(readLines(path('pipe.gz')))[Symbol.asyncIterator]()
    const long = 'x'.repeat(3_000_000)
    packer.write(`${long}\n`)
    packer.flush(constants.Z_SYNC_FLUSH)
    expect((await lines.next()).value).toBe(long)
    packer.end('last')
    expect((await lines.next()).value).toBe('last')
    await lines.return!()
  })
})

describe('a file that cannot be read fails the stage, with its name', () => {
  const message = async (source: Source<unknown>) =>
    ((await run(source).catch((thrown: unknown) => thrown)) as Error).message

  test('where it is not there', async () => {
    expect(await message(readLines(path('none')))).toBe(
      `Stage "readLines" failed: Cannot read ${path('none')}: no such file`,
    )
    expect(await message(readLines(path('none.gz')))).toContain(
      `Cannot read ${path('none.gz')}: no such file`,
    )
  })

  test('where it is damaged behind a line of megabytes, which comes out with those behind it', async () => {
    const lines = ['x'.repeat(1_500_000), ...many.slice(0, 20_000)]
    const packed = gzipSync(lines.join('\n'))
    const got: string[] = []
    const reading = pipeline(
      readLines(fileOf(path('torn.gz'), packed.subarray(0, packed.length - 9))),
      forEach((line) => void got.push(line)),
    ).run()
    await expect(reading).rejects.toThrow(`Cannot unpack ${path('torn.gz')}: unexpected end of file`)
    expect(got.length).toBeGreaterThan(10_000)
    expect(got).toEqual(lines.slice(0, got.length))
  })

  test('where it is a folder', async () => {
    mkdirSync(path('folder.gz'))
    expect(await message(readJsonl(path()))).toContain('it is a directory')
    expect(await message(readCsv(path('folder.gz')))).toContain('it is a directory')
  })

  test('where Node would read its first part only', async () => {
    const parts = Buffer.concat([brotliCompressSync('x\n'), brotliCompressSync('y\n')])
    expect(await message(readLines(fileOf(path('a.br'), parts)))).toContain('there is more behind its end')
  })

  test('where it is not packed, or cut off', async () => {
    expect(await message(readLines(fileOf(path('a.gz'), 'no gzip')))).toContain(
      `Cannot unpack ${path('a.gz')}: `,
    )
    expect(await message(readLines(fileOf(path('b.gz'), gzipSync(manyText).subarray(0, 5000))))).toContain(
      `Cannot unpack ${path('b.gz')}: unexpected end of file`,
    )
    expect(openFiles(path())).toEqual([])
  })
})

describe('a run that goes on', () => {
  test('reads what is left of a packed file', async () => {
    const file = fileOf(path('a.gz'), gzipSync(manyText))
    const { values, position } = await cut(readLines(file), 1)
    expect(values.length).toBeLessThan(50_000)
    expect([...values, ...(await run(resumed(readLines(file), position)))]).toEqual(many)
  })

  test('reads what was added since the end, also in a new file of the name', async () => {
    const file = fileOf(path('a'), '1\n2\n')
    const { values, position } = await cut(readLines(file), 9)
    expect(values).toEqual(['1', '2'])
    fileOf(file, '1\n2\n3\n')
    expect(await run(resumed(readLines(file), position))).toEqual(['3'])
    execFileSync('mv', [file, path('b')])
    fileOf(file, 'new\n')
    expect(await run(resumed(readLines(file), position))).toEqual(['new'])
  })

  test('reads what was added to each of several files, and files that are new among them', async () => {
    const names = ['1.log', '3.log', '4.gz', '5.log']
    const add = (name: string, line: string) =>
      appendFileSync(path(name), name.endsWith('.gz') ? gzipSync(`${line}\n`) : `${line}\n`)
    const lines = () => readLines([path('*.log'), path('4.gz'), path('1.log')])
    for (const name of names) add(name, name)
    const first = await cut(lines(), 99)
    expect(first.values).toEqual(['1.log', '3.log', '5.log', '4.gz', '1.log'])
    for (const name of names) add(name, `${name} again`)
    add('2.log', '2.log')
    const again = await cut(resumed(lines(), first.position), 99)
    expect(again.values).toEqual([
      '1.log again',
      '2.log',
      '3.log again',
      '5.log again',
      '4.gz again',
      '1.log again',
    ])
    expect(await run(resumed(lines(), again.position))).toEqual([])
  })

  test('in the middle of a file, reads what was added to those before it, and that file once', async () => {
    const files = [fileOf(path('a'), 'a\n'), fileOf(path('b'), manyText), fileOf(path('c'), 'c\n')]
    const { values, position } = await cut(readLines(files), 10_000)
    expect(values.length).toBeLessThan(50_000)
    fileOf(path('a'), 'a\nmore\n')
    const rest = await run(resumed(readLines(files), position))
    expect([...values, ...rest.filter((line) => line !== 'more')]).toEqual(['a', ...many, 'c'])
    expect(rest[0]).toBe('more')
    rmSync(path('a'))
    expect(await run(resumed(readLines(files), position))).toEqual(rest.slice(1))
  })

  test('reads a file that has taken the place of one that is through, and goes on with the others', async () => {
    const files = [fileOf(path('a'), 'a\n'), fileOf(path('b'), 'b\n')]
    const { position } = await cut(readLines(files), 9)
    execFileSync('mv', [path('a'), path('old')])
    fileOf(path('a'), 'a\n')
    expect(await run(resumed(readLines(files), position))).toEqual(['a'])
  })

  test.each([7, { file: 'a' }, { file: 'a', id: '', index: 0, line: 0, offset: -1 }])(
    'refuses the position %o, which is not one of files',
    async (at) => {
      const source = readLines(fileOf(path('a'), 'a\n'))
      await expect(run(resumed(source, { at }))).rejects.toThrow('the position is not one of files')
    },
  )

  // No timing is asserted; but to look through all files for each of them would take half a minute.
  test('finds each of very many files where a new one came in front of all', () => {
    const files = Array.from({ length: 60_001 }, (_, i) => `${i}.log`)
    const ids = files.map((file) => `id of ${file}`)
    const before = files
      .slice(1)
      .map((file, index) => ({ file, id: ids[index + 1], index, offset: 0, line: 0 }))
    const [last, ...others] = before
    expect(placed({ ...last, others }, files, ids)).toEqual(
      before.map((each) => ({ ...each, index: each.index + 1 })),
    )
  })

  test.each([
    ['that is there', 'id'],
    ['that is gone', undefined],
  ])('finds each of very many places of one file %s', { timeout: 10_000 }, (_which, id) => {
    const files = Array.from({ length: 20_000 }, () => 'a.log')
    const before = files.map((file, index) => ({ file, id: 'id', index, offset: 0, line: 0 }))
    const [last, ...others] = before
    expect(
      placed(
        { ...last, others },
        files,
        files.map(() => id),
      ),
    ).toEqual(before)
  })

  test('knows a file that is gone by its name, however that is written', () => {
    const before = { file: relative('.', path('a.log')), id: 'gone', index: 0, offset: 3, line: 1 }
    expect(placed(before, [path('b.log'), path('a.log')], ['b', 'a'])).toEqual([
      { ...before, file: path('a.log'), index: 1 },
    ])
  })

  test('says so where its file was replaced or cut', async () => {
    const file = fileOf(path('a'), manyText)
    const { position } = await cut(readLines(file), 1)
    fileOf(file, 'short\n')
    await expect(run(resumed(readLines(file), position))).rejects.toThrow('it has 6 bytes, and should have')
    execFileSync('mv', [file, path('b')])
    fileOf(file, manyText)
    await expect(run(resumed(readLines(file), position))).rejects.toThrow('another file has taken its place')
    const other = readLines(fileOf(path('c'), manyText))
    await expect(run(resumed(other, position))).rejects.toThrow('it is not among the inputs')
  })
})

describe('no file stays open', () => {
  const sources = (): Source<unknown>[] => [
    readLines([fileOf(path('a'), manyText), path('a')]),
    readBytes([path('a'), path('a')]),
    readLines([fileOf(path('a.gz'), gzipSync(manyText)), path('a.gz')]),
  ]

  test('at the end, at an early one, or at a stop', async () => {
    for (const source of sources()) {
      await run(source)
      await pipeline(source, take(1)).run()
      await cut(source, 1)
      expect(openFiles(path())).toEqual([])
    }
  })

  test('at an abort, whenever it comes', async () => {
    for (const source of sources())
      for (let turns = 0; turns < 12; turns++) {
        const running = pipeline(source, drain()).start()
        for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
        await running.abort(new Error('enough'))
        await running.result.catch(() => {})
        expect(openFiles(path())).toEqual([])
      }
  })

  test('and none is closed under a read', async () => {
    const { openSync } = await import('node:fs')
    const file = fileOf(path('a'), manyText)
    const blocks = new FileBlocks(file, openSync(file, 'r'), 0, 'a')
    const next = blocks.next(new Uint8Array(0))
    await Promise.all([blocks.close(), blocks.close()])
    expect((await next)?.length).toBe(64 * 1024)
    expect(await blocks.next(new Uint8Array(0))).toBeUndefined()
    expect(openFiles(path())).toEqual([])
  })
})

describe('the standard input', () => {
  const report = `console.log(JSON.stringify(values), process.stdin.listenerCount('readable'), process.stdin.listenerCount('error'))`

  test.each<[string, string, string]>([
    ['a pipe', `printf 'a\\nb' | "$@"`, '-'],
    ['a file', `printf 'a\\nb' > "$0"; "$@" < "$0"`, '-'],
    ['a pipe by its path', `printf 'a\\nb' | "$@"`, '/dev/stdin'],
    ['nothing', `"$@" < /dev/null`, '-'],
  ])('is read where it is %s', async (kind, shell, name) => {
    const { code, stdout, stderr } = await runInShell(
      shell,
      path('input.txt'),
      `import { pipeline } from 'sluice'
      import { readLines } from 'sluice/io'
      const values = await pipeline(readLines('${name}')).run()
      ${report}`,
    )
    expect([code, stdout, stderr]).toEqual([0, `${kind === 'nothing' ? '[]' : '["a","b"]'} 0 0\n`, ''])
  })

  /** A program whose standard input stays open; it ends with the test, whatever happens. */
  async function fed(
    program: string,
    feed: (child: ChildProcessByStdio<Writable, Readable, null>) => Promise<unknown>,
  ) {
    await using reader = await bundledText(program, 'reader.mts')
    const child = spawn(process.execPath, reader.args, { stdio: ['pipe', 'pipe', 'inherit'] })
    const kill = () => void child.kill('SIGKILL')
    process.once('exit', kill)
    try {
      let output = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
      const closed = once(child, 'close')
      await feed(child)
      const [code] = (await closed) as [number]
      return { code, output }
    } finally {
      kill()
      process.off('exit', kill)
    }
  }

  test('keeps no process that wants no more of it, and gives the rest to the next run', async () => {
    const result = await fed(
      `import { pipeline, take } from 'sluice'
      import { readLines } from 'sluice/io'
      const values = await pipeline(readLines('-'), take(1)).run()
      console.log('first')
      values.push(...await pipeline(readLines('-'), take(2)).run())
      ${report}`,
      async (child) => {
        child.stdin.write('a\nb\n')
        await once(child.stdout, 'data')
        child.stdin.write('c\nd\n')
      },
    )
    expect(result).toEqual({ code: 0, output: 'first\n["a","c","d"] 0 0\n' })
  })

  test('is given up at a stop, with what has come', async () => {
    const result = await fed(
      `import { forEach, pipeline } from 'sluice'
      import { readLines } from 'sluice/io'
      const values = []
      const running = pipeline(readLines('-'), forEach((line) => void values.push(line))).start()
      process.stdin.once('readable', () => setImmediate(() => running.stop()))
      await running.result
      ${report}`,
      async (child) => child.stdin.write('a\nb'),
    )
    expect(result).toEqual({ code: 0, output: '["a","b"] 0 0\n' })
  })

  test('is given up at a stop where nothing has come', async () => {
    const result = await fed(
      `import { pipeline } from 'sluice'
      import { readLines } from 'sluice/io'
      const running = pipeline(readLines('-')).start()
      await running.stop()
      const values = await running.result
      ${report}`,
      async () => {},
    )
    expect(result).toEqual({ code: 0, output: '[] 0 0\n' })
  })
})

test('a process substitution is read', async () => {
  const ended = await runInShell(
    '"$@" <(printf "a\\nb\\n")',
    'bash',
    `import { pipeline } from 'sluice'
    import { readLines } from 'sluice/io'
    console.log(JSON.stringify(await pipeline(readLines(process.argv[2])).run()))`,
  )
  expect(ended).toMatchObject({ code: 0, stdout: '["a","b"]\n' })
})
