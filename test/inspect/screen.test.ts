/** The screen that progress() shares with the program, in any order of events, and how wide texts are on it. */
import { afterEach, describe, expect, test } from 'vitest'
import { drain, pipeline, source } from 'sluice'
import { progress } from 'sluice/inspect'
import { hang, script, virtualTime, type VirtualTime } from 'sluice/testing'
import { cellsOf, cut, pad, plain, widthOf } from '../../src/inspect/progress/width.ts'
import { Random, seedOfRun } from '../support/random.ts'
import { cellsOf as cellsInNode, Terminal } from './terminal.ts'

let time: VirtualTime | undefined
afterEach(() => time?.restore())

const words = ['a', 'word ', '日本', 'é', '👍', 'x'.repeat(19), 'long '.repeat(12), '0123456789', '\t', '']
const breaks = [
  '\n',
  '\n',
  '\r\n',
  '\r',
  '\n\n',
  '\u001B[31m',
  '\u001B[32m',
  '\u001B[39m',
  '\u001B[0m',
  '\b',
  '\r\u001B[K',
  '\u001B[1G',
  '\u001B[3C',
  '\u001B[2D',
]

/** What a program may write, as a text or in bytes, whole or in pieces. */
function writings(random: Random): (string | Uint8Array)[] {
  const text = Array.from({ length: 12 }, () => {
    const from = random.below(2) ? words : breaks
    return from[random.below(from.length)]
  }).join('')
  const bytes = new TextEncoder().encode(text)
  switch (random.below(3)) {
    case 0:
      return [text]
    case 1:
      return [...text]
    default: {
      const at = random.below(bytes.length + 1)
      return [bytes.subarray(0, at), bytes.subarray(at)]
    }
  }
}

describe('what a program writes while progress is shown', () => {
  test('looks as if nothing had been shown, in any order of events', async () => {
    time = virtualTime()
    const seed = seedOfRun()
    for (let round = 0; round < 150; round++) {
      const random = new Random(seed + round)
      const columns = 5 + random.below(40)
      const rows = 3 + random.below(15)
      const [alone, shared] = [new Terminal(columns, rows), new Terminal(columns, rows)]
      const run = pipeline(source(script([1, hang()])), drain()).start({ name: 'RUN' })
      const shown = progress(run, { stream: shared, redraw: 125 })
      for (let i = 0; i < 8; i++) {
        for (const chunk of writings(random)) {
          alone.write(chunk)
          shared.write(chunk)
          if (random.below(3) === 0) await new Promise(setImmediate)
        }
        if (random.below(3) === 0) await time.advance(125)
      }
      alone.write('\u001B[0m')
      shared.write('\u001B[0m')
      shown.stop()
      run.result.catch(() => {})
      await run.abort()
      const text = shared.text
      const head = text.findLastIndex((row) => /^(R|RU|RUN)\b|^R…/.test(row))
      const before = text.slice(0, head)
      while (before.at(-1) === '') before.pop()
      expect(before, `seed ${seed + round}`).toEqual(alone.text)
      expect(shared.coloured, `seed ${seed + round}`).toEqual(expect.arrayContaining(alone.coloured))
    }
  })
})

describe('the width of a text', () => {
  test('is that which Node gives it, for every character, or a cell more', () => {
    /** Node takes these apart first, or counts half a flag as a whole one. */
    const excepted = /[\p{Regional_Indicator}\p{M}\u{1D15E}-\u{1D1C0}]/u
    const wrong: string[] = []
    for (let code = 32; code < 0x110000; code++) {
      const char = String.fromCodePoint(code)
      if (/\p{Cs}/u.test(char) || excepted.test(char)) continue
      const [ours, node] = [cellsOf(char), cellsInNode(char)]
      // Blocks are wide as a whole, so that what Unicode adds is.
      const isMore = ours > node && !/[\p{Cn}\u3248-\u324F]/u.test(char)
      if (ours < node || isMore) wrong.push(`${code.toString(16)}: ${ours}, not ${node}`)
    }
    expect(wrong).toEqual([])
  }, 30_000)

  test('is the sum of its characters, of which marks take none', () => {
    expect(['', 'abc', '日本', 'e\u0301', '🇩🇪', '👍', 'ｆ'].map(widthOf)).toEqual([0, 3, 4, 1, 2, 2, 2])
  })

  test('is kept by pad() and cut()', () => {
    expect(['abcdef', '日本語', ''].map((text) => pad(text, 4))).toEqual(['abc…', '日… ', '    '])
    expect([0, 1, 2, 3].map((width) => cut('日本', width))).toEqual(['', '…', '…', '日…'])
    expect(cut('日本', 4)).toBe('日本')
  })

  test('is the same on every terminal for names, of which plain() leaves what has one', () => {
    expect(plain('👨‍👩‍👧 👍🏽 ❤️')).toBe('👨👩👧 👍 ❤')
    expect(plain('a\u0000\n\u001B\u007F\u0085\u2028\uD800z')).toBe('a␀␊␛␡???z')
  })
})
