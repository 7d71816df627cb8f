// A line becomes a record: one line of JSON with its source and the time of its arrival.
//
// A JSON line is parsed to see that it is an object, and what its level is. What is written is its own text with our
// fields added at the end: so its numbers keep all their digits, and nothing is turned into text a second time.

import { type Lines } from './inputs.ts'
import { rankOfField, rankOfText } from './levels.ts'

type Fields = Record<string, unknown>

const carriageReturn = 0x0d

/** The records of a chunk, without lines that are empty or below `least`, a rank. */
export function toRecords({ lines, arrived, tally }: Lines, least: number): string[] {
  const time = JSON.stringify(arrived)
  const source = JSON.stringify(tally.source)
  // The same for all lines of the chunk, but for those that have such fields themselves.
  const ours = `"source":${source},"arrived":${time}}`
  const records: string[] = []
  for (const raw of lines) {
    const line = raw.charCodeAt(raw.length - 1) === carriageReturn ? raw.slice(0, -1) : raw
    if (line === '') {
      tally.empty++
      continue
    }
    const fields = objectOf(line)
    const rank = fields ? rankOfField(fields.level) : rankOfText(line)
    if (rank < least) {
      tally.below++
      continue
    }
    tally.kept[rank]++
    if (fields === undefined) {
      records.push(`{"message":${JSON.stringify(line)},${ours}`)
    } else if (fields.source === undefined && fields.arrived === undefined) {
      records.push(opened(line, fields) + ours)
    } else {
      const [first, second] = [freeName(fields, 'source'), freeName(fields, 'arrived')]
      records.push(`${opened(line, fields)}"${first}":${source},"${second}":${time}}`)
    }
  }
  return records
}

/** The fields of a line that is a JSON object. */
function objectOf(line: string): Fields | undefined {
  if (line[0] !== '{' && !line.trimStart().startsWith('{')) return undefined
  try {
    return JSON.parse(line) as Fields
  } catch {
    return undefined
  }
}

/** The text of an object, up to where another field can follow. */
function opened(line: string, fields: Fields): string {
  const text = line.endsWith('}') ? line : line.trim()
  for (const _ in fields) return `${text.slice(0, -1)},`
  return '{'
}

function freeName(fields: Fields, name: string): string {
  while (Object.hasOwn(fields, name)) name = `_${name}`
  return name
}
