// One run of bench/append-log.ts: which row, the file, and how many times all lines are appended. Prints what it took, and
// before that what it took to append them once to another file.

import { once } from 'node:events'
import { closeSync, openSync, rmSync, statSync, writeSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { pipeline, source } from 'sluice'
import { pino } from 'pino'
import { appendLog, type LogLevel, openLog } from 'sluice/io'
import { logLines } from './lines.ts'

const [row, file, count] = process.argv.slice(2)
const level: LogLevel = row.endsWith('synced') ? 'synced' : 'written'

/** The lines to be appended, one by one and by the thousand. */
interface Load {
  all: readonly string[]
  chunks: readonly (readonly string[])[]
}
/** Appends them to a file, and gives how many bytes it has then. */
type Work = (file: string, load: Load) => Promise<number>

const throughSink: Work = async (file, { all }) => {
  const { bytes } = await pipeline(source(all), appendLog(file, { level })).run()
  return bytes
}

/** At most 8 chunks are on their way. */
const throughLog: Work = async (file, { chunks }) => {
  const log = await openLog(file, { level })
  const appending: Promise<void>[] = []
  for (const chunk of chunks) {
    appending.push(log.append(chunk))
    if (appending.length >= 8) await appending.shift()
  }
  return (await log.close()).bytes
}

interface PinoOptions {
  sync: boolean
  minLength?: number
  maxWrite?: number
  fsync?: boolean
}

/** The destination alone. Waits where it says that it can take no more, as its users must. */
const throughPino =
  (options: PinoOptions, share = 1): Work =>
  async (file, { all }) => {
    const destination = pino.destination({ ...options, dest: file })
    if (!options.sync) await once(destination, 'ready')
    let bytes = 0
    for (const line of all.slice(0, all.length * share)) {
      bytes += line.length + 1
      if (!destination.write(`${line}\n`)) await once(destination, 'drain')
    }
    // Not its end, which syncs the file; and a `drain` may be that of an earlier write.
    destination.flush()
    while (statSync(file).size < bytes) await new Promise(setImmediate)
    return bytes
  }

/** What Node can do at all: each line encoded into a buffer, and that written at 256 kB, with nothing else going on. */
const bareLoop: Work = async (file, { all }) => {
  const fd = openSync(file, 'a')
  const buffer = Buffer.allocUnsafeSlow(2 ** 18 + 4096)
  let [at, bytes] = [0, 0]
  const write = () => {
    bytes += writeSync(fd, buffer, 0, at)
    at = 0
  }
  for (const line of all) {
    at += buffer.write(line, at)
    buffer[at++] = 0x0a
    if (at >= 2 ** 18) write()
  }
  write()
  closeSync(fd)
  return bytes
}

const works: Record<string, Work> = {
  loop: bareLoop,
  sink: throughSink,
  log: throughLog,
  async: throughPino({ sync: false, minLength: 4096 }),
  sync: throughPino({ sync: true }),
  'sync synced': throughPino({ sync: true, fsync: true }, 0.001),
}
const work = works[row.startsWith('pino ') ? row.slice(5) : row.split(' ')[1]]

const lines = logLines()
const chunks = Array.from({ length: lines.length / 1000 }, (_, i) => lines.slice(i * 1000, (i + 1) * 1000))
const load = (times: number): Load => {
  const repeated = <T>(items: readonly T[]): T[] => Array.from({ length: times }, () => items).flat()
  return { all: repeated(lines), chunks: repeated(chunks) }
}

/** Megabytes a second. */
async function rate(path: string, given: Load): Promise<number> {
  const began = performance.now()
  const bytes = await work(path, given)
  const milliseconds = performance.now() - began
  if (statSync(path).size !== bytes)
    throw new Error(`${row} wrote ${statSync(path).size} bytes instead of ${bytes}`)
  return bytes / milliseconds / 1000
}

const [single, many] = [load(1), load(Number(count))]
// What making the lines has left is not to be cleared away while we measure.
setFlagsFromString('--expose-gc')
;(runInNewContext('gc') as () => void)()
const first = await rate(`${file}.first`, single)
rmSync(`${file}.first`)
console.log(JSON.stringify({ first, speed: await rate(file, many) }))
