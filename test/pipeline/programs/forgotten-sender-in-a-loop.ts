/** Loops over what two inputs give, one of which never ends, as its sender is never closed. */
import { channel, fanIn, map, pipeline } from 'sluice'

const [tx, rx] = channel<number>(4, { name: 'orders' })
tx.trySend(1)
const both = pipeline(
  fanIn(rx, [2]),
  map((n) => `got ${n}`),
)
for await (const text of both) console.log(text)
console.log('end', tx.length)
