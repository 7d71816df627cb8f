import { execFileSync } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { map, pipeline, range, source, take, tap, type StageError } from 'sluice'
import { readDuckDb, readParquet, type WriteParquetOptions, writeParquet } from 'sluice/duckdb'
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { abortedInSync } from './support-files.ts'

const root = mkdtempSync(join(tmpdir(), 'sluice-parquet-'))
process.once('exit', () => rmSync(root, { recursive: true, force: true }))
afterAll(() => rmSync(root, { recursive: true, force: true }))

let folders = 0
let folder = ''
let path = ''
beforeEach(() => {
  folder = join(root, String(++folders))
  mkdirSync(folder)
  path = join(folder, 'x.parquet')
})

const write = (rows: object[], options: WriteParquetOptions<object> = {}, to = path) =>
  pipeline(source(rows), writeParquet(to, options)).run()
const failed = (run: Promise<unknown>) =>
  run.then(
    () => expect.fail('the run did not fail'),
    (error: unknown) => error as StageError,
  )
const rowsUpTo = (count: number) =>
  pipeline(
    range(count),
    map((i) => ({ i, name: `row ${i % 1000}` })),
  )

describe('writeParquet and readParquet', () => {
  test('what is written is read again, with its types and in its order', async () => {
    const at = new Date('2026-11-26T12:34:56.789Z')
    const rows = Array.from({ length: 5000 }, (_, i) => ({
      i: BigInt(i),
      half: i / 2,
      at,
      bytes: Uint8Array.of(i & 255),
      tags: i % 2 ? ['a', `b${i}`] : [],
      who: { name: `n${i}`, ok: i % 3 === 0 },
    }))
    expect(await write(rows)).toEqual({ path, count: 5000 })
    expect(await pipeline(readParquet(path)).run()).toStrictEqual(rows)
    expect(readdirSync(folder)).toEqual(['x.parquet'])
  })

  test('reads some columns, of the rows that "where" wants', async () => {
    await write([
      { a: 1, b: 'x', 'odd"name': 5 },
      { a: 2, b: 'y', 'odd"name': 6 },
    ])
    const options = {
      columns: ['odd"name', 'a'],
      where: 'b = $1 -- not c',
      params: ['y'],
      integers: 'number' as const,
    }
    expect(await pipeline(readParquet(path, options)).run()).toEqual([{ 'odd"name': 6, a: 2 }])
  })

  test('reads several files and globs, in their order', async () => {
    for (const n of [2, 1, 3]) await write([{ n }], {}, join(folder, `part-${n}.parquet`))
    const read = (paths: string | string[]) => pipeline(readParquet(paths, { integers: 'number' })).run()
    expect(await read(join(folder, 'part-*.parquet'))).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }])
    const two = [join(folder, 'part-3.parquet'), join(folder, 'part-1.parquet')]
    expect(await read(two)).toEqual([{ n: 3 }, { n: 1 }])
  })

  test('names of files cannot break out of their quotes', async () => {
    const odd = join(folder, `it's "odd"; --.parquet`)
    await write([{ a: true }], {}, odd)
    expect(await pipeline(readParquet(odd)).run()).toEqual([{ a: true }])
    expect(readdirSync(folder)).toEqual([`it's "odd"; --.parquet`])
  })

  test.each(['zstd', 'snappy', 'gzip', 'lz4', 'brotli', 'uncompressed'] as const)(
    'compresses with %s, in row groups of the size wanted',
    async (compression) => {
      await pipeline(rowsUpTo(10_000), writeParquet(path, { compression, rowGroup: 4096 })).run()
      const sql = 'SELECT DISTINCT compression, row_group_num_rows AS n FROM parquet_metadata($1) ORDER BY n'
      const named = compression === 'lz4' ? 'lz4_raw' : compression
      const found = await pipeline(readDuckDb(sql, { params: [path], integers: 'number' })).run()
      expect(found.map((row) => String(row.compression).toLowerCase())).toEqual([named, named])
      expect(found.map(({ n }) => n)).toEqual([10_000 % 4096, 4096])
    },
  )

  test('the types are those that "columns" says', async () => {
    await write([{ id: 1, at: new Date(0) }], { columns: { id: 'INTEGER', at: 'DATE', gone: 'VARCHAR' } })
    const found = await pipeline(readParquet(path)).run()
    expect(found).toEqual([{ id: 1, at: new Date(0), gone: null }])
  })

  test('a row that does not fit follows onError', async () => {
    const rows = [{ a: 1 }, { a: 'x' }, { a: 3 }]
    const told: unknown[] = []
    expect(await write(rows, { onError: ({ value }) => void told.push(value) })).toEqual({ path, count: 2 })
    expect(told).toEqual([{ a: 'x' }])
    expect((await failed(write(rows))).message).toContain(
      'Cannot write column "a": it was BIGINT in the rows before and is VARCHAR here',
    )
  })

  test.each([
    ['HUGEINT', 2n ** 64n + 1n, 2n ** 64n],
    ['HUGEINT[]', [2n ** 64n + 1n], [2n ** 64n]],
    ['STRUCT(a HUGEINT)', { a: -(2n ** 64n + 1n) }, { a: -(2n ** 64n) }],
    ['MAP(VARCHAR, UHUGEINT)', new Map([['a', 2n ** 64n + 1n]]), new Map([['a', 2n ** 64n]])],
  ])('a value of %s that the file cannot hold is refused, and not changed', async (type, value, other) => {
    const bad: string[] = []
    const rows = [{ v: value }, { v: other }]
    const { count } = await write(rows, {
      columns: { v: type },
      onError: ({ error }) => void bad.push((error as Error).message),
    })
    expect(count).toBe(1)
    expect(bad).toEqual([
      expect.stringMatching(
        /^Cannot write column "v": it must be an integer of 64 bits in a Parquet file \(.*, got -?\d+n$/,
      ),
    ])
  })

  test('an integer beyond 64 bits whose type nobody said is refused, and stays whole as a decimal', async () => {
    const rows = [{ v: 2n ** 64n + 1n }]
    expect((await failed(write(rows))).message).toContain('"columns" may say DECIMAL(38, 0)')
    await write(rows, { columns: { v: 'DECIMAL(38, 0)' } })
    expect(await pipeline(readParquet(path)).run()).toEqual([{ v: '18446744073709551617' }])
  })

  test('an interval that the file cannot hold is refused', async () => {
    const good = { months: 1, days: 2, micros: (2n ** 32n - 1n) * 1000n }
    const bad = [{ micros: 1n }, { days: -1 }, { micros: 2n ** 32n * 1000n }, { micros: -1000n }]
    const rows = [good, ...bad.map((part) => ({ ...good, ...part }))].map((v) => ({ v }))
    const { count } = await write(rows, { columns: { v: 'INTERVAL' }, onError: 'skip' })
    expect(count).toBe(1)
    expect(await pipeline(readParquet(path)).run()).toEqual([{ v: good }])
  })

  test('a number beyond those of FLOAT is refused', async () => {
    const rows = [1e300, Infinity].map((v) => ({ v }))
    const { count } = await write(rows, { columns: { v: 'FLOAT' }, onError: 'skip' })
    expect(count).toBe(1)
    expect(await pipeline(readParquet(path)).run()).toEqual([{ v: Infinity }])
  })

  test('the file appears whole or not at all, and what was there stays until then', async () => {
    await write([{ a: 'old' }])
    const fails = map((row: object, i) => {
      if (i === 130_000) throw new Error('boom')
      return row
    })
    await failed(pipeline(rowsUpTo(200_000), fails, writeParquet(path)).run())
    const aborts = map((row: object, i) => {
      if (i === 130_000) void run.abort(new Error('enough')).catch(() => {})
      return row
    })
    const run = pipeline(rowsUpTo(1_000_000), aborts, writeParquet(path)).start()
    await expect(run.result).rejects.toThrow('enough')
    expect(readdirSync(folder)).toEqual(['x.parquet'])
    expect(await pipeline(readParquet(path)).run()).toEqual([{ a: 'old' }])
    await pipeline(rowsUpTo(200_000), writeParquet(path)).run()
    expect(readdirSync(folder)).toEqual(['x.parquet'])
    const count = readDuckDb(`SELECT count(*)::INTEGER AS n, max(i)::INTEGER AS last FROM read_parquet($1)`, {
      params: [path],
    })
    expect(await pipeline(count).run()).toEqual([{ n: 200_000, last: 199_999 }])
  })

  test('what was there stays where the run is aborted while the disk is waited for', async () => {
    await write([{ a: 'old' }])
    await abortedInSync(path, () => pipeline(source([{ a: 'new' }]), writeParquet(path)).start())
    expect(await pipeline(readParquet(path)).run()).toEqual([{ a: 'old' }])
    expect(readdirSync(folder)).toEqual(['x.parquet'])
  })

  test('what was there stays where the run is aborted while the rows that waited are removed', async () => {
    await write([{ a: 'old' }])
    const running = pipeline(source([{ a: 'new' }]), writeParquet(path)).start()
    const close = vi.spyOn(DuckDBInstance.prototype, 'closeSync').mockImplementationOnce(() => {
      void running.abort(new Error('enough'))
    })
    try {
      await expect(running.result).rejects.toThrow('enough')
      await running.abort()
    } finally {
      close.mockRestore()
    }
    expect(await pipeline(readParquet(path)).run()).toEqual([{ a: 'old' }])
    expect(readdirSync(folder)).toEqual(['x.parquet'])
  })

  test('a link stays one', async () => {
    const link = join(folder, 'link')
    symlinkSync('x.parquet', link)
    for (const a of ['old', 'new']) {
      expect(await write([{ a }], {}, link)).toEqual({ path: link, count: 1 })
      expect(lstatSync(link).isSymbolicLink()).toBe(true)
      expect(await pipeline(readParquet(path)).run()).toEqual([{ a }])
    }
    expect(readdirSync(folder)).toEqual(['link', 'x.parquet'])
  })

  test('what is no file is refused at the first rows, and stays', async () => {
    mkdirSync(path)
    writeFileSync(join(path, 'inside'), '')
    const pipe = join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    const wrong = [
      [path, 'is no file'],
      [pipe, 'is no file'],
      [join(folder, 'new/'), 'EISDIR: what ends with a slash is no file'],
    ]
    for (const [to, why] of wrong) {
      let rows = 0
      const counts = tap<object>(() => void rows++)
      const error = await failed(pipeline(rowsUpTo(20_000), counts, writeParquet(to)).run())
      expect(error.message).toContain(`Cannot write Parquet ${JSON.stringify(to)}: `)
      expect(error.message).toContain(why)
      expect(rows).toBeLessThan(20_000)
    }
    expect(readdirSync(folder)).toEqual(['pipe', 'x.parquet'])
    expect(lstatSync(pipe).isFIFO()).toBe(true)
  })

  test('a folder where it cannot be made is named, and no file that nobody knows', async () => {
    const missing = join(folder, 'missing')
    const error = await failed(write([{ a: 1 }], {}, join(missing, 'x.parquet')))
    expect(error.message).toContain(`x.parquet": ENOENT: no such folder: ${missing}`)
    if (!existsSync('/sys')) return
    const refused = await failed(write([{ a: 1 }], {}, '/sys/x.parquet'))
    expect(refused.message).toMatch(/Cannot write Parquet "\/sys\/x.parquet": E[^,/]+, in the folder \/sys$/)
  })

  test('where its folder vanishes on the way it is named, and no file that nobody knows', async () => {
    const removing = tap((row: { i: number }) => {
      if (row.i === 4999) rmSync(folder, { recursive: true })
    })
    const error = await failed(pipeline(rowsUpTo(5000), removing, writeParquet(path)).run())
    expect(error.message).toContain(`Cannot write Parquet "${path}": `)
    expect(error.message).toContain('No such file or directory')
    expect(error.message).not.toContain('.x.parquet')
  })

  test('its name may be as long as names can be', async () => {
    const long = join(folder, 'x'.repeat(255))
    expect(await write([{ a: 'x' }], {}, long)).toEqual({ path: long, count: 1 })
    expect(await pipeline(readParquet(long)).run()).toEqual([{ a: 'x' }])
    expect(readdirSync(folder)).toEqual([basename(long)])
  })

  test('without a row it needs to know the columns', async () => {
    const error = await failed(write([]))
    expect(error.message).toContain('no row came, and "columns" has no names: a file without columns is none')
    expect((await failed(write([{}]))).message).toContain('Cannot write a row without columns')
    expect(readdirSync(folder)).toEqual([])
    expect(await write([], { columns: { a: 'INTEGER' } })).toEqual({ path, count: 0 })
    expect(await pipeline(readParquet(path)).run()).toEqual([])
  })

  test('a file that is missing, or broken, is named', async () => {
    expect((await failed(pipeline(readParquet(path)).run())).message).toContain(
      `read Parquet ${JSON.stringify(path)}`,
    )
    writeFileSync(path, 'PAR1 and no more')
    expect((await failed(pipeline(readParquet(path)).run())).message).toContain(
      `read Parquet ${JSON.stringify(path)}`,
    )
  })

  test('a file that is damaged in the middle fails the run', async () => {
    await pipeline(rowsUpTo(300_000), writeParquet(path)).run()
    const bytes = readFileSync(path)
    bytes.fill(0xff, Math.floor(bytes.length / 2), Math.floor(bytes.length * 0.8))
    writeFileSync(path, bytes)
    let seen = 0
    const counts = map(() => void seen++)
    const error = await failed(pipeline(readParquet(path), counts).run())
    expect(error.message).toContain('Cannot read Parquet')
    expect(seen).toBeLessThan(300_000)
  })

  test('is left early without reading on', async () => {
    await pipeline(rowsUpTo(100_000), writeParquet(path)).run()
    expect(await pipeline(readParquet(path, { columns: ['name'] }), take(1)).run()).toEqual([
      { name: 'row 0' },
    ])
  })

  test.each([
    ['path', () => readParquet([]), 'Cannot create readParquet: "path" must be a path, or paths, got Array'],
    [
      'columns',
      () => readParquet('x', { columns: [] }),
      'Cannot create readParquet: "columns" must be names of columns',
    ],
    [
      'where',
      () => readParquet('x', { where: '' }),
      'Cannot create readParquet: "where" must be a condition of SQL, got ""',
    ],
    ['path to write', () => writeParquet(''), 'Cannot create writeParquet: "path" must be a path, got ""'],
    [
      'compression',
      () => writeParquet('x', { compression: 'zip' as never }),
      'Cannot create writeParquet: "compression" must be one of zstd, snappy, gzip, lz4, brotli, uncompressed, got "zip"',
    ],
  ])('a wrong %s is a TypeError where it is made', (_, make, message) => {
    expect(make).toThrow(TypeError)
    expect(make).toThrow(message)
  })

  test('a wrong rowGroup is a RangeError where it is made', () => {
    expect(() => writeParquet('x', { rowGroup: 0 })).toThrow(RangeError)
  })
})
