/**
 * Where a text stops being JSON. The runtimes tell that in their messages, each in its way and some not at all, so a
 * text that `JSON.parse` has refused is read once more, up to the first character that cannot be.
 */

const SPACE = /[ \t\n\r]*/y
/** All from the space on, but a quote and a backslash, and what a backslash may stand before. */
const TEXT = /"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*/y
const ESCAPE = /\\(?:u[\da-fA-F]{0,3})?/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y
/** What may be there of a number that goes wrong behind it. */
const BEGUN = /-?(?:(?:0|[1-9]\d*)(?:\.(?!\d)|(?:\.\d+)?[eE][-+]?(?!\d))?)?/y
const WORDS = ['true', 'false', 'null']

/** The index of the first character that cannot be there; the length of the text where more is wanted. */
export function placeOfJsonError(text: string): number {
  const reader = new JsonReader(text)
  while (reader.step());
  return reader.at
}

class JsonReader {
  at = 0
  /** What closes the lists and objects around: a stack of its own, as values may lie deeper than calls can. */
  readonly #open: string[] = []
  /** What comes next; where a list or an object has just begun, also its end. */
  #wanted: 'value' | 'value or end' | 'key' | 'key or end' | 'more' = 'value'

  constructor(readonly text: string) {}

  /** One step on; `false`: it stands where it goes wrong. */
  step(): boolean {
    this.#pass(SPACE)
    const close = this.#open.at(-1)
    if (this.#wanted !== 'value' && this.#wanted !== 'key' && close !== undefined && this.#is(close)) {
      this.#open.pop()
      this.#wanted = 'more'
      return true
    }
    if (this.#wanted === 'more') {
      this.#wanted = close === '}' ? 'key' : 'value'
      return close !== undefined && this.#is(',')
    }
    return this.#wanted.startsWith('key') ? this.#key() : this.#value()
  }

  #key(): boolean {
    if (this.text[this.at] !== '"' || !this.#string()) return false
    this.#pass(SPACE)
    this.#wanted = 'value'
    return this.#is(':')
  }

  #value(): boolean {
    for (const [begin, end] of ['{}', '[]'])
      if (this.#is(begin)) {
        this.#open.push(end)
        this.#wanted = end === '}' ? 'key or end' : 'value or end'
        return true
      }
    this.#wanted = 'more'
    return this.#single(this.text[this.at])
  }

  #single(char: string): boolean {
    if (char === '"') return this.#string()
    if (char === '-' || (char >= '0' && char <= '9')) return this.#number()
    const word = WORDS.find((word) => word[0] === char)
    return word !== undefined && [...word].every((letter) => this.#is(letter))
  }

  /** Passes over what matches. */
  #pass(pattern: RegExp): number {
    pattern.lastIndex = this.at
    const length = pattern.exec(this.text)?.[0].length ?? 0
    this.at += length
    return length
  }

  #is(char: string): boolean {
    if (this.text[this.at] !== char) return false
    this.at++
    return true
  }

  #string(): boolean {
    this.#pass(TEXT)
    if (this.#is('"')) return true
    this.#pass(ESCAPE)
    return false
  }

  #number(): boolean {
    const from = this.at
    const length = this.#pass(NUMBER)
    this.at = from
    if (this.#pass(BEGUN) > length) return false
    this.at = from + length
    return length > 0
  }
}
