// Deadlock reports: what a program that forgot something says when the event loop runs dry. Whole programs.
import { describe, expect, it, vi } from 'vitest'
import { runProgram } from '../support/child-program.ts'

// A process takes a while to start on a busy machine.
vi.setConfig({ testTimeout: 30_000 })

describe.concurrent('a program whose receivers wait for a sender that was forgotten', () => {
  it('ends with exit code 1 and names the channel, the wait, the open senders and where each was made', async () => {
    const result = await runProgram(`
      import { channel } from 'sluice'
      const [tx, rx] = channel<number>(1, { name: 'orders' }) // @made
      const forgotten = tx.clone() // @forgotten
      const another =
        forgotten.clone() // @another
      async function main(): Promise<void> {
        for await (const order of rx) console.log('order', order)
        console.log('not reached')
      }
      void main()
      void tx.send(1)
      tx.close()
      export { forgotten, another }
    `)
    expect(result.stdout).toBe('order 1\n')
    expect(result.stderr).toContain('DeadlockError')
    expect(result.stderr).toContain('orders')
    expect(result.stderr).toMatch(/\b2\b[^\n]*\bsenders?\b/)
    expect(result.stderr).toContain(result.place('forgotten'))
    expect(result.stderr).toContain(result.place('another'))
    expect(result.code).toBe(1)
  })

  it('ends with exit code 1 under a top-level await, too', async () => {
    const result = await runProgram(`
      import { channel } from 'sluice'
      const [tx, rx] = channel<number>(1, { name: 'orders' }) // @made
      await rx.recv()
      tx.close()
    `)
    expect(result.stderr).toContain('DeadlockError')
    expect(result.stderr).toContain('orders')
    expect(result.stderr).toMatch(/\b1\b[^\n]*\bsender\b/)
    expect(result.stderr).toContain(result.place('made'))
    expect(result.code).toBe(1)
  })

  it('names each line that made an open handle, once: the last of many is named, too', async () => {
    const result = await runProgram(`
      import { channel } from 'sluice'
      const [tx, rx] = channel<number>(1, { name: 'orders' })
      const workers = Array.from({ length: 30 }, () =>
        tx.clone() // @workers
      )
      const forgotten = tx.clone() // @forgotten
      await rx.recv()
      export { forgotten, workers }
    `)
    expect(result.stderr).toContain('32 senders and 1 receiver open')
    expect(result.stderr.split(result.place('workers'))).toHaveLength(2)
    expect(result.stderr).toContain(result.place('forgotten'))
  })

  it('names the line that had the engine make a handle, as Array.from and map do', async () => {
    const result = await runProgram(`
      import { channel } from 'sluice'
      const [tx, rx] = channel<number>(1, { name: 'orders' })
      const some = Array.from([1, 2], tx.clone, tx) // @some
      const more = some.map(Function.call, tx.clone) // @more
      await rx.recv()
      export { more }
    `)
    expect(result.stderr).toContain(result.place('some'))
    expect(result.stderr).toContain(result.place('more'))
  })

  it('names whole paths, where folders have spaces and brackets in their names', async () => {
    const result = await runProgram(`
      import { runInThisContext } from 'node:vm'
      import { channel } from 'sluice'
      const filename = '/my jobs (new)/feed.cjs'
      const load = (text: string): any => runInThisContext(text, { filename })
      const [tx, rx] = load('(channel) => channel(0)')(channel)
      const twin = load('(tx) => {\\n  function twin() { return tx.clone() }\\n  return twin()\\n}')(tx)
      await rx.recv()
      export { twin }
    `)
    expect(result.stderr).toContain('  sender made at /my jobs (new)/feed.cjs:1:14\n')
    expect(result.stderr).toContain('  sender made at /my jobs (new)/feed.cjs:2:31\n')
  })

  it('tells where senders wait for a receiver that nobody reads', async () => {
    const result = await runProgram(`
      import { channel } from 'sluice'
      const [tx, rx] = channel<string>(2, { name: 'letters' })
      const unread = rx.clone() // @unread
      rx.close()
      await tx.sendMany(['a', 'b', 'c'])
      export { unread }
    `)
    expect(result.stderr).toContain('DeadlockError')
    expect(result.stderr).toContain('letters')
    expect(result.stderr).toMatch(/\bsend/)
    expect(result.stderr).toMatch(/\b1\b[^\n]*\breceiver\b/)
    expect(result.stderr).toContain(result.place('unread'))
    expect(result.code).toBe(1)
  })

  it('reports two tasks that wait for each other', async () => {
    const result = await runProgram(`
      import { channel } from 'sluice'
      const [questions, answerer] = channel<number>(0, { name: 'questions' })
      const [answers, asker] = channel<number>(0, { name: 'answers' })
      async function ask(): Promise<void> {
        await asker.recv()
        await questions.send(1)
      }
      async function answer(): Promise<void> {
        await answerer.recv()
        await answers.send(2)
      }
      const outcomes = await Promise.allSettled([ask(), answer()])
      for (const outcome of outcomes)
        console.log(outcome.status === 'rejected' && String(outcome.reason.message))
    `)
    expect(result.stdout).toContain('questions')
    expect(result.stdout).toContain('answers')
    expect(result.code).toBe(0)
  })
})

