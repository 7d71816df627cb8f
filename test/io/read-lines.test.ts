import { appendFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { describe, expect, test, vi } from 'vitest'
import { pipeline, type StageError, through } from 'sluice'
import { FormatError, type LineOptions, readBytes, readJsonl, readLines } from 'sluice/io'
import { placeOfJsonError } from '../../src/io/files/json-place.ts'
import { type Parser, rowSource } from '../../src/io/files/rows.ts'
import { withBlocksOf } from './support-blocks.ts'
import { cut, fileOf, outcome, resumed, run, useFolder } from './support-files.ts'

vi.mock('../../src/io/files/blocks.ts', async (original) =>
  (await import('./support-blocks.ts')).inPieces(await original()),
)

const path = useFolder()

test('files are read where a test plays a browser without a TextDecoder', async () => {
  vi.stubGlobal('TextDecoder', undefined)
  try {
    expect(await run(readLines(fileOf(path('a.txt'), 'ä\nb\n')))).toEqual(['ä', 'b'])
    expect(await run(readLines(fileOf(path('b.txt'), '\xe4\n'), { encoding: 'latin1' }))).toHaveLength(1)
  } finally {
    vi.unstubAllGlobals()
  }
})

describe.each([1, 2, 3, Infinity])('readLines() in blocks of %s bytes', (size) => {
  test.each<[string, string, string[]]>([
    ['one line for each line end', 'a\nb\n', ['a', 'b']],
    ['the last line without one', 'a\nb', ['a', 'b']],
    ['empty lines', '\n\na\n\n', ['', '', 'a', '']],
    ['nothing of an empty file', '', []],
    ['lines of CR LF and of LF', 'a\r\nb\nc\r\n', ['a', 'b', 'c']],
    ['a CR inside of a line as it is', 'a\rb\n\rc\r\r\n', ['a\rb', '\rc\r']],
    ['text without its byte order mark', '\uFEFFa\n\uFEFFb\n', ['a', '\uFEFFb']],
    ['unicode', 'ü日😀\n\u2028\u0085\0\n', ['ü日😀', '\u2028\u0085\0']],
  ])('gives %s', async (_, text, lines) => {
    const files = [
      fileOf(path('utf8'), text),
      fileOf(path('utf16le'), Buffer.from(`\uFEFF${text.replace(/^\uFEFF/, '')}`, 'utf16le')),
      fileOf(path('utf16be'), Buffer.from(`\uFEFF${text.replace(/^\uFEFF/, '')}`, 'utf16le').swap16()),
    ]
    for (const file of files) expect(await withBlocksOf(size, () => run(readLines(file)))).toEqual(lines)
  })

  test('puts U+FFFD for bytes that are no text', async () => {
    const file = fileOf(path('bad'), Buffer.from([0x61, 0xff, 0x0a, 0xe2, 0x82, 0x0a, 0xc3]))
    expect(await withBlocksOf(size, () => run(readLines(file)))).toEqual(['a\uFFFD', '\uFFFD', '\uFFFD'])
  })

  test.each([
    ['latin1', [0xe9, 0x0a, 0xff, 0x80, 0x0a], ['é', 'ÿ€']],
    ['iso-8859-15', [0xa4, 0x0a], ['€']],
    ['shift_jis', [0x93, 0xfa, 0x96, 0x7b, 0x0a, 0x83, 0x5c, 0x0a], ['日本', 'ソ']],
    ['gb18030', [0xc8, 0xd5, 0x0a, 0x81, 0x30, 0x81, 0x30, 0x0a], ['日', '\u0080']],
  ])('reads %s', async (encoding, bytes, lines) => {
    const file = fileOf(path('text'), Buffer.from(bytes))
    expect(await withBlocksOf(size, () => run(readLines(file, { encoding })))).toEqual(lines)
  })

  test('fails at a line that is too long, when those before have gone out', async () => {
    const file = fileOf(path('long'), 'a\nbbbb\nccccc\nd\n')
    const seen: string[] = []
    const reading = (async () => {
      for await (const line of pipeline(readLines(file, { maxLine: 4 }))) seen.push(line)
    })()
    const error = await withBlocksOf(size, () => reading.catch((thrown: unknown) => thrown as StageError))
    expect((error as StageError).cause).toMatchObject({ file, line: 3, column: 1 })
    expect((error as StageError).message).toContain('the line has more than 4 bytes ("maxLine")')
    expect(seen).toEqual(['a', 'bbbb'])
  })

  test.each<[string, string, string[], [string, string][]]>([
    ['between others', 'a\nbbbbb\ncccc\n', ['a', 'cccc'], [['bbbb', '2:1']]],
    ['of many blocks', `${'x'.repeat(99)}\n\na\n`, ['', 'a'], [['xxxx', '1:1']]],
    ['by the CR of its end', 'aaaa\r\nb\r\n', ['b'], [['aaaa', '1:1']]],
    ['without its end', 'a\nbbbbb', ['a'], [['bbbb', '2:1']]],
    [
      'several times',
      'aaaaa\nb\nccccc\nddddd\ne\n',
      ['b', 'e'],
      [
        ['aaaa', '1:1'],
        ['cccc', '3:1'],
        ['dddd', '4:1'],
      ],
    ],
  ])('goes on behind a line that is too long, %s', async (_, text, rows, places) => {
    const bad = places.map(([value, place]) => ({
      value,
      place,
      error: expect.stringContaining('"maxLine"'),
    }))
    const wide = Buffer.from(text, 'utf16le')
    for (const [file, options] of [
      [fileOf(path('utf8'), text), { maxLine: 4 }],
      [fileOf(path('utf16le'), wide), { maxLine: 9, encoding: 'utf-16le' }],
    ] as const) {
      const read = () => outcome((onError) => readLines(file, { ...options, onError }))
      expect(await withBlocksOf(size, read)).toEqual({ rows, bad })
    }
  })
})

test('readJsonl() goes on behind a line that is too long, in one run or in two', async () => {
  const file = fileOf(path('long.jsonl'), `1\n"${'x'.repeat(200)}"\n"long"\n4\nno\n`)
  const read = () => outcome((onError) => readJsonl(file, { maxLine: 6, onError }))
  const { rows, bad } = await withBlocksOf(16, read)
  expect(rows).toEqual([1, 'long', 4])
  expect(bad.map(({ value, place }) => [value, place])).toEqual([
    ['"xxxxx', '2:1'],
    ['no', '5:2'],
  ])
  const make = () => readJsonl(file, { maxLine: 6, onError: 'skip' })
  const { position } = await withBlocksOf(16, () => cut(make(), 1))
  expect(await run(resumed(make(), position))).toEqual(['long', 4])
})

test('what is added to a line that was too long is passed over, too', async () => {
  const file = fileOf(path('grows.jsonl'), '1\n12345678')
  const make = () => readJsonl(file, { maxLine: 6, onError: 'skip' })
  const { values, position } = await cut(make(), 9)
  expect(values).toEqual([1])
  appendFileSync(file, '9\n2\n')
  expect(await run(resumed(make(), position))).toEqual([2])
})

test('a line longer than many blocks is one line', async () => {
  const long = 'x'.repeat(1_000_000)
  expect(await run(readLines(fileOf(path('long'), `a\n${long}\nb`)))).toEqual(['a', long, 'b'])
})

test('a line longer than many blocks is looked at a few times, and not once for each block', async () => {
  const text = `${'x'.repeat(10_000_000)}\nlast`
  let looked = 0
  const lineEnds = (): Parser<number> => ({
    line: 0,
    parse(bytes, final, batch) {
      looked += bytes.length
      const end = final ? bytes.length : bytes.lastIndexOf(10) + 1
      if (end > 0) batch.rows.push(end)
      return end
    },
  })
  const lengths = await run(rowSource('lengths', fileOf(path('long'), text), {}, lineEnds))
  expect(lengths.reduce((sum, length) => sum + length)).toBe(text.length)
  // 16 blocks until it counts as long, and then each time twice as many.
  expect(looked).toBeLessThan(5 * text.length)
})

describe('readBytes()', () => {
  test('gives all bytes, and a byte order mark, too', async () => {
    const content = Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * 31) % 256))
    const mark = Buffer.from([0xef, 0xbb, 0xbf])
    const file = fileOf(path('bytes'), Buffer.concat([mark, content]))
    const pieces = await run(readBytes(file))
    expect(Buffer.concat(pieces).equals(Buffer.concat([mark, content]))).toBe(true)
    expect(pieces.every((piece) => piece.constructor === Uint8Array && piece.length <= 65_536)).toBe(true)
  })

  test('refuses options that are none', () => {
    expect(() => readBytes('a', null as never)).toThrow('"options" must be an object, got null')
  })

  test('takes options that are inherited', () => {
    const named = Object.create({ name: 'raw' }) as { name: string }
    expect(pipeline(readBytes('a', named)).describe().nodes[0].name).toBe('raw')
  })

  test('what it gives goes through a Web stream as it is', async () => {
    const file = fileOf(path('packed'), gzipSync('a\nb\n'))
    const unpacked = pipeline(
      readBytes(file),
      through(new DecompressionStream('gzip')),
      through(new TextDecoderStream()),
    )
    expect((await unpacked.run()).join('')).toBe('a\nb\n')
  })
})

