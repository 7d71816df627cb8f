// Random programs over two channels, run against the real thing and against the sequential model of
// test/support/channel-model.ts. Compared are: every immediate result, the properties of every handle after every
// step, what was reported as undelivered, every settlement after a pause, and the order of settlement of the
// waits that one event released.
//
// A failure prints its seed and the shortest program that still fails; SLUICE_SEED=<seed> runs it again.
import { describe, expect, it } from 'vitest'
import type { Overflow } from '../support/channel-model.ts'
import { failureIn, type Kind, type Step, WEIGHTS } from '../support/channel-program.ts'
import { Random, seedOfRun } from '../support/random.ts'

const PROGRAMS = 600
const STEPS = 60

const KINDS = (Object.keys(WEIGHTS) as Kind[]).flatMap((kind) => Array<Kind>(WEIGHTS[kind]).fill(kind))

/** Leaves steps out for as long as the program still fails. */
async function shortest(steps: Step[], capacity: number, overflow: Overflow): Promise<Step[]> {
  let program = steps
  for (let size = Math.ceil(program.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
    for (let at = 0; at < program.length;) {
      const without = [...program.slice(0, at), ...program.slice(at + size)]
      if ((await failureIn(without, capacity, overflow)) === undefined) at += size
      else program = without
    }
  return program
}

function randomProgram(random: Random): Step[] {
  return Array.from({ length: 1 + random.below(STEPS) }, () => ({
    kind: KINDS[random.below(KINDS.length)],
    picks: Array.from({ length: 4 }, () => random.below(1 << 16)),
  }))
}

const SEED = seedOfRun()
const EVERY_OUTCOME = `
send: ok, send: threw reason n, send: SendError CLOSED n, send: SendError CLOSED n because cause n,
send: SendError TIMEOUT n, send: SendError FULL n, sendMany: ok, sendMany: threw reason n,
sendMany: SendError CLOSED n, sendMany: SendError CLOSED n because cause n, sendMany: SendError TIMEOUT n,
sendMany: SendError FULL n, recv: value n, recv: threw reason n, recv: threw cause n, recv: RecvError CLOSED,
recv: RecvError TIMEOUT, next: value n, next: done, next: threw cause n, recvMany: [n], recvMany: [n. n],
recvMany: [], recvMany: threw reason n, recvMany: threw cause n, recvMany: RecvError TIMEOUT, select: inn: n,
select: inn: done undefined, select: outn: undefined, select: outn: done n, select: threw reason n,
select: threw cause n, whenClosed: ok, waits in order`
  .trim()
  .split(/,\s/)
  .map((kind) => kind.replace('.', ','))

const SHAPES: [number, Overflow][] = [
  [0, 'block'],
  [1, 'block'],
  [2, 'block'],
  [3, 'block'],
  [Infinity, 'block'],
  [1, 'drop-oldest'],
  [2, 'drop-newest'],
  [0, 'fail'],
  [2, 'fail'],
]

describe('random programs', () => {
  it.each(SHAPES)(
    'do what the model does at capacity %s with overflow %s',
    async (capacity, overflow) => {
      const random = new Random(SEED)
      for (let i = 0; i < PROGRAMS; i++) {
        const program = randomProgram(random)
        if ((await failureIn(program, capacity, overflow)) === undefined) continue
        const failure = await failureIn(await shortest(program, capacity, overflow), capacity, overflow)
        const trace = failure?.trace.map((line) => `  ${line}`).join('\n')
        expect.fail(`${failure?.message}\nSLUICE_SEED=${SEED}, program ${i}:\n${trace}`)
      }
    },
    20_000,
  )

  it('reach every kind of outcome', async () => {
    const random = new Random(1)
    const seen = new Map<string, number>()
    for (const [capacity, overflow] of SHAPES)
      for (let i = 0; i < 40; i++) await failureIn(randomProgram(random), capacity, overflow, seen)
    for (const kind of EVERY_OUTCOME) expect(seen.get(kind) ?? 0, kind).toBeGreaterThan(4)
  })
})
