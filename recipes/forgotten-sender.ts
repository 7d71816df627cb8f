// A forgotten sender: this program is wrong, and is told so. It exits with code 1.
//
// many-producers.ts without its `tx.close()`. Both producers finish and close their clones, but the
// original stays open, so the loop waits for a value that nobody is left to send. Most programs that wait
// for ever on a promise simply stop, with exit code 0 and nothing said. Here, as soon as nothing is left
// that could wake anybody, the loop is rejected with a DeadlockError: it names the channel, says who waits
// and for what, and where each sender that is still open was made. README.md shows it in full.

import { channel, type Sender } from 'sluice'

async function count(from: number, tx: Sender<number>) {
  using out = tx
  await out.sendMany([from, from + 1, from + 2])
}

// A name costs nothing, and the report is easier to read with it.
const [tx, rx] = channel<number>(4, { name: 'numbers' })

const counting = Promise.all([count(1, tx.clone()), count(100, tx.clone())])
// Forgotten: tx.close()

for await (const n of rx) console.log(n)
await counting

console.log('never printed')
