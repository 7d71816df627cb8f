/** The server behind the live page: who is let in, what it tells, and that it holds nothing. */
import { hasSubscribers } from 'node:diagnostics_channel'
import { request } from 'node:http'
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { channel, drain, map, pipeline, range, source } from 'sluice'
import { inspect, type Inspector } from 'sluice/inspect'
import type { Picture } from '../../src/inspect/page/view.ts'
import { runProgram } from '../support/child-program.ts'

const job = () => pipeline(range(1000), drain())

interface Answer {
  status: number
  headers: Record<string, unknown>
  text: string
}

/** Asks as no browser would let a script do. */
function ask(url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { headers, method, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
    })
    asked.on('error', reject)
    asked.end()
  })
}

/** Sends the head of a request as it is, and gives all that comes back. */
async function raw({ url }: Inspector, head: string): Promise<string> {
  const { port } = new URL(url)
  const socket = connect(Number(port), '127.0.0.1')
  socket.write(`${head}\r\nConnection: close\r\n\r\n`)
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  return text
}

/** Reads the events of a page until there are so many. */
async function events(
  url: string,
  count: number,
  begun = (): unknown => undefined,
): Promise<{ event: string; data: unknown }[]> {
  const controller = new AbortController()
  const response = await fetch(`${url}events`, { signal: controller.signal })
  const decoder = new TextDecoder()
  let text = ''
  const found: { event: string; data: unknown }[] = []
  for await (const chunk of response.body!) {
    text += decoder.decode(chunk, { stream: true })
    const messages = text.split('\n\n')
    text = messages.pop()!
    for (const message of messages) {
      if (found.length === 0) begun()
      const [, event, data] = /^event: (.*)\ndata: (.*)$/.exec(message)!
      found.push({ event, data: JSON.parse(data) as unknown })
    }
    if (found.length >= count) break
  }
  controller.abort()
  return found
}

const startingWith = (numbers: number[]): unknown => Object.fromEntries(Object.entries(numbers))

