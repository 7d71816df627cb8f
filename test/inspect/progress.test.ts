/** progress(): what a run is doing, on a terminal and elsewhere. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  balance,
  channel,
  drain,
  fanIn,
  fanOut,
  forEach,
  groupBy,
  map,
  pipeline,
  range,
  source,
  type Run,
  type StageStats,
} from 'sluice'
import { progress as progressOf, type ProgressOptions } from 'sluice/inspect'
import { hang, pause, script, virtualTime, type VirtualTime } from 'sluice/testing'
import { Terminal } from './terminal.ts'

/** Eight pictures a second. */
const progress = (run: Run<unknown>, options?: ProgressOptions) =>
  progressOf(run, options && { redraw: 125, ...options })

let time: VirtualTime
const start = () => (time = virtualTime())
const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
afterEach(() => {
  time?.restore()
  vi.unstubAllEnvs()
})

/** A run of three stages that goes on: it has read 1, 2 and 3 after a second each. */
function slowRun(name = 'orders') {
  const input = script([1, pause(1_000), 2, pause(1_000), 3, hang()])
  return pipeline(
    source(input),
    map((n) => n, { name: 'fetch' }),
    drain(),
  ).start({ name })
}

/** A stage in the stats of a run. */
const statsOf = (name: string, more: Partial<StageStats> = {}): StageStats => ({
  ...{ name, index: 0, received: 0, sent: 0, failed: 0 },
  ...{ busy: 0, waitingInput: 0, waitingOutput: 0, output: undefined },
  ...more,
})

/** A run that looks like this: under virtual time the shares of real ones say nothing. A name may begin with `stem/`. */
function runOf(all: StageStats[], bottleneck?: string, runName = 'pretended'): Run<unknown> {
  const stages = all.map((stage) => ({ ...stage, name: stage.name.split('/').at(-1)! }))
  const nodes = all.map((stage, index) => {
    const [name, stem] = stage.name.split('/').reverse()
    const branchOf = String(stages.findIndex((each) => each.name === stem))
    return { id: String(index), name, index, ...(stem && { branchOf }) }
  })
  const edges = stages.slice(1).map((_, i) => ({ from: String(i), to: String(i + 1), capacity: 1 }))
  const run = {
    name: runName,
    stats: () => ({ elapsed: 1_500, bottleneck, stages }),
    describe: () => ({ nodes, edges }),
  }
  return run as unknown as Run<unknown>
}

async function end(run: Run<unknown>): Promise<void> {
  const ended = run.result.catch(() => {})
  await run.abort()
  await ended
}

/** Under virtual time any stage may seem to be the slowest: without the mark of that. */
const unmarked = (text: string) => text.replace(/▶ |,? +slowest/g, '')
/** The text of the rows, with runs of spaces as one. */
const rowsOf = (terminal: Terminal) =>
  terminal.text.map((text) => unmarked(text.replaceAll(/ +/g, ' ').trim()))

