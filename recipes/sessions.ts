// Logs to sessions to counts: what somebody did without a pause of half an hour is a session, by the times in the log.
//
//     access.csv ─▶ readCsv ─▶ sessions ─▶ alsoTo(sessions.jsonl) ─▶ counts per landing page
//
// `sessions` is a stage of our own: it holds the sessions that may go on, and lets go of one as soon as the log is
// half an hour behind it. So it holds as many as there are visitors in half an hour, however long the log is.

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { alsoTo, map, pipeline, range, reduce, stage } from 'sluice'
import { readCsv, readJsonl, writeCsv, writeJsonl } from 'sluice/io'

interface Visit {
  time: Date
  visitor: string
  path: string
}
interface Session {
  visitor: string
  landing: string
  pages: number
  seconds: number
}

const PAUSE = 30 * 60_000

const sessions = stage<Visit, Session>('sessions', async (rx, tx) => {
  // In the order of their last visit: a Map keeps the order in which its keys were added.
  const open = new Map<string, { landing: string; pages: number; from: Date; to: Date }>()
  const close = async (visitor: string) => {
    const { landing, pages, from, to } = open.get(visitor)!
    open.delete(visitor)
    await tx.send({ visitor, landing, pages, seconds: (to.getTime() - from.getTime()) / 1000 })
  }
  for await (const { time, visitor, path } of rx) {
    for (const [other, { to }] of open) {
      if (time.getTime() - to.getTime() < PAUSE) break
      await close(other)
    }
    const session = open.get(visitor) ?? { landing: path, pages: 0, from: time, to: time }
    open.delete(visitor)
    open.set(visitor, { ...session, pages: session.pages + 1, to: time })
  }
  for (const visitor of [...open.keys()]) await close(visitor)
})

// ---- a log of a day: 50 visitors who come three times each, an hour apart, and look at four pages

const folder = await mkdtemp(join(tmpdir(), 'sluice-sessions-'))
const midnight = Date.UTC(2026, 10, 26)
const pages = ['/', '/news', '/shop', '/shop/shoes']
await pipeline(
  range(3 * 4 * 50),
  map((n) => {
    const [visitor, page, round] = [n % 50, Math.floor(n / 50) % 4, Math.floor(n / 200)]
    const time = new Date(midnight + round * 3_600_000 + page * 60_000 + visitor * 1000)
    return { time, visitor: `visitor ${visitor}`, path: pages[(visitor + page) % 4] }
  }),
  writeCsv(join(folder, 'access.csv')),
).run()

// ---- the job

const counts = await pipeline(
  readCsv(join(folder, 'access.csv'), { types: { time: 'date', visitor: 'string', path: 'string' } }),
  sessions,
  alsoTo(writeJsonl<Session>(join(folder, 'sessions.jsonl'))),
  reduce((counts, { landing, seconds }) => {
    const { sessions, total } = counts.get(landing) ?? { sessions: 0, total: 0 }
    return counts.set(landing, { sessions: sessions + 1, total: total + seconds })
  }, new Map<string, { sessions: number; total: number }>()),
).run()

for (const [landing, { sessions, total }] of [...counts].sort())
  console.log(`${landing.padEnd(12)} ${sessions} sessions of ${total / sessions} s`)

const all = await pipeline(readJsonl<Session>(join(folder, 'sessions.jsonl'))).run()
assert.equal(all.length, 150)
assert.ok(all.every(({ pages, seconds }) => pages === 4 && seconds === 180))
await rm(folder, { recursive: true })
