// What it costs to look: a graph of 100 stages, through which 50 values pass in a second. CPU is a share of one core, of the
// program and of the page in headless Chromium, while the page is open; the first is that of the same run without it.

import { setTimeout as sleep } from 'node:timers/promises'
import { drain, fanOut, interval, map, pipeline, type Stage } from 'sluice'
import { inspect } from 'sluice/inspect'
import { openChromium } from './chromium.ts'

const SECONDS = 10
/** 4 branches of 24 stages, and 4 stages around them. */
function hundredStages() {
  const next = () => map((n: number) => n + 1)
  const branch = (): Stage<number, number> =>
    // One after the other: the types of 24 are not what is measured.
    Array.from({ length: 23 }, next).reduce<Stage<number, number>>((all, one) => pipeline(all, one), next())
  const branches = { a: branch(), b: branch(), c: branch(), d: branch() }
  return pipeline(
    interval(20),
    map((n) => n),
    fanOut(branches),
    drain(),
  )
}

async function share(): Promise<number> {
  const before = process.cpuUsage()
  await sleep(SECONDS * 1000)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000 / (SECONDS * 1000)
}

const percent = (value: number) => `${(value * 100).toFixed(2)} %`

const run = hundredStages().start({ name: 'a hundred stages' })
console.log(`${run.describe().nodes.length} stages`)
await sleep(1000)
const alone = await share()
console.log(`program alone            ${percent(alone)}`)
const page = await inspect(run)
const watched = await share()
console.log(`inspected, no page open  ${percent(watched)}`)

const browser = await openChromium()
const first: number[] = []
for (let i = 0; i < 5; i++) {
  const tab = await browser.newPage({ viewport: { width: 1400, height: 900 } })
  await tab.goto(page.url)
  first.push(Number(await tab.evaluate(() => document.body.dataset.drawn)))
  await tab.close()
}
console.log(
  `first picture            ${first.map((ms) => ms.toFixed(0)).join(', ')} ms after the navigation began`,
)
const tab = await browser.newPage({ viewport: { width: 1400, height: 900 } })
await tab.goto(page.url)
const session = await tab.context().newCDPSession(tab)
await session.send('Performance.enable')
const durations = ['ProcessTime', 'ThreadTime', 'ScriptDuration', 'LayoutDuration']
const spent = async () => {
  const { metrics } = await session.send('Performance.getMetrics')
  return durations.map((duration) => metrics.find(({ name }) => name === duration)!.value)
}
await sleep(2000)
const before = await spent()
const shown = await share()
const after = await spent()
const rendering = after.map((seconds, i) => (seconds - before[i]) / SECONDS)
console.log(`inspected, one page open ${percent(shown)}, ${percent(shown - alone)} more than alone`)
console.log(
  `the page, main thread    ${durations.map((name, i) => `${name} ${percent(rendering[i])}`).join(', ')}`,
)
await browser.close()
await page.close()
await run.abort(new Error('enough')).catch(() => {})
run.result.catch(() => {})