describe('inspect()', () => {
  test('gives the stats and the graph as JSON, those of the run', async () => {
    const run = job().start({ name: 'thousand' })
    await run.result
    await using inspector = await inspect(run)
    const { text, headers } = await ask(`${inspector.url}stats`)
    expect(headers['content-type']).toBe('application/json')
    expect(JSON.parse(text)).toEqual(
      JSON.parse(JSON.stringify({ name: 'thousand', stats: run.stats(), graph: run.describe() })),
    )
  })

  test('gives nothing before a run has begun', async () => {
    await using inspector = await inspect(job())
    expect((await ask(`${inspector.url}stats`)).text).toBe('null')
  })

  test('without a target follows whatever run starts next', async () => {
    await using inspector = await inspect()
    await job().start({ name: 'any' }).result
    expect((await ask(`${inspector.url}stats`)).text).toContain('"name":"any"')
  })

  test('follows no run of another pipeline', async () => {
    await using inspector = await inspect(job())
    await job().run()
    expect((await ask(`${inspector.url}stats`)).text).toBe('null')
  })

  test('sends the whole picture first, and again when there is another run', async () => {
    const piece = job()
    await using inspector = await inspect(piece, { interval: 10 })
    const told = events(inspector.url, 2, () => piece.run())
    const [first, second] = await told
    expect(first).toMatchObject({ event: 'picture', data: { sample: { state: 'waiting', stages: [] } } })
    expect(second).toMatchObject({
      event: 'picture',
      data: {
        sample: {
          state: 'ended',
          stages: [
            [0, 1000, 0],
            [1000, 0, 0],
          ].map(startingWith),
        },
      },
    })
  })

  test('tells of the last failures, with what failed', async () => {
    const failing = pipeline(
      source([{ id: 7 }]),
      map(() => Promise.reject(new TypeError('no seven')), { name: 'check', onError: 'skip' }),
      drain(),
    )
    await using inspector = await inspect(failing)
    await failing.run()
    const picture = async () => (await events(inspector.url, 1))[0].data
    await expect.poll(picture).toMatchObject({
      failures: [
        { stage: 'check', error: 'TypeError: no seven', value: '{ id: 7 }', attempts: 1, fatal: false },
      ],
    })
  })

  test('counts the rates of a run from its own beginning', { timeout: 10_000 }, async () => {
    const [tx, rx] = channel<number>(1)
    await using inspector = await inspect(undefined, { interval: 10 })
    const picture = async () => (await events(inspector.url, 1))[0].data as Picture
    await job().start({ name: 'first' }).result
    await expect.poll(async () => (await picture()).shape.run).toBe('first')
    const run = pipeline(source(rx), drain()).start({ name: 'second' })
    await tx.send(1)
    // There is one after a second.
    await expect.poll(async () => (await picture()).history[0].length, { timeout: 5_000 }).toBeGreaterThan(0)
    const { history, shape } = await picture()
    expect(shape.run).toBe('second')
    expect(history.flat().filter((rate) => rate < 0 || rate > 1)).toEqual([])
    tx.close()
    await run.result
  })

  test('tells soon that a run has ended, though to look at it takes long', async () => {
    const [tx, rx] = channel<number>(1)
    const run = pipeline(source(rx), drain()).start()
    const stats = run.stats.bind(run)
    let looks = 0
    run.stats = () => {
      const until = performance.now() + 30
      while (performance.now() < until);
      looks++
      return stats()
    }
    await using inspector = await inspect(run, { interval: 10 })
    tx.close()
    await run.result
    // The next look would be after three seconds.
    await expect.poll(() => looks, { timeout: 2_000 }).toBe(2)
    expect((await events(inspector.url, 1))[0].data).toMatchObject({ sample: { state: 'ended' } })
  })

  test('of one that had failed says why', async () => {
    const run = pipeline(
      source([1]),
      map(() => Promise.reject(new Error('broken'))),
      drain(),
    ).start()
    await run.result.catch(() => {})
    await using inspector = await inspect(run)
    expect((await events(inspector.url, 1))[0].data).toMatchObject({
      sample: { state: 'failed', report: expect.stringContaining('broken') as string },
    })
  })

  test('of one that is aborted says so, and with what', async () => {
    const run = pipeline(
      source([1]),
      map(() => new Promise(() => {})),
      drain(),
    ).start()
    run.result.catch(() => {})
    await using inspector = await inspect(run)
    await run.abort(new Error('enough'))
    await expect
      .poll(async () => (await events(inspector.url, 1))[0].data)
      .toMatchObject({ sample: { state: 'aborted', report: 'Error: enough' } })
  })

  test('shows no more failures than a page keeps, but the one that ends the run', async () => {
    let looks = 0
    const value = { [Symbol.for('nodejs.util.inspect.custom')]: () => String(++looks) }
    const numbers = pipeline(
      range(5_000),
      map((n) => (n < 4_999 ? value : undefined)),
      map((one) => Promise.reject(new Error(one ? 'dropped' : 'last')), {
        onError: ({ error, value: of }) => {
          if (of === undefined) throw error
        },
      }),
      drain(),
    )
    const inspector = await inspect(numbers, { interval: 600_000 })
    await numbers.run().catch(() => {})
    await inspector.close()
    expect(looks).toBe(100)
  })

  test('survives errors that cannot be shown', async () => {
    const refuses = (): never => {
      throw new Error('do not look')
    }
    const errors = [
      Object.defineProperty(new Error(), 'message', { get: refuses }),
      Object.assign(new Error(), { message: Symbol('text') }),
      new Proxy({}, { get: refuses, getPrototypeOf: refuses }),
    ]
    const fail = (n: number): never => {
      throw errors[n]
    }
    const failing = pipeline(range(3), map(fail, { onError: 'skip' }), drain())
    await using inspector = await inspect(failing, { interval: 10 })
    await failing.run()
    const told = async () => ((await events(inspector.url, 1))[0].data as Picture).failures
    await expect
      .poll(async () => (await told()).map(({ error }) => error))
      .toEqual(['an error that cannot be shown', 'Error: Symbol(text)', 'an error that cannot be shown'])
  })

  test('survives values that cannot be shown', async () => {
    const hostile = {
      get [Symbol.for('nodejs.util.inspect.custom')](): never {
        throw new Error('do not look')
      },
    }
    const failing = pipeline(
      source([hostile]),
      map(() => Promise.reject(hostile as never), { onError: 'skip' }),
      drain(),
    )
    await using inspector = await inspect(failing, { interval: 10 })
    await failing.run()
    await expect
      .poll(async () => JSON.stringify((await events(inspector.url, 1))[0].data))
      .toContain('a value that cannot be shown')
  })
})

