/** A run that hangs for good, with a watchdog that would look again in a day. */
import { forEach, pipeline, range } from 'sluice'

const day = 86_400_000
await pipeline(
  range(3),
  forEach(() => new Promise(() => {})),
).run({ stallAfter: day, name: 'watched' })
