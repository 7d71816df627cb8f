// The job of recipes/log-aggregation.ts as a bare loop: no stages, no channels, one file after the other.
// Arguments: the files, `--out` and the output. As one would write it first, a line that is JSON is parsed and
// turned into text again; with `--splice` it is parsed, and its own text written with the fields added, as the
// recipe does: what the recipe takes beyond that is the price of the pipeline.

import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { parseArgs } from 'node:util'

const pieceSize = 65_536

const { positionals: files, values } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string', default: 'aggregated.jsonl' },
    splice: { type: 'boolean', default: false },
  },
})
const toRecord = values.splice ? splice : rewrite
const output = await open(values.out, 'w')
let piece = ''

function rewrite(line: string, source: string, arrived: string): string {
  const fields = line.startsWith('{') ? (JSON.parse(line) as object) : { message: line }
  return JSON.stringify({ ...fields, source, arrived })
}

function splice(line: string, source: string, arrived: string): string {
  const ours = `"source":${JSON.stringify(source)},"arrived":"${arrived}"}`
  if (!line.startsWith('{')) return `{"message":${JSON.stringify(line)},${ours}`
  const isEmpty = Object.keys(JSON.parse(line) as object).length === 0
  return isEmpty ? `{${ours}` : `${line.slice(0, line.lastIndexOf('}'))},${ours}`
}

for (const source of files) {
  let rest = ''
  for await (const chunk of createReadStream(source, { encoding: 'utf8', highWaterMark: pieceSize })) {
    const arrived = new Date().toISOString()
    const lines = (rest + (chunk as string)).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      piece += `${toRecord(line, source, arrived)}\n`
      if (piece.length < pieceSize) continue
      await output.write(piece)
      piece = ''
    }
  }
  if (rest !== '') piece += `${toRecord(rest, source, new Date().toISOString())}\n`
}
await output.write(piece)
await output.close()
