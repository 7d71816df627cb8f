/** Starts a run that fails and looks away. */
import { drain, map, pipeline, range } from 'sluice'

pipeline(
  range(3),
  map(() => Promise.reject(new Error('nobody looks'))),
  drain(),
).start()

setTimeout(() => console.log('still here'), 2_000)
