// What the engine does in its innermost lines, beside the variants that were tried and rejected. No library runs here:
// a row is a few lines, so that it shows one difference and nothing else.

import type { Job, Scenario } from '../scenario.ts'
import { addOne, isEven } from './cheap-functions.ts'

const CHUNK = 256

type Fn = (value: number, index: number, context: object) => unknown
interface Chunk {
  items: unknown[]
  end: number
}

function special(result: unknown): boolean {
  return (
    typeof result === 'object' && result !== null && typeof (result as { then?: unknown }).then === 'function'
  )
}
const context = {}

/** Fills chunk after chunk, lets `work` go over each, and counts what is left. */
function overChunks(work: (chunk: Chunk, offset: number) => void): Job {
  return (values) => {
    const chunk: Chunk = { items: [...new Array<unknown>(CHUNK)], end: 0 }
    let left = 0
    for (let offset = 0; offset < values; offset += CHUNK) {
      chunk.end = Math.min(CHUNK, values - offset)
      for (let i = 0; i < chunk.end; i++) chunk.items[i] = offset + i
      work(chunk, offset)
      left += chunk.end
    }
    return left
  }
}

function mapByOne(chunk: Chunk, fn: Fn, offset: number): void {
  const { items } = chunk
  for (let at = 0; at < chunk.end; at++) {
    const result = fn(items[at] as number, offset + at, context)
    if (typeof result === 'object' && special(result)) return
    items[at] = result
  }
}

function filterByOne(chunk: Chunk, fn: Fn, offset: number): void {
  const { items } = chunk
  let count = 0
  for (let at = 0; at < chunk.end; at++) {
    const value = items[at]
    const result = fn(value as number, offset + at, context)
    if (typeof result === 'object' && special(result)) return
    if (result) items[count++] = value
  }
  chunk.end = count
}

function mapWithCalls(chunk: Chunk, fn: Fn, offset: number): void {
  const { items } = chunk
  for (let at = 0; at < chunk.end; at++) {
    const result = fn(items[at] as number, offset + at, context)
    if (special(result)) return
    items[at] = result
  }
}

function filterWithCalls(chunk: Chunk, fn: Fn, offset: number): void {
  const { items } = chunk
  let count = 0
  for (let at = 0; at < chunk.end; at++) {
    const value = items[at]
    const result = fn(value as number, offset + at, context)
    if (special(result)) return
    if (result) items[count++] = value
  }
  chunk.end = count
}

function mapByFour(chunk: Chunk, fn: Fn, offset: number): void {
  const { items } = chunk
  let at = 0
  let result
  while (at + 3 < chunk.end) {
    result = fn(items[at] as number, offset + at, context)
    if (typeof result === 'object' && special(result)) return
    items[at++] = result
    result = fn(items[at] as number, offset + at, context)
    if (typeof result === 'object' && special(result)) return
    items[at++] = result
    result = fn(items[at] as number, offset + at, context)
    if (typeof result === 'object' && special(result)) return
    items[at++] = result
    result = fn(items[at] as number, offset + at, context)
    if (typeof result === 'object' && special(result)) return
    items[at++] = result
  }
  for (; at < chunk.end; at++) items[at] = fn(items[at] as number, offset + at, context)
}

function filterByFour(chunk: Chunk, fn: Fn, offset: number): void {
  const { items } = chunk
  let at = 0
  let count = 0
  let value
  let result
  while (at + 3 < chunk.end) {
    value = items[at]
    result = fn(value as number, offset + at++, context)
    if (typeof result === 'object' && special(result)) return
    if (result) items[count++] = value
    value = items[at]
    result = fn(value as number, offset + at++, context)
    if (typeof result === 'object' && special(result)) return
    if (result) items[count++] = value
    value = items[at]
    result = fn(value as number, offset + at++, context)
    if (typeof result === 'object' && special(result)) return
    if (result) items[count++] = value
    value = items[at]
    result = fn(value as number, offset + at++, context)
    if (typeof result === 'object' && special(result)) return
    if (result) items[count++] = value
  }
  for (; at < chunk.end; at++) {
    value = items[at]
    if (fn(value as number, offset + at, context)) items[count++] = value
  }
  chunk.end = count
}

