// Very many columns and files. No timing is asserted; but a list that is searched for each of its members would take minutes,
// and the limit of twenty seconds would end it.
import { pipeline, source } from 'sluice'
import { readCsv, writeCsv } from 'sluice/io'
import { expect, it } from 'vitest'
import { useFolder } from './support-files.ts'

const LIMIT = 20_000
const file = useFolder()
const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `column ${i}`)

it(
  'a header of very many columns is checked',
  () => {
    const header = names(200_000)
    const types = Object.fromEntries(header.map((name) => [name, 'number' as const]))
    expect(() => readCsv('x.csv', { header, types })).not.toThrow()
    expect(() => readCsv('x.csv', { header: [...header, 'column 7'] })).toThrow('got "column 7"')
    expect(() => writeCsv('x.csv', { columns: header })).not.toThrow()
    expect(() => writeCsv('x.csv', { columns: [...header, 'column 7'] })).toThrow('got "column 7"')
  },
  LIMIT,
)

it(
  'objects of very many keys are written',
  async () => {
    const row = Object.fromEntries(names(20_000).map((name, i) => [name, i]))
    const written = await pipeline(
      source(Array.from({ length: 100 }, () => row)),
      writeCsv(file('wide.csv')),
    ).run()
    expect(written.count).toBe(100)
  },
  LIMIT,
)