describe('inspect() lets in', () => {
  const own = (inspector: Inspector) => new URL(inspector.url).host

  test.each([
    ['localhost', ({ port }: URL) => ({ host: `localhost:${port}` })],
    ['localhost behind a tunnel, at another port', () => ({ host: 'localhost:9999' })],
    ['the address', ({ host }: URL) => ({ host })],
    ['IPv6 loopback', ({ port }: URL) => ({ host: `[::1]:${port}` })],
    ['its own origin', ({ host, origin }: URL) => ({ host, origin })],
    ['a name that it was given', () => ({ host: 'build.example:80' })],
  ])('%s', async (_, headers) => {
    await using inspector = await inspect(job(), { hosts: ['build.example'] })
    expect((await ask(inspector.url, headers(new URL(inspector.url)))).status).toBe(200)
  })

  test.each([
    ['a foreign host (DNS rebinding)', { host: 'evil.example' }],
    ['a host that begins as its own', { host: '127.0.0.1.evil.example' }],
    ['another address of the network', { host: '192.0.2.7' }],
    ['an address in other clothes', { host: '0x7f.1.evil.example' }],
    ['nonsense as a host', { host: '%%%' }],
    ['a foreign origin', { origin: 'http://evil.example' }],
    ['an origin at another port', { origin: 'http://127.0.0.1:1' }],
    ['the origin "null" of a sandbox', { origin: 'null' }],
    ['a request from another site', { 'sec-fetch-site': 'cross-site' }],
  ])('but not %s', async (_, headers) => {
    await using inspector = await inspect(job())
    for (const path of ['', 'events', 'stats']) {
      const { status, text } = await ask(`${inspector.url}${path}`, { host: own(inspector), ...headers })
      expect(status).toBe(403)
      expect(text).toMatch(/^Refused: /)
    }
  })

  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('no %s: nothing can be changed', async (method) => {
    await using inspector = await inspect(job())
    expect((await ask(inspector.url, {}, method)).status).toBe(405)
  })

  test('who only asks for the head, and lets him go', async () => {
    await using inspector = await inspect(job())
    for (const path of ['', 'events', 'stats'])
      expect(await ask(`${inspector.url}${path}`, {}, 'HEAD')).toMatchObject({ status: 200, text: '' })
  })

  test('nothing but its own paths', async () => {
    await using inspector = await inspect(job())
    for (const path of ['/x', '/stats/', '//', '/..', '/%2e%2e/stats', '*'])
      expect(await raw(inspector, `GET ${path} HTTP/1.1\r\nHost: localhost`)).toMatch(/^HTTP\/1\.1 40[04] /)
  })

  test('a request that is no URL, and goes on', async () => {
    await using inspector = await inspect(job())
    expect(await raw(inspector, 'GET //[ HTTP/1.1\r\nHost: localhost')).toMatch(/^HTTP\/1\.1 404 /)
    expect((await ask(inspector.url)).status).toBe(200)
  })

  test('nobody who names no host', async () => {
    await using inspector = await inspect(job())
    expect(await raw(inspector, 'GET / HTTP/1.1')).toMatch(/^HTTP\/1\.1 400 /)
    expect(await raw(inspector, 'GET / HTTP/1.0')).toMatch(/^HTTP\/1\.1 403 /)
    expect(await raw(inspector, 'GET / HTTP/1.1\r\nHost:')).toMatch(/^HTTP\/1\.1 403 /)
  })

  test('no script and no frame that is not its own', async () => {
    await using inspector = await inspect(job())
    const { headers, text } = await ask(inspector.url)
    const policy = String(headers['content-security-policy'])
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toContain('unsafe')
    const nonce = /script-src 'nonce-([^']+)'/.exec(policy)![1]
    expect(text).toContain(`<script nonce="${nonce}">`)
    expect((await ask(inspector.url)).headers['content-security-policy']).not.toBe(policy)
  })
})

test('inspect() takes an interval that is longer than a timer can be', async () => {
  const warnings: Error[] = []
  const listener = (warning: Error): void => void warnings.push(warning)
  process.on('warning', listener)
  await using inspector = await inspect(job(), { interval: 2 ** 32 })
  await ask(inspector.url)
  process.off('warning', listener)
  expect(warnings).toEqual([])
})

