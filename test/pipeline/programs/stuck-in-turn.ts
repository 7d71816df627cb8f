/** A channel and a run that can never go on, and a second run whose error another one follows: each is told in its turn. */
import { channel, map, pipeline, range, source, stage } from 'sluice'

const never = () => new Promise<number>(() => {})
const [tx, rx] = channel<number>(1, { name: 'lonely' })
const told = (error: Error) => console.log(`${error.name}: ${error.message}`)

const mapped = pipeline(range(2), map(never, { name: 'stuck' }))
const own = pipeline(source([1]), stage('own', never as never))
await Promise.all([
  rx.recv().catch(told),
  mapped.run({ name: 'first' }).catch(told),
  own.run({ name: 'second' }).catch((error: Error) => {
    told(error)
    return mapped.run({ name: 'third' }).catch(told)
  }),
])
console.log('the end', tx.close())
