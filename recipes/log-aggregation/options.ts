// What the user may ask for: the options, their limits, and the text of --help.

import { parseArgs } from 'node:util'
import { isLevel, type Level, levels } from './levels.ts'
import { Problem } from './problem.ts'

export interface Options {
  /** Files, FIFOs and `-`; none for the demo. */
  files: string[]
  out: string
  /** A batch is full at so many lines, at about so many bytes, or after so many milliseconds. */
  batch: number
  bytes: number
  every: number
  /** Lines count as written when they are on the disk. */
  sync: boolean
  waitWhenFull: boolean
  level: Level | undefined
  seconds: number
}

export const help = `Usage: npm start -- [options] [file | -] ...

Collects the lines of many logs in one file. Without a file it starts three small HTTP servers, sends
them requests for a few seconds, and collects what they log. "-" is the standard input; FIFOs work,
and files that end in .gz, .br or .zst are unpacked.

  --out FILE      appends to FILE (aggregated.jsonl)
  --batch N       writes when N lines have come (1000),
  --bytes N       or about N bytes (262144),
  --every MS      or MS milliseconds after the first line of a batch (500), whichever is first
  --sync          what is written is on the disk (fdatasync), so that it survives a power cut
  --wait-when-full
                  on a full disk reads no more and waits for room, instead of ending with exit code 1
  --level LEVEL   only lines of this level and above, and lines without a level:
                  ${levels.join(', ')}
  --seconds N     how long the servers are sent requests (3)
  --help          prints this

Each line becomes a line of JSON. A JSON object keeps its fields, as they are written; any other line
becomes { "message": line }. Each gets "source", the file it came from, and "arrived", when it was read.
A field of the line that has such a name stays as it is: ours is then called "_source", "_arrived".
The level is the field "level" (a word, or a number as pino has it), or the first level word of a line
that is not JSON. Empty lines are left out. A line of more than 1 MiB is cut into pieces of that size.
Bytes that are not UTF-8 become U+FFFD.

Only whole lines are written, behind what is there. If the program is killed, the file ends in one torn
line at most, which gets an end at the next start. While the disk is full, Ctrl-C does not lose what was
read: with --wait-when-full it goes on waiting.

Ctrl-C (SIGINT, SIGTERM, SIGHUP) stops the inputs and writes what is in flight; a second one exits at once.
The summary goes to the standard output, or to standard error where the standard output is FILE.
Exit code 0: all that was read has been written; 1: one line on stderr says what went wrong;
more than 128: exited at once.
`

/** Reads the command line. `undefined`: the user asked for help. */
export function readOptions(args: string[]): Options | undefined {
  const { values, positionals } = parse(args)
  if (values.help) return undefined
  const { out, level } = values
  if (out === '') throw new Problem('Cannot use option --out: must be the name of a file, got ""')
  if (level !== undefined && !isLevel(level))
    throw new Problem(`Cannot use option --level: must be one of ${levels.join(', ')}, got "${level}"`)
  if (positionals.filter((file) => file === '-').length > 1)
    throw new Problem('Cannot read the standard input twice: "-" was given more than once')
  return {
    files: positionals,
    out,
    batch: count('batch', values.batch),
    bytes: count('bytes', values.bytes),
    every: count('every', values.every),
    sync: values.sync,
    waitWhenFull: values['wait-when-full'],
    level,
    // What a timer of Node can wait.
    seconds: count('seconds', values.seconds, 2_147_483),
  }
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        out: { type: 'string', default: 'aggregated.jsonl' },
        batch: { type: 'string', default: '1000' },
        bytes: { type: 'string', default: '262144' },
        every: { type: 'string', default: '500' },
        sync: { type: 'boolean', default: false },
        'wait-when-full': { type: 'boolean', default: false },
        level: { type: 'string' },
        seconds: { type: 'string', default: '3' },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    // Node explains at length; its first sentence names the option.
    const [reason] = (error as Error).message.split(/\.\s|\n/)
    throw new Problem(`${reason.replace(/\.$/, '')} (see --help)`)
  }
}

function count(option: string, text: string, most = 2 ** 31): number {
  const number = /^\d+$/.test(text) ? Number(text) : 0
  if (number >= 1 && number <= most) return number
  const wanted = number > most ? `must be an integer <= ${most}` : 'must be an integer >= 1'
  throw new Problem(`Cannot use option --${option}: ${wanted}, got "${text}"`)
}
