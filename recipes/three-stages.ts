// A pipeline in three stages: numbers, their squares, all of them in an array. By hand, then by name.
//
// Every stage is a task, every joint a channel. All three work at the same time, each at its own pace and
// none further ahead of its neighbour than the channel between them has room for.

import assert from 'node:assert/strict'
import { channel, map, pipeline, range, type Receiver, type Sender, toArray } from 'sluice'

async function numbers(tx: Sender<number>) {
  using out = tx
  for (let n = 1; n <= 5; n++) await out.send(n)
}

// Reads one channel, writes the next. The end passes through it: its input ends, so its loop ends, so its
// output is closed. Leaving early passes through it the other way: if nobody reads the squares any more,
// `send` throws, the loop is left and its receiver closed, and so the numbers stop as well.
async function square(rx: Receiver<number>, tx: Sender<number>) {
  using out = tx
  for await (const n of rx) await out.send(n * n)
}

async function collect(rx: Receiver<number>) {
  const all: number[] = []
  for await (const n of rx) all.push(n)
  return all
}

async function byHand() {
  const [numbersIn, numbersOut] = channel<number>(2)
  const [squaresIn, squaresOut] = channel<number>(2)
  const [, , squares] = await Promise.all([
    numbers(numbersIn),
    square(numbersOut, squaresIn),
    collect(squaresOut),
  ])
  return squares
}

// The same thing said, not built. The tasks, the channels, the closing, and what has to happen when a stage
// fails (which the version by hand leaves out) come with pipeline().
const byName = pipeline(
  range(1, 6),
  map((n) => n * n, { name: 'square' }),
  toArray(),
)

const squares = await byHand()
console.log(`by hand:   ${squares.join(' ')}`)
console.log(`pipeline:  ${(await byName.run({ capacity: 2 })).join(' ')}`)

assert.deepEqual(squares, [1, 4, 9, 16, 25])
assert.deepEqual(await byName.run(), squares) // A description can run as often as one likes.
