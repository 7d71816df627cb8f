/** Waits for a call that never settles: the program can never go on. */
import { map, pipeline, range, toArray } from 'sluice'

const result = await pipeline(
  range(3),
  map(() => new Promise<number>(() => {})),
  toArray(),
).run()
console.log('result', result)
