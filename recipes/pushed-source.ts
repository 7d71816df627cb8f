// A source that pushes: an event emitter does not wait, so somebody has to say what becomes of too much.
//
// A bounded channel between the emitter and the pipeline is that place. Its `overflow` says what is dropped
// where the pipeline is slower than the emitter, or that this is a failure. Where the other side can be
// paused, nothing need be lost. Either way the channel tells when nobody reads any more, whyever that is:
// then the listeners come off.

import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { channel, pipeline, source, type StageError, take } from 'sluice'

function readings(sensor: EventEmitter, overflow: 'drop-oldest' | 'drop-newest' | 'fail') {
  const listen = () => {
    const [tx, rx] = channel<number>(3, { name: 'readings', overflow })
    const listeners = {
      // Only a channel that drops nothing is ever full.
      data: (value: number) => {
        if (tx.trySend(value) === 'full') tx.fail(new Error('the pipeline is too slow'))
      },
      end: () => tx.close(), // What is in the channel is still read.
      error: (error: unknown) => tx.fail(error),
    }
    for (const [event, listener] of Object.entries(listeners)) sensor.on(event, listener)
    void tx.whenClosed().then(() => {
      for (const [event, listener] of Object.entries(listeners)) sensor.off(event, listener)
    })
    return rx
  }
  return source(listen, { name: 'readings' }) // Called once per run, so each run listens for itself.
}

// Eight readings at once. One goes straight to the pipeline, which waits for it; three fit into the channel.
function burst(sensor: EventEmitter) {
  for (let value = 1; value <= 8; value++) sensor.emit('data', value)
  sensor.emit('end')
}

for (const overflow of ['drop-oldest', 'drop-newest', 'fail'] as const) {
  const sensor = new EventEmitter()
  const run = pipeline(readings(sensor, overflow)).run()
  // On a busy machine, timers may come before the first turn of the run.
  while (sensor.listenerCount('data') === 0) await sleep(1)
  burst(sensor)
  const result = await run.catch((error: StageError) => error.message)
  console.log(`${overflow}: ${String(result)}`)
  assert.deepEqual(
    result,
    {
      'drop-oldest': [1, 6, 7, 8],
      'drop-newest': [1, 2, 3, 4],
      fail: 'Stage "readings" failed: the pipeline is too slow',
    }[overflow],
  )
  assert.deepEqual(sensor.eventNames(), [])
}

// Something that can be paused, like a socket. Room is asked for by `send`, which waits.
class Feed {
  paused = false
  next = 1
  onData: ((value: number) => void) | undefined

  resume() {
    this.paused = false
    while (!this.paused && this.onData) this.onData(this.next++)
  }
}

const feed = new Feed()
const patient = source<number>(() => {
  const [tx, rx] = channel<number>(3, { name: 'feed' })
  feed.onData = (value) => {
    if (tx.trySend(value) === 'sent') return
    feed.paused = true
    tx.send(value).then(
      () => feed.resume(),
      () => {}, // Nobody reads any more: see below.
    )
  }
  void tx.whenClosed().then(() => (feed.onData = undefined))
  return rx
})

const run = pipeline(patient, take(100)).run({ capacity: 1 })
while (feed.onData === undefined) await sleep(1)
feed.resume()
const first = await run
console.log(`pause and resume: ${first.length} of ${first.at(-1)}, none lost`)
assert.equal(first.at(-1), 100)
assert.equal(feed.onData, undefined) // `take` has had enough, so the feed was let go.
