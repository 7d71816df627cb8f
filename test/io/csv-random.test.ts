/**
 * Random CSV. What was written is read again; `csv-parse` reads the same; and where the blocks of a file end makes no
 * difference to rows, to errors or to their places, nor does a stop at any row.
 */
import { parse } from 'csv-parse/sync'
import { expect, test, vi } from 'vitest'
import { pipeline, source } from 'sluice'
import { type CsvOptions, readCsv, readJsonl, readLines, writeCsv } from 'sluice/io'
import { law, type Random } from '../pipeline/support-random.ts'
import { withBlocksOf } from './support-blocks.ts'
import { cut, fileOf, outcome, resumed, run, useFolder } from './support-files.ts'

vi.mock('../../src/io/files/blocks.ts', async (original) =>
  (await import('./support-blocks.ts')).inPieces(await original()),
)

const path = useFolder()
const hostile = [
  '"',
  '"',
  ',',
  ',',
  '\n',
  '\r',
  '\r\n',
  ' ',
  'a',
  'b',
  '1',
  'ü',
  '日',
  '😀',
  '\uFEFF',
  '#',
  '\\',
  '\t',
] as const

const textFrom = (random: Random, most: number): string =>
  Array.from({ length: random.int(0, most) }, () => random.pick(hostile)).join('')

const rowsFrom = (random: Random): string[][] => {
  const width = random.int(1, 5)
  return Array.from({ length: random.int(0, 12) }, () =>
    Array.from({ length: width }, () => textFrom(random, random.pick([0, 1, 3, 12]))),
  )
}

test('what writeCsv wrote, readCsv and csv-parse read', () =>
  law(40, async (random) => {
    const rows = rowsFrom(random)
    const delimiter = random.pick([',', ';', '\t', '|'])
    const newline = random.pick(['\n', '\r\n'] as const)
    const file = path('rows.csv')
    await pipeline(source(rows), writeCsv(file, { delimiter, newline })).run()
    const read = () => run(readCsv(file, { header: false, delimiter }))
    expect(await withBlocksOf(random.pick([1, 2, 7, Infinity]), read)).toEqual(rows)
    const { readFileSync } = await import('node:fs')
    expect(parse(readFileSync(file), { delimiter, record_delimiter: newline })).toEqual(rows)
  }))

test('objects come back with their types', () =>
  law(30, async (random) => {
    const rows = Array.from({ length: random.int(1, 20) }, (_, id) => ({
      id,
      amount: random.int(-1e9, 1e9) / random.pick([1, 10, 100, 1e6]),
      text: textFrom(random, 6),
      when: random.pick([undefined, new Date(random.int(0, 2e12))]),
      big: BigInt(random.int(-1e9, 1e9)) ** 3n,
      yes: random.pick([true, false]),
      data: random.pick<unknown>([{ a: [1, '"', null] }, [1, 2], { '😀': '\n' }]),
    }))
    const file = path('objects.csv')
    await pipeline(source(rows), writeCsv(file)).run()
    const types = {
      id: 'number',
      amount: 'number',
      when: 'date?',
      big: 'bigint',
      yes: 'boolean',
      data: 'json',
    } as const
    expect(await run(readCsv(file, { types }))).toEqual(rows)
  }))

