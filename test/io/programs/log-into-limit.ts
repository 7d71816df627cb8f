// Appends 2,000 lines to a file that may not get so long, and says how that goes. Arguments: the file, `whenFull`.
import { pipeline, source, type StageError } from 'sluice'
import { appendLog } from 'sluice/io'
import { numbered } from '../support-log.ts'

const [file, whenFull] = process.argv.slice(2)
const sink = appendLog(file, { whenFull: whenFull as 'wait' | 'fail', retry: 5 })
process.on('warning', ({ message }) =>
  console.log(message.startsWith('Waiting for room') ? 'waits' : message),
)
try {
  const { lines } = await pipeline(source(numbered(2000)), sink).run()
  console.log(`${lines} lines`)
} catch (error) {
  console.log(`failed with ${((error as StageError).cause as NodeJS.ErrnoException).code}`)
}
