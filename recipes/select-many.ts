// Select: wait on many channels, act on the first that has something.
//
// Exactly one case happens. The others leave no trace: what they would have received is still there, and
// what they would have sent is still ours. The result says which it was by `key`, and the compiler knows
// from the key what `value` is.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, channel, never, type Receiver, select, type Sender } from 'sluice'

async function speak<T>(tx: Sender<T>, values: T[], everyMs: number) {
  using out = tx
  for (const value of values) {
    await sleep(everyMs)
    await out.send(value)
  }
}

/** Writes down what both say, until told to stop or until both have been silent for too long. */
async function listen(words: Receiver<string>, numbers: Receiver<number>, stop: Receiver<never>) {
  const heard: (string | number)[] = []
  for (;;) {
    // A timeout is a channel like any other. This one is new in each round, so it measures silence; made
    // once, before the loop, it would be a deadline for all of it.
    const event = await select({ words, numbers, stop, silence: after(200) })

    switch (event.key) {
      case 'words':
        // An ended channel is always ready, and the loop would spin on it. never() never is.
        if (event.done) words = never()
        else heard.push(event.value.toUpperCase())
        break
      case 'numbers':
        if (event.done) numbers = never()
        else heard.push(event.value * 10)
        break
      case 'stop':
      case 'silence':
        return { heard, because: event.key }
    }
  }
}

async function converse({ stops }: { stops: boolean }) {
  const [wordsIn, words] = channel<string>(1)
  const [numbersIn, numbers] = channel<number>(1)
  // The done channel. No value goes through it: closing it is the message, and a closed channel is ready
  // for everybody who listens, however many clones there are.
  const [stopper, stop] = channel<never>(0)

  const speaking = Promise.all([speak(wordsIn, ['a', 'b', 'c'], 20), speak(numbersIn, [1, 2], 30)])
  if (stops) void speaking.then(() => stopper.close())
  const { heard, because } = await listen(words, numbers, stop)
  await speaking

  console.log(`heard ${heard.join(' ')}; ended by ${because}`)
  assert.deepEqual(new Set(heard), new Set(['A', 'B', 'C', 10, 20]))
  return because
}

assert.equal(await converse({ stops: true }), 'stop')
assert.equal(await converse({ stops: false }), 'silence')
