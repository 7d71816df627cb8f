// The functions of the cheap stages, and how many values they let through.

export const addOne = (value: number) => value + 1
export const isEven = (value: number) => value % 2 === 0
export const double = (value: number) => value * 2
export const isNoThird = (value: number) => value % 3 !== 0
export const square = (value: number) => value * value
export const countValues = (total: number, batch: readonly number[]) => total + batch.length
export const countOne = (total: number) => total + 1

/** How many of 0 … `values` − 1 come out of: add one, even, double, not divisible by three. */
export function kept(values: number): number {
  return Math.floor(values / 2) - Math.floor(values / 6)
}

/** 0 … `to` − 1. */
export function* integers(to: number): Generator<number> {
  for (let i = 0; i < to; i++) yield i
}
