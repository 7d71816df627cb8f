/** What connectors are told counts as it was when the stage was made: what becomes of the user's objects later does not matter. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { pipeline, type Source, source } from 'sluice'
import { readDuckDb, readParquet, writeParquet } from 'sluice/duckdb'
import {
  appendLog,
  checkpoint,
  type FileWriteOptions,
  openLog,
  readBytes,
  readCsv,
  readLines,
  writeCsv,
  writeJsonl,
  writeLines,
} from 'sluice/io'
import { writePostgres } from 'sluice/postgres'
import { writeSqlite } from 'sluice/sqlite'

const folder = mkdtempSync(join(tmpdir(), 'sluice-taken-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const at = (name: string): string => join(folder, name)

test.each<[string, (path: string, options: object) => Source<unknown>, unknown[]]>([
  ['readLines', readLines, ['id', '1é']],
  ['readCsv', readCsv, [{ id: '1é' }]],
])('%s keeps its encoding, and does not follow', async (_, read, rows) => {
  const file = at('rows.txt')
  writeFileSync(file, 'id\n1é\n')
  const options = { encoding: 'utf-8', follow: false }
  const reading = read(file, options)
  Object.assign(options, { encoding: 'none', follow: true, from: 'end' })
  expect(await pipeline(reading).run()).toEqual(rows)
})

test('readBytes does not follow', async () => {
  const file = at('bytes')
  writeFileSync(file, 'abc')
  const options = { follow: false }
  const reading = readBytes(file, options)
  options.follow = true
  expect(Buffer.concat(await pipeline(reading).run()).toString()).toBe('abc')
})

test('the lists and records of CSV are those that were checked', async () => {
  const columns = ['a', 'b']
  const writing = writeCsv(at('rows.csv'), { columns })
  columns[1] = 'a'
  await pipeline(source([{ a: 1, b: 2 }]), writing).run()
  expect(readFileSync(at('rows.csv'), 'utf8')).toBe('a,b\n1,2\n')

  const types: Record<string, 'number' | 'none'> = { b: 'number' }
  const header = ['a', 'b']
  const reading = readCsv(at('rows.csv'), {
    header,
    types: types as Record<string, 'number'>,
    onError: 'skip',
  })
  types.b = 'none'
  header.pop()
  expect(await pipeline(reading).run()).toEqual([{ a: '1', b: 2 }])
})

test('the parameters and columns of DuckDB are those that were checked', async () => {
  const params: number[] = [1]
  const reading = readDuckDb('SELECT ?::INTEGER AS n', { params })
  params[0] = Symbol('none') as never
  expect(await pipeline(reading).run()).toEqual([{ n: 1 }])

  const columns: Record<string, string> = { n: 'INTEGER' }
  const writing = writeParquet(at('rows.parquet'), { columns })
  delete columns.n
  await pipeline(source([{ n: 1 }]), writing).run()
  expect(await pipeline(readParquet(at('rows.parquet'))).run()).toEqual([{ n: 1 }])
})

test('a job calls its stages as they were called when they were made', async () => {
  writeFileSync(at('in.txt'), 'a\n')
  const named = { name: 'reading', capacity: 1 }
  const writing: FileWriteOptions<string> = { name: 'writing', append: true }
  const job = checkpoint(
    at('job.json'),
    pipeline(readLines(at('in.txt'), named), writeLines(at('out.txt'), writing)),
  )
  Object.assign(named, { name: 5, capacity: -1 })
  Object.assign(writing, { name: 5, append: false })
  await job.run()
  expect(readFileSync(at('out.txt'), 'utf8')).toBe('a\n')
})

test('each option of a file that is written is read once', () => {
  const read: string[] = []
  const options = new Proxy({ append: true }, { get: (_, key) => void read.push(String(key)) })
  writeJsonl(at('none'), options)
  expect(read.sort()).toEqual([...new Set(read)])
})

test('half of a character is no part of a name in SQLite and Postgres', () => {
  const half = 'a\ud800'
  const connection = 'postgres://host'
  expect(() => writeSqlite(half, { database: 'a.db' })).toThrow('"table" must be a name')
  expect(() => writeSqlite('t', { database: 'a.db', columns: [half] })).toThrow('"columns" must be names')
  expect(() => writePostgres(half, { connection })).toThrow('"table" must be a name')
  expect(() => writePostgres('t', { connection, columns: [half] })).toThrow(
    '"columns" must be distinct names',
  )
})

describe.each<[string, unknown]>([
  ['a list', []],
  ['a promise', Promise.resolve({})],
])('%s in place of the options is refused by', (_, given) => {
  const options = given as object
  const job = () => pipeline(source(['a']), writeLines(at('none'), { append: true }))
  test.each<[string, () => unknown]>([
    ['readLines', () => readLines('a', options)],
    ['readBytes', () => readBytes('a', options)],
    ['readCsv', () => readCsv('a', options)],
    ['writeLines', () => writeLines('a', options)],
    ['writeCsv', () => writeCsv('a', options)],
    ['appendLog', () => appendLog('a', options)],
    ['openLog', () => openLog('a', options)],
    ['checkpoint', () => checkpoint('a', job(), options)],
    ['a run of a job', () => checkpoint('a', job()).start(options)],
    ['readDuckDb', () => readDuckDb('SELECT 1', options)],
    ['readParquet', () => readParquet('a', options)],
    ['writeParquet', () => writeParquet('a', options)],
    ['writePostgres', () => writePostgres('a', options as never)],
  ])('%s', (_, make) => {
    expect(make).toThrow(/^Cannot .*: "options" must be an object, got (Array|Promise)$/)
  })
})
