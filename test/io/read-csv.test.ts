import { describe, expect, expectTypeOf, test, vi } from 'vitest'
import { map, pipeline, type Source, type StageError, toArray } from 'sluice'
import { type CsvOptions, FormatError, readCsv, readJsonl } from 'sluice/io'
import { withBlocksOf } from './support-blocks.ts'
import { cut, fileOf, outcome, resumed, run, useFolder } from './support-files.ts'

vi.mock('../../src/io/files/blocks.ts', async (original) =>
  (await import('./support-blocks.ts')).inPieces(await original()),
)

const path = useFolder()
const csv = (text: string) => fileOf(path('rows.csv'), text)

describe('the header', () => {
  test('is the first row of each file', async () => {
    const files = [fileOf(path('1.csv'), 'a,b\n1,2\n'), fileOf(path('2.csv'), '\nb,a\n3,4\n')]
    expect(await run(readCsv(files))).toEqual([
      { a: '1', b: '2' },
      { b: '3', a: '4' },
    ])
  })

  test('may be given where the files have none', async () => {
    expect(await run(readCsv(csv('1,2\n3,4\n'), { header: ['x', 'y'] }))).toEqual([
      { x: '1', y: '2' },
      { x: '3', y: '4' },
    ])
  })

  test('may be changed', async () => {
    const header = (names: string[]) => names.map((name) => name.trim().toLowerCase())
    expect(await run(readCsv(csv(' Id ,NAME\n1,x\n'), { header }))).toEqual([{ id: '1', name: 'x' }])
  })

  test('may hold names that objects have already', async () => {
    const [row] = await run(readCsv(csv('__proto__,constructor,toString\n1,2,3\n')))
    expect(Object.entries(row)).toEqual([
      ['__proto__', '1'],
      ['constructor', '2'],
      ['toString', '3'],
    ])
  })

  test.each<[string, string, CsvOptions, string]>([
    ['names a column twice', '\n"a\nb",c,c\n1,2,3\n', {}, '2:1: there are two columns "c" (see "header")'],
    [
      'lacks a column that has a type',
      'a,b\n1,2\n',
      { types: { c: 'number' } },
      '1:1: there is no column "c", only "a", "b"',
    ],
    ['has a quote that is not closed', '\n"a,b\n1,2\n3,4\n', {}, '2:1: a quoted field is not closed'],
    [
      'has a quoted field that goes on',
      '"a"x,b\n1,2\n3,4\n',
      { header: (names) => names },
      '1:4: a quoted field is followed by "x"',
    ],
    [
      'is too long',
      'a,bcdefg\n1,2\n3,4\n',
      { maxRow: 5 },
      '1:1: the row has more than 5 characters ("maxRow")',
    ],
  ])('fails the stage, whatever onError says, where it %s', async (_, text, options, message) => {
    const error = await run(readCsv(csv(text), { ...options, onError: 'skip' })).catch(
      (thrown: unknown) => thrown,
    )
    expect((error as StageError).cause).toBeInstanceOf(FormatError)
    expect(String((error as StageError).cause)).toBe(`FormatError: ${path('rows.csv')}:${message}`)
  })

  test('that a function makes must be a list of names', async () => {
    const header = () => [1] as unknown as string[]
    await expect(run(readCsv(csv('a\n1\n'), { header }))).rejects.toThrow(
      '"header" must give a list of names',
    )
  })
})

