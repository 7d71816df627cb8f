/** Runs, iterates, leaves, stops and aborts: nothing of it may keep the process alive or be taken for a deadlock. */
import { batch, channel, drain, map, pipeline, range, source, take, toArray } from 'sluice'

console.log(await pipeline(range(10), map(String), batch(3, { ms: 600_000 }), take(1), toArray()).run())
for await (const value of pipeline(range(Infinity), map(String))) if (value === '3') break
const [tx, rx] = channel<number>(1)
const run = pipeline(source(rx), toArray()).start()
await tx.send(7)
await new Promise((resolve) => setImmediate(resolve))
console.log(await run.stop({ deadline: 600_000 }))
const stuck = pipeline(
  range(3),
  map(() => new Promise<number>(() => {}), { timeout: 600_000 }),
  drain(),
).start()
await Promise.all([stuck.result.catch(() => console.log('aborted')), stuck.abort()])
tx.close()