describe('progress() on a terminal', () => {
  test('draws a line per stage and draws it anew in place', async () => {
    start()
    const terminal = new Terminal()
    const run = slowRun()
    using _ = progress(run, { stream: terminal })
    await time.advance(125)
    expect(rowsOf(terminal)).toEqual([
      'orders 0.1 s',
      'source 8/s 1 ░░░░░░░░░░',
      'fetch 8/s 1 ░░░░░░░░░░',
      'drain 8/s 1',
    ])
    await time.advance(2_375)
    expect(rowsOf(terminal)).toEqual([
      'orders 2.5 s',
      'source 1/s 3 ░░░░░░░░░░',
      'fetch 1/s 3 ░░░░░░░░░░',
      'drain 1/s 3',
    ])
    await time.advance(2_500)
    expect(rowsOf(terminal)[1]).toBe('source 0/s 3 ░░░░░░░░░░')
    await end(run)
  })

  test('leaves the cursor on an empty line below and hides nothing of it', async () => {
    start()
    const terminal = new Terminal()
    const run = slowRun()
    progress(run, { stream: terminal })
    await time.advance(500)
    expect(terminal.cursor).toEqual([0, 1])
    await end(run)
    expect(terminal.cursor).toEqual([0, 1])
  })

  test('draws every `redraw` milliseconds', async () => {
    start()
    const terminal = new Terminal()
    const run = slowRun()
    using _ = progress(run, { stream: terminal, redraw: 200 })
    const { writes } = terminal
    await time.advance(1_000)
    expect(terminal.writes - writes).toBe(5)
    await end(run)
  })

  test('ends by itself with the numbers of the ended run, before whoever awaits the result goes on', async () => {
    start()
    const terminal = new Terminal()
    const run = pipeline(range(500), map(String), drain()).start({ name: 'digits' })
    progress(run, { stream: terminal })
    await run.result
    const text = rowsOf(terminal)
    expect(text[0]).toMatch(/^digits done in 0.0 s$/)
    expect(text.slice(1).map((row) => row.replace(/ 0\/s/g, ''))).toEqual([
      'range 500 ░░░░░░░░░░ 100 % of 500',
      'map 500 ░░░░░░░░░░',
      'drain 500',
    ])
    terminal.write('after\n')
    expect(rowsOf(terminal)).toEqual([...text, 'after'])
    expect(time.pending).toBe(0)
  })

  test('shows the size of a source, how much of it is done, and the time left', async () => {
    start()
    const terminal = new Terminal()
    const run = pipeline(
      range(1_000),
      map(() => new Promise((resolve) => setTimeout(resolve, 100)), { capacity: 0 }),
      drain(),
    ).start({ capacity: 1 })
    using _ = progress(run, { stream: terminal })
    await time.advance(10_000)
    expect(rowsOf(terminal)[1]).toMatch(/^range 10\/s 10[123] █{10} 10 % of 1,000 1:\d\d left$/)
    await end(run)
  })

  test('takes the size from `total` where the source does not know it', async () => {
    start()
    const terminal = new Terminal()
    const run = slowRun()
    using _ = progress(run, { stream: terminal, total: 6 })
    await time.advance(2_000)
    expect(rowsOf(terminal)[1]).toBe('source 1/s 3 ░░░░░░░░░░ 50 % of 6 2.0 s left')
    await end(run)
  })

  test('shows how full the channels are, and of one without a bound how many values it holds', async () => {
    start()
    const terminal = new Terminal()
    const run = pipeline(
      source(Array.from({ length: 1_000 }), { capacity: Infinity, name: 'all' }),
      map((n) => n, { capacity: 4, name: 'quick' }),
      forEach(() => new Promise(() => {}), { name: 'stuck' }),
    ).start()
    using _ = progress(run, { stream: terminal })
    await time.advance(125)
    expect(rowsOf(terminal).map((row) => row.replace(/[\d,]+\/s [\d,]+ /, ''))).toEqual([
      'pipeline 0.1 s',
      expect.stringMatching(/^all \d+ held 100 % of 1,000$/),
      'quick ██████████',
      expect.stringContaining('stuck'),
    ])
    await end(run)
  })

  test('marks the bottleneck, not by colour alone, and counts failed values', async () => {
    start()
    vi.stubEnv('NO_COLOR', '1')
    const terminal = new Terminal()
    const stages = [
      statsOf('read'),
      statsOf('fetch', { busy: 0.9, failed: 12 }),
      statsOf('fetch'),
      statsOf('write'),
    ]
    progress(runOf(stages, 'fetch'), { stream: terminal }).stop()
    expect(terminal.text).toEqual([
      'pretended  1.5 s',
      '  read   0/s  0',
      '▶ fetch  0/s  0              12 failed  slowest',
      '  fetch  0/s  0',
      '  write  0/s  0',
    ])
  })

  test('says that a run has failed, and why', async () => {
    start()
    const terminal = new Terminal(90)
    const fail = (n: number) => {
      if (n === 3) throw new Error('unplugged\nfor ever')
      return n
    }
    const run = pipeline(range(10), map(fail, { name: 'plug' }), drain()).start()
    progress(run, { stream: terminal })
    await expect(run.result).rejects.toThrow('unplugged')
    expect(rowsOf(terminal)[0]).toBe('pipeline failed after 0.0 s: Stage "plug" failed: unplugged')
    expect(rowsOf(terminal)).toHaveLength(4)
  })

  test.each([
    ['an error', new Error('too late'), 'aborted after 0.0 s: too late'],
    ['a text', 'enough', 'aborted after 0.0 s: enough'],
    ['undefined', undefined, 'aborted after 0.0 s: The run was aborted'],
    ['what is no text', Object.create(null) as unknown, 'aborted after 0.0 s'],
  ])('says that a run was aborted with %s', async (_, reason, said) => {
    start()
    const terminal = new Terminal()
    const run = slowRun()
    progress(run, { stream: terminal })
    run.result.catch(() => {})
    await run.abort(reason)
    expect(rowsOf(terminal)[0]).toBe(`orders ${said}`)
  })

  test('ends at stop() and at the end of a using block, with the numbers of then, once', async () => {
    start()
    const terminal = new Terminal()
    const run = slowRun()
    const shown = progress(run, { stream: terminal })
    await time.advance(1_500)
    shown.stop()
    const text = rowsOf(terminal)
    expect(text).toEqual(['orders 1.5 s', 'source 1/s 2 ░░░░░░░░░░', 'fetch 1/s 2 ░░░░░░░░░░', 'drain 1/s 2'])
    shown.stop()
    shown[Symbol.dispose]()
    await time.advance(1_000)
    await end(run)
    expect(rowsOf(terminal)).toEqual(text)
    expect(Object.hasOwn(terminal, 'write')).toBe(false)
  })

  test('shows a run that has ended before as it was, at once', async () => {
    start()
    const terminal = new Terminal()
    const run = pipeline(range(5), drain()).start({ name: 'past' })
    await run.result
    progress(run, { stream: terminal })
    expect(rowsOf(terminal)[0]).toBe('past ended after 0.0 s')
    expect(rowsOf(terminal)).toHaveLength(3)
    expect(time.pending).toBe(0)
    expect(Object.hasOwn(terminal, 'write')).toBe(false)
  })

  test('shows a run that was aborted before it began', async () => {
    start()
    const terminal = new Terminal()
    const run = pipeline(range(5), drain()).start({ signal: AbortSignal.abort(new Error('never')) })
    run.result.catch(() => {})
    progress(run, { stream: terminal })
    expect(rowsOf(terminal)).toEqual(['pipeline ended after 0.0 s'])
  })

  test('uses colours, and none where NO_COLOR is set', async () => {
    start()
    for (const colour of ['', '1']) {
      vi.stubEnv('NO_COLOR', colour)
      const written: string[] = []
      const run = slowRun()
      const stream = { isTTY: true, columns: 80, rows: 24, write: (text: string) => written.push(text) }
      progress(run, { stream }).stop()
      expect(written.join('').includes('\u001B[1morders')).toBe(colour === '')
      expect(/\[[\d;]*m/.test(written.join(''))).toBe(colour === '')
      await end(run)
    }
  })
})

describe('the stages of progress()', () => {
  const shownOf = async (run: Run<unknown>, terminal = new Terminal(80, 30)) => {
    const shown = progress(run, { stream: terminal })
    await time.advance(125)
    shown.stop()
    await end(run)
    return terminal.text.slice(1).map((text) => text.slice(2).replace(/ +[\d,.]+\/s.*/, ''))
  }

  test('are indented in branches, which are named', async () => {
    start()
    const run = pipeline(
      range(3),
      fanOut({
        left: pipeline(
          map((n: number) => n),
          map((n) => n),
        ),
        right: balance(
          2,
          map((n: number) => n, { name: 'copy' }),
        ),
      }),
      map((n) => n, { name: 'last' }),
      drain(),
    ).start()
    expect(await shownOf(run)).toEqual([
      'range',
      'fanOut',
      '  left: map',
      '  map',
      '  right: balance',
      '    0: copy',
      '    1: copy',
      'last',
      'drain',
    ])
  })

  test('are one line for a thousand copies side by side, which are summed up', async () => {
    start()
    const terminal = new Terminal(80, 12)
    const run = pipeline(
      range(3_000),
      groupBy(
        (n) => n % 1_000,
        () =>
          pipeline(
            map((n: number) => n),
            balance(
              5,
              map((n: number) => n, { name: 'inner' }),
            ),
          ),
      ),
      forEach(() => {}),
    ).start()
    progress(run, { stream: terminal })
    await run.result
    const row = / *(.*?) {2,}0\/s {2,}([\d,]+)/
    expect(terminal.text.slice(1).map((text) => row.exec(unmarked(text))?.slice(1).join(' '))).toEqual([
      'range 3,000',
      'groupBy 3,000',
      'map ×1000 3,000',
      'balance ×1000 3,000',
      'inner ×5000 3,000',
      'forEach 3,000',
    ])
  })

  test('are one line for many inputs of a fanIn, with the size of all', async () => {
    start()
    const terminal = new Terminal()
    const run = pipeline(fanIn(...Array.from({ length: 20 }, () => range(10))), drain()).start()
    progress(run, { stream: terminal })
    await run.result
    expect(rowsOf(terminal).map((row) => row.replace(/[\d,]+\/s /, ''))).toEqual([
      'pipeline done in 0.0 s',
      'range ×20 200 ░░░░░░░░░░ 100 % of 200',
      'fanIn 200 ░░░░░░░░░░',
      'drain 200',
    ])
  })

  test('that do not fit are counted, those in branches first; the bottleneck stays', async () => {
    start()
    const terminal = new Terminal(80, 9)
    const branches = Array.from({ length: 9 }, (_, i) => statsOf(`fanOut/branch ${i}`))
    branches[7] = statsOf('fanOut/broken', { failed: 1 })
    const rest = ['near', 'slow', 'last'].map((name) => statsOf(name))
    const stages = [statsOf('range'), statsOf('fanOut'), ...branches, ...rest]
    progress(runOf(stages, 'slow'), { stream: terminal }).stop()
    expect(terminal.text.map((text) => text.replace(/ +0\/s.*/, ''))).toEqual([
      'pretended  1.5 s',
      '  range',
      '  fanOut',
      '    broken',
      '  near',
      '▶ slow',
      '  … and 9 stages more',
    ])
  })

  test('that come up later get a line, and those before keep their rate', async () => {
    start()
    const terminal = new Terminal()
    const run = pipeline(
      source(script(['a', pause(500), 'b', hang()])),
      groupBy(
        (key) => key,
        () => map((key: string) => key),
      ),
      drain(),
    ).start()
    using _ = progress(run, { stream: terminal })
    await time.advance(250)
    expect(rowsOf(terminal).filter((row) => row.includes('map'))).toEqual(['a: map 4/s 1 ░░░░░░░░░░'])
    await time.advance(250)
    expect(rowsOf(terminal).filter((row) => row.includes('map'))).toEqual([
      'a: map 2/s 1 ░░░░░░░░░░',
      'b: map 2/s 1 ░░░░░░░░░░',
    ])
    await end(run)
  })

  test('with hostile names do nothing to the terminal', async () => {
    start()
    const terminal = new Terminal(70, 20)
    const names = [
      'two\nlines',
      '\u001B[2J\u001B[31mred',
      '\u0007\r\b\t\u009B31m',
      '\u202Eright\u2028to',
      '\uD800',
    ]
    const run = pipeline(
      range(3),
      ...(names.map((name) => map((n: number) => n, { name })) as []),
      drain(),
    ).start({ name: 'a\u001B]0;title\u0007b\nc' })
    expect(await shownOf(run, terminal)).toEqual([
      'range',
      'two␊lines',
      '␛[2J␛[31mred',
      '␇␍␈␉?31m',
      'right?to',
      '?',
      'drain',
    ])
    expect(terminal.text[0]).toMatch(/^a␛\]0;title␇b␊c {2}/)
  })

  test('say how the run ended also where its name is longer than the terminal', async () => {
    start()
    for (const [columns, head] of [
      [60, 'the nightly import of all orders  failed after 0.0 s: Stag…'],
      [40, 'the nightly import…  failed after 0.0 s'],
      [20, 'the nightly…  fail…'],
    ] as const) {
      const terminal = new Terminal(columns, 10)
      const run = pipeline(
        source([1]),
        map((): never => {
          throw new Error('no disk')
        }),
      ).start({ name: 'the nightly import of all orders' })
      progress(run, { stream: terminal })
      await expect(run.result).rejects.toThrow('no disk')
      await turn()
      expect(terminal.text[0]).toBe(head)
    }
  })

  test('with wide names are aligned and cut where they are too long', async () => {
    start()
    const names = ['日本語の段階', '👨‍👩‍👧 👍🏽 ❤️', 'e\u0301te\u0301', 'x'.repeat(200), '界'.repeat(100)]
    const run = pipeline(
      range(3),
      ...(names.map((name) => map((n: number) => n, { name })) as []),
      drain(),
    ).start()
    for (const columns of [80, 60, 41, 40, 30, 20, 10, 5, 2, 1]) {
      const terminal = new Terminal(columns, 30)
      const shown = progress(run, { stream: terminal })
      await time.advance(125)
      // None has wrapped: each is a row.
      expect(terminal.unwrapped).toEqual(terminal.text)
      if (columns > 2) expect(terminal.text).toHaveLength(8)
      shown.stop()
      if (columns === 80) {
        expect(terminal.text[2]).toMatch(/^ {2}日本語の段階 {30}\d+\/s/)
        expect(terminal.text[3]).toMatch(/^ {2}👨👩👧 👍 ❤ {31}\d+\/s/)
        expect(terminal.text[5]).toMatch(/^ {2}x{39}… {2}\d+\/s/)
        expect(terminal.text[6]).toMatch(/^ {2}界{19}… {3}\d+\/s/)
      }
    }
    await end(run)
  })
})

