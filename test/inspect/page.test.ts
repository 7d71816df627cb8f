/** The live page in a browser: what it shows is what `stats()` says. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Browser, Page } from 'playwright-core'
import {
  alsoTo,
  channel,
  drain,
  fanIn,
  fanOut,
  filter,
  forEach,
  groupBy,
  map,
  pipeline,
  range,
  type RunStats,
  source,
} from 'sluice'
import { inspect, type Inspector } from 'sluice/inspect'
import { chromiumPath, openChromium } from '../../bench/chromium.ts'
import { deferred, until } from '../pipeline/support-waiting.ts'

let browser: Browser | undefined
// A machine without Chromium passes the other tests; `.ci/run` installs it.
beforeAll(async () => {
  if (chromiumPath) browser = await openChromium()
  else
    console.warn(
      'No Chromium: the page is not tested (Debian: apt-get install chromium, or name it in CHROMIUM)',
    )
}, 60_000)
afterAll(() => browser?.close())

/** Opens a page, and fails where it says anything on its console, or asks for anything but itself. */
async function open(
  inspector: Inspector,
  scheme: 'light' | 'dark' = 'light',
): Promise<Page & AsyncDisposable> {
  const page = await browser!.newPage({ colorScheme: scheme, viewport: { width: 1300, height: 900 } })
  const problems: string[] = []
  page.on('console', (message) => problems.push(message.text()))
  page.on('pageerror', (error) => problems.push(error.message))
  page.on('request', (request) => {
    if (!request.url().startsWith(inspector.url) && !request.url().startsWith('data:'))
      problems.push(`asked for ${request.url()}`)
  })
  await page.goto(inspector.url)
  return Object.assign(page, {
    async [Symbol.asyncDispose]() {
      await page.close()
      expect(problems).toEqual([])
    },
  })
}

/** The rows of the table, as they are read. */
function rows(page: Page): Promise<string[][]> {
  return page.$$eval('#rows > [role=row]', (all) =>
    all.map((row) => [...row.children].map(({ textContent }) => textContent ?? '')),
  )
}

function gauges(page: Page): Promise<string[]> {
  return page.$$eval('.gauge', (all) => all.map(({ textContent }) => textContent ?? ''))
}

/** The rows that a table of these stats has, as far as they do not depend on the moment. */
function expected({ stages, bottleneck }: RunStats): string[][] {
  const count = (value: number) => value.toLocaleString('en')
  return stages.map(({ name, received, sent, failed }) => [
    (name === bottleneck ? '◆ ' : '') + name,
    ...[received, sent, failed].map(count),
  ])
}

/** The machine may be busy. */
const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 10_000 })

/** More stages than are in view. */
function manySteps() {
  const next = (_: unknown, i: number) => map((n: number) => n + 1, { name: `step ${i}` })
  const [first, ...rest] = Array.from({ length: 29 }, next)
  return rest.reduce<typeof first>((all, one) => pipeline(all, one), first)
}

const numbers = async (page: Page) => (await rows(page)).map((cells) => cells.slice(0, 4))

