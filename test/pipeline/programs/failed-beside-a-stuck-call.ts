/** One call fails beside one that never settles: what hangs is not all there is to tell. */
import { DeadlockError, map, pipeline, range, StageError } from 'sluice'

const stuckOrFailed = map((n: number) => (n === 0 ? new Promise(() => {}) : Promise.reject(Error('boom'))), {
  concurrency: 2,
})
try {
  await pipeline(range(2), stuckOrFailed).run()
} catch (error) {
  if (!(error instanceof DeadlockError && error.cause instanceof StageError)) throw error
  console.log(error.cause.message)
}