describe.concurrent('a DeadlockError', () => {
  it('is given to each wait, of whatever kind', async () => {
    const result = await runProgram(`
      import { channel, DeadlockError, select, sendCase } from 'sluice'
      const [tx, rx] = channel<number>(0, { name: 'in' })
      const [full, unread] = channel<number>(1, { name: 'out' })
      await full.send(1)
      async function loop(): Promise<void> {
        for await (const value of rx) console.log(value)
      }
      const waits = [
        rx.recv(),
        rx.next(),
        rx.recvMany(2),
        rx.values().next(),
        loop(),
        full.send(2),
        full.sendMany([3, 4]),
        select({ rx, out: sendCase(full, 5) }),
        rx.recv({ timeout: Infinity }),
        rx.recv({ signal: new AbortController().signal }),
      ]
      const outcomes = await Promise.allSettled(waits)
      const errors = outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason)
      console.log(errors.filter((error) => error instanceof DeadlockError && error instanceof Error).length)
      console.log(errors.every((error) => error.name === 'DeadlockError'))
      console.log(errors.slice(0, 5).every((error) => error.message.includes('in')))
      console.log(errors.slice(5, 7).every((error) => error.message.includes('out')))
      tx.close()
      unread.close()
    `)
    expect(result.stdout).toBe('10\ntrue\ntrue\ntrue\n')
    expect(result.stderr).toBe('')
    expect(result.code).toBe(0)
  })

  it('that is caught lets the program go on, with the same channel', async () => {
    const result = await runProgram(`
      import { setTimeout as delay } from 'node:timers/promises'
      import { channel, DeadlockError } from 'sluice'
      const [tx, rx] = channel<number>(1)
      try {
        await rx.recv()
      } catch (error) {
        console.log(error instanceof DeadlockError)
      }
      await delay(5)
      await tx.send(7)
      console.log(await rx.recv())
      tx.close()
      console.log((await rx.next()).done)
    `)
    expect(result.stdout).toBe('true\n7\ntrue\n')
    expect(result.stderr).toBe('')
    expect(result.code).toBe(0)
  })

  it('is followed by another one for the next deadlock', async () => {
    const result = await runProgram(`
      import { setTimeout as delay } from 'node:timers/promises'
      import { channel, DeadlockError } from 'sluice'
      const [tx, rx] = channel<number>(1, { name: 'first' })
      for (let round = 0; round < 2; round++)
        await rx.recv().catch((error: unknown) => console.log(error instanceof DeadlockError))
      await delay(5)
      const [otherTx, other] = channel<number>(1, { name: 'second' })
      await other.recv()
      export { tx, otherTx }
    `)
    expect(result.stdout).toBe('true\ntrue\n')
    expect(result.stderr).toContain('DeadlockError')
    expect(result.stderr).toContain('second')
    expect(result.code).toBe(1)
  })
})

