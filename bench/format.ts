// Numbers as tables and pictures show them.

/** Three digits where there are as many, and thousands apart: 0.25, 4.20, 35.5, 1,234. */
export function digits(number: number): string {
  const places = number < 10 ? 2 : number < 100 ? 1 : 0
  return number.toLocaleString('en', { minimumFractionDigits: places, maximumFractionDigits: places })
}

/** A number with its thousands apart. */
export const whole = (number: number): string => Math.round(number).toLocaleString('en')

/** A big round number in few letters: 100, 10k, 1M. */
export function brief(number: number): string {
  for (const [size, letter] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const) {
    if (number >= size) return `${+(number / size).toFixed(1)}${letter}`
  }
  return String(+number.toPrecision(3))
}

/** What is said once where all agree, and side by side where they do not. */
export const together = (texts: readonly string[]): string => [...new Set(texts)].join(', ')