describe('types', () => {
  const read = (text: string, type: NonNullable<CsvOptions['types']>[string]) =>
    outcome((onError) => readCsv(csv(`x,y\n${text},z\n`), { types: { x: type }, onError }))

  test.each<[string, NonNullable<CsvOptions['types']>[string], unknown]>([
    ['1', 'number', 1],
    ['-0', 'number', -0],
    ['0.1', 'number', 0.1],
    ['.5', 'number', 0.5],
    ['5.', 'number', 5],
    ['123456789012345', 'number', 123456789012345],
    ['-1234567.8901234', 'number', -1234567.8901234],
    ['9007199254740991', 'number', 9007199254740991],
    ['1e3', 'number', 1000],
    [' 7 ', 'number', 7],
    ['"7"', 'number', 7],
    ['+7', 'number', 7],
    ['-Infinity', 'number', -Infinity],
    ['2024-02-29', 'date', new Date('2024-02-29')],
    ['2024-12-31T23:59:59Z', 'date', new Date('2024-12-31T23:59:59Z')],
    ['2/29/2024', 'date', new Date(2024, 1, 29)],
    ['2/29/00', 'date', new Date(2000, 1, 29)],
    ['2024/12/31 23:59', 'date', new Date(2024, 11, 31, 23, 59)],
    ['', 'number?', undefined],
    ['7', 'number?', 7],
    ['12345678901234567890', 'bigint', 12345678901234567890n],
    ['-5', 'bigint', -5n],
    ['', 'bigint?', undefined],
    ['TRUE', 'boolean', true],
    ['0', 'boolean', false],
    ['', 'boolean?', undefined],
    ['2026-11-26T10:00:00Z', 'date', new Date('2026-11-26T10:00:00Z')],
    ['', 'date?', undefined],
    ['"{""a"":[1]}"', 'json', { a: [1] }],
    ['null', 'json', null],
    ['', 'json?', undefined],
    ['', 'string', ''],
    ['a-b', (text) => text.split('-'), ['a', 'b']],
  ])('%s as %s', async (text, type, value) => {
    expect(await read(text, type)).toEqual({ rows: [{ x: value, y: 'z' }], bad: [] })
  })

  test.each<[string, NonNullable<CsvOptions['types']>[string], string]>([
    ['', 'number', 'a number, got ""'],
    ['-', 'number', 'a number, got "-"'],
    ['.', 'number', 'a number, got "."'],
    ['1.2.3', 'number', 'a number, got "1.2.3"'],
    ['NaN', 'number', 'a number, got "NaN"'],
    ['1e999', 'number', 'a number that JavaScript can hold, got "1e999"'],
    ['-1.8e308', 'number', 'a number that JavaScript can hold, got "-1.8e308"'],
    ['2023-02-29', 'date', 'a date, got "2023-02-29"'],
    ['2024-04-31 10:00', 'date', 'a date, got "2024-04-31 10:00"'],
    ['2024/2/30', 'date', 'a date, got "2024/2/30"'],
    ['02/29/2023 10:00', 'date', 'a date, got "02/29/2023 10:00"'],
    ['2/30/24', 'date', 'a date, got "2/30/24"'],
    ['2023.02.29', 'date', 'a date, got "2023.02.29"'],
    ['+002023-02-29', 'date', 'a date, got "+002023-02-29"'],
    ['12a', 'number?', 'a number, got "12a"'],
    [
      '9007199254740993',
      'number',
      'a number that keeps all its digits (or of type "bigint"), got "9007199254740993"',
    ],
    ['1.5', 'bigint', 'an integer, got "1.5"'],
    ['yes', 'boolean', 'true, false, 1 or 0, got "yes"'],
    ['soon', 'date', 'a date, got "soon"'],
    ['{', 'json', 'a JSON value, got "{"'],
  ])('%s is no %s', async (text, type, wanted) => {
    const error = `column "x" must be ${wanted}`
    expect(await read(text, type)).toEqual({ rows: [], bad: [{ value: `${text},z`, place: '2:1', error }] })
  })

  test('what a function throws is the cause', async () => {
    const boom = new Error('boom')
    const types = {
      x: () => {
        throw boom
      },
    }
    const error = await run(readCsv(csv('x\n1\n'), { types })).catch(
      (thrown: unknown) => thrown as StageError,
    )
    expect((error as StageError).message).toContain('2:1: column "x": boom, got "1"')
    expect((error as StageError).cause).toMatchObject({ cause: boom })
  })

  test('numbers are what Number makes of them', async () => {
    const texts = Array.from({ length: 2000 }, (_, i) => ((i * 7919) / 10 ** (i % 9)).toString())
    const rows = await run(readCsv(csv(`x\n${texts.join('\n')}\n`), { types: { x: 'number' } }))
    expect(rows.map(({ x }) => x)).toEqual(texts.map(Number))
  })

  test('are known at compile time', () => {
    const types = {
      id: 'number',
      at: 'date?',
      data: 'json',
      tags: (text: string) => text.split(' '),
    } as const
    type Row = { id: number; at: Date | undefined; data: unknown; tags: string[]; [column: string]: unknown }
    const rowOf = <T>(_: Source<T>): T | undefined => undefined
    const _typed = rowOf(readCsv('x.csv', { types }))
    expectTypeOf<NonNullable<typeof _typed>['id']>().toEqualTypeOf<number>()
    expectTypeOf<NonNullable<typeof _typed>['at']>().toEqualTypeOf<Date | undefined>()
    expectTypeOf<NonNullable<typeof _typed>['tags']>().toEqualTypeOf<string[]>()
    expectTypeOf<NonNullable<typeof _typed>>().toExtend<Row>()
    expectTypeOf(readCsv('x.csv')).toEqualTypeOf<Source<Record<string, string>>>()
    expectTypeOf(readCsv('x.csv', { header: false })).toEqualTypeOf<Source<string[]>>()
    expectTypeOf(readCsv('x.csv', { types: { n: 'number?' } })).toExtend<Source<{ n: number | undefined }>>()
    // @ts-expect-error there is no such type
    expect(() => readCsv('x.csv', { types: { n: 'int' } })).toThrow('"types.n"')
  })

  test('what onError is told of is text, at compile time too', async () => {
    const bad: string[] = []
    const onError = ({ value }: { value: string }) => void bad.push(value)
    await run(readCsv(csv('n\n1\ntwo\n'), { types: { n: 'number' }, onError }))
    await run(readJsonl(csv('1\n{\n'), { onError }))
    expect(bad).toEqual(['two', '{'])
  })

  test('is a function also for a column called then', async () => {
    const then = (text: string) => text.toUpperCase()
    expect(await run(readCsv(csv('if,then\na,b\n'), { types: { then } }))).toEqual([{ if: 'a', then: 'B' }])
  })

  test('a function among the types needs no annotation', async () => {
    const prices = readCsv(csv('id;price\n1;2,5\n'), {
      delimiter: ';',
      types: { id: 'number', price: (text) => Number(text.replace(',', '.')) },
    })
    const doubled = map(({ id, price }: { id: number; price: number }) => [id, price * 2])
    expect(await pipeline(prices, doubled).run()).toEqual([[1, 5]])
  })
})