describe('the program beside progress()', () => {
  const begin = async (terminal: Terminal, options: ProgressOptions = {}) => {
    start()
    const run = slowRun()
    const shown = progress(run, { stream: terminal, ...options })
    await time.advance(125)
    return { run, shown }
  }
  const block = ['orders 0.1 s', 'source 8/s 1 ░░░░░░░░░░', 'fetch 8/s 1 ░░░░░░░░░░', 'drain 8/s 1']

  test('has what it writes above the block, in order', async () => {
    const terminal = new Terminal(60, 10)
    const { run } = await begin(terminal)
    terminal.write('one\n')
    terminal.write('two\nthree\n')
    await turn()
    expect(rowsOf(terminal)).toEqual(['one', 'two', 'three', ...block])
    const lines = Array.from({ length: 100 }, (_, i) => `line ${i}`)
    for (const text of lines) terminal.write(`${text}\n`)
    await turn()
    expect(rowsOf(terminal)).toEqual(['one', 'two', 'three', ...lines, ...block])
    await end(run)
  })

  test('writes from inside stages', async () => {
    start()
    const terminal = new Terminal(60, 10)
    const run = pipeline(
      range(200),
      forEach((n) => void terminal.write(`value ${n}\n`)),
    ).start()
    progress(run, { stream: terminal })
    await run.result
    expect(terminal.text.slice(0, 200)).toEqual(Array.from({ length: 200 }, (_, i) => `value ${i}`))
    expect(terminal.text).toHaveLength(203)
  })

  test('costs one drawing for many lines at once', async () => {
    const terminal = new Terminal()
    const { run } = await begin(terminal)
    const { writes } = terminal
    for (let i = 0; i < 1_000; i++) terminal.write('text\n')
    await turn()
    // The block is taken away once and drawn once.
    expect(terminal.writes - writes).toBe(1_002)
    await end(run)
  })

  test('goes on with a line that it has begun', async () => {
    const terminal = new Terminal()
    const { run } = await begin(terminal)
    terminal.write('loading')
    await turn()
    expect(rowsOf(terminal)).toEqual(['loading', ...block])
    for (const dot of '...') {
      terminal.write(dot)
      await turn()
    }
    expect(rowsOf(terminal)).toEqual(['loading...', ...block])
    terminal.write(' done\nnext')
    await time.advance(125)
    expect(rowsOf(terminal).slice(0, 3)).toEqual(['loading... done', 'next', 'orders 0.3 s'])
    terminal.write('\n')
    await end(run)
    expect(rowsOf(terminal).slice(0, 2)).toEqual(['loading... done', 'next'])
  })

  test('goes on with a line that it had begun before', async () => {
    const terminal = new Terminal()
    terminal.write('before')
    const { run, shown } = await begin(terminal)
    expect(rowsOf(terminal)).toEqual(['before', ...block])
    shown.stop()
    expect(rowsOf(terminal)).toEqual(['before', ...block])
    await end(run)
  })

  test('has its last line to itself at the end', async () => {
    const terminal = new Terminal()
    const { run, shown } = await begin(terminal)
    terminal.write('half a line')
    shown.stop()
    terminal.write('after\n')
    expect(rowsOf(terminal)).toEqual(['half a line', ...block, 'after'])
    await end(run)
  })

  test('may write lines that fill rows to the last cell, and go over several', async () => {
    const terminal = new Terminal(20, 10)
    const { run } = await begin(terminal)
    for (const piece of [
      'x'.repeat(20),
      'y'.repeat(20),
      'z',
      '\n',
      'a'.repeat(20),
      '\n',
      'b'.repeat(45),
      '!\n',
    ]) {
      terminal.write(piece)
      await turn()
    }
    expect(terminal.text.slice(0, 7)).toEqual([
      'x'.repeat(20),
      'y'.repeat(20),
      'z',
      'a'.repeat(20),
      'b'.repeat(20),
      'b'.repeat(20),
      'bbbbb!',
    ])
    await end(run)
  })

  test('may write over its own line', async () => {
    const terminal = new Terminal()
    const { run } = await begin(terminal)
    for (const piece of ['10 %', '\r20 %', '\u001B[1G30 %', '\r\u001B[K', '40 %', '\b\b5 ', '\u001B[4G%\n']) {
      terminal.write(piece)
      await turn()
    }
    expect(rowsOf(terminal)).toEqual(['405%', ...block])
    await end(run)
  })

  test('keeps characters and escape codes whole that it writes in pieces', async () => {
    const terminal = new Terminal()
    const { run } = await begin(terminal)
    for (const byte of Buffer.from('a日👍\n')) {
      terminal.write(Uint8Array.of(byte))
      await turn()
    }
    for (const piece of ['\u001B', '[', '3', '1', 'mred\u001B[3', '9m.', '\u001B]0;ti', 'tle\u0007\n']) {
      terminal.write(piece)
      await turn()
    }
    expect(rowsOf(terminal)).toEqual(['a日👍', 'red.', ...block])
    expect(terminal.coloured).toContain('31:red')
    await end(run)
  })

  test('keeps its colours, and does not colour the block', async () => {
    vi.stubEnv('NO_COLOR', '1')
    const terminal = new Terminal()
    const { run } = await begin(terminal)
    terminal.write('\u001B[31mred')
    await turn()
    terminal.write(' and\n')
    await turn()
    terminal.write('still\u001B[0m, not any more\n')
    await turn()
    expect(rowsOf(terminal)).toEqual(['red and', 'still, not any more', ...block])
    expect(terminal.coloured).toEqual(['31:redandstill'])
    await end(run)
  })

  test('gets from write() what the stream gives, with every kind of argument', async () => {
    const terminal = new Terminal()
    const { run } = await begin(terminal)
    const done = vi.fn()
    // The block is taken away, and this stream is full after every second call.
    const full = (terminal.writes + 2) % 2 !== 0
    expect(terminal.write('68690a', 'hex', done)).toBe(!full)
    expect(done).toHaveBeenCalledTimes(1)
    terminal.write(Buffer.from('bytes\n'), done)
    expect(done).toHaveBeenCalledTimes(2)
    await turn()
    terminal.write('')
    expect(rowsOf(terminal)).toEqual(['hi', 'bytes', ...block])
    await end(run)
  })

  test('gets the errors that write() throws', async () => {
    class Broken extends Terminal {
      override write(...args: Parameters<Terminal['write']>): boolean {
        if (args[0] === 'bad\n') throw new TypeError('no')
        return super.write(...args)
      }
    }
    const terminal = new Broken()
    const { run } = await begin(terminal)
    expect(() => terminal.write('bad\n')).toThrow('no')
    terminal.write('good\n')
    await turn()
    expect(rowsOf(terminal)).toEqual(['good', ...block])
    await end(run)
  })

  test('finds write() as it was when it is over', async () => {
    const terminal = new Terminal()
    const own = new Terminal()
    const ownWrite = own.write.bind(own)
    own.write = ownWrite
    for (const each of [terminal, own]) {
      const { run, shown } = await begin(each)
      expect(Object.hasOwn(each, 'write')).toBe(true)
      shown.stop()
      await end(run)
      time.restore()
    }
    expect(Object.hasOwn(terminal, 'write')).toBe(false)
    expect(own.write).toBe(ownWrite)
  })

  test('may put a write() of its own on top, and take it away when it likes', async () => {
    const terminal = new Terminal()
    const { run, shown } = await begin(terminal)
    const inner = terminal.write.bind(terminal)
    const onTop = vi.fn(inner)
    const held = terminal.write
    terminal.write = onTop
    terminal.write('through both\n')
    shown.stop()
    expect(terminal.write).toBe(onTop)
    expect(rowsOf(terminal)).toEqual(['through both', ...block])
    terminal.write('later\n')
    // His on top again, ours below, and then his is gone.
    const again = progress(run, { stream: terminal })
    terminal.write('third\n')
    again.stop()
    expect(terminal.write).toBe(onTop)
    terminal.write = held
    progress(run, { stream: terminal }).stop()
    expect(Object.hasOwn(terminal, 'write')).toBe(false)
    expect(rowsOf(terminal).filter((row) => /^[a-z]+( both)?$/.test(row))).toEqual([
      'through both',
      'later',
      'third',
    ])
    await end(run)
  })
})

