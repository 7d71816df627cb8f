import { setTimeout as sleep } from 'node:timers/promises'
import { alsoTo, batch, channel, drain, fanIn, fanOut, filter, forEach, groupBy, map, pipeline, range, source, take, throttle } from 'sluice'
import { inspect } from 'sluice/inspect'
const p = pipeline(fanIn(pipeline(range(100000, undefined, 1, { name: 'orders' }), map(x => x, { name: 'parse' }), throttle({ count: 400, per: 1000 })), source(async function* () { for (let i = 0;; i++) { await sleep(3); yield i } }, { name: 'web' })), alsoTo(pipeline(batch<number>(100, { ms: 300 }), forEach(() => sleep(20), { name: 'archive' }))), map(async (x) => { if (x % 97 === 5) throw new Error('no such customer ' + x); return x }, { name: 'look up', onError: 'skip', retry: { attempts: 2, delay: 1 } }), fanOut({ fast: map((x: number) => x), slow: pipeline(map(async (x: number) => (await sleep(1), x), { name: 'enrich', concurrency: 2 }), filter(() => true)), }), groupBy((n: number) => n % 20, () => pipeline(batch<number>(10), map(x => x.length))), map(async x => (await sleep(5), x), { name: 'post' }), drain())
const page = await inspect(p)
console.log(page.url)
await sleep(Number(process.argv[2] ?? 0))
const run = p.start({ name: 'orders', stallAfter: 1000 })
run.result.catch(() => {})
await sleep(Number(process.argv[3] ?? 8000))
await run.abort(new Error('enough'))
await sleep(60_000)
