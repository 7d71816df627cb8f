// Levels of severity: their names and order, and how to find the level of a line.

export const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const
export type Level = (typeof levels)[number]

export const isLevel = (text: string): text is Level => (levels as readonly string[]).includes(text)

/** The place of a level in `levels`. A line without a level has this one. */
export const noLevel = levels.length

const words = {
  trace: ['trace', 'verbose'],
  debug: ['debug'],
  info: ['info', 'information', 'notice'],
  warn: ['warn', 'warning'],
  error: ['error', 'err'],
  fatal: ['fatal', 'critical', 'crit', 'alert', 'emerg', 'panic'],
} satisfies Record<Level, string[]>

const ranks = new Map(levels.flatMap((level, rank) => words[level].map((word) => [word, rank] as const)))

/** The rank of a JSON line: the value of its field `level`, a word or a number as pino has it. */
export function rankOfField(level: unknown): number {
  if (typeof level === 'string') return ranks.get(level) ?? ranks.get(level.trim().toLowerCase()) ?? noLevel
  if (typeof level === 'number' && level >= 10) return Math.min(levels.length, Math.floor(level / 10)) - 1
  return noLevel
}

const anyWord = new RegExp(`\\b(?:${[...ranks.keys()].join('|')})\\b`, 'i')

/** The rank of a line that is not JSON: that of its first level word. */
export function rankOfText(line: string): number {
  const found = anyWord.exec(line)
  return found === null ? noLevel : ranks.get(found[0].toLowerCase())!
}
