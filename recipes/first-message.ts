// The first message: one sender, one receiver, one value.
//
// Two tasks that share a variable have to agree on who touches it when. Two tasks that share a channel
// only have to agree on what is said: one end speaks, the other listens, and waiting is built in.

import assert from 'node:assert/strict'
import { channel, type Sender } from 'sluice'

// A task is an async function that owns its end of the channel. `using` closes that end when the function
// is left, by whatever way: by its last line, by `return` or by an exception.
async function greet(tx: Sender<string>) {
  using out = tx
  await out.send('hello from another task')
}

// The number is how many values may lie in the channel untaken. It has no default: how much may pile up
// is a decision, and here is the place where it is made.
const [tx, rx] = channel<string>(1)

// No `await` yet: from here on the task runs on its own, beside this program.
const greeting = greet(tx)

// Waits until there is something. Whether the sender or the receiver comes first makes no difference.
const message = await rx.recv()

// A task that failed says so here. One that nobody awaits fails unseen.
await greeting

console.log(`received: ${message}`)
assert.equal(message, 'hello from another task')