describe('several progress() at a time', () => {
  test('share the block, and each leaves its last picture above it', async () => {
    start()
    const terminal = new Terminal(60, 30)
    const [one, two] = [slowRun('one'), slowRun('two')]
    progress(one, { stream: terminal })
    progress(two, { stream: terminal })
    await time.advance(250)
    const heads = () => rowsOf(terminal).filter((row) => !/^(source|fetch|drain)/.test(row))
    terminal.write('text\n')
    await turn()
    expect(heads()).toEqual(['text', 'one 0.3 s', 'two 0.3 s'])
    expect(rowsOf(terminal)).toHaveLength(9)
    await end(one)
    terminal.write('more\n')
    await turn()
    expect(heads()).toEqual(['text', 'one aborted after 0.3 s: The run was aborted', 'more', 'two 0.3 s'])
    await time.advance(250)
    expect(heads().at(-1)).toBe('two 0.5 s')
    expect(Object.hasOwn(terminal, 'write')).toBe(true)
    await end(two)
    expect(Object.hasOwn(terminal, 'write')).toBe(false)
    expect(rowsOf(terminal)).toHaveLength(10)
  })

  test('share the height', async () => {
    start()
    const terminal = new Terminal(60, 9)
    const stages = ['source', 'fetch', 'drain'].map((name) => statsOf(name))
    const runs = ['one', 'two'].map((name) => runOf(stages, undefined, name))
    const shown = runs.map((run) => progress(run, { stream: terminal }))
    await time.advance(125)
    expect(rowsOf(terminal).map((row) => row.replace(/ [\d.]+(\/s| s$).*/, ''))).toEqual([
      'one',
      'source',
      '… and 2 stages more',
      'two',
      'source',
      'fetch',
      'drain',
    ])
    for (const each of shown) each.stop()
  })

  test('are counted where there is no line for each', async () => {
    start()
    const terminal = new Terminal(60, 6)
    const runs = ['one', 'two', 'three', 'four', 'five', 'six'].map((name) =>
      runOf([statsOf('source')], undefined, name),
    )
    const shown = runs.map((run) => progress(run, { stream: terminal }))
    await time.advance(125)
    const names = () => rowsOf(terminal).map((row) => row.replace(/ +[\d.]+ s$/, ''))
    expect(names()).toEqual(['one', 'two', 'three', '… and 3 runs more'])
    shown[0].stop()
    await time.advance(125)
    expect(names().slice(-4)).toEqual(['two', 'three', 'four', '… and 2 runs more'])
    for (const each of shown) each.stop()
  })
})