describe.runIf(chromiumPath)('inspect() shows a page', { timeout: 60_000 }, () => {
  test('with the numbers of stats(), when the run has ended', async () => {
    const left = pipeline(
      range(30_000),
      filter((n) => n % 2 === 0),
    )
    const failing = (n: number) => {
      if (n % 1000 === 7) throw new Error(`cannot take ${n}`)
      return n
    }
    const job = pipeline(
      fanIn(left, source([1, 2, 7], { name: 'three' })),
      map(failing, { name: 'check', onError: 'skip' }),
      alsoTo(drain({ name: 'archive' })),
      fanOut({ odd: filter((n: number) => n % 2 === 1), all: map((n: number) => n, { name: 'copy' }) }),
      drain(),
    )
    await using inspector = await inspect(job)
    await using page = await open(inspector)
    expect(await page.textContent('#state')).toBe('waits for a run')
    const run = job.start({ name: 'numbers' })
    await run.result
    await page.waitForSelector('#state.ended')
    expect(await numbers(page)).toEqual(expected(run.stats()))
    expect(await page.textContent('#name')).toBe('numbers')
    expect(await gauges(page)).toEqual(run.describe().edges.map(({ capacity }) => `0 / ${capacity}`))
    expect(await page.textContent('#failures')).toContain('Error: cannot take 7')
    expect(await page.textContent('#failures')).toContain('dropped')
  })

  test('with the numbers of stats(), while the run stands still', async () => {
    const gate = deferred()
    const job = pipeline(
      range(0, Infinity),
      map((n) => n + 1, { name: 'add' }),
      forEach(async () => gate.promise, { name: 'closed gate' }),
    )
    const run = job.start({ capacity: 10 })
    run.result.catch(() => {})
    await using inspector = await inspect(run)
    await using page = await open(inspector)
    await until(() => run.stats().stages[0].sent === 21)
    await eventually(() => numbers(page)).toEqual(expected(run.stats()))
    expect(await gauges(page)).toEqual(['10 / 10', '10 / 10'])
    expect(await page.$$eval('.gauge.full', (all) => all.length)).toBe(2)
    await run.abort()
  })

  test('with the numbers of stats(), of what comes into view', async () => {
    const [tx, rx] = channel<number>(10)
    const run = pipeline(source(rx), manySteps(), drain()).start()
    await using inspector = await inspect(run, { interval: 20 })
    await using page = await open(inspector)
    const boxes = () =>
      page.$$eval('.box', (all) =>
        all.map((box) => box.querySelector('span')!.textContent.replace(/.* · /, '')),
      )
    expect(await boxes()).toEqual(Array.from({ length: 31 }, () => '0'))
    await tx.sendMany([1, 2, 3])
    await eventually(async () => (await boxes())[0]).toBe('3')
    await eventually(async () => (await numbers(page))[30]).toEqual(['drain', '3', '0', '0'])
    expect((await boxes()).at(-1)).toBe('0')
    await page.$eval('#graph', (graph) => graph.scrollTo(0, graph.scrollHeight))
    await eventually(async () => (await boxes()).at(-1)).toBe('3')
    tx.close()
    await run.result
    await page.waitForSelector('#state.ended')
    expect(await boxes()).toEqual(Array.from({ length: 31 }, () => '3'))
  })

  test('with the numbers of stats(), of each look where it looks but once a second', async () => {
    const [tx, rx] = channel<number>(10)
    const run = pipeline(source(rx), drain()).start()
    await using inspector = await inspect(run, { interval: 1_000 })
    await using page = await open(inspector)
    // The time is written after all else.
    const nextLook = async () => {
      const before = await page.textContent('#elapsed')
      await page.waitForFunction((text) => document.getElementById('elapsed')!.textContent !== text, before)
    }
    await nextLook()
    await tx.sendMany([1, 2, 3])
    await until(() => run.stats().stages[1].received === 3)
    await nextLook()
    expect((await numbers(page)).map((cells) => cells[1])).toEqual(['0', '3'])
    expect(await page.textContent('.box:last-child span')).toMatch(/· 3$/)
    tx.close()
    await run.result
  })

  test('that names the bottleneck, in words and not by colour alone', async () => {
    let calls = 0
    const slow = (n: number) => (calls++, new Promise<number>((resolve) => setTimeout(resolve, 5, n)))
    const run = pipeline(range(0, Infinity), map(slow, { name: 'slow' }), drain()).start({ capacity: 2 })
    run.result.catch(() => {})
    await using inspector = await inspect(run)
    await using page = await open(inspector)
    await until(() => calls > 50)
    await eventually(() => page.textContent('#bottleneck')).toBe('◆ slow')
    await page.waitForSelector('.box.bottleneck')
    await eventually(async () => (await rows(page))[1][0]).toBe('◆ slow')
    await run.abort()
  })

  test('that shows branches as they come up, and many copies of a stage as one', async () => {
    const [tx, rx] = channel<number>(1)
    const run = pipeline(
      source(rx),
      groupBy(
        (n) => n,
        () => map((n) => n, { name: 'copy' }),
      ),
      drain(),
    ).start()
    await using inspector = await inspect(run, { interval: 20 })
    await using page = await open(inspector)
    const names = async () => (await rows(page)).map(([name]) => name.replace('◆ ', ''))
    expect(await names()).toEqual(['source', 'groupBy', 'drain'])
    for (let n = 0; n < 3; n++) await tx.send(n)
    await eventually(names).toEqual(['source', 'groupBy', 'copy', 'copy', 'copy', 'drain'])
    expect(await page.$$eval('.label', (all) => all.map(({ textContent }) => textContent))).toEqual([
      '0',
      '1',
      '2',
    ])
    for (let n = 3; n < 50; n++) await tx.send(n)
    await eventually(names).toEqual(['source', 'groupBy', 'copy × 50', 'drain'])
    tx.close()
    await run.result
    await page.waitForSelector('#state.ended')
    expect((await rows(page)).map((cells) => cells.slice(1, 3))).toEqual([
      ['0', '50'],
      ['50', '50'],
      ['50', '50'],
      ['50', '0'],
    ])
  })

  test('that keeps the last picture when the server is gone', async () => {
    const job = pipeline(range(10), drain())
    const inspector = await inspect(job)
    await using page = await open(inspector)
    const run = job.start()
    await run.result
    await page.waitForSelector('#state.ended')
    const before = await rows(page)
    // What the browser says of the connection is no mistake of the page.
    page.removeAllListeners('console')
    await inspector.close()
    await page.waitForSelector('#gone:not([hidden])')
    expect(await rows(page)).toEqual(before)
  })

  test('that keeps the last picture also of what is out of view and of a run that still went on', async () => {
    const [tx, rx] = channel<number>(10)
    const run = pipeline(source(rx), manySteps(), drain()).start()
    const inspector = await inspect(run)
    await using page = await open(inspector)
    await tx.sendMany([1, 2, 3])
    await eventually(async () => (await numbers(page))[0][2]).toBe('3')
    page.removeAllListeners('console')
    await inspector.close()
    await page.waitForSelector('#gone:not([hidden])')
    const received = (await numbers(page)).map((cells) => cells[1])
    expect(received).toEqual(run.stats().stages.map((stage) => String(stage.received)))
    tx.close()
    await run.result
  })

  test('that follows the next run of a pipeline', async () => {
    const job = pipeline(source([1, 2, 3]), drain())
    await using inspector = await inspect(job, { interval: 20 })
    await using page = await open(inspector)
    for (const name of ['first', 'second']) {
      await job.start({ name }).result
      await eventually(() => page.textContent('#name')).toBe(name)
      await eventually(async () => (await rows(page))[0][2]).toBe('3')
    }
  })

  test('that says what each stage of a stalled run waits for, until it goes on', async () => {
    const [tx, rx] = channel<number>(1, { name: 'orders' })
    const run = pipeline(source(rx), drain()).start({ name: 'silent', stallAfter: 50 })
    await using inspector = await inspect(run, { interval: 20 })
    await using page = await open(inspector)
    await page.waitForSelector('#state.stalled')
    expect(await page.textContent('#report')).toContain('stage 0 "source" waits for channel "orders"')
    // After one value it might stall again before the page is looked at.
    const feeding = setInterval(() => tx.trySend(1), 10)
    try {
      await page.waitForFunction(() => {
        const [state, report] = ['state', 'report'].map((id) => document.getElementById(id)!)
        return state.className === 'running' && report.hidden
      })
    } finally {
      clearInterval(feeding)
    }
    tx.close()
    await run.result
  })

  test('that says why a run has failed', async () => {
    const broken = () => {
      throw new Error('out of order')
    }
    const job = pipeline(range(3), map(broken, { name: 'broken' }), drain())
    await using inspector = await inspect(job, { interval: 20 })
    await using page = await open(inspector)
    await job.run().catch(() => {})
    await page.waitForSelector('#state.failed')
    expect(await page.textContent('#report')).toContain('Stage "broken" failed: out of order')
  })

  test('in which what a program has named is text', async () => {
    const hostile = '<img src=x onerror="document.title=1"></script><b>\u2028'
    const job = pipeline(
      source([1], { name: hostile }),
      map(() => Promise.reject(new Error(hostile)), { onError: 'skip' }),
      fanOut({ [hostile]: drain() }),
    )
    await using inspector = await inspect(job, { interval: 20 })
    await using page = await open(inspector)
    await job.start({ name: hostile }).result
    await page.waitForSelector('#state.ended')
    await page.reload()
    await page.waitForSelector('#state.ended')
    expect(await page.$$('img, b b')).toEqual([])
    expect(await page.textContent('#name')).toBe(hostile)
    expect(await page.title()).toContain('<img')
  })

  test('that can be read without a mouse', async () => {
    const run = pipeline(range(10), drain()).start()
    await run.result
    await using inspector = await inspect(run)
    await using page = await open(inspector)
    const focused: (string | null)[] = []
    for (let i = 0; i < 2; i++) {
      await page.keyboard.press('Tab')
      focused.push(await page.evaluate(() => document.activeElement!.getAttribute('aria-label')))
    }
    expect(focused).toEqual(['Graph', 'Stages'])
  })

  test.each(['light', 'dark'] as const)('whose text can be read on its ground in %s', async (scheme) => {
    const run = pipeline(range(10), drain()).start()
    await run.result
    await using inspector = await inspect(run)
    await using page = await open(inspector, scheme)
    const contrasts = await page.evaluate(() => {
      const channels = (color: string) =>
        color
          .match(/[\d.]+/g)!
          .slice(0, 3)
          .map(Number)
      const light = (color: string) =>
        channels(color)
          .map((value) => value / 255)
          .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
          .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0)
      // As they are where there is something to tell.
      document.querySelector('#rows .row')!.classList.add('bottleneck')
      document.getElementById('state')!.classList.add('failed')
      const ground = light(getComputedStyle(document.body).backgroundColor)
      return [...document.querySelectorAll('h1, dt, dd, .box b, .box span, .row span')].map((element) => {
        const text = light(getComputedStyle(element).color)
        return (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05)
      })
    })
    expect(contrasts.length).toBeGreaterThan(20)
    expect(Math.min(...contrasts)).toBeGreaterThanOrEqual(4.5)
  })
})
