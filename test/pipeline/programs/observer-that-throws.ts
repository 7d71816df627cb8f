/** Observers that throw at each event: their errors are their own, the run knows nothing of them. */
import { subscribe } from 'node:diagnostics_channel'
import { pipeline, range, toArray } from 'sluice'

process.on('uncaughtException', (error) => console.log('uncaught', error.message))
for (const event of ['run:start', 'run:end', 'stage:start', 'stage:end', 'stage:failure'])
  subscribe(`sluice:${event}`, () => {
    throw new Error(`at ${event}`)
  })
console.log('result', String(await pipeline(range(3), toArray()).run()))
