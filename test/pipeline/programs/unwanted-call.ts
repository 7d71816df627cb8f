/** A call that never settles, whose result nobody wants any more: that is no deadlock. */
import { map, pipeline, range, take } from 'sluice'

const numbers = pipeline(
  range(5),
  map((n) => (n > 0 ? new Promise<number>(() => {}) : n), { concurrency: 2 }),
  take(1),
)
console.log('result', await numbers.run())