describe('readJsonl()', () => {
  test.each([1, 4, Infinity])('follows the rules of JSON Lines in blocks of %s bytes', async (size) => {
    const text = '\uFEFF{"a":"ü\\n"}\r\n[1,2]\n null \n"😀\u2028"\n-1.5e3\ntrue'
    const file = fileOf(path('values.jsonl'), text)
    expect(await withBlocksOf(size, () => run(readJsonl(file)))).toEqual([
      { a: 'ü\n' },
      [1, 2],
      null,
      '😀\u2028',
      -1500,
      true,
    ])
  })

  test.each([1, 4, Infinity])('names the place of what is no JSON in blocks of %s bytes', async (size) => {
    const file = fileOf(path('bad.jsonl'), '{"a":1}\n{"a":}\r\n\n[1,2\n{}')
    const result = await withBlocksOf(size, () => outcome((onError) => readJsonl(file, { onError })))
    expect(result).toEqual({
      rows: [{ a: 1 }, {}],
      bad: [
        { value: '{"a":}', place: '2:6', error: 'not a JSON value: "{\\"a\\":}"' },
        { value: '', place: '3:1', error: 'a blank line is no JSON value' },
        { value: '[1,2', place: '4:5', error: 'not a JSON value: "[1,2"' },
      ],
    })
  })

  test('has the error of the runtime as the cause', async () => {
    const error = await run(readJsonl(fileOf(path('bad'), 'x'))).catch(
      (thrown: unknown) => thrown as StageError,
    )
    const { cause } = error as StageError
    expect(cause).toBeInstanceOf(FormatError)
    expect((cause as FormatError).cause).toBeInstanceOf(SyntaxError)
  })

  test('is not upset by values that lie deep', async () => {
    const deep = '['.repeat(200_000)
    const { bad } = await outcome((onError) => readJsonl(fileOf(path('deep'), deep), { onError }))
    expect(bad.map(({ place }) => place)).toEqual(['1:200001'])
  })

  test.each<[string, number]>([
    ['', 0],
    ['x', 0],
    ['tru', 3],
    ['trux', 3],
    ['nul1', 3],
    ['{', 1],
    ['{a', 1],
    ['{"a"', 4],
    ['{"a" 1', 5],
    ['{"a":1,}', 7],
    ['{"a":1,,', 7],
    ['{"a":1]', 6],
    ['[1,]', 3],
    ['[1 2]', 3],
    ['[1}', 2],
    ['[,', 1],
    ['"a', 2],
    ['"a\tb"', 2],
    ['"\\x"', 2],
    ['"\\u12g4"', 5],
    ['"\\u12', 5],
    ['01', 1],
    ['-', 1],
    ['-x', 1],
    ['1.', 2],
    ['1.x', 2],
    ['1e', 2],
    ['1e+x', 3],
    ['.5', 0],
    ['+1', 0],
    ['1 2', 2],
    ['{} x', 3],
    ["{'a':1}", 1],
    ['[1, "at position 7", x]', 21],
    ['NaN', 0],
    ['\u00a01', 0],
  ])('%j goes wrong at %i', (text, at) => {
    expect(() => JSON.parse(text) as unknown).toThrow(SyntaxError)
    expect(placeOfJsonError(text)).toBe(at)
  })
})

