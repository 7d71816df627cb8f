// Many values: the receiver is a loop, and the loop ends when the sender closes.
//
// No "that was all" message, no count sent ahead, no flag beside the channel: closing the sender is the
// end of the conversation, and what was sent before it still arrives.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { channel, type Sender } from 'sluice'

const words = ['messages', 'arrive', 'one', 'by', 'one']

async function dictate(tx: Sender<string>) {
  using out = tx
  for (const word of words) {
    console.log(`sending   ${word}`)
    // Waits while the channel is full, so a fast speaker goes at the pace of a slow listener.
    await out.send(word)
    await sleep(10)
  }
} // Closed here, and that is what ends the loop below.

const [tx, rx] = channel<string>(2)
const dictating = dictate(tx)

const heard: string[] = []
for await (const word of rx) {
  console.log(`received  ${word}`)
  heard.push(word)
}
await dictating
assert.deepEqual(heard, words)

// Whoever has the values at hand needs no loop to send them: sendMany takes any iterable, async ones too,
// and waits as often as it has to (ten words, room for two).
async function dictateTwice(tx: Sender<string>) {
  using out = tx
  await out.sendMany([...words, ...words])
}

const [again, ear] = channel<string>(2)
const repeating = dictateTwice(again)
let count = 0
for await (const _word of ear) count++
await repeating

console.log(`the loops ended after ${heard.length} and ${count} words`)
assert.equal(count, 2 * words.length)
