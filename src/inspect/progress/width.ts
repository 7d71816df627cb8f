/**
 * How many cells of a terminal a text takes.
 *
 * Counted by code point, from the general categories and blocks of Unicode that the runtime knows. A terminal that is
 * asked about a sequence of emoji may draw one glyph or all of its parts, so names lose what joins and colours them
 * (`plain`): what is left has the same width everywhere.
 *
 * Rejected: a package for it, bundled. The two that are small enough guess at sequences all the same, `src/` would import
 * what its users do not have, and each copy would have to carry a licence. A test compares this with what Node itself
 * says of every code point.
 */

/** Combining marks and what is never drawn. A soft hyphen is. */
const NO_CELL = /^[\p{Mn}\p{Me}\p{Cf}\p{Cc}]$/u
const REGIONAL = /^\p{Regional_Indicator}$/u
/** Blocks of East Asian scripts and full-width forms, whole: what they will be given later is wide as well. */
const WIDE =
  /^[\p{Emoji_Presentation}\u1100-\u115F\u2329\u232A\u2630-\u2637\u268A-\u268F\u2E80-\u303E\u3041-\uA4CF\uA960-\uA97F\uAC00-\uD7A3\uF900-\uFAFF\uFE10-\uFE19\uFE30-\uFE6F\uFF01-\uFF60\uFFE0-\uFFE6\u{16FE0}-\u{18DFF}\u{1AFF0}-\u{1B2FF}\u{1D300}-\u{1D376}\u{1F200}-\u{1F2FF}\u{20000}-\u{3FFFD}]$/u

/** The cells of one code point. */
export function cellsOf(char: string): number {
  // Nearly all there is: ASCII, and lines and blocks to draw with.
  if ((char >= ' ' && char < '\u007F') || (char >= '\u2500' && char < '\u25A0')) return 1
  if (NO_CELL.test(char)) return char === '\u00AD' ? 1 : 0
  // Two of them make a flag.
  if (REGIONAL.test(char)) return 1
  return WIDE.test(char) ? 2 : 1
}

const ASCII = /^[ -~]*$/

/** The same bars and names are drawn again and again. */
const known = /* @__PURE__ */ new Map<string, number>()
const MOST_KNOWN = 1_000

export function widthOf(text: string): number {
  if (ASCII.test(text)) return text.length
  let width = known.get(text)
  if (width === undefined) {
    width = 0
    for (const char of text) width += cellsOf(char)
    if (known.size === MOST_KNOWN) known.clear()
    known.set(text, width)
  }
  return width
}

/** What joins emoji, colours them or turns the direction of a text. */
const UNSEEN = /[\p{Cf}\p{Emoji_Modifier}\p{Variation_Selector}]/gu
const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/gu
/** Where Unicode has a picture for each ASCII control character. */
const PICTURES = 0x2400

/** A name as a text of one line that does nothing to the terminal: control characters become pictures of themselves. */
export function plain(text: string): string {
  return text.replace(UNSEEN, '').replace(CONTROLS, (char) => {
    const code = char.charCodeAt(0)
    return code < 32 ? String.fromCharCode(PICTURES + code) : code === 127 ? '\u2421' : '?'
  })
}

/** The first line of what an error says. It can be anything, even what is no text. */
export function firstLine(error: unknown): string {
  try {
    const { message = error } = Object(error) as { message?: unknown }
    const [line] = String(message).split('\n')
    return plain(line.replace(/:$/, ''))
  } catch {
    return ''
  }
}

/** The text in so many cells at most, and where it is cut with a mark of that. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  let left = width - 1
  let kept = ''
  for (const char of text) {
    left -= cellsOf(char)
    if (left < 0) break
    kept += char
  }
  return width < 1 ? '' : `${kept}…`
}

/** The text in exactly so many cells. */
export function pad(text: string, width: number): string {
  const short = cut(text, width)
  return short + ' '.repeat(Math.max(0, width - widthOf(short)))
}