test.each<[unknown, LineOptions | Record<string, unknown>, string]>([
  ['', {}, '"path" must be a path, a file: URL, or a list of these, got ""'],
  [7, {}, '"path" must be a path, a file: URL, or a list of these, got 7'],
  [[], {}, '"path" must be at least one path, got "none"'],
  [['a', null], {}, '"path" must be a path, a file: URL, or a list of these, got null'],
  [['a\ud800'], {}, '"path" must be of whole characters, got "a\\ud800"'],
  [new URL('http://localhost/a'), {}, '"path" must be a path, a file: URL, or a list of these, got URL'],
  ['a', { maxLine: 0 }, '"maxLine" must be an integer >= 1 or Infinity, got 0'],
  ['a', { encoding: 'x' }, '"encoding" must be an encoding that TextDecoder knows, got "x"'],
  ['a', { follow: 1 }, '"follow" must be a boolean, got 1'],
  ['a', { from: 'middle', follow: true }, `"from" must be 'start' or 'end', got "middle"`],
  ['a', { from: 'end' }, '"from" must be \'start\' without "follow", got "end"'],
  [
    '-',
    { follow: true },
    '"follow" must be false for the standard input, for packed files, and for more than one file, got true',
  ],
  [
    'a.gz',
    { follow: true },
    '"follow" must be false for the standard input, for packed files, and for more than one file, got true',
  ],
  [
    ['a', 'b'],
    { follow: true },
    '"follow" must be false for the standard input, for packed files, and for more than one file, got true',
  ],
  ['a', { capacity: -1 }, '"capacity" must be'],
])('%o with %o is refused where the stage is made', (path, options, message) => {
  expect(() => readLines(path as string, options as LineOptions)).toThrow(
    `Cannot create readLines: ${message}`,
  )
})
