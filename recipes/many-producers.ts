// Many producers: one clone of the sender for each of them.
//
// Clones speak into the same channel. It ends when the last of them is closed, so nobody has to know how
// many producers there are or which of them will be the last to finish.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { channel, type Sender } from 'sluice'

interface Reading {
  sensor: string
  value: number
}

async function measure(sensor: string, everyMs: number, tx: Sender<Reading>) {
  using out = tx
  for (const value of [1, 2, 3]) {
    await sleep(everyMs)
    await out.send({ sensor, value })
  }
}

const [tx, rx] = channel<Reading>(4)

const sensors = [
  measure('door', 5, tx.clone()),
  measure('window', 7, tx.clone()),
  measure('roof', 11, tx.clone()),
]
// The original is a sender as well. While it is open, the channel has to assume that somebody may still
// speak. What becomes of a program that forgets this line is in forgotten-sender.ts.
tx.close()

const readings: Reading[] = []
for await (const reading of rx) {
  console.log(`${reading.sensor} ${reading.value}`)
  readings.push(reading)
}
await Promise.all(sensors)

// How the producers mix is anybody's guess; what each of them sent comes in the order it was sent.
for (const sensor of ['door', 'window', 'roof']) {
  const values = readings.filter((reading) => reading.sensor === sensor).map((reading) => reading.value)
  assert.deepEqual(values, [1, 2, 3])
}
console.log(`${readings.length} readings from ${sensors.length} sensors`)
