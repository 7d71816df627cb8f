// Eight producers write to a log until somebody kills this. Arguments: the folder, and the kind of log.
// Says on its standard output, for each acknowledgement, how many lines of which producer are safe.
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { fanIn, pipeline, source } from 'sluice'
import { appendLog, type LogOptions, openLog } from 'sluice/io'
import { countLines, lineOf, PRODUCERS, readLog } from '../killed-lines.ts'

const [folder, kind] = process.argv.slice(2)
const file = join(folder, 'app.log')
const [api, what] = kind.split(' ')
const options: LogOptions = {
  level: what === 'synced' ? 'synced' : 'written',
  onRepaired: () => {},
  // A write of megabytes takes long enough to be cut in two.
  ...(what === 'large' && { flush: { bytes: 2 ** 22, ms: 1 } }),
  ...(what === 'rotating' && { rotate: { bytes: 20_000, gzip: true } }),
}

const counts = countLines(readLog(folder).lines, what === 'large')
const producers = Array.from({ length: PRODUCERS }, (_, producer) => producer)

function acknowledge(lines: readonly string[]): void {
  const latest = new Map(lines.map((line) => line.split(' ').slice(0, 2).map(Number) as [number, number]))
  writeSync(1, [...latest].map(([producer, index]) => `${producer} ${index + 1}\n`).join(''))
}

if (api === 'sink') {
  const lines = (producer: number) =>
    source(async function* () {
      for (let index = counts[producer]; ; index++) {
        yield lineOf(producer, index)
        if (index % 20 === producer) await new Promise(setImmediate)
      }
    })
  await pipeline(
    fanIn(...producers.map(lines)),
    appendLog(file, { ...options, onAcknowledged: acknowledge }),
  ).run()
} else {
  const log = await openLog(file, options)
  const write = async (producer: number) => {
    for (let index = counts[producer]; ;) {
      const length = what === 'large' ? 50 : 1 + (index % 7)
      const lines = Array.from({ length }, (_, i) => lineOf(producer, index + i, what === 'large'))
      await log.append(lines)
      acknowledge(lines)
      index += lines.length
    }
  }
  await Promise.all(producers.map(write))
}
