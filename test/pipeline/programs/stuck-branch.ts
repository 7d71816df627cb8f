/** A branch that waits for something which never comes holds up the whole diamond: the report names its stage. */
import { fanOut, map, pipeline, range, stage } from 'sluice'

const waiting = stage<number, number>('waiting room', async (rx) => {
  await rx.next()
  await new Promise(() => {})
})
const branches = { waiting, plain: map((n: number) => n, { name: 'plain branch' }) }
const diamond = pipeline(range(50), fanOut(branches), map(String))
try {
  console.log('result', await diamond.run({ capacity: 1, name: 'diamond' }))
} catch (error) {
  console.log(String(error))
}
