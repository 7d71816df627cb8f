// Handles that nobody can reach any more: closed with a warning, unless it does not matter.
import { describe, expect, it, vi } from 'vitest'
import { type ProgramResult, runProgram } from '../support/child-program.ts'

// A process takes a while to start on a busy machine.
vi.setConfig({ testTimeout: 30_000 })

/** Runs `body`, which calls `collect()` or `collect(until)` to collect garbage. */
function runCollecting(body: string): Promise<ProgramResult & { warnings: string[]; notes: unknown[] }> {
  const source = `
    import { setTimeout as delay } from 'node:timers/promises'
    import * as sluice from 'sluice'
    const { after, channel, never, select, sendCase, tick } = sluice
    const warnings: string[] = []
    const notes: unknown[] = []
    process.on('warning', (warning) => warnings.push(warning.message))
    const note = (...values: unknown[]): void => void notes.push(...values)
    /** Collects garbage a dozen times, and on until the condition holds. */
    async function collect(until: () => boolean = () => true): Promise<void> {
      for (let turn = 0; turn < 12 || (turn < 500 && !until()); turn++) {
        gc!()
        await delay(2)
      }
    }
    ${body}
    console.log(JSON.stringify({ warnings, notes }))
    process.exit(0)
  `
  return runProgram(source, { nodeArguments: ['--expose-gc', '--no-warnings'], limit: 25_000 }).then(
    (result) => {
      expect(result.stderr).toBe('')
      const { warnings, notes } = JSON.parse(result.stdout) as { warnings: string[]; notes: unknown[] }
      return { ...result, warnings, notes }
    },
  )
}

describe.concurrent('a handle that is garbage-collected unclosed', () => {
  it('is closed: a lost sender ends the receivers, after its values, with one warning and its place', async () => {
    const result = await runCollecting(`
      function lose(): sluice.Receiver<number> {
        const [tx, rx] = channel<number>(4, { name: 'lost one' }) // @made
        void tx.send(1)
        return rx
      }
      const rx = lose()
      let ended = false
      const loop = (async () => {
        for await (const value of rx) note(value)
        ended = true
      })()
      await collect(() => ended)
      note(ended, rx.closed)
    `)
    expect(result.notes).toEqual([1, true, true])
    expect(result.warnings.length).toBe(1)
    expect(result.warnings[0]).toContain('lost one')
    expect(result.warnings[0]).toContain(result.place('made'))
  })

  it('says where the clone was made when it is a clone that was lost', async () => {
    const result = await runCollecting(`
      const [tx, rx] = channel<number>(4, { name: 'orders' }) // @made
      function lose(): void {
        tx.clone() // @cloned
      }
      lose()
      tx.close()
      await collect(() => rx.closed)
      note(rx.closed)
    `)
    expect(result.notes).toEqual([true])
    expect(result.warnings.length).toBe(1)
    expect(result.warnings[0]).toContain(result.place('cloned'))
    expect(result.warnings[0]).not.toContain(result.place('made'))
  })

  it('is closed: a lost last receiver rejects waiting sends and reports what was buffered', async () => {
    const result = await runCollecting(`
      function lose(): sluice.Sender<number> {
        const [tx, rx] = channel<number>(1, { onUndelivered: (value) => note('undelivered', value) }) // @made
        rx.length
        return tx
      }
      const tx = lose()
      await tx.send(1)
      const send = tx.send(2).catch((error: sluice.SendError<number>) => note(error.code, error.value))
      await collect(() => tx.closed)
      await send
      note(tx.closed)
    `)
    expect(result.notes).toEqual(['undelivered', 1, 'CLOSED', 2, true])
    expect(result.warnings.length).toBe(1)
    expect(result.warnings[0]).toContain(result.place('made'))
  })
})

