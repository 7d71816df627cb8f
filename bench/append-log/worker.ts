// One run of bench/append-log.ts: which row, the file, and how many times all lines are appended. Prints what it took.

import { once } from 'node:events'
import { closeSync, openSync, writeSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { pipeline, source } from 'sluice'
import { pino } from 'pino'
import { appendLog, type LogLevel, openLog } from 'sluice/io'
import { logLines } from './lines.ts'

const [row, file, count] = process.argv.slice(2)
const lines = logLines()
const times = Number(count)
const chunks = Array.from({ length: lines.length / 1000 }, (_, i) => lines.slice(i * 1000, (i + 1) * 1000))
const all = Array.from({ length: times }, () => lines).flat()
const level: LogLevel = row.endsWith('synced') ? 'synced' : 'written'

async function throughSink(): Promise<number> {
  const { bytes } = await pipeline(source(all), appendLog(file, { level })).run()
  return bytes
}

/** At most 8 chunks are on their way. */
async function throughLog(): Promise<number> {
  const log = await openLog(file, { level })
  const appending: Promise<void>[] = []
  for (let time = 0; time < times; time++) {
    for (const chunk of chunks) {
      appending.push(log.append(chunk))
      if (appending.length >= 8) await appending.shift()
    }
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
async function throughPino(options: PinoOptions, share = 1): Promise<number> {
  const destination = pino.destination({ ...options, dest: file })
  if (!options.sync) await once(destination, 'ready')
  let bytes = 0
  for (const line of all.slice(0, all.length * share)) {
    bytes += line.length + 1
    if (!destination.write(`${line}\n`)) await once(destination, 'drain')
  }
  // Not its end, which syncs the file.
  if (!options.sync) {
    const written = once(destination, 'drain')
    destination.flush()
    await written
  }
  return bytes
}

/** What Node can do at all: each line encoded into a buffer, and that written at 256 kB, with nothing else going on. */
async function bareLoop(): Promise<number> {
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

const work: Record<string, () => Promise<number>> = {
  loop: bareLoop,
  sink: throughSink,
  log: throughLog,
  async: () => throughPino({ sync: false, minLength: 4096 }),
  sync: () => throughPino({ sync: true }),
  'sync synced': () => throughPino({ sync: true, fsync: true }, 0.001),
}
const name = row.startsWith('pino ') ? row.slice(5) : row.split(' ')[1]
// What making the lines has left is not to be cleared away while we measure.
setFlagsFromString('--expose-gc')
;(runInNewContext('gc') as () => void)()
const began = performance.now()
const bytes = await work[name]()
console.log(JSON.stringify({ milliseconds: performance.now() - began, bytes }))
