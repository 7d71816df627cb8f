/** A stage that runs a pipeline over its input waits in vain, for a channel whose sender nobody closes. */
import { channel, drain, pipeline, source, stage } from 'sluice'

const [tx, rx] = channel<number>(0, { name: 'forgotten' })
const nested = stage<number, never>('nested', async (input) => {
  await pipeline(source(input), drain()).run({ name: 'inner' })
})
await pipeline(source(rx), nested, drain())
  .run({ name: 'outer' })
  .catch((error: Error) => console.log(error.message))
tx.close()
