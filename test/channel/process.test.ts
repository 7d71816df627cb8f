// What else only a whole process can show: warnings, uncaught errors, and what keeps the process alive.
import { describe, expect, it, vi } from 'vitest'
import { runProgram } from '../support/child-program.ts'

// A process takes a while to start on a busy machine.
vi.setConfig({ testTimeout: 30_000 })

describe.concurrent('a program whose intrinsics are frozen', () => {
  it('has channels and pipelines, and reports that name places', async () => {
    const program = `
      import { channel, map, pipeline, range } from 'sluice'
      console.log(await pipeline(range(3), map((n) => n + 1)).run())
      const [tx, rx] = channel<number>(1) // @made
      await tx.send(1)
      console.log(await rx.recv())
      await rx.recv()
    `
    const result = await runProgram(program, { nodeArguments: ['--frozen-intrinsics'] })
    expect(result.stdout).toContain('[ 1, 2, 3 ]\n1\n')
    expect(result.stderr).toContain(result.place('made'))
    expect(result.code).toBe(1)
  })
})

describe.concurrent('a program that runs a pipeline', () => {
  it('loads no streams of Node, which take longer than the package does', async () => {
    const { stdout } = await runProgram(`
      import { map, pipeline, range } from 'sluice'
      const results = await pipeline(range(3), map((n) => n + 1)).run()
      const { moduleLoadList } = process as unknown as { moduleLoadList: string[] }
      const loaded = moduleLoadList.filter((name) => /streams.(readable|writable)|worker.io/.test(name))
      console.log(results, loaded)
    `)
    expect(stdout).toBe('[ 1, 2, 3 ] []\n')
  })
})

describe.concurrent('more than 1,000 sends waiting on one handle', () => {
  it('cause one process warning that names the channel and the place of the handle', async () => {
    const result = await runProgram(`
      import { channel } from 'sluice'
      const warnings: string[] = []
      process.on('warning', (warning) => warnings.push(warning.message))
      const [tx, rx] = channel<number>(0, { name: 'flood' })
      const careless = tx.clone() // @careless
      const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
      const send = (count: number): void => {
        for (let i = 0; i < count; i++) careless.send(i).catch(() => undefined)
      }
      for (let i = 0; i < 900; i++) tx.send(i).catch(() => undefined)
      send(1000)
      await turn()
      console.log(warnings.length)
      send(1)
      await turn()
      console.log(warnings.length)
      send(3000)
      await turn()
      console.log(warnings.length)
      console.log(warnings[0])
      rx.close()
    `)
    const [before, after, later, message] = result.stdout.split('\n')
    expect([before, after, later]).toEqual(['0', '1', '1'])
    expect(message).toContain('flood')
    expect(message).toContain(result.place('careless'))
    expect(result.code).toBe(0)
  })

  it('do so where the handle is behind a proxy, too: the next send failed', async () => {
    const result = await runProgram(`
      import { channel } from 'sluice'
      process.on('warning', (warning) => console.log(warning.message))
      const [tx, rx] = channel<number>(0, { name: 'flood' })
      const logged = new Proxy(tx, {})
      for (let i = 0; i < 1100; i++) logged.send(i).catch(() => undefined)
      await new Promise((resolve) => setImmediate(resolve))
      rx.close()
    `)
    expect(result.stdout).toMatch(/^More than 1000 sends wait[^\n]*"flood"[^\n]*\n$/)
    expect(result.code).toBe(0)
  })

  it('name the stage alone where it was given the handle: no line of the program made that', async () => {
    const result = await runProgram(`
      import { drain, pipeline, range, stage } from 'sluice'
      process.on('warning', (warning) => console.log(warning.message))
      const burst = stage<number, number>('burst', async (_rx, tx) => {
        await Promise.all(Array.from({ length: 2000 }, (_, i) => tx.send(i)))
      })
      await pipeline(range(1), burst, drain()).run()
    `)
    expect(result.stdout).toBe(
      'More than 1000 sends wait, is an "await" missing: sender of channel "burst"\n',
    )
    expect(result.code).toBe(0)
  })

  it('cause none where they are awaited in time', async () => {
    const result = await runProgram(`
      import { channel } from 'sluice'
      const [tx, rx] = channel<number>(0)
      const reading = (async () => {
        for await (const value of rx) if (value === 4999) break
      })()
      for (let i = 0; i < 5000; i++) await tx.send(i)
      await reading
    `)
    expect(result.stderr).toBe('')
    expect(result.code).toBe(0)
  })
})