describe('the place of a bad row', () => {
  const options = { types: { n: 'number' } } as const
  const places = async (text: string, size: number, given: CsvOptions = options) =>
    (await withBlocksOf(size, () => outcome((onError) => readCsv(csv(text), { ...given, onError })))).bad.map(
      ({ place }) => place,
    )

  test.each<[string, string, CsvOptions, string[]]>([
    ['a field that is not what it should be', 'a,n\nx,1\ny,z\n', options, ['3:3']],
    ['behind a field with line ends', 'a,n\n"x\n\ny",1\nz,w\n', options, ['5:3']],
    ['in the second line of a row', 'a,n\n"x\ny",z\n', options, ['3:4']],
    ['in a file of CR LF', 'a,n\r\n"x\r\ny",1\r\nz,w\r\n', options, ['4:3']],
    ['in a file of CR', 'a,n\r"x\ry",1\rz,w\r', options, ['4:3']],
    ['behind a field with quotes', 'a,b,n\n"x,""y""",z"z,w\n', options, ['2:15']],
    ['behind a quote in a field', 'a,n\nx"y,w\n', options, ['2:5']],
    ['behind escaped quotes', 'a,n\n"x\\",\\"y",w\n', { ...options, escape: '\\' }, ['2:11']],
    ['behind white space', 'a , n\n x ,  w\n', { ...options, trim: true }, ['2:7']],
    [
      'of a field that is filled up, at the end of its row',
      'a,b,n\nx\n"y\ny",z\n1,2,3\nw',
      { ...options, short: 'fill' },
      ['2:2', '4:5', '6:2'],
    ],
    ['of a field in quotes', 'a,n\nx,"w"\n', options, ['2:3']],
    ['of each of many', 'a,n\nx\n"y\n",z\nx,1,2\n', options, ['2:1', '4:3', '5:1']],
    [
      'of a row that is broken in its last line, and then of one before',
      'a,n\n"x\na,q\ny"z,1\nw,w\n',
      options,
      ['4:3', '3:3', '5:3'],
    ],
    ['counts characters, not bytes', 'a,n\nüüü,w\n', options, ['2:5']],
  ])('%s', async (_, text, given, expected) => {
    for (const size of [1, 2, 5, Infinity]) expect(await places(text, size, given)).toEqual(expected)
  })

  test('is right behind many blocks, and in the second file', async () => {
    const lines = Array.from({ length: 30_000 }, (_, i) => `"row\n${i}",${i}`).join('\n')
    const one = fileOf(path('1.csv'), `a,n\n${lines}\n`)
    const two = fileOf(path('2.csv'), `a,n\n${lines}\nx,bad\n`)
    const error = await run(readCsv([one, two], options)).catch((thrown: unknown) => thrown as StageError)
    expect((error as StageError).cause).toMatchObject({ file: two, line: 60_002, column: 3 })
    expect((error as StageError).value).toBe('x,bad')
  })

  test('is right where a next run goes on', async () => {
    const lines = Array.from({ length: 30_000 }, (_, i) => `"row\n${i}",${i}`).join('\n')
    const file = csv(`a,n\n${lines}\nx,bad\n`)
    const { values, position } = await cut(readCsv(file, options), 1)
    expect(values.length).toBeLessThan(30_000)
    const error = await run(resumed(readCsv(file, options), position)).catch((thrown: unknown) => thrown)
    expect((error as StageError).cause).toMatchObject({ line: 60_002, column: 3 })
  })

  test('costs little, also where all rows are bad', async () => {
    const file = csv(`a,n\n${'x\n'.repeat(50_000)}`)
    let bad = 0
    expect(await run(readCsv(file, { onError: () => void bad++ }))).toEqual([])
    expect(bad).toBe(50_000)
  })
})

