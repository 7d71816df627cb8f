// A log pipeline: parse, keep what matters, format. Bad lines go to a channel of their own.
//
// A line that cannot be parsed is no reason to stop, nor to pretend it was not there. `onError` sends it
// to a dead-letter channel and the pipeline goes on. What happens to the letters is somebody else's task.

import assert from 'node:assert/strict'
import { channel, filter, map, pipeline, source } from 'sluice'

const lines = [
  '09:00:01 INFO  api   listening on 8080',
  '09:00:04 WARN  db    slow query, 1200 ms',
  '%% garbage from a broken disk %%',
  '09:00:07 ERROR mail  connection refused',
  '09:00:09 INFO  api   GET /orders 200',
  '09:00:12 LOUD  api   no such level',
  '09:00:15 ERROR db    deadlock found',
]

const severity = { INFO: 0, WARN: 1, ERROR: 2 }
type Level = keyof typeof severity
interface Entry {
  time: string
  level: Level
  service: string
  text: string
}

function parse(line: string): Entry {
  const match = /^(?<time>\S+) +(?<level>INFO|WARN|ERROR) +(?<service>\S+) +(?<text>.+)$/.exec(line)
  if (!match) throw new SyntaxError(`Cannot parse line: ${line}`)
  return { ...match.groups } as unknown as Entry
}

const [badLines, letters] = channel<string>(4, { name: 'dead letters' })

const logs = pipeline(
  source(lines),
  map(parse, { name: 'parse', onError: ({ value }) => badLines.send(value) }),
  filter((entry) => severity[entry.level] >= severity.WARN, { name: 'at least WARN' }),
  map(({ time, level, service, text }) => `${time} [${level}] ${service}: ${text}`, { name: 'format' }),
)

async function readLetters() {
  const unread: string[] = []
  for await (const line of letters) unread.push(line)
  return unread
}

// Both at once. The letters are bounded too: if nobody read them, the pipeline would wait for them.
const running = logs.run().finally(() => badLines.close()) // After the run nobody writes letters any more.
const [formatted, bad] = await Promise.all([running, readLetters()])

console.log(formatted.join('\n'))
console.log(`${bad.length} bad lines, kept`)
assert.equal(formatted.length, 3)
assert.equal(formatted[0], '09:00:04 [WARN] db: slow query, 1200 ms')
assert.deepEqual(bad, [lines[2], lines[5]])