describe('the size of the terminal of progress()', () => {
  test('may change: nothing of the program is lost, and the block is there once', async () => {
    start()
    const terminal = new Terminal(70, 20)
    const run = slowRun()
    progress(run, { stream: terminal })
    terminal.write(`${'word '.repeat(10)}\n`)
    await time.advance(125)
    for (const columns of [40, 12, 25, 70, 13]) {
      terminal.resize(columns)
      await time.advance(125)
      expect(terminal.unwrapped[0]).toBe('word '.repeat(10).trim())
      expect(terminal.unwrapped).toHaveLength(5)
      terminal.resize(columns, 12)
      terminal.write('')
    }
    await end(run)
  })

  test('may be low: the block is cut, and left out where there is no room', async () => {
    start()
    for (const [rows, lines] of [
      [6, 4],
      [5, 3],
      [4, 2],
      [3, 1],
      [2, 0],
      [1, 0],
    ]) {
      const terminal = new Terminal(60, rows)
      const run = slowRun()
      const shown = progress(run, { stream: terminal })
      await time.advance(250)
      expect(terminal.text).toHaveLength(lines)
      terminal.write('text\n')
      await time.advance(250)
      expect(rowsOf(terminal)[0]).toBe('text')
      expect(terminal.text).toHaveLength(lines + 1)
      shown.stop()
      expect(terminal.text).toHaveLength(Math.max(lines, 3) + 1)
      await end(run)
    }
  })

  test('may be unknown', async () => {
    start()
    for (const columns of [0, undefined]) {
      const terminal = new Terminal(80, 24)
      const stream = { isTTY: true, columns, rows: columns, write: terminal.write.bind(terminal) }
      const run = slowRun()
      const shown = progress(run, { stream })
      await time.advance(250)
      stream.write('text\n')
      shown.stop()
      expect(rowsOf(terminal)).toEqual([
        'text',
        'orders 0.3 s',
        'source 4/s 1 ░░░░░░░░░░',
        'fetch 4/s 1 ░░░░░░░░░░',
        'drain 4/s 1',
      ])
      await end(run)
    }
  })
})