describe('a bad row', () => {
  const text = 'a,n\nx,1\ny,2\nz,bad\nw,4\n'

  test('fails the stage when the rows before it have gone out', async () => {
    const rows: unknown[] = []
    const source = readCsv(csv(text), { types: { n: 'number' } })
    const running = pipeline(source, { ...toArray<unknown>() }).start()
    const error = await running.result.catch((thrown: unknown) => thrown as StageError)
    expect(error).toMatchObject({ name: 'StageError', stage: 'readCsv', value: 'z,bad' })
    const iterated = (async () => {
      for await (const row of pipeline(readCsv(csv(text), { types: { n: 'number' } }))) rows.push(row)
    })()
    await expect(iterated).rejects.toThrow(`${path('rows.csv')}:4:3: column "n" must be a number, got "bad"`)
    expect(rows).toEqual([
      { a: 'x', n: 1 },
      { a: 'y', n: 2 },
    ])
  })

  test('is skipped and counted', async () => {
    const running = pipeline(readCsv(csv(text), { types: { n: 'number' }, onError: 'skip' })).start()
    expect(await running.result).toHaveLength(3)
    expect(running.stats().stages[0].failed).toBe(1)
  })

  test('is told to a handler, which is waited for', async () => {
    const told: unknown[] = []
    const onError = async (failure: { value: unknown; stage: string; attempts: number }) => {
      await Promise.resolve()
      told.push([failure.value, failure.stage, failure.attempts])
    }
    await run(readCsv(csv(text), { types: { n: 'number' }, name: 'orders', onError }))
    expect(told).toEqual([['z,bad', 'orders', 1]])
  })

  test('fails the stage where its handler throws, and is suppressed then', async () => {
    const thrown = new Error('handler')
    const onError = () => {
      throw thrown
    }
    const error = await run(readCsv(csv(text), { types: { n: 'number' }, onError })).catch((e: unknown) => e)
    expect(error).toMatchObject({ cause: thrown, value: 'z,bad' })
    expect((error as StageError).suppressed).toHaveLength(1)
  })
})

