/**
 * A run that hangs while the program goes on, and one that moves in every fourth turn of an event loop that the program
 * keeps busy: so long that its values are farther apart than the watchdog waits.
 */
import { channel, drain, map, pipeline, range, source } from 'sluice'

const hangs = pipeline(
  range(3),
  map(() => new Promise(() => {})),
  drain(),
).start({ stallAfter: 50, name: 'hangs' })
const goesOn = setInterval(() => {}, 1_000)
await new Promise((resolve) => process.once('warning', resolve))
clearInterval(goesOn)
await Promise.all([hangs.result.catch(() => {}), hangs.abort()])

function spin(ms: number): void {
  const began = performance.now()
  while (performance.now() - began < ms);
}

// The program takes 150 ms of each turn of the event loop, and gives a value in every fourth.
const [tx, rx] = channel<number>(9)
let turns = 0
const blocking = setInterval(() => {
  spin(150)
  if (++turns % 4 === 0) tx.trySend(turns)
  if (turns === 8) tx.close()
}, 1)
await pipeline(source(rx), drain()).run({ stallAfter: 200, name: 'busy' })
clearInterval(blocking)
console.log('busy: through')