/** Functions that other stages of the same program have. */
const others: Fn[] = [(n) => n - 1, (n) => n * 3, (n) => n + 7, (n) => n | 1, (n) => ~n]

export const loops: Scenario = {
  name: 'rejected-loops',
  claim: 'a map and a filter over chunks, in the ways that were tried for the innermost loop',
  values: 1_000_000,
  expected: (values) => Math.floor(values / 2),
  rivals: {
    // The engine has eight: 0.1 to 0.2 ns less for each call.
    'four values a round, typeof inline': async () =>
      overChunks((chunk, offset) => {
        mapByFour(chunk, addOne, offset)
        filterByFour(chunk, isEven, offset)
      }),
    'one value a round': async () =>
      overChunks((chunk, offset) => {
        mapByOne(chunk, addOne, offset)
        filterByOne(chunk, isEven, offset)
      }),
    'one value a round, a call to look at it': async () =>
      overChunks((chunk, offset) => {
        mapWithCalls(chunk, addOne, offset)
        filterWithCalls(chunk, isEven, offset)
      }),
    'one loop for the functions of all stages': async () => {
      const scratch: Chunk = { items: [1, 2, 3, 4, 5, 6, 7, 8], end: 8 }
      for (let i = 0; i < 20_000; i++) for (const fn of others) mapByFour(scratch, fn, 0)
      for (let i = 0; i < 20_000; i++) for (const fn of others) filterByFour({ ...scratch, end: 8 }, fn, 0)
      return overChunks((chunk, offset) => {
        mapByFour(chunk, addOne, offset)
        filterByFour(chunk, isEven, offset)
      })
    },
  },
}

const HOPS = 4

/** A channel as a ring: a value at a time in and out. */
class Ring {
  items = [...new Array<unknown>(CHUNK)]
  head = 0
  tail = 0
}

/** Hands `values` numbers through `HOPS` channels, a chunk after the other; counts what comes out. */
function through(hop: (from: Ring, to: Ring) => void): Job {
  return (values) => {
    const rings = Array.from({ length: HOPS + 1 }, () => new Ring())
    const [first] = rings
    const last = rings[HOPS]
    let came = 0
    for (let sent = 0; sent < values;) {
      const many = Math.min(CHUNK, values - sent)
      for (let i = 0; i < many; i++) first.items[first.tail++ & (CHUNK - 1)] = sent++
      for (let i = 0; i < HOPS; i++) hop(rings[i], rings[i + 1])
      came += last.tail - last.head
      first.head = first.tail = last.head = last.tail = 0
    }
    return came
  }
}

export const hops: Scenario = {
  name: 'rejected-hops',
  claim: `numbers through ${HOPS} channels of ${CHUNK}, in the ways that were tried for handing them on`,
  values: 1_000_000,
  expected: (values) => values,
  rivals: {
    'two channels exchange their arrays': async () =>
      through((from, to) => {
        ;[from.items, to.items] = [to.items, from.items]
        to.head = from.head
        to.tail = from.tail
        from.head = from.tail = 0
      }),
    'each value copied, its old place cleared': async () =>
      through((from, to) => {
        const { items } = from
        for (let at = from.head; at < from.tail; at++) {
          to.items[to.tail++] = items[at]
          items[at] = undefined
        }
        from.head = from.tail = 0
      }),
    'a ring, value by value': async () =>
      through((from, to) => {
        while (from.head < from.tail && to.tail - to.head < CHUNK) {
          to.items[to.tail++ & (CHUNK - 1)] = from.items[from.head & (CHUNK - 1)]
          from.items[from.head++ & (CHUNK - 1)] = undefined
        }
        from.head = from.tail = 0
      }),
    'a promise for each value': async () => async (values) => {
      const pass = async (value: number) => value
      let came = 0
      for (let i = 0; i < values; i++) {
        let value = i
        for (let hop = 0; hop < HOPS; hop++) value = await pass(value)
        came++
      }
      return came
    },
  },
}