test('a path that ends in .tsv has tabs', async () => {
  expect(await run(readCsv(fileOf(path('a.tsv'), 'a\tb,c\n1\t2\n')))).toEqual([{ a: '1', 'b,c': '2' }])
  expect(await run(readCsv(new URL(`file://${fileOf(path('b.tsv'), 'a\tb\n1\t2\n')}`)))).toEqual([
    { a: '1', b: '2' },
  ])
})

test('of several files, those that end in .tsv have tabs, and the others commas', async () => {
  const files = [fileOf(path('1.csv'), 'a,b\n1,2\n'), fileOf(path('2.tsv'), 'a\tb\n3\t4\n')]
  const rows = [
    { a: '1', b: '2' },
    { a: '3', b: '4' },
  ]
  expect(await run(readCsv(files))).toEqual(rows)
  expect(await run(readCsv(files.toReversed()))).toEqual(rows.toReversed())
  expect(await run(readCsv(path('*.?sv')))).toEqual(rows)
  expect(() => readCsv(files, { quote: '\t' })).toThrow('"delimiter" must be other than "quote"')
})

test.each<[CsvOptions | Record<string, unknown>, string]>([
  [{ delimiter: '' }, '"delimiter" must be one character that ends no line, got ""'],
  [{ delimiter: null }, '"delimiter" must be one character that ends no line, got null'],
  [{ delimiter: '||' }, '"delimiter" must be one character that ends no line, got "||"'],
  [{ delimiter: '\n' }, '"delimiter" must be one character that ends no line, got "\\n"'],
  [{ delimiter: '"' }, '"delimiter" must be other than "quote", got "\\""'],
  [{ quote: '""' }, '"quote" must be one character that ends no line, or \'\', got "\\"\\""'],
  [{ escape: ',' }, '"escape" must be other than "delimiter", got ","'],
  [{ comment: '"' }, '"comment" must be other than "delimiter" and "quote", got "\\""'],
  [{ comment: 1 }, '"comment" must be one character that ends no line, or \'\', got 1'],
  [{ trim: 1 }, '"trim" must be a boolean, got 1'],
  [{ header: 'a' }, '"header" must be a boolean, a list of names or a function, got "a"'],
  [{ header: [] }, '"header" must be a list of at least one name, each a text, got Array'],
  [{ header: ['a', 'a'] }, '"header" must be a list of names that differ, got "a"'],
  [{ header: ['a'], types: { b: 'number' } }, '"types" must be for columns of "header", got "b"'],
  [{ header: false, types: { b: 'number' } }, '"types" must be left out where "header" is false, got Object'],
  [{ types: 'number' }, '"types" must be an object, got "number"'],
  [{ types: Promise.resolve({}) }, '"types" must be an object, got Promise'],
  [
    { types: { a: 'int' } },
    `"types.a" must be 'string', one of 'number', 'bigint', 'boolean', 'date', 'json' with or without a '?', or a function, got "int"`,
  ],
  [
    { types: { a: 'string?' } },
    `"types.a" must be 'string', one of 'number', 'bigint', 'boolean', 'date', 'json' with or without a '?', or a function, got "string?"`,
  ],
  [{ short: 'pad' }, '"short" must be \'fail\' or \'fill\', got "pad"'],
  [{ maxRow: 0 }, '"maxRow" must be an integer >= 1, got 0'],
  [{ encoding: 'utf-99' }, '"encoding" must be an encoding that TextDecoder knows, got "utf-99"'],
  [{ onError: 'ignore' }, `"onError" must be 'fail', 'skip' or a function, got "ignore"`],
])('%o is refused where the stage is made', (options, message) => {
  expect(() => readCsv('rows.csv', options as CsvOptions)).toThrow(`Cannot create readCsv: ${message}`)
})