describe('progress() without a terminal', () => {
  const plainStream = () => {
    const written: string[] = []
    return { written, isTTY: false, write: (text: string) => void written.push(text) }
  }

  test('writes a line every ten seconds and one at the end, without escape codes', async () => {
    start()
    const stream = plainStream()
    const { write } = stream
    const run = slowRun()
    progress(run, { stream })
    await time.advance(9_999)
    expect(stream.written).toEqual([])
    await time.advance(10_001)
    expect(stream.written.map(unmarked)).toEqual([
      'orders  10.0 s: source 3 (0.3/s); fetch 3 (0.3/s); drain 3 (0.3/s)\n',
      'orders  20.0 s: source 3 (0/s); fetch 3 (0/s); drain 3 (0/s)\n',
    ])
    expect(stream.write).toBe(write)
    await end(run)
    expect(stream.written.at(-1)).toMatch(/^orders {2}aborted after 20.0 s: The run was aborted: source 3 /)
    expect(stream.written).toHaveLength(3)
    expect(time.pending).toBe(0)
  })

  test('writes as often as `every` says, and with Infinity only at the end', async () => {
    start()
    const [often, once] = [plainStream(), plainStream()]
    const run = slowRun()
    progress(run, { stream: often, every: 500 })
    progress(run, { stream: once, every: Infinity })
    await time.advance(2_000)
    expect([often.written.length, once.written.length]).toEqual([4, 0])
    await end(run)
    expect([often.written.length, once.written.length]).toEqual([5, 1])
  })

  test.each([false, true])(
    'whose write() throws is told of once and let go of (a terminal: %s)',
    async (isTTY) => {
      start()
      const warned = vi.spyOn(process, 'emitWarning').mockReturnValue()
      let writes = 0
      const write = () => {
        if (writes++ > 1) throw new Error('unplugged\nfor ever')
      }
      const stream = { isTTY, write }
      const run = slowRun()
      const shown = [stream, stream].map((same) => progress(run, { stream: same, every: 125 }))
      await time.advance(1_000)
      await turn()
      const before = writes
      expect(stream.write).toBe(write)
      await time.advance(2_000)
      for (const each of shown) each.stop()
      await end(run)
      expect(writes).toBe(before)
      const message = 'Cannot show progress any more: unplugged'
      expect(warned.mock.calls).toEqual(Array(isTTY ? 1 : 2).fill([message, 'SluiceWarning']))
      expect(time.pending).toBe(0)
      warned.mockRestore()
    },
  )

  test('takes a terminal that knows no escape codes for none', async () => {
    start()
    vi.stubEnv('TERM', 'dumb')
    const terminal = new Terminal(200, 24)
    const run = slowRun()
    progress(run, { stream: terminal }).stop()
    expect(terminal.text).toEqual(['orders  0.0 s: source 0 (0/s); fetch 0 (0/s); drain 0 (0/s)'])
    await end(run)
  })

  test('tells of a dozen stages at most', async () => {
    start()
    const stream = plainStream()
    const maps = Array.from({ length: 30 }, () => map((n: number) => n))
    const run = pipeline(range(3), ...(maps as []), drain()).start()
    progress(run, { stream })
    await run.result
    expect(stream.written[0].split('; ').at(-1)).toBe('and 21 stages more\n')
  })
})

