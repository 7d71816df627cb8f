/**
 * Values cut out of a block of rows where they stand.
 *
 * The parsers of `pg` take a string for each value, and its dates three regular expressions: that is more than half of
 * the time that reading takes (bench: postgres). So what its own parsers make of integers, booleans, text and instants
 * is made from the characters of the block. Whatever does not look as the server writes it, and whatever parser the
 * user has set, goes to the parser. Whether a parser is that of `pg` is told by its name and by what it makes of probes.
 */

export type Parse = (text: string) => unknown
/** The value from `at` up to `end`; it has no backslash in it. */
export type Cut = (text: string, at: number, end: number) => unknown

const COLON = 58
const DASH = 45
const PLUS = 43
const SPACE = 32
const POINT = 46
const ZERO = 48
const T = 116

const asText: Cut = (text, at, end) => text.slice(at, end)

/** The parsers of `pg` for which there is a shorter way: what they are called, and what tells them from others. */
const KNOWN: { name: string; probes: readonly string[]; cut: (parse: Parse) => Cut }[] = [
  { name: 'noParse', probes: ['', 'a b', '1', 't', '2021-03-04'], cut: () => asText },
  { name: 'parseInteger', probes: ['0', '-1', '2147483647', '-2147483648'], cut: asInteger },
  { name: 'parseBool', probes: ['t', 'f'], cut: asBoolean },
  {
    name: 'parseDate',
    probes: ['2021-03-04 05:06:07+00', '1999-12-31 23:59:59.57-08', '2024-02-29 00:00:00.000123+13'],
    cut: asInstant,
  },
]

/** A quick way to what `parse` gives. */
export function cutterOf(parse: Parse): Cut {
  const slow: Cut = (text, at, end) => parse(text.slice(at, end))
  const known = KNOWN.find(({ name }) => name === parse.name)
  if (known === undefined) return slow
  const quick = known.cut(parse)
  return known.probes.every((text) => same(parse(text), quick(text, 0, text.length))) ? quick : slow
}

function same(a: unknown, b: unknown): boolean {
  if (!(a instanceof Date)) return a === b
  return (
    b instanceof Date && Object.getPrototypeOf(a) === Date.prototype && Object.is(a.getTime(), b.getTime())
  )
}

function asInteger(parse: Parse): Cut {
  return (text, at, end) => {
    const minus = text.charCodeAt(at) === DASH
    const first = minus ? at + 1 : at
    // Ten digits are the most that four bytes give, and all of them are digits.
    if (end - first > 10 || first === end) return parse(text.slice(at, end))
    let value = 0
    for (let i = first; i < end; i++) value = value * 10 + text.charCodeAt(i) - ZERO
    return minus ? -value : value
  }
}

function asBoolean(parse: Parse): Cut {
  return (text, at, end) => (end - at === 1 ? text.charCodeAt(at) === T : parse(text.slice(at, end)))
}

/** Instants with an offset of whole hours. Fractions are multiplied and cut off as the parser of `pg` does. */
function asInstant(parse: Parse): Cut {
  // Rows of one day often follow each other.
  let day = 0
  let midnight = 0
  return (text, at, end) => {
    const zone = end - 3
    const sign = text.charCodeAt(zone)
    if (!isInstant(text, at, zone, sign)) return parse(text.slice(at, end))
    const year = digits(text, at) * 100 + digits(text, at + 2)
    const month = digits(text, at + 5)
    const date = digits(text, at + 8)
    if (day !== (year * 100 + month) * 100 + date) {
      day = (year * 100 + month) * 100 + date
      midnight = Date.UTC(year, month - 1, date)
    }
    const hours = digits(text, at + 11) + (sign === PLUS ? -1 : 1) * digits(text, zone + 1)
    const seconds = (hours * 60 + digits(text, at + 14)) * 60 + digits(text, at + 17)
    const rest = zone === at + 19 ? 0 : Math.trunc(1000 * Number(text.slice(at + 19, zone)))
    return new Date(midnight + seconds * 1000 + rest)
  }
}

/** Whether it is written as `2026-11-26 17:10:27.123456+01`, of a year that `Date.UTC` takes for what it is. */
function isInstant(text: string, at: number, zone: number, sign: number): boolean {
  return (
    (sign === PLUS || sign === DASH) &&
    (zone === at + 19 || (zone > at + 20 && text.charCodeAt(at + 19) === POINT)) &&
    text.charCodeAt(at + 4) === DASH &&
    text.charCodeAt(at + 7) === DASH &&
    text.charCodeAt(at + 10) === SPACE &&
    text.charCodeAt(at + 13) === COLON &&
    text.charCodeAt(at + 16) === COLON &&
    digits(text, at) > 0
  )
}

/** The number that two digits make. */
function digits(text: string, at: number): number {
  return text.charCodeAt(at) * 10 + text.charCodeAt(at + 1) - 11 * ZERO
}
