// What it costs to look: a graph of 100 stages, through which 50 values pass in a second. CPU is a share of one core, of the
// program and of the page in headless Chromium, while the page is open; the first is that of the same run without it.

import { setTimeout as sleep } from 'node:timers/promises'
import { drain, fanOut, interval, map, pipeline, type Stage } from 'sluice'
import { inspect } from 'sluice/inspect'
import { openChromium } from './chromium.ts'

const SECONDS = 4
const ROUNDS = 5
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

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]

const run = hundredStages().start({ name: 'a hundred stages' })
run.result.catch(() => {})
const browser = await openChromium()
console.log(`${run.describe().nodes.length} stages, ${ROUNDS} rounds of ${SECONDS} s; medians`)
const durations = ['ProcessTime', 'ThreadTime', 'ScriptDuration', 'LayoutDuration']
const first: number[] = []
const alone: number[] = []
const watched: number[] = []
const rendered: number[][] = durations.map(() => [])

for (let round = 0; round < ROUNDS; round++) {
  await sleep(1000)
  alone.push(await share())
  const inspector = await inspect(run)
  const tab = await browser.newPage({ viewport: { width: 1400, height: 900 } })
  await tab.goto(inspector.url)
  first.push(Number(await tab.evaluate(() => document.body.dataset.drawn)))
  const session = await tab.context().newCDPSession(tab)
  await session.send('Performance.enable')
  const spent = async () => {
    const { metrics } = await session.send('Performance.getMetrics')
    return durations.map((duration) => metrics.find(({ name }) => name === duration)!.value)
  }
  await sleep(1000)
  const before = await spent()
  watched.push(await share())
  const after = await spent()
  after.forEach((seconds, i) => rendered[i].push((seconds - before[i]) / SECONDS))
  await tab.close()
  await inspector.close()
}
console.log(`first picture            ${median(first).toFixed(0)} ms after the navigation began`)
console.log(`program, alone           ${percent(median(alone))} of a core`)
console.log(
  `program, page open       ${percent(median(watched))}, ${percent(median(watched.map((one, i) => one - alone[i])))} more`,
)
durations.forEach((name, i) => console.log(`page, ${name.padEnd(18)} ${percent(median(rendered[i]))}`))
await browser.close()
await run.abort()