describe.concurrent('what onUndelivered throws', () => {
  it('becomes an uncaught error; the other values are still reported and close() works', async () => {
    const result = await runProgram(`
      import { channel } from 'sluice'
      process.on('uncaughtException', (error) => console.log('uncaught', error.message))
      const [tx, rx] = channel<number>(3, {
        onUndelivered(value) {
          console.log('undelivered', value)
          if (value < 3) throw new Error('broken by ' + value)
        },
      })
      await tx.sendMany([1, 2, 3])
      const waiting = tx.send(4).catch((error: Error) => console.log(error.name))
      console.log(rx.close())
      await waiting
      const [dropping, other] = channel<number>(1, {
        overflow: 'drop-newest',
        onUndelivered(value) {
          throw new Error('dropped ' + value)
        },
      })
      console.log(dropping.trySend(10), dropping.trySend(11), other.length)
    `)
    const lines = result.stdout.trimEnd().split('\n')
    expect(lines.slice(0, 4)).toEqual(['undelivered 1', 'undelivered 2', 'undelivered 3', 'true'])
    expect(lines.filter((line) => line.startsWith('uncaught'))).toEqual([
      'uncaught broken by 1',
      'uncaught broken by 2',
      'uncaught dropped 11',
    ])
    expect(lines).toContain('SendError')
    expect(lines).toContain('sent sent 1')
    expect(result.code).toBe(0)
  })

  it('ends a program that does not listen for uncaught errors', async () => {
    const result = await runProgram(`
      import { channel } from 'sluice'
      const [tx, rx] = channel<number>(1, {
        onUndelivered: () => {
          throw new Error('broken')
        },
      })
      await tx.send(1)
      rx.close()
    `)
    expect(result.stderr).toContain('broken')
    expect(result.code).not.toBe(0)
  })
})

describe.concurrent('a waiting select with several cases on one channel', () => {
  // In a process of its own: where this goes wrong, it is an endless loop.
  it.each([
    ['the last sender closes', 'tx.close()', 'a done undefined'],
    ['the receiver closes', 'rx.close()', 'a done undefined'],
    ['the channel fails', "tx.fail('cause')", 'rejected cause'],
    ['a value comes', 'tx.trySend(7)', 'a value 7'],
  ])('settles once when %s', async (_, event, outcome) => {
    const result = await runProgram(
      `
      import { channel, select } from 'sluice'
      const [tx, rx] = channel<number>(0)
      const selecting = select({ a: rx, b: rx, c: rx.clone() })
      const behind = rx.next()
      ${event}
      await selecting.then(
        ({ key, done, value }) => console.log(key, done ? 'done' : 'value', value),
        (reason) => console.log('rejected', reason),
      )
      tx.close()
      console.log(await behind.then(({ done }) => done, String))
      `,
      { limit: 5000 },
    )
    expect(result.stdout).toBe(`${outcome}\n${event.includes('fail') ? 'cause' : 'true'}\n`)
    expect(result.code).toBe(0)
  })

  it('hands the value of its first send back when the last receiver closes', async () => {
    const result = await runProgram(
      `
      import { channel, select, sendCase } from 'sluice'
      const [tx, rx] = channel<number>(0)
      const selecting = select({ a: sendCase(tx, 1), b: sendCase(tx, 2) })
      rx.close()
      console.log(JSON.stringify(await selecting))
      `,
      { limit: 5000 },
    )
    expect(result.stdout).toBe('{"key":"a","done":true,"value":1}\n')
    expect(result.code).toBe(0)
  })
})

describe.concurrent('timers hold the process alive', () => {
  /** The programs end by themselves, long before the minute that some of their timers would take. */
  async function expectOutput(body: string, stdout: string): Promise<void> {
    const result = await runProgram(
      `
      import { after, channel, select, tick } from 'sluice'
      ${body}
      export { after, channel, select, tick }
      `,
      { limit: 5000 },
    )
    expect(result.stderr).toBe('')
    expect(result.stdout).toBe(stdout)
    expect(result.code).toBe(0)
  }

  it('not when nobody waits on them', () =>
    expectOutput(
      `
      const timers = [after(60_000), tick(60_000), tick(1)]
      console.log(timers[0].tryRecv().ok)
      `,
      'false\n',
    ))

  it('while somebody waits on them', () =>
    expectOutput(
      `
      const started = performance.now()
      await after(60).recv()
      const ticks = tick(20)
      await ticks.recv()
      await ticks.recv()
      console.log(performance.now() - started >= 95)
      `,
      'true\n',
    ))

  it('not any more when the select that waited on them is over', () =>
    expectOutput(
      `
      const [tx, rx] = channel<number>(0)
      setTimeout(() => tx.trySend(1), 5)
      console.log((await select({ rx, slow: after(60_000), slower: tick(60_000) })).key)
      export { tx, rx }
      `,
      'rx\n',
    ))

  it('not any more when the wait was given up', () =>
    expectOutput(
      `
      const controller = new AbortController()
      setTimeout(() => controller.abort('enough'), 5)
      await after(60_000).recv({ signal: controller.signal }).catch((reason) => console.log(reason))
      await tick(60_000).recv({ timeout: 5 }).catch((error) => console.log(error.code))
      `,
      'enough\nTIMEOUT\n',
    ))

  it('not any more when the receive or the send with a timeout has settled', () =>
    expectOutput(
      `
      const [tx, rx] = channel<number>(1)
      const receiving = rx.recv({ timeout: 60_000 })
      await tx.send(1)
      console.log(await receiving)
      await tx.send(2)
      const sending = tx.send(3, { timeout: 60_000 })
      console.log(await rx.recv())
      await sending
      console.log(rx.length)
      `,
      '1\n2\n1\n',
    ))

  it('for a timer that was created early and is waited on late', () =>
    expectOutput(
      `
      const early = after(80)
      await new Promise((resolve) => setTimeout(resolve, 5))
      const value = await early.recv()
      console.log(typeof value)
      `,
      'number\n',
    ))
})
