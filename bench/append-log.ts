// npm run bench:append -- [--megabytes 500] [--rounds 3] [--only name,name]
//
// What it costs to append lines to a file: 500 MB of log lines of about 150 bytes. The lines lie in memory, as arrays of
// 1,000 strings each, half a million of them again and again; to make or read them is not measured. Every run is a fresh
// process and a fresh file on the same disk; before each, what the last one left in memory is written to the disk. Time
// goes from the first line to the end of the log (of pino: until all has been written).
//
// Each process has appended the half a million lines once before, to another file: "at first" is how fast that was, with all
// that a process does but once, to compile and to ask the system for the memory of its heap.
//
// `cat` copies a file of the same lines, which is in the cache, into the file (`cat lines >> file`). It runs before and after
// each run: the machine may be half as fast a minute later, and the part is of what it could do then. The rate of
// `fdatasync` is that of a plain loop of write and fdatasync of 64 kB each, in the same place.

import { execFileSync } from 'node:child_process'
import {
  closeSync,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { bundleForNode } from './bundle.ts'
import { logLines } from './append-log/lines.ts'
import { median, printMachine, root } from './machine.ts'

const { values: options } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '500' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
  },
})
const folder = mkdtempSync(join(root, 'node_modules/.cache/append-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
const [lines, out] = [join(folder, 'lines'), join(folder, 'out.log')]
const worker = await bundleForNode('bench/append-log/worker.ts')

const text = Buffer.from(`${logLines().join('\n')}\n`)
const times = Math.max(1, Math.round((Number(options.megabytes) * 1e6) / text.length))
writeFileSync(lines, Buffer.concat(Array.from({ length: times }, () => text)))
const size = statSync(lines).size

/** What each row is, as what the worker is told. */
const rows = {
  'bare loop': 'buffer.write(line) for each, writeSync at 256 kB; promises nothing',
  'sluice sink written': 'pipeline(source(lines), appendLog(file))',
  'sluice sink synced': "the same, level: 'synced'",
  'sluice log written': 'openLog(file), append(1,000 lines)',
  'sluice log synced': "the same, level: 'synced'",
  'pino async': 'pino.destination({ sync: false, minLength: 4096 }), line by line',
  'pino sync': 'pino.destination({ sync: true }), line by line',
  'pino sync synced': 'the same, fsync: true, a thousandth of the lines',
}
type Row = keyof typeof rows
const wanted = (Object.keys(rows) as Row[]).filter((row) => options.only === '' || options.only.includes(row))
printMachine(['pino'])
console.log(
  `\nappend-log: ${(size / 1e6).toFixed(0)} MB, lines of ${(text.length / logLines().length).toFixed(0)} bytes, ${options.rounds} rounds`,
)
const syncs = syncRate()
/** Of each run: how fast it was, and its part of what `cat` did just before and after it. */
const measured = new Map<Row, (Run & { ofCat: number })[]>(wanted.map((row) => [row, []]))
const cats = [cat()]
for (let round = 0; round < Number(options.rounds); round++) {
  for (const row of round % 2 === 0 ? wanted : wanted.toReversed()) {
    const run = append(row)
    const before = cats.at(-1)!
    cats.push(cat())
    measured.get(row)!.push({ ...run, ofCat: (2 * run.speed) / (before + cats.at(-1)!) })
  }
}
print('', 'MB/s', 'of cat', 'lowest', 'highest', 'at first')
printRow('cat', cats, '')
for (const row of wanted) {
  const runs = measured.get(row)!
  const ofCat = 100 * median(runs.map((run) => run.ofCat))
  const first = rounded(median(runs.map((run) => run.first)))
  printRow(
    row,
    runs.map(({ speed }) => speed),
    `${rounded(ofCat)} %`,
    first,
  )
}
console.log(
  `\nfdatasync: ${syncs.toFixed(0)} a second, of 64 kB each: ${((syncs * 65_536) / 1e6).toFixed(0)} MB/s`,
)
console.log('cat: lines >> file')
for (const row of wanted) console.log(`${row}: ${rows[row]}`)

/** Megabytes a second; those of the first lines of the process. */
interface Run {
  speed: number
  first: number
}

function append(row: Row): Run {
  afresh()
  const said = execFileSync(process.execPath, [worker, row, out, String(times)], { encoding: 'utf8' })
  return JSON.parse(said) as Run
}

/** Megabytes a second. */
function cat(): number {
  afresh()
  const began = performance.now()
  execFileSync('sh', ['-c', 'cat "$0" >> "$1"', lines, out])
  return size / (performance.now() - began) / 1000
}

function afresh(): void {
  rmSync(out, { force: true })
  execFileSync('sync')
}

/** How many times a second 64 kB can be written and synced. */
function syncRate(): number {
  const fd = openSync(out, 'a')
  const bytes = Buffer.alloc(65_536, 'x')
  const began = performance.now()
  let syncs = 0
  for (; performance.now() - began < 2000; syncs++) {
    writeSync(fd, bytes)
    fdatasyncSync(fd)
  }
  closeSync(fd)
  return syncs / 2
}

function printRow(name: string, speeds: number[], ofCat: string, first = ''): void {
  print(
    name,
    rounded(median(speeds)),
    ofCat,
    rounded(Math.min(...speeds)),
    rounded(Math.max(...speeds)),
    first,
  )
}

function rounded(figure: number): string {
  return figure.toFixed(figure < 10 ? 2 : 0)
}

function print(name: string, ...cells: string[]): void {
  console.log(name.padEnd(24) + cells.map((cell) => cell.padStart(10)).join(''))
}
