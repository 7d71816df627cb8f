/** A run that waits for a daemon channel to the end of the program: that is no deadlock, and its watchdog holds nothing. */
import { channel, forEach, pipeline, source } from 'sluice'

const [tx, rx] = channel<string>(4, { daemon: true })
void pipeline(
  source(rx),
  forEach((text) => console.log(text)),
).run({ stallAfter: 1 })
await tx.send('through')
// Held to the end: a sender that is collected closes its channel, and a warning tells of it.
process.on('exit', () => tx.close())
