// The pictures of the live page in the README: a run in light and dark, and one that has stalled. `npm run screenshots`
// writes them to bench/results/.

import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { batch, channel, fanIn, fanOut, forEach, map, pipeline, range, source } from 'sluice'
import { inspect } from 'sluice/inspect'
import { openChromium } from './chromium.ts'

const results = new URL('results/', import.meta.url)
const browser = await openChromium()

interface Order {
  id: number
  shop: number
}

async function* webOrders(): AsyncGenerator<Order> {
  for (let id = 0; ; id++) {
    await sleep(8)
    yield { id, shop: id % 7 }
  }
}

/** Orders of a file and of the web are looked up, archived and counted. The look-up is the slow one. */
function orders() {
  const file = pipeline(
    range(0, 50_000, 1, { name: 'orders.csv' }),
    map((id): Order => ({ id, shop: id % 7 }), { name: 'parse' }),
  )
  const lookUp = async (order: Order) => {
    await sleep(5)
    if (order.id % 211 === 7) throw new Error(`no customer for order ${order.id}`)
    return order
  }
  const archive = pipeline(
    batch<Order>(50, { ms: 200 }),
    forEach(() => sleep(12), { name: 'append to file' }),
  )
  const totals = new Map<number, number>()
  const counted = forEach(({ shop }: Order) => void totals.set(shop, (totals.get(shop) ?? 0) + 1), {
    name: 'count',
  })
  return pipeline(
    fanIn(file, source(webOrders, { name: 'web' })),
    map(lookUp, { name: 'look up', concurrency: 4, onError: 'skip' }),
    fanOut({ archive, counted }),
  )
}

async function shoot(
  url: string,
  file: string,
  colorScheme: 'light' | 'dark',
  height: number,
): Promise<void> {
  const page = await browser.newPage({ colorScheme, viewport: { width: 1320, height } })
  await page.goto(url)
  await sleep(2500)
  // Where the project lies is nobody's business.
  const root = fileURLToPath(new URL('..', import.meta.url))
  await page.evaluate((path) => {
    const report = document.getElementById('report')!
    report.textContent = report.textContent.replaceAll(path, '')
  }, root)
  await page.screenshot({ path: new URL(file, results).pathname })
  await page.close()
}

{
  const run = orders().start({ name: 'orders', capacity: 64 })
  run.result.catch(() => {})
  await using page = await inspect(run)
  await sleep(25_000)
  await shoot(page.url, 'inspect-light.png', 'light', 860)
  await shoot(page.url, 'inspect-dark.png', 'dark', 860)
  await run.abort()
}
{
  const [tx, rx] = channel<number>(8, { name: 'payments' })
  const never = new Promise<never>(() => {})
  const job = pipeline(
    source(rx),
    map(async (n) => (n > 20 ? never : sleep(20, n)), { name: 'charge the card' }),
    batch(10, { ms: 500 }),
    forEach(() => sleep(5), { name: 'write receipts' }),
  )
  process.on('warning', () => {})
  await using page = await inspect(job)
  const run = job.start({ name: 'payments', stallAfter: 2000, capacity: 8 })
  run.result.catch(() => {})
  for (let n = 0; n < 40; n++) {
    tx.trySend(n)
    await sleep(20)
  }
  await sleep(4000)
  await shoot(page.url, 'inspect-stalled.png', 'light', 640)
  await run.abort()
  tx.close()
}
await browser.close()
