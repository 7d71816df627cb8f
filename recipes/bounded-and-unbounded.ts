// Bounded and unbounded: what a producer does that is faster than its consumer.
//
// With a bound it waits: that is backpressure, and memory stays where it is. Without one it never waits,
// and everything the consumer has not come round to lies in memory. It works in every test, and then one
// day the consumer is slow for longer than the memory lasts.

import assert from 'node:assert/strict'
import { setImmediate as breathe } from 'node:timers/promises'
import { channel, type Sender } from 'sluice'

const total = 2_000

/** Sends as fast as it may. Gives the largest number of values that ever lay in the channel. */
async function produce(tx: Sender<number>) {
  using out = tx
  let peak = 0
  for (let n = 0; n < total; n++) {
    await out.send(n)
    peak = Math.max(peak, out.length)
  }
  return peak
}

async function peakAt(capacity: number) {
  const [tx, rx] = channel<number>(capacity)
  const producing = produce(tx)

  let received = 0
  for await (const _value of rx) {
    received++
    await breathe() // The slow side: one value per turn of the event loop.
  }
  assert.equal(received, total) // Neither loses anything; they differ in what they cost.

  const peak = await producing
  console.log(`capacity ${String(capacity).padEnd(8)}  at most ${peak} values lay in the channel`)
  return peak
}

assert.equal(await peakAt(8), 8)
assert.equal(await peakAt(0), 0) // A rendezvous: hand to hand, nothing ever lies in the channel.

const unbounded = await peakAt(Infinity)
assert.ok(unbounded > total / 2, 'nearly everything piles up before the consumer gets its turn')

// Where waiting is wrong and piling up as well, say which values may go: `overflow: 'drop-oldest'`,
// 'drop-newest' or 'fail' in the options of channel().
console.log('same values, same order: only the bound differs')