test('text by other programs gives what csv-parse gives', () =>
  law(40, async (random) => {
    const rows = rowsFrom(random)
    const newline = random.pick(['\n', '\r\n', '\r'])
    const field = (text: string): string =>
      /[",\r\n\uFEFF]/.test(text) || random.int(0, 3) === 0 ? `"${text.replaceAll('"', '""')}"` : text
    // A blank line is left out, or not: quotes around nothing always are a row.
    const line = (row: string[]): string => row.map(field).join(',') || '""'
    const text = rows.map(line).join(newline) + (rows.length > 0 ? random.pick(['', newline]) : '')
    const file = fileOf(path('rows.csv'), text)
    const ours = await withBlocksOf(random.pick([1, 3, Infinity]), () =>
      run(readCsv(file, { header: false })),
    )
    expect(ours).toEqual(rows)
    expect(ours).toEqual(parse(text, { record_delimiter: newline }))
  }))

const settings = [
  {},
  { short: 'fill' },
  { maxRow: 9 },
  { maxRow: 1 },
  { trim: true },
  { comment: '#' },
  { escape: '\\' },
  { quote: '' },
  { header: ['a', 'b'], types: { b: 'number?' } },
  { header: ['a', 'b'], types: { a: 'number', b: 'json' }, trim: true, maxRow: 20 },
] as const satisfies CsvOptions[]

test('any text gives the same rows and errors, at the same places, whatever the blocks', () =>
  law(40, async (random) => {
    const text = random.pick(['', '\uFEFF']) + textFrom(random, random.pick([5, 20, 80]))
    const file = fileOf(path('any.csv'), text)
    const options: CsvOptions = { header: false, ...random.pick(settings) }
    const read = (size: number) =>
      withBlocksOf(size, () => outcome((onError) => readCsv(file, { ...options, onError })))
    const whole = await read(Infinity)
    for (let size = 1; size <= 7; size++) expect([size, await read(size)]).toEqual([size, whole])
  }))

test('each row that is bad, or good, is one of the lines of the text', () =>
  law(40, async (random) => {
    const file = fileOf(path('any.csv'), textFrom(random, 60))
    const { bad } = await outcome((onError) => readCsv(file, { header: ['a', 'b'], onError }))
    const { readFileSync } = await import('node:fs')
    const text = readFileSync(file, 'utf8').replace(/^\uFEFF/, '')
    for (const { value } of bad) expect(text).toContain(value)
  }))

const encodings = ['utf-8', 'utf-16le', 'utf-16be', 'latin1'] as const

function encoded(text: string, encoding: (typeof encodings)[number], mark: boolean): Buffer {
  if (encoding === 'utf-8') return Buffer.concat([Buffer.from(mark ? '\uFEFF' : ''), Buffer.from(text)])
  if (encoding === 'latin1') return Buffer.from(text, 'latin1')
  const little = Buffer.from(mark ? `\uFEFF${text}` : text, 'utf16le')
  return encoding === 'utf-16le' ? little : little.swap16()
}

const readers = {
  lines: (file: string | string[], encoding: string) => readLines(file, { encoding }),
  json: (file: string | string[], encoding: string) => readJsonl(file, { encoding, onError: 'skip' }),
  csv: (file: string | string[], encoding: string) => readCsv(file, { encoding, onError: 'skip' }),
  'csv without header': (file: string | string[], encoding: string) =>
    readCsv(file, { encoding, header: false, onError: 'skip' }),
}

test.each(Object.keys(readers) as (keyof typeof readers)[])(
  '%s in two runs, cut anywhere, are each row once',
  (kind) =>
    law(20, async (random) => {
      const encoding = random.pick(encodings)
      const mark = random.int(0, 1) === 1
      const text = () =>
        kind === 'json'
          ? Array.from({ length: random.int(0, 9) }, () => `${JSON.stringify(textFrom(random, 5))}\n`).join(
              '',
            )
          : `name,text\n${textFrom(random, 50)}`
      const files = ['one', 'two', 'three'].map((name) => fileOf(path(name), encoded(text(), encoding, mark)))
      const make = () => readers[kind](files, encoding) as ReturnType<typeof readLines>
      const size = random.pick([1, 2, 5, Infinity])
      const expected = await run(make())
      await withBlocksOf(size, async () => {
        const seen: unknown[] = []
        let position: unknown
        for (let times = 0; times < 40; times++) {
          const { values, position: next } = await cut(resumed(make(), position), random.int(1, 4))
          seen.push(...values)
          position = next
          if ((position as { at?: { done?: boolean } }).at?.done) break
        }
        seen.push(...(await run(resumed(make(), position))))
        expect(seen).toEqual(expected)
      })
    }),
)

test('bytes that are no UTF-8 make no difference to where a next run goes on', () =>
  law(30, async (random) => {
    const bytes = Buffer.from(
      Array.from({ length: random.int(10, 60) }, () =>
        random.pick([0x0a, 0x2c, 0x22, 0x61, 0xff, 0xe2, 0x82, 0xf0, 0x9f, 0x80, 0xc3, 0x0d]),
      ),
    )
    const file = fileOf(path('bytes.csv'), bytes)
    const make = () => readCsv(file, { header: false, encoding: 'utf-8', onError: 'skip' })
    const expected = await run(make())
    await withBlocksOf(random.pick([1, 3, Infinity]), async () => {
      const { values, position } = await cut(make(), random.int(1, 3))
      expect([...values, ...(await run(resumed(make(), position)))]).toEqual(expected)
    })
  }))
