/** Reads from a channel whose sender nobody closes: the program can never go on. */
import { channel, map, pipeline, source, toArray } from 'sluice'

const [tx, rx] = channel<number>(4, { name: 'orders' })
tx.trySend(1)
const result = await pipeline(source(rx), map(String), toArray()).run()
console.log('result', result, tx.length)