describe('the arguments of progress()', () => {
  test('are checked', async () => {
    const run = pipeline(range(3)).start()
    const stream = { write: () => true }
    const wrong = (options: unknown) => () => progress(run, options as ProgressOptions)
    expect(() => progress(pipeline(range(3)) as never)).toThrow(
      new TypeError('Cannot show progress: "run" must be what start() of a pipeline gives, got Object'),
    )
    expect(() => progress(undefined as never)).toThrow(TypeError)
    expect(wrong(null)).toThrow(new TypeError('Cannot show progress: "options" must be an object, got null'))
    for (const none of [[], Promise.resolve({})])
      expect(() => progressOf(run, none as never)).toThrow('"options" must be an object, got ')
    expect(wrong({ stream: {} })).toThrow(
      new TypeError('Cannot show progress: "stream" must be a stream with a write(), got Object'),
    )
    expect(wrong({ stream: null })).toThrow(TypeError)
    for (const name of ['every', 'redraw'])
      for (const value of [0, -1, NaN, '5', null])
        expect(wrong({ stream, [name]: value })).toThrow(
          new RangeError(
            `Cannot show progress: "${name}" must be a number of milliseconds >= 1, got ${typeof value === 'string' ? '"5"' : value}`,
          ),
        )
    for (const total of [-1, NaN, Infinity, '5', null]) expect(wrong({ stream, total })).toThrow(RangeError)
    await run.result
  })
})

describe('progress() and the process', () => {
  test('does not keep values from channels or hold what is over', async () => {
    start()
    const [tx, rx] = channel<number>(1)
    const terminal = new Terminal()
    const run = pipeline(source(rx), drain()).start()
    progress(run, { stream: terminal, redraw: 50 })
    for (let i = 0; i < 100; i++) await tx.send(i)
    tx.close()
    const before = process.listenerCount('exit')
    await run.result
    expect(process.listenerCount('exit')).toBe(before - 1)
    expect(time.pending).toBe(0)
    expect(rowsOf(terminal)[1]).toMatch(/^source [\d,]+\/s 100 /)
  })
})