describe('inspect() refuses', () => {
  test.each([
    ['half a run', [{ stats: () => {} }], /"target" must be a run or a pipeline, got Object$/],
    ['a target that is none', [7], /^Cannot inspect: "target" must be a run or a pipeline, got 7$/],
    ['options that are none', [undefined, null], /^Cannot inspect: "options" must be an object, got null$/],
    ['a list of options', [undefined, []], /^Cannot inspect: "options" must be an object, got Array$/],
    ['options to come', [undefined, Promise.resolve({})], /: "options" must be an object, got Promise$/],
    ['a port', [undefined, { port: 70_000 }], /"port" must be an integer from 0 to 65535, got 70000$/],
    ['a host', [undefined, { host: '' }], /"host" must be an address, got ""$/],
    ['names', [undefined, { hosts: [1] }], /"hosts" must be an array of names, got Array$/],
    ['a time', [undefined, { interval: 0 }], /"interval" must be a number of milliseconds >= 10, got 0$/],
  ])('%s', async (_, args, message) => {
    await expect(inspect(...(args as []))).rejects.toThrow(message)
  })

  test('a port that is taken, with the error of the system, which says what could not be done', async () => {
    await using inspector = await inspect(job())
    const port = Number(new URL(inspector.url).port)
    await expect(inspect(job(), { port })).rejects.toMatchObject({
      code: 'EADDRINUSE',
      message: expect.stringMatching(/^Cannot inspect: .*EADDRINUSE/) as string,
    })
    await inspector.close()
    expect(hasSubscribers('sluice:run:start')).toBe(false)
  })
})

describe('inspect() holds nothing', { timeout: 30_000 }, () => {
  test('after it was closed, with a page open', async () => {
    const inspector = await inspect(job())
    const response = await fetch(`${inspector.url}events`)
    await inspector.close()
    await inspector.close()
    await expect(response.text()).rejects.toThrow()
    await expect(ask(inspector.url)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('no run, after it was closed or follows another', async () => {
    const { stdout } = await runProgram(
      `
      import { drain, pipeline, range } from 'sluice'
      import { inspect } from 'sluice/inspect'
      import { setFlagsFromString } from 'node:v8'
      import { runInNewContext } from 'node:vm'
      setFlagsFromString('--expose-gc')
      const gc = runInNewContext('gc')
      const turn = () => new Promise((resolve) => setTimeout(resolve, 30))
      const piece = pipeline(range(10), drain())
      const page = await inspect(piece, { interval: 10 })
      const begin = async () => {
        const run = piece.start()
        await run.result
        await turn()
        return new WeakRef(run)
      }
      const runs = [await begin(), await begin()]
      const held = () => runs.map((run) => run.deref() !== undefined).join()
      // How often the page looks depends on how long that takes here.
      const tell = async (wanted) => {
        for (let looks = 0; looks < 100 && held() !== wanted; looks++) {
          await turn()
          gc()
        }
        console.log(held())
      }
      await tell('false,true')
      await page.close()
      await tell('false,false')
      console.log(page.url.slice(0, 4))
    `,
    )
    expect(stdout).toBe('false,true\nfalse,false\nhttp\n')
  })

  test('no process whose work is done, though a page is open', async () => {
    const { code, stdout, stderr } = await runProgram(`
      import { drain, pipeline, range } from 'sluice'
      import { inspect } from 'sluice/inspect'
      const page = await inspect()
      const { spawn } = await import('node:child_process')
      const reading = spawn(process.execPath, ['-e', 'fetch("' + page.url + 'events").then((r) => r.text()).catch(() => {})'])
      reading.unref()
      for (const stream of [reading.stdin, reading.stdout, reading.stderr]) stream.unref()
      await new Promise((resolve) => setTimeout(resolve, 1000))
      await pipeline(range(10), drain()).run()
      console.log('done')
    `)
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'done\n', stderr: '' })
  })

  test('no deadlock back', async () => {
    const { code, stderr } = await runProgram(`
      import { channel, drain, pipeline, source } from 'sluice'
      import { inspect } from 'sluice/inspect'
      const [tx, rx] = channel<number>(1, { name: 'silent' })
      const job = pipeline(source(rx), drain())
      await inspect(job)
      await job.run()
      tx.close()
    `)
    expect(stderr).toContain('Deadlock on channel "silent"')
    expect(code).toBe(1)
  })
})