describe.concurrent('a program is in no deadlock', () => {
  async function expectSilence(body: string, stdout = 'end of the module\n'): Promise<void> {
    const result = await runProgram(`
      import { after, channel, drain, fanIn, never, pipeline, select, sendCase, source, tick } from 'sluice'
      ${body}
      console.log('end of the module')
      export { after, channel, drain, fanIn, never, pipeline, select, sendCase, source, tick }
    `)
    expect(result.stderr).toBe('')
    expect(result.stdout).toBe(stdout)
    expect(result.code).toBe(0)
  }

  it('where it only imports the library', () => expectSilence(''))

  it('where only channels made with daemon: true still wait', () =>
    expectSilence(`
      const [tx, rx] = channel<number>(1, { daemon: true })
      const service = async (): Promise<void> => {
        for await (const value of rx) console.log(value)
      }
      void service()
      void rx.recv()
      const [full, unread] = channel<number>(0, { daemon: true })
      void full.send(1)
      void select({ rx, full: sendCase(full, 2) })
      export { tx, unread }
    `))

  it('where a select waits for a daemon besides dead channels', () =>
    expectSilence(`
      const [tx, rx] = channel<number>(1)
      const [service, requests] = channel<number>(1, { daemon: true })
      void select({ rx, requests })
      export { tx, service }
    `))

  it('where somebody waits on never() or on a timer that has given its value', () =>
    expectSilence(`
      void never().recv()
      void never().next()
      void select({ silent: never() })
      const timer = after(1)
      await timer.recv()
      void timer.recv()
    `))

  it('where a run reads from never() or from a timer that has given its value', () =>
    expectSilence(`
      void pipeline(source(never()), drain()).run()
      void pipeline(fanIn<number>([1], after(1)), drain()).run()
    `))

  it('where a whenClosed is pending', () =>
    expectSilence(`
      const [tx, rx] = channel<number>(1)
      void tx.whenClosed()
      export { tx, rx }
    `))

  it('where handles are open and values are buffered, and nobody waits', () =>
    expectSilence(`
      const [tx, rx] = channel<number>(2)
      await tx.send(1)
      export { tx, rx }
    `))

  it('while a timer will still act', () =>
    expectSilence(
      `
      const [tx, rx] = channel<number>(0)
      setTimeout(() => void tx.send(1), 20)
      console.log(await rx.recv())
      const [silent, open] = channel<number>(0)
      console.log((await select({ open, timeout: after(20) })).key)
      await open.recv({ timeout: 20 }).catch((error: Error) => console.log(error.name))
      silent.close()
      `,
      '1\ntimeout\nRecvError\nend of the module\n',
    ))
})

describe.concurrent('a select in a program whose event loop runs dry', () => {
  it('is reported when no case of it can happen', async () => {
    const result = await runProgram(`
      import { channel, never, select, sendCase } from 'sluice'
      const [tx, rx] = channel<number>(0, { name: 'left' }) // @left
      const [full, unread] = channel<number>(0, { name: 'right' }) // @right
      await select({ off: never(), rx, again: rx, out: sendCase(full, 1) })
      export { tx, unread }
    `)
    expect(result.stderr).toContain('DeadlockError')
    // Of each channel once, with who could still end the wait.
    const open = '1 sender and 1 receiver open'
    expect(result.stderr).toContain(
      `Deadlock on channel "left", nothing else runs: 1 select waiting, ${open}\n`,
    )
    expect(result.stderr).toContain(`\nalso on channel "right": ${open}\n`)
    expect(result.stderr).toContain(result.place('left'))
    expect(result.stderr).toContain(result.place('right'))
    expect(result.stderr.match(/on channel "/g)).toHaveLength(2)
    expect(result.code).toBe(1)
  })
  it('is reported where its other cases are never() and a timer that has given its value', async () => {
    const result = await runProgram(`
      import { after, channel, never, select } from 'sluice'
      const [tx, rx] = channel<number>(0, { name: 'stuck' })
      const spent = after(1)
      await spent.recv()
      await select({ off: never(), spent, rx })
      export { tx }
    `)
    expect(result.stderr).toContain('DeadlockError')
    expect(result.stderr).toContain('stuck')
    expect(result.code).toBe(1)
  })
  it('is reported also where ten thousand wait, each with clones of its own, in a time that grows with their number', async () => {
    // No timing is asserted; but to name all clones for each of them takes a minute.
    const result = await runProgram(`
      import { channel, select } from 'sluice'
      const [tx, rx] = channel<number>(0, { name: 'left' })
      const [other, more] = channel<number>(0, { name: 'right' })
      const selects = Array.from({ length: 10_000 }, () => select({ rx: rx.clone(), more: more.clone() }))
      const ended = await Promise.allSettled(selects)
      console.log(new Set(ended.map((end) => end.status === 'rejected' && String(end.reason))).size)
      export { tx, other }
    `)
    expect(result.stdout).toBe('1\n')
    expect(result.code).toBe(0)
  })
})