describe.concurrent('no warning is given', () => {
  it('for handles whose other side is gone as well', async () => {
    const result = await runCollecting(`
      function forgetAll(): void {
        for (let i = 0; i < 100; i++) {
          const [tx, rx] = channel<number>(4)
          void tx.send(i)
          const others = [tx.clone(), rx.clone()]
          if (i % 3 === 0) others[1].tryRecv()
          if (i % 5 === 0) tx.close()
          if (i % 7 === 0) rx.close()
        }
      }
      forgetAll()
      await collect()
    `)
    expect(result.warnings).toEqual([])
  })

  // No timing is asserted; but if all were searched for each of them, that would take longer than the test may.
  it('for very many clones whose other side is gone as well, or that were closed', async () => {
    const result = await runCollecting(`
      const [tx, rx] = channel<number>(0)
      const many = Array.from({ length: 10_000 }, () => rx.clone())
      function forgetAll(): void {
        const other = channel<number>(0)
        for (let i = 0; i < 20_000; i++) {
          for (const end of other) end.clone()
          tx.clone().close()
        }
      }
      forgetAll()
      await collect()
      note(many.length, tx.closed)
    `)
    expect(result.notes).toEqual([10_000, false])
    expect(result.warnings).toEqual([])
  })

  it('for senders whose receivers were closed', async () => {
    const result = await runCollecting(`
      function closeReceiver(): sluice.Receiver<number> {
        const [tx, rx] = channel<number>(4)
        tx.length
        rx.close()
        return rx
      }
      const closed = Array.from({ length: 20 }, closeReceiver)
      await collect()
      note(closed.length)
    `)
    expect(result.warnings).toEqual([])
  })

  it('for receivers of channels that have ended and drained', async () => {
    const result = await runCollecting(`
      async function readAll(): Promise<sluice.Sender<number>> {
        const [tx, rx] = channel<number>(4)
        await tx.sendMany([1, 2])
        tx.close()
        note(await rx.recvMany(5))
        return tx
      }
      const closed = [await readAll(), await readAll()]
      await collect()
      note(closed.length)
    `)
    expect(result.notes).toEqual([[1, 2], [1, 2], 2])
    expect(result.warnings).toEqual([])
  })

  it('for timers and never()', async () => {
    const result = await runCollecting(`
      function forgetTimers(): void {
        for (let i = 0; i < 20; i++) {
          after(1000 + i)
          after(1)
          tick(3).clone()
          never()
        }
      }
      forgetTimers()
      await collect()
    `)
    expect(result.warnings).toEqual([])
  })

  it('for handles that were closed', async () => {
    const result = await runCollecting(`
      const kept = Array.from({ length: 20 }, () => {
        const [tx, rx] = channel<number>(4)
        const other = tx.clone()
        other.close()
        rx.clone().close()
        return [tx, rx]
      })
      await collect()
      note(kept.length)
    `)
    expect(result.warnings).toEqual([])
  })
})

describe.concurrent('a handle is never collected', () => {
  it('while somebody waits on it to receive, in whatever way', async () => {
    const result = await runCollecting(`
      function wait(how: (rx: sluice.Receiver<number>) => void): sluice.Sender<number> {
        const [tx, rx] = channel<number>(4)
        how(rx)
        return tx
      }
      async function loop(rx: sluice.Receiver<number>): Promise<void> {
        for await (const value of rx.values()) note(value)
      }
      const senders = [
        wait((rx) => void rx.recv().then(note)),
        wait((rx) => void rx.next().then((result) => note(result.value))),
        wait((rx) => void rx.recvMany(2).then((values) => note(...values))),
        wait((rx) => void loop(rx)),
        wait((rx) => void select({ rx }).then((selected) => note(selected.value))),
        wait((rx) => void rx.recv({ timeout: 60_000 }).then(note)),
        wait((rx) => void rx.recv({ signal: new AbortController().signal }).then(note)),
      ]
      await collect()
      for (const [i, tx] of senders.entries()) note(tx.trySend(i))
      await delay(2)
    `)
    expect(result.warnings).toEqual([])
    expect(result.notes.slice(0, 7)).toEqual(Array.from({ length: 7 }, () => 'sent'))
    expect([...result.notes.slice(7)].sort()).toEqual([0, 1, 2, 3, 4, 5, 6])
  })

  it('while somebody waits on it to send', async () => {
    const result = await runCollecting(`
      function wait(how: (tx: sluice.Sender<number>) => Promise<unknown>): sluice.Receiver<number> {
        const [tx, rx] = channel<number>(0)
        void how(tx).then(() => note('sent'))
        return rx
      }
      const receivers = [
        wait((tx) => tx.send(0)),
        wait((tx) => tx.sendMany([1])),
        wait((tx) => select({ tx: sendCase(tx, 2) })),
      ]
      await collect()
      note(receivers.map((rx) => rx.tryRecv()))
      await delay(2)
    `)
    expect(result.warnings).toEqual([])
    expect(result.notes).toEqual([
      [
        { ok: true, value: 0 },
        { ok: true, value: 1 },
        { ok: true, value: 2 },
      ],
      'sent',
      'sent',
      'sent',
    ])
  })

  it('while an iterator or a send case of it is held', async () => {
    const result = await runCollecting(`
      const [tx, rx] = channel<number>(4)
      const iterator = (() => rx.clone().values())()
      const ownCase = (() => sendCase(tx.clone(), 9))()
      tx.close()
      rx.close()
      await collect()
      note(await select({ ownCase }))
      note(await iterator.next())
    `)
    expect(result.warnings).toEqual([])
    expect(result.notes).toEqual([
      { key: 'ownCase', done: false },
      { done: false, value: 9 },
    ])
  })
})
